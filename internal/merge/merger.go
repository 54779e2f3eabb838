package merge

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/jsonmerge"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// rules are the rules for merging the JSON of items.
var rules = newRules()

func newRules() (all [item.Sections]jsonmerge.Rules) {
	choose := func(f func(have, more []byte) []byte) jsonmerge.Rule { return jsonmerge.Rule{Choose: f} }
	list := func(rules jsonmerge.Rules, keys ...string) jsonmerge.Rule {
		return jsonmerge.Rule{List: &jsonmerge.List{Keys: keys, Rules: rules}}
	}
	first, earliest, latest, either := choose(firstOf), choose(earliestOf), choose(latestOf), choose(eitherOf)
	labels := list(jsonmerge.Rules{"description": first, "color": first}, "name")
	attributes := list(jsonmerge.Rules{"displayed": either, "pinned": either, "source": first, "securityLabel": labels}, "type", "value")
	all[item.Groups] = jsonmerge.Rules{
		"tag":                  list(nil),
		"securityLabel":        labels,
		"attribute":            attributes,
		"firstSeen":            earliest,
		"lastSeen":             latest,
		"externalDateAdded":    earliest,
		"externalDateExpires":  latest,
		"externalLastModified": latest,
	}
	indicators := maps.Clone(all[item.Groups])
	maps.Copy(indicators, jsonmerge.Rules{
		"rating":         choose(highestOf),
		"confidence":     choose(highestOf),
		"privateFlag":    either,
		"fileOccurrence": list(nil),
		"description":    {Others: &jsonmerge.Others{Key: "attribute", Make: descriptionOf}},
	})
	all[item.Indicators] = indicators
	return all
}

func firstOf(have, _ []byte) []byte { return have }

func eitherOf(have, more []byte) []byte {
	if string(more) == "true" {
		return more
	}
	return have
}

func highestOf(have, more []byte) []byte {
	a, _ := strconv.ParseFloat(string(have), 64) // the encoder has written both
	if b, _ := strconv.ParseFloat(string(more), 64); b > a {
		return more
	}
	return have
}

// All dates have the same form, so their order is that of their bytes.
func earliestOf(have, more []byte) []byte { return slices.MinFunc([][]byte{have, more}, bytes.Compare) }
func latestOf(have, more []byte) []byte   { return slices.MaxFunc([][]byte{have, more}, bytes.Compare) }

// descriptionOf returns an attribute with a description.
func descriptionOf(text []byte) []byte {
	var w wire.Writer
	w.BeginObject()
	w.Name("type")
	w.Text("Description")
	w.Name("value")
	w.Raw(text)
	w.EndObject()
	return w.Buf
}

// merger merges items with the same key.
type merger struct {
	defaults  []byte
	joinFiles func(a, b string) (string, error)

	last   string // the item that was added last
	typ    string
	out    item.Encoded // the merged item without Refs, Listed and JSON
	refs   jsonmerge.Distinct[string]
	listed jsonmerge.Distinct[item.Listed]
	object jsonmerge.Object

	in  item.Encoded
	buf wire.Writer
}

// begin starts with the first item.
func (m *merger) begin(text string) error {
	typ, json, err := ReadItem(text, &m.in)
	if err != nil {
		return err
	}
	m.last, m.typ, m.out = text, typ, item.Encoded{Section: m.in.Section, Type: m.in.Type, Name: m.in.Name, Key: m.in.Key}
	m.refs.Reset()
	m.listed.Reset()
	m.object.Begin(rules[m.in.Section])
	return m.join(json)
}

// add merges another item with the same key.
func (m *merger) add(text string) error {
	if text == m.last {
		return nil
	}
	_, json, err := ReadItem(text, &m.in)
	if err != nil {
		return err
	}
	if m.in.Section == item.Associations { // they differ in the optional types of groups only
		if len(text) > len(m.last) {
			return m.begin(text)
		}
		return nil
	}
	m.last = text
	if err := m.join(json); err != nil {
		return err
	}
	if m.out.Type != "File" {
		return nil
	}
	if m.out.Name, err = m.joinFiles(m.out.Name, m.in.Name); err != nil {
		return err
	}
	m.buf.Reset()
	m.buf.Text(m.out.Name)
	m.object.Set("summary", bytes.Clone(m.buf.Buf))
	return nil
}

func (m *merger) join(json string) error {
	for _, xid := range m.in.Refs {
		m.refs.Add(xid)
	}
	for _, l := range m.in.Listed {
		m.listed.Add(l)
	}
	return m.object.Add([]byte(json))
}

// needsDefaults reports whether an item may get a default.
func (m *merger) needsDefaults(text []byte) bool {
	return len(m.defaults) > 0 && text[0] == byte(item.Indicators)
}

// setDefaults sets the missing members of an indicator that have a default.
func (m *merger) setDefaults() error {
	if len(m.defaults) == 0 || m.out.Section != item.Indicators {
		return nil
	}
	r := wire.NewReader(m.defaults)
	for r.Object(); r.NextKey(); {
		if key, value := string(r.Key()), r.Raw(); !m.object.Has(key) {
			m.object.Set(key, value)
		}
	}
	return r.Err()
}

// append appends the merged item in the form of AppendItem.
func (m *merger) append(b []byte) []byte {
	m.buf.Reset()
	m.object.Write(&m.buf)
	m.out.JSON, m.out.Refs, m.out.Listed = m.buf.Buf, m.refs.All, m.listed.All
	return AppendItem(b, m.typ, &m.out)
}
