package canon

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestRefang(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"a plain host stays", "www.example.com", "www.example.com"},
		{"white space, brackets and quotes around it are removed", " \"<'`www.example.com`'>\"\n", "www.example.com"},
		{"a quote on one side stays", `"www.example.com`, `"www.example.com`},
		{"dots in square brackets", "www[.]example[.]com", "www.example.com"},
		{"dots in parentheses and braces", "www(.)example{.}com", "www.example.com"},
		{"dots as words in any case", "www[dot]example(DOT)com{Dot}au", "www.example.com.au"},
		{"dots with white space around", "www [.] example \t[dot] com", "www.example.com"},
		{"dots with tabs after them", "www[.]\texample[.] \tcom", "www.example.com"},
		{"white space that is not next to a mark stays", "www[.]example .com x", "www.example .com x"},
		{"an escaped dot in front", `\.example`, ".example"},
		{"a backslash at the end stays", `www\.example\`, `www\.example\`},
		{"escaped dots", `www\.example\.com`, "www.example.com"},
		{"an escaped dot in brackets", `www\[.]example[\.]com`, "www.example.com"},
		{"escaped dots in a URL", `hxxp://www\.example\.com/a\.b`, `http://www.example.com/a\.b`},
		{"an escaped dot after a whole host stays, because it can begin the path", `http://evil.example\.example.com/`, `http://evil.example\.example.com/`},
		{"an escaped dot before an @ stays, because it can begin the path", `hxxp://evil\.@www[.]example.com/`, `http://evil\.@www[.]example.com/`},
		{"an escaped dot before a mark for an @ stays", `http://3221225985\.[at]www\.example\.com/`, `http://3221225985\.[at]www\.example\.com/`},
		{"an escaped dot after a number stays unless all dots are escaped", `http://3221225985\.example.com/`, `http://3221225985\.example.com/`},
		{"an escaped dot without a scheme stays if it can begin the path", `evil.example\.example.com/`, `evil.example\.example.com/`},
		{"an escaped dot after an @ stays, because it can begin the path", `hxxp://@www\.example\.com/`, `http://@www\.example\.com/`},
		{"nested brackets", "www[[.]]example", "www.example"},
		{"an opening bracket before a dot", "www[.example[.com", "www.example.com"},
		{"a closing bracket after a dot", "www.]example.]com", "www.example.com"},
		{"half a bracket next to a letter beyond ASCII", "ö[.ä.]com", "ö.ä.com"},
		{"an opening bracket before a dot that ends the value stays", "www[.", "www[."},
		{"an opening bracket in front stays", "[.example", "[.example"},
		{"an opening bracket after a hyphen stays", "www-[.example", "www-[.example"},
		{"a closing bracket after a dot in front stays", ".]example", ".]example"},
		{"a closing bracket after a dot at the end stays", "www.]", "www.]"},
		{"spaces in brackets", "www [ . ] example[ dot]com [at\t] x", "www.example.com@x"},
		{"a bracket that two marks share", "www[[.]example.]]com", "www.example.]]com"},
		{"brackets that do not match stay", "www[.)example", "www[.)example"},
		{"other words in brackets stay", "www[point]example (dots)", "www[point]example (dots)"},
		{"an at sign", "user[@]example[.]com", "user@example.com"},
		{"at as a word with spaces", "user [at] example (dot) com", "user@example.com"},
		{"bare words stay", "user at example dot com", "user at example dot com"},
		{"an IPv4 address", "192[.]0[.]2[.]1", "192.0.2.1"},
		{"a block", "192.0.2[.]0/24", "192.0.2.0/24"},
		{"brackets around an address", "[192.0.2.1]", "192.0.2.1"},
		{"brackets around a defanged address", "[101.36.112[.]175]", "101.36.112.175"},
		{"brackets around an IPv6 address", "[[2001:db8::1]]", "2001:db8::1"},
		{"brackets around a defanged IPv6 address", "[2001[:]db8[:][:]]", "2001:db8::"},
		{"brackets around an address with a port stay", "[2001:db8::1]:443", "[2001:db8::1]:443"},
		{"brackets around an address with a zone stay", "[fe80::1%eth0]", "[fe80::1%eth0]"},
		{"brackets around a host stay", "[www.example.com]", "[www.example.com]"},
		{"typographic quotes", "“‘«‹„„‚‚www.example.com’‘”“›»’”", "www.example.com"},
		{"a typographic quote on one side stays", "“www.example.com", "“www.example.com"},
		{"a typographic quote on both sides stays", "”www.example.com”", "”www.example.com”"},
		{"an IPv6 address", "2001[:]db8[:][:]1", "2001:db8::1"},
		{"hxxp", "hxxp://example.com", "http://example.com"},
		{"hXXps", "hXXpS://example.com", "https://example.com"},
		{"hxtp", "hxtp://example.com", "http://example.com"},
		{"htxp", "htxp://example.com", "http://example.com"},
		{"htxps", "htxps://example.com", "https://example.com"},
		{"hxtps", "hxtps://example.com", "https://example.com"},
		{"htxxp", "htxxp://example.com", "http://example.com"},
		{"hxxtps", "hXXtps://example.com", "https://example.com"},
		{"htxps with an extra x", "htxxps://example.com", "https://example.com"},
		{"hxxxp", "hxxxp://example.com", "http://example.com"},
		{"ftxp", "ftxp://example.com", "ftp://example.com"},
		{"a scheme with two extra letters stays", "hxxxxp://example.com", "hxxxxp://example.com"},
		{"a scheme without an x stays", "htttp://example.com", "htttp://example.com"},
		{"fxp", "fxp://example.com", "ftp://example.com"},
		{"sfxp", "sfxp://example.com", "sftp://example.com"},
		{"hxxp without a separator stays", "hxxp.example", "hxxp.example"},
		{"a separator in brackets", "hxxp[://]example.com", "http://example.com"},
		{"a separator in braces", "hxxp{://}example.com", "http://example.com"},
		{"a colon in brackets", "http[:]//example.com", "http://example.com"},
		{"slashes in brackets", "http:[//]example.com", "http://example.com"},
		{"each slash in brackets", "http:[/][/]example[.]com", "http://example.com"},
		{"the colon and each slash in brackets", "hxxp[:][/][/]example.com", "http://example.com"},
		{"the slash of the path in brackets", "hxxp://example.com[/]a[/]b", "http://example.com/a/b"},
		{"the slash of the path in brackets after a plain host", "http://example.com[/]a[/]b", "http://example.com/a/b"},
		{"the slash of a path without a scheme in brackets", "example.com[/]a[/]b", "example.com/a/b"},
		{"the slash of a block in brackets", "192.0.2.0[/]24", "192.0.2.0/24"},
		{"a plain scheme keeps its case", "HTTP://example[.]com", "HTTP://example.com"},
		{"any scheme has a host", "tcp://192[.]0.2.1[:]80", "tcp://192.0.2.1:80"},
		{"marks in path, query and fragment of a defanged URL", "hxxp://example[.]com/a[.]b?c[AT]d=hxxp[:][/][/]x[Dot]y#[@]", "http://example.com/a.b?c@d=hxxp://x.y#@"},
		{"marks in the path after a defanged scheme", "hxxp://example.com/a[.]b", "http://example.com/a.b"},
		{"marks in the path after a defanged separator", "http[://]example.com/a[.]b", "http://example.com/a.b"},
		{"marks in the path after a defanged host", "http://example[.]com/a[.]b", "http://example.com/a.b"},
		{"marks in the query right after a defanged host", "hxxp://example[.]com?a[.]b", "http://example.com?a.b"},
		{"marks after a defanged host without a scheme", "example[.]com/a[.]b", "example.com/a.b"},
		{"marks after a host without a scheme stay", "example.com/a[.]b", "example.com/a[.]b"},
		{"other marks in a path stay", "hxxp://example[.]com/{.}(dot)[ . ][point]\\.[.", "http://example.com/{.}(dot)[ . ][point]\\.[."},
		{"one pair of brackets is removed from a mark in a path", "hxxp://example[.]com/[[.]]/[[[at]]/[[.]", "http://example.com/[.]/[[at]/[."},
		{"path, query and fragment of a plain URL stay", "http://example.com/a[.]b?c[at]d=hxxp://x[.]y#{.} (dot) \\.", "http://example.com/a[.]b?c[at]d=hxxp://x[.]y#{.} (dot) \\."},
		{"an IPv6 host keeps its brackets", "hxxp://[2001:db8::1]/", "http://[2001:db8::1]/"},
		{"the zero address keeps its brackets", "http://[::]/", "http://[::]/"},
		{"a registry key stays", `HKLM\SOFTWARE\Microsoft\.NETFramework : [.] : REG_SZ`, `HKLM\SOFTWARE\Microsoft\.NETFramework : [.] : REG_SZ`},
		{"a file path stays", `C:\Users\.ssh\config`, `C:\Users\.ssh\config`},
		{"an empty value stays empty", "", ""},
		{"an empty quote is nothing", `""`, ""},
		{"one quote stays", `"`, `"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, Refang(tc.in))
			assert.Equal(t, tc.want, Refang(tc.want), "idempotent")
		})
	}
}

func TestDefang(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"a host", "www.example.com", "www[.]example[.]com"},
		{"a host with a port", "www.example.com:8080", "www[.]example[.]com:8080"},
		{"a wildcard", "*.example.com", "*[.]example[.]com"},
		{"a URL", "http://www.example.com/a.php?b=c.d#e.f", "hxxp://www[.]example[.]com/a.php?b=c.d#e.f"},
		{"a URL with https", "https://example.com", "hxxps://example[.]com"},
		{"a URL with ftp", "ftp://example.com/", "fxp://example[.]com/"},
		{"a URL with sftp", "sftp://example.com/", "sfxp://example[.]com/"},
		{"a URL with another scheme", "tcp://example.com:80/a[.]b", "tcp://example[.]com:80/a[[.]]b"},
		{"a URL with another scheme and one label", "tcp://example/a[.]b", "tcp://example/a[.]b"},
		{"a URL of an address", "http://192.0.2.1:8080/", "hxxp://192[.]0[.]2[.]1:8080/"},
		{"a URL of an IPv6 address", "http://[2001:db8::1]:80/", "hxxp://[2001:db8::1]:80/"},
		{"a URL with user information", "http://user.x@example.com/@", "hxxp://user[.]x[@]example[.]com/@"},
		{"a URL with marks in its path", "http://example.com/[.][[dot]]?[at]=[x]&a[@&[:]", "hxxp://example[.]com/[[.]][[[dot]]]?[[at]]=[x]&a[@&[[:]]"},
		{"a URL with a backslash before its path keeps its host", `http://example.com\.x/`, `hxxp://example.com\.x/`},
		{"a URL with spaces in its host keeps it", "http://a .example/", "hxxp://a .example/"},
		{"a URL without its scheme", "example.com/a.php?[.]", "example[.]com/a.php?[[.]]"},
		{"an email address", "first.last@mail.example.com", "first.last[@]mail[.]example[.]com"},
		{"an email address with a slash", "a/b@example.com", "a/b[@]example[.]com"},
		{"an email address in quotes", `"a@b c"@example.com`, `"a@b c"[@]example[.]com`},
		{"an IPv4 address", "192.0.2.1", "192[.]0[.]2[.]1"},
		{"an IPv4 address with a port", "192.0.2.1:80", "192[.]0[.]2[.]1:80"},
		{"an IPv6 address", "2001:db8:0:0:0:0:0:1", "2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]1"},
		{"a short IPv6 address", "::", "[:][:]"},
		{"an IPv6 address with a port", "[2001:db8::1]:443", "[2001[:]db8[:][:]1][:]443"},
		{"an IPv6 address that contains an IPv4 address", "::ffff:192.0.2.1", "[:][:]ffff[:]192[.]0[.]2[.]1"},
		{"a URL of an IPv6 address without its scheme", "[2001:db8::1]/a.php?[.]", "[2001[:]db8[:][:]1]/a.php?[[.]]"},
		{"an IPv6 address with a zone", "fe80::1%eth0.1", "fe80[:][:]1%eth0[.]1"},
		{"an IPv6 address with a backslash in its zone stays", `fe80::1%a\.b\c`, `fe80::1%a\.b\c`},
		{"slashes in brackets after an IPv6 address stay", "::/a[/]b", "[:][:]/a[/]b"},
		{"a path stays", "/tmp/a.b", "/tmp/a.b"},
		{"an IPv4 block", "192.0.2.0/24", "192[.]0[.]2[.]0/24"},
		{"an IPv6 block", "2001:db8:0:0:0:0:0:0/32", "2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]0/32"},
		{"a defanged value", "hxxp://example[.]com/a[.]b", "hxxp://example[.]com/a.b"},
		{"white space and quotes around a value are removed", ` "example.com" `, "example[.]com"},
		{"a hash stays", emptyMD5, emptyMD5},
		{"a file summary stays", emptyMD5 + " : " + emptySHA1, emptyMD5 + " : " + emptySHA1},
		{"an ASN stays", "ASN64496", "ASN64496"},
		{"a registry key stays", `HKEY_USERS\a.b : c.d : REG_SZ`, `HKEY_USERS\a.b : c.d : REG_SZ`},
		{"text stays", " see example.com and [.] ", " see example.com and [.] "},
		{"a path of Windows stays", `C:\Users\a.b`, `C:\Users\a.b`},
		{"white space next to an @ stays", "user @ example.com", "user @ example.com"},
		{"an empty value stays empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, Defang(tc.in))
			assert.Equal(t, tc.want, Defang(tc.want), "idempotent")
		})
	}
}

