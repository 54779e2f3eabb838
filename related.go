package threatconnect

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// RelatedGroupOptions selects the groups that are related to a resource, a tag or a security label. Nil and
// the zero value select groups of all types.
//
// The list is read in the owner of the resource, or in the client's default owner if the resource has none.
type RelatedGroupOptions struct {
	ListOptions
	// Type, if not empty, selects groups of one type. Their type-specific fields, for example the date of
	// an incident, are set only if Type is set.
	Type GroupType `url:"-"`
}

// RelatedIndicatorOptions selects the indicators that are related to a resource, a tag or a security label.
// Nil and the zero value select indicators of all types. The list is read in the same owner as for
// [RelatedGroupOptions].
type RelatedIndicatorOptions struct {
	ListOptions
	// Type, if not empty, selects indicators of one type. Their type-specific fields, for example the
	// size of a file, are set only if Type is set. Lists do not contain the additional fields; use Get to
	// read them.
	Type IndicatorType `url:"-"`
}

// related reads the list at r, which is below t.
//
// A 404 means an empty list on some versions of the platform, and a missing t on all of them. related sends one
// more request for t, if t has a route, to distinguish them.
func related[T any](ctx context.Context, c *Client, t target, o ListOptions, r route, keys []string, read func(*wire.Reader) T) iter.Seq2[T, error] {
	c = c.with(o.CallOptions)
	return pages(ctx, o, func(ctx context.Context, start, limit int) (*page[T], error) {
		q, err := optionQuery(ListOptions{Start: start, Limit: limit}, t.owner)
		if err != nil {
			return nil, err
		}
		p, err := list(ctx, c, &call{method: http.MethodGet, route: r, query: q}, limit, keys, read)
		if !isEmptyList(err, start) || t.route.path == "" {
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

// relatedTo returns list for the target that find returns when the loop begins.
func relatedTo[T any](find func() (target, error), list func(target) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return deferred(func() iter.Seq2[T, error] {
		t, err := find()
		if err != nil {
			return failing[T](err)
		}
		return list(t)
	})
}

// relatedGroups reads the groups that are related to t.
func relatedGroups(ctx context.Context, c *Client, t target, o RelatedGroupOptions) iter.Seq2[Group, error] {
	if o.Type == "" {
		keys := []string{"group"}
		if t.kind == kindTask {
			keys = append(keys, "task") // the documented key for groups of a task
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

// relatedIndicators reads the indicators that are related to t, from the lists below r.
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
