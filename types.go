package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// IndicatorTypeInfo describes an indicator type of the instance.
type IndicatorTypeInfo struct {
	Name           IndicatorType `json:"name"`
	Branch         string        `json:"apiBranch"`               // path segment of the indicators
	Entity         string        `json:"apiEntity"`               // JSON key of one indicator
	Custom         bool          `json:"custom"`                  // false only for the five original types of the platform
	Parsable       bool          `json:"parsable"`                // whether the platform extracts it from text
	CasePreference string        `json:"casePreference,omitzero"` // upper, lower or sensitive; only for custom types
	Values         []ValueInfo   `json:"values,omitzero"`         // one to three values that identify an indicator
	Regexes        []string      `json:"regexes,omitzero"`        // patterns of valid values, in Java syntax

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// ValueInfo describes one of the values that identify an indicator of a type.
type ValueInfo struct {
	Label  string `json:"label"`           // display name, for example SHA-1
	Key    string `json:"key,omitzero"`    // JSON key, for example sha1; if empty, the label is the key
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

// Patterns returns the compiled regular expressions of the type, for ioc.Parser.Patterns. It returns no
// expressions for a type without any.
//
// The expressions are in Java syntax. Patterns returns an error, and no expressions, if package regexp cannot
// compile one, for example because of a lookahead. It also does so if package regexp would read one differently,
// because of a nested or intersected character class. The error contains the number of the expression, from 1.
func (t IndicatorTypeInfo) Patterns() ([]*regexp.Regexp, error) {
	patterns := make([]*regexp.Regexp, len(t.Regexes))
	for i, expression := range t.Regexes {
		pattern, err := regexp.Compile(expression)
		if err == nil && hasJavaClass(expression) {
			err = errors.New("it has a class inside a class, which Go reads as characters")
		}
		if err != nil {
			return nil, fmt.Errorf("threatconnect: compile regular expression %d of the indicator type %q: %w; leave the type out, or write the expression in the syntax of Go",
				i+1, t.Name, err)
		}
		patterns[i] = pattern
	}
	return patterns, nil
}

// hasJavaClass reports whether a valid expression has a nested or intersected character class, for example
// [a-z&&[^x]]. Java reads it as sets, Go as characters.
func hasJavaClass(expression string) bool {
	class := false
	for i := 0; i < len(expression); i++ {
		switch rest := expression[i:]; {
		case strings.HasPrefix(rest, `\Q`):
			end := strings.Index(rest, `\E`)
			if end < 0 {
				return false
			}
			i += end + 1
		case rest[0] == '\\':
			i++
		case class && (rest[0] == '[' || strings.HasPrefix(rest, "&&")):
			return true
		case rest[0] == '[':
			class = true
			for _, first := range [...]string{"^", "]"} { // a leading bracket is a character
				if strings.HasPrefix(expression[i+1:], first) {
					i++
				}
			}
		case rest[0] == ']':
			class = false
		}
	}
	return false
}

// TypesService reads the indicator, attribute and association types of an instance. Most programs need only
// AttributeLengths, for feeds with long texts, and Indicators, for custom types. The service is safe for
// concurrent use.
type TypesService struct{ service }

// Indicators returns an iterator over the indicator types of the instance and requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops.
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

// Indicator reads an indicator type by name, for example [TypeHost]. It costs one request. For a custom type,
// it also reads the types of the instance unless the client has cached them.
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
					keepExtra(&t.Extra, r)
				}
			}
		case "value1Label", "value2Label", "value3Label":
			values[key[5]-'1'].Label = r.Text()
		case "value1Type", "value2Type", "value3Type":
			values[key[5]-'1'].Type = r.Text()
		case "value1Option", "value2Option", "value3Option":
			values[key[5]-'1'].Option = r.Text()
		default:
			keepExtra(&t.Extra, r)
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

// typeTable caches the definitions of custom indicator types. A client and its copies share one. It is filled
// when a custom type is needed, because most programs use none.
type typeTable struct {
	turn   chan struct{} // a lock for reading the types, which a caller can stop waiting for
	loaded atomic.Pointer[typeSnapshot]
}

// typeSnapshot contains the types of the instance at one time.
type typeSnapshot struct {
	defs map[IndicatorType]*indicatorDef
	at   time.Time
}

// typesFresh is the time for which a missing type is cached.
const typesFresh = time.Minute

func newTypeTable() typeTable { return typeTable{turn: make(chan struct{}, 1)} }

// find returns the cached definition of a type. certain is false if the types must be read.
func (t *typeTable) find(typ IndicatorType, now time.Time) (def *indicatorDef, certain bool) {
	s := t.loaded.Load()
	if s == nil {
		return nil, false
	}
	def = s.defs[typ]
	age := now.Sub(s.at)
	return def, def != nil || 0 <= age && age < typesFresh
}

// definition returns the definition of a type. For a custom type, it reads the types of the instance once.
func (c *Client) definition(ctx context.Context, typ IndicatorType) (*indicatorDef, error) {
	if def := indicatorDefOf(typ); def != nil && def.branch != "" {
		return def, nil
	}
	if typ == "" {
		return nil, &ValidationError{Field: "indicator type", Rule: "is empty"}
	}
	if err := c.usable(); err != nil {
		return nil, err
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	def, certain := c.types.find(typ, c.cfg.now())
	if !certain {
		select {
		case c.types.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, contextErr(ctx)
		}
		defer func() { <-c.types.turn }()
		if def, certain = c.types.find(typ, c.cfg.now()); !certain { // no other call has read them meanwhile
			if err := c.loadTypes(ctx); err != nil {
				return nil, fmt.Errorf("indicator type %s: %w", quoteForeign(string(typ)), err)
			}
			def, _ = c.types.find(typ, c.cfg.now())
		}
	}
	if def == nil {
		return nil, &ValidationError{Field: "indicator type", Rule: "is " + quoteForeign(string(typ)) + ", which this instance does not have", Fix: "list its types with client.Types.Indicators"}
	}
	return def, nil
}

// loadTypes reads the types of the instance.
func (c *Client) loadTypes(ctx context.Context) error {
	s := &typeSnapshot{defs: make(map[IndicatorType]*indicatorDef), at: c.cfg.now()}
	for info, err := range (TypesService{service{c}}).Indicators(ctx, nil) {
		if err != nil {
			return err
		}
		known := indicatorDefOf(info.Name)
		if info.Branch == "" || len(info.Labels()) == 0 || known != nil && known.branch != "" {
			continue
		}
		def := customDef(&info)
		if known != nil { // a type that the package knows only in batch files
			learned := *known
			learned.branch, learned.entity, learned.keys = def.branch, def.entity, def.keys
			def = &learned
		}
		s.defs[info.Name] = def
	}
	c.types.loaded.Store(s)
	return nil
}
