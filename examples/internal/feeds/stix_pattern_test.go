package feeds

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// indicatorsOf returns what a pattern stands for, as type and summary, and why parts of it do not.
func indicatorsOf(pattern string) (found, bad []string) {
	comparisons, reasons := parsePattern(pattern)
	for _, c := range comparisons {
		ind, err := c.indicator()
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		found = append(found, string(ind.Type())+" "+ind.Summary())
	}
	for _, r := range reasons {
		bad = append(bad, r.Error())
	}
	return found, bad
}

func TestPatternsBecomeIndicators(t *testing.T) {
	t.Parallel()
	const sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
	for pattern, want := range map[string][]string{
		`[domain-name:value='www.example.com']`:                                              {"Host www.example.com"},
		` [ domain-name:value = 'WWW.example.com' ] `:                                        {"Host www.example.com"},
		`[ipv4-addr:value = '192.0.2.1']`:                                                    {"Address 192.0.2.1"},
		`[ipv4-addr:value = '192.0.2.0/24']`:                                                 {"CIDR 192.0.2.0/24"},
		`[ipv4-addr:value ISSUBSET '192.0.2.0/24']`:                                          {"CIDR 192.0.2.0/24"},
		`[url:value = 'http://example.com/it\'s']`:                                           {"URL http://example.com/it's"},
		`[mutex:name = 'it\'s\\here']`:                                                       {`Mutex it's\here`},
		`[email-addr:value = 'a@example.com']`:                                               {"EmailAddress a@example.com"},
		`[email-message:from_ref.value = 'a@example.com']`:                                   {"EmailAddress a@example.com"},
		`[email-message:sender_ref.value = 'a@example.com']`:                                 {"EmailAddress a@example.com"},
		`[email-message:subject = 'it is [urgent] (AND more)']`:                              {"Email Subject it is [urgent] (AND more)"},
		`[autonomous-system:number = 64496]`:                                                 {"ASN ASN64496"},
		`[mutex:name = 'm']`:                                                                 {"Mutex m"},
		`[file:hashes.'SHA-256' = '` + sha256 + `']`:                                         {"File " + sha256},
		`[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']`:                             {"File D41D8CD98F00B204E9800998ECF8427E"},
		`[domain-name:value = 'a.example' OR domain-name:value = 'b.example']`:               {"Host a.example", "Host b.example"},
		`[domain-name:value = 'a.example'] or [ipv4-addr:value = '192.0.2.1']`:               {"Host a.example", "Address 192.0.2.1"},
		`[domain-name:value IN ('a.example', 'b.example') OR domain-name:value='c.example']`: {"Host a.example", "Host b.example", "Host c.example"},
		`[(domain-name:value = 'a.example' OR (domain-name:value = 'b.example'))]`:           {"Host a.example", "Host b.example"},
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			found, bad := indicatorsOf(pattern)
			assert.Empty(t, bad)
			for i := range found {
				assert.Equal(t, strings.ToUpper(want[i]), strings.ToUpper(found[i]))
			}
			assert.Len(t, found, len(want))
		})
	}
}

