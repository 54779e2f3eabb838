package canon

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/publicsuffix"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		kind     string
		want     [3]string
	}{
		{name: "a URL", in: "http://example.com/x", kind: TypeURL, want: [3]string{"http://example.com/x"}},
		{name: "a defanged URL", in: "hxxps://Example[.]com/X", kind: TypeURL, want: [3]string{"https://example.com/X"}},
		{name: "a URL of an address", in: "http://192.0.2.1:81/x", kind: TypeURL, want: [3]string{"http://192.0.2.1:81/x"}},
		{name: "a host", in: "www.example.com", kind: TypeHost, want: [3]string{"www.example.com"}},
		{name: "a host in capitals", in: "WWW.EXAMPLE.COM.", kind: TypeHost, want: [3]string{"www.example.com"}},
		{name: "a defanged host", in: "www[.]example[.]com", kind: TypeHost, want: [3]string{"www.example.com"}},
		{name: "an internationalized host", in: "münchen.example", kind: TypeHost, want: [3]string{"xn--mnchen-3ya.example"}},
		{name: "a host with ideographic dots", in: "日本語。example", kind: TypeHost, want: [3]string{"xn--wgv71a119e.example"}},
		{name: "a host with a half-width ideographic dot", in: "日本語｡example", kind: TypeHost, want: [3]string{"xn--wgv71a119e.example"}},
		{name: "a host below a domain that is an extension too", in: "files.zip", kind: TypeHost, want: [3]string{"files.zip"}},
		{name: "an IPv4 address", in: "192.0.2.1", kind: TypeAddress, want: [3]string{"192.0.2.1"}},
		{name: "a defanged IPv4 address", in: "192[.]0[.]2[.]1", kind: TypeAddress, want: [3]string{"192.0.2.1"}},
		{name: "an IPv6 address", in: "2001:DB8::1", kind: TypeAddress, want: [3]string{"2001:db8:0:0:0:0:0:1"}},
		{
			name: "an IPv6 address of four-digit groups",
			in:   "2001:0db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
			kind: TypeAddress,
			want: [3]string{"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"},
		},
		{name: "an IPv6 address in brackets", in: "[2001:db8::1]", kind: TypeAddress, want: [3]string{"2001:db8:0:0:0:0:0:1"}},
		{name: "a host in typographic quotes", in: "“www.example.com”", kind: TypeHost, want: [3]string{"www.example.com"}},
		{
			name: "a URL with defanged dots in its path",
			in:   "hxxp://example[.]com/a[.]php",
			kind: TypeURL,
			want: [3]string{"http://example.com/a.php"},
		},
		{name: "a URL with brackets in its path", in: "http://example.com/a[.]php", kind: TypeURL, want: [3]string{"http://example.com/a[.]php"}},
		{name: "an IPv4 address inside IPv6", in: "::ffff:192.0.2.1", kind: TypeAddress, want: [3]string{"192.0.2.1"}},
		{name: "an IPv4 block", in: "192.0.2.0/24", kind: TypeCIDR, want: [3]string{"192.0.2.0/24"}},
		{name: "an IPv6 block", in: "2001:db8::/32", kind: TypeCIDR, want: [3]string{"2001:db8:0:0:0:0:0:0/32"}},
		{name: "an email address", in: "User@Example.com", kind: TypeEmailAddress, want: [3]string{"User@example.com"}},
		{
			name: "an email address below a domain that is an extension too",
			in:   "user@files.zip",
			kind: TypeEmailAddress,
			want: [3]string{"user@files.zip"},
		},
		{name: "a defanged email address", in: "user [at] example [dot] com", kind: TypeEmailAddress, want: [3]string{"user@example.com"}},
		{name: "an email address in angle brackets", in: "<user@example.com>", kind: TypeEmailAddress, want: [3]string{"user@example.com"}},
		{
			name: "an email address with a quoted slash",
			in:   `"a/b?c#d"@example.com`,
			kind: TypeEmailAddress,
			want: [3]string{`"a/b?c#d"@example.com`},
		},
		{name: "an MD5", in: "d41d8cd98f00b204e9800998ecf8427e", kind: TypeFile, want: [3]string{emptyMD5}},
		{name: "a SHA-1", in: emptySHA1, kind: TypeFile, want: [3]string{"", emptySHA1}},
		{name: "a SHA-256", in: emptySHA256, kind: TypeFile, want: [3]string{"", "", emptySHA256}},
		{
			name: "an MD5 of decimal digits",
			in:   "12345678901234567890123456789012",
			kind: TypeFile,
			want: [3]string{"12345678901234567890123456789012"},
		},
		{name: "a file summary", in: emptyMD5 + " :  : " + emptySHA256, kind: TypeFile, want: [3]string{emptyMD5, "", emptySHA256}},
		{name: "a file summary with an empty place in front", in: " : " + emptySHA1 + " : ", kind: TypeFile, want: [3]string{"", emptySHA1}},
		{name: "an ASN", in: "ASN64496", kind: TypeASN, want: [3]string{"ASN64496"}},
		{name: "an ASN with one N fewer", in: "as 64496", kind: TypeASN, want: [3]string{"ASN64496"}},
		{
			name: "a registry key",
			in:   `HKLM\SOFTWARE\.NETFramework : V : REG_SZ`,
			kind: TypeRegistryKey,
			want: [3]string{`HKEY_LOCAL_MACHINE\SOFTWARE\.NETFramework`, "V", "REG_SZ"},
		},
		{
			name: "a registry key with an address in it",
			in:   `HKCU\http://example.com :   : REG_SZ`,
			kind: TypeRegistryKey,
			want: [3]string{`HKEY_CURRENT_USER\http://example.com`, " ", "REG_SZ"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			kind, values, err := Parse(tc.in)
			require.NoError(t, err)
			assert.Equal(t, tc.kind, kind)
			assert.Equal(t, tc.want, values)
		})
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	const unknown, urlOrPath, loose = "is not recognized", "is not recognized: it may be a URL without its scheme", "is not four decimal numbers"
	const topLevel = "has a last label that is not two or more letters"
	for _, tc := range []struct{ name, in, rule string }{
		{"an empty value", "", "is blank"},
		{"white space", " \n", "is blank"},
		{"quotes around nothing", `""`, "is blank"},
		{"a word", "example", unknown},
		{"text", "Mozilla/5.0 (X11; Linux x86_64)", unknown},
		{"a short user agent", "curl/8.0.1", unknown},
		{"a mutex", `Global\{00000000-0000-0000-0000-000000000000}`, unknown},
		{"a hashtag", "#example", unknown},
		{"a subject", "Re: your invoice no. 5", unknown},
		{"the name of a file", "invoice.pdf", unknown},
		{"a path", "/tmp/x.y", unknown},
		{"a path of Windows", `C:\Windows\x.y`, unknown},
		{"a URL without its scheme", "www.example.com/login", unknown},
		{"a URL without its scheme and an address in its query", "evil.example.com/login?email=user@victim.example", urlOrPath},
		{"a URL without its scheme and an address in its path", "evil.example.com/login/user@victim.example", urlOrPath},
		{"a URL without its scheme and an address in its fragment", "evil.example.com/login#user@victim.example", urlOrPath},
		{"a URL without its scheme and path and an address in its query", "evil.example.com?user@victim.example", urlOrPath},
		{"a URL without its scheme and path and an address in its fragment", "evil.example.com#user@victim.example", urlOrPath},
		{"a URL without its scheme and an address in quotes", `evil.example.com/login?e="user"@victim.example`, urlOrPath},
		{"a URL without its scheme and a port and an address", "evil.example.com:8080/user@victim.example", urlOrPath},
		{"a URL of one label without its scheme and an address", "intranet/user@victim.example", urlOrPath},
		{"a URL of an IPv4 address without its scheme and an address", "192.0.2.1/user@victim.example", "has a length that is not a number"},
		{"a defanged URL without its scheme and an address", "evil[.]example/login?e=user[@]victim.example", urlOrPath},
		{"a path with an @", "/xwunThedic@t6.php", urlOrPath},
		{"a URL without its scheme and an address, and a comment", "evil.example.com/?user@victim.example (phishing)", unknown},
		{"a host with a query", "evil.example.com?id=1", urlOrPath},
		{"a host with a fragment", "evil.example.com#top", urlOrPath},
		{"a URL of another scheme", "file://example.com/x", "has a scheme other than"},
		{"a URL with a backslash before an @", `http://evil.example\@www.example.com/login`, "holds a path behind a backslash"},
		{"a defanged URL with a backslash before an @", `hxxp://evil[.]example\@www[.]example.com/login`, "holds a path behind a backslash"},
		{"a URL with an escaped dot before an @", `http://evil.example\.@www.example.com/`, "holds a path behind a backslash"},
		{"a defanged URL with an escaped mark before an @", `hxxp://evil[.]example\[.]@www.example.com/`, "holds a path behind a backslash"},
		{"a URL with an escaped dot after a host", `http://evil.example\.example.com/`, "holds a path behind a backslash"},
		{"a URL of an octal address", "http://0300.0.2.1/", "ends in a number"},
		{"an octal address", "0300.0000.0002.0001", loose},
		{"an address with a leading zero", "192.0.2.01", loose},
		{"a hexadecimal address", "0xc0000201", loose},
		{"hexadecimal numbers with dots", "0xc0.0x0.0x2.0x1", loose},
		{"a hexadecimal number without digits", "1.0X", loose},
		{"a name that begins as hexadecimal numbers do", "0xyz.1", "ends in a number"},
		{"nothing before an @", "@example.com", "has nothing before the @"},
		{"three numbers", "192.0.2", loose},
		{"an integer", "3221225985", loose},
		{"a version", "1.2.3.4.5", loose},
		{"an address with a port", "192.0.2.1:443", "has a port"},
		{"an IPv6 address with a port", "[2001:db8::1]:443", "has brackets"},
		{"an address with a zone", "fe80::1%eth0", "has a zone"},
		{"a block with bits after its length", "192.0.2.1/24", "has an address that is not the first"},
		{"a block with octal numbers", "0300.0.2.0/24", loose},
		{"a hash that lost a digit", emptyMD5[1:], "is not 32, 40 or 64 digits long"},
		{"a SHA-512", emptySHA256 + emptySHA256, "is not 32, 40 or 64 digits long"},
		{"two hashes of a kind", emptyMD5 + " : " + emptyMD5, "has two hashes of one kind"},
		{"an ASN out of range", "AS4294967296", "is larger than"},
		{"a registry key without value name and type", `HKLM\Software`, "is not a key name"},
		{"a host with a port", "www.example.com:8080", "holds a port"},
		{"a wildcard", "*.example.com", "holds a wildcard"},
		{"two @", "a@b@example.com", "has two @"},
		{"a hash with a dot in it", "d41d8cd98f00b204.e9800998ecf8427e", topLevel},
		{"a version of a program", "OpenSSH_6.4p1", topLevel},
		{"a file whose extension has a digit", "invoice.7z", topLevel},
		{"an abbreviation", "B.V.", topLevel},
		{"a hash after a byte order mark", "\ufeff" + emptyMD5, "holds an invisible character"},
		{"a host after a byte order mark", "\ufeffwww.example.com", "holds an invisible character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			kind, values, err := Parse(tc.in)
			requireRule(t, err, tc.rule)
			assert.Empty(t, kind)
			assert.Empty(t, values)
		})
	}
}

