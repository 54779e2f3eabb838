package threatconnect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// mergedItem is an item that [MergeItems] yields: encoded for a batch file, or the error that refused it.
type mergedItem struct {
	text    string   // from appendMerged or appendRefused
	content *Content // of a group, to be uploaded; nil if it has none
}

func (*mergedItem) batchItem() {}

var errMerged = errors.New("what was put aside is not a batch item any more")

// mergedRefused begins the text of an item that was refused, in the place of a section.
const mergedRefused = byte(item.Sections)

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendMerged appends an item with all that the writer of an import needs. typ is its type, also that of a group.
func appendMerged(b []byte, typ string, e *item.Encoded) []byte {
	b = append(b, byte(e.Section))
	b = appendText(appendText(appendText(b, typ), e.Name), e.Key)
	b = binary.AppendUvarint(b, uint64(len(e.Refs)))
	for _, xid := range e.Refs {
		b = appendText(b, xid)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Listed)))
	for i := range e.Listed {
		b = appendText(appendText(b, e.Listed[i].Type), e.Listed[i].Name)
	}
	return append(b, e.JSON...)
}

// appendRefused appends what is wrong with an item.
func appendRefused(b []byte, section item.Section, typ, name string, err *ValidationError) []byte {
	b = append(b, mergedRefused, byte(section))
	for _, s := range [...]string{typ, name, err.Field, err.Rule, err.Fix} {
		b = appendText(b, s)
	}
	return b
}

// mergedText is the unread rest of an encoded item. After the first error, it is empty and all values are zero.
type mergedText struct {
	rest string
	bad  bool
}

// size reads a count of things that have at least one byte each.
func (t *mergedText) size() int {
	n := uint64(0)
	for i := range min(len(t.rest), binary.MaxVarintLen64) {
		b := t.rest[i]
		if n |= uint64(b&0x7f) << (7 * i); b < 0x80 {
			if t.rest = t.rest[i+1:]; n <= uint64(len(t.rest)) {
				return int(n)
			}
			break
		}
	}
	t.rest, t.bad = "", true
	return 0
}

func (t *mergedText) text() (s string) {
	n := t.size()
	s, t.rest = t.rest[:n], t.rest[n:]
	return s
}

// readMerged undoes appendMerged. It sets all of e but the JSON and the content.
func readMerged(text string, e *item.Encoded) (typ, json string, err error) {
	if text == "" || text[0] >= mergedRefused {
		return "", "", errMerged
	}
	t := mergedText{rest: text[1:]}
	*e = item.Encoded{Section: item.Section(text[0]), Refs: e.Refs[:0], Listed: e.Listed[:0]}
	typ, e.Name, e.Key = t.text(), t.text(), t.text()
	if e.Section == item.Indicators {
		e.Type = typ
	}
	for range t.size() {
		e.Refs = append(e.Refs, t.text())
	}
	for range t.size() {
		e.Listed = append(e.Listed, item.Listed{End: item.End{Type: t.text(), Name: t.text()}})
	}
	if t.bad || t.rest == "" {
		return "", "", errMerged
	}
	return typ, t.rest, nil
}

// readRefused undoes appendRefused.
func readRefused(text string) (typ, name string, err error) {
	t, v := mergedText{rest: text[min(len(text), 2):]}, new(ValidationError)
	typ, name, v.Field, v.Rule, v.Fix = t.text(), t.text(), t.text(), t.text(), t.text()
	if t.bad || t.rest != "" {
		return "", "", errMerged
	}
	return typ, name, v
}

