package canon

import (
	"iter"
	"maps"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// beyondASCII returns an iterator over the distinct non-ASCII characters of the tables.
func beyondASCII(tables ...*unicode.RangeTable) iter.Seq[rune] {
	all := map[rune]bool{}
	for _, t := range tables {
		for _, r := range t.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				all[c] = true
			}
		}
		for _, r := range t.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				all[c] = true
			}
		}
	}
	maps.DeleteFunc(all, func(r rune, _ bool) bool { return r < utf8.RuneSelf })
	return maps.Keys(all)
}

// canonicalCase is a test case: the canonical form of in is want, or in is refused with a rule that starts
// with rule.
type canonicalCase struct {
	name string
	in   string
	want string
	rule string
}

func runCanonicalCases(t *testing.T, canonical func(string) (string, error), cases []canonicalCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := canonical(tc.in)
			if tc.rule != "" {
				requireRule(t, err, tc.rule)
				assert.Empty(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
			again, err := canonical(got)
			require.NoError(t, err)
			assert.Equal(t, got, again)
		})
	}
}

func requireRule(t *testing.T, err error, rule string) {
	t.Helper()
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	assert.True(t, strings.HasPrefix(refusal.Rule, rule), "rule is %q, want %q", refusal.Rule, rule)
	assert.NotEmpty(t, refusal.Fix)
}

func TestTag(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, Tag, []canonicalCase{
		{name: "a plain name stays", in: "Phishing", want: "Phishing"},
		{name: "white space around it is removed", in: " \tNation State\n", want: "Nation State"},
		{name: "letter case and reserved characters stay", in: "a/B^%20#?", want: "a/B^%20#?"},
		{name: "128 characters of any width pass", in: strings.Repeat("ü", 128), want: strings.Repeat("ü", 128)},
		{name: "129 characters are refused", in: strings.Repeat("ü", 129), rule: "is longer than 128 characters"},
		{name: "an empty value is refused", in: "", rule: "is blank"},
		{name: "white space alone is refused", in: " \u00a0", rule: "is blank"},
		{name: "a line break inside is refused", in: "a\nb", rule: "holds a control character"},
		{name: "a C1 control character is refused", in: "a\u0080b", rule: "holds a control character"},
		{name: "a delete character is refused", in: "a\x7fb", rule: "holds a control character"},
		{name: "bytes that are not UTF-8 are refused", in: "a\xffb", rule: "is not valid UTF-8"},
		{name: "a line separator is refused", in: "a\u2028b", rule: "holds an invisible character"},
		{name: "a no-break space is white space and stays", in: "a\u00a0b", want: "a\u00a0b"},
		{name: "a byte order mark is not white space and is refused", in: "\ufeffPhishing", rule: "holds an invisible character"},
		{name: "a joiner between the letters of a Persian word stays", in: "می\u200cخواهم", want: "می\u200cخواهم"},
		{name: "joiners and variation selectors of emoji stay", in: "❤\ufe0f\u200d🔥 1\ufe0f\u20e3", want: "❤\ufe0f\u200d🔥 1\ufe0f\u20e3"},
		{name: "a joiner in front is refused", in: "\u200dمی", rule: "holds an invisible character"},
		{name: "a joiner at the end is refused", in: "می\u200c", rule: "holds an invisible character"},
		{name: "two joiners are refused", in: "می\u200c\u200cخواهم", rule: "holds an invisible character"},
		{name: "a joiner after ASCII is refused", in: "a\u200dم", rule: "holds an invisible character"},
		{name: "a joiner before ASCII is refused", in: "م\u200da", rule: "holds an invisible character"},
		{name: "a joiner after a Cyrillic letter is refused", in: "а\u200dб", rule: "holds an invisible character"},
		{name: "a variation selector in front is refused", in: "\ufe0f❤", rule: "holds an invisible character"},
		{name: "a variation selector after a letter is refused", in: "a\ufe0f", rule: "holds an invisible character"},
		{name: "two variation selectors are refused", in: "❤\ufe0f\ufe0f", rule: "holds an invisible character"},
		{name: "a zero-width space after an emoji is refused", in: "❤\u200b", rule: "holds an invisible character"},
		{name: "a visible format character of Arabic stays", in: "\u0600١", want: "\u0600١"},
		{name: "a written replacement character is text", in: "a\ufffdb", want: "a\ufffdb"},
	})
}

