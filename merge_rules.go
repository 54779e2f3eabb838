package threatconnect

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/jsonmerge"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// mergedItems are the rules for the items of batch files. They are not written to.
var mergedItems = mergeRules()

func mergeRules() (rules [item.Sections]jsonmerge.Rules) {
	choose := func(f func(have, more []byte) []byte) jsonmerge.Rule { return jsonmerge.Rule{Choose: f} }
	list := func(rules jsonmerge.Rules, keys ...string) jsonmerge.Rule {
		return jsonmerge.Rule{List: &jsonmerge.List{Keys: keys, Rules: rules}}
	}
	first, least, most, either := choose(firstOf), choose(leastOf), choose(mostOf), choose(eitherOf)
	labels := list(jsonmerge.Rules{"description": first, "color": first}, "name")
	attributes := list(jsonmerge.Rules{"displayed": either, "pinned": either, "source": first, "securityLabel": labels}, "type", "value")
	rules[item.Groups] = jsonmerge.Rules{
		"tag": list(nil), "securityLabel": labels, "attribute": attributes,
		"firstSeen": least, "lastSeen": most, "externalDateAdded": least, "externalDateExpires": most, "externalLastModified": most,
	}
	indicators := maps.Clone(rules[item.Groups])
	maps.Copy(indicators, jsonmerge.Rules{
		"rating": choose(highestOf), "confidence": choose(highestOf), "privateFlag": either, "fileOccurrence": list(nil),
		"description": {Others: &jsonmerge.Others{Key: "attribute", Make: descriptionOf}},
	})
	rules[item.Indicators] = indicators
	return rules
}

func firstOf(have, _ []byte) []byte { return have }

// eitherOf returns true if one of two is.
func eitherOf(have, more []byte) []byte {
	if string(more) == "true" {
		return more
	}
	return have
}

// highestOf returns the larger of two numbers.
func highestOf(have, more []byte) []byte {
	a, _ := strconv.ParseFloat(string(have), 64) // the encoder has written both
	if b, _ := strconv.ParseFloat(string(more), 64); b > a {
		return more
	}
	return have
}

// leastOf and mostOf return the earlier and the later of two dates, all of which have one form.
func leastOf(have, more []byte) []byte { return slices.MinFunc([][]byte{have, more}, bytes.Compare) }
func mostOf(have, more []byte) []byte  { return slices.MaxFunc([][]byte{have, more}, bytes.Compare) }

// descriptionOf returns a description as an attribute.
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

// itemMerger makes one item of several that are the same thing. MergeItems says by which rules.
type itemMerger struct {
	last   string // text that was merged last
	typ    string
	out    item.Encoded // what comes out, without what follows
	refs   jsonmerge.Distinct[string]
	listed jsonmerge.Distinct[item.Listed]
	object jsonmerge.Object

	defaults IndicatorMeta // rating and confidence
	in       item.Encoded
	buf      wire.Writer
}

// completes reports whether an item may get a default.
func (m *itemMerger) completes(text []byte) bool {
	return text[0] == byte(item.Indicators) && (m.defaults.Rating != nil || m.defaults.Confidence != nil)
}

// complete gives an indicator the defaults that it needs.
func (m *itemMerger) complete() error {
	if m.out.Section != item.Indicators {
		return nil
	}
	d := m.defaults
	if m.object.Has("rating") {
		d.Rating = nil
	}
	if m.object.Has("confidence") {
		d.Confidence = nil
	}
	var w wire.Writer
	w.BeginObject()
	d.write(&w)
	w.EndObject()
	return m.object.Add(w.Buf)
}

// begin begins with the first item, from appendMerged.
func (m *itemMerger) begin(text string) error {
	typ, json, err := readMerged(text, &m.in)
	if err != nil {
		return err
	}
	m.last, m.typ, m.out = text, typ, item.Encoded{Section: m.in.Section, Type: m.in.Type, Name: m.in.Name, Key: m.in.Key}
	m.refs.Reset()
	m.listed.Reset()
	m.object.Begin(mergedItems[m.in.Section])
	return m.join(json)
}

// add merges another item that has the same key.
func (m *itemMerger) add(text string) error {
	if text == m.last {
		return nil
	}
	_, json, err := readMerged(text, &m.in)
	if err != nil {
		return err
	}
	if m.in.Section == item.Associations { // all are the same but for the types of groups, which need not be named
		if len(text) > len(m.last) {
			return m.begin(text)
		}
		return nil
	}
	m.last = text
	if err := m.join(json); err != nil {
		return err
	}
	if m.out.Type == string(TypeFile) {
		return m.hashes()
	}
	return nil
}

// join adds what has been read.
func (m *itemMerger) join(json string) error {
	for _, xid := range m.in.Refs {
		m.refs.Add(xid)
	}
	for _, l := range m.in.Listed {
		m.listed.Add(l)
	}
	return m.object.Add([]byte(json))
}

// hashes gives a file the hashes of another one as well.
func (m *itemMerger) hashes() error {
	def, v, err := mergedValues(m.out.Type, m.out.Name)
	if err != nil {
		return err
	}
	_, more, err := mergedValues(m.in.Type, m.in.Name)
	if err != nil {
		return err
	}
	for i := range v {
		v[i] = cmp.Or(v[i], more[i])
	}
	if m.out.Name, err = def.summary(v); err != nil {
		return err
	}
	m.buf.Reset()
	m.buf.Text(m.out.Name)
	m.object.Set("summary", bytes.Clone(m.buf.Buf))
	return nil
}

// append appends the merged item, as appendMerged does.
func (m *itemMerger) append(b []byte) []byte {
	m.buf.Reset()
	m.object.Write(&m.buf)
	m.out.JSON, m.out.Refs, m.out.Listed = m.buf.Buf, m.refs.All, m.listed.All
	return appendMerged(b, m.typ, &m.out)
}

// repeatsItself reports whether a list of an item, which the encoder has written, may hold something twice.
func (e *encoder) repeatsItself(in BatchItem) bool {
	var tags []Tag
	var attributes []Attribute
	var labels []SecurityLabel
	if c, ok := in.(*GroupContent); ok {
		in = c.Group
	}
	switch in := in.(type) {
	case Indicator:
		m := in.Meta()
		tags, attributes, labels = m.Tags, m.Attributes, m.SecurityLabels
		if f, ok := in.(*File); ok && len(f.Occurrences) > 1 {
			return true
		}
	case Group:
		m := in.Meta()
		tags, attributes, labels = m.Tags, m.Attributes, m.SecurityLabels
	}
	return repeats(e.out.Refs, func(a, b *string) bool { return *a == *b }) ||
		repeats(e.out.Listed, func(a, b *item.Listed) bool { return *a == *b }) ||
		repeats(tags, func(a, b *Tag) bool { return strings.TrimSpace(a.Name) == strings.TrimSpace(b.Name) }) ||
		repeats(labels, func(a, b *SecurityLabel) bool { return a.Name == b.Name }) ||
		repeats(attributes, func(a, b *Attribute) bool { return a.Type == b.Type && (a.Value == b.Value || e.cut > 0) })
}

// repeats reports whether two in a list are the same; in a long one it does not look.
func repeats[T any](list []T, same func(a, b *T) bool) bool {
	if len(list) > jsonmerge.Few {
		return true
	}
	for i := range list {
		for j := range i {
			if same(&list[j], &list[i]) {
				return true
			}
		}
	}
	return false
}
