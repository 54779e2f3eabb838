package threatconnecttest

import (
	"maps"
	"slices"
	"strings"
)

// Data is the data of a server in a form suitable for JSON. Associations are separate from the
// records at their ends. Data includes the predefined types, labels and owners, but no jobs,
// requests, faults or settings.
type Data struct {
	Owners         []*Owner           `json:"owners,omitzero"`
	IndicatorTypes []*IndicatorType   `json:"indicatorTypes,omitzero"`
	AttributeTypes []*AttributeType   `json:"attributeTypes,omitzero"`
	Labels         []*SecurityLabel   `json:"labels,omitzero"`
	Tags           []*TagRecord       `json:"tags,omitzero"`
	Groups         []*GroupRecord     `json:"groups,omitzero"`
	Indicators     []*IndicatorRecord `json:"indicators,omitzero"`
	Tasks          []*TaskRecord      `json:"tasks,omitzero"`
	Victims        []*VictimRecord    `json:"victims,omitzero"`
	Associations   []*Association     `json:"associations,omitzero"`
	Playbooks      []*Playbook        `json:"playbooks,omitzero"`
	Metrics        []*MetricRecord    `json:"metrics,omitzero"`
	DataStore      []*DataRecord      `json:"dataStore,omitzero"`
}

// Records returns all records in an order that [Server.Seed] accepts.
func (d *Data) Records() []Record {
	var all []Record
	add(&all, d.Owners)
	add(&all, d.IndicatorTypes)
	add(&all, d.AttributeTypes)
	add(&all, d.Labels)
	add(&all, d.Tags)
	add(&all, d.Groups)
	add(&all, d.Indicators)
	add(&all, d.Tasks)
	add(&all, d.Victims)
	add(&all, d.Associations)
	add(&all, d.Playbooks)
	add(&all, d.Metrics)
	add(&all, d.DataStore)
	return all
}

func add[T Record](all *[]Record, records []T) {
	for _, r := range records {
		*all = append(*all, r)
	}
}

// Data returns the data of the server. A new server seeded with its records has the same data,
// except for the IDs of attributes, assets and other attachments, and the predefined labels of new
// owners.
func (s *Server) Data() *Data {
	defer s.view()()
	d := &Data{}
	for _, t := range s.types {
		d.IndicatorTypes = append(d.IndicatorTypes, new(t.IndicatorType.clone()))
	}
	for _, t := range s.attributeTypes {
		d.AttributeTypes = append(d.AttributeTypes, new(t.clone()))
	}
	for _, o := range s.owners {
		d.addOwner(o)
	}
	for _, t := range s.tasks {
		r := t.record(s.now().Unix())
		r.Tasks, r.Overdue = nil, t.late
		d.Tasks = append(d.Tasks, &r)
		d.Associations = append(d.Associations, associations(t)...)
	}
	for _, v := range s.victims {
		d.Victims = append(d.Victims, new(v.record()))
		d.Associations = append(d.Associations, associations(v)...)
	}
	for _, p := range s.playbooks {
		d.Playbooks = append(d.Playbooks, new(p.clone()))
	}
	for _, m := range s.customMetrics {
		d.Metrics = append(d.Metrics, new(m.record()))
	}
	for _, domain := range dataDomains {
		d.DataStore = append(d.DataStore, s.dataRecords(domain)...)
	}
	return d
}

func (d *Data) addOwner(o *owner) {
	r := o.record()
	if r.Members == nil {
		r.Members = []User{} // no members, instead of the predefined ones
	}
	d.Owners = append(d.Owners, &r)
	for _, l := range o.labels {
		d.Labels = append(d.Labels, new(l.record(o)))
	}
	for _, t := range o.tags {
		d.Tags = append(d.Tags, new(t.record()))
	}
	for _, g := range o.groups {
		r := g.record()
		r.Groups, r.Indicators = nil, nil
		d.Groups = append(d.Groups, &r)
		d.Associations = append(d.Associations, associations(g)...)
	}
	for _, i := range o.indicators {
		if i.has(flagRemoved) {
			continue
		}
		r := i.record()
		r.Groups, r.Associated = nil, nil
		d.Indicators = append(d.Indicators, &r)
		d.Associations = append(d.Associations, associations(i)...)
	}
}

// dataRecords returns the records of a DataStore domain.
func (w *world) dataRecords(domain string) []*DataRecord {
	var all []*DataRecord
	for _, key := range slices.Sorted(maps.Keys(w.datastore)) {
		name, ok := strings.CutPrefix(key, domain+"/")
		if !ok {
			continue
		}
		for _, r := range w.datastore[key].records {
			all = append(all, &DataRecord{domain, name, r.id, r.version, slices.Clone(r.source)})
		}
	}
	return all
}
