package threatconnecttest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// IndicatorRecord is an indicator for seeding and assertions.
type IndicatorRecord struct {
	ID           int64             `json:"id,omitzero"`      // chosen by the server if 0
	Owner        string            `json:"owner,omitzero"`   // the API user's organization if empty
	Type         string            `json:"type,omitzero"`    // as in lists: "Host", "Registry Key"
	Summary      string            `json:"summary,omitzero"` // the value, or several values separated by " : "
	Rating       *float64          `json:"rating,omitzero"`
	Confidence   *int              `json:"confidence,omitzero"`
	Inactive     bool              `json:"inactive,omitzero"`
	ActiveLocked bool              `json:"activeLocked,omitzero"`
	Private      bool              `json:"private,omitzero"`
	DNSActive    bool              `json:"dnsActive,omitzero"`   // for hosts
	WhoisActive  bool              `json:"whoisActive,omitzero"` // for hosts
	Size         int64             `json:"size,omitzero"`        // size of a file in bytes
	XID          string            `json:"xid,omitzero"`
	DateAdded    time.Time         `json:"dateAdded,omitzero"`    // server time if zero
	LastModified time.Time         `json:"lastModified,omitzero"` // DateAdded if zero
	Attributes   []AttributeRecord `json:"attributes,omitzero"`
	Tags         []string          `json:"tags,omitzero"`
	Labels       []string          `json:"labels,omitzero"`      // names of the owner's security labels
	Groups       []string          `json:"groups,omitzero"`      // xids of associated groups
	Associated   []string          `json:"associated,omitzero"`  // associated indicators: "Address: 192.0.2.1"; read-only, seed an Association to add one
	Occurrences  []Occurrence      `json:"occurrences,omitzero"` // for files
	Resolutions  []Resolution      `json:"resolutions,omitzero"` // for hosts
	Location     map[string]string `json:"location,omitzero"`    // for addresses: countryCode, countryName, city, state, organization, timezone, asn
	Assessed     *ThreatAssess     `json:"assessed,omitzero"`    // derived from Rating and Confidence if nil

	Observations   []Observation `json:"observations,omitzero"`
	FalsePositives []time.Time   `json:"falsePositives,omitzero"` // times of false positive reports, at most one per day

	// Batch files set these dates, and responses include them only with includeAdditional.

	FirstSeen            time.Time `json:"firstSeen,omitzero"`
	LastSeen             time.Time `json:"lastSeen,omitzero"`
	ExternalDateAdded    time.Time `json:"externalDateAdded,omitzero"`
	ExternalDateExpires  time.Time `json:"externalDateExpires,omitzero"`
	ExternalLastModified time.Time `json:"externalLastModified,omitzero"`
}

// ThreatAssess is the assessment of an indicator by the platform's analytics.
type ThreatAssess struct {
	Rating     float64 `json:"rating,omitzero"`     // 0 to 5
	Confidence float64 `json:"confidence,omitzero"` // 0 to 100
	Score      int     `json:"score,omitzero"`      // 0 to 1000
	CALScore   int     `json:"calScore,omitzero"`   // 0 to 1000
	CALStatus  int     `json:"calStatus,omitzero"`
}

// Resolution is a DNS resolution of a host.
type Resolution struct {
	Date      time.Time `json:"date,omitzero"`
	Addresses []string  `json:"addresses,omitzero"`
}

// Observation is a number of sightings of an indicator.
type Observation struct {
	Count int       `json:"count,omitzero"` // at least 1
	Date  time.Time `json:"date,omitzero"`  // server time if zero
}

// Occurrence is a location where a file was seen. At least one field must be set.
type Occurrence struct {
	FileName string    `json:"fileName,omitzero"`
	Path     string    `json:"path,omitzero"`
	Date     time.Time `json:"date,omitzero"`
}

func (r *IndicatorRecord) dates() [len(itemDateNames)]*time.Time {
	return [...]*time.Time{&r.FirstSeen, &r.LastSeen, &r.ExternalDateAdded, &r.ExternalDateExpires, &r.ExternalLastModified}
}

func (r *IndicatorRecord) title() string   { return titled(r.Type, r.Summary) }
func (r *IndicatorRecord) wantedID() int64 { return r.ID }

// place returns the owner, type and canonical value of the record.
func (r *IndicatorRecord) place(s *seeder) (*owner, *indicatorType, string, error) {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, nil, "", err
	}
	t := s.typeByName(r.Type)
	if t == nil {
		return nil, nil, "", refuse("Type", fmt.Sprintf("there is no indicator type %q: seed an IndicatorType first", r.Type))
	}
	value, ok := t.read(r.Summary)
	if !ok {
		return nil, nil, "", refuse("Summary", "is not a valid "+t.Name)
	}
	return o, t, value, nil
}

func (r *IndicatorRecord) seed(s *seeder) error {
	o, t, value, err := r.place(s)
	switch {
	case err != nil:
		return err
	case len(s.sharing(o, t, value)) > 0:
		return refuse("Summary", "the owner has this "+t.Name+" already: change it with Update")
	case s.indicatorLimit > 0 && o.size() >= s.indicatorLimit:
		return refuse("Owner", msgIndicatorLimit)
	}
	if err := s.checkID(r.ID); err != nil {
		return err
	}
	i := &indicator{id: r.ID, owner: o, typ: t, value: value, added: s.now.Unix()}
	groups, err := s.fillIndicator(i, r, &indicator{})
	if err != nil {
		return err
	}
	if i.id == 0 {
		i.id = s.nextID()
	}
	o.add(i)
	relink(i, groups)
	*r = i.record()
	return nil
}

