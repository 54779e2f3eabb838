package threatconnecttest

import (
	"cmp"
	"iter"
	"slices"
)

// link is one association of two things. It is in the lists of both. Only this file writes links
// and their lists.
type link struct {
	ends       [2]holder
	prev, next [2]*link // in the list of each end
	label      string   // the association type of two indicators
	without    []*asset // assets of the victim at one end that were taken off the other end
}

// linkList is the links of one thing, in the order in which they were made.
type linkList struct{ head, tail *link }

// side returns which of the ends a thing is.
func (l *link) side(h holder) int {
	if l.ends[0] == h {
		return 0
	}
	return 1
}

// to returns the end that h is not.
func (l *link) to(h holder) holder { return l.ends[1-l.side(h)] }

func firstLink(h holder) *link {
	if m := h.metadataOrNil(); m != nil {
		return m.links.head
	}
	return nil
}

// links iterates over the links of a thing. The loop may remove the link that it is at.
func links(h holder) iter.Seq[*link] {
	return func(yield func(*link) bool) {
		for l := firstLink(h); l != nil; {
			next := l.next[l.side(h)]
			if !yield(l) {
				return
			}
			l = next
		}
	}
}

// between iterates over the links of two things, of which there are several when their labels
// differ. It costs as many steps as the end with fewer links has of them.
func between(a, b holder) iter.Seq[*link] {
	for la, lb := firstLink(a), firstLink(b); la != nil; la, lb = la.next[la.side(a)], lb.next[lb.side(b)] {
		if lb == nil {
			a, b = b, a
			break
		}
	}
	return func(yield func(*link) bool) {
		for l := range links(a) {
			if l.to(a) == b && !yield(l) {
				return
			}
		}
	}
}

func areAssociated(a, b holder) bool {
	for range between(a, b) {
		return true
	}
	return false
}

// associatedAs returns the link of two things that has a label, or nil.
func associatedAs(a, b holder, label string) *link {
	for l := range between(a, b) {
		if l.label == label {
			return l
		}
	}
	return nil
}

// associate links two things. It is idempotent, and does nothing when both ends are the same thing,
// as when two linked files are merged, or when one of them is not kept.
func associate(a, b holder, label string) {
	if a == b || removed(a) || removed(b) || associatedAs(a, b, label) != nil {
		return
	}
	l := &link{ends: [2]holder{a, b}, label: label}
	for side, h := range l.ends {
		h.metadata().links.append(l, side)
	}
}

// append adds a link to the list of one of its ends.
func (list *linkList) append(l *link, side int) {
	l.prev[side] = list.tail
	if tail := list.tail; tail != nil {
		tail.next[tail.side(l.ends[side])] = l
	} else {
		list.head = l
	}
	list.tail = l
}

func removed(h holder) bool {
	i, ok := h.(*indicator)
	return ok && i.has(flagRemoved)
}

// remove takes a link out of the lists of both ends.
func (l *link) remove() {
	for side, h := range l.ends {
		list := &h.metadata().links
		prev, next := l.prev[side], l.next[side]
		if prev != nil {
			prev.next[prev.side(h)] = next
		} else {
			list.head = next
		}
		if next != nil {
			next.prev[next.side(h)] = prev
		} else {
			list.tail = prev
		}
	}
}

// replace prepares m to take the place of the metadata of the same thing: m gets its links.
func (m *metadata) replace(old *metadata) {
	old.untagAll()
	m.links = old.links
}

// dissociate removes all links of two things and reports whether there was one.
func dissociate(a, b holder) (was bool) {
	for l := range between(a, b) {
		l.remove()
		was = true
	}
	return was
}

// dissociateAll removes all links of a thing.
func dissociateAll(h holder) {
	for l := range links(h) {
		l.remove()
	}
}

// associated returns the things at the other ends of the links of h that match, each once and in
// the order of their ids. A nil match is all links.
func associated(h holder, match func(*link) bool) []holder {
	var all []holder
	for l := range links(h) {
		if match == nil || match(l) {
			all = append(all, l.to(h))
		}
	}
	return inOrder(all)
}

// inOrder sorts things by their ids and leaves each there once.
func inOrder(all []holder) []holder {
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(a.number(), b.number()) })
	return slices.Compact(all)
}

// takeOff takes an asset that came with a victim off the thing at the other end.
func (l *link) takeOff(a *asset) { l.without = append(l.without, a) }

// forget removes an asset of a victim that is deleted from the links of the victim.
func forget(v holder, a *asset) {
	for l := range links(v) {
		l.without = remove(l.without, a)
	}
}

// bringBack undoes all calls of takeOff.
func (l *link) bringBack() { l.without = nil }
