package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kind is the form of a JSON value.
type kind string

const (
	isNull           kind = "null"
	isObject         kind = "object"
	isArray          kind = "array"
	isBool           kind = "boolean"
	isInteger        kind = "integer"
	isWhole          kind = "whole decimal" // for example 3.0
	isDecimal        kind = "decimal"
	isText           kind = "string"
	isEmptyText      kind = "empty string"
	isIntegerText    kind = "integer in a string"
	isWholeText      kind = "whole decimal in a string"
	isDecimalText    kind = "decimal in a string"
	isBoolText       kind = "boolean in a string"
	isDateUTC        kind = "date with Z"
	isDateOffset     kind = "date with offset"
	isDateOffsetAndZ kind = "date with offset and Z"
	isDateLocal      kind = "date without zone"
	isDay            kind = "date without time"
)

// fact is the kind of a member of a JSON text.
type fact struct {
	path string // for example data.owner[].id
	kind kind
	n    int // number of occurrences
}

// key returns the name of the member.
func (f fact) key() string {
	return strings.TrimRight(f.path[strings.LastIndexByte(f.path, '.')+1:], "[]")
}

// maxDepth is the maximum depth of shapes, and maxFacts their maximum number of members.
const (
	maxDepth = 20
	maxFacts = 2000
)

// shape returns the kinds of the members of the JSON body of the response, without their values, up to the
// first syntax error.
func (x *exchange) shape() []fact {
	x.once.Do(func() {
		if !x.isJSON() {
			return
		}
		d := json.NewDecoder(bytes.NewReader(x.body))
		d.UseNumber()
		s := shaper{d: d, index: map[[2]string]int{}}
		_ = s.value("", 0) // the facts before a syntax error are kept
		x.facts = s.facts
	})
	return x.facts
}

type shaper struct {
	d     *json.Decoder
	facts []fact
	index map[[2]string]int // positions in facts by path and kind
}

func (s *shaper) add(path string, k kind) {
	at := [2]string{path, string(k)}
	i, ok := s.index[at]
	if !ok && len(s.facts) < maxFacts {
		i = len(s.facts)
		s.index[at] = i
		s.facts = append(s.facts, fact{path: path, kind: k})
		ok = true
	}
	if ok {
		s.facts[i].n++
	}
}

// plainKey matches the names of members that the API is known to use. Other names could be values.
var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`)

func (s *shaper) value(path string, depth int) error {
	t, err := s.d.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("nested too deeply")
	}
	switch t {
	case json.Delim('['):
		s.add(path, isArray)
		for s.d.More() {
			if err := s.value(path+"[]", depth+1); err != nil {
				return err
			}
		}
		_, err = s.d.Token()
		return err
	case json.Delim('{'):
		s.add(path, isObject)
		for s.d.More() {
			t, err := s.d.Token()
			if err != nil {
				return err
			}
			key, _ := t.(string)
			if !plainKey.MatchString(key) {
				key = "(other)"
			}
			if err := s.value(strings.TrimPrefix(path+"."+key, "."), depth+1); err != nil {
				return err
			}
		}
		_, err = s.d.Token()
		return err
	}
	s.add(path, kindOf(t))
	return nil
}

var (
	date    = regexp.MustCompile(`^\d{4}-\d{1,2}-\d{1,2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?([+-]\d{2}:?\d{2})?(Z)?$`)
	integer = regexp.MustCompile(`^-?\d+$`)
	whole   = regexp.MustCompile(`^-?\d+\.0+$`)
	decimal = regexp.MustCompile(`^-?\d+\.\d+$`)
)

// kindOf returns the kind of a scalar.
func kindOf(t json.Token) kind {
	switch v := t.(type) {
	case nil:
		return isNull
	case bool:
		return isBool
	case json.Number:
		switch {
		case integer.MatchString(v.String()):
			return isInteger
		case whole.MatchString(v.String()):
			return isWhole
		}
		return isDecimal
	case string:
		return kindOfText(v)
	}
	return isText
}

func kindOfText(s string) kind {
	switch {
	case s == "":
		return isEmptyText
	case s == "true" || s == "false":
		return isBoolText
	case integer.MatchString(s):
		return isIntegerText
	case whole.MatchString(s):
		return isWholeText
	case decimal.MatchString(s):
		return isDecimalText
	}
	m := date.FindStringSubmatch(s)
	switch {
	case m == nil:
		return isText
	case m[1] == "":
		return isDay
	case m[4] != "" && m[5] != "":
		return isDateOffsetAndZ
	case m[4] != "":
		return isDateOffset
	case m[5] != "":
		return isDateUTC
	}
	return isDateLocal
}

// shapes returns the shapes of all responses, by route and status.
func shapes(all []*exchange) map[string][]string {
	m := map[string][]string{}
	for _, x := range all {
		if x.status == 0 {
			continue
		}
		at := fmt.Sprintf("%s %d", x.route, x.status)
		lines := m[at]
		if lines == nil {
			lines = []string{} // a response without JSON is a list, too
		}
		for _, f := range x.shape() {
			if line := strings.TrimSpace(f.path + " " + string(f.kind)); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		m[at] = lines
	}
	return m
}
