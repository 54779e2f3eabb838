package threatconnect

import "fmt"

// Resource is anything that tags, attributes, security labels and associations can hang on: every
// [Indicator] and [Group], every [*Task] and [*Victim], and the references [IndicatorRef],
// [GroupRef], [TaskRef] and [VictimRef], which name a thing without reading it first.
//
// A resource that was read knows its owner, so that what is hung on it lands in that owner. One
// that names no owner is looked for in the client's default owner.
type Resource interface {
	// target returns where the resource is, or why that cannot be said.
	target() (target, error)
}

// Labelable is what security labels can be applied to: every [Resource], and [AttributeRef].
type Labelable interface {
	target() (target, error)
}

// kind says which of the platform's kinds of resources something is.
type kind string

const (
	kindIndicator kind = "indicator"
	kindGroup     kind = "group"
	kindTask      kind = "task"
	kindVictim    kind = "victim"
	kindAttribute kind = "attribute"
)

// target is where a resource is.
type target struct {
	kind  kind
	typ   string // type name, as in Host or Incident; empty for tasks and victims
	route route
	owner string
}

// IndicatorRef names an indicator by its type and value.
type IndicatorRef struct {
	Type  IndicatorType // as in TypeHost
	Value string        // in any form that Get takes; a file is named by one of its hashes
	Owner string        // empty means the client's default owner
	// Branch is the path segment of a custom type, as [IndicatorTypeInfo] has it. It stays empty
	// for the types of this package.
	Branch string
}

func (r IndicatorRef) target() (target, error) {
	def := indicatorDefOf(r.Type)
	if (def == nil || def.branch == "") && r.Branch == "" {
		return target{}, &ValidationError{
			Field: "indicator type",
			Rule:  fmt.Sprintf("%s has no place that this package knows", quoteForeign(string(r.Type))),
			Fix:   "set Branch to the path segment that client.Types lists for it",
		}
	}
	if def == nil || def.branch == "" {
		def = &indicatorDef{typ: r.Type, branch: r.Branch}
	}
	path, err := def.pathValue(r.Value)
	if err != nil {
		return target{}, err
	}
	return target{kind: kindIndicator, typ: string(r.Type), route: def.at(path), owner: r.Owner}, nil
}

// GroupRef names a group by its type and id.
type GroupRef struct {
	Type  GroupType // as in GroupIncident
	ID    int64
	Owner string // empty means the client's default owner
}

func (r GroupRef) target() (target, error) {
	def := groupDefOf(r.Type)
	if def == nil {
		return target{}, &ValidationError{Field: "group type", Rule: fmt.Sprintf("%s is not one of the sixteen group types", quoteForeign(string(r.Type)))}
	}
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: string(r.Type) + " id", Rule: "want a positive number", Fix: "create the group first, or read it to learn its id"}
	}
	return target{kind: kindGroup, typ: string(r.Type), route: def.at(r.ID), owner: r.Owner}, nil
}

// AttributeRef names an attribute of a resource, for the security labels on it.
type AttributeRef struct {
	On Resource
	ID int64
}

func (r AttributeRef) target() (target, error) {
	if isNil(r.On) {
		return target{}, errNilResource
	}
	t, err := r.On.target()
	if err != nil {
		return target{}, err
	}
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: "attribute id", Rule: "want a positive number"}
	}
	return target{kind: kindAttribute, route: t.route.under("attributes", id(r.ID)), owner: t.owner}, nil
}

var errNilResource = &ValidationError{Field: "resource", Rule: "is nil"}

// targetOf returns where l is, with the client's default owner filled in.
func (c *Client) targetOf(l Labelable) (target, error) {
	if isNil(l) {
		return target{}, errNilResource
	}
	t, err := l.target()
	if err != nil {
		return target{}, err
	}
	t.owner = c.ownerOr(t.owner)
	return t, nil
}

// indicatorTarget returns where r is, and refuses what is not an indicator.
func (c *Client) indicatorTarget(r Resource) (target, error) {
	t, err := c.targetOf(r)
	if err == nil && t.kind != kindIndicator {
		err = &ValidationError{Field: "resource", Rule: "want an indicator, not a " + string(t.kind)}
	}
	return t, err
}
