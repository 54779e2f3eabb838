package threatconnect

import (
	"cmp"
	"context"
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

// GroupRef refers to a group by its type and ID. It is comparable.
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

// AttributeRef refers to an attribute of a resource. It is used to attach security labels to the attribute.
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
