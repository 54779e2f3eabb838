package canon

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"
)

// canonicalSeeds returns valid and invalid values of every type.
func canonicalSeeds() []string {
	return []string{
		"", " ", ".", "..", "-", "www.example.com", "WWW.Example.COM.", "münchen.example", "xn--mnchen-3ya.example",
		"a_b.example", "r3---sn-abc.example", "xn--a.example", "xn--.example", "a..example", "日本語。example", "☕.example",
		"“www.example.com”", "“192.0.2.1”", "https://example.com”", "user@example.com”", "example.com™", "l·l.example", "ア・ウ.example", "xn--nidlogin-2p3d.example",
		"ｅｘａｍｐｌｅ.example", "１９２.0.2.1", "exa\u00admple.example", "a\u200db.example", "א1.example", "0300.0.2.1", "0x7f000001", "3221225985",
		"192.0.2.1", " 192.0.2.1 ", "192.0.2.1:80", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "::", "::1", "fe80::1%eth0",
		"::ffff:192.0.2.1", "::192.0.2.1", "[2001:db8::1]", "192.0.2.0/24", "192.0.2.1/24", "2001:db8::/32", "2001:DB8:0:0::/64", "::/0",
		"http://example.com", "HTTP://User:Pw@Example.COM:080/A b?c=%2F#D", "https://[2001:DB8::1]:443/[.]x", "http://[::ffff:192.0.2.1]/",
		"http://192.0.2.1:/", "ftp://ä.example/ä", "http://example.com\\x", "http://a@b@example.com/", `http://evil.example\@example.com/`, `http://evil.example\.@example.com/`, "http://", "http:///x", "sftp://example.com?x",
		"http://x.example/a (b)", `http://x.example/"a"`, "http://x.example/<a>", `http://x.example/a\b`, "http://x.example/x）", "hxxp://evil[.]example/p[.]q", "hXXps[://]evil(dot)example[:]8080/", "fxp://x.example/", "user[at]example[dot]com", "user @ example.com",
		"user [at] example [dot] com", `evil\.example\.com`, "[[.]]", "[[[.].].]", "<http://example.com/>", `"'<x.example>'"`, "hxxp[[:]]//x", "hxxp:// [.]x",
		`"a@b"@example.com`, "Bob <bob@example.com>", "BOB@Example.COM", "bob@münchen.example", "a@b@example.com", "bob@[192.0.2.1]", "@example.com",
		"ASN64496", "as64496", "AS 64496", "asn 00064496", "64496", "AS1.10", "ASN4294967295", "ASN4294967296", "ASN0", "asn000",
		"d41d8cd98f00b204e9800998ecf8427e", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"D41D8CD98F00B204E9800998ECF8427E :  : ", " : da39a3ee5e6b4b0d3255bfef95601890afd80709 : ",
		`HKLM\Software\.NETFramework : Version : REG_SZ`, `hklm:\x`, `HKEY_USERS\a : b :   : reg_sz`, `HKCU\a :   : REG_DWORD`, `HKCU\a : : REG_DWORD`,
		`HKCU\a : REG_DWORD`, "HKU", "invoice.pdf", "a/b.example", "Global\\{GUID}", "OpenSSH_6.4p1", "x@t6.php", "B.V.", "x\x00y", "\xff", "\u0085", "tag\u2028name", `\ [.]`, `\[.]\x`, "evil[.com", "evil.]com", "evil[.[.]com", "http:[/][/]evil[.]com[/]x[/]y", "[192.0.2[.]1]", "[2001[:]db8[:][:]]", "hxxp://a[.]b/[[.]][dot]]", "http://a.example/[[.]]", "a.example/[.]",
		"hxxp://a[.]b[/]c", "a[.]b[/]c[[/]]", "::ffff:192.0.2.0/120", "[::]:80", "fe80::1%a.b", `a.b\@c.example`, "a[@b.example", "tcp://[::1]/[.]", "“‘a.example’”", "a/b@c.example", "*.example",
		strings.Repeat("a.", 130) + "example", strings.Repeat("a", 64) + ".example", strings.Repeat("ä", 60) + ".example",
	}
}

// canonicalFunctions returns the functions with one value, by name.
func canonicalFunctions() map[string]func(string) (string, error) {
	return map[string]func(string) (string, error){
		"Address":       Address,
		"ASN":           ASN,
		"CIDR":          CIDR,
		"EmailAddress":  EmailAddress,
		"EmailSubject":  EmailSubject,
		"GroupName":     GroupName,
		"Hash":          Hash,
		"Hashtag":       Hashtag,
		"Host":          Host,
		"Mutex":         Mutex,
		"SecurityLabel": SecurityLabel,
		"Tag":           Tag,
		"URL":           URL,
		"UserAgent":     UserAgent,
	}
}

