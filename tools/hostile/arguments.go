package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

// arguments generates valid arguments for methods.
type arguments struct {
	*world
	random *rand.Rand
	dir    string   // for temporary files
	batch  *account // of the last import
}

// of returns the arguments of a method after the context.
func (a *arguments) of(ctx context.Context, m method, t reflect.Type) []reflect.Value {
	var in []reflect.Value
	for i := range t.NumIn() {
		p := t.In(i)
		if p == reflect.TypeFor[context.Context]() {
			in = append(in, reflect.ValueOf(ctx))
			continue
		}
		if t.IsVariadic() && i == t.NumIn()-1 {
			p = p.Elem()
		}
		v := a.one(m, p, i)
		if !v.IsValid() {
			panic(fmt.Sprintf("no argument of type %v for %s: add one to arguments.go", p, m.name))
		}
		in = append(in, v)
	}
	return in
}

// one returns the argument at index i.
func (a *arguments) one(m method, t reflect.Type, i int) reflect.Value {
	var v any
	switch t {
	case reflect.TypeFor[threatconnect.Resource](), reflect.TypeFor[threatconnect.Labelable]():
		v = a.resource(m, i)
	case reflect.TypeFor[int64]():
		v = a.id(m)
	case reflect.TypeFor[string]():
		v = a.text(m)
	case reflect.TypeFor[threatconnect.IndicatorType]():
		v = threatconnect.TypeHost
	case reflect.TypeFor[threatconnect.GroupUpdate]():
		update := threatconnect.GroupUpdate{Name: new(a.name())}
		if m.is("Groups.Signatures.") {
			update.FileName, update.FileType, update.FileText = new("old.yar"), new(threatconnect.SignatureYARA), new("rule new {}")
		}
		v = update
	default:
		v = a.value(t)
	}
	if v != nil {
		return reflect.ValueOf(v).Convert(t)
	}
	switch {
	case t.Kind() == reflect.Pointer && strings.HasSuffix(t.Elem().Name(), "Options"):
		return a.options(t)
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct: // what a typed service creates
		name := a.name()
		for _, one := range indicators(name) {
			if reflect.TypeOf(one) == t {
				return reflect.ValueOf(one)
			}
		}
		for _, one := range groups(name) {
			if reflect.TypeOf(one) == t {
				return reflect.ValueOf(one)
			}
		}
	}
	return reflect.Value{}
}

// options returns nil, or options with the fields set that all lists have.
func (a *arguments) options(t reflect.Type) reflect.Value {
	if a.random.IntN(3) == 0 {
		return reflect.Zero(t)
	}
	v := reflect.New(t.Elem())
	if list := v.Elem().FieldByName("ListOptions"); list.IsValid() {
		list.FieldByName("Limit").SetInt(int64(pick(a.random, 0, 1, 2, 100)))
		list.FieldByName("Ahead").SetInt(int64(pick(a.random, 0, 2)))
	}
	if list, ok := reflect.TypeAssert[*threatconnect.ListOptions](v); ok {
		list.Limit, list.Ahead = pick(a.random, 0, 1, 2, 100), pick(a.random, 0, 2)
	}
	if include := v.Elem().FieldByName("Include"); include.IsValid() && a.random.IntN(2) == 0 {
		labels := t != reflect.TypeFor[*threatconnect.TaskListOptions]() && t != reflect.TypeFor[*threatconnect.TaskGetOptions]() &&
			t != reflect.TypeFor[*threatconnect.VictimListOptions]() && t != reflect.TypeFor[*threatconnect.VictimGetOptions]()
		include.Set(reflect.ValueOf(threatconnect.Include{Tags: true, Attributes: true, Labels: labels}))
	}
	return v
}

// name is the name of something that does not exist.
func (a *arguments) name() string { return fmt.Sprintf("new%d", a.random.IntN(1000)) }

