package ioc

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// AddWarningList adds a MISP warning list: a JSON object with the members name, type, list and
// matching_attributes, such as the files lists/*/list.json of the misp-warninglists project.
//
// The attributes determine the indicator types to which the list applies. A list without
// attributes, or with ALL, applies to every type. A list whose attributes have no equivalent
// applies to none. As in MISP, the type of the list determines what an entry excludes:
//
//   - string (default): the equal value. Addresses and blocks exclude every overlapping address and block.
//   - substring: values that contain the entry, in this letter case
//   - hostname: the host and all its subdomains, also in URLs and email addresses
//   - cidr: overlapping addresses and blocks, also in URLs and email addresses
//   - regex: values that match the Perl-compatible expression, such as /^abuse@/i. It has delimiters and optional modifiers i, m, s, U, u, g and D. Expressions outside the syntax of package regexp, such as lookaheads, return an error.
//
// MISP spells some values differently. Substrings and expressions are therefore matched against
// lower-case hashes, short IPv6 addresses (RFC 5952), and both ASN64496 and AS64496.
//
// If the list is malformed, AddWarningList returns an error with the name of the list and, if
// known, the number of the entry, but never its text. AddWarningList adds either all entries or
// none. After an error, Exclude excludes every value; to continue without the list, create a new
// Exclusions.
//
// The whole list is kept in memory, so limit r if the source is not trusted. One million hosts take
// about a second and 80 MB. AddWarningList is not safe for concurrent use.
func (x *Exclusions) AddWarningList(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return x.fail("", &listError{"warning list", fmt.Errorf("was not read to its end: %w", err)})
	}
	w, err := readWarningList(text)
	where := "warning list"
	if w.name != "" {
		where = fmt.Sprintf("warning list %q", w.name)
	}
	if err != nil {
		return x.fail(w.name, &listError{where, public(err)})
	}
	l := x.newListing(w.types())
	add, err := l.adder(w.kind)
	if err != nil {
		return x.fail(w.name, &listError{where, public(err)})
	}
	for i, entry := range w.entries {
		if entry == "" { // part of every value; MISP skips it
			continue
		}
		l.entries++
		if l.types == 0 {
			continue // the list applies to no type, so its syntax does not matter
		}
		if err = checkEntry(entry); err == nil {
			err = add(entry)
		}
		if err != nil {
			return x.fail(w.name, &listError{fmt.Sprintf("%s, entry %d", where, i+1), public(err)})
		}
	}
	x.add(w.name, l)
	return nil
}

// warningList is a MISP warning list.
type warningList struct {
	name, kind string
	attributes []string
	entries    []string
}

// readWarningList parses a warning list. If it returns an error, w.name is set if the name has been
// read.
func readWarningList(text []byte) (w warningList, err error) {
	w.kind = "string"
	r := wire.NewReader(text)
	if kind := r.Kind(); kind != wire.Object && kind != wire.None {
		return w, errors.New("is not a JSON object; use a list.json file of MISP")
	}
	seen := map[string]bool{}
	for r.Object(); r.NextKey(); {
		member := string(r.Key())
		if seen[member] {
			return w, errors.New("has a member twice; remove one of them")
		}
		seen[member] = true
		switch member {
		case "name":
			if w.name, err = textMember(r, member); err == nil && r.Err() == nil {
				w.name, err = canon.Name("name", w.name, maxListNameLength)
			}
		case "type":
			w.kind, err = textMember(r, member)
		case "matching_attributes":
			w.attributes, err = textsMember(r, member)
		case "list":
			w.entries, err = textsMember(r, member)
		default:
			r.Skip()
		}
		if err != nil {
			return w, err
		}
	}
	r.End()
	if err := r.Err(); err != nil {
		return w, fmt.Errorf("is malformed, %w; download it again", err)
	}
	for _, required := range [...]string{"name", "list"} {
		if !seen[required] {
			return w, errors.New("has no " + required + "; give it the member")
		}
	}
	return w, nil
}

// textMember reads a member that must be a string.
func textMember(r *wire.Reader, member string) (string, error) {
	if kind := r.Kind(); kind != wire.String && kind != wire.None {
		return "", errors.New("has a " + member + " that is not text; write it in quotes")
	}
	return r.Text(), nil
}

// textsMember reads a member that must be an array of strings.
func textsMember(r *wire.Reader, member string) ([]string, error) {
	if kind := r.Kind(); kind != wire.Array && kind != wire.None {
		return nil, errors.New("has a " + member + " that is not an array; write it in brackets")
	}
	var texts []string
	for r.Array(); r.NextElem(); {
		if kind := r.Kind(); kind != wire.String && kind != wire.None {
			return nil, fmt.Errorf("has a %s whose entry %d is not text; write it in quotes", member, len(texts)+1)
		}
		texts = append(texts, r.Text())
	}
	return texts, nil
}

