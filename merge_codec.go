package threatconnect

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// itemCodec writes batch items as bytes and reads them again, with all of their fields: for
// temporary files, which no other version of this package reads. A date comes back as the same
// moment in UTC.
//
// A struct is the fields that are set, each after its number, and a zero. One function lists the
// fields of a struct for both directions, so that they cannot differ. Reading sets what was
// written and leaves the other fields as they are.
type itemCodec struct {
	buf     []byte // what was written
	text    string // what is left to read; texts of an item are parts of it
	reading bool
	field   byte // number of the field that came last
	bad     bool // what is read was not written by a codec
	types   []func() BatchItem
	numbers map[reflect.Type]byte
}

// What stands in place of the number of a type.
const (
	codecNil     = iota
	codecForeign // an item of another package's type
	codecTypes   // the first of this package's
)

func newItemCodec() *itemCodec {
	c := new(itemCodec)
	for i := range indicatorDefs {
		c.types = append(c.types, func() BatchItem { return indicatorDefs[i].new() })
	}
	for i := range groupDefs {
		c.types = append(c.types, func() BatchItem { return groupDefs[i].new() })
	}
	c.types = append(c.types,
		func() BatchItem { return new(CustomIndicator) }, func() BatchItem { return new(UnknownGroup) }, func() BatchItem { return new(Association) })
	c.numbers = make(map[reflect.Type]byte, len(c.types))
	for i, make := range c.types {
		c.numbers[reflect.TypeOf(make())] = byte(codecTypes + i)
	}
	return c
}

// foreignItem stands for an item that cannot be written, because it is of another package's type or
// has a content.
type foreignItem struct{}

func (foreignItem) batchItem() {}

// encode returns an item as bytes, which are good until the next call.
func (c *itemCodec) encode(item BatchItem) []byte {
	c.buf, c.reading, c.bad = c.buf[:0], false, false
	number, known := c.numbers[reflect.TypeOf(item)]
	switch {
	case isNil(item):
		number = codecNil
	case !known:
		number = codecForeign
	}
	c.buf = append(c.buf, number)
	if number >= codecTypes {
		c.item(item)
	}
	return c.buf
}

var errCodec = errors.New("what was put aside is not a batch item any more")

// decode reads an item.
func (c *itemCodec) decode(b []byte) (BatchItem, error) {
	if len(b) == 0 {
		return nil, errCodec
	}
	number := int(b[0])
	switch {
	case number == codecNil && len(b) == 1:
		return nil, nil
	case number == codecForeign && len(b) == 1:
		return foreignItem{}, nil
	case number < codecTypes || number-codecTypes >= len(c.types):
		return nil, errCodec
	}
	item := c.types[number-codecTypes]()
	return item, c.decodeOver(item, b)
}

// decodeOver sets the fields of an item that are set in another one of the same type.
func (c *itemCodec) decodeOver(item BatchItem, b []byte) error {
	c.reading, c.bad, c.text = true, false, string(b[1:])
	c.item(item)
	if c.bad || c.text != "" {
		return errCodec
	}
	return nil
}

// spoil ends the reading of what no codec has written.
func (c *itemCodec) spoil() { c.bad, c.text = true, "" }

// begin begins a struct; end ends it, with what begin returned.
func (c *itemCodec) begin() (outer byte) {
	outer, c.field = c.field, 0
	return outer
}

func (c *itemCodec) end(outer byte) {
	c.field = outer
	switch {
	case !c.reading:
		c.buf = append(c.buf, 0)
	case c.text == "" || c.text[0] != 0:
		c.spoil()
	default:
		c.text = c.text[1:]
	}
}

// has goes on to the next field of a struct and reports whether its value is to be written or read.
func (c *itemCodec) has(unset bool) bool {
	c.field++
	switch {
	case !c.reading:
		if !unset {
			c.buf = append(c.buf, c.field)
		}
		return !unset
	case c.text == "" || c.text[0] != c.field:
		return false
	}
	c.text = c.text[1:]
	return true
}

// The functions from here on write or read a value.

