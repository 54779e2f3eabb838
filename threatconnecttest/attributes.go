package threatconnecttest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// attribute is an attribute of an item.
type attribute struct {
	id        int64
	typ       *AttributeType
	value     string
	source    string
	displayed bool
	pinned    bool
	added     int64
	modified  int64
	labels    []*SecurityLabel
}

func builtInAttributeTypes() []*AttributeType {
	var all []*AttributeType
	for name, length := range map[string]int{
		"Description": 65_536, "Source": 65_536, "Additional Analysis and Context": 65_536, "Admiralty Code": 2,
		"Adversary Motivation Type": 21, "Adversary Origin": 500, "Aliases": 500, "AMA Signature": 500, "Archive Password": 255,
		"Attribution Assessment": 500, "Course of Action Recommendation": 65_536, "External ID": 500, "First Seen": 500,
		"Last Seen": 500, "Phase of Intrusion": 500, "Threat Level": 500,
	} {
		all = append(all, &AttributeType{Name: name, MaxLength: length, AllowMarkdown: length > 500, System: true})
	}
	all = append(all, &AttributeType{Name: "Adversary Type", MaxLength: 50, System: true, Types: []string{"Adversary"}})
	slices.SortFunc(all, func(a, b *AttributeType) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (w *world) attributeType(name string) *AttributeType {
	return first(w.attributeTypes, func(t *AttributeType) bool { return t.Name == name })
}

// check returns the platform's error message for a value, or "" if it is valid.
func (t *AttributeType) check(holderType, value string) string {
	switch {
	case len(t.Types) > 0 && !slices.Contains(t.Types, holderType):
		return msgAttributeType
	case value == "":
		return msgNoValue
	case t.MaxLength > 0 && utf8.RuneCountInString(value) > t.MaxLength:
		return fmt.Sprintf("The value for this attribute is invalid, please enter a value between 1-%d characters in length", t.MaxLength)
	}
	return ""
}

func (w *world) newAttribute(t *AttributeType, value string, now int64) *attribute {
	return &attribute{id: w.nextID(), typ: t, value: value, added: now, modified: now}
}

// addAttribute adds an attribute. Only one Description and one Source can be displayed.
func (m *metadata) addAttribute(a *attribute) {
	m.attributes = append(m.attributes, a)
	m.display(a, a.displayed)
}

func (m *metadata) display(a *attribute, on bool) {
	if a.typ.Name != "Description" && a.typ.Name != "Source" {
		on = false
	}
	if on {
		for _, other := range m.attributes {
			if other.typ == a.typ {
				other.displayed = false
			}
		}
	}
	a.displayed = on
}

func (m *metadata) attribute(id int64) *attribute {
	if m == nil {
		return nil
	}
	return first(m.attributes, func(a *attribute) bool { return a.id == id })
}

func (a *attribute) record() AttributeRecord {
	r := AttributeRecord{ID: a.id, Type: a.typ.Name, Value: a.value, Source: a.source, Displayed: a.displayed, Pinned: a.pinned,
		DateAdded: time.Unix(a.added, 0).UTC(), LastModified: time.Unix(a.modified, 0).UTC()}
	for _, l := range a.labels {
		r.Labels = append(r.Labels, l.Name)
	}
	return r
}

func (a *attribute) write(w *jsonWriter, with include) {
	w.id("id", a.id)
	w.str("type", a.typ.Name)
	w.date("dateAdded", a.added)
	w.date("lastModified", a.modified)
	w.bool("displayed", a.displayed)
	w.str("value", a.value)
	w.some("source", a.source)
	if with&withAdditional != 0 {
		w.str("xid", "attribute:"+strconv.FormatInt(a.id, 10))
	}
}

func (c *call) listAttributes(h holder) *answer {
	with := c.includes()
	return pageOf(c, "attribute", slices.Values(h.metadataOrNil().all().attributes), func(a *attribute, w *jsonWriter) { a.write(w, with) })
}

func (c *call) getAttribute(_ holder, a *attribute) *answer {
	return c.one(http.StatusOK, "attribute", func(w *jsonWriter) { a.write(w, c.includes()) })
}

func (c *call) createAttribute(h holder, f fields) *answer {
	name, _ := f.text("type")
	t := c.attributeType(name)
	if t == nil {
		return fail(http.StatusNotFound, msgAttributeType)
	}
	value, _ := f.text("value")
	if msg := t.check(h.typeName(), value); msg != "" {
		if msg == msgAttributeType {
			return fail(http.StatusNotFound, msg)
		}
		return fail(http.StatusBadRequest, msg)
	}
	a := c.newAttribute(t, value, c.seconds())
	a.source, _ = f.text("source")
	a.displayed, _ = f.flag("displayed")
	h.metadata().addAttribute(a)
	h.changed(c.seconds())
	return c.one(http.StatusCreated, "attribute", func(w *jsonWriter) { a.write(w, 0) })
}

func (c *call) updateAttribute(h holder, a *attribute) *answer {
	f, ok := readFields(c.body)
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	value, _ := f.text("value")
	if msg := a.typ.check(h.typeName(), value); msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	a.value = value
	if s, ok := f.text("source"); ok {
		a.source = s
	}
	if on, ok := f.flag("displayed"); ok {
		h.metadata().display(a, on)
	}
	a.modified = c.seconds()
	h.changed(c.seconds())
	return c.one(http.StatusOK, "attribute", func(w *jsonWriter) { a.write(w, 0) })
}

func (c *call) deleteAttribute(h holder, a *attribute) *answer {
	m := h.metadata()
	m.attributes = remove(m.attributes, a)
	h.changed(c.seconds())
	return success(http.StatusOK)
}

func (c *call) listAttributeLabels(_ holder, a *attribute) *answer {
	return c.pageOfLabels(a.labels)
}

func (c *call) addAttributeLabel(h holder, a *attribute) *answer {
	l := h.belongs().label(c.params.get("securityLabelName"))
	if l == nil {
		return missing()
	}
	if !slices.Contains(a.labels, l) {
		a.labels = append(a.labels, l)
	}
	return success(http.StatusCreated)
}

func (c *call) removeAttributeLabel(h holder, a *attribute) *answer {
	l := h.belongs().label(c.params.get("securityLabelName"))
	if l == nil || !slices.Contains(a.labels, l) {
		return missing()
	}
	a.labels = remove(a.labels, l)
	return success(http.StatusOK)
}
