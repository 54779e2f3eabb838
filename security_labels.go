package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// SecurityLabel is a rule for sharing a resource, for example TLP:AMBER.
type SecurityLabel struct {
	Name string `json:"name"`
	// Description and Color are required in a batch file for a label that the owner does not have. Color has six
	// hexadecimal digits without #.
	Description string    `json:"description,omitzero"`
	Color       string    `json:"color,omitzero"`
	DateAdded   time.Time `json:"dateAdded,omitzero"` // read only

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// SecurityLabelsService attaches the security labels of an owner to resources and attributes, and finds resources by
// label. Only batch imports create labels.
//
// The service is safe for concurrent use.
type SecurityLabelsService struct{ service }

// On returns the security labels of a resource, or of an attribute that an [AttributeRef] names. It costs
// one request per 500 labels.
//
//	API: GET /v2/{resource}/securityLabels
//	API: GET /v2/{resource}/attributes/{attributeId}/securityLabels
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) On(ctx context.Context, on Labelable) ([]SecurityLabel, error) {
	t, err := s.c.targetOf(ctx, on)
	if err != nil {
		return nil, err
	}
	return listOn(ctx, s.c, t, "securityLabel", readSecurityLabel)
}

// Add attaches security labels to a resource, or to an attribute that an [AttributeRef] names. The labels must exist
// in the owner; otherwise the error matches [ErrNotFound]. Add checks all names before it sends the first, costs one
// request per name and stops at the first error. It is idempotent and is retried.
//
//	API: POST /v2/{resource}/securityLabels/{securityLabelName}
//	API: POST /v2/{resource}/attributes/{attributeId}/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Add(ctx context.Context, on Labelable, names ...string) error {
	return s.each(ctx, http.MethodPost, on, names)
}

// Remove detaches security labels from a resource, or from an attribute that an [AttributeRef] names. If the resource
// does not have a label, the error matches [ErrNotFound]. Remove costs one request per name and stops at the first
// error.
//
//	API: DELETE /v2/{resource}/securityLabels/{securityLabelName}
//	API: DELETE /v2/{resource}/attributes/{attributeId}/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Remove(ctx context.Context, on Labelable, names ...string) error {
	return s.each(ctx, http.MethodDelete, on, names)
}

func (s SecurityLabelsService) each(ctx context.Context, method string, on Labelable, names []string) error {
	t, err := s.c.targetOf(ctx, on)
	if err != nil {
		return err
	}
	err = s.c.writeEach(ctx, method, t, "securityLabels", names, canonicalSecurityLabel)
	if api, ok := errors.AsType[*APIError](err); ok && method == http.MethodPost && errors.Is(api, ErrNotFound) && api.Hint == "" {
		api.Hint = "the owner does not have the security label, or the resource does not exist: client.SecurityLabels.All lists the owner's labels"
	}
	return err
}

func readSecurityLabel(r *wire.Reader) SecurityLabel {
	var l SecurityLabel
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			l.Name = r.Text()
		case "description":
			l.Description = r.Text()
		case "color":
			l.Color = r.Text()
		case "dateAdded":
			l.DateAdded = r.Time()
		default:
			keepExtra(&l.Extra, r)
		}
	}
	return l
}

// SecurityLabelListOptions selects security labels of the client's owner. Nil and the zero value select
// all.
type SecurityLabelListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions on ByName
	Any     bool    `url:"orParams,omitempty"` // select labels that match any filter instead of all
}

// List returns one page of the owner's security labels. It costs one request.
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

// Get returns one security label of the owner. If the owner does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Get(ctx context.Context, name string) (SecurityLabel, error) {
	t, err := s.c.named(kindLabel, name, "")
	if err != nil {
		return SecurityLabel{}, err
	}
	return one(ctx, s.c, t.call(http.MethodGet, nil), []string{"securityLabel"}, readSecurityLabel)
}

// Delete deletes a security label of the owner and detaches it from all resources and attributes. Only a batch import
// can create it again. Delete costs one request.
//
//	API: DELETE /v2/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Delete(ctx context.Context, name string) error {
	t, err := s.c.named(kindLabel, name, "")
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

// Groups returns an iterator over the groups that have a security label. It requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/groups
//	API: GET /v2/securityLabels/{securityLabelName}/groups/{groupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Groups(ctx context.Context, label string, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	return s.c.carriers(ctx, kindLabel, label).groups(ctx, opts)
}

// Group returns one group that has a security label. If it does not have the label, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/groups/{groupType}/{groupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Group(ctx context.Context, label string, group Resource) (Group, error) {
	return s.c.carriers(ctx, kindLabel, label).group(ctx, group)
}

// Indicators returns an iterator over the indicators that have a security label. It requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/indicators
//	API: GET /v2/securityLabels/{securityLabelName}/indicators/{indicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Indicators(ctx context.Context, label string, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	return s.c.carriers(ctx, kindLabel, label).indicators(ctx, opts)
}

// Indicator returns one indicator that has a security label. If it does not have the label, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/indicators/{indicatorType}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Indicator(ctx context.Context, label string, indicator Resource) (Indicator, error) {
	return s.c.carriers(ctx, kindLabel, label).indicator(ctx, indicator)
}

// Tasks returns an iterator over the tasks that have a security label. It requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Tasks(ctx context.Context, label string, opts *ListOptions) iter.Seq2[*Task, error] {
	return s.c.carriers(ctx, kindLabel, label).tasks(ctx, opts)
}

// Task returns one task that has a security label. If it does not have the label, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/tasks/{taskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Task(ctx context.Context, label string, task Resource) (*Task, error) {
	return s.c.carriers(ctx, kindLabel, label).task(ctx, task)
}

// Victims returns an iterator over the victims that have a security label. It requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/securityLabels/{securityLabelName}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Victims(ctx context.Context, label string, opts *ListOptions) iter.Seq2[*Victim, error] {
	return s.c.carriers(ctx, kindLabel, label).victims(ctx, opts)
}

// Victim returns one victim that has a security label. If it does not have the label, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/securityLabels/{securityLabelName}/victims/{victimId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Victim(ctx context.Context, label string, victim Resource) (*Victim, error) {
	return s.c.carriers(ctx, kindLabel, label).victim(ctx, victim)
}
