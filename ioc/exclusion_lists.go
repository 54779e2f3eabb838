package ioc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

const (
	maxEntryLength    = 4096 // bytes
	maxListNameLength = 255  // characters
)

// AddList adds a list with one value per line. The name appears in reasons and errors.
//
// A host excludes itself and all names below it, also in URLs and email addresses. An address or block
// excludes every address and block that overlaps it, also in URLs and email addresses. URLs, email
// addresses, AS numbers and registry keys exclude themselves, and hashes exclude the files that have
// them. Values are recognized as by [Parse], defanged or not. AddList ignores blank lines, comments that
// begin with # at the start of a line or after white space, and a byte order mark.
//
// A line that is not recognized, or has more than 4,096 bytes, returns an error with the name of the
// list and the number of the line, and never with its text; a read error ends the list in the same way.
// Either all values are added or none. After an error, Exclude excludes every value. To go on without
// the list, make an Exclusions without it.
//
// AddList holds the whole list in memory; limit the reader to limit that. One million hosts need about
// a second and 75 MB. It is not safe for concurrent use.
func (x *Exclusions) AddList(name string, r io.Reader) error {
	name, err := canon.Name("list name", name, maxListNameLength)
	if err != nil {
		return x.fail("", public(err))
	}
	var text strings.Builder
	_, err = io.Copy(&text, r)
	if err != nil {
		return x.fail(name, fmt.Errorf("ioc: list %q, after line %d: %w", name, strings.Count(text.String(), "\n"), err))
	}
	l := x.newListing(allTypes, strings.Count(text.String(), "\n")+1)
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text.String(), "\ufeff"), "\n") {
		n++
		if value := withoutComment(line); value != "" {
			if err := l.addValue(value); err != nil {
				return x.fail(name, listError(fmt.Sprintf("list %q, line %d", name, n), err))
			}
		}
	}
	x.add(name, l)
	return nil
}

// withoutComment returns a line without its comment and the white space around it.
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

// AddWarningList adds a warning list of MISP: a JSON object with the members name, type, list and
// matching_attributes, as in the lists/*/list.json files of the project misp-warninglists.
//
// The attributes determine the types of indicators that the list applies to; a list without attributes,
// or with ALL, applies to every type, and a list whose attributes have no equivalent to none. The type
// determines what an entry excludes, as in MISP:
//
//   - string (default): the value that equals it. Addresses and blocks exclude what overlaps them.
//   - substring: values that contain it, in this letter case
//   - hostname: the host and all names below it, also in URLs and email addresses
//   - cidr: addresses and blocks that overlap it, also in URLs and email addresses
//   - regex: values that the Perl-compatible expression matches, as in /^abuse@/i. It has delimiters
//     and may have the modifiers i, m, s, U, u, g and D. Expressions outside the syntax of package
//     regexp, such as lookaheads, return an error.
//
// MISP writes some values in another form. Substrings and expressions are matched against lower-case
// hashes, short IPv6 addresses (RFC 5952), and AS numbers both as ASN64496 and AS64496.
//
// Malformed lists return an error with the name of the list and the number of the entry, if known, and
// never with its text. Either all entries are added or none. After an error, Exclude excludes every
// value. To go on without the list, make an Exclusions without it.
//
// AddWarningList holds the whole list in memory; limit the reader to limit that. One million hosts need
// about a second and 80 MB. It is not safe for concurrent use.
func (x *Exclusions) AddWarningList(r io.Reader) error {
	w, err := readWarningList(r)
	where := "warning list"
	if w.name != "" {
		where = fmt.Sprintf("warning list %q", w.name)
	}
	if err != nil {
		return x.fail(w.name, listError(where, err))
	}
	l := x.newListing(w.types(), len(w.entries))
	add, err := l.adder(w.kind)
	if err != nil {
		return x.fail(w.name, listError(where, err))
	}
	for i, entry := range w.entries {
		if l.types == 0 {
			l.entries++ // and excludes nothing, whatever its syntax
			continue
		}
		if entry == "" { // MISP skips them: a part of every value
			continue
		}
		if err = checkEntry(entry); err == nil {
			err = add(entry)
		}
		if err != nil {
			return x.fail(w.name, listError(fmt.Sprintf("%s, entry %d", where, i+1), err))
		}
	}
	x.add(w.name, l)
	return nil
}

// fail makes Exclude exclude everything.
func (x *Exclusions) fail(name string, err error) error {
	if x.unread == "" {
		x.unread = strings.TrimSpace("cannot be checked: a list was not added: " + name)
	}
	return err
}

