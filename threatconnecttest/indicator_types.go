package threatconnecttest

import (
	"slices"
	"strings"
)

// indicatorType is an indicator type with its rules.
type indicatorType struct {
	IndicatorType
	index     int
	custom    bool // in the platform's sense, which includes ASN, CIDR, Mutex and others
	parsable  bool
	private   bool     // whether indicators of the type can be private
	labels    []string // names of the values, if they differ from the fields
	options   []string // allowed values of the last field
	regexes   []string
	canonical func(parts []string) ([]string, bool)
}

const (
	registryTypes = "REG_NONE;REG_BINARY;REG_DWORD;REG_DWORD_LITTLE_ENDIAN;REG_DWORD_BIG_ENDIAN;REG_EXPAND_SZ;" +
		"REG_LINK;REG_MULTI_SZ;REG_QWORD;REG_QWORD_LITTLE_ENDIAN;REG_SZ"
	separator = " : " // separates the values of an indicator in its summary
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
	return first(w.types, func(t *indicatorType) bool { return t.Branch == branch })
}

func (w *world) typeByName(name string) *indicatorType {
	return first(w.types, func(t *indicatorType) bool { return t.Name == name })
}

// join builds a summary from values and omits the missing hashes of a file.
func (t *indicatorType) join(parts []string) string {
	if t.Name == "File" {
		parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	}
	return strings.Join(parts, separator)
}

// split splits a summary into the number of values of the type. With three values, the first ends
// at the first separator and the last begins after the last one.
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

// read converts a summary to the form that the platform stores.
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

// readSegment parses the path segment that identifies an indicator. A file is identified by one
// hash.
func (t *indicatorType) readSegment(segment string) (string, bool) {
	if t.Name == "File" && strings.Contains(segment, separator) {
		return "", false
	}
	return t.read(segment)
}

// label returns the name of the i-th value.
func (t *indicatorType) label(i int) string {
	if t.labels != nil {
		return t.labels[i]
	}
	return t.Fields[i]
}
