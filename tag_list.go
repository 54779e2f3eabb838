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
	t, err := s.c.tagged(name, "")
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
	t, err := s.c.tagged(name, "")
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
	t, err := s.c.tagged(name, "")
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
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.tagged(tag, "") },
		func(t target) iter.Seq2[Group, error] { return relatedGroups(ctx, s.c, t, o) })
}

// Group reads one group that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Group(ctx context.Context, tag string, group Resource) (Group, error) {
	t, g, err := s.with(ctx, tag, group)
	if err != nil {
		return nil, err
	}
	return relatedGroup(ctx, s.c, t, g)
}

// Indicators returns an iterator over the indicators that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/indicators
//	API: GET /v2/tags/{tagName}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Indicators(ctx context.Context, tag string, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.tagged(tag, "") },
		func(t target) iter.Seq2[Indicator, error] { return relatedIndicators(ctx, s.c, t, t.route, o) })
}

// Tasks returns an iterator over the tasks that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Tasks(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Task, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.tagged(tag, "") },
		func(t target) iter.Seq2[*Task, error] { return relatedTasks(ctx, s.c, t, o) })
}

// Task reads one task that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tags/{tagName}/tasks/{associatedTaskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Task(ctx context.Context, tag string, task Resource) (*Task, error) {
	t, other, err := s.with(ctx, tag, task)
	if err != nil {
		return nil, err
	}
	return relatedTask(ctx, s.c, t, other)
}

// Victims returns an iterator over the victims that have a tag. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tags/{tagName}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Victims(ctx context.Context, tag string, opts *ListOptions) iter.Seq2[*Victim, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.tagged(tag, "") },
		func(t target) iter.Seq2[*Victim, error] { return relatedVictims(ctx, s.c, t, o) })
}

// Victim reads one victim that has a tag. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tags/{tagName}/victims/{associatedVictimId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s TagsService) Victim(ctx context.Context, tag string, victim Resource) (*Victim, error) {
	t, other, err := s.with(ctx, tag, victim)
	if err != nil {
		return nil, err
	}
	return relatedVictim(ctx, s.c, t, other)
}

// with returns where a tag is, and where the thing is that may carry it. Both are in the owner
// that the thing names.
func (s TagsService) with(ctx context.Context, tag string, r Resource) (t, thing target, err error) {
	if thing, err = s.c.targetOf(ctx, r); err != nil {
		return t, thing, err
	}
	t, err = s.c.tagged(tag, thing.owner)
	return t, thing, err
}

// tagged returns where a tag is.
func (c *Client) tagged(name, owner string) (target, error) {
	name, err := canonicalTag(name)
	if err != nil {
		return target{}, err
	}
	return target{kind: kindTag, route: at("v2", "tags", value(name)), owner: c.ownerOr(owner)}, nil
}
