package threatconnect

import (
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// section is one of the lists of a batch file, in the order in which they stand in it.
type section int

const (
	inGroups section = iota
	inIndicators
	inAssociations
	sections // how many there are
)

// sectionKeys are the keys of the lists.
var sectionKeys = [sections]string{"group", "indicator", "association"}

// encoder writes one item at a time as the JSON of a batch file. An item only refers to groups that
// came before it; references to others become links of their own.
type encoder struct {
	version BatchVersion
	action  BatchAction
	known   *knownGroups
	carry   bool // groups carry the indicators that they list
	wire.Writer

	canonical [3]string // values of the indicator that was encoded last

	after int64 // number of the last job that a group which the item refers to is in; 0 for none, or allBefore
	xid   string
	links []link // references that must wait for what they refer to

	owner     string   // empty if tags are not compared with it
	ownerTags []string // tags of the item that repeat the name of the owner

	exclude  func(typ, value string) (reason string, exclude bool) // as in BatchConfig
	asking   bool                                                  // whether exclude is being called
	excluded []BatchExclusion                                      // of indicators that the item is or refers to

	content  Content // of the group; nothing to open when it has none
	fileType GroupType
	malware  bool // whether the content is
}

// link is an entry of the association list that must wait for the end of the import.
type link struct {
	to  string // the group that it must wait for; empty when it waits for the end in any case
	ind IndicatorType
	ref string // summary of the indicator, or xid of the group, that refers
	xid string // the group at the other end
}

// encode writes an item into the encoder's buffer. After an error the buffer is of no use; the
// next call makes it good again.
func (e *encoder) encode(item BatchItem) (s section, err error) {
	if !ownItem(item) {
		defer func() { // what embeds an item of this package may embed nil, or answer with a panic
			if p := recover(); p != nil {
				if e.asking {
					panic(p)
				}
				err = &ValidationError{Field: "batch item", Rule: "is of another package's type and cannot be read"}
			}
		}()
	}
	e.Writer = wire.Writer{Buf: e.Buf[:0]}
	e.after, e.xid, e.links, e.content = 0, "", e.links[:0], Content{}
	if e.exclude != nil || e.owner != "" {
		e.asking, e.excluded, e.ownerTags = false, e.excluded[:0], e.ownerTags[:0]
	}
	s, err = e.item(item)
	if err == nil && e.Err() != nil {
		err = &ValidationError{Field: "batch item", Rule: "holds text that is not UTF-8, or a number or date that cannot be written"}
	}
	return s, err
}

// ownItem reports whether the type of an item is one of this package.
func ownItem(item BatchItem) bool {
	switch item.(type) {
	case *Address, *EmailAddress, *File, *Host, *URL, *ASN, *CIDR, *Mutex, *RegistryKey, *UserAgent, *EmailSubject, *Hashtag, *CustomIndicator,
		*Adversary, *AttackPattern, *Campaign, *CourseOfAction, *Document, *Email, *Event, *Incident, *IntrusionSet, *Malware, *Report,
		*Signature, *Tactic, *Threat, *Tool, *Vulnerability, *UnknownGroup, *GroupContent, *Association:
		return true
	}
	return false
}

func (e *encoder) item(item BatchItem) (section, error) {
	if isNil(item) {
		return 0, &ValidationError{Field: "batch item", Rule: "is nil"}
	}
	switch item := item.(type) {
	case Indicator:
		return inIndicators, e.indicator(item)
	case Group:
		return inGroups, e.group(item)
	case *GroupContent:
		return inGroups, e.groupContent(item)
	case *Association:
		return inAssociations, e.association(item)
	case *staleItem:
		return inIndicators, e.stale(item)
	}
	return 0, &ValidationError{Field: "batch item", Rule: "is of no type that can be imported"}
}

// indicator writes an indicator: its type and summary, and what it carries.
func (e *encoder) indicator(ind Indicator) error {
	meta := ind.Meta()
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
		err = e.carried(ind, summary)
	}
	e.EndObject()
	if err == nil {
		e.excludes(def.typ, summary, false)
	}
	return err
}

// excludes reports whether an indicator that the item is, or refers to, is excluded.
func (e *encoder) excludes(t IndicatorType, summary string, reference bool) bool {
	return e.exclude != nil && summary != "" && e.ask(t, summary, reference)
}

