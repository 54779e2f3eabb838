package threatconnecttest

import (
	"errors"
	"fmt"
	"slices"
)

// Check returns an error that lists all inconsistencies in the server's data, such as an item
// missing from an index, a link that only one of its ends has, or a wrong count. It returns nil if
// there are none. An error is a defect of this package, not of the client under test. The time that
// Check takes grows with the data.
func (s *Server) Check() error {
	defer s.view()()
	return s.check()
}

func (w *world) check() error {
	a := &audit{world: w, ids: map[int64]string{}, alive: map[holder]bool{}, halves: map[*link][2]bool{}, tagged: map[*tag]int{}}
	for n, o := range w.owners {
		a.require(o.ID == int64(n+1), "the owner %q has the id %d", o.Name, o.ID)
		a.indicators(o)
		a.groups(o)
		a.tags(o)
	}
	groups := 0
	for _, o := range w.owners {
		groups += len(o.groups)
	}
	a.require(len(w.groupByID) == groups && len(w.groupByXID) == groups, "there are %d groups, but %d ids and %d xids of groups",
		groups, len(w.groupByID), len(w.groupByXID))
	a.people()
	for h := range a.alive {
		a.links(h)
		a.metadata(h)
	}
	a.counts()
	a.allJobs()
	return errors.Join(a.wrong...)
}

// audit collects inconsistencies in a world.
type audit struct {
	*world
	wrong  []error
	ids    map[int64]string // kinds of items by ID
	alive  map[holder]bool
	halves map[*link][2]bool // the ends that have a link in their lists
	tagged map[*tag]int      // number of items with a tag
}

// require records an inconsistency unless ok. Items among args are formatted as type and value or
// ID.
func (a *audit) require(ok bool, format string, args ...any) {
	if ok {
		return
	}
	args = slices.Clone(args)
	for n, arg := range args {
		switch h := arg.(type) {
		case *indicator:
			args[n] = fmt.Sprintf("%s %q", h.typ.Name, h.value)
		case holder:
			args[n] = fmt.Sprintf("%s %d", h.typeName(), h.number())
		}
	}
	a.wrong = append(a.wrong, fmt.Errorf("threatconnecttest: "+format, args...))
}

// id checks that an ID was assigned, and only once.
func (a *audit) id(n int64, kind string) {
	a.require(n > 0 && n <= a.lastID, "the id %d of a %s was never given out", n, kind)
	a.require(a.ids[n] == "", "the id %d of a %s belongs to a %s, too", n, kind, a.ids[n])
	a.ids[n] = kind
}

func (a *audit) exists(h holder) {
	a.id(h.number(), h.typeName())
	a.alive[h] = true
}

// indicators checks the list and the index of an owner's indicators.
func (a *audit) indicators(o *owner) {
	removed, keys, indexed := 0, 0, 0
	for n, i := range o.indicators {
		a.require(n == 0 || o.indicators[n-1].id < i.id, "the indicators of %q are not in the order of their ids at %d", o.Name, i.id)
		a.require(i.owner == o, "the %s is in the list of another owner", i)
		if i.has(flagRemoved) {
			removed++
			a.require(firstLink(i) == nil, "the deleted %s has a link", i)
			continue
		}
		a.exists(i)
		value, ok := i.typ.read(i.value)
		a.require(ok && value == i.value, "the %s is not canonical", i)
		for _, k := range i.keys() {
			a.require(o.find(i.typ, k) == i, "the %s is not found by %q", i, k)
			keys++
		}
		for _, oc := range i.extra().occurrences {
			a.id(oc.id, "file occurrence")
		}
	}
	for _, index := range o.byKey {
		indexed += len(index)
	}
	a.require(keys == indexed, "the indicators of %q have %d keys, but %d are in the index", o.Name, keys, indexed)
	a.require(removed == o.removed, "%d indicators of %q are deleted, but %d are counted", removed, o.Name, o.removed)
}

func (a *audit) groups(o *owner) {
	for _, g := range o.groups {
		a.exists(g)
		a.assets(g)
		a.require(g.owner == o, "the %s is in the list of another owner", g)
		a.require(a.groupByID[g.id] == g, "the %s is not found by its id", g)
		a.require(a.groupByXID[g.xid] == g, "the %s is not found by its xid %q", g, g.xid)
	}
}

func (a *audit) tags(o *owner) {
	for _, t := range o.tags {
		a.id(t.id, "tag")
		a.require(t.owner == o, "the tag %q is in the list of another owner", t.name)
		a.require(o.tagByName[t.name] == t, "the tag %q is not found by its name", t.name)
	}
	a.require(len(o.tags) == len(o.tagByName), "%q has %d tags, but %d names of tags", o.Name, len(o.tags), len(o.tagByName))
	for n, l := range o.labels {
		a.require(o.label(l.Name) == o.labels[n], "%q has two labels %q", o.Name, l.Name)
	}
}

