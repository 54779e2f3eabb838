package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Tag is a keyword attached to resources.
type Tag struct {
	Name        string `json:"name"`                 // 1 to 128 characters
	Description string `json:"description,omitzero"` // absent from some lists and from batch files
	WebLink     string `json:"webLink,omitzero"`     // read only; never fetched

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// TagUpdate has the fields of a tag that [TagsService.Update] changes. Nil fields do not change.
type TagUpdate struct {
	Name        *string // 1 to 128 characters; cannot be cleared
	Description *string // "" clears it
}

// TagsService manages the tags of an owner and attaches them to resources. Most programs need only Add,
// Remove and On, which take a resource; Groups, Indicators, Tasks and Victims find resources by tag.
//
// The platform converts tags that match an ATT&CK technique or a normalization rule of the instance, so On can
// return other tags than Add sent. Methods name an ATT&CK tag by the technique's name alone: Phishing instead of
// T1566 - Phishing. List and All do not return ATT&CK tags, and the platform does not list resources by them.
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

// Add attaches tags to a resource and creates the tags that do not exist. It checks all names before it sends the
// first, costs one request per name and stops at the first error. Add is idempotent and is retried.
//
// A tag needs no prefix for its source, which the owner already names. Add logs a warning, if the client has a
// logger, for a tag that repeats the owner's name, and adds it.
//
//	API: POST /v2/{resource}/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Add(ctx context.Context, resource Resource, names ...string) error {
	return s.each(ctx, http.MethodPost, resource, names)
}

// Remove detaches tags from a resource; the tags stay in the owner. If the resource does not have a tag, the error
// matches [ErrNotFound]. Remove costs one request per name and stops at the first error.
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

// repeatsOwner reports whether a tag is the name of its owner, or begins with the name and a colon or hyphen. It
// ignores case and surrounding spaces.
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

// ownerTagWarner logs each tag that repeats the name of its owner once. It is not safe for concurrent use.
type ownerTagWarner struct {
	logger *slog.Logger // nil logs nothing
	warned map[string]bool
}

// mostOwnerTags is the maximum number of tags that an ownerTagWarner logs.
const mostOwnerTags = 100

// warn logs a tag without its name, which can be foreign text.
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

// TagListOptions selects tags of the client's owner. Nil and the zero value select all.
type TagListOptions struct {
	ListOptions
	Filters  Filters `url:"filters,omitempty"`  // conditions on ByName and ByWeight
	Any      bool    `url:"orParams,omitempty"` // select tags that match any filter instead of all
	Detailed bool    `url:"detailed,omitempty"` // read the descriptions as well
}

// List returns one page of the owner's tags, without ATT&CK tags. It costs one request.
//
//	API: GET /v2/tags
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) List(ctx context.Context, opts *TagListOptions) (*Page[Tag], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the owner's tags, without ATT&CK tags. It requests a page only when the
// loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) All(ctx context.Context, opts *TagListOptions) iter.Seq2[Tag, error] {
	return s.lister(opts).all(ctx)
}

func (s TagsService) lister(opts *TagListOptions) lister[Tag] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	err = cmp.Or(o.Filters.check("tags", "name", "weight"), err)
	return lister[Tag]{client: s.c, options: o.ListOptions, route: at("v2", "tags"), query: q, keys: []string{"tag"}, read: readTag, err: err}
}

// Get returns one tag of the owner. If the owner does not have it, the error matches [ErrNotFound]. It
// costs one request.
//
//	API: GET /v2/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Get(ctx context.Context, name string) (Tag, error) {
	t, err := s.c.named(kindTag, name, "")
	if err != nil {
		return Tag{}, err
	}
	return one(ctx, s.c, t.call(http.MethodGet, nil), []string{"tag"}, readTag)
}

// Create creates a tag in the owner and returns it. Only tags with a description need it:
// [TagsService.Add] creates tags that do not exist. It costs one request and is not retried after an
// unknown outcome.
//
//	API: POST /v2/tags
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Create(ctx context.Context, tag Tag) (Tag, error) {
	name, err := canonicalTag(tag.Name)
	if err != nil {
		return Tag{}, err
	}
	var w wire.Writer
	w.BeginObject()
	text(&w, "name", name)
	text(&w, "description", tag.Description)
	w.EndObject()
	body, err := written(&w, "tag")
	if err != nil {
		return Tag{}, err
	}
	t := target{route: at("v2", "tags"), owner: s.c.Owner()}
	return one(ctx, s.c, t.call(http.MethodPost, body), []string{"tag"}, readTag)
}

