package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// tour calls everything in the API with one client and one server.
type tour struct {
	*testing.T
	ctx    context.Context
	c      *threatconnect.Client
	tokens *threatconnect.Client // the same server, with a token
	srv    *threatconnecttest.Server

	host, other *threatconnect.Host
	address     *threatconnect.Address
	file        *threatconnect.File
	url         *threatconnect.URL
	incident    *threatconnect.Incident
	threat      *threatconnect.Threat
	task        *threatconnect.Task
	task2       *threatconnect.Task
	victim      *threatconnect.Victim
	victim2     *threatconnect.Victim
	asset       threatconnect.VictimAsset
}

// The tour requests every operation of the endpoint table. Only requests that the server verified and
// answered successfully count.
func TestTourRequestsEveryOperation(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t,
		threatconnecttest.WithRequestLog(100_000),
		threatconnecttest.WithoutUpdateIfExists(), // so that contents are replaced by PUT
	)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Wallet"}}))
	w := &tour{T: t, ctx: t.Context(), srv: srv, c: srv.Client(), tokens: srv.ClientAs(threatconnect.Token(srv.Token()))}
	w.all()

	done := map[string]bool{}
	for _, r := range srv.Requests() {
		if r.Verified && r.Status < 300 {
			done[r.Method+" "+r.Route] = true
		}
	}
	table, err := os.ReadFile("testdata/endpoints.txt")
	require.NoError(t, err)
	var missing []string
	for op := range strings.SplitSeq(string(table), "\n") {
		if op != "" && !strings.HasPrefix(op, "#") && !done[op] {
			missing = append(missing, op)
		}
	}
	require.Empty(t, missing, "operations that were not requested")
}

func (w *tour) all() {
	w.owners()
	w.things()
	w.indicators()
	w.groups()
	for _, r := range []threatconnect.Resource{w.incident, w.host, w.task, w.victim} {
		w.metadata(r)
		w.related(r)
	}
	w.associations()
	w.reverse()
	w.people()
	w.contents()
	w.batch()
	w.rest()
	w.deletions()
}

func (w *tour) ok(errs ...error) {
	w.Helper()
	for _, err := range errs {
		require.NoError(w, err)
	}
}

// got returns the value of a call that must succeed.
func got[T any](w *tour) func(v T, err error) T {
	return func(v T, err error) T {
		w.Helper()
		require.NoError(w, err)
		return v
	}
}

// some reads a sequence that must not be empty.
func some[T any](w *tour, seq iter.Seq2[T, error]) []T {
	w.Helper()
	items, err := threatconnect.Collect(seq)
	require.NoError(w, err)
	require.NotEmpty(w, items)
	return items
}

// drained reads a sequence that may be empty.
func drained[T any](w *tour, seq iter.Seq2[T, error]) {
	w.Helper()
	_, err := threatconnect.Collect(seq)
	require.NoError(w, err)
}

func (w *tour) owners() {
	s := w.c.Owners
	list := got[*threatconnect.Page[threatconnect.Owner]](w)(s.List(w.ctx, nil)).Items
	some(w, s.All(w.ctx, nil))
	got[threatconnect.Owner](w)(s.Get(w.ctx, list[0].ID))
	got[threatconnect.Owner](w)(s.Mine(w.ctx))
	got[threatconnect.Members](w)(s.Members(w.ctx))
	some(w, s.Metrics(w.ctx, list[0].ID, nil))
	some(w, s.AllMetrics(w.ctx, nil))
	got[threatconnect.User](w)(s.Whoami(w.ctx))
}

