package threatconnecttest

import (
	"math"
	"net/http"
	"slices"
	"strconv"
)

// indicatorChange contains the changes of a create, an update or a batch item.
type indicatorChange struct {
	rating     *float64 // nil if not given
	confidence *int
	size       *int64
	on, off    indicatorFlags
}

// switches are the boolean members of a body with the types that have them.
var switches = [...]struct {
	field    string
	flag     indicatorFlags
	inverted bool
	typ      string // the only type that has it; empty for all types
}{
	{field: "active", flag: flagInactive, inverted: true},
	{field: "activeLocked", flag: flagActiveLocked},
	{field: "privateFlag", flag: flagPrivate},
	{field: "dnsActive", flag: flagDNS, typ: "Host"},
	{field: "whoisActive", flag: flagWhois, typ: "Host"},
	{field: "flag1", flag: flagDNS, typ: "Host"},
	{field: "flag2", flag: flagWhois, typ: "Host"},
}

// readChange parses the members of a body other than the value. msg is the platform's error message
// for an invalid member, or "".
func (t *indicatorType) readChange(f fields) (ch indicatorChange, msg string) {
	if f.has("rating") {
		s, _ := f.text("rating")
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0 && v <= 5) {
			return ch, t.outOfRange("rating", "0-5")
		}
		ch.rating = &v
	}
	if f.has("confidence") {
		s, _ := f.text("confidence")
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || v != math.Trunc(v) || !(v >= 0 && v <= 100) {
			return ch, t.outOfRange("confidence", "0-100")
		}
		ch.confidence = new(int(v))
	}
	for _, name := range []string{"size", "intValue1"} {
		if t.Name != "File" || !f.has(name) {
			continue
		}
		s, _ := f.text(name)
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < 0 {
			return ch, t.outOfRange("size", "0-9223372036854775807")
		}
		ch.size = &v
	}
	for _, sw := range switches {
		if sw.typ != "" && sw.typ != t.Name || !f.has(sw.field) {
			continue
		}
		v, ok := f.flag(sw.field)
		if !ok || sw.flag == flagPrivate && v && !t.private {
			return ch, "The " + sw.field + " for this " + t.Name + " is invalid , please enter one of the following values: true, false"
		}
		if v != sw.inverted {
			ch.on |= sw.flag
		} else {
			ch.off |= sw.flag
		}
	}
	return ch, ""
}

func (t *indicatorType) outOfRange(field, limits string) string {
	return "The " + field + " for this " + t.Name + " is invalid, please enter a " + field + " between " + limits
}

// apply changes an indicator. Only a rating or a confidence changes its lastModified.
func (ch indicatorChange) apply(i *indicator, now int64) {
	if ch.rating != nil {
		i.setRating(*ch.rating)
		i.modified = now
	}
	if ch.confidence != nil {
		i.setConfidence(*ch.confidence)
		i.modified = now
	}
	if ch.size != nil {
		i.makeRest().size = *ch.size
	}
	i.set(ch.off, false)
	i.set(ch.on, true)
}

// readValue parses the typed value fields of a body.
func (t *indicatorType) readValue(f fields) (value string, present, valid bool) {
	parts := make([]string, len(t.Fields))
	for n, name := range t.Fields {
		if s, ok := f.text(name); ok {
			parts[n], present = s, true
		}
	}
	if !present {
		return "", false, false
	}
	value, valid = t.readParts(parts)
	return value, true, valid
}

func (c *call) createIndicator(t *indicatorType, f fields) *answer {
	value, _, ok := t.readValue(f)
	if !ok {
		return fail(http.StatusBadRequest, "Please enter a valid "+t.Name)
	}
	ch, msg := t.readChange(f)
	if msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	i, msg := c.put(t, value, c.odd(OddityCreateRefusesExists))
	if msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	ch.apply(i, c.seconds())
	return c.oneIndicator(http.StatusCreated, i, indicatorShape{})
}

// put returns the indicator with a value, and creates it if it does not exist. Creating an existing
// indicator updates its lastModified, unless only new ones are allowed. Files that share a hash are
// the same file.
func (c *call) put(t *indicatorType, value string, onlyNew bool) (*indicator, string) {
	o, now := c.owner, c.seconds()
	var have *indicator
	if t.Name == "File" {
		var msg string
		if have, msg = o.sameFile(t, value); msg != "" {
			return nil, msg
		}
	} else {
		have = o.find(t, t.key(value))
	}
	switch {
	case have != nil && onlyNew:
		return nil, "The " + t.label(0) + " for this " + t.Name + " is invalid, a " + t.Name + " with this " + t.label(0) + " already exists"
	case have != nil:
		if t.Name == "File" {
			o.rename(have, t.mergeHashes(have.value, value))
		}
		have.modified = now
		return have, ""
	case c.indicatorLimit > 0 && o.size() >= c.indicatorLimit:
		return nil, msgIndicatorLimit
	}
	i := &indicator{id: c.nextID(), owner: o, typ: t, value: value, added: now, modified: now}
	o.add(i)
	return i, ""
}

const msgIndicatorLimit = "This would exceed the number of allowed indicators for this owner"

// sameFile finds the file that shares a hash with a summary. It is a conflict if two files do, or
// if the file has another hash of the same kind.
func (o *owner) sameFile(t *indicatorType, value string) (*indicator, string) {
	var have *indicator
	hashes := t.split(value)
	for n, h := range hashes {
		i := o.find(t, h)
		if h == "" || i == nil {
			continue
		}
		if have != nil && have != i {
			return nil, collision(t.label(n))
		}
		have = i
	}
	if have != nil {
		for n, h := range t.split(have.value) {
			if h != "" && hashes[n] != "" && h != hashes[n] {
				return nil, collision(t.label(n))
			}
		}
	}
	return have, ""
}

func collision(hash string) string {
	return "The " + hash + " for this File is invalid, a File with this " + hash + " already exists"
}

// mergeHashes adds the hashes that only summary b has to summary a.
func (t *indicatorType) mergeHashes(a, b string) string {
	parts := t.split(a)
	for n, h := range t.split(b) {
		if parts[n] == "" {
			parts[n] = h
		}
	}
	return t.join(parts)
}

func (c *call) updateIndicator(i *indicator, f fields) *answer {
	if value, present, valid := i.typ.readValue(f); present && (!valid || !i.covers(value)) {
		return fail(http.StatusBadRequest, "The value of this "+i.typ.Name+" cannot be changed")
	}
	ch, msg := i.typ.readChange(f)
	if msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	ch.apply(i, c.seconds())
	return c.oneIndicator(http.StatusOK, i, indicatorShape{})
}

// covers reports whether every part of a value is also in the indicator's value.
func (i *indicator) covers(value string) bool {
	have := i.typ.split(i.value)
	for n, p := range i.typ.split(value) {
		if p != "" && p != have[n] {
			return false
		}
	}
	return slices.ContainsFunc(have, func(p string) bool { return p != "" })
}
