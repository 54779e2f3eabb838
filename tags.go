package threatconnect

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Tag is a word attached to resources.
type Tag struct {
	Name        string `json:"name"`                 // 1 to 128 characters
	Description string `json:"description,omitzero"` // missing in some lists; not part of batch files
	WebLink     string `json:"webLink,omitzero"`     // read only; never fetched

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// TagUpdate holds the fields of a tag that [TagsService.Update] changes. Nil fields stay as they are.
type TagUpdate struct {
	Name        *string // 1 to 128 characters; cannot be cleared
	Description *string // "" clears it
}

// TagsService manages the tags of an owner and attaches them to resources. Most programs need only Add,
// Remove and On, which take a resource; Groups, Indicators, Tasks and Victims find what has a tag.
//
// The platform converts tags that match an ATT&CK technique or a normalization rule of the instance, so
// On can return other tags than were added. An ATT&CK tag is named by the technique's name alone
// (Phishing, not T1566 - Phishing). List and All do not return ATT&CK tags, and the platform does not
// list what has one.
//
// The service is safe for concurrent use.
type TagsService struct{ service }

// On returns the tags of a resource. It costs one request per 500 tags.
//
//	API: GET /v2/{resource}/tags
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) On(ctx context.Context, resource Resource) ([]Tag, error) {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return nil, err
	}
	return listOn(ctx, s.c, t, "tag", readTag)
}

// Add attaches tags to a resource and creates the tags that do not exist. It checks all names before it
// sends the first, costs one request per name and stops at the first error. Add is idempotent and is
// retried. Use the bare word as the name: the owner already tells the source. A name that repeats the
// owner's name is added all the same, and logged as a warning if the client has a logger.
//
//	API: POST /v2/{resource}/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Add(ctx context.Context, resource Resource, names ...string) error {
	return s.each(ctx, http.MethodPost, resource, names)
}

// Remove detaches tags from a resource; the tags stay in the owner. It costs one request per name and
// stops at the first error.
//
//	API: DELETE /v2/{resource}/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Remove(ctx context.Context, resource Resource, names ...string) error {
	return s.each(ctx, http.MethodDelete, resource, names)
}

func (s TagsService) each(ctx context.Context, method string, resource Resource, names []string) error {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		w := ownerTagWarner{logger: s.c.cfg.logger}
		for _, name := range names {
			if repeatsOwner(name, t.owner) {
				w.warn(ctx, name, slog.String("route", t.route.template+"/tags/{}"))
			}
		}
	}
	return s.c.writeEach(ctx, method, t, "tags", names, canonicalTag)
}

// repeatsOwner reports whether a tag is the name of its owner, or begins with it and a colon or hyphen.
// Letter case and the spaces around both are ignored.
func repeatsOwner(tag, owner string) bool {
	tag, owner = strings.TrimSpace(tag), strings.TrimSpace(owner)
	end := len(tag)
	left := utf8.RuneCountInString(owner)
	for i := range tag {
		if left == 0 {
			end = i
			break
		}
		left--
	}
	if owner == "" || !strings.EqualFold(tag[:end], owner) {
		return false
	}
	rest := strings.TrimSpace(tag[end:])
	return rest == "" || rest[0] == ':' || rest[0] == '-'
}

// ownerTagWarner logs tags that repeat the name of their owner, each once. It is not safe for concurrent
// use.
type ownerTagWarner struct {
	logger *slog.Logger // nil logs nothing
	warned map[string]bool
}

// mostOwnerTags is how many tags an ownerTagWarner logs.
const mostOwnerTags = 100

// warn logs a tag without its name, which somebody else may have written.
func (w *ownerTagWarner) warn(ctx context.Context, name string, where slog.Attr) {
	name = strings.ToLower(strings.TrimSpace(name))
	if w.logger == nil || w.warned[name] || len(w.warned) == mostOwnerTags {
		return
	}
	if w.warned == nil {
		w.warned = make(map[string]bool)
	}
	w.warned[name] = true
	w.logger.LogAttrs(ctx, slog.LevelWarn, "threatconnect: a tag repeats the owner's name, which the resource has already: use the bare word", where)
}

// writeEach checks all names, then sends one request per name below a resource. Adding a name is
// idempotent, so a POST may be retried.
func (c *Client) writeEach(ctx context.Context, method string, t target, what string, names []string, canonical func(string) (string, error)) error {
	routes := make([]route, len(names))
	for i, name := range names {
		name, err := canonical(name)
		if err != nil {
			return err
		}
		routes[i] = t.route.under(what, value(name))
		if routes[i].err != nil {
			return routes[i].err
		}
	}
	for _, r := range routes {
		if _, err := c.exchange(ctx, &call{method: method, route: r, query: ownerQuery(t.owner), idempotentPOST: true}, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func readTag(r *wire.Reader) Tag {
	var t Tag
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			t.Name = r.Text()
		case "description":
			t.Description = r.Text()
		case "webLink":
			t.WebLink = r.Text()
		default:
			keepExtra(&t.Extra, r)
		}
	}
	return t
}