// ask calls exclude and keeps an exclusion.
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

// carried writes what an indicator carries.
func (e *encoder) carried(ind Indicator, summary string) error {
	meta := ind.Meta()
	w := &e.Writer
	text(w, "xid", meta.XID)
	meta.write(w)
	text(w, "description", meta.Description)
	if e.version == BatchV1 {
		text(w, "source", meta.Source)
	}
	if own, ok := ind.(specific); ok {
		own.writeOwn(w, modeBatch)
	}
	when(w, "firstSeen", meta.FirstSeen)
	when(w, "lastSeen", meta.LastSeen)
	when(w, "externalDateAdded", meta.ExternalDateAdded)
	when(w, "externalDateExpires", meta.ExternalDateExpires)
	when(w, "externalLastModified", meta.ExternalLastModified)
	if err := e.hangers(meta.Attributes, meta.Tags, meta.SecurityLabels); err != nil {
		return err
	}
	if e.version == BatchV1 {
		return e.groupIDs(meta.GroupXIDs)
	}
	empty := true
	for _, xid := range meta.GroupXIDs {
		inline, err := e.refer(xid)
		switch {
		case err != nil:
			return err
		case !inline:
			e.links = append(e.links, link{to: xid, ind: ind.Type(), ref: summary, xid: xid})
			continue
		case empty:
			e.Name("associatedGroups")
			e.BeginArray()
			empty = false
		}
		e.BeginObject()
		e.Name("groupXid")
		e.Text(xid)
		e.EndObject()
	}
	if !empty {
		e.EndArray()
	}
	return nil
}

// groupIDs writes the groups of a V1 indicator, which are named by their ids.
func (e *encoder) groupIDs(ids []string) error {
	for i, s := range ids {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n <= 0 {
			return &ValidationError{Field: "associated group", Rule: "is not the id of a group, by which V1 names groups", Fix: "use BatchV2 to name groups by xid"}
		}
		if i == 0 {
			e.Name("associatedGroup")
			e.BeginArray()
		}
		e.Int64(n)
	}
	if len(ids) > 0 {
		e.EndArray()
	}
	return nil
}

// association writes an association.
func (e *encoder) association(a *Association) error {
	if e.version == BatchV1 || e.action == BatchDelete {
		return &ValidationError{Field: "association", Rule: "can only be created, in a V2 file"}
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
	if !e.excludes(a.From.Indicator, from, true) {
		e.excludes(a.To.Indicator, to, true)
	}
	return nil
}

// link writes a link as an association.
func (e *encoder) link(l link) {
	e.BeginObject()
	text(&e.Writer, "type_1", string(l.ind))
	text(&e.Writer, "ref_1", l.ref)
	text(&e.Writer, "ref_2", l.xid)
	e.EndObject()
}

// hangers writes attributes, tags and security labels.
func (e *encoder) hangers(attributes []Attribute, tags []Tag, labels []SecurityLabel) error {
	before := e.Err() // which is none of the attributes'
	if len(attributes) > 0 {
		e.Name("attribute")
		e.BeginArray()
		for i := range attributes {
			a := &attributes[i]
			if err := a.checkRules(); err != nil {
				return err
			}
			if e.version == BatchV1 && (a.displayed() != nil || a.Pinned != nil || a.Source != "" || len(a.SecurityLabels) > 0) {
				return &ValidationError{Field: "attribute", Rule: "carries more than type and value, which V1 files cannot", Fix: "use BatchV2"}
			}
			if err := checkLabels(a.SecurityLabels); err != nil {
				return err
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

// tag writes a tag. Most names need no second look: they are plain.
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

// batchDefOf returns the definition that an indicator is imported by. A custom type needs none.
func batchDefOf(ind Indicator) (*indicatorDef, error) {
	if def := indicatorDefOf(ind.Type()); def != nil {
		return def, nil
	}
	if err := checkVerbatim("indicator type", string(ind.Type())); err != nil {
		return nil, err
	}
	return &indicatorDef{typ: ind.Type()}, nil
}

// values writes the values of a custom indicator one by one, because a summary of several is
// ambiguous.
func (e *encoder) values(def *indicatorDef, v [3]string) {
	for i, key := range [3]string{"value1", "value2", "value3"} {
		if i < len(def.keys) {
			key = def.keys[i]
		}
		text(&e.Writer, key, v[i])
	}
}