// Update renames a tag of the owner or changes its description, and returns the changed tag. Resources that have the
// tag keep it under its new name. Update sends only the fields that update sets, and returns a [*ValidationError]
// if none is set. It costs one request.
//
//	API: PUT /v2/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Update(ctx context.Context, name string, update TagUpdate) (Tag, error) {
	t, err := s.c.named(kindTag, name, "")
	if err != nil {
		return Tag{}, err
	}
	newName, err := canonicalUpdate(update.Name, canonicalTag)
	if err != nil {
		return Tag{}, err
	}
	body, err := updateBody("TagUpdate", "tag", []updateField{
		{name: "Name", key: "name", value: newName, filled: true},
		{name: "Description", key: "description", value: update.Description},
	})
	if err != nil {
		return Tag{}, err
	}
	return one(ctx, s.c, t.call(http.MethodPut, body), []string{"tag"}, readTag)
}

// Delete deletes a tag of the owner and detaches it from all resources. It costs one request.
//
//	API: DELETE /v2/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Delete(ctx context.Context, name string) error {
	t, err := s.c.named(kindTag, name, "")
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

// Groups returns an iterator over the groups that have a tag. It requests a page only when the loop reaches it.
// If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/groups
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Groups(ctx context.Context, tag string, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	return s.c.carriers(ctx, kindTag, tag).groups(ctx, opts)
}

// Group returns one group that has a tag. If it does not have the tag, the error matches [ErrNotFound]. It costs one
// request.
//
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Group(ctx context.Context, tag string, group Resource) (Group, error) {
	return s.c.carriers(ctx, kindTag, tag).group(ctx, group)
}

// Indicators returns an iterator over the indicators that have a tag. It requests a page only when the loop reaches it.
// If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/indicators
//	API: GET /v2/tags/{tagName}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Indicators(ctx context.Context, tag string, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	return s.c.carriers(ctx, kindTag, tag).indicators(ctx, opts)
}

// Tasks returns an iterator over the tasks that have a tag. It requests a page only when the loop reaches it.
// If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Tasks(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Task, error] {
	return s.c.carriers(ctx, kindTag, tag).tasks(ctx, opts)
}

// Task returns one task that has a tag. If it does not have the tag, the error matches [ErrNotFound]. It costs one
// request.
//
//	API: GET /v2/tags/{tagName}/tasks/{associatedTaskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Task(ctx context.Context, tag string, task Resource) (*Task, error) {
	return s.c.carriers(ctx, kindTag, tag).task(ctx, task)
}

// Victims returns an iterator over the victims that have a tag. It requests a page only when the loop reaches it.
// If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Victims(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Victim, error] {
	return s.c.carriers(ctx, kindTag, tag).victims(ctx, opts)
}

// Victim returns one victim that has a tag. If it does not have the tag, the error matches [ErrNotFound]. It costs one
// request.
//
//	API: GET /v2/tags/{tagName}/victims/{associatedVictimId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Victim(ctx context.Context, tag string, victim Resource) (*Victim, error) {
	return s.c.carriers(ctx, kindTag, tag).victim(ctx, victim)
}

// carriers returns the relations of a tag or a security label to the resources that have it.
func (c *Client) carriers(ctx context.Context, k kind, name string) relations {
	return relations{
		c:    c,
		find: func() (target, error) { return c.named(k, name, "") },
		with: func(r Resource) (t, other target, err error) {
			if other, err = c.targetOf(ctx, r); err == nil {
				t, err = c.named(k, name, other.owner)
			}
			return t, other, err
		},
	}
}

// named returns the target of a tag or a security label in an owner. An empty owner means the client's owner.
func (c *Client) named(k kind, name, owner string) (target, error) {
	branch, canonical := "tags", canonicalTag
	if k == kindLabel {
		branch, canonical = "securityLabels", canonicalSecurityLabel
	}
	name, err := canonical(name)
	if err != nil {
		return target{}, err
	}
	return target{kind: k, route: at("v2", branch, value(name)), owner: c.ownerOr(owner)}, nil
}
