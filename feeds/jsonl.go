package feeds

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wire"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// jsonReader reads the objects of lines. It is strict: a field that is unknown, in another letter case, of another type
// or repeated is an error.
type jsonReader struct {
	wire.Reader
	xid     func(parts ...string) string // nil if xids are literal
	escapes bool                         // whether the line has escapes, which can be unpaired surrogates
	checker threatconnect.Fingerprinter  // detects errors that an import would report without a line
}

// maxFields is larger than the number of fields of any valid object.
const maxFields = 50

var (
	errJSON     = errors.New("is not valid JSON")
	errLongList = fmt.Errorf("has a list of more than %d elements", maxElements)
)

func (r *jsonReader) line(line []byte, add addFunc) {
	if line = bytes.TrimSpace(line); len(line) > 0 {
		add(r.item(line))
	}
}

func (r *jsonReader) item(line []byte) (threatconnect.BatchItem, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("is not valid UTF-8")
	}
	r.Reset(line)
	r.escapes = bytes.Contains(line, []byte(`\u`))
	var fields, group *jsonFields
	err := r.object("the line", func(key string) error {
		if key == "group" {
			group = new(jsonFields)
			return r.object("group", func(key string) error { return r.field(group, key, true) })
		}
		if fields == nil {
			fields = new(jsonFields)
		}
		return r.field(fields, key, false)
	})
	if r.End(); err == nil && r.Err() != nil {
		err = errors.New("has text after the JSON object")
	}
	var item threatconnect.BatchItem
	switch {
	case err != nil:
	case group == nil:
		item, err = cmp.Or(fields, new(jsonFields)).indicator()
	case fields != nil:
		err = errors.New("has a group and other fields; want one item per line")
	default:
		item, err = group.group()
	}
	if err == nil {
		_, err = r.checker.Of(item)
	}
	if err == nil && r.checker.Size() > maxGrowth*len(line) {
		err = fmt.Errorf("would be more than %d times as large when it is sent; refer to fewer groups", maxGrowth)
	}
	return item, err
}

// object calls f for each field of an object. f must read the value.
func (r *jsonReader) object(name string, f func(key string) error) error {
	if r.Kind() != wire.Object {
		return errors.New(name + " must be a JSON object")
	}
	var seen []string
	for r.Object(); r.NextKey(); {
		key := string(r.Key())
		if slices.Contains(seen, key) {
			return errors.New("has a field twice")
		}
		if len(seen) == maxFields {
			return errors.New("has too many fields")
		}
		seen = append(seen, key)
		if err := f(key); err != nil {
			return err
		}
	}
	if r.Err() != nil {
		return errJSON
	}
	return nil
}

