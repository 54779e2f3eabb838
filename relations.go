package threatconnect

import (
	"context"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// relations reads the resources that are related to a subject: a resource, a tag or a security label.
type relations struct {
	c *Client
	// find returns the target of the subject.
	find func() (target, error)
	// with returns the targets of the subject and of another resource, both in the same owner.
	with func(Resource) (t, other target, err error)
}

func (r relations) groups(ctx context.Context, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	o := copyOf(opts)
	return relatedTo(r.find, func(t target) iter.Seq2[Group, error] { return relatedGroups(ctx, r.c, t, o) })
}

func (r relations) group(ctx context.Context, group Resource) (Group, error) {
	t, other, err := r.withKind(group, kindGroup)
	if err != nil {
		return nil, err
	}
	def := groupDefOf(GroupType(other.typ))
	return one(ctx, r.c, t.get(other), []string{def.entity, "group"}, func(r *wire.Reader) Group { return readGroup(r, def) })
}

func (r relations) indicators(ctx context.Context, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return relatedTo(r.find, func(t target) iter.Seq2[Indicator, error] { return relatedIndicators(ctx, r.c, t, t.route, o) })
}

func (r relations) indicator(ctx context.Context, indicator Resource) (Indicator, error) {
	t, other, err := r.withKind(indicator, kindIndicator)
	if err != nil {
		return nil, err
	}
	def, err := r.c.definition(ctx, IndicatorType(other.typ))
	if err != nil {
		return nil, err
	}
	return one(ctx, r.c, t.get(other), def.singleKeys(), func(r *wire.Reader) Indicator { return readIndicator(r, def) })
}

func (r relations) tasks(ctx context.Context, opts *ListOptions) iter.Seq2[*Task, error] {
	o := copyOf(opts)
	return relatedTo(r.find, func(t target) iter.Seq2[*Task, error] {
		return related(ctx, r.c, t, o, t.route.under("tasks"), []string{"task"}, readTask)
	})
}

func (r relations) task(ctx context.Context, task Resource) (*Task, error) {
	t, other, err := r.withKind(task, kindTask)
	if err != nil {
		return nil, err
	}
	return one(ctx, r.c, t.get(other), []string{"task"}, readTask)
}

func (r relations) victims(ctx context.Context, opts *ListOptions) iter.Seq2[*Victim, error] {
	o := copyOf(opts)
	return relatedTo(r.find, func(t target) iter.Seq2[*Victim, error] {
		return related(ctx, r.c, t, o, t.route.under("victims"), []string{"victim"}, readVictimOf(t.owner))
	})
}

func (r relations) victim(ctx context.Context, victim Resource) (*Victim, error) {
	t, other, err := r.withKind(victim, kindVictim)
	if err != nil {
		return nil, err
	}
	return one(ctx, r.c, t.get(other), []string{"victim"}, readVictimOf(t.owner))
}

// withKind is with for a resource that must be of a kind.
func (r relations) withKind(resource Resource, want kind) (t, other target, err error) {
	t, other, err = r.with(resource)
	if err == nil && other.kind != want {
		err = &ValidationError{Field: string(want), Rule: "must be " + want.named() + ", not " + other.kind.named()}
	}
	return t, other, err
}

// get returns the call that reads other below t.
func (t target) get(other target) *call {
	t.route = t.route.join(other.route)
	return t.call(http.MethodGet, nil)
}

// call returns the call to a resource, with a JSON body unless it is nil.
func (t target) call(method string, body []byte) *call {
	c := &call{method: method, route: t.route, query: ownerQuery(t.owner)}
	if body != nil {
		c.body = jsonBody(body)
	}
	return c
}
