package ioc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// adversarial are patterns that cost more than linear time if a function looks back, nests or starts
// again: each is repeated to the length.
func adversarial() map[string]func(n int) string {
	repeated := func(before, unit, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(unit, max(n/len(unit), 1)) + after }
	}
	return map[string]func(n int) string{
		"nested brackets":                func(n int) string { return "a" + strings.Repeat("[", n/2) + "." + strings.Repeat("]", n/2) + "b" },
		"nested quotes":                  func(n int) string { return strings.Repeat("<“", n/8) + "a" + strings.Repeat("”>", n/8) },
		"opening brackets":               repeated("a.b/", "[", ""),
		"half brackets":                  repeated("a", "[.a.]a", ""),
		"marks":                          repeated("hxxp://a", "[.]b", "/[.]"),
		"marks in a path":                repeated("hxxp://a.example/", "[[dot]]", ""),
		"spaces before brackets":         repeated("a.b", "      ", "]"),
		"spaced brackets without a mark": repeated("a.b", "[ . ", "]"),
		"escaped dots":                   repeated(`a`, `\.[.]`, "@b"),
		"labels":                         repeated("", "a.", "example"),
		"one label":                      repeated("", "a", ".example"),
		"one label beyond ASCII":         repeated("", "ä", ".example"),
		"labels beyond ASCII":            repeated("", "ä.", "example"),
		"one label of many characters": func(n int) string {
			var label strings.Builder
			for i := range n / 3 {
				label.WriteRune(rune(0x9fff - i%20000))
			}
			return label.String() + ".example"
		},
		"combining marks":                repeated("a", "\u0327\u0301", ".example"),
		"encoded labels":                 repeated("", "xn--mnchen-3ya.", "example"),
		"digits":                         repeated("", "1", ""),
		"digits and dots":                repeated("", "1.", "1"),
		"colons":                         repeated("", "1:", ":1"),
		"at signs":                       repeated("a", "@", "b.example"),
		"quoted backslashes":             repeated(`"`, `\\`, `"@a.example`),
		"hashes":                         repeated("", "d41d8cd98f00b204e9800998ecf8427e : ", ""),
		"separators":                     repeated(`HKLM\a`, " : ", "REG_SZ"),
		"joiners":                        repeated("http://a.example/", "क\u200d", ""),
		"slashes in brackets":            repeated("a.example", "[/]", ""),
		"number signs and percent signs": repeated("http://a.example/", "#%aa", ""),
	}
}

// The time of each function grows with the length, whatever the value is. Of eight times the length, eight
// times the time is linear and sixty-four times is quadratic.
func TestTimeGrowsLinearly(t *testing.T) {
	parser := &ioc.Parser{Strict: true, SplitPort: true, AssumeScheme: "http", MaskBlock: true}
	functions := map[string]func(string){
		"Refang":       func(s string) { ioc.Refang(s) },
		"Defang":       func(s string) { ioc.Defang(s) },
		"Parse":        func(s string) { _, _ = ioc.Parse(s) },
		"Parser.Parse": func(s string) { _, _ = parser.Parse(s) },
	}
	for _, typ := range []ioc.Type{
		ioc.TypeAddress, ioc.TypeEmailAddress, ioc.TypeFile, ioc.TypeHost, ioc.TypeURL, ioc.TypeASN, ioc.TypeCIDR, ioc.TypeMutex,
		ioc.TypeRegistryKey, ioc.TypeUserAgent, ioc.TypeEmailSubject, ioc.TypeHashtag, ioc.TypeVulnerability,
	} {
		functions["Canonical "+string(typ)] = func(s string) { _, _ = parser.Canonical(typ, s) }
	}
	for name, call := range functions {
		for pattern, value := range adversarial() {
			const short, factor, noise = 1 << 12, 8, 20 * time.Microsecond
			small, large := value(short), value(short*factor)
			if limit, took := 3*factor*max(least(call, small), noise), least(call, large); took > limit {
				t.Errorf("%s of %s: %d times the length takes more than %d times the time: %v", name, pattern, factor, 3*factor, took)
			}
		}
	}
}

// least returns the shortest time of several calls.
func least(call func(string), s string) time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for range 5 {
		start := time.Now()
		call(s)
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}
