package threatconnect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// SecurityLabel says how something may be shared, as in TLP:AMBER.
type SecurityLabel struct {
	Name string `json:"name"`
	// Description and Color are needed in a batch file that brings a label which the owner does not
	// have yet. Color is six hexadecimal digits without #.
	Description string    `json:"description,omitzero"`
	Color       string    `json:"color,omitzero"`
	DateAdded   time.Time `json:"dateAdded,omitzero"` // read only
}

// SecurityLabelsService reads the security labels of an owner, and applies them to resources and to
// their attributes. It is safe for concurrent use.
//
// Labels are created by batch files only.
type SecurityLabelsService struct{ service }

// On lists the security labels of a resource, or of an attribute that an [AttributeRef] names. It
// costs one request a 500 labels.
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

// Add puts security labels on a resource, or on an attribute that an [AttributeRef] names. The
// labels must exist in the owner; only batch files create them. It costs one request a name and
// stops at the first error; a request whose outcome is not known is tried again, because a label
// that is there already stays as it is.
//
//	API: POST /v2/{resource}/securityLabels/{securityLabelName}
//	API: POST /v2/{resource}/attributes/{attributeId}/securityLabels/{securityLabelName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/security_labels/security_labels.html
func (s SecurityLabelsService) Add(ctx context.Context, on Labelable, names ...string) error {
	return s.each(ctx, http.MethodPost, on, names)
}

// Remove takes security labels off a resource, or off an attribute that an [AttributeRef] names. It
// costs one request a name and stops at the first error.
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
	err = s.c.writeEach(ctx, method, t, "securityLabels", names, CanonicalSecurityLabel)
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
			r.Skip()
		}
	}
	return l
}
