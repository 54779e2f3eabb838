package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// object is a JSON object whose fields are taken literally: names are compared with their letter case, and no
// name occurs twice. Its methods do nothing after the first error.
type object struct {
	raw     []byte
	members []member
	err     error
}

type member struct {
	key   string
	value json.RawMessage
}

// maxMembers is more than an object of this format can have.
const maxMembers = 50

// parseObject splits a valid JSON object.
func parseObject(raw []byte) (*object, error) {
	o := &object{raw: raw}
	for rest := bytes.TrimLeft(raw[1:], " \t\r\n"); rest[0] != '}'; {
		n := valueLength(rest)
		var key string
		if err := json.Unmarshal(rest[:n], &key); err != nil {
			return nil, err
		}
		rest = bytes.TrimLeft(rest[n:], " \t\r\n:")
		n = valueLength(rest)
		switch {
		case o.get(key) != nil:
			return nil, errors.New("has a field twice")
		case len(o.members) == maxMembers:
			return nil, errors.New("has too many fields")
		}
		o.members = append(o.members, member{key, rest[:n:n]})
		rest = bytes.TrimLeft(rest[n:], " \t\r\n,")
	}
	return o, nil
}

// valueLength returns the length of the value at the beginning of valid JSON.
func valueLength(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && bytes.IndexByte([]byte(",}] \t\r\n"), c) >= 0:
			return i
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// get returns the value of a field, or nil.
func (o *object) get(key string) json.RawMessage {
	for _, m := range o.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// decode reads a field, if the object has it.
func (o *object) decode(key string, into any) {
	if value := o.get(key); value != nil && o.err == nil && json.Unmarshal(value, into) != nil {
		o.err = mustBe(key)
	}
}

func (o *object) text(key string) (s string) {
	o.decode(key, &s)
	return s
}

// fill reads the fields that have the same names in target. The object must not have other fields than those of
// all items and the named ones.
func (o *object) fill(target any, names ...string) {
	names = append(names, "tags", "attributes", "securityLabels", "groups", "firstSeen", "lastSeen",
		"externalDateAdded", "externalDateExpires", "externalLastModified")
	for _, m := range o.members {
		if o.err == nil && !slices.Contains(names, m.key) {
			o.err = errors.New("has a field that is unknown or does not belong to its type; use " + strings.Join(names, ", "))
		}
	}
	if o.err != nil || json.Unmarshal(o.raw, target) == nil {
		return
	}
	for _, m := range o.members {
		if json.Unmarshal(slices.Concat([]byte(`{"`+m.key+`":`), m.value, []byte("}")), target) != nil {
			o.err = mustBe(m.key)
			return
		}
	}
}

func (o *object) tags() (tags []threatconnect.Tag) {
	var names []string
	if o.decode("tags", &names); o.err == nil {
		tags, o.err = tagsOf(names)
	}
	return tags
}

func (o *object) labels() (labels []threatconnect.SecurityLabel) {
	var names []string
	o.decode("securityLabels", &names)
	for _, name := range names {
		var err error
		if name, err = ioc.CanonicalSecurityLabel(name); o.err == nil {
			o.err = err
		}
		labels = append(labels, threatconnect.SecurityLabel{Name: name})
	}
	return labels
}

func (o *object) groups() (xids []string) {
	o.decode("groups", &xids)
	if o.err == nil && slices.Contains(xids, "") {
		o.err = errors.New("groups has an empty xid")
	}
	return xids
}

func (o *object) attributes() (attributes []threatconnect.Attribute) {
	var list []json.RawMessage
	o.decode("attributes", &list)
	for _, raw := range list {
		if raw[0] != '{' {
			o.err = mustBe("attributes")
			return nil
		}
		a, err := parseObject(raw)
		if err != nil {
			o.err = err
			return nil
		}
		typ, value := a.text("type"), a.text("value")
		if a.err != nil || len(a.members) != 2 || typ == "" || value == "" {
			o.err = errors.New("has an attribute with other fields than type and value, which are text and not empty")
			return nil
		}
		attributes = append(attributes, threatconnect.Attribute{Type: typ, Value: value})
	}
	return attributes
}

// mustBe returns the error of a field with a value of another type.
func mustBe(key string) error {
	want := "text"
	switch key {
	case "rating":
		want = "a number from 0 to 5"
	case "confidence":
		want = "a whole number from 0 to 100"
	case "malware":
		want = "true or false"
	case "tags", "securityLabels", "groups":
		want = "a list of text"
	case "attributes":
		want = "a list of objects with type and value"
	case "firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified", "eventDate", "publishDate":
		want = "a date, as in 2026-01-02T03:04:05Z"
	}
	return errors.New(key + " must be " + want)
}

// hasLoneSurrogate reports whether valid JSON has an escape of half a character, which would be replaced.
func hasLoneSurrogate(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		first := escaped(text[i:])
		text = text[i+2:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		text = text[4:]
		if utf16.DecodeRune(first, escaped(text)) == '\ufffd' {
			return true
		}
		text = text[6:]
	}
}

// escaped returns the UTF-16 unit of an escape as in \u00e9 at the beginning of the text, or 0.
func escaped(text []byte) rune {
	if !bytes.HasPrefix(text, []byte(`\u`)) {
		return 0
	}
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 16) // valid JSON has four digits
	return rune(n)
}