// listError returns an error with the place that it is about.
func listError(where string, err error) error {
	if e, ok := err.(*Error); ok {
		err = (*canon.Error)(e) // without the name of the package
	}
	return fmt.Errorf("ioc: %s: %w", where, err)
}

// add adds the entries of a list.
func (x *Exclusions) add(name string, l *listing) {
	x.lists = append(x.lists, ExclusionList{Name: name, Types: l.types.types(), Entries: l.entries})
	for _, added := range l.sets {
		added.sort()
		found := false
		for _, s := range x.sets {
			if s.types == added.types {
				s.merge(added)
				found = true
				break
			}
		}
		if !found {
			x.sets = append(x.sets, added)
		}
	}
}

// listing collects the entries of a list.
type listing struct {
	types   typeSet
	id      int
	size    int // at least as many as there are entries
	entries int
	sets    []*exclusionSet
}

func (x *Exclusions) newListing(types typeSet, size int) *listing {
	return &listing{types: types, id: len(x.lists), size: size}
}

// set returns the set of the entries that apply to types only.
func (l *listing) set(types typeSet) *exclusionSet {
	for _, s := range l.sets {
		if s.types == types {
			return s
		}
	}
	s := &exclusionSet{types: types}
	l.sets = append(l.sets, s)
	return s
}

// addHost adds a host and all names below it.
func (l *listing) addHost(host string) {
	s := l.set(l.types)
	if s.hosts == nil {
		s.hosts = make(map[string]int, l.size)
	}
	s.hosts[host] = l.id
}

// addWhole adds the key of a value.
func (l *listing) addWhole(key string) {
	s := l.set(l.types)
	if s.values == nil {
		s.values = make(map[string]int, l.size)
	}
	s.values[key] = l.id
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

// addBlock adds an address or a block, also one with host bits.
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

// adder returns the function that adds an entry of a warning list of a type.
func (l *listing) adder(kind string) (func(entry string) error, error) {
	var add func(string) error
	switch kind {
	case "string":
		add = l.addString
	case "substring":
		add = func(entry string) error {
			set := l.set(l.types)
			set.parts = append(set.parts, listedPart{entry, l.id})
			return nil
		}
	case "hostname":
		add = l.addHostname
	case "cidr":
		add = func(entry string) error { return l.addBlock(l.types, strings.TrimSpace(entry)) }
	case "regex":
		add = l.addPattern
	default:
		return nil, errors.New("has an unknown type; use string, substring, hostname, cidr or regex")
	}
	return func(entry string) error {
		l.entries++
		return add(entry)
	}, nil
}

// addString adds an entry that excludes the value that equals it. Entries without a canonical form
// equal values of other types only.
func (l *listing) addString(entry string) error {
	v, err := Parse(entry)
	if err == nil {
		switch v.Type {
		case TypeAddress, TypeCIDR:
			if err := l.addBlock(l.types&(setOf(TypeAddress)|setOf(TypeCIDR)), v.Value); err != nil {
				return err
			}
		default:
			l.addKey(v)
		}
	} else if host, err := canon.Host(entry); err == nil { // such as a name that looks like a file's
		l.addWhole(host)
	} else if key, _, _, err := canon.RegistryKey(entry, "", "REG_NONE"); err == nil {
		l.addWhole(strings.ToLower(key))
	}
	const verbatim = TypeFile // as hashes are the longest lists, and always recognized
	if err != nil || v.Type != verbatim {
		l.addWhole(entry)
	}
	return nil
}

// addHostname adds a host and all names below it. An entry that no host can have at its end, such as
// one with a hyphen before a dot, excludes nothing, as in MISP.
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
		host = strings.ToLower(name) // a top-level domain, or a name with labels that no host has
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
		if e, ok := errors.AsType[*syntax.Error](err); ok { // without the expression
			return fmt.Errorf("is not a supported regular expression (%s); %s", e.Code, fix)
		}
		return errors.New("is not a supported regular expression; " + fix)
	}
	set := l.set(l.types)
	set.patterns = append(set.patterns, listedPattern{pattern, l.id})
	return nil
}

