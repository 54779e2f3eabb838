package threatconnect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canonicalCase is one row of a table: in becomes want, or is refused by a rule that begins with
// rule.
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
	var refusal *ValidationError
	require.ErrorAs(t, err, &refusal)
	assert.True(t, strings.HasPrefix(refusal.Rule, rule), "rule is %q, want %q", refusal.Rule, rule)
	assert.NotEmpty(t, refusal.Fix)
}

func TestCanonicalTag(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, CanonicalTag, []canonicalCase{
		{name: "a plain name stays", in: "Phishing", want: "Phishing"},
		{name: "white space around it goes", in: " \tNation State\n", want: "Nation State"},
		{name: "letter case and reserved characters stay", in: "a/B^%20#?", want: "a/B^%20#?"},
		{name: "128 characters of any width pass", in: strings.Repeat("ü", 128), want: strings.Repeat("ü", 128)},
		{name: "129 characters are refused", in: strings.Repeat("ü", 129), rule: "is longer than 128 characters"},
		{name: "nothing is refused", in: "", rule: "is blank"},
		{name: "white space alone is refused", in: " \u00a0", rule: "is blank"},
		{name: "a line break inside is refused", in: "a\nb", rule: "holds a control character"},
		{name: "a C1 control character is refused", in: "a\u0080b", rule: "holds a control character"},
		{name: "a delete character is refused", in: "a\x7fb", rule: "holds a control character"},
		{name: "bytes that are not UTF-8 are refused", in: "a\xffb", rule: "is not valid UTF-8"},
		{name: "a written replacement character is text", in: "a\ufffdb", want: "a\ufffdb"},
	})
}

func TestCanonicalGroupName(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, CanonicalGroupName, []canonicalCase{
		{name: "white space around it goes", in: " Operation X ", want: "Operation X"},
		{name: "100 characters pass", in: strings.Repeat("ü", 100), want: strings.Repeat("ü", 100)},
		{name: "101 characters are refused and not cut", in: strings.Repeat("a", 101), rule: "is longer than 100 characters"},
		{name: "nothing is refused", in: " ", rule: "is blank"},
	})
}

func TestCanonicalSecurityLabel(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, CanonicalSecurityLabel, []canonicalCase{
		{name: "colon, plus sign and case stay", in: "TLP:AMBER+STRICT", want: "TLP:AMBER+STRICT"},
		{name: "white space around it goes", in: " tlp:green ", want: "tlp:green"},
		{name: "a NUL is refused", in: "TLP\x00", rule: "holds a control character"},
	})
}

func TestCanonicalKeepsTextWhoseEveryByteCounts(t *testing.T) {
	t.Parallel()
	for name, canonical := range map[string]func(string) (string, error){
		"a mutex":          CanonicalMutex,
		"a user agent":     CanonicalUserAgent,
		"an email subject": CanonicalEmailSubject,
		"a hashtag":        CanonicalHashtag,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runCanonicalCases(t, canonical, []canonicalCase{
				{name: "case, spaces and separators stay", in: ` Global\Mx : [.] hxxp:// %41 é `, want: ` Global\Mx : [.] hxxp:// %41 é `},
				{name: "blank is refused", in: "  ", rule: "is blank"},
				{name: "a line break is refused", in: "a\r\n b", rule: "holds a control character"},
				{name: "bytes that are not UTF-8 are refused", in: "\xc3", rule: "is not valid UTF-8"},
			})
		})
	}
}