// FuzzCanonical checks that canonical forms are valid UTF-8 and stay as they are, and that errors do not
// contain the value.
func FuzzCanonical(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, canonical := range canonicalFunctions() {
			out, err := canonical(s)
			if err != nil {
				assert.Empty(t, out, name)
				requireRefused(t, err, s)
				continue
			}
			again, err := canonical(out)
			require.NoError(t, err, "%s refuses its own result %q of %q", name, out, s)
			require.Equal(t, out, again, "%s is not idempotent on %q", name, s)
			require.True(t, utf8.ValidString(out), name)
			require.NotContains(t, out, "\x00", name)
		}
	})
}

// FuzzHost checks the form of host names, compares them with idna.Lookup, and uses them in URLs and email
// addresses.
func FuzzHost(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := Host(s)
		if err != nil {
			return
		}
		assert.Equal(t, strings.ToLower(out), out)
		assert.LessOrEqual(t, len(out), 253)
		assert.Contains(t, out, ".")
		_, err = netip.ParseAddr(out)
		require.Error(t, err, "an address must not pass as a host")
		for label := range strings.SplitSeq(out, ".") {
			require.Regexp(t, `^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`, label)
		}
		require.Regexp(t, `\.([a-z]{2,}|xn--[a-z0-9-]+)$`, out, "the form of a top-level domain")
		if lookup, err := idna.Lookup.ToASCII(strings.TrimSpace(s)); err == nil {
			assert.Equal(t, strings.TrimSuffix(lookup, "."), out, "idna.Lookup returns the same name if it accepts it")
		}
		viaURL, err := URL("http://" + out + "/")
		require.NoError(t, err, "a host must be valid in a URL")
		assert.Equal(t, "http://"+out+"/", viaURL)
		viaEmail, err := EmailAddress("user@" + out)
		require.NoError(t, err, "a host must be valid in an email address")
		assert.Equal(t, "user@"+out, viaEmail)
	})
}

// FuzzURL checks that the part after the authority never changes.
func FuzzURL(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := URL(s)
		if err != nil {
			return
		}
		trimmed := strings.TrimSpace(s)
		_, in, _ := strings.Cut(trimmed, "://")
		scheme, rest, ok := strings.Cut(out, "://")
		require.True(t, ok)
		assert.Contains(t, []string{"http", "https", "ftp", "sftp"}, scheme)
		assert.NotContains(t, in[:authorityEnd(in)], `\`, "browsers read it as the start of the path")
		tail := rest[authorityEnd(rest):]
		assert.Equal(t, in[authorityEnd(in):], tail, "path, query and fragment are kept")
		assert.NotRegexp(t, "[\\s\"`<>\\\\]", tail)
		authority := rest[:authorityEnd(rest)]
		assert.NotContains(t, authority, "@")
		assert.Equal(t, strings.ToLower(authority), authority)
	})
}

// FuzzIP compares addresses and blocks with net/netip.
func FuzzIP(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trimmed := strings.TrimSpace(s)
		addr, parseErr := netip.ParseAddr(trimmed)
		out, err := Address(s)
		if wanted := parseErr == nil && addr.Zone() == ""; !wanted {
			require.Error(t, err)
		} else {
			require.NoError(t, err)
			assert.Equal(t, addr.Unmap(), netip.MustParseAddr(out), "the same address")
			assert.NotContains(t, out, "::")
		}
		prefix, parseErr := netip.ParsePrefix(trimmed)
		out, err = CIDR(s)
		if wanted := parseErr == nil && prefix.Masked() == prefix && !prefix.Addr().Is4In6(); !wanted {
			require.Error(t, err)
		} else {
			require.NoError(t, err)
			assert.Equal(t, prefix, netip.MustParsePrefix(out), "the same block")
			assert.NotContains(t, out, "::")
		}
	})
}

