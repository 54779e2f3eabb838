package ioc

import (
	"strings"
	"testing"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// adversarial returns patterns that take more than linear time if a function backtracks, nests or
// restarts. Each is repeated to the requested length.
func adversarial() map[string]func(n int) string {
	repeated := func(before, unit, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(unit, max(n/len(unit), 1)) + after }
	}
	return map[string]func(n int) string{
		"nested brackets":                func(n int) string { return "a" + strings.Repeat("[", n/2) + "." + strings.Repeat("]", n/2) + "b" },
		"nested slash":                   func(n int) string { return "a.example" + strings.Repeat("[", n/2) + "/" + strings.Repeat("]", n/2) },
		"backslashes":                    repeated("a", `\`, ".b"),
		"escaped brackets":               func(n int) string { return "a" + strings.Repeat(`\[`, n/3) + "." + strings.Repeat("]", n/3) + "b" },
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

// The time of each function grows linearly: each doubling of the length takes less than three times as long.
func TestThreatValuesTimeGrowsLinearly(t *testing.T) {
	parser := &Parser{Strict: true, SplitPort: true, AssumeScheme: "http", MaskBlock: true}
	functions := map[string]func(string){
		"Refang":       func(s string) { Refang(s) },
		"Defang":       func(s string) { Defang(s) },
		"Parse":        func(s string) { _, _ = Parse(s) },
		"Parser.Parse": func(s string) { _, _ = parser.Parse(s) },
	}
	for _, typ := range []Type{
		TypeAddress, TypeEmailAddress, TypeFile, TypeHost, TypeURL, TypeASN, TypeCIDR, TypeMutex,
		TypeRegistryKey, TypeUserAgent, TypeEmailSubject, TypeHashtag, TypeVulnerability,
	} {
		functions["Canonical "+string(typ)] = func(s string) { _, _ = parser.Canonical(typ, s) }
	}
	for name, call := range functions {
		for pattern, value := range adversarial() {
			t.Run(name+" of "+pattern, func(t *testing.T) {
				scaletest.RequireLinear(t, scaletest.Size(4<<10), 8, func(n int) func() {
					s := value(n)
					return func() { call(s) }
				})
			})
		}
	}
}
