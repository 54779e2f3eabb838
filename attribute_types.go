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

// AttributeTypeInfo is a type of attributes, as the instance has it.
//
// The platform documents its fields without showing one: what it sends beyond them is in Extra.
type AttributeTypeInfo struct {
	Name          string `json:"name"`          // what Attribute.Type names
	System        *bool  `json:"system"`        // whether the platform brought it; nil when it did not say
	AllowMarkdown *bool  `json:"allowMarkdown"` // whether its values may be Markdown; nil when the platform did not say
	MaxLength     int64  `json:"maxLength"`     // how long its values may be, in characters; 0 when the platform did not say
	// ValidationRule is what the platform checks its values by, as it sends it. Nil when the rules
	// were not asked for, or there is none.
	ValidationRule json.RawMessage `json:"validationRule,omitzero"`

	// Extra holds what the platform sent beyond the fields of this package.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// AttributeTypeListOptions says which attribute types are listed. Nil and the zero value list all
// those of the client's default owner.
type AttributeTypeListOptions struct {
	ListOptions
	System        *bool `url:"system,omitempty"`        // whether the platform brought them; nil for both
	AllowMarkdown *bool `url:"allowMarkdown,omitempty"` // whether their values may be Markdown; nil for both
	MaxLength     int64 `url:"maxLength,omitempty"`     // how long their values may be; 0 for any
	Rules         bool  `url:"-"`                       // read the validation rules too
}

// Attributes reads the attribute types of an owner, one request a page, each when it is needed. An
// error ends the sequence.
//
//	API: GET /v2/types/attributeTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/attributes/attributes.html
func (s TypesService) Attributes(ctx context.Context, opts *AttributeTypeListOptions) iter.Seq2[AttributeTypeInfo, error] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	if err == nil && o.MaxLength < 0 {
		err = &ValidationError{Field: "maximum length", Rule: "want 1 or more, or 0 for any"}
	}
	if o.Rules {
		q.Set("includes", "validationRule")
	}
	return lister[AttributeTypeInfo]{
		client: s.c, options: o.ListOptions, route: at("v2", "types", "attributeTypes"), query: q,
		keys: []string{"attributeType"}, read: readAttributeType, err: err,
	}.all(ctx)
}

// AttributeLengths reads how long the values of each attribute type of an owner may be, in
// characters, by the name of the type: what [MergeOptions] cuts values to. Types of which the
// platform does not say it are left out. It costs one request a page. Nil options are those of
// Attributes.
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
		switch key := r.Key(); string(key) {
		case "name":
			t.Name = r.Text()
		case "system":
			t.System = r.BoolPtr()
		case "allowMarkdown":
			t.AllowMarkdown = r.BoolPtr()
		case "maxLength":
			t.MaxLength = r.Int64()
		case "validationRule":
			if raw := r.Raw(); string(raw) != "null" {
				t.ValidationRule = append(json.RawMessage(nil), raw...)
			}
		default:
			keepExtra(&t.Extra, key, r)
		}
	}
	return t
}
