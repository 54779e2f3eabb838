package threatconnecttest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (w *world) newPlaybook(p Playbook) *Playbook {
	if p.ID == 0 {
		p.ID = w.nextID()
	}
	if p.GroupXID == "" {
		p.GroupXID = fmt.Sprintf("00000000-0000-4000-9000-%012x", p.ID)
	}
	p.fillIn()
	w.playbooks = append(w.playbooks, &p)
	return &p
}

// fillIn sets the missing fields of a playbook.
func (p *Playbook) fillIn() {
	p.Version = max(p.Version, 1)
	if p.Status == "" {
		p.Status = "Inactive"
	}
	if p.PBX == nil {
		p.PBX = []byte(`{"name":` + string(quoteJSON(p.Name)) + `,"type":` + string(quoteJSON(p.TriggerType)) + `}`)
	}
}

// playbookBy finds a playbook by ID or group xid.
func (w *world) playbookBy(idOrXID string) *Playbook {
	return first(w.playbooks, func(p *Playbook) bool { return p.GroupXID == idOrXID || strconv.FormatInt(p.ID, 10) == idOrXID })
}

func playbookRoutes() []route {
	const one = "/v2/playbooks/{idOrGroupXid}"
	return []route{
		{method: "GET", pattern: "/v2/playbooks", handle: (*call).listPlaybooks},
		{method: "POST", pattern: "/v2/playbooks", handle: (*call).importPlaybook},
		{method: "GET", pattern: "/v2/playbooks/search", handle: (*call).searchPlaybooks},
		{method: "GET", pattern: one, handle: with((*call).playbook, (*call).getPlaybook)},
		{method: "POST", pattern: one, handle: with((*call).playbook, (*call).updatePlaybook)},
		{method: "DELETE", pattern: one, handle: with((*call).playbook, (*call).deletePlaybook)},
		{method: "GET", pattern: one + "/export", handle: with((*call).playbook, (*call).exportPlaybook)},
		{method: "POST", pattern: one + "/activate", handle: with((*call).playbook, switchPlaybook("Active"))},
		{method: "POST", pattern: one + "/deactivate", handle: with((*call).playbook, switchPlaybook("Inactive"))},
	}
}

// playbook returns the playbook in the path.
func (c *call) playbook() *Playbook { return c.playbookBy(c.params.get("idOrGroupXid")) }

func (p *Playbook) write(w *jsonWriter) {
	w.id("id", p.ID)
	w.str("groupXid", p.GroupXID)
	w.str("name", p.Name)
	w.str("status", p.Status)
	w.some("triggerType", p.TriggerType)
	w.texts("labels", p.Labels)
	w.int("majorVersion", int64(p.Version))
}

// listPlaybooks responds with all playbooks. The list takes no parameters.
func (c *call) listPlaybooks() *answer {
	c.query = nil
	return pageOf(c, "playbook", slices.Values(c.playbooks[:min(len(c.playbooks), defaultLimit)]), (*Playbook).write)
}

func (c *call) searchPlaybooks() *answer {
	status, order := c.query.Get("status"), c.query.Get("sortOn")
	if status != "" && !slices.Contains(playbookStatuses, status) ||
		order != "" && order != "name" && order != "triggerType" {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	var found []*Playbook
	for _, p := range c.playbooks {
		if n := c.query.Get("name"); n != "" && !strings.Contains(strings.ToLower(p.Name), strings.ToLower(n)) ||
			status != "" && p.Status != status || c.query.Has("triggerType") && p.TriggerType != c.query.Get("triggerType") {
			continue
		}
		missing := func(l string) bool { return !slices.Contains(p.Labels, l) }
		if l := c.query.Get("labels"); l == "" || !slices.ContainsFunc(strings.Split(l, ","), missing) {
			found = append(found, p)
		}
	}
	if order != "" {
		slices.SortStableFunc(found, func(a, b *Playbook) int {
			n := strings.Compare(a.Name, b.Name)
			if order == "triggerType" {
				n = strings.Compare(a.TriggerType, b.TriggerType)
			}
			if c.query.Get("sortAscending") == "false" {
				n = -n
			}
			return n
		})
	}
	return pageOf(c, "playbook", slices.Values(found), (*Playbook).write)
}

func (c *call) getPlaybook(p *Playbook) *answer {
	return c.one(http.StatusOK, "playbook", p.write)
}

// readPBX reads the name in an exported file and ignores the rest.
func (c *call) readPBX() (name string, ok bool) {
	f, ok := readFields(c.body)
	if !ok {
		return "", false
	}
	name, _ = f.text("name")
	return name, name != "" && json.Valid(c.body)
}

func (c *call) importPlaybook() *answer {
	name, ok := c.readPBX()
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	p := c.newPlaybook(Playbook{Name: name, PBX: slices.Clone(c.body)})
	return c.one(http.StatusCreated, "playbook", p.write)
}

func (c *call) updatePlaybook(p *Playbook) *answer {
	name, ok := c.readPBX()
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	p.Name, p.PBX = name, slices.Clone(c.body)
	p.Version++
	return c.one(http.StatusCreated, "playbook", p.write)
}

func (c *call) deletePlaybook(p *Playbook) *answer {
	c.playbooks = remove(c.playbooks, p)
	return success(http.StatusOK)
}

func (c *call) exportPlaybook(p *Playbook) *answer {
	switch c.query.Get("format") {
	case "":
		return raw("application/octet-stream", p.PBX)
	case "tcxp":
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		if f, err := z.Create(p.GroupXID + ".pbx"); err == nil {
			_, _ = f.Write(p.PBX) // writes to memory
		}
		_ = z.Close()
		return raw("application/octet-stream", b.Bytes())
	}
	return fail(http.StatusBadRequest, msgMalformed)
}

func switchPlaybook(status string) func(*call, *Playbook) *answer {
	return func(_ *call, p *Playbook) *answer {
		p.Status = status
		return success(http.StatusOK)
	}
}
