package threatconnect

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// RelatedGroupOptions selects groups that are related to a resource, a tag or a security label. Nil and
// the zero value read groups of all types.
//
// The list is read in the owner that the resource names, and otherwise in the client's default owner.
type RelatedGroupOptions struct {
	ListOptions
	// Type selects the groups of one type. A list of one type has the fields of the type, as the date
	// of an incident; a list of all types has what they have in common.
	Type GroupType `url:"-"`
}

// RelatedIndicatorOptions selects indicators that are related to a resource, a tag or a security label.
// Nil and the zero value read indicators of all types. The list is read in the same owner as for
// [RelatedGroupOptions].
type RelatedIndicatorOptions struct {
	ListOptions
	// Type selects the indicators of one type. A list of one type has the fields of the type, as the
	// size of a file; a list of all types has what they have in common. A list never has the additional
	// fields: read an indicator with Get for those.
	Type IndicatorType `url:"-"`
}

// related reads what is related to the thing at t: the list at r, which lies below t.
//
// 404 means an empty list on some versions of the platform, and a missing t on all of them: one more
// request tells. A t without a route is not asked for.
func related[T any](ctx context.Context, c *Client, t target, o ListOptions, r route, keys []string, read func(*wire.Reader) T) iter.Seq2[T, error] {
	c = c.with(o.CallOptions)
	return pages(ctx, o, func(ctx context.Context, start, limit int) (*page[T], error) {
		q, err := optionQuery(ListOptions{Start: start, Limit: limit}, t.owner)
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

// relatedTo is related for the thing that find finds when the list is ranged over.
func relatedTo[T any](find func() (target, error), list func(target) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return deferred(func() iter.Seq2[T, error] {
		t, err := find()
		if err != nil {
			return failing[T](err)
		}
		return list(t)
	})
}

// relatedGroups reads the groups that are related to the thing at t.
func relatedGroups(ctx context.Context, c *Client, t target, o RelatedGroupOptions) iter.Seq2[Group, error] {
	if o.Type == "" {
		keys := []string{"group"}
		if t.kind == kindTask {
			keys = append(keys, "task") // under which the documentation shows the groups of a task
		}
		return related(ctx, c, t, o.ListOptions, t.route.under("groups"), keys, readAnyGroup)
	}
	def, err := knownGroupDef(o.Type)
	if err != nil {
		return failing[Group](err)
	}
	return related(ctx, c, t, o.ListOptions, t.route.join(def.collection()), []string{def.entity, "group"},
		func(r *wire.Reader) Group { return readGroup(r, def) })
}

// relatedGroup reads one group that is related to the thing at t.
func relatedGroup(ctx context.Context, c *Client, t, group target) (Group, error) {
	if group.kind != kindGroup {
		return nil, &ValidationError{Field: "group", Rule: "must be a group, not " + group.kind.named()}
	}
	def := groupDefOf(GroupType(group.typ))
	return one(ctx, c, &call{method: http.MethodGet, route: t.route.join(group.route), query: ownerQuery(t.owner)}, []string{def.entity, "group"},
		func(r *wire.Reader) Group { return readGroup(r, def) })
}

// relatedIndicators reads the indicators that are related to the thing at t: the lists below r.
func relatedIndicators(ctx context.Context, c *Client, t target, r route, o RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	if o.Type == "" {
		return related(ctx, c, t, o.ListOptions, r.under("indicators"), []string{"indicator"}, readAnyIndicator)
	}
	def, err := c.definition(ctx, o.Type)
	if err != nil {
		return failing[Indicator](err)
	}
	return related(ctx, c, t, o.ListOptions, r.join(def.collection()), []string{def.entity, "indicator"},
		func(r *wire.Reader) Indicator { return readIndicator(r, def) })
}

// join returns the route of other's place below r: associations name both ends in one path.
func (r route) join(other route) route {
	const version = "/v2"
	other.path = strings.TrimPrefix(other.path, version)
	other.template = strings.TrimPrefix(other.template, version)
	other.path, other.template = r.path+other.path, r.template+other.template
	if r.err != nil {
		other.err = r.err
	}
	return other
}
