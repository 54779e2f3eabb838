package ioc

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// The default minimum prefix lengths. An IPv4 block of /16 has 65,536 addresses; an IPv6 block of
// /32 is the smallest that a registry allocates to a provider. Wider blocks contain many unrelated
// networks.
const (
	defaultMinIPv4Bits = 16
	defaultMinIPv6Bits = 32
)

// Exclusions decides which indicators must not be shared, because they are known to be benign, have
// no meaning outside a network, or cannot be validated. The zero value excludes:
//
//   - private, reserved and documentation addresses, blocks that contain one, and IPv6 addresses that embed such an IPv4 address
//   - blocks wider than /16 (IPv4) and /32 (IPv6)
//   - local names and names that are never delegated, such as those below .local and .corp, and names for documentation, such as example.com
//   - URLs and email addresses with such a host, on any port
//   - private, reserved and documentation AS numbers
//   - the EICAR test file and files that are empty or consist of one line break, one space or one zero byte, by MD5, SHA-1 and SHA-256
//
// [Exclusions.AddList] and [Exclusions.AddWarningList] add lists. Only lists can exclude
// vulnerabilities, mutexes, registry keys, user agents, email subjects and hashtags.
//
// Set the fields and add all lists before the first call of Exclude. After that, Exclude is safe
// for concurrent use. An Exclusions must not be copied once it has a list.
type Exclusions struct {
	// AllowDocumentation permits addresses, AS numbers and names reserved for documentation, such
	// as 192.0.2.1 and example.com. Tests and examples need it.
	AllowDocumentation bool
	// MinIPv4Bits and MinIPv6Bits are the minimum prefix lengths of blocks that may be shared. 0
	// means 16 and 32. 1 permits every block that contains no reserved address.
	MinIPv4Bits, MinIPv6Bits int
	// OtherTypes lists the custom indicator types that may be shared. Their values are only checked
	// against warning lists that apply to all types. Values of any other unknown type are excluded.
	OtherTypes []string

	lists  []ExclusionList
	sets   []*exclusionSet
	unread string // reason to exclude everything after an error
}

// ExclusionList describes a list in an [Exclusions].
type ExclusionList struct {
	Name    string
	Types   []Type // indicator types to which it applies; empty if none
	Entries int
}

// Lists returns the lists in the order in which they were added.
func (x *Exclusions) Lists() []ExclusionList {
	lists := slices.Clone(x.lists)
	for i := range lists {
		lists[i].Types = slices.Clone(lists[i].Types)
	}
	return lists
}

// Exclude reports whether an indicator must not be shared, and why. The reason contains the rule
// and the name of the list, if any: "not a public address (private, RFC 1918)" or "on list
// cdn.txt". It never contains the value.
//
// Exclude converts the value to its canonical form first. It fails closed: it excludes values
// without a canonical form, defanged values, values of unknown types that are not in OtherTypes,
// and, once adding a list has failed, every value. A file is excluded if any of its hashes is.
//
// For a host, Exclude takes less than a microsecond, independently of the number of listed hosts
// and addresses. Each regular expression, and all substrings together, add time linear in the
// length of the value.
func (x *Exclusions) Exclude(indicatorType, value string) (reason string, exclude bool) {
	reason = x.reason(Type(indicatorType), value)
	return reason, reason != ""
}

func (x *Exclusions) reason(t Type, value string) string {
	if x.unread != "" {
		return x.unread
	}
	types := setOf(t)
	if types == 0 {
		if !slices.Contains(x.OtherTypes, string(t)) {
			return "cannot be checked: the type is not known; name it in OtherTypes to permit it"
		}
		if _, err := canon.Verbatim("value", value); err != nil {
			return unchecked(public(err))
		}
		return x.onLists(otherTypes, t, value)
	}
	v, err := Canonical(t, value)
	if err != nil {
		return unchecked(err)
	}
	return cmp.Or(x.ruleOf(types, t, v), x.onLists(types, t, v))
}

// unchecked returns the reason for a value without a canonical form.
func unchecked(err error) string {
	field, rule := "value", "has no canonical form"
	if e, ok := errors.AsType[*Error](err); ok {
		field, rule = e.Field, e.Rule
	}
	return "cannot be checked: " + field + " " + rule
}

// ruleOf returns the reason to exclude a canonical value for its host, address, number or hashes,
// or "".
func (x *Exclusions) ruleOf(types typeSet, t Type, v string) string {
	switch t {
	case TypeAddress, TypeHost:
		return x.ruleOfHost(types, v)
	case TypeURL:
		return x.ruleOfHost(types, hostOfURL(v))
	case TypeEmailAddress:
		return x.ruleOfHost(types, v[strings.LastIndexByte(v, '@')+1:])
	case TypeCIDR:
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return unchecked(err)
		}
		return x.ruleOfBlock(types, p)
	case TypeASN:
		if rule, documentation := reservedASN(v); rule != "" && !(documentation && x.AllowDocumentation) {
			return "not a public AS number (" + rule + ")"
		}
	case TypeFile:
		for hash := range strings.SplitSeq(v, canon.ValueSeparator) {
			if content := knownContent(hash); content != "" {
				return "hash of " + content
			}
		}
	}
	return ""
}