func (c *itemCodec) uint64(p *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *p)
		return
	}
	*p = 0
	for i := range min(len(c.text), binary.MaxVarintLen64) {
		b := c.text[i]
		*p |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.text = c.text[i+1:]
			return
		}
	}
	c.spoil()
}

func (c *itemCodec) int64(p *int64) {
	v := uint64(*p)<<1 ^ uint64(*p>>63) // small ones of both signs are short
	c.uint64(&v)
	*p = int64(v>>1) ^ -int64(v&1)
}

func (c *itemCodec) int(p *int) {
	v := int64(*p)
	c.int64(&v)
	*p = int(v)
}

func (c *itemCodec) bool(p *bool) {
	v := uint64(0)
	if *p {
		v = 1
	}
	c.uint64(&v)
	*p = v == 1
}

func (c *itemCodec) float64(p *float64) {
	v := math.Float64bits(*p)
	c.uint64(&v)
	*p = math.Float64frombits(v)
}

func (c *itemCodec) time(p *time.Time) {
	seconds, nanoseconds := p.Unix(), int64(p.Nanosecond())
	c.int64(&seconds)
	c.int64(&nanoseconds)
	if c.reading {
		*p = time.Unix(seconds, nanoseconds).UTC()
	}
}

// length writes or reads how many there are of what takes a byte or more each.
func (c *itemCodec) length(n int) int {
	v := uint64(n)
	c.uint64(&v)
	if c.reading && v > uint64(len(c.text)) {
		c.spoil()
		return 0
	}
	return int(v)
}

func codeText[S ~string](c *itemCodec, p *S) {
	n := c.length(len(*p))
	if !c.reading {
		c.buf = append(c.buf, *p...)
		return
	}
	*p, c.text = S(c.text[:n]), c.text[n:]
}

// codeSet is a field that is not set when it is zero.
func codeSet[T comparable](c *itemCodec, p *T, value func(*itemCodec, *T)) {
	var zero T
	if c.has(*p == zero) {
		value(c, p)
	}
}

// codeField is a field that is text.
func codeField[S ~string](c *itemCodec, p *S) { codeSet(c, p, codeText[S]) }

func (c *itemCodec) when(p *time.Time) {
	if c.has(p.IsZero()) {
		c.time(p)
	}
}

// codePtr is a field that is not set when it is nil.
func codePtr[T any](c *itemCodec, p **T, value func(*itemCodec, *T)) {
	if !c.has(*p == nil) {
		return
	}
	if c.reading {
		*p = new(T) // and not into what others may point to
	}
	value(c, *p)
}

// codeList is a list; an empty one is another thing than none.
func codeList[T any](c *itemCodec, p *[]T, value func(*itemCodec, *T)) {
	if !c.has(*p == nil) {
		return
	}
	n := c.length(len(*p))
	if c.reading {
		*p = make([]T, n)
	}
	for i := range *p {
		value(c, &(*p)[i])
	}
}

func (c *itemCodec) raw(p *json.RawMessage) {
	if !c.has(*p == nil) {
		return
	}
	text := string(*p)
	if codeText(c, &text); c.reading {
		*p = json.RawMessage(text)
	}
}

func (c *itemCodec) extra(p *map[string]json.RawMessage) {
	if !c.has(*p == nil) {
		return
	}
	keys := slices.Sorted(maps.Keys(*p))
	n := c.length(len(keys))
	if c.reading {
		keys, *p = make([]string, n), make(map[string]json.RawMessage, n)
	}
	for _, key := range keys {
		var value json.RawMessage
		if !c.reading {
			value = (*p)[key]
		}
		outer := c.begin()
		codeField(c, &key)
		c.raw(&value)
		c.end(outer)
		if c.reading {
			(*p)[key] = value
		}
	}
}

// item writes or reads the fields of a batch item.
func (c *itemCodec) item(item BatchItem) {
	outer := c.begin()
	defer c.end(outer)
	switch item := item.(type) {
	case Indicator:
		v := item.values()
		for i := range v {
			codeField(c, &v[i])
		}
		if c.reading {
			item.setValues(v)
		}
		c.indicatorMeta(item.Meta())
		c.ownOfIndicator(item)
	case Group:
		c.groupMeta(item.Meta())
		c.ownOfGroup(item)
	case *Association:
		c.associationEnd(&item.From)
		c.associationEnd(&item.To)
		codeField(c, &item.Type)
	}
}