func (a *audit) people() {
	for _, t := range a.tasks {
		a.exists(t)
	}
	for _, v := range a.victims {
		a.exists(v)
		a.assets(v)
	}
}

func (a *audit) assets(o assetOwner) {
	for _, e := range *o.assetList() {
		a.id(e.id, "asset")
		a.require(len(e.values) == len(e.kind.fields), "the asset %d has %d values", e.id, len(e.values))
	}
}

// links checks the links of an item. counts compares both ends.
func (a *audit) links(h holder) {
	var before *link
	for l := firstLink(h); l != nil; l = l.next[l.side(h)] {
		side, halves := l.side(h), a.halves[l]
		a.require(l.ends[side] == h, "the %s has a link of others in its list", h)
		a.require(!halves[side], "the %s has a link twice in its list", h)
		a.require(l.prev[side] == before, "the links of the %s do not lead back", h)
		if l.ends[side] != h || halves[side] {
			return // the list may be circular
		}
		halves[side], before = true, l
		a.halves[l] = halves
		to := l.to(h)
		a.require(to != h, "the %s is linked with itself", h)
		a.require(a.alive[to], "the %s is linked with the deleted %s", h, to)
		a.require(to.belongs() == h.belongs(), "the %s is linked with the %s of another owner", h, to)
		a.require(side == 1 || associatedAs(h, to, l.label) == l, "the %s is linked twice with the %s", h, to)
		if v, ok := to.(*victim); ok {
			for _, e := range l.without {
				a.require(slices.Contains(v.assets, e), "the %s leaves out a deleted asset", h)
			}
		}
	}
	if m := h.metadataOrNil(); m != nil {
		a.require(m.links.tail == before, "the links of the %s do not end with the last one", h)
	}
}

// metadata checks the attributes, tags and labels of an item.
func (a *audit) metadata(h holder) {
	m := h.metadataOrNil()
	if m == nil {
		return
	}
	displayed := map[*AttributeType]bool{}
	for _, at := range m.attributes {
		a.id(at.id, "attribute")
		if at.displayed {
			a.require(!displayed[at.typ], "the %s displays two attributes of the type %s", h, at.typ.Name)
			displayed[at.typ] = true
		}
		a.labels(h, at.labels)
	}
	a.labels(h, m.labels)
	once := map[*tag]bool{}
	for _, t := range m.tags {
		a.require(h.belongs().tagByName[t.name] == t, "the %s has the deleted tag %q", h, t.name)
		a.require(!once[t], "the %s has the tag %q twice", h, t.name)
		once[t] = true
		a.tagged[t]++
	}
}

func (a *audit) labels(h holder, all []*SecurityLabel) {
	for n, l := range all {
		a.require(slices.Contains(h.belongs().labels, l), "the %s has the deleted label %q", h, l.Name)
		a.require(slices.Index(all, l) == n, "the %s has the label %q twice", h, l.Name)
	}
}

// counts checks the links and tags seen at the items.
func (a *audit) counts() {
	for l, halves := range a.halves {
		a.require(halves == [2]bool{true, true}, "the %s does not know its link with the %s", l.ends[0], l.ends[1])
	}
	for _, o := range a.owners {
		for _, t := range o.tags {
			a.require(t.uses == a.tagged[t], "the tag %q is used %d times, but %d are counted", t.name, a.tagged[t], t.uses)
		}
	}
}

// allJobs checks the lists of jobs.
func (a *audit) allJobs() {
	numbered, waiting := int64(0), 0
	for _, j := range a.jobs {
		if !j.synchronous {
			numbered++
			a.require(j.id == numbered && a.jobByID[j.id] == j, "the job %d is not found by its id", j.id)
		}
		if j.status == jobQueued && j.wanted == 0 {
			waiting++
			a.require(slices.Contains(a.dueJobs, j), "the job %d will not be run", j.id)
		}
		a.require(j.status != jobCompleted || j.content == nil, "the job %d is completed, but its content is there", j.id)
		a.require(sum(j.counts.errors) == len(j.errors), "the job %d has %d errors, but %d are counted", j.id, len(j.errors), sum(j.counts.errors))
	}
	a.require(len(a.jobByID) == int(numbered), "there are %d jobs with an id, but %d ids of jobs", numbered, len(a.jobByID))
	a.require(len(a.dueJobs) == waiting, "%d jobs wait for their time, but %d are to be run", waiting, len(a.dueJobs))
	a.require(slices.IsSortedFunc(a.dueJobs, func(a, b *job) int { return a.due().Compare(b.due()) }),
		"the jobs that wait for their time are not in the order in which it is over")
}
