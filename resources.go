package threatconnect

import (
	"cmp"
	"context"
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