// things creates the resources for the rest of the tour.
func (w *tour) things() {
	ind, g := w.c.Indicators, w.c.Groups
	w.host = got[*threatconnect.Host](w)(ind.Hosts.Create(w.ctx, threatconnect.NewHost("tour.example")))
	w.other = got[*threatconnect.Host](w)(ind.Hosts.Create(w.ctx, threatconnect.NewHost("other.example")))
	w.address = got[*threatconnect.Address](w)(ind.Addresses.Create(w.ctx, threatconnect.NewAddress("192.0.2.1")))
	w.file = got[*threatconnect.File](w)(ind.Files.Create(w.ctx, threatconnect.NewFile(strings.Repeat("ab", 32))))
	w.url = got[*threatconnect.URL](w)(ind.URLs.Create(w.ctx, threatconnect.NewURL("http://tour.example/a")))
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.incident = got[*threatconnect.Incident](w)(g.Incidents.Create(w.ctx, threatconnect.NewIncident("Tour", date)))
	w.threat = got[*threatconnect.Threat](w)(g.Threats.Create(w.ctx, threatconnect.NewThreat("Tour")))
	w.task = got[*threatconnect.Task](w)(w.c.Tasks.Create(w.ctx, &threatconnect.Task{Name: "Tour"}))
	second := &threatconnecttest.TaskRecord{Name: "Tour 2", Tasks: []int64{w.task.ID}}
	require.NoError(w, w.srv.Seed(second))
	w.task2 = got[*threatconnect.Task](w)(w.c.Tasks.Get(w.ctx, second.ID, nil))
	w.victim = got[*threatconnect.Victim](w)(w.c.Victims.Create(w.ctx, &threatconnect.Victim{Name: "Tour"}))
	w.victim2 = got[*threatconnect.Victim](w)(w.c.Victims.Create(w.ctx, &threatconnect.Victim{Name: "Tour 2"}))
	w.asset = got[threatconnect.VictimAsset](w)(w.c.VictimAssets.Add(w.ctx, w.victim, &threatconnect.VictimEmailAddress{Address: "a@tour.example"}))
	got[threatconnect.VictimAsset](w)(w.c.VictimAssets.Add(w.ctx, w.victim2, &threatconnect.VictimEmailAddress{Address: "b@tour.example"}))
}

func (w *tour) indicators() {
	s := w.c.Indicators
	got[*threatconnect.Page[threatconnect.Indicator]](w)(s.List(w.ctx, nil))
	some(w, s.Hosts.All(w.ctx, nil))
	got[*threatconnect.Host](w)(s.Hosts.Get(w.ctx, "tour.example", nil))
	got[*threatconnect.Host](w)(s.Hosts.Update(w.ctx, "tour.example", threatconnect.IndicatorUpdate{Confidence: new(50)}))
	got[[]threatconnect.Owner](w)(s.Owners(w.ctx, w.host))
	w.ok(s.Observe(w.ctx, w.host, threatconnect.Observation{Count: 2}))
	got[[]threatconnect.Observation](w)(s.Observations(w.ctx, w.host))
	got[threatconnect.ObservationCount](w)(s.ObservationCount(w.ctx, w.host))
	got[threatconnect.FalsePositives](w)(s.ReportFalsePositive(w.ctx, w.host))
	got[[]threatconnect.ObservedIndicator](w)(s.Observed(w.ctx, time.Time{}))
	drained(w, s.HostResolutions(w.ctx, w.host, nil))
	drained(w, s.AddressResolutions(w.ctx, w.address, nil))

	o := got[threatconnect.FileOccurrence](w)(w.c.FileOccurrences.Add(w.ctx, w.file, threatconnect.FileOccurrence{FileName: "a.bin"}))
	got[[]threatconnect.FileOccurrence](w)(w.c.FileOccurrences.On(w.ctx, w.file))
	got[threatconnect.FileOccurrence](w)(w.c.FileOccurrences.Get(w.ctx, w.file, o.ID))
	got[threatconnect.FileOccurrence](w)(w.c.FileOccurrences.Update(w.ctx, w.file, o.ID, threatconnect.FileOccurrenceUpdate{Path: new("/tmp")}))
	w.ok(w.c.FileOccurrences.Remove(w.ctx, w.file, o.ID))

	some(w, w.c.Types.Indicators(w.ctx, nil))
	got[threatconnect.IndicatorTypeInfo](w)(w.c.Types.Indicator(w.ctx, threatconnect.TypeHost))
	wallets := s.Custom("Wallet")
	got[*threatconnect.CustomIndicator](w)(wallets.Create(w.ctx, threatconnect.NewCustomIndicator("Wallet", "w1")))
	drained(w, wallets.Deleted(w.ctx, nil))
	drained(w, s.Deleted(w.ctx, nil))
	drained(w, s.Hosts.Deleted(w.ctx, nil))
	drained(w, s.Addresses.Deleted(w.ctx, nil))
	drained(w, s.URLs.Deleted(w.ctx, nil))
	drained(w, s.Files.Deleted(w.ctx, nil))
	drained(w, s.EmailAddresses.Deleted(w.ctx, nil))

	associations := some(w, w.c.Types.Associations(w.ctx, nil))
	got[threatconnect.AssociationTypeInfo](w)(w.c.Types.Association(w.ctx, associations[0].Name))
	attributes := some(w, w.c.Types.Attributes(w.ctx, nil))
	got[threatconnect.AttributeTypeInfo](w)(w.c.Types.Attribute(w.ctx, attributes[0].Name))
}

