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

// Record is data for [Server.Seed], [Server.Update] and [Server.Delete]: a pointer to an exported
// record type of this package, such as [*IndicatorRecord] or [*Owner].
type Record interface {
	// title names the record in errors.
	title() string
	// wantedID returns the requested ID, or 0.
	wantedID() int64
	seed(*seeder) error
	update(*seeder) error
	remove(*seeder) error
}

// seeder is the context in which records are stored. The server's lock is held.
type seeder struct {
	*world
	*settings
	now   time.Time
	given int64          // last ID assigned before the call
	used  map[int64]bool // IDs of the records of the call
}

// Seed adds records in order and sets the fields that the server chooses: IDs, xids, dates and the
// canonical form of values. A nonzero ID is kept if no record has it and the server cannot have
// assigned it. Dates are truncated to seconds.
//
// Seed stops at the first record that the platform would refuse or could not return unchanged. It
// adds the records before it and nothing of the invalid one. The error contains the index and kind
// of the record, the field and the rule.
//
// An [Owner], [IndicatorType], [AttributeType] or [SecurityLabel] that already exists with the same
// fields is not an error. If it exists with other fields and is predefined, Seed changes it.
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

// Update replaces existing records in order, with every field, tag, attribute, label and
// association. A record is identified by ID, by xid, or by type and summary or name. To change a
// record, read it, modify it and pass it to Update. Update adjusts dates as a request would, unless
// the record has a new date. It adds a missing [Association], so it accepts all records of
// [Server.Data].
//
// Update stops at the first record that does not exist or that [Server.Seed] would refuse. That
// record is not changed. The records before it remain changed.
func (s *Server) Update(records ...Record) error {
	defer s.view()()
	return (&seeder{world: s.world, settings: &s.settings, now: s.now()}).each("update", records, Record.update)
}

// Delete deletes records in order, as requests would. Records are identified as in [Server.Update];
// their other fields are ignored. Delete stops at the first record that does not exist or cannot be
// deleted, such as an owner.
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

// removeFound removes the item of a record.
func removeFound[T any](s *seeder, find func(*seeder) (T, error), remove func(T)) error {
	found, err := find(s)
	if err == nil {
		remove(found)
	}
	return err
}

// titled combines the type, if any, and the name of a record.
func titled(typeName, name string) string {
	if typeName == "" {
		return name
	}
	return typeName + ": " + name
}

func isNil(r Record) bool { return r == nil || reflect.ValueOf(r).IsNil() }

// refusal is the reason why a record is refused.
type refusal struct{ field, rule string }

func (r *refusal) Error() string { return r.field + ": " + r.rule }

func refuse(field, rule string) error { return &refusal{field, rule} }

// platformSays turns a message of the platform, such as "The rating for this Host is invalid ...",
// into an error that names the field of the record. It returns nil for an empty message.
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

// goNames maps the platform's field names to those of records, if they differ.
var goNames = map[string]string{
	"activeLocked": "ActiveLocked", "privateFlag": "Private", "dnsActive": "DNSActive", "whoisActive": "WhoisActive",
	"assignee": "Assignees", "escalatee": "Escalatees",
}

// checkID refuses an ID that an item has or had.
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

// hasSmallID reports whether an item has or had an ID below those that the server assigns.
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

// request returns a create request for the handlers' parsers. It is never answered.
func (s *seeder) request(body map[string]any) (*call, fields) {
	b, _ := json.Marshal(body) // cannot fail: texts, booleans and lists of them
	f, _ := readFields(b)
	return &call{world: s.world, settings: s.settings, req: &http.Request{Method: http.MethodPost}, body: b, now: s.now}, f
}

// job returns a batch job that appends to an owner, for the parsers of batch files.
func (s *seeder) job(o *owner) *batchRun {
	return &batchRun{world: s.world, set: s.settings, now: s.now.Unix(), config: batchConfig{
		version: "V2", owner: o, action: "Create", attributes: "Append", tags: "Append", labels: "Append",
	}}
}

// placeFor returns the owner of a new record. It refuses an ID that is taken.
func (s *seeder) placeFor(ownerName string, id int64) (*owner, error) {
	o, err := s.ownerOf(ownerName)
	if err == nil {
		err = s.checkID(id)
	}
	return o, err
}

// ownerOf returns the owner with the given name, or the API user's organization if the name is
// empty.
func (s *seeder) ownerOf(name string) (*owner, error) {
	if name == "" {
		return s.owners[0], nil
	}
	if o := s.ownerByName(name); o != nil {
		return o, nil
	}
	return nil, refuse("Owner", fmt.Sprintf("there is no owner %q: seed it first", name))
}

// stored returns t in seconds since 1970, or the value of otherwise if t is zero.
func stored(t time.Time, otherwise int64) int64 {
	if t.IsZero() {
		return otherwise
	}
	return t.Unix()
}

// moved returns the modification time after an update: the time of the record if it differs from
// before, now if the change counts, or else before.
func moved(before int64, says time.Time, counts bool, now int64) int64 {
	switch {
	case !says.IsZero() && says.Unix() != before:
		return says.Unix()
	case counts:
		return now
	}
	return before
}