func (c *itemCodec) indicatorMeta(m *IndicatorMeta) {
	codeSet(c, &m.ID, (*itemCodec).int64)
	codeSet(c, &m.Owner, (*itemCodec).owner)
	c.when(&m.DateAdded)
	c.when(&m.LastModified)
	codePtr(c, &m.Rating, (*itemCodec).float64)
	codePtr(c, &m.Confidence, (*itemCodec).int)
	codePtr(c, &m.Active, (*itemCodec).bool)
	codePtr(c, &m.ActiveLocked, (*itemCodec).bool)
	codePtr(c, &m.Private, (*itemCodec).bool)
	codePtr(c, &m.ThreatAssessRating, (*itemCodec).float64)
	codePtr(c, &m.ThreatAssessConfidence, (*itemCodec).float64)
	codePtr(c, &m.ThreatAssessScore, (*itemCodec).int)
	codePtr(c, &m.CALScore, (*itemCodec).int)
	codePtr(c, &m.CALStatus, (*itemCodec).int)
	codeField(c, &m.Description)
	codeField(c, &m.Source)
	codeField(c, &m.WebLink)
	codeList(c, &m.Tags, (*itemCodec).tag)
	codeList(c, &m.Attributes, (*itemCodec).attribute)
	codeList(c, &m.SecurityLabels, (*itemCodec).label)
	codePtr(c, &m.Additional, func(c *itemCodec, a *IndicatorAdditional) {
		outer := c.begin()
		codeSet(c, &a.ObservationCount, (*itemCodec).int64)
		c.when(&a.LastObserved)
		codeSet(c, &a.FalsePositives, (*itemCodec).int64)
		c.when(&a.LastFalsePositive)
		codeSet(c, &a.CommunityOrSource, (*itemCodec).bool)
		codeList(c, &a.OtherOwners, (*itemCodec).owner)
		c.end(outer)
	})
	codeField(c, &m.XID)
	c.when(&m.FirstSeen)
	c.when(&m.LastSeen)
	c.when(&m.ExternalDateAdded)
	c.when(&m.ExternalDateExpires)
	c.when(&m.ExternalLastModified)
	codeList(c, &m.GroupXIDs, codeText[string])
	codeList(c, &m.Associated, (*itemCodec).reference)
	c.extra(&m.Extra)
}

func (c *itemCodec) groupMeta(m *GroupMeta) {
	codeSet(c, &m.ID, (*itemCodec).int64)
	codeField(c, &m.Name)
	codeSet(c, &m.Owner, (*itemCodec).owner)
	c.when(&m.DateAdded)
	c.when(&m.LastModified)
	codeField(c, &m.WebLink)
	codeField(c, &m.XID)
	codeList(c, &m.Tags, (*itemCodec).tag)
	codeList(c, &m.Attributes, (*itemCodec).attribute)
	codeList(c, &m.SecurityLabels, (*itemCodec).label)
	codePtr(c, &m.Additional, func(c *itemCodec, a *GroupAdditional) {
		outer := c.begin()
		codeField(c, &a.CreatedBy)
		codeSet(c, &a.CommunityOrSource, (*itemCodec).bool)
		codeList(c, &a.OtherOwners, (*itemCodec).owner)
		c.end(outer)
	})
	c.when(&m.FirstSeen)
	c.when(&m.LastSeen)
	c.when(&m.ExternalDateAdded)
	c.when(&m.ExternalDateExpires)
	c.when(&m.ExternalLastModified)
	codeList(c, &m.GroupXIDs, codeText[string])
	codeList(c, &m.Associated, (*itemCodec).reference)
	c.extra(&m.Extra)
}

