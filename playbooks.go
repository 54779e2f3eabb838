package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// PlaybooksService lists, exports, imports, activates and deletes playbooks. To start a playbook, use a
// [PlaybookTrigger]. Methods name a playbook by its ID or its group xid, as [Playbook.Ref] returns it.
// The client's owner is ignored.
// The service is safe for concurrent use.
type PlaybooksService struct{ service }

// PlaybookStatus is the state of a playbook.
type PlaybookStatus string

// The states of a playbook.
const (
	PlaybookActive   PlaybookStatus = "Active"
	PlaybookInactive PlaybookStatus = "Inactive"
	PlaybookDraft    PlaybookStatus = "Draft"
	PlaybookArchive  PlaybookStatus = "Archive"
)

// Playbook is a playbook. The platform does not document all fields: Extra has the others, Raw the whole JSON.
type Playbook struct {
	ID          int64                      `json:"id,omitzero"`
	GroupXID    string                     `json:"groupXid,omitzero"` // the same for all versions
	Name        string                     `json:"name,omitzero"`
	Description string                     `json:"description,omitzero"`
	Status      PlaybookStatus             `json:"status,omitzero"`
	TriggerType string                     `json:"triggerType,omitzero"`
	Labels      []string                   `json:"labels,omitzero"`
	Extra       map[string]json.RawMessage `json:"-"` // members that this package has no field for
	Raw         json.RawMessage            `json:"-"` // the JSON that it was read from
}

// Ref returns the group xid of the playbook or, if it has none, its ID. The methods of [PlaybooksService] accept both.
func (p Playbook) Ref() string {
	if p.GroupXID != "" || p.ID == 0 {
		return p.GroupXID
	}
	return strconv.FormatInt(p.ID, 10)
}

// PlaybookListOptions selects playbooks. Nil and the zero value select all.
type PlaybookListOptions struct {
	ListOptions
	Name          string         `url:"name,omitempty"`
	TriggerType   string         `url:"triggerType,omitempty"`
	Status        PlaybookStatus `url:"status,omitempty"`
	SortOn        string         `url:"sortOn,omitempty"`        // "name" or "triggerType"
	SortAscending *bool          `url:"sortAscending,omitempty"` // nil selects the platform's default
	Labels        []string       `url:"labels,comma,omitempty"`  // must not contain commas
}

func (o *PlaybookListOptions) check() error {
	for _, l := range o.Labels {
		if strings.Contains(l, ",") {
			return &ValidationError{Field: "playbook label", Rule: "holds a comma, which separates labels"}
		}
	}
	return firstError(
		oneOf("playbook status", o.Status, []PlaybookStatus{PlaybookActive, PlaybookInactive, PlaybookDraft, PlaybookArchive}),
		oneOf("playbook sort field", o.SortOn, []string{"name", "triggerType"}))
}

// List returns one page of the playbooks that the API user can see. It costs one request. Without options, it reads the
// platform's short list, which has no pages and may end after 100 playbooks; More then reports whether more playbooks
// may exist.
//
//	API: GET /v2/playbooks
//	API: GET /v2/playbooks/search
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) List(ctx context.Context, opts *PlaybookListOptions) (*Page[Playbook], error) {
	o := copyOf(opts)
	q, err := query.Values(o)
	if err != nil || len(q) > 0 {
		return onePage(ctx, o.ListOptions, s.search(o))
	}
	p, err := s.page(ctx, o.CallOptions, at("v2", "playbooks"), nil, 0, minPageCap)
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// All returns an iterator over the playbooks that the API user can see and requests a page only when
// the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/playbooks/search
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) All(ctx context.Context, opts *PlaybookListOptions) iter.Seq2[Playbook, error] {
	o := copyOf(opts)
	return pages(ctx, o.ListOptions, s.search(o))
}

// search returns the function that fetches the playbooks that o selects.
func (s PlaybooksService) search(o PlaybookListOptions) fetchPage[Playbook] {
	q, err := query.Values(o)
	err = cmp.Or(o.check(), err)
	return func(ctx context.Context, start, limit int) (*page[Playbook], error) {
		if err != nil {
			return nil, err
		}
		return s.page(ctx, o.CallOptions, at("v2", "playbooks", "search"), pageQuery(q, start, limit), start, limit)
	}
}

// page reads one page of playbooks. A first page that does not exist is an empty list.
func (s PlaybooksService) page(ctx context.Context, o CallOptions, r route, q url.Values, start, limit int) (*page[Playbook], error) {
	s.c = s.c.with(o)
	p := &page[Playbook]{Page: Page[Playbook]{Items: []Playbook{}}}
	found, err := s.send(ctx, &call{method: http.MethodGet, route: r, query: q})
	if isEmptyList(err, start) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.Items, p.Total = found.items, found.env.count
	if len(found.items) > 0 {
		raw := found.items[0].Raw
		p.print = s.c.fingerprint(raw, wire.NewReader(raw))
	}
	p.More = morePages(len(p.Items), limit, start, p.Total)
	return p, nil
}

// Get returns one playbook. If it does not exist, the error matches [ErrNotFound]. It costs one request.
//
//	API: GET /v2/playbooks/{idOrGroupXid}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Get(ctx context.Context, idOrXID string) (Playbook, error) {
	r, err := playbookRoute(idOrXID)
	if err != nil {
		return Playbook{}, err
	}
	return s.one(ctx, &call{method: http.MethodGet, route: r, requireItem: true})
}

