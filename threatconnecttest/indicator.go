package threatconnecttest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// indicator is one indicator of one owner, small enough to keep millions.
type indicator struct {
	id         int64
	owner      *owner
	typ        *indicatorType
	value      string // the canonical summary
	more       *metadata
	rare       *rareDetails
	added      int64 // unix seconds
	modified   int64 // moved by create, import, rating and confidence only
	rating     float32
	confidence int8
	flags      indicatorFlags
}

type indicatorFlags uint16

const (
	flagRated indicatorFlags = 1 << iota
	flagConfident
	flagInactive
	flagActiveLocked
	flagPrivate
	flagDNS
	flagWhois
	flagRemoved
)

func (i *indicator) has(f indicatorFlags) bool { return i.flags&f != 0 }

func (i *indicator) set(f indicatorFlags, on bool) {
	if on {
		i.flags |= f
	} else {
		i.flags &^= f
	}
}

// rareDetails is what few indicators have.
type rareDetails struct {
	size           int64
	xid            string
	dates          map[string]int64 // firstSeen, lastSeen, external...
	occurrences    []*occurrence
	observations   []observation
	falsePositives []falsePositive
	resolutions    []Resolution
	located        map[string]string // where an address is: the fields of the filters
	assessed       *ThreatAssess
}

// ThreatAssess is what the platform's analytics say about an indicator.
type ThreatAssess struct {
	Rating     float64 // 0 to 5
	Confidence float64 // 0 to 100
	Score      int     // 0 to 1000
	CALScore   int     // 0 to 1000
	CALStatus  int
}

// Resolution is one DNS resolution of a host.
type Resolution struct {
	Date      time.Time
	Addresses []string
}

func (i *indicator) details() *rareDetails {
	if i.rare == nil {
		i.rare = &rareDetails{}
	}
	return i.rare
}

// extra is what few indicators have, also of one that has nothing of it.
func (i *indicator) extra() rareDetails {
	if i.rare == nil {
		return rareDetails{}
	}
	return *i.rare
}

func (i *indicator) number() int64      { return i.id }
func (i *indicator) belongs() *owner    { return i.owner }
func (i *indicator) typeName() string   { return i.typ.Name }
func (i *indicator) hangers() *metadata { return i.more }
func (i *indicator) changed(int64)      {} // tags, attributes and labels do not move lastModified
func (i *indicator) metadata() *metadata {
	if i.more == nil {
		i.more = &metadata{}
	}
	return i.more
}

// IndicatorRecord is an indicator as tests see and seed it.
type IndicatorRecord struct {
	ID           int64 // set by the server
	Owner        string
	Type         string // as in lists: "Host", "Registry Key"
	Summary      string // the value; several values stand together with " : " between them
	Rating       *float64
	Confidence   *int
	Inactive     bool
	ActiveLocked bool
	Private      bool
	DNSActive    bool
	WhoisActive  bool
	Size         int64 // of a file
	XID          string
	DateAdded    time.Time // the server's clock when zero
	LastModified time.Time // DateAdded when zero
	Attributes   []AttributeRecord
	Tags         []string
	Labels       []string
	Groups       []string          // the xids of the associated groups
	Associated   []string          // associated indicators: "Address: 192.0.2.1"
	Occurrences  []Occurrence      // of a file
	Resolutions  []Resolution      // of a host
	Located      map[string]string // of an address: countryCode, countryName, city, state, organization, timezone, asn
	Assessed     *ThreatAssess     // derived from rating and confidence when nil

	Observations   int // how often it was observed
	FalsePositives int // how often it was reported as false positive
}

// AddIndicator puts an indicator into an owner, as an analyst would by hand, and returns it with its
// id and its canonical summary. A value that the platform would refuse is an error, and so is an
// indicator that is there.
func (s *Server) AddIndicator(r IndicatorRecord) (IndicatorRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Owner == "" {
		r.Owner = s.owners[0].Name
	}
	o, t := s.ownerByName(r.Owner), s.typeByName(r.Type)
	switch {
	case o == nil:
		return r, errors.New("threatconnecttest: there is no such owner")
	case t == nil:
		return r, fmt.Errorf("threatconnecttest: there is no indicator type %q", r.Type)
	}
	value, ok := t.read(r.Summary)
	if !ok {
		return r, fmt.Errorf("threatconnecttest: the summary is not a valid %s", t.Name)
	}
	if o.find(t, t.key(value)) != nil {
		return r, fmt.Errorf("threatconnecttest: the owner has this %s already", t.Name)
	}
	now := s.now().Unix()
	ind := &indicator{id: s.nextID(), owner: o, typ: t, value: value, added: now}
	if !r.DateAdded.IsZero() {
		ind.added = r.DateAdded.Unix()
	}
	ind.modified = ind.added
	if !r.LastModified.IsZero() {
		ind.modified = r.LastModified.Unix()
	}
	if r.Rating != nil {
		ind.rate(*r.Rating)
	}
	if r.Confidence != nil {
		ind.trust(*r.Confidence)
	}
	for f, on := range map[indicatorFlags]bool{flagInactive: r.Inactive, flagActiveLocked: r.ActiveLocked,
		flagPrivate: r.Private, flagDNS: r.DNSActive, flagWhois: r.WhoisActive} {
		ind.set(f, on)
	}
	if r.Size != 0 || r.XID != "" || r.Resolutions != nil || r.Located != nil || r.Assessed != nil {
		d := ind.details()
		d.size, d.xid, d.resolutions, d.located, d.assessed = r.Size, r.XID, r.Resolutions, r.Located, r.Assessed
	}
	for _, oc := range r.Occurrences {
		ind.details().occurrences = append(ind.details().occurrences, &occurrence{s.nextID(), oc})
	}
	if err := s.seed(ind, r.Attributes, r.Tags, r.Labels, now); err != nil {
		return r, err
	}
	for _, xid := range r.Groups {
		g := s.groupByXID[xid]
		if g == nil || g.owner != o {
			return r, errors.New("threatconnecttest: the owner has no group with this xid")
		}
		associate(ind, g, "")
	}
	o.add(ind)
	return ind.record(), nil
}

