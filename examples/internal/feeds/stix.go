package feeds

import (
	"bufio"
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// stix reads STIX 2.0 and 2.1 bundles: one, or several that follow one another, as cat writes them.
// Several are read as one: an object can refer to objects of another bundle, and of several versions
// of an object the newest counts.
//
// The objects that describe threats become groups, whose xids come from the STIX ids, so that the
// next import of the same object finds its group again. Indicators become one indicator for each
// comparison of their pattern. Relationships, and what a report contains, become associations.
// No entry is yielded before all bundles have been read. If one of them is cut off, or followed by
// anything but another bundle and white space, the feed yields an error and no entries.
func stix(br *bufio.Reader, xid func(...string) string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		b := &bundle{xid: xid, byID: make(map[string]*stixObject), links: make(map[string][]string), labels: tlpMarkings()}
		stopped := false
		err := readBundles(br, func(o *stixObject, bad *LineError) bool {
			if bad != nil {
				stopped = !yield(Entry{}, bad)
				return !stopped
			}
			b.add(o)
			return true
		})
		if err != nil && !stopped {
			yield(Entry{}, err)
		}
		if err != nil || stopped {
			return
		}
		b.entries(yield)
	}
}

// bundle holds what is needed of all bundles of a feed until its end.
type bundle struct {
	xid     func(...string) string
	objects []*stixObject          // what entries are made of, in their order
	byID    map[string]*stixObject // everything that can be referred to, newest version
	related []relation
	links   map[string][]string // from the id of an object to the xids of its groups
	labels  map[string]string   // from the id of a marking to the name of its label, if it is one of the Traffic Light Protocol
}

// add keeps an object. Of several versions of one, the newest is kept, at the place of the first.
func (b *bundle) add(o *stixObject) {
	switch o.Type {
	case "relationship":
		b.related = append(b.related, relation{line: o.line, id: o.ID, source: o.Source, target: o.Target, revoked: o.Revoked})
		return
	case "marking-definition":
		if o.Definition.TLP != "" {
			b.labels[o.ID] = "TLP:" + strings.ToUpper(o.Definition.TLP)
		} else if strings.HasPrefix(o.Name, "TLP:") {
			b.labels[o.ID] = o.Name
		}
	}
	if old, ok := b.byID[o.ID]; ok && o.ID != "" {
		if o.Modified.After(old.Modified) {
			*old = *o
		}
		return
	}
	b.byID[o.ID] = o
	b.objects = append(b.objects, o)
}

// entries yields the groups, then the indicators, each with its associations.
func (b *bundle) entries(yield func(Entry, error) bool) {
	if !b.link(yield) {
		return
	}
	for _, o := range b.objects {
		g, err := b.group(o)
		switch {
		case err != nil:
			if !yield(Entry{}, refused(o.line, nameable(o.ID), err)) {
				return
			}
		case g != nil:
			if !yield(Entry{Line: o.line, Group: g}, nil) {
				return
			}
		}
	}
	for _, o := range b.objects {
		more := true
		switch {
		case o.Type == "indicator" && o.Revoked:
			more = yield(Entry{}, o.skip("is revoked"))
		case o.Type == "indicator":
			more = b.indicators(o, yield)
		case groupType(o.Type) != "" && o.Revoked:
			more = yield(Entry{}, o.skip("is revoked"))
		case groupType(o.Type) == "" && !isContext(o.Type):
			more = yield(Entry{}, o.skip("is of a type that is not imported"))
		}
		if !more {
			return
		}
	}
}

// isContext reports whether objects of a type only say something about the others.
func isContext(typ string) bool {
	return typ == "identity" || typ == "marking-definition" || typ == "extension-definition"
}

// skip is an object that is left out though nothing is wrong with it.
func (o *stixObject) skip(why string) *LineError {
	return &LineError{Line: o.line, Object: nameable(o.ID), Rule: why, Skip: true}
}

// nameable returns a STIX id as it may be shown, and "" for what is no such id.
func nameable(id string) string {
	typ, uuid, ok := strings.Cut(id, "--")
	plain := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) < 0
	}
	if !ok || len(uuid) != 36 || len(typ) > 50 || !plain(typ) || !plain(uuid) {
		return ""
	}
	return id
}

