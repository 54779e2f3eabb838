package threatconnect

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/merge"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// mergedItem is an item from [MergeItems].
type mergedItem struct {
	text    string   // from merge.AppendItem or merge.AppendRefused
	content *Content // of a group; nil if it has none
}

func (*mergedItem) batchItem() {}

func (in *mergedItem) section() item.Section { return merge.SectionOf(in.text) }

// readRefused returns the error of a refused item.
func readRefused(text string) (typ, name string, err error) {
	typ, name, p, err := merge.ReadRefused(text)
	if err == nil {
		err = &ValidationError{Field: p.Field, Rule: p.Rule, Fix: p.Fix}
	}
	return typ, name, err
}

// encodeWith implements encodedItem.
func (in *mergedItem) encodeWith(e *encoder) (err error) {
	if merge.IsRefused(in.text) {
		e.typ, e.name, err = readRefused(in.text)
		return err
	}
	var json string
	if e.typ, json, err = merge.ReadItem(in.text, &e.out); err != nil {
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

// memberOf returns the value of a key of an object, or nil.
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

// indicator returns the definition, the canonical values and the summary of an indicator.
func (in *mergedItem) indicator() (def *indicatorDef, v [3]string, summary string, err error) {
	if merge.IsRefused(in.text) {
		_, _, err = readRefused(in.text)
		return nil, v, "", err
	}
	var e item.Encoded
	typ, _, err := merge.ReadItem(in.text, &e)
	if err == nil {
		def, v, err = mergedValues(typ, e.Name)
	}
	return def, v, e.Name, err
}

// valuesIn returns the canonical values in the JSON of an indicator.
func (e *encoder) valuesIn() (v [3]string, err error) {
	for i, key := range [...]string{"value1", "value2", "value3"} {
		if value := memberOf(e.out.JSON, key); value != nil {
			v[i] = wire.NewReader(value).Text()
		}
	}
	if v == ([3]string{}) { // a single summary
		_, v, err = mergedValues(e.out.Type, e.out.Name)
	}
	return v, err
}

// mergedValues returns the definition and the canonical values of an indicator from its summary.
func mergedValues(typ, summary string) (def *indicatorDef, v [3]string, err error) {
	if def = indicatorDefOf(IndicatorType(typ)); def == nil {
		return &indicatorDef{typ: IndicatorType(typ)}, [3]string{summary}, nil
	}
	v, err = def.parse(summary)
	return def, v, err
}
