package threatconnect

import (
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// encoder writes one item at a time as the JSON of a batch file. It omits references to groups, which are
// resolved when the file is complete.
type encoder struct {
	action BatchAction
	wire.Writer
	out       item.Encoded // the item; its JSON is the buffer of the writer
	typ, name string       // identify the item in errors
	canonical [3]string    // canonical values of an indicator

	owner     string   // tags are compared with it; empty if not
	ownerTags []string // tags of the item that repeat the owner's name

	exclude  func(typ, value string) (reason string, exclude bool) // BatchConfig.Exclude
	asking   bool                                                  // exclude is being called
	excluded []BatchExclusion                                      // of indicators that the item is or refers to

	content item.Content // of a group; out points to it

	limits map[string]int // MergeOptions.MaxLengths
	cut    int64          // number of values of the item that were cut
}

// encode writes an item. The result is valid until the next call, and undefined after an error.
func (e *encoder) encode(in BatchItem) (out *item.Encoded, err error) {
	if !ownItem(in) {
		defer func() { // a type that embeds an item of this package may embed nil, or panic
			if p := recover(); p != nil {
				if e.asking {
					panic(p)
				}
				err = &ValidationError{Field: "batch item", Rule: "has a type of another package and cannot be read"}
			}
		}()
	}
	e.Writer = wire.Writer{Buf: e.Buf[:0]}
	e.out = item.Encoded{Refs: e.out.Refs[:0], Listed: e.out.Listed[:0]}
	e.typ, e.name = "", ""
	e.asking, e.excluded, e.ownerTags = false, e.excluded[:0], e.ownerTags[:0]
	e.cut = 0
	err = e.item(in)
	if err == nil && e.Err() != nil {
		err = &ValidationError{Field: "batch item", Rule: "contains text that is not UTF-8, or a number or date that cannot be written"}
	}
	e.out.JSON = e.Buf
	return &e.out, err
}

// ownItem reports whether the type of an item is from this package.
func ownItem(in BatchItem) bool {
	switch in.(type) {
	case *Address, *EmailAddress, *File, *Host, *URL, *ASN, *CIDR, *Mutex, *RegistryKey, *UserAgent, *EmailSubject, *Hashtag, *CustomIndicator,
		*Adversary, *AttackPattern, *Campaign, *CourseOfAction, *Document, *Email, *Event, *Incident, *IntrusionSet, *Malware, *Report,
		*Signature, *Tactic, *Threat, *Tool, *Vulnerability, *UnknownGroup, *GroupContent, *Association, encodedItem:
		return true
	}
	return false
}

// encodedItem is an item that is already encoded.
type encodedItem interface{ encodeWith(e *encoder) error }

func (e *encoder) item(in BatchItem) error {
	e.out.Section = item.Indicators
	if isNil(in) {
		return &ValidationError{Field: "batch item", Rule: "is nil"}
	}
	switch in := in.(type) {
	case Indicator:
		return e.indicator(in)
	case encodedItem:
		return in.encodeWith(e)
	case *listedIndicator:
		return e.listed(in)
	case Group:
		e.out.Section = item.Groups
		return e.group(in)
	case *GroupContent:
		e.out.Section = item.Groups
		return e.groupContent(in)
	case *Association:
		e.out.Section = item.Associations
		return e.association(in)
	}
	return &ValidationError{Field: "batch item", Rule: "has a type that cannot be imported"}
}

// indicator writes an indicator.
func (e *encoder) indicator(ind Indicator) error {
	meta := ind.Meta()
	e.typ, e.name = string(ind.Type()), ind.Summary()
	def, err := batchDefOf(ind)
	if err != nil {
		return err
	}
	v, err := def.canonical(ind.values())
	if err != nil {
		return err
	}
	e.canonical = v
	summary, err := def.summary(v)
	if err != nil {
		return err
	}
	if err := firstError(meta.check(), e.checkIndicator(ind)); err != nil {
		return err
	}
	e.out.Type, e.out.Name = string(def.typ), summary
	e.BeginObject()
	e.Name("type")
	e.Text(string(def.typ))
	plain := false
	if _, custom := ind.(*CustomIndicator); custom && strings.Contains(summary, canon.ValueSeparator) {
		e.values(def, v)
	} else {
		e.Name("summary")
		plain = e.Text(summary)
	}
	if !plain || canon.IsBlank(summary) {
		if err := checkVerbatim(string(def.typ), summary); err != nil {
			return err
		}
	}
	if e.action == BatchCreate {
		err = e.carried(ind)
	}
	e.EndObject()
	if err == nil {
		e.excludes(def.typ, summary, false)
	}
	return err
}

// excludes reports whether an indicator that the item is or refers to is excluded.
func (e *encoder) excludes(t IndicatorType, summary string, reference bool) bool {
	return e.exclude != nil && summary != "" && e.ask(t, summary, reference)
}

// ask calls exclude and records an exclusion.
func (e *encoder) ask(t IndicatorType, summary string, reference bool) bool {
	e.asking = true
	reason := exclusion(e.exclude, t, summary)
	e.asking = false
	if reason == "" {
		return false
	}
	e.excluded = append(e.excluded, BatchExclusion{Indicator: IndicatorRef{Type: t, Value: summary}, Reference: reference, Reason: reason})
	return true
}

// carried writes the fields of an indicator except its type and value.
func (e *encoder) carried(ind Indicator) error {
	meta := ind.Meta()
	w := &e.Writer
	text(w, "xid", meta.XID)
	meta.write(w)
	text(w, "description", e.shortened("Description", meta.Description))
	if own, ok := ind.(specific); ok {
		own.writeOwn(w, modeBatch)
	}
	when(w, "firstSeen", meta.FirstSeen)
	when(w, "lastSeen", meta.LastSeen)
	when(w, "externalDateAdded", meta.ExternalDateAdded)
	when(w, "externalDateExpires", meta.ExternalDateExpires)
	when(w, "externalLastModified", meta.ExternalLastModified)
	if err := e.lists(meta.Attributes, meta.Tags, meta.SecurityLabels); err != nil {
		return err
	}
	for _, xid := range meta.GroupXIDs {
		if err := e.refer(xid); err != nil {
			return err
		}
	}
	return nil
}

// checkIndicator returns an error if an indicator has a field that batch files do not support.
func (e *encoder) checkIndicator(ind Indicator) error {
	meta := ind.Meta()
	if e.action == BatchDelete {
		return nil
	}
	if len(meta.Associated) > 0 {
		return &ValidationError{Field: "associated indicators", Rule: "are not supported for indicators", Fix: "add an Association, which names the association type"}
	}
	if meta.Private != nil && *meta.Private {
		switch ind.Type() {
		case TypeAddress, TypeEmailAddress, TypeFile, TypeHost, TypeURL:
		default:
			return &ValidationError{Field: "private flag", Rule: "is only supported for addresses, email addresses, files, hosts and URLs"}
		}
	}
	if f, ok := ind.(*File); ok {
		for i := range f.Occurrences {
			if o := &f.Occurrences[i]; o.FileName == "" && o.Path == "" && o.Date.IsZero() {
				return &ValidationError{Field: "file occurrence", Rule: "has no file name, path or date"}
			}
		}
	}
	return nil
}

var errDeletedAssociation = &ValidationError{Field: "association", Rule: "can only be created"}

// association writes an association.
func (e *encoder) association(a *Association) error {
	e.typ = "Association"
	if e.action == BatchDelete {
		return errDeletedAssociation
	}
	if err := a.check(); err != nil {
		return err
	}
	e.BeginObject()
	from, err := a.From.write(&e.Writer, "1")
	if err != nil {
		return err
	}
	to, err := a.To.write(&e.Writer, "2")
	if err != nil {
		return err
	}
	text(&e.Writer, "associationType", a.Type)
	e.EndObject()
	e.out.Key = item.LinkKey(a.From.key(from), a.To.key(to), a.Type)
	for _, end := range []*AssociationEnd{&a.From, &a.To} {
		if end.GroupXID != "" {
			e.out.Refs = append(e.out.Refs, end.GroupXID)
		}
	}
	if !e.excludes(a.From.Indicator, from, true) {
		e.excludes(a.To.Indicator, to, true)
	}
	return nil
}

// lists writes attributes, tags and security labels.
func (e *encoder) lists(attributes []Attribute, tags []Tag, labels []SecurityLabel) error {
	before := e.Err() // an error before the attributes
	if len(attributes) > 0 {
		e.Name("attribute")
		e.BeginArray()
		for i := range attributes {
			a := &attributes[i]
			if err := a.checkRules(); err != nil {
				return err
			}
			if err := checkLabels(a.SecurityLabels); err != nil {
				return err
			}
			if value := e.shortened(a.Type, a.Value); len(value) != len(a.Value) {
				short := *a
				short.Value, a = value, &short
			}
			if a.write(&e.Writer, modeBatch); before == nil && e.Err() != nil {
				return errAttributeText
			}
		}
		e.EndArray()
	}
	if len(tags) > 0 {
		e.Name("tag")
		e.BeginArray()
		for i := range tags {
			if err := e.tag(tags[i].Name); err != nil {
				return err
			}
		}
		e.EndArray()
	}
	if err := checkLabels(labels); err != nil {
		return err
	}
	writeLabels(&e.Writer, labels)
	return nil
}

// tag writes a tag. Plain names, which are most, need no further check.
func (e *encoder) tag(name string) error {
	name = strings.TrimSpace(name)
	e.BeginObject()
	e.Name("name")
	if plain := e.Text(name); !plain || name == "" || len(name) > canon.MaxTagLength {
		if _, err := canonicalTag(name); err != nil {
			return err
		}
	}
	e.EndObject()
	if e.owner != "" && repeatsOwner(name, e.owner) {
		e.ownerTags = append(e.ownerTags, name)
	}
	return nil
}

// shortened returns the value of an attribute, cut to the limit of its type.
func (e *encoder) shortened(attribute, value string) string {
	limit := e.limits[attribute]
	if limit == 0 {
		return value
	}
	short, cut := cutValue(value, limit)
	if cut {
		e.cut++
	}
	return short
}

// cutMark ends a value that was cut.
const cutMark = "..."

// cutValue cuts a text to limit characters, including cutMark, and reports whether it was longer. If limit
// has no room for the mark, the text is cut without it.
func cutValue(s string, limit int) (string, bool) {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s, false
	}
	mark := cutMark
	if limit <= len(mark) {
		mark = ""
	}
	end := 0
	for range limit - len(mark) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + mark, true
}