// indicators yields an indicator for every comparison of a pattern.
func (b *bundle) indicators(o *stixObject, yield func(Entry, error) bool) bool {
	refuse := func(err error) bool { return yield(Entry{}, refused(o.line, nameable(o.ID), err)) }
	if o.PatternType != "" && o.PatternType != "stix" {
		return refuse(errors.New("has a pattern of another language than STIX"))
	}
	common, err := b.common(o)
	if err != nil {
		return refuse(err)
	}
	found, bad := parsePattern(o.Pattern)
	for _, c := range found {
		ind, err := c.indicator()
		if err != nil {
			bad = append(bad, err)
			continue
		}
		common.onto(ind.Meta())
		m := ind.Meta()
		m.GroupXIDs = slices.Clone(b.links[o.ID])
		m.Confidence, m.ExternalDateExpires = o.Confidence, o.ValidUntil
		if !yield(Entry{Line: o.line, Indicator: ind}, nil) {
			return false
		}
	}
	for _, err := range bad {
		if !refuse(err) {
			return false
		}
	}
	return true
}

// details are what indicators and groups of a bundle have in common.
type details struct {
	o          *stixObject
	tags       []threatconnect.Tag
	attributes []threatconnect.Attribute
	labels     []threatconnect.SecurityLabel
}

func (d *details) onto(m *threatconnect.IndicatorMeta) {
	m.Tags, m.Attributes, m.SecurityLabels = slices.Clone(d.tags), slices.Clone(d.attributes), slices.Clone(d.labels)
	m.ExternalDateAdded, m.ExternalLastModified = d.o.Created, d.o.Modified
}

// common reads description, tags and markings of an object. Labels, indicator types and phases of a
// kill chain become tags, in words.
func (b *bundle) common(o *stixObject) (*details, error) {
	d := &details{o: o}
	var names []string
	add := func(name string) {
		if name != "" && name != "unknown" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, l := range slices.Concat(o.Labels, o.IndicatorTypes) {
		add(l)
	}
	for _, k := range o.KillChain {
		add(strings.ReplaceAll(k.Phase, "-", " "))
	}
	var err error
	if d.tags, err = tagsOf(names); err != nil {
		return nil, err
	}
	if o.Description != "" {
		d.attributes = append(d.attributes, text("Description", o.Description))
	}
	for _, r := range o.References {
		if r.URL != "" {
			d.attributes = append(d.attributes, text("Source", r.URL))
			break // one is displayed; the rest are in the description of most bundles
		}
	}
	for _, id := range o.Markings {
		if l, ok := tlpLabel(b.labels[id]); ok {
			d.labels = append(d.labels, l)
		}
	}
	return d, nil
}

// group makes the group that an object becomes; nil when it becomes none.
func (b *bundle) group(o *stixObject) (threatconnect.Group, error) {
	t := groupType(o.Type)
	if t == "" || o.Revoked {
		return nil, nil
	}
	common, err := b.common(o)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSpace(o.Name)
	if short := shortened(name); short != name {
		full := name
		if o.Description != "" {
			full += "\n\n" + o.Description
		}
		common.attributes = slices.DeleteFunc(common.attributes, func(a threatconnect.Attribute) bool { return a.Type == "Description" })
		common.attributes = append(common.attributes, text("Description", full))
		name = short
	}
	if name, err = ioc.CanonicalGroupName(name); err != nil {
		return nil, err
	}
	var g threatconnect.Group
	if t == threatconnect.GroupReport {
		r := threatconnect.NewReport(name, o.ID+".json")
		r.PublishDate = o.Published
		g = r
	} else {
		g = plainGroup(t, name)
	}
	m := g.Meta()
	m.XID = b.xid("stix", o.ID)
	m.Tags, m.Attributes, m.SecurityLabels = common.tags, common.attributes, common.labels
	m.FirstSeen, m.LastSeen = o.FirstSeen, o.LastSeen
	m.ExternalDateAdded, m.ExternalLastModified = o.Created, o.Modified
	m.GroupXIDs = b.links[o.ID]
	return g, nil
}

// groupType returns the type of group that a type of objects becomes, or "".
func groupType(typ string) threatconnect.GroupType {
	switch typ {
	case "malware":
		return threatconnect.GroupMalware
	case "campaign":
		return threatconnect.GroupCampaign
	case "threat-actor":
		return threatconnect.GroupAdversary
	case "intrusion-set":
		return threatconnect.GroupIntrusionSet
	case "attack-pattern":
		return threatconnect.GroupAttackPattern
	case "report":
		return threatconnect.GroupReport
	case "tool":
		return threatconnect.GroupTool
	case "vulnerability":
		return threatconnect.GroupVulnerability
	case "course-of-action":
		return threatconnect.GroupCourseOfAction
	case "x-mitre-tactic":
		return threatconnect.GroupTactic
	}
	return ""
}

// shortened cuts a name to what a group's name can hold. Titles of reports are often longer; the
// whole of it then begins the description.
func shortened(name string) string {
	const most = 100
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	runes := []rune(name)
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}