func TestDefangKeepsOtherText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://a\t.example/": "hxxp://a\t.example/", "例。example/[.]": "例。example/[.]", "user@ example.com": "user@ example.com", `a\.b\@c.example`: `a\.b\@c.example`,
	} {
		assert.Equal(t, want, Defang(in), in)
	}
}

// All brackets around the slash that begins the path are removed. In the rest of the path, one pair of
// each mark is removed.
func TestRefangUndoesNestedSlashes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a.example[[/]][[.]]x": "a.example/[.]x", "hxxp://a.example[[/]]x[.]y": "http://a.example/x.y", "a.example[/]x": "a.example/x"} {
		assert.Equal(t, want, Refang(in), in)
	}
}

func TestRefangDoesNotAllocateIfUnchanged(t *testing.T) {
	for _, s := range []string{
		"www.example.com", "http://www.example.com/a[.]b", "http://[2001:db8::1]/", "192.0.2.1", "192.0.2.0/24", "www.example.com/a[.]b", "user@example.com", emptyMD5,
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = Refang(s) }), s)
	}
}

func TestRefangIsLinearInNestedBrackets(t *testing.T) {
	for name, c := range map[string]struct {
		text func(depth int) string
		want string
	}{
		"around a dot": {func(n int) string { return "a" + strings.Repeat("[", n) + "." + strings.Repeat("]", n) + "b" }, "a.b"},
		"around it":    {func(n int) string { return strings.Repeat("<", n) + "a" + strings.Repeat(">", n) }, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, scaletest.Size(64<<10), 8, func(n int) func() {
				text := c.text(n)
				return func() { require.Equal(t, c.want, Refang(text)) }
			})
		})
	}
}
