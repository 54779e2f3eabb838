package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Resource is anything that tags, attributes and associations can be attached to: every [Indicator]
// and [Group], every [*Task] and [*Victim], and the references [IndicatorRef], [GroupRef], [TaskRef]
// and [VictimRef], which name a thing without reading it first.
//
// A resource that was read knows its owner, and what is attached to it lands in that owner. One that
// names no owner is looked for in the client's default owner.
type Resource interface {
	Labelable
	// resource is what an attribute has not: attributes and associations of its own.
	resource()
}

// Labelable is anything that security labels can be attached to: every [Resource], and
// [AttributeRef].
type Labelable interface {
	// target returns where the thing is. It asks the platform for its indicator types if the thing is of
	// a type that this package does not know.
	target(ctx context.Context, c *Client) (target, error)
}

// kind is one of the platform's kinds of resources.
type kind string

const (
	kindIndicator kind = "indicator"
	kindGroup     kind = "group"
	kindTask      kind = "task"
	kindVictim    kind = "victim"
	kindAttribute kind = "attribute"
	kindTag       kind = "tag"
	kindLabel     kind = "security label"
)

// target is where a resource is.
type target struct {
	kind  kind
	typ   string // type name, as in Host or Incident; empty for tasks and victims
	route route
	owner string
}

// IndicatorRef names an indicator by its type and value. It is comparable.
type IndicatorRef struct {
	Type  IndicatorType // as in TypeHost, or the name of a type of the instance's own
	Value string        // in any form that Get accepts; a file is named by one of its hashes
	Owner string        // empty means the client's default owner

	asRead bool // the platform wrote the value, so it is sent as it is
}

func (r IndicatorRef) target(ctx context.Context, c *Client) (target, error) {
	def, err := c.definition(ctx, r.Type)
	if err != nil {
		return target{}, err
	}
	path, err := def.pathOfRef(r)
	if err != nil {
		return target{}, err
	}
	return target{kind: kindIndicator, typ: string(r.Type), route: def.at(path), owner: r.Owner}, nil
}

func (IndicatorRef) resource() {}

// GroupRef names a group by its type and id. It is comparable.
type GroupRef struct {
	Type  GroupType // as in GroupIncident
	ID    int64
	Owner string // empty means the client's default owner
}

func (r GroupRef) target(context.Context, *Client) (target, error) {
	def, err := knownGroupDef(r.Type)
	if err != nil {
		return target{}, err
	}
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: string(r.Type) + " id", Rule: "must be a positive number", Fix: "create the group first, or read it to learn its id"}
	}
	return target{kind: kindGroup, typ: string(r.Type), route: def.at(r.ID), owner: r.Owner}, nil
}

func (GroupRef) resource() {}

// AttributeRef names an attribute of a resource, for the security labels on it.
type AttributeRef struct {
	On Resource
	ID int64
}

func (r AttributeRef) target(ctx context.Context, c *Client) (target, error) {
	if isNil(r.On) {
		return target{}, errNilResource
	}
	t, err := r.On.target(ctx, c)
	if err != nil {
		return target{}, err
	}
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: "attribute id", Rule: "must be a positive number"}
	}
	return target{kind: kindAttribute, route: t.route.under("attributes", id(r.ID)), owner: t.owner}, nil
}

var errNilResource = &ValidationError{Field: "resource", Rule: "is nil"}

// targetOf returns where l is. Without an owner of its own, l is in the client's default owner.
func (c *Client) targetOf(ctx context.Context, l Labelable) (target, error) {
	if err := cmp.Or(c.usable(), checkContext(ctx)); err != nil {
		return target{}, err
	}
	if isNil(l) {
		return target{}, errNilResource
	}
	t, err := l.target(ctx, c)
	if err != nil {
		return target{}, err
	}
	t.owner = c.ownerOr(t.owner)
	return t, nil
}

// targetOfKind is targetOf for a resource that must be of a kind.
func (c *Client) targetOfKind(ctx context.Context, r Resource, want kind) (target, error) {
	t, err := c.targetOf(ctx, r)
	if err == nil && t.kind != want {
		err = &ValidationError{Field: "resource", Rule: "must be " + want.named() + ", not " + t.kind.named()}
	}
	return t, err
}

// targetOfType is targetOf for an indicator that must be of a type.
func (c *Client) targetOfType(ctx context.Context, r Resource, typ IndicatorType) (target, error) {
	t, err := c.targetOf(ctx, r)
	if err == nil {
		err = t.mustBe(typ)
	}
	return t, err
}

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
