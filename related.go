package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// RelatedOptions says which part is read of a list of what hangs together with something: with a
// resource, a tag or a security label. Nil and the zero value read all of it.
type RelatedOptions struct {
	ListOptions
	// Owner is where the resource, tag or label is. Empty means the owner that the resource names,
	// or the client's default owner.
	Owner string `url:"owner,omitempty"`
}

// RelatedGroupOptions is [RelatedOptions] for groups. Nil and the zero value read groups of all
// types.
type RelatedGroupOptions struct {
	RelatedOptions
	// Type leaves out the groups of other types. A list of one type has the type's own fields, as
	// the date of an incident; a list of all types has what they have in common.
	Type GroupType `url:"-"`
}

// RelatedIndicatorOptions is [RelatedOptions] for indicators. Nil and the zero value read
// indicators of all types.
type RelatedIndicatorOptions struct {
	RelatedOptions
	// Type leaves out the indicators of other types. A list of one type has the type's own fields,
	// as the size of a file; a list of all types has what they have in common. For a type of the
	// instance's own, use the service that client.Indicators.Custom returns.
	Type IndicatorType `url:"-"`
}

// AssociatedWith reads the groups of the type that are associated with a resource, one request a
// page, each when it is needed. An error ends the sequence.
//
//	API: GET /v2/{resource}/groups/{associatedGroupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s *TypedGroups[T]) AssociatedWith(ctx context.Context, resource Resource, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.relatedTarget(resource, o.Owner)
	return groupsOfType[T](ctx, s.c, t, err, o.ListOptions, s.def)
}

// Tagged reads the groups of the type that carry a tag, one request a page, each when it is needed.
// An error ends the sequence. An ATT&CK tag cannot be read this way; see [TagsService].
//
//	API: GET /v2/tags/{tagName}/groups/{associatedGroupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s *TypedGroups[T]) Tagged(ctx context.Context, tag string, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.tagged(tag, o.Owner)
	return groupsOfType[T](ctx, s.c, t, err, o.ListOptions, s.def)
}

// Labeled reads the groups of the type that carry a security label, one request a page, each when
// it is needed. An error ends the sequence.
//
//	API: GET /v2/securityLabels/{securityLabelName}/groups/{groupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s *TypedGroups[T]) Labeled(ctx context.Context, label string, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.labeled(label, o.Owner)
	return groupsOfType[T](ctx, s.c, t, err, o.ListOptions, s.def)
}

// AssociatedWith reads the indicators of the type that are associated with a resource, one request
// a page, each when it is needed. An error ends the sequence. With a victim are listed the
// indicators that share a group with it.
//
//	API: GET /v2/{resource}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s *TypedIndicators[T]) AssociatedWith(ctx context.Context, resource Resource, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.relatedTarget(resource, o.Owner)
	return indicatorsOfType[T](ctx, s.c, t, err, t.route, o.ListOptions, s.def)
}

// Tagged reads the indicators of the type that carry a tag, one request a page, each when it is
// needed. An error ends the sequence. An ATT&CK tag cannot be read this way; see [TagsService].
//
//	API: GET /v2/tags/{tagName}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tags/tags.html
func (s *TypedIndicators[T]) Tagged(ctx context.Context, tag string, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.tagged(tag, o.Owner)
	return indicatorsOfType[T](ctx, s.c, t, err, t.route, o.ListOptions, s.def)
}

// Labeled reads the indicators of the type that carry a security label, one request a page, each
// when it is needed. An error ends the sequence.
//
//	API: GET /v2/securityLabels/{securityLabelName}/indicators/{indicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s *TypedIndicators[T]) Labeled(ctx context.Context, label string, opts *RelatedOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	t, err := s.c.labeled(label, o.Owner)
	return indicatorsOfType[T](ctx, s.c, t, err, t.route, o.ListOptions, s.def)
}

// A tag and a security label are what resources hang together with, too.
const (
	kindTag   kind = "tag"
	kindLabel kind = "security label"
)

// relatedTarget returns where a resource is whose relations are read. An owner that the call names comes
// before the one that the resource names.
func (c *Client) relatedTarget(r Resource, owner string) (target, error) {
	if isNil(r) {
		return target{}, errNilResource
	}
	t, err := r.target()
	if err == nil && t.kind == kindAttribute {
		err = &ValidationError{Field: "resource", Rule: "is an attribute, which nothing is associated with", Fix: "name the thing that the attribute hangs on"}
	}
	if err != nil {
		return target{}, err
	}
	t.owner = c.ownerOr(cmp.Or(owner, t.owner))
	return t, nil
}

