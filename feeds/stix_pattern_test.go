package feeds

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// patternNames returns the type and summary of each indicator of a pattern, and the errors of its other parts. Errors
// of skipped parts begin with a plus sign.
func patternNames(pattern string) (found, refusals []string) {
	comparisons, errs := parsePattern(pattern)
	for _, c := range comparisons {
		ind, err := c.indicator()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, string(ind.Type())+" "+ind.Summary())
	}
	for _, err := range errs {
		text := refused(1, "", err).Rule
		if e, ok := errors.AsType[*LineError](err); ok && e.Skipped {
			text = "+" + text
		}
		refusals = append(refusals, text)
	}
	return found, refusals
}

func TestPatternsBecomeIndicators(t *testing.T) {
	t.Parallel()
	const sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
	for pattern, want := range map[string][]string{
		`[domain-name:value='www.example.com']`:                                                         {"Host www.example.com"},
		` [ domain-name:value = 'WWW.example.com' ] `:                                                   {"Host www.example.com"},
		`[ipv4-addr:value = '192.0.2.1']`:                                                               {"Address 192.0.2.1"},
		`[ipv4-addr:value = '192.0.2.0/24']`:                                                            {"CIDR 192.0.2.0/24"},
		`[ipv4-addr:value ISSUBSET '192.0.2.0/24']`:                                                     {"CIDR 192.0.2.0/24"},
		`[ipv6-addr:value == '2001:db8::1']`:                                                            {"Address 2001:db8:0:0:0:0:0:1"},
		`[url:value = 'http://example.com/it\'s']`:                                                      {"URL http://example.com/it's"},
		`[mutex:name = 'it\'s\\here\n']`:                                                                {`Mutex it's\here\n`},
		`[email-addr:value = 'a@example.com']`:                                                          {"EmailAddress a@example.com"},
		`[email-message:from_ref.value = 'a@example.com']`:                                              {"EmailAddress a@example.com"},
		`[email-message:sender_ref.value = 'a@example.com']`:                                            {"EmailAddress a@example.com"},
		`[email-message:subject = 'it is [urgent] (AND more)']`:                                         {"Email Subject it is [urgent] (AND more)"},
		`[autonomous-system:number = 64496]`:                                                            {"ASN ASN64496"},
		`[file:hashes.'SHA-256' = '` + sha256 + `']`:                                                    {"File " + sha256},
		`[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']`:                                        {"File D41D8CD98F00B204E9800998ECF8427E"},
		`[file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709']`:                            {"File DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"},
		`[domain-name:value = 'a.example.com' OR domain-name:value = 'b.example.com']`:                  {"Host a.example.com", "Host b.example.com"},
		`[domain-name:value = 'a.example.com'] or [ipv4-addr:value = '192.0.2.1']`:                      {"Host a.example.com", "Address 192.0.2.1"},
		`[domain-name:value IN ('a.example.com','b.example.com') OR domain-name:value='c.example.com']`: {"Host a.example.com", "Host b.example.com", "Host c.example.com"},
		`[(domain-name:value = 'a.example.com' OR (domain-name:value = 'b.example.com'))]`:              {"Host a.example.com", "Host b.example.com"},
		`([domain-name:value = 'a.example.com'] OR ([domain-name:value = 'b.example.com']))`:            {"Host a.example.com", "Host b.example.com"},
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			found, refusals := patternNames(pattern)
			assert.Empty(t, refusals)
			assert.Equal(t, want, found)
		})
	}
}

