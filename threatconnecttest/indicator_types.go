package threatconnecttest

import (
	"slices"
	"strings"
)

// indicatorType is a type of indicators with its rules.
type indicatorType struct {
	IndicatorType
	index     int
	custom    bool // as the platform calls it: ASN, CIDR, Mutex ... are "custom" types too
	parsable  bool
	private   bool     // whether indicators of it can be private
	labels    []string // of the values, when they differ from the fields
	options   []string // of the last value
	regexes   []string
	canonical func(parts []string) ([]string, bool)
}

const (
	registryTypes = "REG_NONE;REG_BINARY;REG_DWORD;REG_DWORD_LITTLE_ENDIAN;REG_DWORD_BIG_ENDIAN;REG_EXPAND_SZ;" +
		"REG_LINK;REG_MULTI_SZ;REG_QWORD;REG_QWORD_LITTLE_ENDIAN;REG_SZ"
	separator = " : " // between the values of an indicator in its summary
)

func builtInTypes() []*indicatorType {
	types := []*indicatorType{
		{IndicatorType: IndicatorType{Name: "Address", Branch: "addresses", Entity: "address", Fields: []string{"ip"}},
			parsable: true, private: true, canonical: single(canonicalAddress)},
		{IndicatorType: IndicatorType{Name: "EmailAddress", Branch: "emailAddresses", Entity: "emailAddress", Fields: []string{"address"}},
			parsable: true, private: true, canonical: single(canonicalEmail)},
		{IndicatorType: IndicatorType{Name: "File", Branch: "files", Entity: "file", Fields: []string{"md5", "sha1", "sha256"}},
			parsable: true, private: true, labels: []string{"MD5", "SHA-1", "SHA-256"}, canonical: canonicalFile,
			regexes: []string{`\b([a-fA-F\d]{32})\b`, `\b([a-fA-F\d]{40})\b`, `\b([a-fA-F\d]{64})\b`}},
		{IndicatorType: IndicatorType{Name: "Host", Branch: "hosts", Entity: "host", Fields: []string{"hostName"}},
			parsable: true, private: true, canonical: single(canonicalHost)},
		{IndicatorType: IndicatorType{Name: "URL", Branch: "urls", Entity: "url", Fields: []string{"text"}},
			parsable: true, private: true, canonical: single(canonicalURL)},
		{IndicatorType: IndicatorType{Name: "ASN", Branch: "asns", Entity: "asn", Fields: []string{"AS Number"}, CasePreference: "upper"},
			custom: true, parsable: true, canonical: single(canonicalASN), regexes: []string{`\b(ASN\d+)\b`}},
		{IndicatorType: IndicatorType{Name: "CIDR", Branch: "cidrBlocks", Entity: "cidrBlock", Fields: []string{"Block"}, CasePreference: "lower"},
			custom: true, parsable: true, canonical: single(canonicalCIDR)},
		{IndicatorType: IndicatorType{Name: "Mutex", Branch: "mutexes", Entity: "mutex", Fields: []string{"Mutex"}, CasePreference: "sensitive"},
			custom: true},
		{IndicatorType: IndicatorType{Name: "Registry Key", Branch: "registryKeys", Entity: "registryKey",
			Fields: []string{"Key Name", "Value Name", "Value Type"}, CasePreference: "sensitive"},
			custom: true, options: strings.Split(registryTypes, ";"), canonical: canonicalRegistryKey},
		{IndicatorType: IndicatorType{Name: "User Agent", Branch: "userAgents", Entity: "userAgent", Fields: []string{"User Agent String"},
			CasePreference: "sensitive"}, custom: true},
		{IndicatorType: IndicatorType{Name: "Email Subject", Branch: "emailSubjects", Entity: "emailSubject", Fields: []string{"Subject"},
			CasePreference: "sensitive"}, custom: true},
		{IndicatorType: IndicatorType{Name: "Hashtag", Branch: "hashtags", Entity: "hashtag", Fields: []string{"Hashtag"},
			CasePreference: "lower"}, custom: true},
	}
	for i, t := range types {
		t.index = i
		if t.canonical == nil {
			t.canonical = canonicalCustom(t.CasePreference)
		}
	}
	return types
}

func (w *world) typeByBranch(branch string) *indicatorType {
	return w.typeWhere(func(t *indicatorType) bool { return t.Branch == branch })
}

func (w *world) typeByName(name string) *indicatorType {
	return w.typeWhere(func(t *indicatorType) bool { return t.Name == name })
}

func (w *world) typeWhere(is func(*indicatorType) bool) *indicatorType {
	if i := slices.IndexFunc(w.types, is); i >= 0 {
		return w.types[i]
	}
	return nil
}

// join makes a summary of values: those of a file that are missing are left out.
func (t *indicatorType) join(parts []string) string {
	if t.Name == "File" {
		parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	}
	return strings.Join(parts, separator)
}

// split takes a summary apart into as many values as the type has. Of three values, the first
// ends at the first separator and the last begins at the last one.
func (t *indicatorType) split(summary string) []string {
	n := len(t.Fields)
	if t.Name == "File" {
		return splitFile(summary)
	}
	parts := make([]string, n)
	for i := range n - 1 {
		at := strings.Index(summary, separator)
		if i == 1 {
			at = strings.LastIndex(summary, separator)
		}
		if at < 0 {
			parts[i] = summary
			return parts
		}
		parts[i], summary = summary[:at], summary[at+len(separator):]
	}
	parts[n-1] = summary
	return parts
}

// read brings a summary into the form that the platform keeps.
func (t *indicatorType) read(summary string) (string, bool) {
	return t.readParts(t.split(summary))
}

func (t *indicatorType) readParts(parts []string) (string, bool) {
	parts, ok := t.canonical(parts)
	if !ok {
		return "", false
	}
	return t.join(parts), true
}

// readSegment reads the path segment that names an indicator: one hash for a file.
func (t *indicatorType) readSegment(segment string) (string, bool) {
	if t.Name == "File" && strings.Contains(segment, separator) {
		return "", false
	}
	return t.read(segment)
}

// label names the i-th value.
func (t *indicatorType) label(i int) string {
	if t.labels != nil {
		return t.labels[i]
	}
	return t.Fields[i]
}
