package threatconnecttest

import (
	"maps"
	"slices"
)

// Snapshot is an immutable copy of a server's data. It can be restored any number of times, also to
// another server with the same options.
type Snapshot struct{ world *world }

// Snapshot copies the data of the server: everything that requests and [Server.Seed] can change,
// including batch jobs. It does not include the request log, faults, oddities, handlers, the clock
// and tokens. A snapshot of a million indicators takes seconds and as much memory as the
// indicators.
func (s *Server) Snapshot() *Snapshot {
	defer s.view()()
	return &Snapshot{s.world.clone()}
}

// Restore replaces the server's data with a snapshot. IDs assigned since the snapshot are assigned
// again.
func (s *Server) Restore(from *Snapshot) {
	w := from.world.clone() // needs no lock: snapshots are immutable
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world = w
}

// cloning maps originals to the copies made so far. Types and contents that never change in place
// are not copied.
type cloning struct {
	attributeTypes map[*AttributeType]*AttributeType
	owners         map[*owner]*owner
	tags           map[*tag]*tag
	labels         map[*SecurityLabel]*SecurityLabel
	assets         map[*asset]*asset
	jobs           map[*job]*job
	holders        map[holder]holder // items with links
	links          map[*link]*link
}

// cloned copies the elements of a slice and records them in made if it is not nil. fill copies the
// parts of an element.
func cloned[T any](all []*T, made map[*T]*T, fill func(*T)) []*T {
	if all == nil {
		return nil
	}
	copies := make([]*T, len(all))
	for n, e := range all {
		c := new(*e)
		if fill != nil {
			fill(c)
		}
		if made != nil {
			made[e] = c
		}
		copies[n] = c
	}
	return copies
}

// mapped returns the copies of the elements of a slice.
func mapped[T any](all []*T, made map[*T]*T) []*T {
	copies := slices.Clone(all)
	for n, e := range all {
		copies[n] = made[e]
	}
	return copies
}

// clone returns a copy that shares no mutable data.
func (w *world) clone() *world {
	c := &cloning{
		attributeTypes: map[*AttributeType]*AttributeType{}, owners: map[*owner]*owner{}, tags: map[*tag]*tag{},
		labels: map[*SecurityLabel]*SecurityLabel{}, assets: map[*asset]*asset{}, jobs: map[*job]*job{},
		holders: map[holder]holder{}, links: map[*link]*link{},
	}
	n := new(*w)
	n.types = slices.Clone(w.types)
	n.attributeTypes = cloned(w.attributeTypes, c.attributeTypes, func(t *AttributeType) { *t = t.clone() })
	n.groupByID, n.groupByXID = map[int64]*group{}, map[string]*group{}
	n.owners = nil
	for _, o := range w.owners {
		n.owners = append(n.owners, c.owner(o, n))
	}
	n.tasks, n.victims = nil, nil
	for _, t := range w.tasks {
		m := new(*t)
		m.owner, m.assignees, m.escalatees = c.owners[t.owner], slices.Clone(t.assignees), slices.Clone(t.escalatees)
		m.meta = *c.metadata(t, m, &t.meta)
		n.tasks = append(n.tasks, m)
	}
	for _, v := range w.victims {
		m := new(*v)
		m.owner, m.fields, m.assets = c.owners[v.owner], maps.Clone(v.fields), c.assetsOf(v.assets)
		m.meta = *c.metadata(v, m, &v.meta)
		n.victims = append(n.victims, m)
	}
	for h := range c.holders {
		c.linksOf(h)
	}
	n.jobs = cloned(w.jobs, c.jobs, func(j *job) {
		j.config.owner = c.owners[j.config.owner]
		j.counts.success, j.counts.errors = maps.Clone(j.counts.success), maps.Clone(j.counts.errors)
		j.errors = slices.Clone(j.errors)
	})
	n.dueJobs = mapped(w.dueJobs, c.jobs)
	n.jobByID = maps.Clone(w.jobByID)
	for id, j := range n.jobByID {
		n.jobByID[id] = c.jobs[j]
	}
	n.customMetrics = cloned(w.customMetrics, nil, func(m *metric) { m.points = slices.Clone(m.points) })
	n.notifications = slices.Clone(w.notifications)
	for i := range n.notifications {
		n.notifications[i].Recipients = slices.Clone(n.notifications[i].Recipients)
	}
	n.bulk = nil
	for o, b := range w.bulk {
		if n.bulk == nil {
			n.bulk = map[*owner]*bulkReports{}
		}
		n.bulk[c.owners[o]] = new(*b)
	}
	n.datastore = maps.Clone(w.datastore)
	for name, t := range n.datastore {
		t = new(*t)
		t.records = cloned(t.records, nil, nil)
		n.datastore[name] = t
	}
	n.logs = slices.Clone(w.logs)
	n.playbooks = cloned(w.playbooks, nil, func(p *Playbook) { p.Labels = slices.Clone(p.Labels) })
	n.published = slices.Clone(w.published)
	for i := range n.published {
		n.published[i].ExcludeLabels = slices.Clone(n.published[i].ExcludeLabels)
	}
	return n
}

