package ioc

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

const (
	maxEntryLength    = 4096 // bytes
	maxListNameLength = 255  // characters
)

// AddList adds a list with one value per line. The name of the list appears in reasons and errors.
//
// A host excludes itself and all its subdomains, also in URLs and email addresses. An address or
// block excludes every overlapping address and block, also in URLs and email addresses. URLs, email
// addresses, AS numbers and registry keys exclude only themselves. A hash excludes every file that
// has it. Values are recognized as by [Parse], defanged or not. AddList ignores blank lines, a byte
// order mark, and comments, which start with # at the beginning of a line or after white space.
//
// If a line is not recognized or longer than 4,096 bytes, AddList returns an error with the name of
// the list and the line number, but never the text. It also returns an error if reading fails.
// AddList adds either all values or none. After an error, Exclude excludes every value; to continue
// without the list, create a new Exclusions.
//
// The whole list is kept in memory, so limit r if the source is not trusted. One million hosts take
// about a second and 75 MB. AddList is not safe for concurrent use.
func (x *Exclusions) AddList(name string, r io.Reader) error {
	name, err := canon.Name("list name", name, maxListNameLength)
	if err != nil {
		return x.fail("", public(err))
	}
	var text strings.Builder
	_, err = io.Copy(&text, r)
	if err != nil {
		return x.fail(name, &listError{fmt.Sprintf("list %q, after line %d", name, strings.Count(text.String(), "\n")), err})
	}
	l := x.newListing(allTypes)
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text.String(), "\ufeff"), "\n") {
		n++
		if value := withoutComment(line); value != "" {
			if err := l.addValue(value); err != nil {
				return x.fail(name, &listError{fmt.Sprintf("list %q, line %d", name, n), err})
			}
		}
	}
	x.add(name, l)
	return nil
}

// withoutComment returns a line without its comment and surrounding white space.
func withoutComment(line string) string {
	line = strings.TrimSpace(line)
	for from := 0; ; {
		i := strings.IndexByte(line[from:], '#')
		if i < 0 {
			return line
		}
		from += i
		if from == 0 || line[from-1] == ' ' || line[from-1] == '\t' {
			return strings.TrimSpace(line[:from])
		}
		from++
	}
}

// fail makes Exclude exclude every value, names the list in the reason, and returns err.
func (x *Exclusions) fail(name string, err error) error {
	if x.unread == "" {
		x.unread = "cannot be checked: a list was not added"
		if name != "" {
			x.unread += ": " + name
		}
	}
	return err
}

// listError is an error with its position in a list.
type listError struct {
	where string
	err   error
}

func (e *listError) Error() string {
	return "ioc: " + e.where + ": " + strings.TrimPrefix(e.err.Error(), "ioc: ")
}

func (e *listError) Unwrap() error { return e.err }

// add adds the entries of a list.
func (x *Exclusions) add(name string, l *listing) {
	x.lists = append(x.lists, ExclusionList{Name: name, Types: l.types.types(), Entries: l.entries})
	for _, added := range l.sets {
		setFor(&x.sets, added.types).merge(added)
	}
}

// listing collects the entries of a list.
type listing struct {
	types   typeSet
	id      int
	entries int
	sets    []*exclusionSet
}

func (x *Exclusions) newListing(types typeSet) *listing {
	return &listing{types: types, id: len(x.lists)}
}

// set returns the set of entries that apply to the given types.
func (l *listing) set(types typeSet) *exclusionSet { return setFor(&l.sets, types) }

// addHost adds a host and all its subdomains.
func (l *listing) addHost(host string) {
	l.set(l.types).hosts[host] = l.id
}

// addWhole adds the key of a value.
func (l *listing) addWhole(key string) {
	l.set(l.types).values[key] = l.id
}

// addValue adds a line of a plain list.
func (l *listing) addValue(value string) error {
	if err := checkEntry(value); err != nil {
		return err
	}
	v, err := Parse(value)
	if err != nil {
		return err
	}
	l.entries++
	switch v.Type {
	case TypeHost:
		l.addHost(v.Value)
	case TypeAddress, TypeCIDR:
		return l.addBlock(l.types, v.Value)
	default:
		l.addKey(v)
	}
	return nil
}

// addKey adds a canonical value as a whole.
func (l *listing) addKey(v Indicator) {
	keys := valueKeys(v.Type, v.Value)
	if v.Type == TypeRegistryKey {
		keys = keys[:1] // not every value of the key
	}
	for _, key := range keys {
		l.addWhole(key)
	}
}

// addBlock adds an address or a block, which can have host bits.
func (l *listing) addBlock(types typeSet, s string) error {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		var ip netip.Addr
		if ip, err = netip.ParseAddr(s); err != nil || ip.Zone() != "" {
			return errors.New("is not an address or a block; write it as in 192.0.2.0/24 or 2001:db8::/32")
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	set := l.set(types)
	set.blocks = append(set.blocks, listedBlock{p.Masked(), l.id})
	return nil
}

// checkEntry rejects long entries, which keeps Exclude linear in the length of the value.
func checkEntry(entry string) error {
	if len(entry) > maxEntryLength {
		return fmt.Errorf("is longer than %d bytes; correct or remove it", maxEntryLength)
	}
	if !utf8.ValidString(entry) || strings.ContainsRune(entry, utf8.RuneError) {
		return errors.New("is not valid UTF-8; convert the list to UTF-8")
	}
	return nil
}
