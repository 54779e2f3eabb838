package threatconnecttest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tlpLabels returns the labels that every owner has from the start.
func tlpLabels() []*SecurityLabel {
	return []*SecurityLabel{
		{Name: "TLP:RED", Description: "For the eyes of the recipients only.", Color: "FF2B2B"},
		{Name: "TLP:AMBER", Description: "For the recipients' organizations and their clients.", Color: "FFC000"},
		{Name: "TLP:AMBER+STRICT", Description: "For the recipients' organizations only.", Color: "FFC000"},
		{Name: "TLP:GREEN", Description: "For the recipients' community.", Color: "33FF00"},
		{Name: "TLP:CLEAR", Description: "For everybody.", Color: "FFFFFF"},
		{Name: "TLP:WHITE", Description: "For everybody; the older name of TLP:CLEAR.", Color: "FFFFFF"},
	}
}

func (o *owner) label(name string) *SecurityLabel {
	return first(o.labels, func(l *SecurityLabel) bool { return l.Name == name })
}

func (l *SecurityLabel) write(w *jsonWriter) {
	w.str("name", l.Name)
	w.str("description", l.Description)
	w.date("dateAdded", l.added)
}

// addLabel adds a label.
func (m *metadata) addLabel(l *SecurityLabel) {
	if !slices.Contains(m.labels, l) {
		m.labels = append(m.labels, l)
	}
}

func (c *call) listLabelsOf(h holder) *answer {
	return c.pageOfLabels(h.metadataOrNil().all().labels)
}

func (c *call) pageOfLabels(all []*SecurityLabel) *answer {
	return pageOf(c, "securityLabel", slices.Values(all), (*SecurityLabel).write)
}

func (c *call) addLabel(h holder) *answer {
	l := h.belongs().label(c.params.get("securityLabelName"))
	if l == nil {
		return missing()
	}
	h.metadata().addLabel(l)
	h.changed(c.seconds())
	return success(http.StatusCreated)
}

func (c *call) removeLabel(h holder) *answer {
	l := h.belongs().label(c.params.get("securityLabelName"))
	m := h.metadataOrNil()
	if l == nil || m == nil || !slices.Contains(m.labels, l) {
		return missing()
	}
	m.labels = remove(m.labels, l)
	h.changed(c.seconds())
	return success(http.StatusOK)
}

// tag is a tag of an owner.
type tag struct {
	id          int64
	name        string
	description string
	owner       *owner
	uses        int // number of items with the tag
}

const maxTag = 128 // characters

func validTag(name string) bool {
	return strings.TrimSpace(name) != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxTag
}

func (t *tag) write(w *jsonWriter) {
	w.str("name", t.name)
	w.str("webLink", webRoot+"/auth/tags/tag.xhtml?tag="+strconv.FormatInt(t.id, 10)+"&owner="+url.QueryEscape(t.owner.Name))
}

func (c *call) listTagsOf(h holder) *answer {
	return pageOf(c, "tag", slices.Values(h.metadataOrNil().all().tags), (*tag).write)
}

func (c *call) addTag(h holder) *answer {
	name := c.params.get("tagName")
	if !validTag(name) {
		return fail(http.StatusBadRequest, msgTag)
	}
	h.metadata().tag(h.belongs().tagNamed(name, c.world))
	h.changed(c.seconds())
	return success(http.StatusCreated)
}

func (c *call) removeTag(h holder) *answer {
	t, m := h.belongs().tagByName[c.params.get("tagName")], h.metadataOrNil()
	if t == nil || !m.untag(t) {
		return missing()
	}
	h.changed(c.seconds())
	return success(http.StatusOK)
}
