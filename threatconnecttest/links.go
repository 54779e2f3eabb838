package threatconnecttest

import (
	"cmp"
	"iter"
	"slices"
)

// link is an association of two items. It is in the lists of both. Only this file modifies links
// and their lists.
type link struct {
	ends       [2]holder
	prev, next [2]*link // in the list of each end
	label      string   // association type of two indicators
	without    []*asset // assets of the victim at one end that were removed from the other end
}

// linkList contains the links of an item in creation order.
type linkList struct{ head, tail *link }

// side returns the index of h in ends.
func (l *link) side(h holder) int {
	if l.ends[0] == h {
		return 0
	}
	return 1
}

// to returns the end other than h.
func (l *link) to(h holder) holder { return l.ends[1-l.side(h)] }

func firstLink(h holder) *link {
	if m := h.metadataOrNil(); m != nil {
		return m.links.head
	}
	return nil
}

// links iterates over the links of an item. The loop body may remove the current link.
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

// between iterates over the links of two items; there can be several with different labels. The
// number of steps is the smaller of the two numbers of links.
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

// associatedAs returns the link of two items with a label, or nil.
func associatedAs(a, b holder, label string) *link {
	for l := range between(a, b) {
		if l.label == label {
			return l
		}
	}
	return nil
}

// associate links two items. It is idempotent. It does nothing if both ends are the same item,
// which happens when two linked files are merged, or if an end is not stored.
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

// remove removes a link from the lists of both ends.
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

// replace moves the links of old to m, which replaces it as the metadata of the same item.
func (m *metadata) replace(old *metadata) {
	old.untagAll()
	m.links = old.links
}

// dissociate removes all links of two items and reports whether there were any.
func dissociate(a, b holder) (was bool) {
	for l := range between(a, b) {
		l.remove()
		was = true
	}
	return was
}

// dissociateAll removes all links of an item.
func dissociateAll(h holder) {
	for l := range links(h) {
		l.remove()
	}
}

// associated returns the distinct items at the other ends of the matching links of h, in ID order.
// A nil match selects all links.
func associated(h holder, match func(*link) bool) []holder {
	var all []holder
	for l := range links(h) {
		if match == nil || match(l) {
			all = append(all, l.to(h))
		}
	}
	return inOrder(all)
}

// inOrder sorts items by ID and removes duplicates.
func inOrder(all []holder) []holder {
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(a.number(), b.number()) })
	return slices.Compact(all)
}

// removeAsset removes an asset of an associated victim from the item at the other end.
func (l *link) removeAsset(a *asset) { l.without = append(l.without, a) }

// forgetAsset removes an asset of a victim that is deleted from the links of the victim.
func forgetAsset(v holder, a *asset) {
	for l := range links(v) {
		l.without = remove(l.without, a)
	}
}

// restoreAssets undoes all calls of removeAsset.
func (l *link) restoreAssets() { l.without = nil }