func TestParseRejectsFileNames(t *testing.T) {
	t.Parallel()
	for extension := range strings.FieldsSeq(`apk asp aspx bat bin cfg cgi class cmd conf css csv dat dll dmg doc docm docx elf eml exe gif gz hta htm html ico
		img ini iso jar jpeg jpg js json jse jsp lnk log msi ocx odt pdf php png ppt pptx rar rtf scr svg swf sys tar tmp txt vbe vbs wsf xls xlsb xlsm xlsx xml`) {
		for _, value := range []string{"Invoice." + strings.ToUpper(extension), "user@invoice." + extension, "user[@]invoice[.]" + extension} {
			_, _, err := Parse(value)
			requireRule(t, err, "is not recognized: it ends as the name of a file does")
		}
	}
}

func TestParseRejectsTypographicQuotes(t *testing.T) {
	t.Parallel()
	quotes := slices.AppendSeq([]rune("❛❜❝❞❟❠🙶🙷🙸"), beyondASCII(unicode.Pi, unicode.Pf, unicode.Quotation_Mark))
	for _, value := range []string{
		"www.example.com", "münchen.example", "192.0.2.1", "2001:db8::1", "192.0.2.0/24", "http://example.com", "https://example.com/x?y#z", "user@example.com",
		emptyMD5, emptySHA1, emptySHA256, "ASN64496", `HKLM\Software : a : REG_SZ`, "invoice.exe",
	} {
		for _, r := range quotes {
			for _, quoted := range []string{string(r) + value + string(r), string(r) + value, value + string(r)} {
				_, _, err := Parse(quoted)
				assert.Error(t, err, "%+q", quoted)
			}
		}
	}
}

// A name that ends in a file extension is refused, so no extension may be a top-level domain.
func TestNoFileExtensionIsATopLevelDomain(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("parse.go")
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(source), "func IsFileExtension")
	extensions := regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(list[:strings.Index(list, "}")], -1)
	require.Greater(t, len(extensions), 50)
	for _, extension := range extensions {
		assert.True(t, IsFileExtension(extension[1]))
		_, icann := publicsuffix.PublicSuffix("a.b." + extension[1])
		assert.False(t, icann, extension[1])
	}
}

func TestCanonicalValuesDoNotAllocate(t *testing.T) {
	for value, canonical := range map[string]func(string) (string, error){
		"ASN64496": ASN, "ASN0": ASN, "joe@example.com": EmailAddress, emptySHA256: Hash, "192.0.2.0/24": CIDR, "2001:db8:0:0:0:0:0:0/32": CIDR,
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = canonical(value) }), value)
	}
}
