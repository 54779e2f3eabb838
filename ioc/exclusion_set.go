package ioc

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// typeSet is a set of indicator types.
type typeSet uint16

// otherTypes is the element of a typeSet for all types unknown to this package.
const otherTypes typeSet = 1 << 15

const allTypes = ^typeSet(0)

var addressTypes = setOf(TypeAddress) | setOf(TypeCIDR)

var listedTypes = [...]Type{
	TypeAddress, TypeEmailAddress, TypeFile, TypeHost, TypeURL, TypeASN, TypeCIDR, TypeMutex,
	TypeRegistryKey, TypeUserAgent, TypeEmailSubject, TypeHashtag, TypeVulnerability,
}

// setOf returns the set of one type, or the empty set if the type is unknown.
func setOf(t Type) typeSet {
	for i := range listedTypes {
		if listedTypes[i] == t {
			return 1 << i
		}
	}
	return 0
}

// types returns the elements of a set other than otherTypes.
func (s typeSet) types() []Type {
	var types []Type
	for i, t := range listedTypes {
		if s&(1<<i) != 0 {
			types = append(types, t)
		}
	}
	return types
}

// exclusionSet contains the entries of all lists that apply to the same types. The value of each
// entry is the index of its list.
type exclusionSet struct {
	types    typeSet
	hosts    map[string]int // including their subdomains
	values   map[string]int // by valueKeys
	blocks   []listedBlock  // sorted, without overlaps
	parts    []listedPart   // sorted, none a prefix of another
	patterns []listedPattern
}

type listedBlock struct {
	block netip.Prefix
	list  int
}

type listedPart struct {
	text string
	list int
}

type listedPattern struct {
	pattern *regexp.Regexp
	list    int
}

func (b listedBlock) compare(c listedBlock) int { return b.block.Compare(c.block) }
func (b listedBlock) covers(c listedBlock) bool {
	return b.block.Bits() <= c.block.Bits() && b.block.Contains(c.block.Addr())
}

func (p listedPart) compare(q listedPart) int { return strings.Compare(p.text, q.text) }
func (p listedPart) covers(q listedPart) bool { return strings.HasPrefix(q.text, p.text) }

// overlapping returns the list of an entry that overlaps p. One search suffices: entries do not
// overlap, so only the neighbors of p in the order can overlap p.
func (s *exclusionSet) overlapping(p netip.Prefix) (list int, ok bool) {
	i, _ := slices.BinarySearchFunc(s.blocks, p.Addr(), func(b listedBlock, ip netip.Addr) int {
		return b.block.Addr().Compare(ip)
	})
	for _, b := range s.blocks[max(i-1, 0):min(i+1, len(s.blocks))] {
		if b.block.Overlaps(p) {
			return b.list, true
		}
	}
	return 0, false
}

// matching returns the list of an entry that is a substring of text or a regular expression that
// matches it.
func (s *exclusionSet) matching(text string) (list int, ok bool) {
	for rest := text; rest != "" && len(s.parts) > 0; rest = rest[1:] {
		// Only the last entry not after rest can be a prefix of it: an entry between the two would
		// start with that prefix.
		i, found := slices.BinarySearchFunc(s.parts, rest, func(p listedPart, rest string) int {
			return strings.Compare(p.text, rest)
		})
		if found {
			return s.parts[i].list, true
		}
		if i > 0 && strings.HasPrefix(rest, s.parts[i-1].text) {
			return s.parts[i-1].list, true
		}
	}
	for _, p := range s.patterns {
		if p.pattern.MatchString(text) {
			return p.list, true
		}
	}
	return 0, false
}

// merge adds the entries of another set. For equal entries, the ones added first remain. merge can
// keep the maps and slices of either set.
func (s *exclusionSet) merge(other *exclusionSet) {
	slices.SortStableFunc(other.blocks, listedBlock.compare)
	slices.SortStableFunc(other.parts, listedPart.compare)
	s.hosts = mergeMaps(s.hosts, other.hosts)
	s.values = mergeMaps(s.values, other.values)
	s.blocks = mergeSorted(s.blocks, other.blocks, listedBlock.compare, listedBlock.covers)
	s.parts = mergeSorted(s.parts, other.parts, listedPart.compare, listedPart.covers)
	s.patterns = append(s.patterns, other.patterns...)
}

// setFor returns the set of entries that apply to the given types, and adds it to sets if it is
// missing.
func setFor(sets *[]*exclusionSet, types typeSet) *exclusionSet {
	for _, s := range *sets {
		if s.types == types {
			return s
		}
	}
	s := &exclusionSet{types: types, hosts: map[string]int{}, values: map[string]int{}}
	*sets = append(*sets, s)
	return s
}

// mergeMaps merges two maps into the larger one. For a key in both, the first map determines the
// value.
func mergeMaps(first, next map[string]int) map[string]int {
	if len(first) < len(next) {
		maps.Copy(next, first)
		return next
	}
	for key, list := range next {
		if _, ok := first[key]; !ok {
			first[key] = list
		}
	}
	return first
}

// mergeSorted merges two sorted slices and omits entries that another entry covers.
func mergeSorted[T any](a, b []T, compare func(T, T) int, covers func(T, T) bool) []T {
	merged := make([]T, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		var next T
		if len(b) == 0 || len(a) > 0 && compare(a[0], b[0]) <= 0 {
			next, a = a[0], a[1:]
		} else {
			next, b = b[0], b[1:]
		}
		if n := len(merged); n == 0 || !covers(merged[n-1], next) {
			merged = append(merged, next)
		}
	}
	return merged
}
