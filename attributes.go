package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// An Attribute is a typed text value attached to a resource.
type Attribute struct {
	ID           int64     `json:"id,omitzero"`           // read only
	Type         string    `json:"type"`                  // name of the attribute type, for example Description; client.Types.Attributes lists the types
	Value        string    `json:"value"`                 // required
	Displayed    *bool     `json:"displayed,omitzero"`    // whether it is the default; sent for the types Description and Source only, because the platform ignores it for others
	Source       string    `json:"source,omitzero"`       // source of the value
	Pinned       *bool     `json:"pinned,omitzero"`       // written by batch files only
	DateAdded    time.Time `json:"dateAdded,omitzero"`    // read only
	LastModified time.Time `json:"lastModified,omitzero"` // read only
	XID          string    `json:"xid,omitzero"`          // read only
	// SecurityLabels has the labels of the attribute. Batch files write them; otherwise, attach them to an
	// AttributeRef.
	SecurityLabels []SecurityLabel `json:"securityLabel,omitzero"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// AttributeUpdate has the fields of an attribute that Update changes. Nil fields do not change; a pointer to ""
// clears Source. The platform requires Value in every update, even if it does not change; without it, Update
// returns a [*ValidationError].
type AttributeUpdate struct {
	Value     *string // required
	Displayed *bool   // whether it is the default; the platform ignores it unless the type is Description or Source
	Source    *string // source of the value
}

// AttributesService reads and writes the attributes of indicators, groups, tasks and victims. It is safe for
// concurrent use.
type AttributesService struct{ service }

// On returns the attributes of a resource, with their xids. It costs one request per 500 attributes.
//
//	API: GET /v2/{resource}/attributes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s AttributesService) On(ctx context.Context, resource Resource) ([]Attribute, error) {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return nil, err
	}
	return listOn(ctx, s.c, t, "attribute", readAttribute)
}

// Get returns one attribute of a resource by its ID. If the resource does not have the attribute, the error matches
// [ErrNotFound]. Get costs one request.
//
//	API: GET /v2/{resource}/attributes/{attributeId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s AttributesService) Get(ctx context.Context, resource Resource, attributeID int64) (Attribute, error) {
	t, err := s.c.targetOf(ctx, AttributeRef{resource, attributeID})
	if err != nil {
		return Attribute{}, err
	}
	return one(ctx, s.c, t.call(http.MethodGet, nil), []string{"attribute"}, readAttribute)
}

// Add attaches an attribute to a resource and returns it with its ID. It costs one request and is not retried after
// an unknown outcome, because a retry could add the attribute twice.
//
//	API: POST /v2/{resource}/attributes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s AttributesService) Add(ctx context.Context, resource Resource, attribute Attribute) (Attribute, error) {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return Attribute{}, err
	}
	if err := attribute.check(); err != nil {
		return Attribute{}, err
	}
	if attribute.Pinned != nil || len(attribute.SecurityLabels) > 0 {
		return Attribute{}, &ValidationError{Field: "attribute", Rule: "carries Pinned or SecurityLabels, which batch files only can bring", Fix: "apply labels to an AttributeRef afterwards"}
	}
	var w wire.Writer
	attribute.write(&w, modeCreate)
	body, err := written(&w, "attribute")
	if err != nil {
		return Attribute{}, err
	}
	got, err := one(ctx, s.c, &call{method: http.MethodPost, route: t.route.under("attributes"), query: ownerQuery(t.owner), body: jsonBody(body)},
		[]string{"attribute"}, readAttribute)
	if api, ok := errors.AsType[*APIError](err); ok && api.Hint == "" && (api.StatusCode == http.StatusBadRequest || api.StatusCode == http.StatusNotFound) {
		api.Hint = "its type is " + quoteForeign(attribute.Type) + "; client.Types lists the types of the instance and how long their values can be"
	}
	return got, err
}

// Update changes one attribute of a resource by its ID and returns the attribute in the platform's response. It
// sends only the fields that update sets. The type of an attribute cannot change. Update costs one request.
//
//	API: PUT /v2/{resource}/attributes/{attributeId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s AttributesService) Update(ctx context.Context, resource Resource, attributeID int64, update AttributeUpdate) (Attribute, error) {
	t, err := s.c.targetOf(ctx, AttributeRef{resource, attributeID})
	if err != nil {
		return Attribute{}, err
	}
	body, err := updateBody("AttributeUpdate", "attribute", []updateField{
		{name: "Value", key: "value", value: update.Value, filled: true, required: true},
		{name: "Displayed", key: "displayed", value: update.Displayed},
		{name: "Source", key: "source", value: update.Source},
	})
	if err != nil {
		return Attribute{}, err
	}
	return one(ctx, s.c, t.call(http.MethodPut, body), []string{"attribute"}, readAttribute)
}

// Remove deletes an attribute of a resource by its ID. If the resource does not have the attribute, the error matches
// [ErrNotFound]. Remove costs one request.
//
//	API: DELETE /v2/{resource}/attributes/{attributeId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s AttributesService) Remove(ctx context.Context, resource Resource, attributeID int64) error {
	t, err := s.c.targetOf(ctx, AttributeRef{resource, attributeID})
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

var errAttributeText = &ValidationError{Field: "attribute", Rule: "is not valid UTF-8"}

// check returns an error for an attribute that the platform would not accept.
func (a *Attribute) check() error {
	if !utf8.ValidString(a.Type) || !utf8.ValidString(a.Value) || !utf8.ValidString(a.Source) {
		return errAttributeText
	}
	return a.checkRules()
}

// checkRules is check without the validation of UTF-8, which every write includes.
func (a *Attribute) checkRules() error {
	switch {
	case canon.IsBlank(a.Type):
		return &ValidationError{Field: "attribute type", Rule: "is empty"}
	case canon.IsBlank(a.Value):
		return &ValidationError{Field: "attribute value", Rule: "is empty"}
	}
	return checkText("attribute type", a.Type)
}

func (a *Attribute) write(w *wire.Writer, m mode) {
	w.BeginObject()
	w.Name("type")
	w.Text(a.Type)
	w.Name("value")
	w.Text(a.Value)
	flag(w, "displayed", a.displayed())
	text(w, "source", a.Source)
	if m == modeBatch {
		flag(w, "pinned", a.Pinned)
		writeLabels(w, a.SecurityLabels)
	}
	w.EndObject()
}

// displayed returns Displayed, or nil for a type for which the platform ignores it.
func (a *Attribute) displayed() *bool {
	if a.Type == "Description" || a.Type == "Source" {
		return a.Displayed
	}
	return nil
}

// writeLabels writes security labels to a batch file.
func writeLabels(w *wire.Writer, labels []SecurityLabel) {
	if len(labels) == 0 {
		return
	}
	w.Name("securityLabel")
	w.BeginArray()
	for i := range labels {
		w.BeginObject()
		w.Name("name")
		w.Text(labels[i].Name)
		text(w, "description", labels[i].Description)
		text(w, "color", labels[i].Color)
		w.EndObject()
	}
	w.EndArray()
}

func readAttribute(r *wire.Reader) Attribute {
	var a Attribute
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			a.ID = r.ID()
		case "type":
			a.Type = r.Text()
		case "value":
			a.Value = r.Text()
		case "displayed":
			a.Displayed = r.BoolPtr()
		case "pinned":
			a.Pinned = r.BoolPtr()
		case "source":
			a.Source = r.Text()
		case "dateAdded":
			a.DateAdded = r.Time()
		case "lastModified":
			a.LastModified = r.Time()
		case "xid":
			a.XID = r.Text()
		case "securityLabel":
			a.SecurityLabels = readList(r, readSecurityLabel)
		default:
			keepExtra(&a.Extra, r)
		}
	}
	return a
}

// AttributeTypeInfo describes an attribute type of the instance.
type AttributeTypeInfo struct {
	Name          string `json:"name"`          // the value of Attribute.Type
	System        *bool  `json:"system"`        // whether the platform defines it; nil if unknown
	AllowMarkdown *bool  `json:"allowMarkdown"` // whether its values may be Markdown; nil if unknown
	MaxLength     int64  `json:"maxLength"`     // the maximum length of its values in characters; 0 if unknown
	// ValidationRule is the JSON of the rule by which the platform validates values. It is nil if there is no rule
	// or if it was not requested.
	ValidationRule json.RawMessage `json:"validationRule,omitzero"`

	// Extra has the members that this package has no field for.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// AttributeTypeListOptions selects attribute types of the client's owner. Nil and the zero value select
// all.
type AttributeTypeListOptions struct {
	ListOptions
	System        *bool `url:"system,omitempty"`        // whether the platform defines them; nil selects both
	AllowMarkdown *bool `url:"allowMarkdown,omitempty"` // whether their values may be Markdown; nil selects both
	MaxLength     int64 `url:"maxLength,omitempty"`     // the maximum length of their values; 0 selects any
	Rules         bool  `url:"-"`                       // read the validation rules as well
}

// Attributes returns an iterator over the attribute types of the owner. It requests a page only when the
// loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/types/attributeTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s TypesService) Attributes(ctx context.Context, opts *AttributeTypeListOptions) iter.Seq2[AttributeTypeInfo, error] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	if err == nil && o.MaxLength < 0 {
		err = &ValidationError{Field: "maximum length", Rule: "must be 1 or more, or 0 for any"}
	}
	if o.Rules {
		q.Set("includes", "validationRule")
	}
	return lister[AttributeTypeInfo]{
		client: s.c, options: o.ListOptions, route: at("v2", "types", "attributeTypes"), query: q,
		keys: []string{"attributeType"}, read: readAttributeType, err: err,
	}.all(ctx)
}

// AttributeLengths returns the maximum length of the values of each attribute type of the owner, in characters, by
// the name of the type. [MergeOptions] cuts values to these lengths. The map has no types of unknown length.
// AttributeLengths costs one request per page.
//
//	API: GET /v2/types/attributeTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s TypesService) AttributeLengths(ctx context.Context, opts *AttributeTypeListOptions) (map[string]int, error) {
	lengths := map[string]int{}
	for t, err := range s.Attributes(ctx, opts) {
		if err != nil {
			return nil, err
		}
		if t.MaxLength > 0 {
			lengths[t.Name] = int(min(t.MaxLength, math.MaxInt32)) // no value is longer
		}
	}
	return lengths, nil
}

// Attribute returns one attribute type by its name, for example "Description", with its validation rule. It costs one
// request.
//
//	API: GET /v2/types/attributeTypes/{attributeTypeName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s TypesService) Attribute(ctx context.Context, name string) (AttributeTypeInfo, error) {
	return one(ctx, s.c, &call{
		method: http.MethodGet,
		route:  at("v2", "types", "attributeTypes", value(name)),
		query:  url.Values{"includes": {"validationRule"}},
	}, []string{"attributeType"}, readAttributeType)
}

func readAttributeType(r *wire.Reader) AttributeTypeInfo {
	var t AttributeTypeInfo
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			t.Name = r.Text()
		case "system":
			t.System = r.BoolPtr()
		case "allowMarkdown":
			t.AllowMarkdown = r.BoolPtr()
		case "maxLength":
			t.MaxLength = r.Int64()
		case "validationRule":
			if r.Kind() == wire.Null {
				r.Skip()
				continue
			}
			t.ValidationRule = r.RawCopy()
		default:
			keepExtra(&t.Extra, r)
		}
	}
	return t
}