func TestUnsupportedAndInvalidPatterns(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`[domain-name:value='a.example' AND domain-name:value='b.example']`:             "+has a pattern with AND, which is not supported",
		`[domain-name:value='a.example' OR a:b='c' AND domain-name:value='b.example']`:  "+has a pattern with AND,",
		`[domain-name:value='a.example'] AND [domain-name:value='b.example']`:           "+has a pattern with AND,",
		`[domain-name:value='a.example'] FOLLOWEDBY [domain-name:value='b.example']`:    "+has a pattern with FOLLOWEDBY,",
		`[domain-name:value='a.example'] WITHIN 5 SECONDS`:                              "+has a pattern with WITHIN,",
		`[domain-name:value='a.example'] REPEATS 5 TIMES`:                               "+has a pattern with REPEATS,",
		`[domain-name:value='a.example'] START t'2026-01-01T00:00:00Z' STOP t'2026-02'`: "+has a pattern with START,",
		`([domain-name:value='a.example'] OR [a:b='c']) WITHIN 5 SECONDS`:               "+has a pattern with WITHIN,",
		`[domain-name:value != 'a.example']`:                                            "+has a pattern with !=,",
		`[domain-name:value <> 'a.example']`:                                            "+has a pattern with <>,",
		`[domain-name:value LIKE 'a%']`:                                                 "+has a pattern with LIKE,",
		`[domain-name:value MATCHES '^a']`:                                              "+has a pattern with MATCHES,",
		`[ipv4-addr:value ISSUPERSET '192.0.2.0/24']`:                                   "+has a pattern with ISSUPERSET,",
		`[domain-name:value NOT = 'a.example']`:                                         "+has a pattern with NOT,",
		`[domain-name:value NOT IN ('a.example', 'b.example')]`:                         "+has a pattern with NOT,",
		`[EXISTS domain-name:value]`:                                                    "+has a pattern with EXISTS,",
		`[domain-name:value ISSUBSET 'a.example']`:                                      "+has a pattern with ISSUBSET of something other than an address,",
		`[file:hashes.MD5 ISSUBSET 'a']`:                                                "+has a pattern with ISSUBSET of something other than an address,",
		`[mutex:name = b'c2VjcmV0']`:                                                    "+has a pattern with a value in a binary form or a timestamp,",
		`[file:path='/tmp/x']`:                                                          "+has a pattern on file:path, which is not supported",
		`[file:evil.example='x']`:                                                       "+has a pattern on file, which is not supported",
		`[file:Secret='x']`:                                                             "+has a pattern on file, which is not supported",
		`[configuration-profile:id='x']`:                                                "+has a pattern on configuration-profile:id, which is not supported",
		`[x-private:secret='x']`:                                                        "+has a pattern on an object that is not supported",
		`[file:hashes.'SHA-512'='x']`:                                                   "+has a pattern on a hash other than MD5, SHA-1 and SHA-256",
		`[ipv4-addr:value ISSUBSET '192.0.2.1']`:                                        "has a pattern with ISSUBSET of a value that is not a block",
		`[ipv4-addr:value = '192.0.2.1/24']`:                                            "CIDR",
		`[file:hashes.MD5='x']`:                                                         "hash",
		`[file:hashes.MD5='da39a3ee5e6b4b0d3255bfef95601890afd80709']`:                  "has a pattern on a hash whose length does not fit its name",
		`[domain-name:value='..']`:                                                      "host",
		`[domain-name:value=7]`:                                                         "host",
		``:                                                                              "has a malformed pattern",
		`[`:                                                                             "has a malformed pattern",
		`[]`:                                                                            "has a malformed pattern",
		`[domain-name:value]`:                                                           "has a malformed pattern",
		`[domain-name:value=]`:                                                          "has a malformed pattern",
		`[domain-name:value=a.example]`:                                                 "has a malformed pattern",
		`[domain-name:value NOT 'a.example']`:                                           "has a malformed pattern",
		`[domain-name:value 'LIKE' 'a.example']`:                                        "has a malformed pattern",
		`[NOT domain-name:value = 'a.example']`:                                         "has a malformed pattern",
		`[domain-name:value='a.example'`:                                                "has a malformed pattern",
		`[domain-name:value='a.example']]`:                                              "has a malformed pattern",
		`[domain-name:value='a.example' 'b']`:                                           "has a malformed pattern",
		`[domain-name:value='a.example`:                                                 "has a malformed pattern",
		`[domain-name:value='a.example\']`:                                              "has a malformed pattern",
		`[domain-name:value IN 'a.example']`:                                            "has a malformed pattern",
		`[domain-name:value IN ()]`:                                                     "has a malformed pattern",
		`[domain-name:value IN '(' 'a.example')]`:                                       "has a malformed pattern",
		`[domain='a.example']`:                                                          "has a malformed pattern",
		`[domain-name:value IN ('a' 'b')]`:                                              "has a malformed pattern",
		`[domain-name:value IN ('a',)]`:                                                 "has a malformed pattern",
		`[domain-name:value ~ 'a.example']`:                                             "has a malformed pattern",
		`['domain-name:value'='a.example']`:                                             "has a malformed pattern",
		`[domain-name:value='a.example'] 'x'`:                                           "has a malformed pattern",
		`[domain-name:value='a.example'] XOR [x]`:                                       "has a malformed pattern",
		`[domain-name[0]:value='a.example']`:                                            "has a malformed pattern",
		`[domain-name:value[0='a.example'`:                                              "has a malformed pattern",
		`[domain-name:value'x'='a.example']`:                                            "has a malformed pattern",
		`[(domain-name:value='a.example']`:                                              "has a malformed pattern",
		`[domain-name:value='a.example')]`:                                              "has a malformed pattern",
		`([domain-name:value='a.example']`:                                              "has a malformed pattern",
		`[domain-name:value='a.example'])`:                                              "has a malformed pattern",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			found, refusals := patternNames(pattern)
			assert.Empty(t, found)
			require.Len(t, refusals, 1)
			assert.Contains(t, refusals[0], want)
			assert.Equal(t, want[0] == '+', refusals[0][0] == '+')
			assert.NotContains(t, refusals[0], "example")
			assert.NotContains(t, refusals[0], "ecret")
		})
	}
}

