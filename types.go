package threatconnect

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// IndicatorTypeInfo describes an indicator type of the instance.
type IndicatorTypeInfo struct {
	Name           IndicatorType `json:"name"`
	Branch         string        `json:"apiBranch"`               // path segment of its indicators
	Entity         string        `json:"apiEntity"`               // JSON key of one of them
	Custom         bool          `json:"custom"`                  // whether it is not one of the five that the platform began with
	Parsable       bool          `json:"parsable"`                // whether the platform finds it in text
	CasePreference string        `json:"casePreference,omitzero"` // upper, lower or sensitive; of custom types
	Values         []ValueInfo   `json:"values,omitzero"`         // what identifies an indicator of the type: one to three
	Regexes        []string      `json:"regexes,omitzero"`        // what the platform accepts; in Java's syntax
}

// ValueInfo is one of the values that identify an indicator of a type.
type ValueInfo struct {
	Label  string `json:"label"`           // what people call it, as in SHA-1
	Key    string `json:"key,omitzero"`    // its JSON key, as in sha1; empty where the platform did not say, and the label is the key
	Type   string `json:"type,omitzero"`   // text or selectone
	Option string `json:"option,omitzero"` // choices, separated by semicolons
}

// Labels returns the JSON keys of the values that identify an indicator of the type.
func (t IndicatorTypeInfo) Labels() []string {
	labels := make([]string, 0, len(t.Values))
	for _, v := range t.Values {
		if key := cmp.Or(v.Key, v.Label); key != "" {
			labels = append(labels, key)
		}
	}
	return labels
}

// TypesService reads the types of an instance: of indicators, of attributes and of associations. Most
// programs need it for two things only: AttributeLengths for feeds with long texts, and Indicators for
// the types of the instance's own. The service is safe for concurrent use.
type TypesService struct{ service }

// Indicators returns an iterator over the indicator types of the instance, with their keys and regular
// expressions. It requests a page only when the loop reaches it. If a request fails, the iterator yields
// the error and stops.
//
//	API: GET /v2/types/indicatorTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypesService) Indicators(ctx context.Context, opts *ListOptions) iter.Seq2[IndicatorTypeInfo, error] {
	return lister[IndicatorTypeInfo]{
		client: s.c, options: copyOf(opts), route: at("v2", "types", "indicatorTypes"), query: url.Values{"includeAdditional": {"true"}},
		keys: []string{"indicatorType", "indicator"}, read: readIndicatorType,
	}.all(ctx)
}

// Indicator reads one indicator type by its name, as in [TypeHost]. It costs one request. For a type of
// the instance's own, it first learns the types of the instance, unless the client did before.
//
//	API: GET /v2/types/indicatorTypes/{indicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypesService) Indicator(ctx context.Context, name IndicatorType) (IndicatorTypeInfo, error) {
	def, err := s.c.definition(ctx, name)
	if err != nil {
		return IndicatorTypeInfo{}, err
	}
	return one(ctx, s.c, &call{
		method: http.MethodGet,
		route:  at("v2", "types", "indicatorTypes", value(def.entity)),
		query:  url.Values{"includeAdditional": {"true"}},
	}, []string{"indicatorType", "indicator"}, readIndicatorType)
}

func readIndicatorType(r *wire.Reader) IndicatorTypeInfo {
	var t IndicatorTypeInfo
	var values [3]ValueInfo
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); key {
		case "name":
			t.Name = IndicatorType(r.Text())
		case "apiBranch":
			t.Branch = r.Text()
		case "apiEntity":
			t.Entity = r.Text()
		case "custom":
			t.Custom = r.Bool()
		case "parsable":
			t.Parsable = r.Bool()
		case "casePreference":
			t.CasePreference = r.Text()
		case "regexes":
			t.Regexes = r.Strings()
		case "keys":
			for r.Object(); r.NextKey(); {
				switch key := string(r.Key()); key {
				case "key1", "key2", "key3":
					values[key[3]-'1'].Key = r.Text()
				default:
					r.Skip()
				}
			}
		case "value1Label", "value2Label", "value3Label":
			values[key[5]-'1'].Label = r.Text()
		case "value1Type", "value2Type", "value3Type":
			values[key[5]-'1'].Type = r.Text()
		case "value1Option", "value2Option", "value3Option":
			values[key[5]-'1'].Option = r.Text()
		default:
			r.Skip()
		}
	}
	for _, v := range values {
		v.Label = cmp.Or(v.Label, v.Key)
		if v.Label != "" {
			t.Values = append(t.Values, v)
		}
	}
	return t
}