// Import creates a playbook from an exported .pbx file, which is JSON, and returns it. If the platform does not return
// the new playbook, the result is the zero value. Import costs one request and is not retried after an unknown outcome.
//
//	API: POST /v2/playbooks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Import(ctx context.Context, pbx []byte) (Playbook, error) {
	return s.upload(ctx, at("v2", "playbooks"), pbx)
}

// AddVersion creates a new major version of a playbook from an exported .pbx file and returns it. If the platform does
// not return the playbook, the result is the zero value. AddVersion costs one request and is not retried after an
// unknown outcome.
//
//	API: POST /v2/playbooks/{idOrGroupXid}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) AddVersion(ctx context.Context, idOrXID string, pbx []byte) (Playbook, error) {
	r, err := playbookRoute(idOrXID)
	if err != nil {
		return Playbook{}, err
	}
	return s.upload(ctx, r, pbx)
}

func (s PlaybooksService) upload(ctx context.Context, r route, pbx []byte) (Playbook, error) {
	text := wire.NewReader(pbx)
	if text.Kind() != wire.Object {
		return Playbook{}, &ValidationError{Field: "playbook", Rule: "is not a JSON object", Fix: "give the .pbx file that Export writes, not a .tcxp file"}
	}
	text.Skip()
	text.End()
	if err := text.Err(); err != nil {
		return Playbook{}, &ValidationError{Field: "playbook", Rule: "is not JSON: " + err.Error()}
	}
	return s.one(ctx, &call{method: http.MethodPost, route: r, body: jsonBody(pbx)})
}

// PlaybookFormat is a file format of exported playbooks.
type PlaybookFormat string

// The formats of exported playbooks.
const (
	PlaybookPBX         PlaybookFormat = "pbx"  // JSON, which Import accepts
	PlaybookContentPack PlaybookFormat = "tcxp" // a content pack
)

// Export writes a playbook to w and returns the number of bytes. An empty format means [PlaybookPBX]. If the transfer is
// incomplete, w may have a part of the file. Export costs one request, which is retried only until the first byte is
// written.
//
//	API: GET /v2/playbooks/{idOrGroupXid}/export
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Export(ctx context.Context, idOrXID string, format PlaybookFormat, w io.Writer) (int64, error) {
	r, err := playbookRoute(idOrXID)
	if err != nil {
		return 0, err
	}
	var q url.Values
	switch format {
	case "", PlaybookPBX:
	case PlaybookContentPack:
		q = url.Values{"format": {string(format)}}
	default:
		return 0, &ValidationError{Field: "playbook format", Rule: "must be pbx or tcxp"}
	}
	return s.c.download(ctx, &call{method: http.MethodGet, route: r.under("export"), query: q}, w, nil)
}

// Activate activates a playbook. It is idempotent and is retried. It costs one request.
//
//	API: POST /v2/playbooks/{idOrGroupXid}/activate
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Activate(ctx context.Context, idOrXID string) error {
	return s.change(ctx, http.MethodPost, idOrXID, "activate")
}

// Deactivate deactivates a playbook. It is idempotent and is retried. It costs one request.
//
//	API: POST /v2/playbooks/{idOrGroupXid}/deactivate
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Deactivate(ctx context.Context, idOrXID string) error {
	return s.change(ctx, http.MethodPost, idOrXID, "deactivate")
}

// Delete deletes a playbook. It costs one request.
//
//	API: DELETE /v2/playbooks/{idOrGroupXid}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/playbooks/playbooks.html
func (s PlaybooksService) Delete(ctx context.Context, idOrXID string) error {
	return s.change(ctx, http.MethodDelete, idOrXID, "")
}

func (s PlaybooksService) change(ctx context.Context, method, idOrXID, what string) error {
	r, err := playbookRoute(idOrXID)
	if err != nil {
		return err
	}
	if what != "" {
		r = r.under(what)
	}
	_, err = s.send(ctx, &call{method: method, route: r, idempotentPOST: true})
	return err
}

// playbookRoute returns the route of one playbook. The ID "search" is an error, because it is the route of a list.
func playbookRoute(idOrXID string) (route, error) {
	if idOrXID == "search" {
		return route{}, &ValidationError{Field: "playbook", Rule: "cannot be named search", Fix: "give its id"}
	}
	return at("v2", "playbooks", value(idOrXID)), nil
}

// one sends a call about one playbook.
func (s PlaybooksService) one(ctx context.Context, call *call) (Playbook, error) {
	found, err := s.send(ctx, call)
	if err != nil {
		return Playbook{}, err
	}
	if len(found.items) == 0 {
		return Playbook{}, nil
	}
	if !call.route.isPlaybook(&found.items[0]) {
		return Playbook{}, errWrongID
	}
	return found.items[0], nil
}

// send sends a call and reads the playbooks of its response, in any envelope, because none is documented.
func (s PlaybooksService) send(ctx context.Context, call *call) (*foundPlaybooks, error) {
	var found *foundPlaybooks
	err := s.c.do(ctx, call, func(resp *http.Response) error {
		buf := s.c.buffer()
		defer s.c.release(buf)
		if err := s.c.readBody(resp, buf); err != nil {
			return err
		}
		var err error
		found, err = readPlaybooks(call, resp, buf.Bytes(), s.c.valueLimit())
		return err
	})
	return found, err
}