// owner copies an owner with its content, except for the links, and adds its groups to the indexes
// of w.
func (c *cloning) owner(o *owner, w *world) *owner {
	n := new(*o)
	c.owners[o] = n
	n.Members, n.Denied = slices.Clone(o.Members), slices.Clone(o.Denied)
	n.present, n.deleted = maps.Clone(o.present), slices.Clone(o.deleted)
	n.labels = cloned(o.labels, c.labels, nil)
	n.tags = cloned(o.tags, c.tags, func(t *tag) { t.owner = n })
	n.tagByName = make(map[string]*tag, len(n.tags))
	for _, t := range n.tags {
		n.tagByName[t.name] = t
	}
	n.indicators, n.byKey = make([]*indicator, 0, len(o.indicators)), nil
	for _, i := range o.indicators {
		m := new(*i)
		m.owner, m.more, m.rest = n, c.metadata(i, m, i.more), i.rest.clone()
		n.indicators = append(n.indicators, m)
		if !m.has(flagRemoved) {
			n.reindex(m)
		}
	}
	n.groups = nil
	for _, g := range o.groups {
		m := new(*g)
		m.owner, m.values, m.assets = n, maps.Clone(g.values), c.assetsOf(g.assets)
		m.meta = *c.metadata(g, m, &g.meta)
		n.groups = append(n.groups, m)
		w.groupByID[m.id], w.groupByXID[m.xid] = m, m
	}
	return n
}

// clone copies the details that few indicators have.
func (r *rest) clone() *rest {
	if r == nil {
		return nil
	}
	r = new(*r)
	if r.rare == nil {
		return r
	}
	d := new(*r.rare)
	d.occurrences = cloned(d.occurrences, nil, nil)
	d.observations, d.falsePositives = slices.Clone(d.observations), slices.Clone(d.falsePositives)
	d.resolutions, d.location = slices.Clone(d.resolutions), maps.Clone(d.location)
	for n := range d.resolutions {
		d.resolutions[n].Addresses = slices.Clone(d.resolutions[n].Addresses)
	}
	if d.assessed != nil {
		d.assessed = new(*d.assessed)
	}
	r.rare = d
	return r
}

// assetsOf copies the assets of a victim or an adversary.
func (c *cloning) assetsOf(all []*asset) []*asset {
	return cloned(all, c.assets, func(a *asset) { a.values = slices.Clone(a.values) })
}

// metadata copies the metadata of h for its copy made, except for the links.
func (c *cloning) metadata(h, made holder, m *metadata) *metadata {
	if m == nil {
		return nil
	}
	if m.links.head != nil {
		c.holders[h] = made
	}
	return &metadata{
		attributes: cloned(m.attributes, nil, func(a *attribute) {
			a.typ, a.labels = c.attributeTypes[a.typ], mapped(a.labels, c.labels)
		}),
		tags:   mapped(m.tags, c.tags),
		labels: mapped(m.labels, c.labels),
	}
}

// linksOf copies the links of h to its copy, in order.
func (c *cloning) linksOf(h holder) {
	list := &c.holders[h].metadata().links
	for l := range links(h) {
		n := c.links[l]
		if n == nil {
			n = &link{label: l.label, without: mapped(l.without, c.assets)}
			for side, end := range l.ends {
				n.ends[side] = c.holders[end]
			}
			c.links[l] = n
		}
		list.append(n, l.side(h))
	}
}