// ownOfIndicator is what only some types of indicators have.
func (c *itemCodec) ownOfIndicator(ind Indicator) {
	switch i := ind.(type) {
	case *File:
		codePtr(c, &i.Size, (*itemCodec).int64)
		codeList(c, &i.Occurrences, func(c *itemCodec, o *FileOccurrence) {
			outer := c.begin()
			codeSet(c, &o.ID, (*itemCodec).int64)
			codeField(c, &o.FileName)
			codeField(c, &o.Path)
			c.when(&o.Date)
			c.end(outer)
		})
	case *Host:
		codePtr(c, &i.DNSActive, (*itemCodec).bool)
		codePtr(c, &i.WhoisActive, (*itemCodec).bool)
	case *CustomIndicator:
		codeField(c, &i.TypeName)
		c.raw(&i.Raw)
	}
}

// ownOfGroup is what only some types of groups have.
func (c *itemCodec) ownOfGroup(g Group) {
	switch g := g.(type) {
	case *Document:
		codeField(c, &g.FileName)
		codePtr(c, &g.Malware, (*itemCodec).bool)
		codeField(c, &g.Password)
		codeField(c, &g.Status)
		codeField(c, &g.FileType)
		c.summary(&g.AISummary)
	case *Email:
		codeField(c, &g.Subject)
		codeField(c, &g.Header)
		codeField(c, &g.Body)
		codeField(c, &g.From)
		codeField(c, &g.To)
		codePtr(c, &g.Score, (*itemCodec).float64)
	case *Event:
		c.when(&g.EventDate)
		codeField(c, &g.Status)
		codeField(c, &g.EventType)
		c.summary(&g.AISummary)
	case *Incident:
		c.when(&g.EventDate)
		codeField(c, &g.Status)
	case *Report:
		codeField(c, &g.FileName)
		c.when(&g.PublishDate)
		codeField(c, &g.Status)
		c.summary(&g.AISummary)
	case *Signature:
		codeField(c, &g.FileName)
		codeField(c, &g.FileType)
		codeField(c, &g.FileText)
	case *UnknownGroup:
		codeField(c, &g.TypeName)
		c.raw(&g.Raw)
	}
}

func (c *itemCodec) summary(s *AISummary) {
	codeField(c, &s.Insights)
	codeField(c, &s.AIProvider)
	c.when(&s.AILastRetrieval)
}

func (c *itemCodec) associationEnd(e *AssociationEnd) {
	codeSet(c, e, func(c *itemCodec, e *AssociationEnd) {
		outer := c.begin()
		codeField(c, &e.Indicator)
		codeField(c, &e.Summary)
		codeField(c, &e.GroupXID)
		codeField(c, &e.GroupType)
		codeSet(c, &e.ID, (*itemCodec).int64)
		c.end(outer)
	})
}

func (c *itemCodec) owner(o *Owner) {
	outer := c.begin()
	codeSet(c, &o.ID, (*itemCodec).int64)
	codeField(c, &o.Name)
	codeField(c, &o.Type)
	codeSet(c, &o.ItemID, (*itemCodec).int64)
	c.end(outer)
}

func (c *itemCodec) tag(t *Tag) {
	outer := c.begin()
	codeField(c, &t.Name)
	codeField(c, &t.Description)
	codeField(c, &t.WebLink)
	c.end(outer)
}

func (c *itemCodec) label(l *SecurityLabel) {
	outer := c.begin()
	codeField(c, &l.Name)
	codeField(c, &l.Description)
	codeField(c, &l.Color)
	c.when(&l.DateAdded)
	c.end(outer)
}

func (c *itemCodec) attribute(a *Attribute) {
	outer := c.begin()
	codeSet(c, &a.ID, (*itemCodec).int64)
	codeField(c, &a.Type)
	codeField(c, &a.Value)
	codePtr(c, &a.Displayed, (*itemCodec).bool)
	codeField(c, &a.Source)
	codePtr(c, &a.Pinned, (*itemCodec).bool)
	c.when(&a.DateAdded)
	c.when(&a.LastModified)
	codeField(c, &a.XID)
	codeList(c, &a.SecurityLabels, (*itemCodec).label)
	c.end(outer)
}

func (c *itemCodec) reference(r *IndicatorRef) {
	outer := c.begin()
	codeField(c, &r.Type)
	codeField(c, &r.Value)
	codeField(c, &r.Owner)
	c.bool(&r.asRead)
	c.end(outer)
}
