package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// SecurityLabel tells how something may be shared, as in TLP:AMBER.
type SecurityLabel struct {
	Name string `json:"name"`
	// Description and Color are required in a batch file for a label that the owner does not have. Color
	// is six hexadecimal digits without #.
	Description string    `json:"description,omitzero"`
	Color       string    `json:"color,omitzero"`
	DateAdded   time.Time `json:"dateAdded,omitzero"` // read only

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// SecurityLabelsService attaches the security labels of an owner to resources and to attributes, and
// finds what has a label. Only batch imports create labels.
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

// Add attaches security labels to a resource, or to an attribute that an [AttributeRef] names. The labels
// must exist in the owner. Add checks all names before it sends the first, costs one request per name and
// stops at the first error. It is idempotent and is retried.
//
//	API: POST /v2/{resource}/securityLabels/{securityLabelName}
//	API: POST /v2/{resource}/attributes/{attributeId}/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Add(ctx context.Context, on Labelable, names ...string) error {
	return s.each(ctx, http.MethodPost, on, names)
}

// Remove detaches security labels from a resource, or from an attribute that an [AttributeRef] names. It
// costs one request per name and stops at the first error.
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
		api.Hint = "the owner needs to have the security label, or the thing that it is applied to is not there: client.SecurityLabels.All lists the owner's labels"
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
