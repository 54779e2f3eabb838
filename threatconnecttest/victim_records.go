package threatconnecttest

import (
	"slices"
	"time"
)

// VictimRecord is a victim for seeding and assertions.
type VictimRecord struct {
	ID           int64             `json:"id,omitzero"`    // chosen by the server if 0
	Owner        string            `json:"owner,omitzero"` // the API user's organization if empty
	Name         string            `json:"name,omitzero"`
	Description  string            `json:"description,omitzero"`
	Org          string            `json:"org,omitzero"`
	Suborg       string            `json:"suborg,omitzero"`
	WorkLocation string            `json:"workLocation,omitzero"`
	Nationality  string            `json:"nationality,omitzero"`
	Assets       []AssetRecord     `json:"assets,omitzero"`
	Attributes   []AttributeRecord `json:"attributes,omitzero"`
	Tags         []string          `json:"tags,omitzero"`
	Labels       []string          `json:"labels,omitzero"`
}

// AssetRecord is an asset of a victim or an adversary, for seeding and assertions.
type AssetRecord struct {
	ID     int64    `json:"id,omitzero"`     // set by the server
	Type   string   `json:"type,omitzero"`   // as in lists: "EmailAddress", "Handle"
	Values []string `json:"values,omitzero"` // the address, account, number, URL or handle, followed by the address type or network
}

// AttributeRecord is an attribute for seeding and assertions.
type AttributeRecord struct {
	ID           int64     `json:"id,omitzero"` // set by the server
	Type         string    `json:"type,omitzero"`
	Value        string    `json:"value,omitzero"`
	Source       string    `json:"source,omitzero"`
	Displayed    bool      `json:"displayed,omitzero"` // whether it is the default attribute of its type; only one Description and one Source can be
	Pinned       bool      `json:"pinned,omitzero"`
	Labels       []string  `json:"labels,omitzero"`       // names of the owner's security labels
	DateAdded    time.Time `json:"dateAdded,omitzero"`    // server time if zero
	LastModified time.Time `json:"lastModified,omitzero"` // DateAdded if zero
}

// texts returns pointers to the text fields, in the order of victimFields.
func (r *VictimRecord) texts() []*string {
	return []*string{&r.Name, &r.Description, &r.Org, &r.Suborg, &r.WorkLocation, &r.Nationality}
}

func (r *VictimRecord) title() string   { return r.Name }
func (r *VictimRecord) wantedID() int64 { return r.ID }

func (r *VictimRecord) seed(s *seeder) error {
	o, err := s.placeFor(r.Owner, r.ID)
	if err != nil {
		return err
	}
	v := &victim{id: r.ID, owner: o}
	if err := s.fillVictim(v, r, &victim{}); err != nil {
		return err
	}
	s.addVictim(v)
	*r = v.record()
	return nil
}

// fillVictim fills an empty victim from a record, as requests would. had is the previous victim.
func (s *seeder) fillVictim(v *victim, r *VictimRecord, had *victim) (err error) {
	body := map[string]any{}
	for i, p := range r.texts() {
		body[victimFields[i]] = *p
	}
	_, f := s.request(body)
	v.fields = map[string]string{}
	if bad := v.read(f); bad != nil {
		return platformSays(bad.message, "")
	}
	if v.assets, err = s.makeAssets(victimAssetKinds, had.assets, r.Assets); err != nil {
		return err
	}
	return s.attach(v, had.meta.attributes, r.Attributes, r.Tags, r.Labels, func() error { return checkKept(r, v.record()) })
}

func (r *VictimRecord) victim(s *seeder) (*victim, error) {
	if r.ID != 0 {
		if v := s.victimByID(r.ID); v != nil {
			return v, nil
		}
		return nil, refuse("ID", "there is no such victim")
	}
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, err
	}
	return only(s.victims, func(v *victim) bool { return v.owner == o && v.fields["name"] == r.Name }, "victim")
}

func (r *VictimRecord) update(s *seeder) error {
	v, err := r.victim(s)
	if err != nil {
		return err
	}
	if r.Owner != "" && r.Owner != v.owner.Name {
		return refuse("Owner", "cannot be changed")
	}
	made := &victim{id: v.id, owner: v.owner}
	if err := s.fillVictim(made, r, v); err != nil {
		return err
	}
	made.meta.replace(&v.meta)
	for _, old := range v.assets {
		n := slices.IndexFunc(made.assets, func(a *asset) bool { return a.id == old.id })
		if n < 0 {
			forgetAsset(v, old)
			continue
		}
		*old = *made.assets[n]
		made.assets[n] = old
	}
	*v = *made
	*r = v.record()
	return nil
}

func (r *VictimRecord) remove(s *seeder) error { return removeFound(s, r.victim, s.dropVictim) }

// Victims returns the victims of an owner in creation order.
func (s *Server) Victims(owner string) []VictimRecord {
	defer s.view()()
	return recordsOf(where(s.victims, func(v *victim) bool { return v.owner.Name == owner }), (*victim).record)
}

func (v *victim) record() VictimRecord {
	r := VictimRecord{ID: v.id, Owner: v.owner.Name, Assets: assetRecords(v.assets)}
	for i, p := range r.texts() {
		*p = v.fields[victimFields[i]]
	}
	r.Attributes, r.Tags, r.Labels = v.meta.records()
	return r
}

func assetRecords(assets []*asset) []AssetRecord {
	var all []AssetRecord
	for _, a := range assets {
		r := AssetRecord{ID: a.id, Type: a.kind.name, Values: slices.Clone(a.values)}
		for len(r.Values) > 1 && r.Values[len(r.Values)-1] == "" {
			r.Values = r.Values[:len(r.Values)-1]
		}
		all = append(all, r)
	}
	return all
}