// A value with an invisible character differs from the text on the screen.
func TestInvisibleCharactersAreRejected(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"Address": "192.0.2.1", "ASN": "ASN64496", "CIDR": "192.0.2.0/24", "EmailAddress": "user@example.com",
		"EmailSubject": "Invoice", "GroupName": "Operation", "Hash": emptyMD5, "Hashtag": "#example",
		"Host": "www.example.com", "Mutex": `Global\M`, "SecurityLabel": "TLP:RED", "Tag": "Phishing",
		"URL": "http://www.example.com/path?query#fragment", "UserAgent": "curl/8",
	}
	for name, canonical := range canonicalFunctions() {
		value := values[name]
		_, err := canonical(value)
		require.NoError(t, err, name)
		for _, r := range "\u00ad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\u3164\ufe0f\ufeff\uffa0\U000e0041\U000e0100" {
			for _, hidden := range []string{string(r) + value, value[:2] + string(r) + value[2:], value + string(r)} {
				got, err := canonical(hidden)
				if r == '\u2028' && strings.TrimSpace(hidden) == value && err == nil { // white space at either end is removed
					assert.Equal(t, value, got, name)
					continue
				}
				require.Error(t, err, "%s of %+q", name, hidden)
				if _, _, err := Parse(hidden); r != '\u2028' {
					require.Error(t, err, "%+q", hidden)
				}
			}
		}
	}
}

func TestJoinersAreRejectedInOtherScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"α\u200dβ", "é\u200dê", "я\u200dя"} {
		_, err := Tag(name)
		assert.ErrorContains(t, err, "invisible", name)
	}
}

func TestGroupName(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, GroupName, []canonicalCase{
		{name: "white space around it is removed", in: " Operation X ", want: "Operation X"},
		{name: "100 characters pass", in: strings.Repeat("ü", 100), want: strings.Repeat("ü", 100)},
		{name: "101 characters are refused and not cut", in: strings.Repeat("a", 101), rule: "is longer than 100 characters"},
		{name: "a blank value is refused", in: " ", rule: "is blank"},
	})
}

func TestSecurityLabel(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, SecurityLabel, []canonicalCase{
		{name: "colon, plus sign and case stay", in: "TLP:AMBER+STRICT", want: "TLP:AMBER+STRICT"},
		{name: "white space around it is removed", in: " tlp:green ", want: "tlp:green"},
		{name: "a NUL is refused", in: "TLP\x00", rule: "holds a control character"},
	})
}

func TestLiteralTextTypesAreNotChanged(t *testing.T) {
	t.Parallel()
	for name, canonical := range map[string]func(string) (string, error){
		"a mutex":          Mutex,
		"a user agent":     UserAgent,
		"an email subject": EmailSubject,
		"a hashtag":        Hashtag,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runCanonicalCases(t, canonical, []canonicalCase{
				{name: "case, spaces and separators stay", in: ` Global\Mx : [.] hxxp:// %41 é `, want: ` Global\Mx : [.] hxxp:// %41 é `},
				{name: "blank is refused", in: "  ", rule: "is blank"},
				{name: "a no-break space alone is blank", in: "\u00a0", rule: "is blank"},
				{name: "a line break is refused", in: "a\r\n b", rule: "holds a control character"},
				{name: "bytes that are not UTF-8 are refused", in: "\xc3", rule: "is not valid UTF-8"},
			})
		})
	}
}
