package threatconnecttest

import (
	"cmp"
	"slices"
	"strings"
)

// indicator is an indicator of an owner. It is small, because a server may store millions.
type indicator struct {
	id         int64
	owner      *owner
	typ        *indicatorType
	value      string // canonical summary
	more       *metadata
	rest       *rest
	added      int64 // Unix seconds
	modified   int64 // Unix seconds; changed only by create, import, rating and confidence
	rating     float32
	confidence int8
	flags      indicatorFlags
}

type indicatorFlags uint16

const (
	flagRated indicatorFlags = 1 << iota
	flagConfident
	flagInactive
	flagActiveLocked
	flagPrivate
	flagDNS
	flagWhois
	flagRemoved
)

func (i *indicator) has(f indicatorFlags) bool { return i.flags&f != 0 }

func (i *indicator) set(f indicatorFlags, on bool) {
	if on {
		i.flags |= f
	} else {
		i.flags &^= f
	}
}

// rest contains the parts that not every indicator has.
type rest struct {
	dates itemDates
	size  int64 // size of a file
	rare  *rareDetails
}

// rareDetails contains the parts that few indicators have.
type rareDetails struct {
	xid            string
	occurrences    []*occurrence
	observations   []observation
	falsePositives []falsePositive
	resolutions    []Resolution
	location       map[string]string // location of an address, by filter field
	assessed       *ThreatAssess
}

// makeRest returns the rest of an indicator for modification and creates it if necessary.
func (i *indicator) makeRest() *rest {
	if i.rest == nil {
		i.rest = &rest{}
	}
	return i.rest
}

// details returns the rare details of an indicator for modification and creates them if necessary.
func (i *indicator) details() *rareDetails {
	r := i.makeRest()
	if r.rare == nil {
		r.rare = &rareDetails{}
	}
	return r.rare
}

// extra returns a copy of the rare details, which is empty if there are none.
func (i *indicator) extra() rareDetails {
	if i.rest == nil || i.rest.rare == nil {
		return rareDetails{}
	}
	return *i.rest.rare
}

func (i *indicator) number() int64            { return i.id }
func (i *indicator) belongs() *owner          { return i.owner }
func (i *indicator) typeName() string         { return i.typ.Name }
func (i *indicator) metadataOrNil() *metadata { return i.more }
func (i *indicator) changed(int64)            {} // tags, attributes and labels do not change lastModified
func (i *indicator) metadata() *metadata {
	if i.more == nil {
		i.more = &metadata{}
	}
	return i.more
}

func (i *indicator) setRating(v float64) {
	i.rating = float32(v)
	i.set(flagRated, true)
}

func (i *indicator) setConfidence(v int) {
	i.confidence = int8(v)
	i.set(flagConfident, true)
}

// key returns the index key of a value: one of the hashes of a file, the lower-case form of an
// email address.
func (t *indicatorType) key(value string) string {
	switch t.Name {
	case "File":
		value, _, _ = strings.Cut(value, separator)
	case "EmailAddress":
		value = strings.ToLower(value)
	}
	return value
}

// keys returns all index keys of an indicator.
func (i *indicator) keys() []string {
	if i.typ.Name != "File" {
		return []string{i.typ.key(i.value)}
	}
	return strings.Split(i.value, separator)
}

func (w *world) indicatorByID(id int64) *indicator {
	for _, o := range w.owners {
		if i := o.indicatorByID(id); i != nil {
			return i
		}
	}
	return nil
}

func (o *owner) indicatorByID(id int64) *indicator {
	n, ok := o.indicatorAt(id)
	if !ok || o.indicators[n].has(flagRemoved) {
		return nil
	}
	return o.indicators[n]
}

// indicatorAt returns the position of an ID in the list and whether an indicator has or had it.
func (o *owner) indicatorAt(id int64) (int, bool) {
	return slices.BinarySearchFunc(o.indicators, id, func(i *indicator, id int64) int { return cmp.Compare(i.id, id) })
}

// score returns the rating rounded to two decimals, which removes conversion errors.
func (i *indicator) score() float64 { return float64(int(i.rating*100+0.5)) / 100 }
