package canon

import (
	"fmt"
	"strings"
	"testing"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// TestThreatCanonicalFormsTimeGrowsLinearly calls every function with values of each pattern. A value
// of twice the length must take less than three times as long. The test is not parallel because it
// measures time.
func TestThreatCanonicalFormsTimeGrowsLinearly(t *testing.T) {
	one := func(f func(string) (string, error)) func(string) { return func(s string) { _, _ = f(s) } }
	forms := map[string]func(string){
		"address": one(Address), "block": one(CIDR), "ASN": one(ASN), "email address": one(EmailAddress), "hash": one(Hash), "host": one(Host), "URL": one(URL),
		"mutex": one(Mutex), "user agent": one(UserAgent), "subject": one(EmailSubject), "hashtag": one(Hashtag), "tag": one(Tag), "label": one(SecurityLabel), "group": one(GroupName),
		"registry key":     func(s string) { _, _, _, _ = RegistryKey(s, s, "REG_SZ") },
		"registry summary": func(s string) { _, _, _, _ = SplitRegistrySummary(s) },
		"file summary":     func(s string) { _, _, _, _ = SplitFileSummary(s) },
		"any":              func(s string) { _, _, _ = Parse(s) },
		"refanged":         func(s string) { Refang(s) },
		"defanged":         func(s string) { Defang(s) },
	}
	for name, unit := range map[string]string{
		"punycode": "xn--mnchen-3ya.", "percent signs": "%25", "marks": "\u0327\u0301", "jamo": "\u1112\u1161\u11ab", "letters": "a", "letters beyond ASCII": "ä",
		"slashes": "/", "dots": ".", "labels": "a.", "at signs": "@", "brackets": "[", "marked dots": "[.]", "separators": " : ", "keys": `\a`, "colons": "1:", "joiners": "क\u200d",
	} {
		for _, frame := range [][2]string{{"", ""}, {"http://a.example/", ""}, {"http://", ".example/"}, {"", "@a.example"}, {`HKLM\a`, ""}} {
			text := func(n int) string { return frame[0] + strings.Repeat(unit, n/len(unit)) + frame[1] }
			for form, f := range forms {
				t.Run(fmt.Sprintf("%s: %s in %q", form, name, frame), func(t *testing.T) {
					scaletest.RequireLinear(t, scaletest.Size(8<<10), 2, func(n int) func() {
						s := text(n)
						return func() { f(s) }
					})
				})
			}
		}
	}
}
