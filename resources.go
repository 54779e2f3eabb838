package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Resource is an object to which tags, attributes and associations can be attached: an [Indicator], a [Group],
// a [*Task] or a [*Victim]. An [IndicatorRef], [GroupRef], [TaskRef] or [VictimRef] refers to a resource without
// reading it first.
//
// A resource that was read from the platform remembers its owner, and calls use that owner. Otherwise calls use
// the client's default owner.
type Resource interface {
	Labelable
	// resource distinguishes a Resource from an AttributeRef.
	resource()
}

// Labelable is an object to which security labels can be attached: a [Resource] or an [AttributeRef].
type Labelable interface {
	// target returns the place of the object. For a custom indicator type, it may request the types of the
	// instance.
	target(ctx context.Context, c *Client) (target, error)
}

// kind is a kind of resources.
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

// target is the place of a resource on the platform.
type target struct {
	kind  kind
	typ   string // type name, for example Host or Incident; empty for tasks and victims
	route route
	owner string
}

// IndicatorRef refers to an indicator by its type and value. It is comparable.
type IndicatorRef struct {
	Type  IndicatorType // for example TypeHost, or the name of a custom type
	Value string        // in any notation that Get accepts; for a file, one of its hashes
	Owner string        // empty means the client's default owner

	asRead bool // the value comes from the platform and is sent unchanged
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

// GroupRef refers to a group by its type and id. It is comparable.
type GroupRef struct {
	Type  GroupType // for example GroupIncident
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

// AttributeRef refers to an attribute of a resource, for its security labels.
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

// targetOf returns the target of l, with the client's default owner if l has none.
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

// targetOfKind is targetOf for a resource of one kind.
func (c *Client) targetOfKind(ctx context.Context, r Resource, want kind) (target, error) {
	t, err := c.targetOf(ctx, r)
	if err == nil && t.kind != want {
		err = &ValidationError{Field: "resource", Rule: "must be " + want.named() + ", not " + t.kind.named()}
	}
	return t, err
}

// targetOfType is targetOf for an indicator of one type.
func (c *Client) targetOfType(ctx context.Context, r Resource, typ IndicatorType) (target, error) {
	t, err := c.targetOf(ctx, r)
	if err == nil {
		err = t.mustBe(typ)
	}
	return t, err
}

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

// relatedGroup reads one group that is related to t.
func relatedGroup(ctx context.Context, c *Client, t, group target) (Group, error) {
	if group.kind != kindGroup {
		return nil, &ValidationError{Field: "group", Rule: "must be a group, not " + group.kind.named()}
	}
	def := groupDefOf(GroupType(group.typ))
	return one(ctx, c, &call{method: http.MethodGet, route: t.route.join(group.route), query: ownerQuery(t.owner)}, []string{def.entity, "group"},
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
