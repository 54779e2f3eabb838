package threatconnecttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner parses JSON without copying. It is as strict as RFC 8259.
type scanner struct {
	b []byte
	i int
}

const maxDepth = 500 // of nested arrays and objects

var (
	errEnd    = errors.New("java.io.EOFException: End of input")
	errSyntax = errors.New("com.google.gson.stream.MalformedJsonException: Use JsonReader.setLenient(true) to accept malformed JSON")
	errDepth  = errors.New("com.google.gson.stream.MalformedJsonException: nested too deeply")
)

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// eat consumes the next byte if it is c.
func (s *scanner) eat(c byte) bool {
	if s.peek() != c || s.i >= len(s.b) {
		return false
	}
	s.i++
	return true
}

// bad returns the error at the current position.
func (s *scanner) bad() error {
	if s.i >= len(s.b) {
		return errEnd
	}
	return errSyntax
}

// value consumes a value and returns its text.
func (s *scanner) value(depth int) ([]byte, error) {
	c := s.peek()
	start := s.i
	var err error
	switch {
	case depth > maxDepth:
		err = errDepth
	case c == '{':
		err = s.object(depth, nil)
	case c == '[':
		err = s.array(depth, nil)
	case c == '"':
		err = s.str()
	case c == '-' || digit(c):
		err = s.num()
	default:
		err = s.word()
	}
	return s.b[start:s.i], err
}

// object consumes an object and calls each with its members.
func (s *scanner) object(depth int, each func(name, value []byte)) error {
	s.i++ // {
	if s.eat('}') {
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.bad()
		}
		start := s.i
		if err := s.str(); err != nil {
			return err
		}
		name := s.b[start:s.i]
		if !s.eat(':') {
			return s.bad()
		}
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if each != nil {
			each(name, value)
		}
		if s.eat('}') {
			return nil
		}
		if !s.eat(',') {
			return s.bad()
		}
	}
}

// array consumes an array and calls each with its elements.
func (s *scanner) array(depth int, each func(value []byte)) error {
	s.i++ // [
	if s.eat(']') {
		return nil
	}
	for {
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if each != nil {
			each(value)
		}
		if s.eat(']') {
			return nil
		}
		if !s.eat(',') {
			return s.bad()
		}
	}
}

func (s *scanner) str() error {
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c < ' ':
			return errSyntax
		case c == '\\':
			s.i++
			if s.i < len(s.b) && strings.IndexByte(`"\/bfnrtu`, s.b[s.i]) < 0 {
				return errSyntax
			}
			if s.i < len(s.b) && s.b[s.i] == 'u' {
				end := min(s.i+5, len(s.b))
				if !hexadecimal(string(s.b[s.i+1 : end])) {
					return errSyntax
				}
				s.i = end - 1
			}
		}
	}
	s.i = len(s.b) // an escape can reach past the end
	return errEnd
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && digit(s.b[s.i]) {
		s.i++
	}
	return s.i > start
}

func (s *scanner) next(set string) bool {
	if s.i < len(s.b) && strings.IndexByte(set, s.b[s.i]) >= 0 {
		s.i++
		return true
	}
	return false
}

func (s *scanner) num() error {
	s.next("-")
	if !s.next("0") && !s.digits() {
		return s.bad()
	}
	if s.next(".") && !s.digits() {
		return s.bad()
	}
	if s.next("eE") {
		s.next("+-")
		if !s.digits() {
			return s.bad()
		}
	}
	return nil
}

func (s *scanner) word() error {
	for _, w := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.i:], []byte(w)) {
			s.i += len(w)
			return nil
		}
		if rest := s.b[s.i:]; len(rest) < len(w) && bytes.HasPrefix([]byte(w), rest) {
			return errEnd
		}
	}
	return s.bad()
}

// kindOf names the kind of a value as the platform's JSON library does.
func kindOf(c byte) string {
	switch {
	case c == '{':
		return "BEGIN_OBJECT"
	case c == '[':
		return "BEGIN_ARRAY"
	case c == '"':
		return "STRING"
	case c == 'n':
		return "NULL"
	case c == 't' || c == 'f':
		return "BOOLEAN"
	case c == 0:
		return "END_DOCUMENT"
	}
	return "NUMBER"
}

// member is a member of a JSON object. Both parts are in their textual form.
type member struct{ name, value []byte }

// fields are the members of a JSON object in a request.
type fields []member

// readFields parses a text as a single JSON object in UTF-8. A null member counts as absent.
func readFields(text []byte) (fields, bool) {
	s := &scanner{b: text}
	f, err := s.fields(nil)
	return f, err == nil && s.peek() == 0 && utf8.Valid(text)
}

// fields consumes an object and appends its members to f.
func (s *scanner) fields(f fields) (fields, error) {
	if c := s.peek(); c != '{' {
		if s.i >= len(s.b) {
			return nil, errEnd
		}
		return nil, expectedObject(c)
	}
	err := s.object(0, func(name, value []byte) {
		if plain(name) {
			name = name[1 : len(name)-1]
		} else {
			text, _ := scalarText(name)
			name = []byte(text)
		}
		if string(value) != "null" {
			f = append(f, member{name, value})
		}
	})
	return f, err
}

// expectedObject is the error for a value that is not an object, in the words of the platform's
// JSON library.
func expectedObject(c byte) error {
	return errors.New("java.lang.IllegalStateException: Expected BEGIN_OBJECT but was " + kindOf(c))
}

// UnmarshalJSON parses an object.
func (f *fields) UnmarshalJSON(b []byte) error {
	got, ok := readFields(bytes.Clone(b))
	if !ok {
		return expectedObject(b[0])
	}
	*f = got
	return nil
}

// raw returns the text of a member. Of several with the same name, it returns the last.
func (f fields) raw(name string) (json.RawMessage, bool) {
	for _, member := range slices.Backward(f) {
		if string(member.name) == name {
			return member.value, true
		}
	}
	return nil, false
}

func (f fields) has(name string) bool { _, ok := f.raw(name); return ok }

// text returns a member as text: the contents of a string, or a number or boolean as written.
func (f fields) text(name string) (string, bool) {
	raw, ok := f.raw(name)
	if !ok {
		return "", false
	}
	return scalarText(raw)
}

// plain reports whether the value of a JSON string equals the text between its quotes: it has no
// escapes and is valid UTF-8.
func plain(raw []byte) bool { return bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) }

// scalarText returns the contents of a string, or a number or boolean as written.
func scalarText(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	if plain(raw) {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, true
}

// flag returns a member as a boolean. It also accepts strings, 0 and 1.
func (f fields) flag(name string) (value, ok bool) {
	s, ok := f.text(name)
	if !ok {
		return false, false
	}
	switch s {
	case "TRUE", "True":
		return true, true
	case "FALSE", "False":
		return false, true
	}
	v, err := strconv.ParseBool(s)
	return v, err == nil
}