// resource returns the resource that a parameter of a method names.
func (a *arguments) resource(m method, i int) threatconnect.Resource {
	group := func(t threatconnect.GroupType) threatconnect.Resource { return a.groups[t] }
	victim := threatconnect.VictimRef{ID: a.victim.ID}
	switch {
	case m.is("AdversaryAssets."):
		return group(threatconnect.GroupAdversary)
	case m.is("Associations.Task") && i > 1:
		return threatconnect.TaskRef{ID: a.linked.ID}
	case m.is("Associations.Task", "Associations.Tasks", "Tasks."), strings.HasSuffix(m.name, ".Task"):
		return pick[threatconnect.Resource](a.random, a.task, threatconnect.TaskRef{ID: a.task.ID})
	case m.is("VictimAssets."), strings.HasSuffix(m.name, ".Victim") && (i > 1 || !m.is("Associations.")):
		return victim
	case m.is("Associations.Group") && i > 1, m.is("Associations.Link", "Associations.Unlink") && i > 1, m.is("Tags.Group", "SecurityLabels.Group"), m.is("Groups."):
		return group(threatconnect.GroupThreat)
	case m.is("FileOccurrences.", "Associations.LinkFileAction", "Associations.UnlinkFileAction", "Associations.IndicatorsByAction") && i <= 1:
		return a.file
	case m.is("Associations.LinkIndicators", "Associations.IndicatorsBy") && i <= 1:
		return a.url
	case m.is("Indicators.AddressResolutions"):
		return a.address
	case m.is("Associations.", "Attributes.", "Indicators.", "SecurityLabels.Indicator"):
		return a.host
	}
	return pick[threatconnect.Resource](a.random, a.host, group(threatconnect.GroupThreat), victim, a.task)
}

// id returns the value of a numeric parameter of a method.
func (a *arguments) id(m method) int64 {
	typed := map[string]threatconnect.GroupType{
		"Groups.Adversaries.": threatconnect.GroupAdversary, "Groups.AttackPatterns.": threatconnect.GroupAttackPattern,
		"Groups.Campaigns.": threatconnect.GroupCampaign, "Groups.CoursesOfAction.": threatconnect.GroupCourseOfAction,
		"Groups.Documents.": threatconnect.GroupDocument, "Groups.Emails.": threatconnect.GroupEmail,
		"Groups.Events.": threatconnect.GroupEvent, "Groups.Incidents.": threatconnect.GroupIncident,
		"Groups.IntrusionSets.": threatconnect.GroupIntrusionSet, "Groups.Malware.": threatconnect.GroupMalware,
		"Groups.Reports.": threatconnect.GroupReport, "Groups.Signatures.": threatconnect.GroupSignature,
		"Groups.Tactics.": threatconnect.GroupTactic, "Groups.Threats.": threatconnect.GroupThreat,
		"Groups.Tools.": threatconnect.GroupTool, "Groups.Vulnerabilities.": threatconnect.GroupVulnerability,
	}
	if t, ok := typed[m.service()]; ok {
		return a.groups[t].ID
	}
	switch m.service() {
	case "AdversaryAssets.":
		return a.handle.ID
	case "Associations.", "VictimAssets.":
		return a.asset.Meta().ID
	case "Attributes.":
		return a.attribute.ID
	case "Batch.":
		if m.is("Batch.Upload") {
			return a.open
		}
		return a.job
	case "FileOccurrences.":
		return a.occurrence.ID
	case "Metrics.":
		return a.metric.ID
	case "Owners.":
		return a.owner
	case "Tasks.":
		return a.task.ID
	case "Tasks.Assignees.", "Tasks.Escalatees.":
		return a.userID
	case "Victims.":
		return a.victim.ID
	}
	panic("no id for " + m.name + ": add one to arguments.go")
}

// text returns the value of a text parameter of a method.
func (a *arguments) text(m method) string {
	for _, ind := range indicators("old") {
		_, custom := ind.(*threatconnect.CustomIndicator)
		plural := map[threatconnect.IndicatorType]string{
			threatconnect.TypeAddress: "Addresses", threatconnect.TypeEmailAddress: "EmailAddresses", threatconnect.TypeMutex: "Mutexes",
		}[ind.Type()]
		if plural == "" {
			plural = strings.ReplaceAll(string(ind.Type()), " ", "") + "s"
		}
		if m.is("Indicators."+plural+".") || custom && m.is("Indicators.Custom.") {
			return ind.Summary()
		}
	}
	switch m.service() {
	case "Tags.", "Metrics.":
		return "old"
	case "SecurityLabels.":
		return "TLP:AMBER"
	case "Playbooks.":
		return fmt.Sprint(a.playbook.ID)
	case "Tasks.Assignees.", "Tasks.Escalatees.":
		return a.user
	case "Groups.Documents.", "Groups.Reports.":
		return m.service()
	}
	switch m.name {
	case "Types.Association":
		return a.association
	case "Types.Attribute":
		return "Description"
	}
	panic("no text for " + m.name + ": add one to arguments.go")
}

