package threatconnect

import (
	"cmp"
	"context"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// TagListOptions selects tags of the client's owner. Nil and the zero value select all.
type TagListOptions struct {
	ListOptions
	Filters  Filters `url:"filters,omitempty"`  // conditions on ByName and ByWeight
	Any      bool    `url:"orParams,omitempty"` // select tags that match any filter instead of all
	Detailed bool    `url:"detailed,omitempty"` // read the descriptions as well
}

// List reads one page of the owner's tags, without ATT&CK tags. It costs one request.
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

// Get reads one tag of the owner. If the owner does not have it, the error matches [ErrNotFound]. It
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
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route, query: ownerQuery(t.owner)}, []string{"tag"}, readTag)
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
	return s.send(ctx, http.MethodPost, target{route: at("v2", "tags"), owner: s.c.Owner()}, body)
}

// Update renames a tag of the owner or changes its description, and returns the changed tag. Everything
// that has the tag has it under the new name. Update sends the fields that the update sets; an update
// that sets none is a [*ValidationError]. It costs one request.
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
	return s.send(ctx, http.MethodPut, t, body)
}

func (s TagsService) send(ctx context.Context, method string, t target, body []byte) (Tag, error) {
	return one(ctx, s.c, &call{method: method, route: t.route, query: ownerQuery(t.owner), body: jsonBody(body)}, []string{"tag"}, readTag)
}

// Delete deletes a tag of the owner and detaches it from everything that has it. It costs one request.
//
//	API: DELETE /v2/tags/{tagName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Delete(ctx context.Context, name string) error {
	t, err := s.c.named(kindTag, name, "")
	if err != nil {
		return err
	}
	return s.c.write(ctx, http.MethodDelete, t.route, t.owner)
}

// Groups returns an iterator over the groups that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/groups
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Groups(ctx context.Context, tag string, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	return s.c.carriers(ctx, kindTag, tag).groups(ctx, opts)
}

// Group reads one group that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Group(ctx context.Context, tag string, group Resource) (Group, error) {
	return s.c.carriers(ctx, kindTag, tag).group(ctx, group)
}

// Indicators returns an iterator over the indicators that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/indicators
//	API: GET /v2/tags/{tagName}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Indicators(ctx context.Context, tag string, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	return s.c.carriers(ctx, kindTag, tag).indicators(ctx, opts)
}

// Tasks returns an iterator over the tasks that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Tasks(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Task, error] {
	return s.c.carriers(ctx, kindTag, tag).tasks(ctx, opts)
}

// Task reads one task that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tags/{tagName}/tasks/{associatedTaskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Task(ctx context.Context, tag string, task Resource) (*Task, error) {
	return s.c.carriers(ctx, kindTag, tag).task(ctx, task)
}

// Victims returns an iterator over the victims that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Victims(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Victim, error] {
	return s.c.carriers(ctx, kindTag, tag).victims(ctx, opts)
}

// Victim reads one victim that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
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

// named returns where a tag or a security label is in an owner; an empty owner means the client's.
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
