package feeds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/lines"
)

// longestJSON is how many bytes a line of the jsonl format may have.
const longestJSON = 4 << 20

// jsonl reads one JSON object a line, either an indicator
//
//	{"type":"Host","summary":"bad.example","rating":3,"confidence":80,"tags":["phishing"],
//	 "attributes":[{"type":"Description","value":"..."}],"groups":["xid-1"]}
//
// of which type and summary are required, or a group
//
//	{"group":{"type":"Incident","name":"...","xid":"xid-1","eventDate":"2026-01-02T03:04:05Z"}}
//
// of which type, name and xid are required and the rest are the fields of its type, and tags,
// attributes and groups. It is written by programs, so everything is taken by the letter: a field
// that is not known, in another letter case or given twice is an error of its line.
func jsonl(br *bufio.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := lines.New(br, longestJSON)
		err := eachLine(l, func(line []byte, bad *LineError) bool {
			if bad != nil {
				return yield(Entry{}, bad)
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				return true
			}
			e, err := entryOf(line)
			if err != nil {
				return yield(Entry{}, refused(l.Number(), "", err))
			}
			e.Line = l.Number()
			return yield(e, nil)
		})
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func entryOf(line []byte) (Entry, error) {
	var e Entry
	var ind indicatorLine
	err := object(line, func(key string, value json.RawMessage) (err error) {
		switch key {
		case "group":
			e.Group, err = groupOf(value)
			return err
		default:
			return ind.set(key, value)
		}
	})
	switch {
	case err != nil:
		return Entry{}, err
	case e.Group != nil && ind.keys > 0:
		return Entry{}, errors.New(`holds "group" beside other fields: want one thing a line`)
	case e.Group != nil:
		return e, nil
	}
	e.Indicator, err = ind.indicator()
	return e, err
}

// indicatorLine is a line that holds an indicator.
type indicatorLine struct {
	keys       int
	typ        string
	summary    string
	rating     *float64
	confidence *int
	common     commonFields
}

func (l *indicatorLine) set(key string, value json.RawMessage) error {
	l.keys++
	switch key {
	case "type":
		return decode(key, value, &l.typ, "text")
	case "summary":
		return decode(key, value, &l.summary, "text")
	case "rating":
		return decode(key, value, &l.rating, "a number from 0 to 5")
	case "confidence":
		return decode(key, value, &l.confidence, "a whole number from 0 to 100")
	}
	known, err := l.common.set(key, value)
	if !known {
		return fmt.Errorf("has a field that is not known: want type, summary, rating, confidence, tags, attributes and groups")
	}
	return err
}

func (l *indicatorLine) indicator() (threatconnect.Indicator, error) {
	switch {
	case l.typ == "":
		return nil, errors.New("has no type")
	case l.summary == "":
		return nil, errors.New("has no summary")
	case l.rating != nil && !(*l.rating >= 0 && *l.rating <= 5):
		return nil, errors.New("rating: want 0 to 5")
	case l.confidence != nil && (*l.confidence < 0 || *l.confidence > 100):
		return nil, errors.New("confidence: want 0 to 100")
	}
	ind, err := typed(threatconnect.IndicatorType(l.typ), l.summary)
	if err != nil {
		return nil, err
	}
	m := ind.Meta()
	m.Rating, m.Confidence = l.rating, l.confidence
	m.Tags, m.Attributes, m.GroupXIDs = l.common.tags, l.common.attributes, l.common.groups
	return ind, nil
}

// commonFields are the fields that indicators and groups both have.
type commonFields struct {
	tags       []threatconnect.Tag
	attributes []threatconnect.Attribute
	groups     []string
}

func (c *commonFields) set(key string, value json.RawMessage) (known bool, err error) {
	switch key {
	case "tags":
		var names []string
		if err = decode(key, value, &names, "a list of text"); err == nil {
			c.tags, err = tagsOf(names)
		}
	case "groups":
		if err = decode(key, value, &c.groups, "a list of xids"); err == nil {
			for _, xid := range c.groups {
				if xid == "" {
					err = errors.New("groups: an xid is empty")
				}
			}
		}
	case "attributes":
		var raw []json.RawMessage
		if err = decode(key, value, &raw, "a list of objects"); err != nil {
			return true, err
		}
		for _, r := range raw {
			a, err := attributeOf(r)
			if err != nil {
				return true, err
			}
			c.attributes = append(c.attributes, a)
		}
	default:
		return false, nil
	}
	return true, err
}

func attributeOf(raw json.RawMessage) (a threatconnect.Attribute, err error) {
	err = object(raw, func(key string, value json.RawMessage) error {
		switch key {
		case "type":
			return decode("attribute type", value, &a.Type, "text")
		case "value":
			return decode("attribute value", value, &a.Value, "text")
		}
		return errors.New("has an attribute with a field that is not known: want type and value")
	})
	if err == nil && (a.Type == "" || a.Value == "") {
		err = errors.New("has an attribute without type or value")
	}
	return a, err
}

// object calls fn for every key of a JSON object in their order. Keys that come twice and anything
// after the object are errors.
func object(data []byte, fn func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("is not a JSON object")
	}
	seen := make(map[string]bool, 8)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return errBrokenJSON
		}
		key := token.(string) // the decoder takes nothing else for a key
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return errBrokenJSON
		}
		if seen[key] {
			return errors.New("has a field twice")
		}
		seen[key] = true
		if err := fn(key, value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errBrokenJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("has something after the JSON object")
	}
	return nil
}

var errBrokenJSON = errors.New("is broken JSON")

// decode reads a value of a field. null stands for a field that is not given.
func decode(field string, value json.RawMessage, into any, want string) error {
	if json.Unmarshal(value, into) != nil {
		return errors.New(field + ": want " + want)
	}
	return nil
}
