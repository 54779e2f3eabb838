package feeds

import (
	"errors"
	"slices"
)

// relation is what is kept of a relationship. There are as many as indicators, and more.
type relation struct {
	line               int
	id, source, target string
	revoked            bool
}

// link turns relationships and the contents of reports into associations. It reports whether yield
// wants more.
func (b *bundle) link(yield func(Entry, error) bool) bool {
	for _, r := range b.related {
		if r.revoked {
			continue
		}
		if err := b.relate(r.source, r.target); err != nil && !yield(Entry{}, refused(r.line, nameable(r.id), err)) {
			return false
		}
	}
	for _, o := range b.objects {
		if o.Type != "report" || o.Revoked {
			continue
		}
		missing := 0
		for _, id := range o.Contained {
			if isRelationship(id) {
				continue
			}
			if err := b.relate(o.ID, id); err != nil {
				missing++
			}
		}
		if missing > 0 && !yield(Entry{}, refused(o.line, nameable(o.ID), errors.New("refers to objects that the bundle does not hold"))) {
			return false
		}
	}
	return true
}

// relate associates two objects. An object that becomes nothing is associated with nothing; whether
// that is worth a word is said where the object itself is looked at.
func (b *bundle) relate(source, target string) error {
	s, t := b.byID[source], b.byID[target]
	if s == nil || t == nil {
		return errors.New("relates something that the bundle does not hold")
	}
	if s.Revoked || t.Revoked {
		return nil
	}
	sourceGroup, targetGroup := groupType(s.Type) != "", groupType(t.Type) != ""
	switch {
	case targetGroup && (sourceGroup || s.Type == "indicator"):
		b.associate(source, target)
	case sourceGroup && t.Type == "indicator":
		b.associate(target, source) // indicators name their groups, not the other way round
	}
	return nil
}

func (b *bundle) associate(id, group string) {
	if xid := b.xid("stix", group); id != group && !slices.Contains(b.links[id], xid) {
		b.links[id] = append(b.links[id], xid)
	}
}

// isRelationship reports whether an id names a relationship. A report lists those that it is about;
// they make associations by themselves.
func isRelationship(id string) bool {
	const prefix = "relationship--"
	return len(id) > len(prefix) && id[:len(prefix)] == prefix
}
