package threatconnecttest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// loose is a scalar of a batch file, as text.
type loose string

// UnmarshalJSON accepts strings, numbers and booleans.
func (l *loose) UnmarshalJSON(b []byte) error {
	s, ok := scalarText(b)
	if !ok {
		return errors.New("java.lang.IllegalStateException: Expected a string but was " + kindOf(b[0]))
	}
	if string(b) != "null" {
		*l = loose(s)
	}
	return nil
}

func (l loose) on() bool { return strings.EqualFold(string(l), "true") || l == "1" }

type batchAttribute struct {
	Type          loose        `json:"type"`
	Value         loose        `json:"value"`
	Source        loose        `json:"source"`
	Displayed     loose        `json:"displayed"`
	Pinned        loose        `json:"pinned"`
	SecurityLabel []batchLabel `json:"securityLabel"`
}

type batchLabel struct {
	Name        loose `json:"name"`
	Description loose `json:"description"`
	Color       loose `json:"color"`
}

type batchTag struct {
	Name loose `json:"name"`
}

// decode parses a member. A member of the wrong kind ends the job.
func decode[T any](f fields, name string) (v T, bad *batchError) {
	raw, ok := f.raw(name)
	if !ok {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, &batchError{code: codeSyntax, cause: err.Error()}
	}
	return v, nil
}

// attach adds the attributes, tags and labels of an item to h, according to the job's write types.
// The first invalid one is the item's error and the remaining ones are lost.
func (r *batchRun) attach(h holder, f fields, loss string) *batchError {
	attributes, bad := decode[[]batchAttribute](f, "attribute")
	if bad != nil {
		return bad
	}
	tags, bad := decode[[]batchTag](f, "tag")
	if bad != nil {
		return bad
	}
	labels, bad := decode[[]batchLabel](f, "securityLabel")
	if bad != nil {
		return bad
	}
	if s, _ := f.text("description"); s != "" {
		attributes = append(attributes, batchAttribute{Type: "Description", Value: loose(s), Displayed: "true"})
	}
	if s, _ := f.text("source"); s != "" {
		attributes = append(attributes, batchAttribute{Type: "Source", Value: loose(s), Displayed: "true"})
	}
	if bad := r.attachAttributes(h, attributes, loss); bad != nil {
		return bad
	}
	if r.config.tags == "Replace" {
		h.metadataOrNil().untagAll()
	}
	for _, t := range tags {
		if !validTag(string(t.Name)) {
			return &batchError{code: loss, message: msgTag}
		}
		h.metadata().tag(h.belongs().tagNamed(string(t.Name), r.world))
	}
	if m := h.metadataOrNil(); m != nil && r.config.labels == "Replace" {
		m.labels = nil
	}
	for _, l := range labels {
		label, bad := r.labelOf(h.belongs(), l, loss)
		if bad != nil {
			return bad
		}
		h.metadata().addLabel(label)
	}
	return nil
}

func (r *batchRun) attachAttributes(h holder, incoming []batchAttribute, loss string) *batchError {
	if m := h.metadataOrNil(); m != nil {
		switch r.config.attributes {
		case "Replace":
			m.attributes = nil
		case "Singleton":
			m.attributes = slices.DeleteFunc(m.attributes, func(have *attribute) bool {
				return slices.ContainsFunc(incoming, func(a batchAttribute) bool { return string(a.Type) == have.typ.Name })
			})
		}
	}
	if r.config.attributes == "Static" {
		return nil
	}
	for _, in := range incoming {
		t := r.attributeType(string(in.Type))
		if t == nil {
			return &batchError{code: loss, message: msgAttributeType + ": " + string(in.Type)}
		}
		if msg := t.check(h.typeName(), string(in.Value)); msg != "" {
			return &batchError{code: loss, message: msg + ": " + t.Name}
		}
		a := r.newAttribute(t, string(in.Value), r.now)
		a.source, a.displayed, a.pinned = string(in.Source), in.Displayed.on(), in.Pinned.on()
		for _, l := range in.SecurityLabel {
			label, bad := r.labelOf(h.belongs(), l, loss)
			if bad != nil {
				return bad
			}
			if !slices.Contains(a.labels, label) {
				a.labels = append(a.labels, label)
			}
		}
		h.metadata().addAttribute(a)
	}
	return nil
}

// labelOf returns a label of the owner. If the label does not exist and the file describes it,
// labelOf creates it.
func (r *batchRun) labelOf(o *owner, in batchLabel, loss string) (*SecurityLabel, *batchError) {
	if l := o.label(string(in.Name)); l != nil {
		return l, nil
	}
	if in.Name == "" || in.Description == "" || len(in.Color) != 6 || !hexadecimal(string(in.Color)) {
		return nil, &batchError{code: loss, message: "The Security Label '" + string(in.Name) +
			"' was not found and cannot be created without a description and a color of six hexadecimal digits"}
	}
	l := &SecurityLabel{Name: string(in.Name), Description: string(in.Description), Color: string(in.Color), added: r.now}
	o.labels = append(o.labels, l)
	return l, nil
}
