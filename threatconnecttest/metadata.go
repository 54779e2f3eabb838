package threatconnecttest

import (
	"errors"
	"slices"
)

// holder is what attributes, tags and labels hang on: an indicator, a group, a task, a victim.
type holder interface {
	belongs() *owner
	metadata() *metadata // made when there is none yet
	hangers() *metadata  // nil when there is none yet
	typeName() string    // such as "Host" or "Incident"
	changed(now int64)   // something that hangs on it has changed
}

// linked is what can be associated.
type linked interface {
	holder
	links() []link
}

// link is one association, seen from one of its ends.
type link struct {
	to    linked
	label string // the association type between two indicators
}

// metadata is what hangs on one thing. A nil one is empty.
type metadata struct {
	attributes []*attribute
	tags       []*tag
	labels     []*SecurityLabel
	linked     []link
	without    []*asset // of associated victims, which were taken off
}

func (m *metadata) associations() []link {
	if m == nil {
		return nil
	}
	return m.linked
}

func (m *metadata) unlink(other linked) {
	if m != nil {
		m.linked = slices.DeleteFunc(m.linked, func(l link) bool { return l.to == other })
	}
}

// unlinkAs removes one association with another thing.
func (m *metadata) unlinkAs(other linked, label string) {
	m.linked = slices.DeleteFunc(m.linked, func(l link) bool { return l == link{other, label} })
}

// associate links two things. It is idempotent, and does nothing when both ends are the same thing,
// as when two linked files are merged. A link between an indicator and a group is stored with the
// indicator only, because a group may have a million indicators and is rarely asked for them.
func associate(a, b linked, label string) {
	if a == b {
		return
	}
	if forgetful(a, b) {
		a, b = b, a
	}
	la, lb := link{b, label}, link{a, label}
	if slices.Contains(a.links(), la) {
		return
	}
	a.metadata().linked = append(a.metadata().linked, la)
	if !forgetful(b, a) {
		b.metadata().linked = append(b.metadata().linked, lb)
	}
}

// dissociate undoes associate and reports whether there was anything to undo.
func dissociate(a, b linked) bool {
	if forgetful(a, b) {
		a, b = b, a
	}
	there := slices.ContainsFunc(a.links(), func(l link) bool { return l.to == b })
	a.hangers().unlink(b)
	b.hangers().unlink(a)
	return there
}

// dissociateAll removes the links of a thing, except those that only its indicators store.
func dissociateAll(a linked) {
	for _, l := range slices.Clone(a.links()) {
		dissociate(a, l.to)
	}
}

// forgetful reports whether a does not remember that it is associated with b.
func forgetful(a, b linked) bool {
	_, group := a.(*group)
	_, indicator := b.(*indicator)
	return group && indicator
}

// all is what hangs on something, also when there is no metadata yet.
func (m *metadata) all() metadata {
	if m == nil {
		return metadata{}
	}
	return *m
}

// write writes what a read asks for.
func (m *metadata) write(w *jsonWriter, with include) {
	all := m.all()
	if with&withAttributes != 0 {
		writeAll(w, "attribute", all.attributes, func(a *attribute, w *jsonWriter) { a.write(w, 0) })
	}
	if with&withTags != 0 {
		writeAll(w, "tag", all.tags, (*tag).write)
	}
	if with&withLabels != 0 {
		writeAll(w, "securityLabel", all.labels, (*SecurityLabel).write)
	}
}

// displayed returns the value of the default attribute of a type.
func (m *metadata) displayed(typeName string) string {
	if m == nil {
		return ""
	}
	for _, a := range m.attributes {
		if a.displayed && a.typ.Name == typeName {
			return a.value
		}
	}
	return ""
}

func (m *metadata) records() (attributes []AttributeRecord, tags, labels []string) {
	if m == nil {
		return nil, nil, nil
	}
	for _, a := range m.attributes {
		attributes = append(attributes, a.record())
	}
	for _, t := range m.tags {
		tags = append(tags, t.name)
	}
	for _, l := range m.labels {
		labels = append(labels, l.Name)
	}
	return attributes, tags, labels
}

// seed hangs what a record of a test holds on a thing.
func (w *world) seed(h holder, attributes []AttributeRecord, tags, labels []string, now int64) error {
	for _, a := range attributes {
		t := w.attributeType(a.Type)
		if t == nil {
			return errors.New("threatconnecttest: there is no such attribute type")
		}
		if msg := t.check(h.typeName(), a.Value); msg != "" {
			return errors.New("threatconnecttest: " + msg)
		}
		at := w.newAttribute(t, a.Value, now)
		at.source, at.displayed, at.pinned = a.Source, a.Displayed, a.Pinned
		h.metadata().hang(at)
	}
	for _, name := range tags {
		if !validTag(name) {
			return errors.New("threatconnecttest: a tag has 1 to 128 characters")
		}
		h.metadata().tag(h.belongs().tagNamed(name, w))
	}
	for _, name := range labels {
		l := h.belongs().label(name)
		if l == nil {
			return errors.New("threatconnecttest: the owner has no such security label")
		}
		h.metadata().mark(l)
	}
	return nil
}

// metadataRoutes are the routes of attributes, tags and labels under one kind of parent.
func metadataRoutes[T interface {
	comparable
	holder
}](parent string, find func(*call) T) []route {
	on := func(do func(*call, holder) *answer) func(*call) *answer {
		return with(find, func(c *call, h T) *answer { return do(c, h) })
	}
	onAttribute := func(do func(*call, holder, *attribute) *answer) func(*call) *answer {
		return on(func(c *call, h holder) *answer {
			a := h.hangers().attribute(c.id("attributeId"))
			if a == nil {
				return missing()
			}
			return do(c, h, a)
		})
	}
	return []route{
		{method: "GET", pattern: parent + "/attributes", handle: on((*call).listAttributes)},
		{method: "POST", pattern: parent + "/attributes", handle: on(withBody((*call).createAttribute))},
		{method: "GET", pattern: parent + "/attributes/{attributeId}", handle: onAttribute((*call).getAttribute)},
		{method: "PUT", pattern: parent + "/attributes/{attributeId}", handle: onAttribute((*call).updateAttribute)},
		{method: "DELETE", pattern: parent + "/attributes/{attributeId}", handle: onAttribute((*call).deleteAttribute)},
		{method: "GET", pattern: parent + "/attributes/{attributeId}/securityLabels", handle: onAttribute((*call).listAttributeLabels)},
		{method: "POST", pattern: parent + "/attributes/{attributeId}/securityLabels/{securityLabelName}", handle: onAttribute((*call).addAttributeLabel)},
		{method: "DELETE", pattern: parent + "/attributes/{attributeId}/securityLabels/{securityLabelName}", handle: onAttribute((*call).removeAttributeLabel)},
		{method: "GET", pattern: parent + "/securityLabels", handle: on((*call).listLabelsOf)},
		{method: "POST", pattern: parent + "/securityLabels/{securityLabelName}", handle: on((*call).addLabel)},
		{method: "DELETE", pattern: parent + "/securityLabels/{securityLabelName}", handle: on((*call).removeLabel)},
		{method: "GET", pattern: parent + "/tags", handle: on((*call).listTagsOf)},
		{method: "POST", pattern: parent + "/tags/{tagName}", handle: on((*call).addTag)},
		{method: "DELETE", pattern: parent + "/tags/{tagName}", handle: on((*call).removeTag)},
	}
}
