package threatconnecttest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// filterKind is the type of a field's values.
type filterKind int

const (
	filterText filterKind = iota
	filterNumber
	filterBool
	filterDate
)

// filterField is a field by which a list can be filtered, with its operators.
type filterField struct {
	kind      filterKind
	operators string
}

type filterFields map[string]filterField

// indicatorFilters returns the filter fields of type t, or of the list of all types if t is nil.
func indicatorFilters(t *indicatorType) filterFields {
	f := filterFields{
		"active":                 {filterBool, "="},
		"summary":                {filterText, "=^"},
		"dateAdded":              {filterDate, "<>"},
		"rating":                 {filterNumber, "<>"},
		"confidence":             {filterNumber, "=<>"},
		"threatAssessScore":      {filterNumber, "=<>"},
		"threatAssessRating":     {filterNumber, "<>"},
		"threatAssessConfidence": {filterNumber, "<>"},
		"falsePositive":          {filterNumber, "=<>"},
	}
	switch {
	case t == nil:
	case t.Name == "Address":
		for _, name := range []string{"city", "countryCode", "countryName", "organization", "state", "timezone"} {
			f[name] = filterField{filterText, "="}
		}
		f["asn"] = filterField{filterNumber, "="}
	case t.Name == "Host":
		f["whoisActive"] = filterField{filterBool, "="}
		f["dnsActive"] = filterField{filterBool, "="}
	}
	return f
}

type condition struct {
	field    string
	operator byte
	kind     filterKind
	text     string
	number   float64
	flag     bool
	date     time.Time
}

// conditions are the filters of a call.
type conditions struct {
	all []condition
	or  bool
}

func (c *conditions) uses(field string) bool {
	for _, e := range c.all {
		if e.field == field {
			return true
		}
	}
	return false
}

// filters parses the filters parameter. It refuses unknown fields and operators.
func (c *call) filters(known filterFields) (*conditions, *answer) {
	out := &conditions{or: c.flag("orParams")}
	for _, v := range c.query["filters"] {
		for term := range strings.SplitSeq(v, ",") {
			if term == "" {
				continue
			}
			e, ok := known.read(term)
			if !ok {
				return nil, fail(http.StatusBadRequest, msgMalformed)
			}
			out.all = append(out.all, e)
		}
	}
	return out, nil
}

func (f filterFields) read(term string) (e condition, ok bool) {
	i := strings.IndexAny(term, "=<>^!")
	if i < 1 {
		return e, false
	}
	e.field, e.operator, e.text = term[:i], term[i], term[i+1:]
	field, ok := f[e.field]
	if !ok || strings.IndexByte(field.operators, e.operator) < 0 || e.text == "" {
		return e, false
	}
	e.kind = field.kind
	var err error
	switch e.kind {
	case filterNumber:
		e.number, err = strconv.ParseFloat(e.text, 64)
	case filterBool:
		e.flag, err = strconv.ParseBool(strings.ToLower(e.text))
	case filterDate:
		if e.date, ok = parseDate(e.text); !ok { // two known clients send this form
			e.date, err = time.Parse("20060102", e.text)
			ok = true
		}
	}
	return e, ok && err == nil
}

// match reports whether an item has the properties that the filters require.
func (c *conditions) match(property func(string) any) bool {
	if len(c.all) == 0 {
		return true
	}
	for _, e := range c.all {
		if e.holds(property(e.field)) == c.or {
			return c.or
		}
	}
	return !c.or
}

func (e condition) holds(v any) bool {
	switch v := v.(type) {
	case string:
		switch e.operator {
		case '=':
			return strings.EqualFold(v, e.text)
		case '!':
			return !strings.EqualFold(v, e.text)
		case '^':
			return len(v) >= len(e.text) && strings.EqualFold(v[:len(e.text)], e.text)
		}
	case bool:
		return v == e.flag
	case float64:
		switch e.operator {
		case '=':
			return v == e.number
		case '<':
			return v < e.number
		case '>':
			return v > e.number
		}
	case time.Time:
		return e.operator == '<' && v.Before(e.date) || e.operator == '>' && v.After(e.date)
	case []string:
		for _, s := range v {
			if e.holds(s) {
				return true
			}
		}
	}
	return false
}