// fromDelimited returns a Perl-compatible regular expression with delimiters and modifiers in the
// syntax of package regexp.
func fromDelimited(s string) (string, error) {
	s = strings.TrimLeft(s, " \t\r\n\v\f")
	const fix = "write it as in /^abuse@/i"
	if s == "" || s[0] >= utf8.RuneSelf || s[0] == '\\' || s[0] != '_' && isHostRune(rune(s[0])) && s[0] != '-' && s[0] != '.' {
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
	flags := ""
	for _, modifier := range strings.TrimRight(s[last+2:], "\r\n ") {
		switch modifier {
		case 'i', 'm', 's', 'U':
			flags += string(modifier)
		case 'u', 'g', 'D': // change nothing about whether a value matches
		default:
			return "", errors.New("has a modifier other than i, m, s, U, u, g and D; remove it")
		}
	}
	if flags != "" {
		expression = "(?" + flags + ")" + expression
	}
	return expression, nil
}

// checkEntry refuses entries that are too long, so that Exclude is linear in the length of the value.
func checkEntry(entry string) error {
	if len(entry) > maxEntryLength {
		return fmt.Errorf("is longer than %d bytes; correct or remove it", maxEntryLength)
	}
	if !utf8.ValidString(entry) || strings.ContainsRune(entry, utf8.RuneError) {
		return errors.New("is not valid UTF-8; convert the list to UTF-8")
	}
	return nil
}

// warningList is a list of MISP.
type warningList struct {
	name, kind string
	attributes []string
	entries    []string
}

// readWarningList reads a warning list. The name is set with an error too, if it was read.
func readWarningList(r io.Reader) (w warningList, err error) {
	w.kind = "string"
	d := json.NewDecoder(r)
	if err := expect(d, '{'); err != nil {
		return w, err
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return w, jsonError(err)
		}
		member, _ := token.(string)
		if seen[member] {
			return w, errors.New("has a member twice; remove one of them")
		}
		seen[member] = true
		if err := w.readMember(d, member); err != nil {
			return w, err
		}
	}
	if err := expect(d, '}'); err != nil {
		return w, err
	}
	if _, err := d.Token(); err != io.EOF {
		if err != nil {
			return w, jsonError(err)
		}
		return w, errors.New("has data after its end; remove it")
	}
	for _, required := range [...]string{"name", "list"} {
		if !seen[required] {
			return w, errors.New("has no " + required + "; give it the member")
		}
	}
	return w, nil
}

func (w *warningList) readMember(d *json.Decoder, member string) error {
	var err error
	switch member {
	case "name":
		var name string
		if err := readText(d, &name); err != nil {
			return fmt.Errorf("has a name that %w", err)
		}
		w.name, err = canon.Name("name", name, maxListNameLength)
	case "type":
		if err = readText(d, &w.kind); err != nil {
			return fmt.Errorf("has a type that %w", err)
		}
	case "matching_attributes":
		w.attributes, err = readTexts(d, member)
	case "list":
		w.entries, err = readTexts(d, member)
	default:
		var skipped json.RawMessage
		if err = d.Decode(&skipped); err != nil {
			err = jsonError(err)
		}
	}
	return err
}

// readTexts reads an array of texts. The texts share the memory of the array, except those with escapes.
func readTexts(d *json.Decoder, member string) ([]string, error) {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, jsonError(err)
	}
	if raw[0] != '[' {
		return nil, errors.New("has a " + member + " that is not an array; write it in brackets")
	}
	rest := string(raw[1 : len(raw)-1])
	texts := make([]string, 0, strings.Count(rest, ",")+1)
	for {
		rest = strings.TrimLeft(rest, " \t\r\n,") // the decoder has checked the syntax
		if rest == "" {
			return texts, nil
		}
		if rest[0] != '"' {
			return nil, fmt.Errorf("has a %s whose entry %d is not text; write it in quotes", member, len(texts)+1)
		}
		end := 1 + strings.IndexAny(rest[1:], `"\\`)
		text := rest[1:end]
		if rest[end] == '\\' {
			for ; rest[end] != '"'; end++ {
				if rest[end] == '\\' {
					end++
				}
			}
			if err := json.Unmarshal([]byte(rest[:end+1]), &text); err != nil {
				return nil, jsonError(err)
			}
		}
		texts, rest = append(texts, text), rest[end+1:]
	}
}

func readText(d *json.Decoder, text *string) error {
	token, err := d.Token()
	if err != nil {
		return jsonError(err)
	}
	var ok bool
	if *text, ok = token.(string); !ok {
		return errors.New("is not text; write it in quotes")
	}
	return nil
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err == nil && token != want {
		return errors.New("is not a JSON object; use a list.json file of MISP")
	}
	return jsonError(err)
}

// jsonError returns an error of the decoder as one that has no text of the list.
func jsonError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is malformed JSON at byte %d; download it again", e.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("ends too early; download it again: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("was not read to its end: %w", err)
}

// types returns the types of indicators that the list applies to.
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
				types |= setOf(TypeAddress) | setOf(TypeCIDR)
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