func TestPatternsThatSayMoreAreRefused(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`[domain-name:value='a.example' AND domain-name:value='b.example']`:             "with AND,",
		`[domain-name:value='a.example' OR a:b='c' AND domain-name:value='b.example']`:  "with AND,",
		`[domain-name:value='a.example'] AND [domain-name:value='b.example']`:           "with AND,",
		`[domain-name:value='a.example'] FOLLOWEDBY [domain-name:value='b.example']`:    "with FOLLOWEDBY,",
		`[domain-name:value='a.example'] WITHIN 5 SECONDS`:                              "with WITHIN,",
		`[domain-name:value='a.example'] REPEATS 5 TIMES`:                               "with REPEATS,",
		`[domain-name:value='a.example'] START t'2026-01-01T00:00:00Z' STOP t'2026-02'`: "with START,",
		`([domain-name:value='a.example'])`:                                             "parentheses",
		`[domain-name:value != 'a.example']`:                                            "with !=,",
		`[domain-name:value LIKE 'a%']`:                                                 "with LIKE,",
		`[domain-name:value MATCHES '^a']`:                                              "with MATCHES,",
		`[domain-name:value NOT = 'a.example']`:                                         "with NOT,",
		`[NOT domain-name:value = 'a.example']`:                                         "with NOT,",
		`[EXISTS domain-name:value]`:                                                    "with EXISTS,",
		`[domain-name:value ISSUBSET 'a.example']`:                                      "ISSUBSET of something",
		`[ipv4-addr:value ISSUBSET '192.0.2.1']`:                                        "no block",
		`[file:path='/tmp/x']`:                                                          "file:path, which is not supported",
		`[file:Secret='x']`:                                                             "a pattern on file, which is not supported",
		`[configuration-profile:id='x']`:                                                "configuration-profile:id, which is not supported",
		`[x-private:secret='x']`:                                                        "an object that is not supported",
		`[file:hashes.'SHA-512'='x']`:                                                   "other than MD5",
		`[file:hashes.MD5='x']`:                                                         "hash",
		`[file:hashes.MD5='da39a3ee5e6b4b0d3255bfef95601890afd80709']`:                  "another length",
		`[domain-name:value='..']`:                                                      "host",
		``:                                                                              "not well-formed",
		`[`:                                                                             "not well-formed",
		`[]`:                                                                            "not well-formed",
		`[domain-name:value]`:                                                           "not well-formed",
		`[domain-name:value='a.example'`:                                                "not well-formed",
		`[domain-name:value='a.example']]`:                                              "not well-formed",
		`[domain-name:value='a.example' 'b']`:                                           "not well-formed",
		`[domain-name:value='a.example`:                                                 "not well-formed",
		`[domain-name:value IN 'a.example']`:                                            "not well-formed",
		`[domain-name:value IN ('a' 'b')]`:                                              "not well-formed",
		`[domain-name:value ~ 'a.example']`:                                             "not well-formed",
		`['domain-name:value'='a.example']`:                                             "not well-formed",
		`[domain-name:value='a.example'] 'x'`:                                           "not well-formed",
		`[domain-name:value='a.example'] XOR [x]`:                                       "not well-formed",
		`[domain-name[0='a.example']`:                                                   "not well-formed",
		`[domain-name:value'x'='a.example']`:                                            "not well-formed",
		`[(domain-name:value='a.example']`:                                              "not well-formed",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			found, bad := indicatorsOf(pattern)
			assert.Empty(t, found)
			require.Len(t, bad, 1)
			assert.Contains(t, bad[0], want)
			assert.NotContains(t, bad[0], "example")
			assert.NotContains(t, bad[0], "ecret")
		})
	}
}

func TestWhatIsJoinedByORIsTakenWithoutTheRest(t *testing.T) {
	t.Parallel()
	found, bad := indicatorsOf(`[domain-name:value='a.example' OR file:path='x' OR domain-name:value LIKE 'b%'] OR [a:b='c' AND d:e='f'] OR [ipv4-addr:value='192.0.2.1']`)
	assert.Equal(t, []string{"Host a.example", "Address 192.0.2.1"}, found)
	assert.Len(t, bad, 3)
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{
		`[domain-name:value='a.example' OR file:hashes.'SHA-256' = 'x'] OR [a:b[*].c IN ('d', 'e')]`, `[(a:b='c')] FOLLOWEDBY [d:e='\'\\']`, `[`, `[a:b=`, `'`, `[a:b[`, `[a:b.'c`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		found, bad := parsePattern(s)
		assert.True(t, len(found) > 0 || len(bad) > 0, "a pattern is never nothing")
		for _, c := range found {
			assert.Contains(t, c.path, ":")
			_, _ = c.indicator()
		}
		// What a value says does not matter to how a pattern is read.
		quoted := "[domain-name:value='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "']"
		one, none := parsePattern(quoted)
		require.Empty(t, none)
		require.Equal(t, []comparison{{path: "domain-name:value", value: s}}, one)
	})
}