// FuzzRegistryKey checks that SplitRegistrySummary reverses JoinRegistrySummary, which refuses only
// ambiguous summaries.
func FuzzRegistryKey(f *testing.F) {
	f.Add(`HKLM\Software`, "Version", "REG_SZ")
	f.Add(`HKCU\a : b`, "", "reg_dword")
	f.Add(`HKCU\a :`, " : ", "REG_NONE")
	f.Add(`HKCU\a `, ": x", " reg_none ")
	f.Fuzz(func(t *testing.T, key, name, valueType string) {
		k, n, vt, err := RegistryKey(key, name, valueType)
		summary, joinErr := JoinRegistrySummary(key, name, valueType)
		if err != nil {
			requireRefused(t, err, key+name+valueType)
			require.Error(t, joinErr)
			return
		}
		k2, n2, vt2, err := RegistryKey(k, n, vt)
		require.NoError(t, err)
		require.Equal(t, []string{k, n, vt}, []string{k2, n2, vt2}, "idempotent")
		if joinErr != nil {
			assert.Contains(t, k+" : "+n, " :", "only an ambiguous summary is refused")
			return
		}
		k2, n2, vt2, err = SplitRegistrySummary(summary)
		require.NoError(t, err)
		require.Equal(t, []string{k, n, vt}, []string{k2, n2, vt2}, "split reverses join")
	})
}

// FuzzFileSummary checks that SplitFileSummary reverses JoinFileSummary.
func FuzzFileSummary(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		md5, sha1, sha256, err := SplitFileSummary(s)
		if err != nil {
			requireRefused(t, err, s)
			return
		}
		summary := JoinFileSummary(md5, sha1, sha256)
		md5Again, sha1Again, sha256Again, err := SplitFileSummary(summary)
		require.NoError(t, err)
		require.Equal(t, []string{md5, sha1, sha256}, []string{md5Again, sha1Again, sha256Again})
	})
}

// FuzzRefang checks that refanging is idempotent and preserves the end of URLs.
func FuzzRefang(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Refang(s)
		require.Equal(t, out, Refang(out), "idempotent")
		assert.LessOrEqual(t, len(out), len(s))
		if _, err := URL(s); err == nil {
			_, in, _ := strings.Cut(strings.TrimSpace(s), "://")
			assert.True(t, strings.HasSuffix(out, in[authorityEnd(in):]), "a URL keeps path, query and fragment")
		}
		for _, canonical := range []func(string) (string, error){Host, Address, CIDR, ASN, Hash} {
			if _, err := canonical(s); err == nil {
				assert.Equal(t, strings.TrimSpace(s), out, "an accepted value does not need refanging")
			}
		}
	})
}

// FuzzDefang checks that Refang reverses Defang, and that Defang changes every value that could be a link.
func FuzzDefang(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, defanged := Refang(s), Defang(s)
		require.Equal(t, defanged, Defang(defanged), "idempotent")
		if defanged != s {
			require.Equal(t, defanged, Defang(plain))
			if scheme, _ := schemeOf(plain); urlScheme(scheme) != "" {
				plain = urlScheme(scheme) + plain[len(scheme):] // Defang does not preserve the case of the scheme
			}
			require.Equal(t, plain, Refang(defanged))
		}
		for name, canonical := range canonicalFunctions() {
			v, err := canonical(s)
			if err != nil {
				continue
			}
			switch name {
			case "Address", "CIDR", "Host", "URL":
				require.NotEqual(t, v, Defang(v), name)
				require.Equal(t, v, Refang(Defang(v)), name)
			case "ASN", "Hash":
				require.Equal(t, v, Defang(v), name)
			}
		}
	})
}

// FuzzParse checks that recognized values are canonical and are recognized again.
func FuzzParse(f *testing.F) {
	for _, s := range canonicalSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kind, values, err := Parse(s)
		if err != nil {
			assert.Empty(t, kind)
			assert.Empty(t, values)
			requireRefused(t, err, s)
			return
		}
		require.NotEmpty(t, values)
		again, sameValues, err := Parse(summaryOf(values))
		if kind == TypeRegistryKey && err != nil {
			return // the summary of the values is ambiguous
		}
		require.NoError(t, err, "%q as %s", values, kind)
		require.Equal(t, kind, again)
		require.Equal(t, values, sameValues)
	})
}

// requireRefused checks that err is a complete *Error, which does not contain a value longer than 24 bytes.
func requireRefused(t *testing.T, err error, value string) {
	t.Helper()
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	require.NotEmpty(t, refusal.Field)
	require.NotEmpty(t, refusal.Rule)
	require.NotEmpty(t, refusal.Fix)
	if len(value) > 24 {
		require.NotContains(t, err.Error(), value)
	}
}

// summaryOf returns the summary of a parsed indicator.
func summaryOf(values [3]string) string {
	n := 3
	for n > 1 && values[n-1] == "" {
		n--
	}
	return strings.Join(values[:n], ValueSeparator)
}