func (w *tour) groups() {
	s := w.c.Groups
	got[*threatconnect.Page[threatconnect.Group]](w)(s.List(w.ctx, nil))
	some(w, s.Incidents.All(w.ctx, nil))
	got[*threatconnect.Incident](w)(s.Incidents.Get(w.ctx, w.incident.ID, nil))
	got[*threatconnect.Incident](w)(s.Incidents.Update(w.ctx, w.incident.ID, threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentOpen)}))
	w.ok(s.Publish(w.ctx, w.incident, nil))
}

// metadata attaches tags, attributes and labels to a resource.
func (w *tour) metadata(r threatconnect.Resource) {
	w.ok(w.c.Tags.Add(w.ctx, r, "Tour", "Second"), w.c.Tags.Remove(w.ctx, r, "Second"))
	got[[]threatconnect.Tag](w)(w.c.Tags.On(w.ctx, r))
	w.ok(w.c.SecurityLabels.Add(w.ctx, r, "TLP:AMBER", "TLP:RED"), w.c.SecurityLabels.Remove(w.ctx, r, "TLP:RED"))
	got[[]threatconnect.SecurityLabel](w)(w.c.SecurityLabels.On(w.ctx, r))
	a := got[threatconnect.Attribute](w)(w.c.Attributes.Add(w.ctx, r, threatconnect.Attribute{Type: "Description", Value: "a"}))
	got[[]threatconnect.Attribute](w)(w.c.Attributes.On(w.ctx, r))
	got[threatconnect.Attribute](w)(w.c.Attributes.Get(w.ctx, r, a.ID))
	got[threatconnect.Attribute](w)(w.c.Attributes.Update(w.ctx, r, a.ID, threatconnect.AttributeUpdate{Value: new("b")}))
	ref := threatconnect.AttributeRef{On: r, ID: a.ID}
	w.ok(w.c.SecurityLabels.Add(w.ctx, ref, "TLP:GREEN"))
	got[[]threatconnect.SecurityLabel](w)(w.c.SecurityLabels.On(w.ctx, ref))
	w.ok(w.c.SecurityLabels.Remove(w.ctx, ref, "TLP:GREEN"), w.c.Attributes.Remove(w.ctx, r, a.ID))
}

