package threatconnect

import (
	"cmp"
	"context"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// SecurityLabelListOptions selects security labels of the client's owner. Nil and the zero value select
// all.
type SecurityLabelListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions on ByName
	Any     bool    `url:"orParams,omitempty"` // select labels that match any filter instead of all
}

// List reads one page of the owner's security labels. It costs one request.
//
//	API: GET /v2/securityLabels
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) List(ctx context.Context, opts *SecurityLabelListOptions) (*Page[SecurityLabel], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the owner's security labels and requests a page only when the loop reaches
// it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) All(ctx context.Context, opts *SecurityLabelListOptions) iter.Seq2[SecurityLabel, error] {
	return s.lister(opts).all(ctx)
}

func (s SecurityLabelsService) lister(opts *SecurityLabelListOptions) lister[SecurityLabel] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	err = cmp.Or(o.Filters.check("security labels", "name"), err)
	return lister[SecurityLabel]{
		client: s.c, options: o.ListOptions, route: at("v2", "securityLabels"), query: q,
		keys: []string{"securityLabel"}, read: readSecurityLabel, err: err,
	}
}

// Get reads one security label of the owner. If the owner does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Get(ctx context.Context, name string) (SecurityLabel, error) {
	t, err := s.c.labeled(name, "")
	if err != nil {
		return SecurityLabel{}, err
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route, query: ownerQuery(t.owner)}, []string{"securityLabel"}, readSecurityLabel)
}

// Delete deletes a security label of the owner and detaches it from everything that has it. Only a batch
// import can create it again. It costs one request.
//
//	API: DELETE /v2/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Delete(ctx context.Context, name string) error {
	t, err := s.c.labeled(name, "")
	if err != nil {
		return err
	}
	return s.c.write(ctx, http.MethodDelete, t.route, t.owner)
}

// Groups returns an iterator over the groups that have a security label. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/groups
//	API: GET /v2/securityLabels/{securityLabelName}/groups/{groupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Groups(ctx context.Context, label string, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.labeled(label, "") },
		func(t target) iter.Seq2[Group, error] { return relatedGroups(ctx, s.c, t, o) })
}

// Group reads one group that has a security label. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/groups/{groupType}/{groupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Group(ctx context.Context, label string, group Resource) (Group, error) {
	t, g, err := s.with(ctx, label, group)
	if err != nil {
		return nil, err
	}
	return relatedGroup(ctx, s.c, t, g)
}

// Indicators returns an iterator over the indicators that have a security label. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/indicators
//	API: GET /v2/securityLabels/{securityLabelName}/indicators/{indicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Indicators(ctx context.Context, label string, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.labeled(label, "") },
		func(t target) iter.Seq2[Indicator, error] { return relatedIndicators(ctx, s.c, t, t.route, o) })
}

// Indicator reads one indicator that has a security label. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/indicators/{indicatorType}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Indicator(ctx context.Context, label string, indicator Resource) (Indicator, error) {
	t, i, err := s.with(ctx, label, indicator)
	if err != nil {
		return nil, err
	}
	if i.kind != kindIndicator {
		return nil, &ValidationError{Field: "indicator", Rule: "must be an indicator, not " + i.kind.named()}
	}
	def, err := s.c.definition(ctx, IndicatorType(i.typ))
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route.join(i.route), query: ownerQuery(t.owner)}, def.singleKeys(),
		func(r *wire.Reader) Indicator { return readIndicator(r, def) })
}

// Tasks returns an iterator over the tasks that have a security label. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Tasks(ctx context.Context, label string, opts *ListOptions) iter.Seq2[*Task, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.labeled(label, "") },
		func(t target) iter.Seq2[*Task, error] { return relatedTasks(ctx, s.c, t, o) })
}

// Task reads one task that has a security label. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/tasks/{taskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Task(ctx context.Context, label string, task Resource) (*Task, error) {
	t, other, err := s.with(ctx, label, task)
	if err != nil {
		return nil, err
	}
	return relatedTask(ctx, s.c, t, other)
}

// Victims returns an iterator over the victims that have a security label. It requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Victims(ctx context.Context, label string, opts *ListOptions) iter.Seq2[*Victim, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.labeled(label, "") },
		func(t target) iter.Seq2[*Victim, error] { return relatedVictims(ctx, s.c, t, o) })
}

// Victim reads one victim that has a security label. If it does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/victims/{victimId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Victim(ctx context.Context, label string, victim Resource) (*Victim, error) {
	t, other, err := s.with(ctx, label, victim)
	if err != nil {
		return nil, err
	}
	return relatedVictim(ctx, s.c, t, other)
}

// with returns where a security label is, and where the thing is that may carry it. Both are in the owner
// that the thing names.
func (s SecurityLabelsService) with(ctx context.Context, label string, r Resource) (t, thing target, err error) {
	if thing, err = s.c.targetOf(ctx, r); err != nil {
		return t, thing, err
	}
	t, err = s.c.labeled(label, thing.owner)
	return t, thing, err
}

// labeled returns where a security label is.
func (c *Client) labeled(name, owner string) (target, error) {
	name, err := canonicalSecurityLabel(name)
	if err != nil {
		return target{}, err
	}
	return target{kind: kindLabel, route: at("v2", "securityLabels", value(name)), owner: c.ownerOr(owner)}, nil
}
