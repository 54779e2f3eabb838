package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Record is a piece of data that [Server.Seed], [Server.Update] and [Server.Delete] take: a pointer
// to one of the exported record types of this package, such as [*IndicatorRecord] or [*Owner].
type Record interface {
	// title names the record in errors.
	title() string
	// wantedID is the id that the record asks for; 0 for none.
	wantedID() int64
	seed(*seeder) error
	update(*seeder) error
	remove(*seeder) error
}

// seeder is what records are put in with. The server's lock is held.
type seeder struct {
	*world
	*settings
	now   time.Time
	given int64          // the last id that was given out before
	used  map[int64]bool // the ids that records of the call have
}

// Seed adds records in order and fills in the fields that the server sets: ids, xids, dates and the
// canonical form of values. An ID that is not 0 is kept if no record has it and the server cannot
// have given it out. Dates are kept to the second.
//
// Seed stops at the first record that the platform would refuse or could not show again, which
// leaves no trace. The error names its index, its kind, its field and the rule. Records before it
// stay.
//
// An [Owner], [IndicatorType], [AttributeType] or [SecurityLabel] that is there with the same fields
// is no error, and one that every instance starts with is changed to the record.
func (s *Server) Seed(records ...Record) error {
	defer s.view()()
	sd := &seeder{world: s.world, settings: &s.settings, now: s.now(), given: s.lastID}
	for _, r := range records {
		if !isNil(r) {
			s.reserve(r.wantedID())
		}
	}
	return sd.each("seed", records, Record.seed)
}

// Update replaces existing records by the given ones, in their order, with every field, tag,
// attribute, label and association. Records are found by ID, or by xid, or by type and summary or
// name. Read a record, change it and hand it to Update. It moves dates as a request would, unless
// the record has another date than before. A missing [Association] is added, so that Update accepts
// all records of [Server.Data].
//
// Update stops at the first record that is not there or that Seed would refuse, which changes
// nothing. Records before it stay changed.
func (s *Server) Update(records ...Record) error {
	defer s.view()()
	return (&seeder{world: s.world, settings: &s.settings, now: s.now()}).each("update", records, Record.update)
}

// Delete deletes the records in their order, as requests would. Records are found as
// by [Server.Update]; their other fields do not matter. Delete stops at the first record that is not
// there or that cannot be deleted, such as an owner.
func (s *Server) Delete(records ...Record) error {
	defer s.view()()
	return (&seeder{world: s.world, settings: &s.settings, now: s.now()}).each("delete", records, Record.remove)
}

func (s *seeder) each(verb string, records []Record, do func(Record, *seeder) error) error {
	for n, r := range records {
		if isNil(r) {
			return fmt.Errorf("threatconnecttest: %s: record %d is nil", verb, n)
		}
		var err error
		if verb != "delete" {
			err = checkJSON("", reflect.ValueOf(r))
		}
		if err == nil {
			err = do(r, s)
		}
		if err != nil {
			kind := strings.TrimPrefix(fmt.Sprintf("%T", r), "*threatconnecttest.")
			return fmt.Errorf("threatconnecttest: %s: record %d, %s %q: %w", verb, n, kind, r.title(), err)
		}
	}
	return nil
}

// titled names a record by its type, if it has one, and its name.
func titled(typeName, name string) string {
	if typeName == "" {
		return name
	}
	return typeName + ": " + name
}

func isNil(r Record) bool { return r == nil || reflect.ValueOf(r).IsNil() }

// refusal is why a record is refused.
type refusal struct{ field, rule string }

func (r *refusal) Error() string { return r.field + ": " + r.rule }

func refuse(field, rule string) error { return &refusal{field, rule} }

// platformSays turns a sentence of the platform, "The rating for this Host is invalid ...", into an
// error that names the field of the record. An empty sentence is no error.
func platformSays(msg, field string) error {
	if msg == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(msg, "The "); ok && field == "" {
		field, _, _ = strings.Cut(rest, " for this ")
		if name, ok := goNames[field]; ok {
			field = name
		} else {
			field = strings.ToUpper(field[:1]) + field[1:]
		}
	}
	return refuse(field, msg)
}

// goNames are the fields of records whose names differ from the platform's.
var goNames = map[string]string{
	"activeLocked": "ActiveLocked", "privateFlag": "Private", "dnsActive": "DNSActive", "whoisActive": "WhoisActive",
	"assignee": "Assignees", "escalatee": "Escalatees",
}

// checkID refuses an id that something has or had.
func (s *seeder) checkID(id int64) error {
	switch {
	case id == 0:
		return nil
	case id < 0 || s.used[id] || id <= s.given && (id > firstID || s.hasSmallID(id)):
		return refuse("ID", "is taken: leave it 0")
	case s.used == nil:
		s.used = map[int64]bool{}
	}
	s.used[id] = true
	return nil
}

// hasSmallID reports whether something has or had an id that the server never gives out.
func (s *seeder) hasSmallID(id int64) bool {
	for _, o := range s.owners {
		_, had := o.indicatorAt(id)
		if had || slices.ContainsFunc(o.tags, func(t *tag) bool { return t.id == id }) {
			return true
		}
	}
	return s.groupByID[id] != nil || s.taskByID(id) != nil || s.victimByID(id) != nil ||
		slices.ContainsFunc(s.playbooks, func(p *Playbook) bool { return p.ID == id }) ||
		slices.ContainsFunc(s.customMetrics, func(m *metric) bool { return m.id == id })
}

// request is a request to create something, for the readers of the handlers. It is never answered.
func (s *seeder) request(body map[string]any) (*call, fields) {
	b, _ := json.Marshal(body) // of texts, booleans and lists of them
	f, _ := readFields(b)
	return &call{world: s.world, settings: s.settings, req: &http.Request{Method: http.MethodPost}, body: b, now: s.now}, f
}

// job is a batch job that appends to an owner, for the readers of batch files.
func (s *seeder) job(o *owner) *batchRun {
	return &batchRun{world: s.world, set: s.settings, now: s.now.Unix(), config: batchConfig{
		version: "V2", owner: o, action: "Create", attributes: "Append", tags: "Append", labels: "Append",
	}}
}

// ownerOf is the owner that a record names: the API user's organization when it names none.
func (s *seeder) ownerOf(name string) (*owner, error) {
	if name == "" {
		return s.owners[0], nil
	}
	if o := s.ownerByName(name); o != nil {
		return o, nil
	}
	return nil, refuse("Owner", fmt.Sprintf("there is no owner %q: seed it first", name))
}

// stored is the time of a record in seconds since 1970, or another one when it is zero.
func stored(t time.Time, otherwise int64) int64 {
	if t.IsZero() {
		return otherwise
	}
	return t.Unix()
}

// moved is the time of the last change after an update: as the record says when it says another one
// than before, now when the change counts, and as before otherwise.
func moved(before int64, says time.Time, counts bool, now int64) int64 {
	switch {
	case !says.IsZero() && says.Unix() != before:
		return says.Unix()
	case counts:
		return now
	}
	return before
}
