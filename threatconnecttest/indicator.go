package threatconnecttest

import (
	"cmp"
	"slices"
	"strings"
)

// indicator is one indicator of one owner, small enough to keep millions.
type indicator struct {
	id         int64
	owner      *owner
	typ        *indicatorType
	value      string // the canonical summary
	more       *metadata
	rest       *rest
	added      int64 // unix seconds
	modified   int64 // moved by create, import, rating and confidence only
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

// rest is what not every indicator has.
type rest struct {
	dates itemDates
	size  int64 // of a file
	rare  *rareDetails
}

// rareDetails is what few indicators have.
type rareDetails struct {
	xid            string
	occurrences    []*occurrence
	observations   []observation
	falsePositives []falsePositive
	resolutions    []Resolution
	located        map[string]string // where an address is: the fields of the filters
	assessed       *ThreatAssess
}

// makeRest returns the rest of an indicator to be changed, made when there is none.
func (i *indicator) makeRest() *rest {
	if i.rest == nil {
		i.rest = &rest{}
	}
	return i.rest
}

// details returns the rare details of an indicator to be changed, made when there are none.
func (i *indicator) details() *rareDetails {
	r := i.makeRest()
	if r.rare == nil {
		r.rare = &rareDetails{}
	}
	return r.rare
}

// extra is what few indicators have, also of one that has nothing of it.
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
func (i *indicator) changed(int64)            {} // tags, attributes and labels do not move lastModified
func (i *indicator) metadata() *metadata {
	if i.more == nil {
		i.more = &metadata{}
	}
	return i.more
}

// rate sets the rating.
func (i *indicator) rate(v float64) {
	i.rating = float32(v)
	i.set(flagRated, true)
}

// trust sets the confidence.
func (i *indicator) trust(v int) {
	i.confidence = int8(v)
	i.set(flagConfident, true)
}

// key is what an indicator is found by: a file by one of its hashes, an email address in any case.
func (t *indicatorType) key(value string) string {
	switch t.Name {
	case "File":
		value, _, _ = strings.Cut(value, separator)
	case "EmailAddress":
		value = strings.ToLower(value)
	}
	return value
}

// keys are all keys of an indicator.
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

// indicatorAt returns where the indicator of an id is or would be, and whether it is or was there.
func (o *owner) indicatorAt(id int64) (int, bool) {
	return slices.BinarySearchFunc(o.indicators, id, func(i *indicator, id int64) int { return cmp.Compare(i.id, id) })
}

// score is the rating without the noise of a conversion: ratings have one or two decimals.
func (i *indicator) score() float64 { return float64(int(i.rating*100+0.5)) / 100 }
