package ioc_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

func TestParserOptionsAcceptSurroundings(t *testing.T) {
	t.Parallel()
	all := &ioc.Parser{SplitPort: true, AssumeScheme: "http", MaskBlock: true}
	for _, tc := range []struct {
		name, in string
		want     ioc.Indicator
	}{
		{"the port of an IPv4 address", "192.0.2.1:443", ioc.Indicator{Type: ioc.TypeAddress, Value: "192.0.2.1", Port: 443}},
		{"the port of an IPv6 address", "[2001:db8::1]:65535", ioc.Indicator{Type: ioc.TypeAddress, Value: "2001:db8:0:0:0:0:0:1", Port: 65535}},
		{"the port of an IPv4 address in brackets", "[192.0.2.1]:1", ioc.Indicator{Type: ioc.TypeAddress, Value: "192.0.2.1", Port: 1}},
		{"the port of a host", "Evil.example:08080", ioc.Indicator{Type: ioc.TypeHost, Value: "evil.example", Port: 8080}},
		{"a defanged port", "evil[.]example[:]8080", ioc.Indicator{Type: ioc.TypeHost, Value: "evil.example", Port: 8080, Defanged: true}},
		{"an IPv6 address without brackets has no port", "2001:db8::1:443", ioc.Indicator{Type: ioc.TypeAddress, Value: "2001:db8:0:0:0:0:1:443"}},
		{"the port of a URL stays", "http://evil.example:8080/", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example:8080/"}},
		{"a file summary has no port", "d41d8cd98f00b204e9800998ecf8427e:", ioc.Indicator{Type: ioc.TypeFile, Value: "D41D8CD98F00B204E9800998ECF8427E"}},

		{"a path", "evil.example/login?x", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example/login?x", AssumedScheme: true}},
		{"a slash", "Evil.example/", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example/", AssumedScheme: true}},
		{"a query", "evil.example?x", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example?x", AssumedScheme: true}},
		{"a fragment", "evil.example#x", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example#x", AssumedScheme: true}},
		{"a port and a path", "evil.example:8080/x", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example:8080/x", AssumedScheme: true}},
		{"a path after an IPv4 address", "192.0.2.1/gate.php", ioc.Indicator{Type: ioc.TypeURL, Value: "http://192.0.2.1/gate.php", AssumedScheme: true}},
		{"a slash after an IPv4 address", "192.0.2.1/", ioc.Indicator{Type: ioc.TypeURL, Value: "http://192.0.2.1/", AssumedScheme: true}},
		{"a path of digits and more after an IPv4 address", "192.0.2.1/24/", ioc.Indicator{Type: ioc.TypeURL, Value: "http://192.0.2.1/24/", AssumedScheme: true}},
		{"a path after an IPv6 address", "[2001:db8::1]/x", ioc.Indicator{Type: ioc.TypeURL, Value: "http://[2001:db8::1]/x", AssumedScheme: true}},
		{"an address in the path", "evil.example/login?email=user@victim.example", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example/login?email=user@victim.example", AssumedScheme: true}},
		{"a defanged URL without its scheme", "evil[.]example/a[.]php", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example/a.php", AssumedScheme: true, Defanged: true}},
		{"brackets in the path", "evil.example/a[.]php", ioc.Indicator{Type: ioc.TypeURL, Value: "http://evil.example/a[.]php", AssumedScheme: true}},
		{"a host stays a host", "evil.example", ioc.Indicator{Type: ioc.TypeHost, Value: "evil.example"}},
		{"a written scheme stays", "https://evil.example/x", ioc.Indicator{Type: ioc.TypeURL, Value: "https://evil.example/x"}},
		{"a defanged scheme stays", "hxxps://evil.example/x", ioc.Indicator{Type: ioc.TypeURL, Value: "https://evil.example/x", Defanged: true}},

		{"the host bits of an IPv4 block", "192.0.2.1/24", ioc.Indicator{Type: ioc.TypeCIDR, Value: "192.0.2.0/24", Address: "192.0.2.1"}},
		{"the host bits of an IPv6 block", "2001:DB8::1/32", ioc.Indicator{Type: ioc.TypeCIDR, Value: "2001:db8:0:0:0:0:0:0/32", Address: "2001:db8:0:0:0:0:0:1"}},
		{"a block without host bits", "192.0.2.0/24", ioc.Indicator{Type: ioc.TypeCIDR, Value: "192.0.2.0/24"}},
		{"a block of one address", "192.0.2.1/32", ioc.Indicator{Type: ioc.TypeCIDR, Value: "192.0.2.1/32"}},

		{"quotes do not defang", " “<evil.example>” ", ioc.Indicator{Type: ioc.TypeHost, Value: "evil.example"}},
		{"brackets around an address defang it", "[192.0.2.1]", ioc.Indicator{Type: ioc.TypeAddress, Value: "192.0.2.1", Defanged: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := all.Parse(tc.in)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
			if (tc.want != ioc.Indicator{Type: tc.want.Type, Value: tc.want.Value, Defanged: tc.want.Defanged}) {
				_, err = ioc.Parse(tc.in)
				require.Error(t, err, "without options")
			}
		})
	}
}

func TestParserRejectsAmbiguousSurroundings(t *testing.T) {
	t.Parallel()
	all := &ioc.Parser{SplitPort: true, AssumeScheme: "http", MaskBlock: true}
	const file, local = "is not recognized: it ends as the name of a file does", "has a character that cannot stand before the @"
	for _, tc := range []struct {
		name, in, rule string
	}{
		{"port 0", "192.0.2.1:0", "has a port outside 1 to 65535"},
		{"a port over 65535", "evil.example:65536", "has a port outside 1 to 65535"},
		{"a port of many digits", "evil.example:99999999999999999999999", "has a port outside 1 to 65535"},
		{"a port that is not a number", "evil.example:http", "holds a port"},
		{"a colon without a port", "evil.example:", "holds a port"},
		{"a port of a single label", "localhost:80", "is not recognized as"},
		{"a port of an octal address", "0300.0.2.1:80", "is not four decimal numbers"},
		{"a port of an email address", "user@evil.example:25", "holds a port"},
		{"a host in brackets with a port", "[evil.example]:80", "holds a character that no host name has"},
		{"a zone with a port", "[fe80::1%eth0]:80", "has a zone"},
		{"user information and a path", "user:pass@evil.example/x", local},
		{"a user and a path", "user@evil.example/x", "holds a path"},
		{"a relative path", "/tmp/x.y", "is not recognized"},
		{"a relative URL", "//evil.example/x", "is not recognized"},
		{"a user agent", "Mozilla/5.0", "is not recognized"},
		{"a version and a number", "1.5/2", "is not four decimal numbers"},
		{"a block with a wrong length", "192.0.2.1/33", "has a length that is not a number"},
		{"a block with a leading zero", "192.0.2.1/024", "has a length that is not a number"},
		{"a block of mapped addresses", "::ffff:192.0.2.1/120", "is an IPv4 block written as IPv6"},
		{"a block of mapped and other addresses", "::ffff:192.0.2.1/64", "is an IPv4 block written as IPv6"},
		{"a file and a query", "Index.PHP?id=1", file},
		{"a file and a fragment", "report.pdf#page=2", file},
		{"a file in a folder that looks like one", "setup.exe/x.dll", file},
		{"a port with its protocol", "192.0.2.1:53/udp", "is not recognized: it may be a port with its protocol"},
		{"a host, a port and its protocol", "evil.example:443/tcp", "is not recognized: it may be a port with its protocol"},
		{"a comment after the path", "evil.example/x (phishing)", "holds white space"},
		{"a backslash", `evil.example\path`, "is not recognized"},
		{"a backslash in the path", `evil.example/a\b`, "holds a backslash"},
		{"another scheme", "file://evil.example/x", "has a scheme other than"},
		{"a scheme with one slash", "http:/evil.example/x", "is not recognized"},
		{"one label and a path", "intranet/x", "is not recognized"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := all.Parse(tc.in)
			var refusal *ioc.Error
			require.ErrorAs(t, err, &refusal)
			assert.Contains(t, refusal.Rule, tc.rule)
			assert.Zero(t, got)
		})
	}
}

func TestSurroundingErrorsNameOption(t *testing.T) {
	t.Parallel()
	for in, field := range map[string]string{
		"192.0.2.1:443": "SplitPort", "[2001:db8::1]:443": "SplitPort", "evil.example:8080": "SplitPort",
		"evil.example/x": "AssumeScheme", "evil.example:80/x": "AssumeScheme", "192.0.2.1/x": "AssumeScheme",
		"192.0.2.1/24": "MaskBlock",
	} {
		_, err := ioc.Parse(in)
		var refusal *ioc.Error
		require.ErrorAs(t, err, &refusal)
		assert.Contains(t, refusal.Fix, field+" of an ioc.Parser", in)
	}
}

// Strict also applies to values with ports, schemes and host bits, and does not change the caller's
// expressions.
func TestStrictAndPatternsCheckExtractedValues(t *testing.T) {
	t.Parallel()
	_, err := (&ioc.Parser{Strict: true, AssumeScheme: "http"}).Parse("evil.example/{x}")
	require.ErrorContains(t, err, "RFC 3986")
	_, err = (&ioc.Parser{Strict: true, SplitPort: true}).Parse("a_b.example:80")
	require.ErrorContains(t, err, "holds an underscore")
	expression := regexp.MustCompile("a|a.example")
	value, err := (&ioc.Parser{Patterns: map[ioc.Type][]*regexp.Regexp{ioc.TypeHost: {expression}}}).Canonical(ioc.TypeHost, "a.example")
	require.NoError(t, err)
	assert.Equal(t, "a.example", value)
	assert.Equal(t, "a", expression.FindString("a.example"), "the caller's expression is unchanged")
}

func TestPortWithProtocolIsNotPath(t *testing.T) {
	t.Parallel()
	parser := &ioc.Parser{SplitPort: true, AssumeScheme: "http"}
	for _, s := range []string{"192.0.2.1:53/udp", "192.0.2.1:53/UDP", "evil.example:443/TCP"} {
		_, err := parser.Parse(s)
		require.ErrorContains(t, err, "it may be a port with its protocol", s)
	}
	v, err := parser.Parse("[2001:db8::1]/tcp")
	require.NoError(t, err)
	assert.Equal(t, "http://[2001:db8::1]/tcp", v.Value)
}

func TestAssumeSchemeMustBeURLScheme(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"gopher", "http://", "hxxp"} {
		_, err := (&ioc.Parser{AssumeScheme: scheme}).Parse("evil.example/x")
		require.EqualError(t, err, "ioc: scheme to assume is not http, https, ftp or sftp; set AssumeScheme to one of these")
	}
	v, err := (&ioc.Parser{AssumeScheme: "HTTPS"}).Parse("evil.example/x")
	require.NoError(t, err)
	assert.Equal(t, "https://evil.example/x", v.Value)
}

func TestStrictMatchesPlatform(t *testing.T) {
	t.Parallel()
	const topLevel, underscore, tail = "has a top-level domain", "holds an underscore", "holds a character after its host"
	for _, tc := range []struct {
		name, in, rule string
	}{
		{"a host", "www.r3---sn.example", ""},
		{"a top-level domain of two letters", "a.ch", ""},
		{"a top-level domain of 13 letters", "a.abcdefghijklm", ""},
		{"a top-level domain of 14 letters", "a.abcdefghijklmn", topLevel},
		{"an encoded top-level domain", "a.xn--p1ai", ""},
		{"an encoded top-level domain of 22 characters", "a.xn--vermgensberatungen-g3b", ""},
		{"an encoded top-level domain of 23 characters", "a.xn--vermgensberatungena-t6b", topLevel},
		{"an underscore", "_dmarc.a.example", underscore},
		{"an extension of a file as the top-level domain", "http://setup.exe/", "ends as the name of a file does"},
		{"an email address", "first.last+x@a.example", ""},
		{"an email address with an underscore", "a_b@a.example", ""},
		{"an underscore in an email domain", "a@b_c.example", underscore},
		{"a quoted email address", `"a"@b.example`, "is quoted or holds a character beyond ASCII"},
		{"an email address beyond ASCII", "ä@b.example", "is quoted or holds a character beyond ASCII"},
		{"a dot before the @", "a.@b.example", "has a dot at an end"},
		{"two dots before the @", "a..b@b.example", "has a dot at an end"},
		{"a URL", "https://www.example.com:8443/-._~!$&'()*+,;=:@%aF?/?#/?", ""},
		{"a URL without a path", "https://www.example.com?x#", ""},
		{"a URL of an IPv4 address", "http://192.0.2.1:80/", ""},
		{"a URL of an IPv6 address", "http://[2001:db8::1]/", "is an IPv6 address"},
		{"a URL with an underscore in the third label", "http://a_b.c_d.example.com/_", ""},
		{"a URL with an underscore in the second label", "http://a_b.example/", underscore},
		{"a URL with an unusual top-level domain", "http://a.abcdefghijklmn:80/", topLevel},
		{"a bracket in a path", "http://a.example/[", tail},
		{"a closing bracket in a query", "http://a.example/?]", tail},
		{"a brace in a path", "http://a.example/{x}", tail},
		{"a bar in a path", "http://a.example/|", tail},
		{"a caret in a path", "http://a.example/^", tail},
		{"a letter beyond ASCII in a path", "http://a.example/ä", tail},
		{"two number signs", "http://a.example/#a#b", "has two number signs"},
		{"a percent sign at the end", "http://a.example/%a", "has a percent sign without two hexadecimal digits"},
		{"a percent sign before other characters", "http://a.example/%2g", "has a percent sign without two hexadecimal digits"},
		{"an address", "2001:db8::1", ""},
		{"a block", "2001:db8::/32", ""},
		{"an ASN", "AS64496", ""},
		{"a file", "d41d8cd98f00b204e9800998ecf8427e", ""},
		{"a registry key", `HKLM\a_[ä] : b : REG_SZ`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want, err := ioc.Parse(tc.in)
			require.NoError(t, err, "lenient")
			strict := &ioc.Parser{Strict: true}
			got, err := strict.Parse(tc.in)
			canonical, canonicalErr := strict.Canonical(want.Type, tc.in)
			if tc.rule == "" {
				require.NoError(t, err)
				assert.Equal(t, want, got)
				require.NoError(t, canonicalErr)
				assert.Equal(t, want.Value, canonical)
				return
			}
			for _, err := range []error{err, canonicalErr} {
				var refusal *ioc.Error
				require.ErrorAs(t, err, &refusal)
				assert.Contains(t, refusal.Rule, tc.rule)
			}
			assert.Zero(t, got)
			assert.Empty(t, canonical)
		})
	}
}

func TestDocumentedStrictness(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/canonical.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| ([^|]+) \\| (\\w+) `([^|]+)` \\| ([a-z ]+) \\| (accepts|refuses) \\| (accepts|refuses) \\|$")
	_, section, _ := strings.Cut(string(text), "\n## Lenient and strict\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := row.FindAllStringSubmatch(section, -1)
	require.Len(t, rows, strings.Count(section, "\n|")-2, "all rows except the two header rows")
	verdict := map[bool]string{true: "accepts", false: "refuses"}
	for _, cells := range rows {
		t.Run(cells[1], func(t *testing.T) {
			t.Parallel()
			typ, value, platform, lenient, strict := ioc.Type(cells[2]), cells[3], cells[4], cells[5], cells[6]
			_, err := ioc.Canonical(typ, value)
			assert.Equal(t, lenient, verdict[err == nil], "lenient: %v", err)
			_, err = (&ioc.Parser{Strict: true}).Canonical(typ, value)
			assert.Equal(t, strict, verdict[err == nil], "strict: %v", err)
			assert.Equal(t, strict, verdict[platform == "accepts"], "strict matches the platform")
		})
	}
}

func TestPatternsMatchWholeValues(t *testing.T) {
	t.Parallel()
	patterns := func(t ioc.Type, expressions ...string) *ioc.Parser {
		p := &ioc.Parser{Patterns: map[ioc.Type][]*regexp.Regexp{t: {}}}
		for _, e := range expressions {
			p.Patterns[t] = append(p.Patterns[t], regexp.MustCompile(e))
		}
		return p
	}
	const md5, sha1 = `\b([a-fA-F\d]{32})\b`, `\b([a-fA-F\d]{40})\b`
	const emptyMD5, emptySHA1 = "D41D8CD98F00B204E9800998ECF8427E", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
	for _, tc := range []struct {
		name   string
		parser *ioc.Parser
		in     string
		ok     bool
	}{
		{name: "the whole value", parser: patterns(ioc.TypeASN, `\b(ASN\d+)\b`), in: "AS64496", ok: true},
		{name: "a part of the value", parser: patterns(ioc.TypeASN, `ASN\d{3}`), in: "AS64496"},
		{name: "the end of the value", parser: patterns(ioc.TypeASN, `\d+`), in: "AS64496"},
		{name: "the longest of the alternatives", parser: patterns(ioc.TypeASN, `ASN|ASN\d+`), in: "AS64496", ok: true},
		{name: "as little as possible", parser: patterns(ioc.TypeASN, `ASN\d+?`), in: "AS64496", ok: true},
		{name: "the second expression", parser: patterns(ioc.TypeASN, `x`, `ASN\d+`), in: "AS64496", ok: true},
		{name: "no expression", parser: patterns(ioc.TypeASN), in: "AS64496", ok: true},
		{name: "an expression of another type", parser: patterns(ioc.TypeHost, `x`), in: "AS64496", ok: true},
		{name: "each hash of a file", parser: patterns(ioc.TypeFile, md5, sha1), in: emptyMD5 + " : " + emptySHA1, ok: true},
		{name: "one hash of a file", parser: patterns(ioc.TypeFile, md5), in: emptyMD5 + " : " + emptySHA1},
		{name: "the canonical form", parser: patterns(ioc.TypeHost, `[a-z.]+`), in: "Example.COM", ok: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want, err := ioc.Parse(tc.in)
			require.NoError(t, err)
			got, err := tc.parser.Parse(tc.in)
			canonical, canonicalErr := tc.parser.Canonical(want.Type, tc.in)
			if tc.ok {
				require.NoError(t, err)
				require.NoError(t, canonicalErr)
				assert.Equal(t, want, got)
				assert.Equal(t, want.Value, canonical)
				return
			}
			assert.ErrorContains(t, err, "is matched by none of the regular expressions of its type")
			assert.Equal(t, err, canonicalErr)
		})
	}
}

// FuzzParser checks that each option has only its documented effect.
func FuzzParser(f *testing.F) {
	for _, s := range []string{
		"www.example.com", "_a.b.example", "setup.exe", "a.abcdefghijklmn", "192.0.2.1:443", "[2001:db8::1]:443", "evil.example/x", "192.0.2.1/24", "2001:db8::1/32", "192.0.2.1/x", "evil[.]example[:]80",
		"http://a.example/[x]", "http://a_b.example/", "http://[::1]/", "hxxp://a[.]example/b[.]c", "a@b_c.example", `"a b"@c.example`, "AS1", "d41d8cd98f00b204e9800998ecf8427e", `HKLM\a : b : REG_SZ`, "index.php?x",
	} {
		f.Add(s)
	}
	around := &ioc.Parser{SplitPort: true, AssumeScheme: "https", MaskBlock: true}
	strict := &ioc.Parser{Strict: true}
	f.Fuzz(func(t *testing.T, s string) {
		lenient, err := ioc.Parse(s)
		if err == nil {
			got, err := around.Parse(s)
			require.NoError(t, err, "these options do not refuse values")
			require.Equal(t, lenient, got)
			require.Equal(t, ioc.Indicator{Type: got.Type, Value: got.Value, Defanged: got.Defanged}, got)
		}
		if got, err := strict.Parse(s); err == nil {
			require.Equal(t, lenient, got, "the strict parser returns the same value")
		} else {
			require.Zero(t, got)
		}
		if v, err := around.Parse(s); err == nil {
			again, err := ioc.Canonical(v.Type, v.Value)
			require.NoError(t, err)
			require.Equal(t, v.Value, again, "the value is canonical")
			if v.Address != "" {
				address, err := ioc.Canonical(ioc.TypeAddress, v.Address)
				require.NoError(t, err)
				require.Equal(t, v.Address, address)
			}
			require.False(t, v.Port != 0 && v.Type != ioc.TypeAddress && v.Type != ioc.TypeHost)
		}
	})
}