func checkLabels(labels []SecurityLabel) error {
	for i := range labels {
		if name, err := canonicalSecurityLabel(labels[i].Name); err != nil {
			return err
		} else if name != labels[i].Name {
			return &ValidationError{Field: "security label", Rule: "has white space around it", Fix: "remove it"}
		}
		if c := labels[i].Color; c != "" && (len(c) != 6 || !canon.IsHex(c)) {
			return &ValidationError{Field: "security label color", Rule: "must be six hexadecimal digits without #"}
		}
	}
	return nil
}

// batchDefOf returns the definition of an indicator's type. An unknown custom type gets a minimal one.
func batchDefOf(ind Indicator) (*indicatorDef, error) {
	if def := indicatorDefOf(ind.Type()); def != nil {
		return def, nil
	}
	if err := checkVerbatim("indicator type", string(ind.Type())); err != nil {
		return nil, err
	}
	return &indicatorDef{typ: ind.Type()}, nil
}

// values writes the values of a custom indicator one by one, because a summary of several values is
// ambiguous.
func (e *encoder) values(def *indicatorDef, v [3]string) {
	for i, key := range [3]string{"value1", "value2", "value3"} {
		if i < len(def.keys) {
			key = def.keys[i]
		}
		text(&e.Writer, key, v[i])
	}
}
