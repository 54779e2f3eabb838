package threatconnecttest

import (
	"slices"
)

// holder is an item with attributes, tags, labels and links: an indicator, a group, a task or a
// victim.
type holder interface {
	number() int64 // the ID
	belongs() *owner
	metadata() *metadata      // creates it if necessary
	metadataOrNil() *metadata // nil if there is none yet
	typeName() string         // for example "Host" or "Incident"
	changed(now int64)        // called after a change to an attachment
}

// metadata contains the attachments of an item. A nil *metadata is empty.
type metadata struct {
	attributes []*attribute
	tags       []*tag
	labels     []*SecurityLabel
	links      linkList
}

// all returns the metadata, or empty metadata if m is nil.
func (m *metadata) all() metadata {
	if m == nil {
		return metadata{}
	}
	return *m
}

// write writes the parts that a read requests.
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

// tag adds a tag.
func (m *metadata) tag(t *tag) {
	if !slices.Contains(m.tags, t) {
		m.tags = append(m.tags, t)
		t.uses++
	}
}

// untag removes a tag and reports whether the item had it.
func (m *metadata) untag(t *tag) bool {
	if m == nil || !slices.Contains(m.tags, t) {
		return false
	}
	m.tags = remove(m.tags, t)
	t.uses--
	return true
}

// untagAll removes all tags.
func (m *metadata) untagAll() {
	if m != nil {
		for _, t := range m.tags {
			t.uses--
		}
		m.tags = nil
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

// metadataRoutes returns the routes of attributes, tags and labels below one kind of item.
func metadataRoutes[T interface {
	comparable
	holder
}](parent string, find func(*call) T) []route {
	on := func(do func(*call, holder) *answer) func(*call) *answer {
		return with(find, func(c *call, h T) *answer { return do(c, h) })
	}
	onAttribute := func(do func(*call, holder, *attribute) *answer) func(*call) *answer {
		return on(func(c *call, h holder) *answer {
			a := h.metadataOrNil().attribute(c.id("attributeId"))
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
