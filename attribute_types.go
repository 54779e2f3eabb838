package threatconnect

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"net/http"
	"net/url"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// AttributeTypeInfo describes a type of attributes of the instance.
type AttributeTypeInfo struct {
	Name          string `json:"name"`          // the name, as in Attribute.Type
	System        *bool  `json:"system"`        // whether it comes with the platform; nil if unknown
	AllowMarkdown *bool  `json:"allowMarkdown"` // whether its values may be Markdown; nil if unknown
	MaxLength     int64  `json:"maxLength"`     // the maximum length of its values in characters; 0 if unknown
	// ValidationRule is the rule by which the platform checks values, as JSON. It is nil if there is none or
	// if it was not requested.
	ValidationRule json.RawMessage `json:"validationRule,omitzero"`

	// Extra holds what the platform sent beyond the fields of this package.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// AttributeTypeListOptions selects attribute types of the client's owner. Nil and the zero value select
// all.
type AttributeTypeListOptions struct {
	ListOptions
	System        *bool `url:"system,omitempty"`        // whether they come with the platform; nil for both
	AllowMarkdown *bool `url:"allowMarkdown,omitempty"` // whether their values may be Markdown; nil for both
	MaxLength     int64 `url:"maxLength,omitempty"`     // the maximum length of their values; 0 for any
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

// AttributeLengths returns the maximum length of the values of each attribute type of the owner, in
// characters, by the name of the type. [MergeOptions] cuts values to these lengths. Types of unknown
// length are left out. It costs one request per page.
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
			lengths[t.Name] = int(min(t.MaxLength, math.MaxInt32)) // no value is longer than that
		}
	}
	return lengths, nil
}

// Attribute reads one attribute type by its name, as in "Description", with its validation rule. It
// costs one request.
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