// related reads what hangs together with what is at t: the list at r, which lies below t. It is
// given the error of finding t, so that it comes out of the sequence.
//
// 404 means that there is nothing on some versions of the platform, and that t itself is not there
// on all of them: one more request tells. A t without a route is not asked for.
func related[T any](ctx context.Context, c *Client, t target, err error, o ListOptions, r route, keys []string, read func(*wire.Reader) T) iter.Seq2[T, error] {
	return pages(ctx, o, func(ctx context.Context, start, limit int) (*page[T], error) {
		if err != nil {
			return nil, err
		}
		q, err := query.Values(RelatedOptions{ListOptions{Start: start, Limit: limit}, t.owner})
		if err != nil {
			return nil, err
		}
		p, err := list(ctx, c, &call{method: http.MethodGet, route: r, query: q}, limit, keys, read)
		if !nothingThere(err, start) || t.route.path == "" {
			return p, err
		}
		_, missing := c.exchange(ctx, &call{method: http.MethodGet, route: t.route, query: ownerQuery(t.owner)}, nil, nil)
		switch {
		case missing == nil:
			return &page[T]{Page: Page[T]{Items: []T{}}}, nil
		case errors.Is(missing, ErrNotFound):
			return nil, err
		}
		return nil, missing
	})
}

// relatedGroups reads the groups that hang together with what is at t.
func relatedGroups(ctx context.Context, c *Client, t target, err error, o RelatedGroupOptions) iter.Seq2[Group, error] {
	if o.Type == "" {
		keys := []string{"group"}
		if t.kind == kindTask {
			keys = append(keys, "task") // under which the documentation shows the groups of a task
		}
		return related(ctx, c, t, err, o.ListOptions, t.route.under("groups"), keys, readAnyGroup)
	}
	def := groupDefOf(o.Type)
	if def == nil {
		def, err = &groupDef{}, &ValidationError{Field: "group type", Rule: quoteForeign(string(o.Type)) + " is not one of the sixteen group types"}
	}
	return groupsOfType[Group](ctx, c, t, err, o.ListOptions, def)
}

func groupsOfType[T Group](ctx context.Context, c *Client, t target, err error, o ListOptions, def *groupDef) iter.Seq2[T, error] {
	return related(ctx, c, t, err, o, t.route.join(def.collection()), []string{def.entity, "group"},
		func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

// relatedGroup reads one group that hangs together with what is at t.
func relatedGroup(ctx context.Context, c *Client, t, group target) (Group, error) {
	if group.kind != kindGroup {
		return nil, &ValidationError{Field: "group", Rule: "want a group, not " + group.kind.named()}
	}
	def := groupDefOf(GroupType(group.typ))
	return one(ctx, c, &call{method: http.MethodGet, route: t.route.join(group.route), query: ownerQuery(t.owner)}, []string{def.entity, "group"},
		func(r *wire.Reader) Group { return readGroup(r, def) })
}

// relatedIndicators reads the indicators that hang together with what is at t.
func relatedIndicators(ctx context.Context, c *Client, t target, err error, o RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	return relatedIndicatorsAt(ctx, c, t, err, t.route, o)
}

// relatedIndicatorsAt is relatedIndicators where the lists do not lie right below t, but below r.
func relatedIndicatorsAt(ctx context.Context, c *Client, t target, err error, r route, o RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	if o.Type == "" {
		return related(ctx, c, t, err, o.ListOptions, r.under("indicators"), []string{"indicator"}, readAnyIndicator)
	}
	def := indicatorDefOf(o.Type)
	if def == nil || def.branch == "" {
		def, err = &indicatorDef{}, &ValidationError{
			Field: "indicator type",
			Rule:  fmt.Sprintf("%s is not a type with a list of this package", quoteForeign(string(o.Type))),
			Fix:   "read the type with client.Types and use the service that client.Indicators.Custom returns",
		}
	}
	return indicatorsOfType[Indicator](ctx, c, t, err, r, o.ListOptions, def)
}

func indicatorsOfType[T Indicator](ctx context.Context, c *Client, t target, err error, r route, o ListOptions, def *indicatorDef) iter.Seq2[T, error] {
	return related(ctx, c, t, err, o, r.join(def.collection()), []string{def.entity, "indicator"},
		func(r *wire.Reader) T { return readIndicator(r, def).(T) })
}

// join returns the route of other's place below r: associations name both ends in one path.
func (r route) join(other route) route {
	const version = "/v2"
	other.path = strings.TrimPrefix(other.path, version)
	other.template = strings.TrimPrefix(other.template, version)
	other.values = append(r.values[:len(r.values):len(r.values)], other.values...)
	other.path, other.template = r.path+other.path, r.template+other.template
	if r.err != nil {
		other.err = r.err
	}
	return other
}
