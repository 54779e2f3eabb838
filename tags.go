package threatconnect

import (
	"context"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Tag is a word that hangs on resources.
type Tag struct {
	Name        string `json:"name"`                 // 1 to 128 characters
	Description string `json:"description,omitzero"` // read where the platform sends it; not part of batch files
	WebLink     string `json:"webLink,omitzero"`     // read only; never fetched
}

// TagUpdate holds the fields of a tag that [TagsService.Update] changes. Nil fields stay as they are.
type TagUpdate struct {
	Name        *string // 1 to 128 characters; cannot be cleared
	Description *string // "" clears it
}

// TagsService reads and writes the tags of an owner, puts them on resources and takes them off. It
// is safe for concurrent use.
//
// A tag that matches an ATT&CK technique or a normalization rule of the instance is converted by
// the platform: what On lists can differ from what was added. An ATT&CK tag is named by the
// technique's name alone (Phishing, not T1566 - Phishing); List and All leave it out, and what
// carries it cannot be read.
type TagsService struct{ service }

// On lists the tags of a resource. It costs one request a 500 tags.
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

// Add puts tags on a resource; those that do not exist are created. All names are checked before
// the first is sent. It costs one request a name and stops at the first error; a request whose
// outcome is not known is tried again, because a tag that is there already stays as it is. A tag
// should be the bare word: the owner already says which source it comes from.
//
//	API: POST /v2/{resource}/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Add(ctx context.Context, resource Resource, names ...string) error {
	return s.each(ctx, http.MethodPost, resource, names)
}

// Remove takes tags off a resource; the tags themselves stay. It costs one request a name and
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
	return s.c.writeEach(ctx, method, t, "tags", names, CanonicalTag)
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
			r.Skip()
		}
	}
	return t
}