// rate sets the rating.
func (i *indicator) rate(v float64) {
	i.rating = float32(v)
	i.set(flagRated, true)
}

// trust sets the confidence.
func (i *indicator) trust(v int) {
	i.confidence = int8(v)
	i.set(flagConfident, true)
}

// key is what an indicator is found by: a file by one of its hashes, an email address in any case.
func (t *indicatorType) key(value string) string {
	switch t.Name {
	case "File":
		value, _, _ = strings.Cut(value, separator)
	case "EmailAddress":
		value = strings.ToLower(value)
	}
	return value
}

// keys are all keys of an indicator.
func (i *indicator) keys() []string {
	if i.typ.Name != "File" {
		return []string{i.typ.key(i.value)}
	}
	return strings.Split(i.value, separator)
}

// Indicators returns the indicators of an owner in the order in which they came.
func (s *Server) Indicators(owner string) []IndicatorRecord {
	defer s.view()()
	o := s.ownerByName(owner)
	if o == nil {
		return nil
	}
	all := make([]IndicatorRecord, 0, len(o.indicators)-o.removed)
	for _, ind := range o.indicators {
		if !ind.has(flagRemoved) {
			all = append(all, ind.record())
		}
	}
	return all
}

// Indicator returns one indicator of an owner; a file is found by any of its hashes.
func (s *Server) Indicator(owner, typeName, summary string) (IndicatorRecord, bool) {
	defer s.view()()
	o, t := s.ownerByName(owner), s.typeByName(typeName)
	if o == nil || t == nil {
		return IndicatorRecord{}, false
	}
	value, ok := t.read(summary)
	if !ok {
		return IndicatorRecord{}, false
	}
	ind := o.find(t, t.key(value))
	if ind == nil {
		return IndicatorRecord{}, false
	}
	return ind.record(), true
}

// Has reports whether an owner has an indicator, also on a server without contents, where a file
// is known by its summary only.
func (s *Server) Has(owner, typeName, summary string) bool {
	if _, ok := s.Indicator(owner, typeName, summary); ok {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, t := s.ownerByName(owner), s.typeByName(typeName)
	if o == nil || t == nil {
		return false
	}
	value, ok := t.read(summary)
	if !ok {
		return false
	}
	return o.hasPresence(t, value)
}

// IndicatorCount returns how many indicators an owner has.
func (s *Server) IndicatorCount(owner string) int {
	defer s.view()()
	if o := s.ownerByName(owner); o != nil {
		return o.size()
	}
	return 0
}

func (i *indicator) record() IndicatorRecord {
	r := IndicatorRecord{
		ID: i.id, Owner: i.owner.Name, Type: i.typ.Name, Summary: i.value,
		Inactive: i.has(flagInactive), ActiveLocked: i.has(flagActiveLocked), Private: i.has(flagPrivate),
		DNSActive: i.has(flagDNS), WhoisActive: i.has(flagWhois),
		DateAdded: time.Unix(i.added, 0).UTC(), LastModified: time.Unix(i.modified, 0).UTC(),
	}
	if i.has(flagRated) {
		r.Rating = new(i.score())
	}
	if i.has(flagConfident) {
		r.Confidence = new(int(i.confidence))
	}
	r.Attributes, r.Tags, r.Labels = i.more.records()
	for l := range links(i) {
		switch to := l.to(i).(type) {
		case *group:
			r.Groups = append(r.Groups, to.xid)
		case *indicator:
			r.Associated = append(r.Associated, to.typ.Name+": "+to.value)
		}
	}
	if d := i.rare; d != nil {
		r.Size, r.XID = d.size, d.xid
		r.Resolutions, r.Located, r.Assessed = slices.Clone(d.resolutions), d.located, d.assessed
		for _, o := range d.occurrences {
			r.Occurrences = append(r.Occurrences, o.Occurrence)
		}
		for _, o := range d.observations {
			r.Observations += o.count
		}
		r.FalsePositives = len(d.falsePositives)
	}
	return r
}

// score is the rating without the noise of a conversion: ratings have one or two decimals.
func (i *indicator) score() float64 { return float64(int(i.rating*100+0.5)) / 100 }
