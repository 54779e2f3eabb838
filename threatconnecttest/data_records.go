package threatconnecttest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// DataRecord is a record of the DataStore, for seeding and assertions.
type DataRecord struct {
	Domain   string          `json:"domain,omitzero"`   // local, organization or system
	DataType string          `json:"dataType,omitzero"` // a path segment
	ID       string          `json:"id,omitzero"`       // chosen by the server if empty
	Version  int64           `json:"version,omitzero"`  // 1 if 0
	Data     json.RawMessage `json:"data,omitzero"`     // a JSON object
}

var dataDomains = []string{"local", "organization", "system"}

func (r *DataRecord) title() string   { return strings.Join([]string{r.Domain, r.DataType, r.ID}, "/") }
func (r *DataRecord) wantedID() int64 { return 0 }

func (r *DataRecord) check() error {
	_, object := readFields(r.Data)
	switch {
	case !slices.Contains(dataDomains, r.Domain):
		return refuse("Domain", "must be local, organization or system")
	case r.DataType == "" || strings.Contains(r.DataType, "/"):
		return refuse("DataType", "must be a path segment")
	case strings.HasPrefix(r.ID, "_") || strings.Contains(r.ID, "/"):
		return refuse("ID", "must be a path segment and not begin with an underscore")
	case r.Version < 0:
		return refuse("Version", "must be 1 or more")
	case !object:
		return refuse("Data", "must be a JSON object")
	}
	return nil
}

// find returns the data type and the stored record of r, or nil.
func (r *DataRecord) find(s *seeder) (*dataType, *dataRecord) {
	t := s.datastore[r.Domain+"/"+r.DataType]
	if t == nil {
		return nil, nil
	}
	return t, t.find(r.ID)
}

func (r *DataRecord) seed(s *seeder) error {
	if err := r.check(); err != nil {
		return err
	}
	t, have := r.find(s)
	if have != nil {
		return refuse("ID", "there is such a record already: change it with Update")
	}
	if t == nil {
		t = s.makeDataType(r.Domain, r.DataType)
	}
	if r.ID == "" {
		r.ID = s.newDataID()
	}
	r.Version = max(r.Version, 1)
	t.records = append(t.records, &dataRecord{id: r.ID, version: r.Version, source: bytes.Clone(r.Data)})
	t.changes++
	return nil
}

func (r *DataRecord) update(s *seeder) error {
	t, have := r.find(s)
	if have == nil {
		return refuse("ID", "there is no such record")
	}
	if err := r.check(); err != nil {
		return err
	}
	if r.Version == 0 || r.Version == have.version {
		r.Version = have.version + 1
	}
	have.version, have.source = r.Version, bytes.Clone(r.Data)
	t.changes++
	return nil
}

func (r *DataRecord) remove(s *seeder) error {
	t, have := r.find(s)
	if have == nil {
		return refuse("ID", "there is no such record")
	}
	t.records = remove(t.records, have)
	t.changes++
	return nil
}
