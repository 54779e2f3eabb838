package threatconnecttest

// TagRecord is a tag of an owner, for seeding and assertions. Tagging an item also creates its
// tags.
type TagRecord struct {
	ID          int64  `json:"id,omitzero"`    // chosen by the server if 0
	Owner       string `json:"owner,omitzero"` // the API user's organization if empty
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
}

func (r *TagRecord) title() string   { return r.Name }
func (r *TagRecord) wantedID() int64 { return r.ID }

func (r *TagRecord) seed(s *seeder) error {
	o, err := s.placeFor(r.Owner, r.ID)
	switch {
	case err != nil:
		return err
	case !validTag(r.Name):
		return refuse("Name", msgTag)
	case o.tagByName[r.Name] != nil:
		return refuse("Name", "the owner has this tag already: change it with Update")
	}
	t := o.tagNamed(r.Name, s.world)
	if r.ID != 0 {
		t.id = r.ID
	}
	t.description = r.Description
	*r = t.record()
	return nil
}

// tag finds the tag that a record identifies.
func (r *TagRecord) tag(s *seeder) (*tag, error) {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, err
	}
	for _, t := range o.tags {
		if t.id == r.ID || r.ID == 0 && t.name == r.Name {
			return t, nil
		}
	}
	return nil, refuse("Name", "the owner has no such tag")
}

func (r *TagRecord) update(s *seeder) error {
	t, err := r.tag(s)
	if err != nil {
		return err
	}
	if !validTag(r.Name) {
		return refuse("Name", msgTag)
	}
	if other := t.owner.tagByName[r.Name]; other != nil && other != t {
		return refuse("Name", "another tag has it")
	}
	t.rename(r.Name)
	t.description = r.Description
	*r = t.record()
	return nil
}

func (r *TagRecord) remove(s *seeder) error { return removeFound(s, r.tag, s.dropTag) }

func (t *tag) record() TagRecord { return TagRecord{t.id, t.owner.Name, t.name, t.description} }
