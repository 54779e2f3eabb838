// Package jsonmerge merges JSON objects according to rules for their keys.
package jsonmerge

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Rules map a key to the rule for merging its values. Without a rule, the last value wins.
type Rules map[string]Rule

// Rule merges the values of one key. Exactly one field is set.
type Rule struct {
	Choose func(have, more []byte) []byte // returns one of two values
	Others *Others
	List   *List
}

// Others keeps the first text. Each different text becomes a member of a list, unless it is blank.
type Others struct {
	Key  string                   // key of the list
	Make func(text []byte) []byte // returns the member for a text
}

// List merges lists. Equal members become one.
type List struct {
	Keys  []string // keys whose values identify a member; if empty, members are compared as a whole
	Rules Rules    // rules for equal members; nil keeps the first member
}

// nesting is the depth of objects: an item, a member of a list, and a member of a list in that.
const nesting = 3

// Object is the result of merging JSON objects. Call Begin first.
type Object struct {
	rules   Rules
	members []member
	readers []wire.Reader // one per nesting
}

// member is a key with its value or list.
type member struct {
	key   string
	value []byte
	list  *list
}

// Begin starts a new object without members.
func (o *Object) Begin(rules Rules) {
	if o.readers == nil {
		o.readers = make([]wire.Reader, nesting)
	}
	o.rules, o.members = rules, o.members[:0]
}

// Add merges an object. It retains json. After an error, the Object is unusable.
func (o *Object) Add(json []byte) (err error) {
	r, inner := &o.readers[0], o.readers[1:]
	r.Reset(json)
	for r.Object(); r.NextKey() && err == nil; {
		rule, have := o.rules[string(r.Key())], o.find(r.Key())
		if rule.List != nil {
			l := o.list(string(r.Key()))
			for r.Array(); r.NextElem() && err == nil; {
				err = l.add(inner, r.Raw())
			}
			continue
		}
		switch key, value := r.Key(), r.Raw(); {
		case have == nil:
			o.members = append(o.members, member{key: string(key), value: value})
		case rule.Others != nil:
			err = o.other(rule.Others, have.value, value)
		case rule.Choose != nil:
			have.value = rule.Choose(have.value, value)
		default:
			have.value = value
		}
	}
	return cmp.Or(err, r.Err())
}

// other adds a text to the list of a rule if it is new.
func (o *Object) other(rule *Others, have, more []byte) error {
	r, inner := &o.readers[1], o.readers[1:]
	if r.Reset(more); bytes.Equal(have, more) || strings.TrimSpace(r.Text()) == "" {
		return r.Err()
	}
	return o.list(rule.Key).add(inner, rule.Make(more))
}

func (o *Object) find(key []byte) *member {
	for i := range o.members {
		if o.members[i].key == string(key) {
			return &o.members[i]
		}
	}
	return nil
}

func (o *Object) list(key string) *list {
	if have := o.find([]byte(key)); have != nil {
		return have.list
	}
	l := &list{rule: o.rules[key].List}
	o.members = append(o.members, member{key: key, list: l})
	return l
}

// Has reports whether a key has a value.
func (o *Object) Has(key string) bool { return o.find([]byte(key)) != nil }

// Set sets the value of a key that has no list. It retains value.
func (o *Object) Set(key string, value []byte) {
	if have := o.find([]byte(key)); have != nil {
		have.value = value
		return
	}
	o.members = append(o.members, member{key: key, value: value})
}

// Write writes the object. Keys and members of lists are in the order of their first occurrence.
func (o *Object) Write(w *wire.Writer) {
	w.BeginObject()
	for i := range o.members {
		m := &o.members[i]
		w.Key(m.key)
		if m.list == nil {
			w.Raw(m.value)
			continue
		}
		w.BeginArray()
		for j := range m.list.elements {
			if e := &m.list.elements[j]; e.object != nil {
				e.object.Write(w)
			} else {
				w.Raw(e.value)
			}
		}
		w.EndArray()
	}
	w.EndObject()
}

// list is the result of merging lists.
type list struct {
	rule     *List
	keys     Distinct[string]
	elements []element
}

type element struct {
	value  []byte
	object *Object // replaces value after a merge
}

func (l *list) add(readers []wire.Reader, value []byte) error {
	key, err := l.rule.key(&readers[0], value)
	if err != nil {
		return err
	}
	n, known := l.keys.Add(key)
	if !known {
		l.elements = append(l.elements, element{value: value})
		return nil
	}
	have := &l.elements[n]
	if l.rule.Rules == nil || have.object == nil && bytes.Equal(have.value, value) {
		return nil
	}
	if have.object == nil {
		have.object = &Object{rules: l.rule.Rules, readers: readers}
		if err := have.object.Add(have.value); err != nil {
			return err
		}
	}
	return have.object.Add(value)
}

// key returns the identity of a member.
func (l *List) key(r *wire.Reader, value []byte) (string, error) {
	if len(l.Keys) == 0 {
		return string(value), nil
	}
	parts := make([][]byte, len(l.Keys))
	r.Reset(value)
	for r.Object(); r.NextKey(); {
		if i := slices.Index(l.Keys, string(r.Key())); i >= 0 {
			parts[i] = r.Raw()
		} else {
			r.Skip()
		}
	}
	return string(bytes.Join(parts, []byte{0})), r.Err()
}

// Distinct is an ordered set. The zero value is an empty set.
type Distinct[T comparable] struct {
	All []T // in the order of their first Add
	at  map[T]int
}

// Few is the size up to which a linear search is used.
const Few = 16

// Add adds v if it is missing. It returns the index of v and whether it was present.
func (d *Distinct[T]) Add(v T) (n int, known bool) {
	switch {
	case d.at != nil:
		n, known = d.at[v]
	default:
		n = slices.Index(d.All, v)
		known = n >= 0
	}
	if known {
		return n, true
	}
	d.All = append(d.All, v)
	switch n = len(d.All) - 1; {
	case d.at != nil:
		d.at[v] = n
	case len(d.All) > Few:
		d.at = make(map[T]int)
		for i, have := range d.All {
			d.at[have] = i
		}
	}
	return n, false
}

// Reset removes all elements and retains the memory of All.
func (d *Distinct[T]) Reset() { d.All, d.at = d.All[:0], nil }
