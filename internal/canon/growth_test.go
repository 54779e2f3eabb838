package canon

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestThreatCanonicalFormsTimeGrowsLinearly passes values of each pattern to every canonical form:
// twice the length takes less than three times as long. It is not parallel, because it measures
// time.
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
			short, long := text(8<<10), text(16<<10)
			for form, f := range forms {
				assert.Less(t, growth(func() { f(short) }, func() { f(long) }), 3.0, "%s: %s, %q", form, name, frame)
			}
		}
	}
}

// growth returns the ratio of the second function's time to the first's. It compares the fastest
// runs, and repeats them if other load on the machine may be the cause.
func growth(short, long func()) float64 {
	const noise = 100 * time.Microsecond
	fastest := [2]time.Duration{time.Hour, time.Hour}
	ratio := 0.0
	for range 20 {
		for i, f := range []func(){short, long} {
			start := time.Now()
			f()
			fastest[i] = min(fastest[i], time.Since(start))
		}
		if ratio = float64(fastest[1]) / float64(max(fastest[0], noise)); ratio < 3 {
			break
		}
	}
	return ratio
}
