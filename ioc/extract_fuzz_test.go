package ioc

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// extractAll returns the indicators in a text.
func extractAll(t *testing.T, text string) []Match {
	t.Helper()
	var found []Match
	for match, err := range Extract(strings.NewReader(text)) {
		if err != nil { // calling require for each match would take as long as finding it
			require.NoError(t, err)
		}
		found = append(found, match)
	}
	return found
}

// FuzzExtract checks the positions and values of indicators, and that they do not depend on the reader.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		"", "C2 at hxxps://evil[.]example[.]com:8443/a[.]php?x=1&amp;y=2, 203.0.113.5:443 and [2001:db8::1]:80.",
		"user [at] example [dot] com, `203.0.113.0/24`, ::1, fe80::1%eth0, 2001:db8::/32, AS64496, ASN: 64497",
		"[a](http://example.com/x_(y))|**http://example.org/**|<a href=\"http://example.net/?a=1&#38;b=2\">",
		"http:\\/\\/example.com\\/x\\n203.0.113.7\\u0026 \\[.\\] evil\\.example\\.com evil].[example[.com",
		"| MD5 | Imphash |\n|---|---|\n| d41d8cd98f00b204e9800998ecf8427e | 396cb3dec9a3e9ef800f8892037ea3c3 |\n",
		"d41d8cd98f00b204e9800998ecf8427e.exe CVE-2021-44228 CVE\u20112021\u201144228 Agent.BT setup.sh the end.In",
		"版本1.2.3.4，域名example.com。evil。example.com и пример.рф “http://example.com/я” http://example.com/路径",
		"-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v2.2.9.1\n\niQEz\n-----END PGP SIGNATURE-----\nexample.com",
		"http://a@b@c.example:80/..[...] http://example.com/x... hxxp[:]//[2001:db8::1]/ [[.]] [.]] ]] (at)@", "\xff\xfe", "\xe3\x80", "a\xe3\x80\x82b.com",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var found []Match
		for match, err := range Extract(strings.NewReader(text)) {
			if err != nil {
				require.True(t, strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff"), "%v", err)
				return
			}
			found = append(found, match)
		}
		end := int64(0)
		for _, m := range found {
			require.GreaterOrEqual(t, m.Offset, end, "%+v overlaps another one", m)
			end = m.Offset + int64(m.Length)
			require.Positive(t, m.Length)
			require.LessOrEqual(t, end, int64(len(text)))
			written := text[m.Offset:end]
			assert.Equal(t, strings.TrimSpace(written), written, "%+v", m)
			assert.Equal(t, 1+strings.Count(text[:m.Offset], "\n"), m.Line, "%+v", m)
			canonical, err := Canonical(m.Type, m.Value)
			require.NoError(t, err, "%+v", m)
			require.Equal(t, canonical, m.Value)
		}
		var again []Match
		for match, err := range Extract(iotest.OneByteReader(strings.NewReader(text))) {
			require.NoError(t, err)
			again = append(again, match)
		}
		require.Equal(t, found, again, "the result depends on the reader")
	})
}

// FuzzPlainText checks that positions in the plain text map to the original.
func FuzzPlainText(f *testing.F) {
	for _, seed := range []string{"a[.]b", "a [.] b", "&lt;a&#91;.&#93;b&gt;", `a\.b\/c\u0026`, "a].[b[.c.]d", "[[.]]", "a \t(at)\tb(dot)c", "hxxp[:]//a[/]b", `\[.\]a\[.\]b`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		var p plainText
		p.read(source)
		require.True(t, slices.IsSorted(p.marks))
		last := 0
		for i := range p.text {
			from := p.source(i)
			require.GreaterOrEqual(t, from, last, "position %d of %q", i, p.text)
			require.Less(t, from, len(source))
			to := p.sourceEnd(i + 1)
			require.Greater(t, to, from, "position %d of %q", i, p.text)
			require.LessOrEqual(t, to, len(source))
			last = from
		}
		if !bytes.ContainsAny(source, `[](){}&\`) {
			require.Equal(t, string(source), string(p.text))
		}
	})
}
