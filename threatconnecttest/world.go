package threatconnecttest

import (
	"fmt"
	"slices"
)

// world contains all data of the instance. The server's lock guards it.
type world struct {
	owners         []*owner
	types          []*indicatorType
	attributeTypes []*AttributeType
	groupByID      map[int64]*group
	groupByXID     map[string]*group // xids are unique in the whole instance
	jobs           []*job            // in creation order, including those without an ID
	jobByID        map[int64]*job
	dueJobs        []*job // jobs that run by the clock, in the order of their completion times
	lastID         int64
	people
	signals

	bulk      map[*owner]*bulkReports
	datastore map[string]*dataType // by domain and data type
	logs      []LogRecord
	playbooks []*Playbook
	published []Publication
}

// newWorld returns the data of a new instance. The first owner is the API user's own organization.
func newWorld() *world {
	w := &world{
		lastID:         firstID,
		groupByID:      map[int64]*group{},
		groupByXID:     map[string]*group{},
		jobByID:        map[int64]*job{},
		types:          builtInTypes(),
		attributeTypes: builtInAttributeTypes(),
	}
	for _, o := range builtInOwners() {
		w.addOwner(o).builtIn = true
	}
	return w
}

// firstID is below all assigned IDs.
const firstID = 1000

// nextID assigns an ID.
func (w *world) nextID() int64 {
	w.lastID++
	return w.lastID
}

// reserve prevents IDs up to n from being assigned.
func (w *world) reserve(n int64) { w.lastID = max(w.lastID, n) }

// owner is an Owner with its content.
type owner struct {
	Owner
	builtIn    bool                    // predefined and unchanged
	indicators []*indicator            // in ID order, including removed ones
	removed    int                     // number of removed ones
	byKey      []map[string]*indicator // by type, then by key
	present    map[[16]byte]struct{}   // replaces indicators on servers without contents
	groups     []*group
	tags       []*tag
	tagByName  map[string]*tag
	labels     []*SecurityLabel
	deleted    []deletedIndicator
}

// addOwner adds an owner with a new name.
func (w *world) addOwner(o Owner) *owner {
	o.ID = int64(len(w.owners) + 1)
	made := &owner{
		Owner:     o,
		present:   map[[16]byte]struct{}{},
		tagByName: map[string]*tag{},
		labels:    tlpLabels(),
	}
	w.owners = append(w.owners, made)
	return made
}

func (w *world) ownerByName(name string) *owner {
	return first(w.owners, func(o *owner) bool { return o.Name == name })
}

func (w *world) ownerByID(id int64) *owner {
	if id < 1 || id > int64(len(w.owners)) {
		return nil
	}
	return w.owners[id-1]
}

// find returns the indicator that has one of the keys.
func (o *owner) find(t *indicatorType, key string) *indicator {
	if t.index >= len(o.byKey) {
		return nil
	}
	return o.byKey[t.index][key]
}

// add adds an indicator to the list and the index.
func (o *owner) add(ind *indicator) {
	n := len(o.indicators)
	if n > 0 && o.indicators[n-1].id > ind.id { // seeded with an ID
		n, _ = o.indicatorAt(ind.id)
	}
	o.indicators = slices.Insert(o.indicators, n, ind)
	o.reindex(ind)
}

// rename changes the summary of an indicator.
func (o *owner) rename(ind *indicator, value string) {
	o.unindex(ind)
	ind.value = value
	o.reindex(ind)
}

func (o *owner) reindex(ind *indicator) {
	for len(o.byKey) <= ind.typ.index {
		o.byKey = append(o.byKey, nil)
	}
	if o.byKey[ind.typ.index] == nil {
		o.byKey[ind.typ.index] = map[string]*indicator{}
	}
	for _, k := range ind.keys() {
		o.byKey[ind.typ.index][k] = ind
	}
}

func (o *owner) unindex(ind *indicator) {
	for _, k := range ind.keys() {
		delete(o.byKey[ind.typ.index], k)
	}
}

// drop removes an indicator and records its deletion.
func (o *owner) drop(ind *indicator, now int64) {
	o.unindex(ind)
	o.deleted = append(o.deleted, deletedIndicator{typ: ind.typ, value: ind.value, added: ind.added, at: now})
	detachAll(ind)
	ind.set(flagRemoved, true)
	o.removed++
	if o.removed > len(o.indicators)/2 {
		o.indicators = slices.DeleteFunc(o.indicators, func(i *indicator) bool { return i.has(flagRemoved) })
		o.removed = 0
	}
}

