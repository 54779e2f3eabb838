package threatconnecttest

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Playbook is a playbook for seeding and assertions.
type Playbook struct {
	ID          int64    `json:"id,omitzero"`       // chosen by the server if 0
	GroupXID    string   `json:"groupXid,omitzero"` // generated if empty; the same for all versions
	Name        string   `json:"name,omitzero"`
	Status      string   `json:"status,omitzero"` // Active, Inactive, Draft or Archive; Inactive if empty
	TriggerType string   `json:"triggerType,omitzero"`
	Labels      []string `json:"labels,omitzero"`
	Version     int      `json:"version,omitzero"` // major version; 1 if 0
	PBX         []byte   `json:"pbx,omitzero"`     // the exported file, which is JSON; generated if nil
}

var playbookStatuses = []string{"Active", "Inactive", "Draft", "Archive"}

func (r *Playbook) title() string   { return r.Name }
func (r *Playbook) wantedID() int64 { return r.ID }

func (r *Playbook) check() error {
	switch {
	case r.Name == "":
		return refuse("Name", "is missing")
	case r.Status != "" && !slices.Contains(playbookStatuses, r.Status):
		return refuse("Status", "must be Active, Inactive, Draft or Archive")
	case r.Version < 0:
		return refuse("Version", "must be 1 or more")
	case r.PBX != nil && !json.Valid(r.PBX):
		return refuse("PBX", "is not JSON")
	}
	return nil
}

func (r *Playbook) seed(s *seeder) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.GroupXID != "" && s.playbookBy(r.GroupXID) != nil {
		return refuse("GroupXID", "there is a playbook with this group xid already: change it with Update")
	}
	if err := s.checkID(r.ID); err != nil {
		return err
	}
	*r = s.newPlaybook(r.clone()).clone()
	return nil
}

func (r *Playbook) playbook(s *seeder) (*Playbook, error) {
	if r.ID == 0 && r.GroupXID == "" {
		return only(s.playbooks, func(p *Playbook) bool { return p.Name == r.Name }, "playbook")
	}
	p := first(s.playbooks, func(p *Playbook) bool { return r.ID != 0 && p.ID == r.ID || r.ID == 0 && p.GroupXID == r.GroupXID })
	if p == nil {
		return nil, refuse("ID", "there is no such playbook")
	}
	return p, nil
}

func (r *Playbook) update(s *seeder) error {
	p, err := r.playbook(s)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return err
	}
	if other := s.playbookBy(r.GroupXID); other != nil && other != p {
		return refuse("GroupXID", "another playbook has it")
	}
	c := r.clone()
	c.ID = p.ID
	if c.GroupXID == "" {
		c.GroupXID = p.GroupXID
	}
	if c.PBX == nil {
		c.PBX = p.PBX
	}
	c.fillIn()
	*p = c
	*r = p.clone()
	return nil
}

func (r *Playbook) remove(s *seeder) error {
	return removeFound(s, r.playbook, func(p *Playbook) { s.playbooks = remove(s.playbooks, p) })
}

func (r *Playbook) clone() Playbook {
	c := *r
	c.Labels, c.PBX = slices.Clone(r.Labels), bytes.Clone(r.PBX)
	return c
}

// Playbooks returns the playbooks in creation order.
func (s *Server) Playbooks() []Playbook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return recordsOf(slices.Values(s.playbooks), (*Playbook).clone)
}