// sharing returns the indicators of an owner with the same value or, for files, a common hash.
func (s *seeder) sharing(o *owner, t *indicatorType, value string) []*indicator {
	if t.Name == "File" {
		return o.filesOf(t, value)
	}
	if i := o.find(t, t.key(value)); i != nil {
		return []*indicator{i}
	}
	return nil
}

// indicator finds the indicator that a record identifies.
func (r *IndicatorRecord) indicator(s *seeder) (*indicator, error) {
	if r.ID != 0 {
		i := s.indicatorByID(r.ID)
		if i == nil {
			return nil, refuse("ID", "there is no such indicator")
		}
		return i, nil
	}
	o, t, value, err := r.place(s)
	if err != nil {
		return nil, err
	}
	if i := o.find(t, t.key(value)); i != nil {
		return i, nil
	}
	return nil, refuse("Summary", "the owner has no such "+t.Name)
}

func (r *IndicatorRecord) update(s *seeder) error {
	i, err := r.indicator(s)
	if err != nil {
		return err
	}
	given := *r
	given.Owner = cmp.Or(r.Owner, i.owner.Name)
	o, t, value, err := given.place(s)
	made := &indicator{id: i.id, owner: o, typ: t, value: value, added: i.added}
	switch {
	case err != nil:
		return err
	case o != i.owner || t != i.typ:
		return refuse("ID", "belongs to an indicator of another owner or type")
	case !made.covers(i.value):
		return refuse("Summary", "cannot be changed; a File can only get more hashes")
	case len(s.sharing(o, t, value)) > 1:
		return refuse("Summary", "another File has one of the hashes")
	}
	groups, err := s.fillIndicator(made, &given, i)
	if err != nil {
		return err
	}
	if i.more != nil {
		made.metadata().replace(i.more)
	}
	const scored = flagRated | flagConfident
	counts := made.rating != i.rating || made.confidence != i.confidence || made.flags&scored != i.flags&scored
	made.modified = moved(i.modified, r.LastModified, counts, s.now.Unix())
	o.unindex(i)
	*i = *made
	o.reindex(i)
	relink(i, groups)
	*r = i.record()
	return nil
}

func (r *IndicatorRecord) remove(s *seeder) error {
	return removeFound(s, r.indicator, func(i *indicator) { i.owner.drop(i, s.now.Unix()) })
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
		if to, ok := l.to(i).(*group); ok {
			r.Groups = append(r.Groups, to.xid)
		}
	}
	r.Associated = i.linked()
	if i.rest != nil {
		r.Size = i.rest.size
		i.rest.dates.give(r.dates())
	}
	d := i.extra()
	r.XID, r.Location = d.xid, maps.Clone(d.location)
	if d.assessed != nil {
		r.Assessed = new(*d.assessed)
	}
	for _, o := range d.occurrences {
		r.Occurrences = append(r.Occurrences, o.Occurrence)
	}
	for _, e := range d.resolutions {
		r.Resolutions = append(r.Resolutions, Resolution{e.Date, slices.Clone(e.Addresses)})
	}
	for _, o := range d.observations {
		r.Observations = append(r.Observations, Observation{o.count, time.Unix(o.at, 0).UTC()})
	}
	for _, f := range d.falsePositives {
		r.FalsePositives = append(r.FalsePositives, time.Unix(f.at, 0).UTC())
	}
	return r
}

// linked returns the associated indicators in the notation of records.
func (i *indicator) linked() []string {
	var all []string
	for l := range links(i) {
		if to, ok := l.to(i).(*indicator); ok {
			all = append(all, to.typ.Name+": "+to.value)
		}
	}
	return all
}

// Indicators returns the indicators of an owner in creation order.
func (s *Server) Indicators(owner string) []IndicatorRecord {
	defer s.view()()
	if o := s.ownerByName(owner); o != nil {
		return recordsOf(where(o.indicators, func(i *indicator) bool { return !i.has(flagRemoved) }), (*indicator).record)
	}
	return nil
}

// Indicator returns an indicator of an owner and reports whether it exists. Any hash of a file
// identifies it.
func (s *Server) Indicator(owner, typeName, summary string) (IndicatorRecord, bool) {
	defer s.view()()
	o, t, value := s.locate(owner, typeName, summary)
	if o == nil {
		return IndicatorRecord{}, false
	}
	ind := o.find(t, t.key(value))
	if ind == nil {
		return IndicatorRecord{}, false
	}
	return ind.record(), true
}

// Has reports whether an owner has an indicator. On a server created [WithoutContents], it finds
// files only by the summary with which they were imported.
func (s *Server) Has(owner, typeName, summary string) bool {
	defer s.view()()
	o, t, value := s.locate(owner, typeName, summary)
	return o != nil && (o.find(t, t.key(value)) != nil || o.hasPresence(t, value))
}

// locate returns the owner, the type and the canonical value of an indicator that need not exist. If
// one of the arguments is invalid, it returns a nil owner.
func (w *world) locate(ownerName, typeName, summary string) (*owner, *indicatorType, string) {
	o, t := w.ownerByName(ownerName), w.typeByName(typeName)
	if o != nil && t != nil {
		if value, ok := t.read(summary); ok {
			return o, t, value
		}
	}
	return nil, nil, ""
}