// hostOfURL returns the host of a canonical URL without port and brackets. [net/url.Parse] rejects
// percent signs that canonical URLs can contain.
func hostOfURL(canonicalURL string) string {
	_, host, _ := strings.Cut(canonicalURL, "://")
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	if ipv6, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(ipv6, "]")
		return host
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// ruleOfHost returns the reason to exclude an address or a canonical host name, or "".
func (x *Exclusions) ruleOfHost(types typeSet, host string) string {
	if isAddress(host) {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return unchecked(err)
		}
		return x.ruleOfBlock(types, netip.PrefixFrom(ip, ip.BitLen()))
	}
	if rule, documentation := reservedName(host); rule != "" && !(documentation && x.AllowDocumentation) {
		return "not a public name (" + rule + ")"
	}
	for _, s := range x.sets {
		if s.types&types == 0 || len(s.hosts) == 0 {
			continue
		}
		for end, more := host, true; more; _, end, more = strings.Cut(end, ".") {
			if list, ok := s.hosts[end]; ok {
				return x.onList(list)
			}
		}
	}
	return ""
}

// isAddress reports whether a canonical host is an address: only addresses contain colons or have a
// last label that starts with a digit.
func isAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.IndexByte(last, ':') >= 0 || last != "" && last[0] >= '0' && last[0] <= '9'
}

// ruleOfBlock returns the reason to exclude a block, which can be that of a single address, or "".
func (x *Exclusions) ruleOfBlock(types typeSet, p netip.Prefix) string {
	for i := range reservedBlocks {
		b := &reservedBlocks[i]
		if b.block.Overlaps(p) && !(b.documentation && x.AllowDocumentation) {
			return "not a public address (" + b.rule + ")"
		}
	}
	for _, s := range x.sets {
		if s.types&types != 0 {
			if list, ok := s.overlapping(p); ok {
				return x.onList(list)
			}
		}
	}
	shortest := cmp.Or(x.MinIPv4Bits, defaultMinIPv4Bits)
	if p.Addr().Is6() {
		for _, e := range embeddings {
			if ipv4, ok := e.in(p); ok {
				return x.ruleOfBlock(types, ipv4)
			}
		}
		shortest = cmp.Or(x.MinIPv6Bits, defaultMinIPv6Bits)
	}
	if p.Bits() < min(shortest, p.Addr().BitLen()) {
		return "block wider than /" + strconv.Itoa(shortest)
	}
	return ""
}

// onLists returns the reason to exclude a canonical value that is on a list as a whole or has a
// listed part, or "". ruleOf looks up hosts and addresses.
func (x *Exclusions) onLists(types typeSet, t Type, v string) string {
	var keys, texts []string
	for _, s := range x.sets {
		if s.types&types == 0 {
			continue
		}
		if len(s.values) > 0 {
			if keys == nil {
				keys = valueKeys(t, v)
			}
			for _, key := range keys {
				if list, ok := s.values[key]; ok {
					return x.onList(list)
				}
			}
		}
		if len(s.parts)+len(s.patterns) > 0 {
			if texts == nil {
				texts = warningTexts(t, v)
			}
			for _, text := range texts {
				if list, ok := s.matching(text); ok {
					return x.onList(list)
				}
			}
		}
	}
	return ""
}

func (x *Exclusions) onList(list int) string { return "on list " + x.lists[list].Name }

// valueKeys returns the keys of a value in lists: each hash of a file, and the name of a registry
// key without its value. In practice, email addresses and registry keys are not case-sensitive.
func valueKeys(t Type, v string) []string {
	switch t {
	case TypeFile:
		return strings.Split(v, canon.ValueSeparator)
	case TypeEmailAddress:
		return []string{strings.ToLower(v)}
	case TypeRegistryKey:
		v = strings.ToLower(v)
		key, _, _ := strings.Cut(v, canon.ValueSeparator)
		return []string{v, key}
	}
	return []string{v}
}

// warningTexts returns the spellings of a canonical value in MISP, to which substrings and regular
// expressions of warning lists apply.
func warningTexts(t Type, v string) []string {
	switch t {
	case TypeFile:
		return strings.Split(strings.ToLower(v), canon.ValueSeparator)
	case TypeAddress:
		if ip, err := netip.ParseAddr(v); err == nil {
			return []string{ip.String()}
		}
	case TypeCIDR:
		if p, err := netip.ParsePrefix(v); err == nil {
			return []string{p.String()}
		}
	case TypeASN:
		return []string{v, "AS" + strings.TrimPrefix(v, "ASN")}
	case TypeRegistryKey:
		key, _, _ := strings.Cut(v, canon.ValueSeparator)
		return []string{v, key}
	}
	return []string{v}
}