// types returns the indicator types to which the list applies.
func (w *warningList) types() typeSet {
	var types typeSet
	if len(w.attributes) == 0 {
		return allTypes
	}
	for _, attribute := range w.attributes {
		for name := range strings.SplitSeq(strings.ToLower(attribute), "|") {
			switch name {
			case "all":
				return allTypes
			case "ip-src", "ip-dst", "ip":
				types |= addressTypes
			case "domain", "hostname":
				types |= setOf(TypeHost)
			case "url", "uri", "link":
				types |= setOf(TypeURL)
			case "email", "email-src", "email-dst", "email-reply-to", "target-email", "whois-registrant-email", "dns-soa-email":
				types |= setOf(TypeEmailAddress)
			case "md5", "sha1", "sha256", "malware-sample":
				types |= setOf(TypeFile)
			case "as":
				types |= setOf(TypeASN)
			case "mutex":
				types |= setOf(TypeMutex)
			case "regkey":
				types |= setOf(TypeRegistryKey)
			case "user-agent", "http-user-agent":
				types |= setOf(TypeUserAgent)
			case "email-subject":
				types |= setOf(TypeEmailSubject)
			case "vulnerability":
				types |= setOf(TypeVulnerability)
			}
		}
	}
	return types
}

// adder returns the function that adds an entry of a list of the given kind.
func (l *listing) adder(kind string) (func(entry string) error, error) {
	switch kind {
	case "string":
		return l.addString, nil
	case "substring":
		return l.addPart, nil
	case "hostname":
		return l.addHostname, nil
	case "cidr":
		return func(entry string) error { return l.addBlock(l.types, strings.TrimSpace(entry)) }, nil
	case "regex":
		return l.addPattern, nil
	}
	return nil, errors.New("has an unknown type; use string, substring, hostname, cidr or regex")
}

// addPart adds an entry that excludes the values that contain it.
func (l *listing) addPart(entry string) error {
	set := l.set(l.types)
	set.parts = append(set.parts, listedPart{entry, l.id})
	return nil
}

// addString adds an entry that excludes the equal value. An entry without a canonical form can
// equal only values of other types.
func (l *listing) addString(entry string) error {
	v, err := Parse(entry)
	if err == nil {
		switch v.Type {
		case TypeAddress, TypeCIDR:
			if types := l.types & addressTypes; types != 0 {
				if err := l.addBlock(types, v.Value); err != nil {
					return err
				}
			}
		default:
			l.addKey(v)
		}
	} else if host, err := canon.Host(entry); err == nil { // for example a name that looks like a file name
		l.addWhole(host)
	} else if key, _, _, err := canon.RegistryKey(entry, "", "REG_NONE"); err == nil {
		l.addWhole(strings.ToLower(key))
	}
	if v.Type != TypeFile || l.types != setOf(TypeFile) { // a mutex can look like a hash
		l.addWhole(entry)
	}
	return nil
}

// addHostname adds a host and all its subdomains. An entry with which no host can end, such as one
// with a hyphen before a dot, excludes nothing, as in MISP.
func (l *listing) addHostname(entry string) error {
	name := strings.Trim(strings.TrimPrefix(strings.TrimSpace(entry), "*."), ".")
	host, err := canon.Host(name)
	if err != nil {
		if _, err := netip.ParseAddr(name); err == nil {
			return l.addBlock(l.types, name)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isHostRune(r) }) {
			return err
		}
		host = strings.ToLower(name) // a top-level domain, or a name with invalid labels
	}
	l.addHost(host)
	return nil
}

func isHostRune(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.'
}

// addPattern adds a regular expression with delimiters.
func (l *listing) addPattern(entry string) error {
	expression, err := fromDelimited(entry)
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(expression)
	if err != nil {
		const fix = "write it in the syntax of RE2, without lookaheads and backreferences"
		if e, ok := errors.AsType[*syntax.Error](err); ok { // omits the expression
			return fmt.Errorf("is not a supported regular expression (%s); %s", e.Code, fix)
		}
		return errors.New("is not a supported regular expression; " + fix)
	}
	set := l.set(l.types)
	set.patterns = append(set.patterns, listedPattern{pattern, l.id})
	return nil
}

// fromDelimited converts a Perl-compatible regular expression with delimiters and modifiers to the
// syntax of package regexp.
func fromDelimited(s string) (string, error) {
	s = strings.TrimLeft(s, " \t\r\n\v\f")
	const fix = "write it as in /^abuse@/i"
	if s == "" || s[0] >= utf8.RuneSelf || s[0] == '\\' || isAlnum(s[0]) {
		return "", errors.New("has no delimiter; " + fix)
	}
	end := s[0]
	if i := strings.IndexByte("([{<", end); i >= 0 {
		end = ")]}>"[i]
	}
	last := strings.LastIndexByte(s[1:], end)
	if last < 0 {
		return "", errors.New("has no closing delimiter; " + fix)
	}
	expression := s[1 : 1+last]
	for _, modifier := range strings.TrimRight(s[last+2:], "\r\n ") {
		switch modifier {
		case 'i':
			expression = "(?i)" + expression
		case 'm', 's', 'U', 'u', 'g', 'D': // no effect on a value, which is a single line
		default:
			return "", errors.New("has a modifier other than i, m, s, U, u, g and D; remove it")
		}
	}
	return expression, nil
}