// texts calls f for each string of a list.
func (r *jsonReader) texts(key string, f func(string) error) error {
	list := r.Kind() == wire.Array
	n := 0
	for r.Array(); r.NextElem(); n++ {
		if n == maxElements {
			return errLongList
		}
		if !list || r.Kind() != wire.String {
			return errors.New(key + " must be a list of text")
		}
		s, err := r.text(key)
		if err == nil {
			err = f(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReader) text(key string) (string, error) {
	if r.Kind() != wire.String {
		return "", errors.New(key + " must be text")
	}
	s := r.Text()
	if r.escapes && strings.ContainsRune(s, utf8.RuneError) {
		return "", errors.New(key + " has half a character, as in \\ud800 alone")
	}
	return s, nil
}

// own returns the xid that is imported for an xid of the feed.
func (r *jsonReader) own(xid string) string {
	if r.xid == nil {
		return xid
	}
	return r.xid(string(FormatJSONLines), xid)
}

// jsonFields contains the fields of an indicator or of a group of any type.
type jsonFields struct {
	typ, summary, name, xid string

	rating     *float64
	confidence *int
	malware    *bool
	tags       []threatconnect.Tag
	attributes []threatconnect.Attribute
	labels     []threatconnect.SecurityLabel
	groups     []string
	dates      map[string]time.Time
	special    map[string]string // text that only some types of groups have
}

// field reads a field of an indicator or a group. A null field is the same as a missing one.
func (r *jsonReader) field(f *jsonFields, key string, group bool) (err error) {
	if r.Kind() == wire.Null {
		r.Skip()
		return nil
	}
	switch {
	case key == "type":
		f.typ, err = r.text(key)
	case key == "tags":
		return r.texts(key, func(name string) error {
			name, err := ioc.CanonicalTag(name)
			f.tags = append(f.tags, threatconnect.Tag{Name: name})
			return err
		})
	case key == "securityLabels":
		return r.texts(key, func(name string) error {
			name, err := ioc.CanonicalSecurityLabel(name)
			f.labels = append(f.labels, threatconnect.SecurityLabel{Name: name})
			return err
		})
	case key == "groups":
		return r.texts(key, func(xid string) error {
			if strings.TrimSpace(xid) == "" {
				return errors.New("groups has an empty xid")
			}
			f.groups = append(f.groups, r.own(xid))
			return nil
		})
	case key == "attributes":
		f.attributes, err = r.attributes()
	case key == "firstSeen", key == "lastSeen", key == "externalDateAdded", key == "externalDateExpires", key == "externalLastModified",
		group && key == "eventDate", group && key == "publishDate":
		return r.date(f, key)
	case !group && key == "summary":
		f.summary, err = r.text(key)
	case !group && key == "rating":
		rating, err := strconv.ParseFloat(string(r.Raw()), 64)
		if err != nil || !(rating >= 0 && rating <= 5) {
			return errors.New("rating must be a number from 0 to 5")
		}
		f.rating = &rating
	case !group && key == "confidence":
		confidence, err := strconv.Atoi(string(r.Raw()))
		if err != nil || confidence < 0 || confidence > 100 {
			return errors.New("confidence must be a whole number from 0 to 100")
		}
		f.confidence = &confidence
	case group && key == "name":
		f.name, err = r.text(key)
	case group && key == "xid":
		if f.xid, err = r.text(key); strings.TrimSpace(f.xid) != "" {
			f.xid = r.own(f.xid)
		}
	case group && key == "malware":
		if r.Kind() != wire.Bool {
			return errors.New("malware must be true or false")
		}
		f.malware = r.BoolPtr()
		f.setSpecial(key, "")
	case group:
		var s string
		if s, err = r.text(key); s != "" {
			f.setSpecial(key, s)
		}
	default:
		return errors.New("has an unknown field; an indicator has type, summary, rating, confidence, tags, attributes, securityLabels, groups and dates")
	}
	return err
}

func (f *jsonFields) setSpecial(key, value string) {
	if f.special == nil {
		f.special = map[string]string{}
	}
	f.special[key] = value
}

func (r *jsonReader) date(f *jsonFields, key string) error {
	s, err := r.text(key)
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err == nil {
		t, err = inUTC(t)
	}
	if err != nil || t.IsZero() {
		return errors.New(key + " must be a date, as in 2026-01-02T03:04:05Z")
	}
	if f.dates == nil {
		f.dates = map[string]time.Time{}
	}
	f.dates[key] = t
	if key == "eventDate" || key == "publishDate" {
		f.setSpecial(key, s)
	}
	return nil
}

func (r *jsonReader) attributes() (attributes []threatconnect.Attribute, err error) {
	if r.Kind() != wire.Array {
		return nil, errors.New("attributes must be a list of objects")
	}
	for r.Array(); r.NextElem(); {
		if len(attributes) == maxElements {
			return nil, errLongList
		}
		var a threatconnect.Attribute
		err = r.object("an attribute", func(key string) (err error) {
			switch key {
			case "type":
				a.Type, err = r.text("type of an attribute")
			case "value":
				a.Value, err = r.text("value of an attribute")
			default:
				err = errors.New("has an attribute with an unknown field; use type and value")
			}
			return err
		})
		if err == nil && (a.Type == "" || a.Value == "") {
			err = errors.New("has an attribute without type or value")
		}
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, a)
	}
	return attributes, nil
}

func (f *jsonFields) indicator() (threatconnect.Indicator, error) {
	if f.typ == "" {
		return nil, errors.New("has no type")
	}
	if f.summary == "" {
		return nil, errors.New("has no summary")
	}
	ind, err := indicatorOf(threatconnect.IndicatorType(f.typ), f.summary)
	if err != nil {
		return nil, err
	}
	m := ind.Meta()
	m.Rating, m.Confidence = f.rating, f.confidence
	m.Tags, m.Attributes, m.SecurityLabels, m.GroupXIDs = f.tags, f.attributes, f.labels, f.groups
	m.FirstSeen, m.LastSeen = f.dates["firstSeen"], f.dates["lastSeen"]
	m.ExternalDateAdded, m.ExternalDateExpires, m.ExternalLastModified = f.dates["externalDateAdded"], f.dates["externalDateExpires"], f.dates["externalLastModified"]
	return ind, nil
}