// size returns the number of indicators of the owner.
func (o *owner) size() int { return len(o.indicators) - o.removed + len(o.present) }

// detachAll removes the links and tags of an item that is deleted.
func detachAll(h holder) {
	dissociateAll(h)
	h.metadataOrNil().untagAll()
}

// createdBy is the creator of all data in responses.
const createdBy = "Example Integration"

// newGroup adds a group to an owner. It replaces an empty xid with a unique one.
func (w *world) newGroup(o *owner, t *groupType, name, xid string, now int64) *group {
	g := &group{owner: o, typ: t, name: name, xid: xid, added: now, modified: now}
	w.addGroup(g)
	return g
}

// addGroup adds a group to its owner and assigns a missing ID and xid.
func (w *world) addGroup(g *group) {
	g.createdBy = createdBy
	if g.id == 0 {
		g.id = w.nextID()
	}
	if g.xid == "" {
		g.xid = fmt.Sprintf("00000000-0000-4000-8000-%012x:%d", g.id, g.owner.ID)
	}
	g.owner.groups = append(g.owner.groups, g)
	w.groupByID[g.id] = g
	w.groupByXID[g.xid] = g
}

// renameGroup changes the xid of a group.
func (w *world) renameGroup(g *group, xid string) {
	delete(w.groupByXID, g.xid)
	g.xid = xid
	w.groupByXID[xid] = g
}

// dropGroup removes a group with its associations.
func (w *world) dropGroup(g *group) {
	detachAll(g)
	g.owner.groups = remove(g.owner.groups, g)
	delete(w.groupByID, g.id)
	delete(w.groupByXID, g.xid)
}

// addTask adds a task and assigns a missing ID.
func (w *world) addTask(t *task) {
	if t.id == 0 {
		t.id = w.nextID()
	}
	w.tasks = append(w.tasks, t)
}

// dropTask removes a task with its associations.
func (w *world) dropTask(t *task) {
	detachAll(t)
	w.tasks = remove(w.tasks, t)
}

// addVictim adds a victim and assigns a missing ID.
func (w *world) addVictim(v *victim) {
	if v.id == 0 {
		v.id = w.nextID()
	}
	w.victims = append(w.victims, v)
}

// dropVictim removes a victim with its associations and assets.
func (w *world) dropVictim(v *victim) {
	detachAll(v)
	w.victims = remove(w.victims, v)
}

// tagNamed returns a tag of the owner and creates it if necessary.
func (o *owner) tagNamed(name string, w *world) *tag {
	t := o.tagByName[name]
	if t == nil {
		t = &tag{id: w.nextID(), name: name, owner: o}
		o.tagByName[name] = t
		o.tags = append(o.tags, t)
	}
	return t
}

// forgetTags removes all tags after the first n, when the item that created them is refused.
func (o *owner) forgetTags(n int) {
	for _, t := range o.tags[n:] {
		delete(o.tagByName, t.name)
	}
	o.tags = slices.Delete(o.tags, n, len(o.tags))
}

func (t *tag) rename(name string) {
	delete(t.owner.tagByName, t.name)
	t.name = name
	t.owner.tagByName[name] = t
}

func (w *world) dropTag(t *tag) {
	w.eachMetadata(t.owner, func(m *metadata) { m.untag(t) })
	t.owner.tags = remove(t.owner.tags, t)
	delete(t.owner.tagByName, t.name)
}

// eachMetadata calls do with the metadata of every item of an owner.
func (w *world) eachMetadata(o *owner, do func(*metadata)) {
	for _, i := range o.indicators {
		if i.more != nil {
			do(i.more)
		}
	}
	for _, g := range o.groups {
		do(&g.meta)
	}
	for _, t := range w.tasks {
		if t.owner == o {
			do(&t.meta)
		}
	}
	for _, v := range w.victims {
		if v.owner == o {
			do(&v.meta)
		}
	}
}

// deletedIndicator records a deleted indicator.
type deletedIndicator struct {
	typ   *indicatorType
	value string
	added int64
	at    int64
}