// related lists the resources related to r, of all types and of one.
func (w *tour) related(r threatconnect.Resource) {
	s := w.c.Associations
	drained(w, s.Groups(w.ctx, r, nil))
	drained(w, s.Groups(w.ctx, r, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupThreat}))
	drained(w, s.Indicators(w.ctx, r, nil))
	drained(w, s.Indicators(w.ctx, r, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
	drained(w, s.Victims(w.ctx, r, nil))
	drained(w, s.VictimAssets(w.ctx, r, nil))
	drained(w, s.VictimAssets(w.ctx, r, &threatconnect.RelatedVictimAssetOptions{Type: threatconnect.VictimAssetEmailAddress}))
}

func (w *tour) associations() {
	s := w.c.Associations
	assetType, assetID := w.asset.Type(), w.asset.Meta().ID
	for _, pair := range [][2]threatconnect.Resource{
		{w.incident, w.threat}, {w.incident, w.host}, {w.incident, w.victim},
		{w.host, w.threat}, {w.host, w.victim},
		{w.task, w.threat}, {w.task, w.host}, {w.task, w.victim},
		{w.victim, w.threat},
	} {
		w.ok(s.Link(w.ctx, pair[0], pair[1]))
	}
	for _, r := range []threatconnect.Resource{w.incident, w.host, w.task, w.victim} {
		got[threatconnect.Group](w)(s.Group(w.ctx, r, w.threat))
	}
	for _, r := range []threatconnect.Resource{w.incident, w.host, w.task} {
		got[*threatconnect.Victim](w)(s.Victim(w.ctx, r, w.victim))
		got[threatconnect.VictimAsset](w)(s.VictimAsset(w.ctx, r, assetType, assetID))
	}
	w.ok(s.Link(w.ctx, w.threat, w.victim2))
	some(w, s.Victims(w.ctx, w.victim, nil))
	got[*threatconnect.Victim](w)(s.Victim(w.ctx, w.victim, w.victim2))
	w.ok(s.Link(w.ctx, w.task2, w.threat))
	some(w, s.Tasks(w.ctx, w.victim, nil))
	got[*threatconnect.Task](w)(s.Task(w.ctx, w.victim, w.task))
	some(w, s.Tasks(w.ctx, w.task, nil))
	got[*threatconnect.Task](w)(s.Task(w.ctx, w.task, w.task2))

	w.ok(s.LinkIndicators(w.ctx, w.url, w.host, threatconnect.AssociationURLHost))
	some(w, s.IndicatorsBy(w.ctx, w.url, threatconnect.AssociationURLHost, nil))
	some(w, s.IndicatorsBy(w.ctx, w.url, threatconnect.AssociationURLHost, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
	w.ok(s.LinkFileAction(w.ctx, w.file, w.host, threatconnect.FileActionDNSQuery))
	some(w, s.IndicatorsByAction(w.ctx, w.file, threatconnect.FileActionDNSQuery, nil))
	some(w, s.IndicatorsByAction(w.ctx, w.file, threatconnect.FileActionDNSQuery, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
	w.ok(s.UnlinkFileAction(w.ctx, w.file, w.host, threatconnect.FileActionDNSQuery))
	w.ok(s.Unlink(w.ctx, w.url, w.host))
}

// reverse finds the resources with a tag and those with a label.
func (w *tour) reverse() {
	tags, labels := w.c.Tags, w.c.SecurityLabels
	const tag, label = "Tour", "TLP:AMBER"
	some(w, tags.Groups(w.ctx, tag, nil))
	some(w, tags.Groups(w.ctx, tag, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}))
	got[threatconnect.Group](w)(tags.Group(w.ctx, tag, w.incident))
	some(w, tags.Indicators(w.ctx, tag, nil))
	some(w, tags.Indicators(w.ctx, tag, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
	some(w, tags.Tasks(w.ctx, tag, nil))
	got[*threatconnect.Task](w)(tags.Task(w.ctx, tag, w.task))
	some(w, tags.Victims(w.ctx, tag, nil))
	got[*threatconnect.Victim](w)(tags.Victim(w.ctx, tag, w.victim))
	some(w, labels.Groups(w.ctx, label, nil))
	some(w, labels.Groups(w.ctx, label, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}))
	got[threatconnect.Group](w)(labels.Group(w.ctx, label, w.incident))
	some(w, labels.Indicators(w.ctx, label, nil))
	some(w, labels.Indicators(w.ctx, label, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
	got[threatconnect.Indicator](w)(labels.Indicator(w.ctx, label, w.host))
	some(w, labels.Tasks(w.ctx, label, nil))
	got[*threatconnect.Task](w)(labels.Task(w.ctx, label, w.task))
	some(w, labels.Victims(w.ctx, label, nil))
	got[*threatconnect.Victim](w)(labels.Victim(w.ctx, label, w.victim))

	some(w, tags.All(w.ctx, nil))
	got[threatconnect.Tag](w)(tags.Create(w.ctx, threatconnect.Tag{Name: "Old"}))
	got[threatconnect.Tag](w)(tags.Update(w.ctx, "Old", threatconnect.TagUpdate{Name: new("New")}))
	got[threatconnect.Tag](w)(tags.Get(w.ctx, "New"))
	w.ok(tags.Delete(w.ctx, "New"))
	some(w, labels.All(w.ctx, nil))
	got[threatconnect.SecurityLabel](w)(labels.Get(w.ctx, label))
	w.ok(labels.Delete(w.ctx, "TLP:WHITE"))
}

func (w *tour) people() {
	tasks, assets := w.c.Tasks, w.c.VictimAssets
	some(w, tasks.All(w.ctx, nil))
	got[*threatconnect.Task](w)(tasks.Get(w.ctx, w.task.ID, nil))
	got[*threatconnect.Task](w)(tasks.Update(w.ctx, w.task.ID, threatconnect.TaskUpdate{Status: new(threatconnect.TaskInProgress)}))
	me := got[threatconnect.User](w)(w.c.Owners.Whoami(w.ctx)).UserName
	number, ok := w.srv.UserID(me)
	require.True(w, ok)
	for _, users := range []threatconnect.TaskUsersService{tasks.Assignees, tasks.Escalatees} {
		w.ok(users.Add(w.ctx, w.task, me))
		got[[]threatconnect.User](w)(users.On(w.ctx, w.task))
		got[threatconnect.User](w)(users.Get(w.ctx, w.task, me))
		got[threatconnect.User](w)(users.GetByID(w.ctx, w.task, number))
		w.ok(users.Remove(w.ctx, w.task, me))
	}
	some(w, w.c.Victims.All(w.ctx, nil))
	got[*threatconnect.Victim](w)(w.c.Victims.Get(w.ctx, w.victim.ID, nil))
	got[*threatconnect.Victim](w)(w.c.Victims.Update(w.ctx, w.victim.ID, threatconnect.VictimUpdate{Name: new("Tour")}))
	typ, number := w.asset.Type(), w.asset.Meta().ID
	got[[]threatconnect.VictimAsset](w)(assets.On(w.ctx, w.victim))
	got[[]threatconnect.VictimAsset](w)(assets.OfType(w.ctx, w.victim, typ))
	got[threatconnect.VictimAsset](w)(assets.Get(w.ctx, w.victim, typ, number))
	got[threatconnect.VictimAsset](w)(assets.Update(w.ctx, w.victim, w.asset.Type(), w.asset.Meta().ID, assetUpdate(w.asset)))

	adversary := got[*threatconnect.Adversary](w)(w.c.Groups.Adversaries.Create(w.ctx, threatconnect.NewAdversary("Tour")))
	for typ, value := range map[threatconnect.AdversaryAssetType]string{
		threatconnect.AdversaryAssetHandle: "tour", threatconnect.AdversaryAssetPhoneNumber: "555-0100", threatconnect.AdversaryAssetURL: "http://tour.example",
	} {
		s := w.c.AdversaryAssets
		a := got[threatconnect.AdversaryAsset](w)(s.Add(w.ctx, adversary, threatconnect.AdversaryAsset{Type: typ, Value: value}))
		got[[]threatconnect.AdversaryAsset](w)(s.On(w.ctx, adversary))
		got[[]threatconnect.AdversaryAsset](w)(s.OfType(w.ctx, adversary, typ))
		got[threatconnect.AdversaryAsset](w)(s.Get(w.ctx, adversary, typ, a.ID))
		a.Type = typ
		got[threatconnect.AdversaryAsset](w)(s.Update(w.ctx, adversary, typ, a.ID, threatconnect.AdversaryAssetUpdate{Value: &a.Value}))
		w.ok(s.Remove(w.ctx, adversary, typ, a.ID))
	}
}

func (w *tour) contents() {
	s := w.c.Groups
	document := got[*threatconnect.Document](w)(s.Documents.Create(w.ctx, threatconnect.NewDocument("Tour", "tour.txt")))
	report := got[*threatconnect.Report](w)(s.Reports.Create(w.ctx, threatconnect.NewReport("Tour", "tour.pdf")))
	signature := got[*threatconnect.Signature](w)(s.Signatures.Create(w.ctx, threatconnect.NewSignature("Tour", "tour.yar", threatconnect.SignatureYARA, "rule tour {}")))
	for _, content := range []string{"first", "second"} { // POST, then PUT
		w.ok(s.Documents.Upload(w.ctx, document.ID, threatconnect.BytesContent([]byte(content)), nil))
		w.ok(s.Reports.Upload(w.ctx, report.ID, threatconnect.BytesContent([]byte(content)), nil))
	}
	got[int64](w)(s.Documents.Download(w.ctx, document.ID, io.Discard))
	got[int64](w)(s.Reports.Download(w.ctx, report.ID, io.Discard))
	got[string](w)(s.Signatures.Text(w.ctx, signature.ID))
	got[int64](w)(s.PDF(w.ctx, w.incident, io.Discard))

	w.ok(w.srv.SetBulkReports("Example Organization", threatconnecttest.BulkReports{JSON: true, CSV: true}))
	got[threatconnect.BulkStatus](w)(w.c.InOwner("Example Organization").Bulk.Status(w.ctx))
	some(w, w.c.InOwner("Example Organization").Bulk.JSON(w.ctx))
	some(w, w.c.InOwner("Example Organization").Bulk.CSV(w.ctx))
}

func (w *tour) batch() {
	s := w.c.Batch
	config := threatconnect.BatchJob{Owner: "Example Source", Attributes: threatconnect.WriteReplace}
	const content = `{"indicator":[{"type":"Host","summary":"batch.example"},{"type":"Host","summary":"not a host"}]}`
	jobID := got[int64](w)(s.Create(w.ctx, config))
	got[*threatconnect.BatchStatus](w)(s.Upload(w.ctx, jobID, strings.NewReader(content)))
	got[*threatconnect.BatchStatus](w)(s.Wait(w.ctx, jobID))
	some(w, s.Errors(w.ctx, jobID))
	some(w, s.Results(w.ctx, jobID, nil))
	got[*threatconnect.BatchStatus](w)(s.CreateAndUpload(w.ctx, config, strings.NewReader(content)))
}

func (w *tour) rest() {
	metrics := w.c.Metrics
	got[threatconnect.Metric](w)(metrics.Create(w.ctx, threatconnect.Metric{Name: "Tour", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily}))
	got[*threatconnect.Page[threatconnect.Metric]](w)(metrics.List(w.ctx, nil))
	some(w, metrics.All(w.ctx, nil))
	got[threatconnect.Metric](w)(metrics.Get(w.ctx, "Tour"))
	w.ok(metrics.Add(w.ctx, "Tour", threatconnect.MetricPoint{Value: new(int64(1))}), metrics.Delete(w.ctx, "Tour"))
	w.ok(w.c.Notifications.Send(w.ctx, threatconnect.Notification{Type: "Tour", Priority: threatconnect.PriorityLow, Message: "hello", Organization: true}))

	playbooks := w.c.Playbooks
	pbx := []byte(`{"name":"Tour","definitionVersion":"1.0.0"}`)
	p := got[threatconnect.Playbook](w)(playbooks.Import(w.ctx, pbx))
	name := fmt.Sprint(p.ID)
	got[threatconnect.Playbook](w)(playbooks.AddVersion(w.ctx, name, pbx))
	got[*threatconnect.Page[threatconnect.Playbook]](w)(playbooks.List(w.ctx, nil))
	some(w, playbooks.All(w.ctx, &threatconnect.PlaybookListOptions{Name: "Tour"}))
	got[threatconnect.Playbook](w)(playbooks.Get(w.ctx, name))
	got[int64](w)(playbooks.Export(w.ctx, name, threatconnect.PlaybookPBX, new(bytes.Buffer)))
	w.ok(playbooks.Activate(w.ctx, name), playbooks.Deactivate(w.ctx, name), playbooks.Delete(w.ctx, name))

	store := got[*threatconnect.DataStore[map[string]string]](w)(threatconnect.DataStoreOf[map[string]string](w.tokens, threatconnect.DataStoreOrganization, "tour"))
	w.ok(store.Put(w.ctx, "a", map[string]string{"b": "c"}))
	got[threatconnect.DataRecord[map[string]string]](w)(store.Get(w.ctx, "a"))
	got[*threatconnect.Page[threatconnect.DataRecord[map[string]string]]](w)(store.List(w.ctx))
	got[*threatconnect.Page[threatconnect.DataRecord[map[string]string]]](w)(store.Search(w.ctx, map[string]any{"query": map[string]any{"match_all": map[string]any{}}}))
	w.ok(store.SetMappings(w.ctx, map[string]any{"properties": map[string]any{}}))
	w.ok(w.tokens.Logs.Send(w.ctx, threatconnect.LogEntry{Message: "hello", Time: time.Now()}))
}

// deletions unlinks and deletes the resources.
func (w *tour) deletions() {
	s := w.c.Associations
	typ, assetID := w.asset.Type(), w.asset.Meta().ID
	for _, r := range []threatconnect.Resource{w.incident, w.host, w.task} {
		w.ok(s.UnlinkVictimAsset(w.ctx, r, typ, assetID))
	}
	for _, pair := range [][2]threatconnect.Resource{
		{w.incident, w.threat}, {w.incident, w.host}, {w.host, w.threat},
		{w.task, w.threat}, {w.task, w.host}, {w.victim, w.threat},
	} {
		w.ok(s.Unlink(w.ctx, pair[0], pair[1]))
	}
	for _, r := range []threatconnect.Resource{w.incident, w.host, w.task} {
		w.ok(s.Link(w.ctx, r, w.victim), s.Unlink(w.ctx, r, w.victim))
	}
	w.ok(
		w.c.VictimAssets.Remove(w.ctx, w.victim, typ, assetID),
		w.c.Victims.Delete(w.ctx, w.victim.ID),
		w.c.Tasks.Delete(w.ctx, w.task.ID),
		w.c.Indicators.Delete(w.ctx, w.host),
		w.c.Groups.Delete(w.ctx, w.incident),
	)
}