func TestORComparisonsAreIndependent(t *testing.T) {
	t.Parallel()
	found, refusals := patternNames(`[domain-name:value='a.example.com' OR file:path='x' OR domain-name:value LIKE 'b%' OR EXISTS a:b OR domain-name:value NOT = 'x' ` +
		`OR domain-name:value='..'] OR [a:b='c' AND d:e='f'] OR [ipv4-addr:value='192.0.2.1']`)
	assert.Equal(t, []string{"Host a.example.com", "Address 192.0.2.1"}, found)
	assert.Len(t, refusals, 6)
}

// With a slow parser, one object of a feed could stall an import.
func TestLongPatternsAreParsedInLinearTime(t *testing.T) {
	for name, text := range map[string]func(n int) string{
		"a word":          func(n int) string { return "[" + strings.Repeat("a", n) },
		"a path":          func(n int) string { return "[a:" + strings.Repeat("b.", n/2) + "='c']" },
		"indexes":         func(n int) string { return "[a:" + strings.Repeat("[0]", n/3) + "='c']" },
		"parentheses":     func(n int) string { return "[" + strings.Repeat("(", n) },
		"quotes":          func(n int) string { return "[a:b='" + strings.Repeat(`\'`, n/2) },
		"a set":           func(n int) string { return "[a:b IN (" + strings.Repeat("1,", n/2) },
		"comparisons":     func(n int) string { return "[" + strings.Repeat("a:b=1 OR ", n/9) },
		"observations":    func(n int) string { return strings.Repeat("[a:b=1]OR", n/9) },
		"unsupported":     func(n int) string { return strings.Repeat("[a:b!=1]OR", n/10) },
		"steps in quotes": func(n int) string { return "[a:" + strings.Repeat(".'b'", n/4) + "=1]" },
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, scaletest.Size(16<<10), 8, func(n int) func() {
				pattern := text(n)
				return func() { parsePattern(pattern) }
			})
		})
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{
		`[domain-name:value='a.example' OR file:hashes.'SHA-256' = 'x'] OR [a:b[*].c IN ('d', 'e')]`, `[(a:b='c')] FOLLOWEDBY [d:e='\'\\']`,
		`([a:b=b'c']) OR [EXISTS a:b OR a:b NOT LIKE 'c']`, `[`, `[a:b=`, `'`, `[a:b[`, `[a:b.'c`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		found, refusals := parsePattern(s)
		assert.True(t, len(found) > 0 || len(refusals) > 0, "a pattern has a comparison or an error")
		for _, c := range found {
			assert.Contains(t, c.path, ":")
			_, _ = c.indicator()
		}
		// Any text can be a quoted value.
		quoted := "[domain-name:value='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "']"
		one, none := parsePattern(quoted)
		require.Empty(t, none)
		require.Equal(t, []comparison{{path: "domain-name:value", value: s}}, one)
	})
}