// encodeWith writes the item.
func (in *mergedItem) encodeWith(e *encoder) (err error) {
	if in.text != "" && in.text[0] == mergedRefused {
		e.typ, e.name, err = readRefused(in.text)
		return err
	}
	var json string
	if e.typ, json, err = readMerged(in.text, &e.out); err != nil {
		return err
	}
	e.name = e.out.Name
	switch {
	case e.action == BatchCreate:
		e.Buf = append(e.Buf, json...)
	case e.out.Section == item.Associations:
		return errDeletedAssociation
	case in.content != nil:
		return errDeletedContent
	default:
		e.out.Refs, e.out.Listed = e.out.Refs[:0], e.out.Listed[:0]
		e.identity([]byte(json))
	}
	if in.content != nil {
		e.upload(GroupType(e.typ), string(memberOf([]byte(json), "malware")) == "true", *in.content)
	}
	if e.exclude != nil {
		e.excludesMerged()
	}
	if e.owner != "" && e.action == BatchCreate {
		e.mergedTags(memberOf([]byte(json), "tag"))
	}
	return nil
}

// excludesMerged calls exclude for the indicators that the item is or refers to.
func (e *encoder) excludesMerged() {
	switch e.out.Section {
	case item.Indicators:
		e.excludes(IndicatorType(e.out.Type), e.out.Name, false)
	case item.Groups:
		for i := range e.out.Listed {
			if l := &e.out.Listed[i]; e.excludes(IndicatorType(l.Type), l.Name, true) {
				l.Excluded = e.excluded[len(e.excluded)-1].Reason
			}
		}
	default:
		for _, end := range item.LinkEnds(e.out.Key) {
			if summary, ok := strings.CutPrefix(end.Name, "="); ok && end.Type != "" && e.excludes(IndicatorType(end.Type), summary, true) {
				return
			}
		}
	}
}

// mergedTags collects the tags that repeat the owner's name.
func (e *encoder) mergedTags(tags []byte) {
	if tags == nil {
		return
	}
	r := wire.NewReader(tags)
	for r.Array(); r.NextElem(); {
		for r.Object(); r.NextKey(); {
			if name := r.Text(); repeatsOwner(name, e.owner) {
				e.ownerTags = append(e.ownerTags, name)
			}
		}
	}
}

// identity writes the members of an object that identify the item, for a deletion.
func (e *encoder) identity(json []byte) {
	e.BeginObject()
	r := wire.NewReader(json)
	for r.Object(); r.NextKey(); {
		key, value := string(r.Key()), r.Raw()
		switch key {
		case "xid", "name":
			if e.out.Section != item.Groups {
				continue
			}
		case "type", "summary", "value1", "value2", "value3":
		default:
			continue
		}
		e.Key(key)
		e.Raw(value)
	}
	e.EndObject()
}

// memberOf returns a member of an object, or nil.
func memberOf(json []byte, key string) (value []byte) {
	r := wire.NewReader(json)
	for r.Object(); r.NextKey(); {
		if string(r.Key()) == key {
			return r.Raw()
		}
		r.Skip()
	}
	return nil
}

func (in *mergedItem) section() item.Section {
	section := in.text[0]
	if section == mergedRefused {
		section = in.text[1]
	}
	return item.Section(section)
}

// indicator returns the definition, the canonical values and the summary of an indicator.
func (in *mergedItem) indicator() (def *indicatorDef, v [3]string, summary string, err error) {
	if in.text[0] == mergedRefused {
		_, _, err = readRefused(in.text)
		return nil, v, "", err
	}
	var e item.Encoded
	typ, _, err := readMerged(in.text, &e)
	if err == nil {
		def, v, err = mergedValues(typ, e.Name)
	}
	return def, v, e.Name, err
}

// valuesIn returns the canonical values of an indicator that was written.
func (e *encoder) valuesIn() (v [3]string, err error) {
	for i, key := range [...]string{"value1", "value2", "value3"} {
		if value := memberOf(e.out.JSON, key); value != nil {
			v[i] = wire.NewReader(value).Text()
		}
	}
	if v == ([3]string{}) { // its summary tells them apart
		_, v, err = mergedValues(e.out.Type, e.out.Name)
	}
	return v, err
}