// value returns an argument that depends only on its type, or nil.
func (a *arguments) value(t reflect.Type) any {
	name := a.name()
	for _, v := range []any{
		threatconnect.AdversaryAssetHandle, threatconnect.VictimAssetEmailAddress, threatconnect.FileActionDNSQuery,
		threatconnect.AssociationURLHost, threatconnect.BulkJSON, threatconnect.BulkStatus{}, threatconnect.PlaybookPBX,
		threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetHandle, Value: name},
		threatconnect.AdversaryAssetUpdate{Value: &name},
		threatconnect.Attribute{Type: "Description", Value: name}, threatconnect.AttributeUpdate{Value: &name},
		threatconnect.VictimAssetUpdate{Address: new("b@old.example"), AddressType: &name},
		threatconnect.FileOccurrence{FileName: name}, threatconnect.FileOccurrenceUpdate{Path: &name},
		threatconnect.IndicatorUpdate{Confidence: new(50)}, threatconnect.TagUpdate{Description: &name},
		threatconnect.TaskUpdate{Name: &name}, threatconnect.VictimUpdate{Name: &name},
		threatconnect.Tag{Name: name}, &threatconnect.Task{Name: name}, &threatconnect.Victim{Name: name},
		threatconnect.Metric{Name: name, DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily},
		threatconnect.MetricPoint{Value: new(int64(1))}, threatconnect.Observation{Count: 2}, time.Time{},
		threatconnect.Notification{Type: name, Priority: threatconnect.PriorityLow, Message: name, Organization: true},
		threatconnect.LogEntry{Message: name, Time: time.Now()}, []byte(pbx), threatconnect.BytesContent([]byte(name)),
		threatconnect.DataStoreRequest{Domain: threatconnect.DataStoreOrganization, Type: "old", ID: "old", Method: "POST", Body: []byte(`{"a":1}`)},
		batchJob,
	} {
		if reflect.TypeOf(v) == t {
			return v
		}
	}
	switch t {
	case reflect.TypeFor[threatconnect.Indicator]():
		all := indicators(name)
		return all[a.random.IntN(len(all))]
	case reflect.TypeFor[threatconnect.Group]():
		all := groups(name)
		return all[a.random.IntN(len(all))]
	case reflect.TypeFor[threatconnect.VictimAsset]():
		return &threatconnect.VictimEmailAddress{Address: name + "@old.example"}
	case reflect.TypeFor[threatconnect.Content]():
		return threatconnect.BytesContent([]byte(name))
	case reflect.TypeFor[io.Writer]():
		return io.Discard // memory for downloads belongs to the caller
	case reflect.TypeFor[io.ReadSeeker]():
		return strings.NewReader(batchFile)
	case reflect.TypeFor[threatconnect.BatchConfig]():
		return a.batchConfig()
	case reflect.TypeFor[threatconnect.ReconcileConfig]():
		c := threatconnect.ReconcileConfig{Owner: organization, MaxShare: 1, Dir: a.dir, PageSize: pick(a.random, 0, 2, 100), OnError: func(threatconnect.BatchItemError) {}}
		if a.random.IntN(2) == 0 {
			c.Retire = &threatconnect.Retirement{ClearScores: true, Tag: "old"}
		}
		return c
	case reflect.TypeFor[iter.Seq2[threatconnect.BatchItem, error]]():
		return a.items()
	case reflect.TypeFor[iter.Seq[string]]():
		return slices.Values([]string{"old.example", "192.0.2.7", "http://old.example/a", "new.example", strings.Repeat("0", 63) + "1"})
	}
	return nil
}

// batchConfig returns the settings of an import.
func (a *arguments) batchConfig() threatconnect.BatchConfig {
	a.batch = &account{}
	c := threatconnect.BatchConfig{
		Owner: source, Attributes: pick(a.random, threatconnect.WriteAppend, threatconnect.WriteReplace),
		MaxItems: pick(a.random, 0, 1, 7), Concurrency: pick(a.random, 0, 1, 4), HaltOnError: a.random.IntN(4) == 0,
		OnError: a.batch.failed, OnEvent: a.batch.happened,
	}
	if a.random.IntN(2) == 0 {
		c.Spool, c.Run = threatconnect.NewDirSpool(a.dir+"/spool"), "run"
	}
	return c
}

// items returns the items of a feed, the same in each call.
func (a *arguments) items() iter.Seq2[threatconnect.BatchItem, error] {
	seed := a.random.Uint64()
	return func(yield func(threatconnect.BatchItem, error) bool) {
		random := rand.New(rand.NewPCG(seed, 1))
		for i := range random.IntN(40) {
			name := fmt.Sprintf("item%d", i)
			var item threatconnect.BatchItem
			if all := indicators(name); random.IntN(3) > 0 {
				item = all[random.IntN(len(all)-1)].(threatconnect.BatchItem)
			} else {
				all := groups(name)
				g := all[random.IntN(len(all))]
				g.Meta().XID = threatconnect.XID("hostile", name)
				item = g.(threatconnect.BatchItem)
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// pick returns one of several values.
func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }
