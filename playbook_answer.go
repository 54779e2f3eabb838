package threatconnect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// foundPlaybooks has the playbooks of a response.
type foundPlaybooks struct {
	items []Playbook
	list  bool // whether the response has a list, which can be empty
	env   envelope
}

const playbookDepth = 3 // maximum depth at which playbooks are searched for

// readPlaybooks finds the playbooks of a response: one or a list, at the top or below any members.
func readPlaybooks(call *call, resp *http.Response, text []byte, limit int64) (*foundPlaybooks, error) {
	f := &foundPlaybooks{items: []Playbook{}, env: envelope{count: -1}}
	if isHTML(resp, text) {
		return nil, fmt.Errorf("%w: %s", ErrBadResponse, newAPIError(call, resp, text).Hint)
	}
	if len(bytes.TrimSpace(text)) > 0 {
		r := wire.NewReader(text)
		r.Limit(limit)
		f.collect(r, 0)
		r.End()
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("%w (content type %s)", unreadable(err), contentType(resp))
		}
	}
	switch {
	case len(f.items) == 0 && !f.env.success():
		return nil, newAPIError(call, resp, text)
	case len(f.items) == 0 && call.requireItem:
		return nil, fmt.Errorf("%w: it holds no playbook", ErrBadResponse)
	case len(f.items) == 0 && call.method == http.MethodGet && f.env.status == "" && !f.list:
		return nil, fmt.Errorf("%w: it holds neither a status nor playbooks", ErrBadResponse)
	}
	return f, nil
}

// collect adds the playbooks that r is at or that are below it.
func (f *foundPlaybooks) collect(r *wire.Reader, depth int) {
	switch kind := r.Kind(); {
	case kind == wire.Array && depth <= playbookDepth:
		f.list = true
		for r.Array(); r.NextElem(); {
			f.collect(r, depth+1)
		}
	case kind == wire.Object && depth <= playbookDepth:
		if isPlaybook(r) {
			r.Spend(sizeOf[Playbook]())
			raw := rawOf(r)
			f.items = append(f.items, readPlaybook(r, raw))
			return
		}
		for r.Object(); r.NextKey(); {
			switch key := string(r.Key()); {
			case key == "status" && r.Kind() == wire.String:
				f.env.status = r.Text()
			case key == "resultCount" || key == "totalCount":
				f.env.count = r.Int64()
			case r.Kind() == wire.Array || r.Kind() == wire.Object:
				f.collect(r, depth+1)
			default:
				r.Skip()
			}
		}
	default:
		r.Skip()
	}
}

// isPlaybook reports whether the object that r is at has an ID, as only playbooks do.
func isPlaybook(r *wire.Reader) bool {
	e := inner(r)
	found := false
	for e.Object(); e.NextKey(); {
		switch string(e.Key()) {
		case "id", "groupXid":
			found = found || e.Kind() == wire.Number || e.Kind() == wire.String
		}
		e.Skip()
	}
	return found && e.Err() == nil
}

func readPlaybook(r *wire.Reader, raw json.RawMessage) Playbook {
	p := Playbook{Raw: raw}
	for r.Object(); r.NextKey(); {
		key := r.Key()
		scalar := r.Kind() != wire.Object && r.Kind() != wire.Array
		switch {
		case string(key) == "id" && wholeNumber(r):
			p.ID = r.ID()
		case string(key) == "groupXid" && scalar:
			p.GroupXID = r.Text()
		case string(key) == "name" && scalar:
			p.Name = r.Text()
		case string(key) == "description" && scalar:
			p.Description = r.Text()
		case string(key) == "status" && scalar:
			p.Status = PlaybookStatus(r.Text())
		case string(key) == "triggerType" && scalar:
			p.TriggerType = r.Text()
		case string(key) == "labels" && scalar:
			p.Labels = splitLabels(r, r.Text())
		case string(key) == "labels" && flatTexts(r):
			p.Labels = r.Strings()
		default:
			keepExtra(&p.Extra, r)
		}
	}
	return p
}

// wholeNumber reports whether the value that r is at is an integer ID.
func wholeNumber(r *wire.Reader) bool {
	e := inner(r)
	e.ID()
	return e.Err() == nil
}

// flatTexts reports whether the value that r is at is a list of scalars.
func flatTexts(r *wire.Reader) bool {
	e := inner(r)
	if e.Kind() != wire.Array {
		return false
	}
	for e.Array(); e.NextElem(); {
		if k := e.Kind(); k == wire.Object || k == wire.Array {
			return false
		}
		e.Skip()
	}
	return e.Err() == nil
}

// splitLabels splits labels at commas.
func splitLabels(r *wire.Reader, s string) []string {
	var labels []string
	for l := range strings.SplitSeq(s, ",") {
		if l = strings.TrimSpace(l); l != "" {
			if r.Spend(36); r.Err() != nil { // bytes per string while the slice grows
				return nil
			}
			labels = append(labels, l)
		}
	}
	return labels
}