// mergedValues returns the canonical values of an indicator of MergeItems.
func mergedValues(typ, summary string) (def *indicatorDef, v [3]string, err error) {
	if def = indicatorDefOf(IndicatorType(typ)); def == nil {
		return &indicatorDef{typ: IndicatorType(typ)}, [3]string{summary}, nil
	}
	v, err = def.parse(summary)
	return def, v, err
}

// departures are a batch of items to yield.
type departures struct {
	items []mergedItem
	from  []MergeOrigin
}

// contentOwner is a group that has a content.
type contentOwner struct{ typ, xid string }

// contentOf returns the content of an item; nil if it has none.
func (m *merge) contentOf(text string) (*Content, error) {
	if len(m.contents) == 0 || text[0] != byte(item.Groups) {
		return nil, nil
	}
	var e item.Encoded
	typ, _, err := readMerged(text, &e)
	return m.contents[contentOwner{typ, e.Name}], err
}

// pass yields all items, and reports whether the caller wants more. A goroutine reads and merges the items a little
// ahead of the caller.
func (m *merge) pass(yield func(BatchItem, error) bool) (bool, error) {
	ahead, stop := make(chan departures, 1), make(chan struct{})
	var err error
	go func() {
		defer close(ahead)
		err = m.prepare(func(batch departures) bool {
			select {
			case ahead <- batch:
				return true
			case <-stop:
				return false
			}
		})
	}()
	defer func() {
		close(stop)
		for range ahead { // until the goroutine has ended
		}
	}()
	for batch := range ahead {
		for i := range batch.items {
			if m.ctx.Err() != nil {
				return true, context.Cause(m.ctx)
			}
			if m.opts.OnItem != nil {
				m.opts.OnItem(batch.from[i])
			}
			if !yield(&batch.items[i], nil) {
				return false, nil
			}
		}
	}
	return true, err
}

// prepare calls give with all items that go out, in batches of about batchBytes, until it returns
// false.
func (m *merge) prepare(give func(departures) bool) error {
	next, stop := iter.Pull2(m.repeats.SortedUntil(m.ctx))
	defer stop()
	repeat, err, more := next()
	var text []byte
	var ends []int
	var from []MergeOrigin
	flush := func() (bool, error) {
		all := string(text)
		batch := departures{make([]mergedItem, len(ends)), slices.Clone(from)}
		begin := 0
		for i, end := range ends {
			batch.items[i].text = all[begin:end]
			begin = end
			if batch.items[i].content, err = m.contentOf(batch.items[i].text); err != nil {
				return false, err
			}
		}
		text, ends, from = text[:0], ends[:0], from[:0]
		return give(batch), nil
	}
	n := int64(-1)
	for content, logErr := range m.log.All() {
		if m.ctx.Err() != nil {
			logErr = context.Cause(m.ctx)
		}
		if err := cmp.Or(err, logErr); err != nil {
			return err
		}
		if n++; m.again.has(n) {
			continue
		}
		origin := MergeOrigin{First: n, Count: 1}
		repeats := more && numberOf(repeat.Key) == n
		if !repeats && !m.merger.completes(content) {
			text = append(text, content...)
		} else {
			if err := m.merger.begin(string(content)); err != nil {
				return err
			}
			for ; more && numberOf(repeat.Key) == n; origin.Count++ {
				if err := m.mergeAt(placeOf(repeat.Value).at, true); err != nil {
					return err
				}
				if repeat, err, more = next(); err != nil {
					return err
				}
			}
			if err := m.merger.complete(); err != nil {
				return err
			}
			text = m.merger.append(text)
		}
		ends, from = append(ends, len(text)), append(from, origin)
		if len(text) < batchBytes {
			continue
		}
		if more, err := flush(); err != nil || !more {
			return err
		}
	}
	if len(ends) == 0 {
		return nil
	}
	_, err = flush()
	return err
}

const batchBytes = 32 << 10 // of encoded items that go from one goroutine to the other at a time
