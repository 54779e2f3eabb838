package ioc

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

const onList = "on list ours.txt"

// excluding adds a list of values to x, and returns x.
func excluding(t testing.TB, x *Exclusions, values ...string) *Exclusions {
	t.Helper()
	require.NoError(t, x.AddList("ours.txt", strings.NewReader(strings.Join(values, "\n"))))
	return x
}

func TestExcludeReservedAndListedValues(t *testing.T) {
	t.Parallel()
	x := excluding(t, &Exclusions{AllowDocumentation: true},
		"\ufeffexample.net", "", "# comment", "198.51.100.0/25\r", "203.0.113.5 # a comment", "2001:db8::5", "https://good.example/page#top",
		"d41d8cd98f00b204e9800998ecf8427f", "CEO@partner.example", "bücher.example", "hxxp://defanged[.]example/x", "AS64496", `HKCU\Software\Ours : Version : REG_SZ`)
	for in, want := range map[string]string{
		"10.1.2.3":                         "private, RFC 1918",
		"172.31.255.255":                   "RFC 1918",
		"172.32.0.1":                       "",
		"192.168.0.1":                      "RFC 1918",
		"127.0.0.1":                        "loopback",
		"169.254.169.254":                  "link-local",
		"100.64.0.1":                       "RFC 6598",
		"224.0.0.251":                      "multicast",
		"255.255.255.255":                  "reserved",
		"192.88.99.1":                      "RFC 7526",
		"0.0.0.0":                          "this network",
		"::1":                              "loopback",
		"fe80::1":                          "link-local",
		"fd00::1":                          "RFC 4193",
		"ff02::fb":                         "multicast",
		"4000::1":                          "not allocated",
		"e000::1":                          "not allocated",
		"2001:db8::1":                      "",
		"192.0.2.1":                        "",
		"10.0.0.0/24":                      "RFC 1918",
		"8.0.0.0/5":                        "RFC 1918", // contains 10.0.0.0/8
		"8.0.0.0/15":                       "block wider than /16",
		"8.8.0.0/16":                       "",
		"2a00::/29":                        "block wider than /32",
		"2a00::/32":                        "",
		"http://192.168.1.1/admin":         "RFC 1918",
		"http://[fd00::1]:8080/":           "RFC 4193",
		"http://printer.local/":            "RFC 6762",
		"host.corp.internal":               "ICANN",
		"nas.home.arpa":                    "RFC 8375",
		"1.0.0.127.in-addr.arpa":           "",
		"internal.example.com":             "",
		"root@mail.localhost":              "RFC 6761",
		"example.net":                      onList,
		"a.b.example.net":                  onList,
		"notexample.net":                   "",
		"https://www.example.net/x":        onList,
		"someone@example.net":              onList,
		"xn--bcher-kva.example":            onList,
		"www.defanged.example":             "",
		"http://defanged.example/x":        onList,
		"198.51.100.127":                   onList,
		"198.51.100.128":                   "",
		"http://198.51.100.1/":             onList,
		"198.51.100.0/24":                  onList,
		"198.51.100.64/26":                 onList,
		"198.51.100.128/25":                "",
		"203.0.113.5":                      onList,
		"203.0.113.4/30":                   onList,
		"http://203.0.113.5/x":             onList,
		"2001:db8:0:0:0:0:0:5":             onList,
		"http://[2001:db8::5]/":            onList,
		"https://good.example/page#top":    onList,
		"https://good.example/other":       "",
		"ceo@partner.example":              onList,
		"cfo@partner.example":              "",
		"D41D8CD98F00B204E9800998ECF8427F": onList,
		"00000000000000000000000000000000": "",
		"d41d8cd98f00b204e9800998ecf8427f : 0000000000000000000000000000000000000000": onList,
		"D41D8CD98F00B204E9800998ECF8427E":                                            "hash of an empty file",
		"ASN64496":                                                                    onList,
		"ASN64497":                                                                    "",
		"ASN64512":                                                                    "RFC 6996",
		"ASN4294967":                                                                  "",
		"ASN23456":                                                                    "RFC 6793",
		"ASN65535":                                                                    "RFC 7300",
		"ASN3320":                                                                     "",
		"ASN000":                                                                      "RFC 7607",
		"as 64500":                                                                    "",
		"AS65537":                                                                     "",
		`HKCU\a : b : REG_SZ`:                                                         "",
		`hkcu\SOFTWARE\ours : Version : REG_SZ`:                                       onList,
		`HKCU\Software\Ours : Other : REG_SZ`:                                         "",

		"http://intranet.example.net/%":         onList,
		"http://intranet.example.net/%zz":       onList,
		"http://intranet.example.net/a{b}%":     onList,
		"http://intranet.example.net:80/%zz":    onList,
		"http://user:p%@intranet.example.net/%": onList,
		"http://192.168.0.1/%zz":                "RFC 1918",
		"http://198.51.100.7/%":                 onList,
		"http://[2001:db8::5]:8080/%":           onList,
		"http://[fd00::1]/%":                    "RFC 4193",
		"http://printer.local/%":                "RFC 6762",
		"http://www.example.org/%?example.net":  "",
		"\"a@example.net\"@example.org":         "",
		"::ffff:192.168.1.1":                    "RFC 1918",
		"http://[::ffff:10.0.0.1]/":             "RFC 1918",
		"http://[::ffff:198.51.100.7]/":         onList,
		"http://[::10.0.0.1]/":                  "RFC 4291",
		"64:ff9b::a00:1":                        "RFC 1918",
		"64:ff9b::c633:6407":                    onList,
		"64:ff9b::808:808":                      "",
		"64:ff9b::/96":                          "this network", // embeds all of IPv4
		"64:ff9b::800:0/104":                    "block wider than /16",
		"64:ff9b::/32":                          "RFC 8215",
		"64:ff9b::c0a8:0/112":                   "RFC 1918",
		"64:ff9b::8000:0/98":                    "RFC 3927", // embeds 128.0.0.0/2
		"64:ff9b:1::1":                          "RFC 8215",
		"http://[64:ff9b::a00:1]/":              "RFC 1918",
		"2002:a00:1::":                          "RFC 1918",
		"2002:c633:6407::1":                     onList,
		"2002:808:808::1":                       "",
		"2002:c0a8::/32":                        "RFC 1918",
		"2002::/16":                             "this network",
		"2002::/15":                             "this network",
		"2001:0:4136:e378:8000:63bf:3fff:fdd2":  "RFC 2928", // Teredo
		"fec0::1":                               "RFC 3879",
		"100::1":                                "RFC 6666",
		"::/0":                                  "RFC 4291",
		"intranet.corp":                         "ICANN",
		"router.home":                           "ICANN",
		"post.mail":                             "ICANN",
		"x.localdomain":                         "private networks",
		"wiki.intranet":                         "private networks",
		"db.private":                            "private networks",
		"someone@intranet.corp":                 "ICANN",
		"http://files.corp:8080/%":              "ICANN",
		"corp.example.org":                      "",
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			v, err := Parse(in)
			require.NoError(t, err)
			reason, exclude := x.Exclude(string(v.Type), v.Value)
			assert.Equal(t, want != "", exclude, reason)
			assert.Contains(t, reason, want)
			reasonAsGiven, _ := x.Exclude(string(v.Type), in)
			assert.Equal(t, reason, reasonAsGiven, "the canonical value and the value as given have the same reason")
		})
	}
}

// The first and last values of reserved ranges are excluded, and their neighbors are not.
func TestReservedRangeBoundaries(t *testing.T) {
	t.Parallel()
	for typ, values := range map[Type]map[string]bool{
		TypeAddress: {
			"9.255.255.255": false, "11.0.0.0": false, "192.0.0.1": true, "192.0.1.0": false, "198.17.255.255": false, "198.19.255.255": true, "198.20.0.0": false, "223.255.255.255": false,
			"100:0:0:1::1": true, "200::1": true, "1000::1": true, "1fff::1": true, "2000::1": false, "2001:1ff::1": true, "2001:200::1": false, "3fff:fff::1": true, "3fff:1000::1": false, "4000::1": true, "fbff::1": true,
		},
		TypeASN: {
			"0": true, "1": false, "23455": false, "23456": true, "23457": false, "64495": false, "64496": true, "64511": true, "64512": true, "65534": true, "65535": true, "65551": true, "65552": false,
			"4199999999": false, "4200000000": true, "4294967294": true, "4294967295": true,
		},
		TypeHost: {"a.test": true, "a.invalid": true, "a.lan": true, "a.lan.org": false},
	} {
		for value, want := range values {
			reason, exclude := (&Exclusions{}).Exclude(string(typ), value)
			assert.Equal(t, want, exclude, "%s %s: %s", typ, value, reason)
		}
	}
	reason, _ := (&Exclusions{}).Exclude("Address", "::")
	assert.Equal(t, "not a public address (unspecified, RFC 4291)", reason)
	const empty = "d41d8cd98f00b204e9800998ecf8427e"
	reason, _ = excluding(t, &Exclusions{}, empty).Exclude("File", empty)
	assert.Equal(t, "hash of an empty file", reason, "rules take precedence over lists")
}

func TestExcludeDocumentationValues(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1":               "not a public address (documentation, RFC 5737)",
		"198.51.100.0/24":         "not a public address (documentation, RFC 5737)",
		"http://203.0.113.1:80/x": "not a public address (documentation, RFC 5737)",
		"2001:db8::1":             "not a public address (documentation, RFC 3849)",
		"3fff::1":                 "not a public address (documentation, RFC 9637)",
		"www.example.com":         "not a public name (example.com, documentation, RFC 2606)",
		"user@example.org":        "not a public name (example.org, documentation, RFC 2606)",
		"evil.example":            "not a public name (.example, documentation, RFC 2606)",
		"ASN64500":                "not a public AS number (documentation, RFC 5398)",
		"ASN65536":                "not a public AS number (documentation, RFC 5398)",
		"notexample.com":          "",
		"example.com.evil.io":     "",
	} {
		v, err := Parse(in)
		require.NoError(t, err, in)
		reason, _ := (&Exclusions{}).Exclude(string(v.Type), v.Value)
		assert.Equal(t, want, reason, in)
		reason, exclude := (&Exclusions{AllowDocumentation: true}).Exclude(string(v.Type), v.Value)
		assert.False(t, exclude, "%s: %s", in, reason)
	}
}

func TestExcludeKnownFilesByEveryHash(t *testing.T) {
	t.Parallel()
	for want, contents := range map[string][]string{
		"hash of an empty file":       {""},
		"hash of a line break":        {"\n", "\r\n"},
		"hash of a space":             {" "},
		"hash of a zero byte":         {"\x00"},
		"hash of the EICAR test file": {`X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + `STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`},
		"":                            {"x", "\n\n"},
	} {
		for _, content := range contents {
			for _, hash := range []string{
				fmt.Sprintf("%x", md5.Sum([]byte(content))),
				fmt.Sprintf("%X", sha1.Sum([]byte(content))),
				fmt.Sprintf("%x", sha256.Sum256([]byte(content))),
			} {
				reason, exclude := (&Exclusions{}).Exclude(string(TypeFile), hash)
				assert.Equal(t, want, reason, "%q", content)
				assert.Equal(t, want != "", exclude)
			}
		}
	}
}

func TestExclusionsFailClosed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ typ, value, want string }{
		"a URL without a host":                     {"URL", "http:///x", "cannot be checked: URL host is blank"},
		"a URL with a broken host":                 {"URL", "http://[::1/x", "cannot be checked: URL host"},
		"a defanged host":                          {"Host", "www[.]evil[.]org", "cannot be checked: host name is defanged"},
		"an invalid host":                          {"Host", "a b.example", "cannot be checked: host name holds white space"},
		"an invalid address":                       {"Address", "10.0.0", "cannot be checked: address is not four decimal numbers"},
		"an address with a zone":                   {"Address", "fe80::1%eth0", "cannot be checked: address has a zone"},
		"an invalid block":                         {"CIDR", "10.0.0.0/33", "cannot be checked: CIDR block has a length"},
		"a block with host bits":                   {"CIDR", "8.8.8.8/24", "cannot be checked: CIDR block has an address"},
		"an email address without a host":          {"EmailAddress", "someone", "cannot be checked: email address has no @"},
		"a file without a hash":                    {"File", "", "cannot be checked: file summary has no hash"},
		"a blank mutex":                            {"Mutex", " ", "cannot be checked: mutex is blank"},
		"a custom type":                            {"Wallet", "1x", "cannot be checked: the type is not known"},
		"a type in another letter case":            {"host", "evil.org", "cannot be checked: the type is not known"},
		"no type":                                  {"", "evil.org", "cannot be checked: the type is not known"},
		"a blank value of a permitted custom type": {"Coin", " ", "cannot be checked: value is blank"},
		"a permitted custom type":                  {"Coin", "1x", ""},
		"a vulnerability":                          {"Vulnerability", "CVE-2021-44228", ""},
		"a mutex":                                  {"Mutex", "10.0.0.1", ""},
		"a user agent":                             {"User Agent", "curl/8.0", ""},
		"an email subject":                         {"Email Subject", "Invoice", ""},
		"a hashtag":                                {"Hashtag", "#x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reason, exclude := (&Exclusions{OtherTypes: []string{"Coin"}}).Exclude(tc.typ, tc.value)
			assert.Equal(t, tc.want != "", exclude)
			assert.Contains(t, reason, tc.want)
			if tc.want == "" {
				assert.Empty(t, reason)
			}
		})
	}
}

func TestExclusionsLimitTheWidthOfBlocks(t *testing.T) {
	t.Parallel()
	x := &Exclusions{MinIPv4Bits: 24, MinIPv6Bits: 48}
	for block, want := range map[string]string{
		"8.8.8.0/24":        "",
		"8.8.8.0/23":        "block wider than /24",
		"2a00:1:2::/48":     "",
		"2a00:1:2::/47":     "block wider than /48",
		"2002:808:808::/47": "", // embeds 8.8.8.8/31
		"2002:808::/32":     "block wider than /24",
	} {
		reason, _ := x.Exclude("CIDR", block)
		assert.Equal(t, want, reason, block)
	}
	_, exclude := (&Exclusions{MinIPv4Bits: 1, MinIPv6Bits: 1}).Exclude("CIDR", "16.0.0.0/6")
	assert.False(t, exclude)
	_, exclude = (&Exclusions{MinIPv4Bits: 99}).Exclude("CIDR", "8.8.8.8/32")
	assert.False(t, exclude, "a single address is the narrowest block")
}

// urlCorpus calls test with canonical URLs and their hosts.
func urlCorpus(t *testing.T, test func(canonical, host string)) {
	t.Helper()
	hosts := map[string]string{
		"evil.example": "evil.example", "EVIL.Example.": "evil.example", "a_b.example": "a_b.example",
		"bücher.example": "xn--bcher-kva.example", "evil。example": "evil.example", "198.51.100.7": "198.51.100.7",
		"[2001:DB8:0::5]": "2001:db8::5", "[::ffff:198.51.100.7]": "::ffff:c633:6407", "[fd00::1]": "fd00::1",
	}
	n := 0
	for written, host := range hosts {
		for _, scheme := range []string{"http", "HTTPS", "ftp", "sftp"} {
			for _, user := range []string{"", "@", "user@", "user:p%@", "other.example@", "other.example:80@x@"} {
				for _, port := range []string{"", ":", ":80", ":0443", ":65535"} {
					for _, tail := range []string{
						"", "/", "/%", "/%zz", "/a{b}%", "/%2f", "?", "?%", "?q=100%", "#", "#%", "/ü%", "/|", "/:99/", "/[::1]", "/]", "//other.example/%",
						"/@other.example/", "?@other.example", "#@other.example", "?u=http://other.example/", "/http://other.example:80/%",
					} {
						canonical, err := Canonical(TypeURL, scheme+"://"+user+written+port+tail)
						require.NoError(t, err)
						test(canonical, host)
						n++
					}
				}
			}
		}
	}
	require.Equal(t, len(hosts)*4*6*5*22, n)
}

func TestHostOfURL(t *testing.T) {
	t.Parallel()
	urlCorpus(t, func(canonical, host string) {
		require.Equal(t, host, hostOfURL(canonical), canonical)
		if u, err := url.Parse(canonical); err == nil {
			require.Equal(t, u.Hostname(), hostOfURL(canonical), canonical)
		}
	})
}

func TestExclusionsCheckTheHostOfEveryURL(t *testing.T) {
	t.Parallel()
	x := excluding(t, &Exclusions{AllowDocumentation: true}, "evil.example", "a_b.example", "bücher.example", "198.51.100.7", "2001:db8::5")
	urlCorpus(t, func(canonical, _ string) {
		_, exclude := x.Exclude("URL", canonical)
		require.True(t, exclude, canonical)
	})
}

// Searches in sorted blocks and parts agree with linear searches.
func TestExclusionSearchMatchesFullScan(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	block := func() netip.Prefix {
		if random.IntN(2) == 0 {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{9, byte(random.IntN(4)), byte(random.IntN(256)), byte(random.IntN(256))}), 8+random.IntN(25)).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, byte(random.IntN(2)), byte(random.IntN(4)), 15: byte(random.IntN(4))}), 16+random.IntN(113)).Masked()
	}
	text := func(most int) string {
		b := make([]byte, 1+random.IntN(most))
		for i := range b {
			b[i] = "ab"[random.IntN(2)]
		}
		return string(b)
	}
	found := map[bool]int{}
	for range 300 {
		s := &exclusionSet{}
		var blocks []netip.Prefix
		var parts []string
		for list := range 1 + random.IntN(4) {
			other := &exclusionSet{}
			for range random.IntN(12) {
				b, p := block(), text(12)
				blocks, parts = append(blocks, b), append(parts, p)
				other.blocks = append(other.blocks, listedBlock{b, list})
				other.parts = append(other.parts, listedPart{p, list})
			}
			s.merge(other)
		}
		for range 100 {
			b, v := block(), text(20)
			overlaps, contains := false, false
			for i := range blocks {
				overlaps = overlaps || blocks[i].Overlaps(b)
				contains = contains || strings.Contains(v, parts[i])
			}
			_, ok := s.overlapping(b)
			require.Equal(t, overlaps, ok, "%s in %s", b, blocks)
			found[ok]++
			_, ok = s.matching(v)
			require.Equal(t, contains, ok, "%s in %s", v, parts)
			found[ok]++
		}
	}
	assert.Greater(t, min(found[true], found[false]), 1000)
}

func TestExcludeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	x := excluding(t, &Exclusions{}, "good.org", "8.8.8.0/24")
	require.NoError(t, x.AddWarningList(strings.NewReader(`{"name": "w", "type": "regex", "list": ["/^a+$/"]}`)))
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 100 {
				for typ, value := range map[string]string{"Host": "www.good.org", "Address": "8.8.8.8", "Mutex": "aaa"} {
					_, exclude := x.Exclude(typ, value)
					assert.True(t, exclude)
				}
			}
		})
	}
	callers.Wait()
}

func FuzzExclusions(f *testing.F) {
	for _, s := range []string{
		"", "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::/95", "8.8.8.0/24", "http://[::1]:80/x", "http://a.good.org:80/%", "a@good.org", `"a b"@x.org`,
		"d41d8cd98f00b204e9800998ecf8427e : ", `HKCU\a : b : REG_SZ`, "AS64496", "CVE-2021-44228", "Global\\x", "münchen.de", "a[.]b", "\xff", "x..y", "1.2.3.4.",
	} {
		for _, t := range listedTypes {
			f.Add(string(t), s)
		}
	}
	f.Add("Coin", "1x")
	x := excluding(f, &Exclusions{OtherTypes: []string{"Coin"}}, "good.org", "8.8.8.0/24", "a@b.org", "http://c.org/")
	for _, list := range []string{
		`{"name": "p", "type": "substring", "list": ["bad part"]}`, `{"name": "r", "type": "regex", "list": ["/^(a+)+$/i"]}`, `{"name": "s", "list": ["x.org", "1x"]}`,
	} {
		require.NoError(f, x.AddWarningList(strings.NewReader(list)))
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		reason, exclude := x.Exclude(typ, value)
		require.Equal(t, reason != "", exclude)
		canonical, err := Canonical(Type(typ), value)
		if err != nil {
			require.True(t, exclude || typ == "Coin", "a value that cannot be checked was not excluded")
			return
		}
		again, _ := x.Exclude(typ, canonical)
		require.Equal(t, reason, again, "the canonical form of %q has another reason", value)
	})
}

func TestExcludeIsLinearInTheValue(t *testing.T) {
	x := excluding(t, &Exclusions{AllowDocumentation: true}, "good.org")
	for _, list := range []string{
		`{"name": "near", "type": "substring", "list": ["` + strings.Repeat("a", maxEntryLength-1) + `b", "@mail-1.", "@mail-2.", "@mail-3."]}`,
		`{"name": "nested", "type": "regex", "list": ["/^(a+)+$/", "/(x|xx|x?x)*y/", "/(?:(?:a*)*)*!/"]}`,
	} {
		require.NoError(t, x.AddWarningList(strings.NewReader(list)))
	}
	factor := scaletest.Short(8, 16)
	for name, tc := range map[string]struct {
		typ   Type
		value func(n int) string
	}{
		"almost a listed part": {TypeURL, func(n int) string { return "http://evil.example/" + strings.Repeat("a", n) + "!" }},
		"beginnings of parts":  {TypeURL, func(n int) string { return "http://evil.example/" + strings.Repeat("@mail-", n/6) }},
		"nested quantifiers":   {TypeMutex, func(n int) string { return strings.Repeat("a", n) + "b" }},
		"overlapping choices":  {TypeUserAgent, func(n int) string { return strings.Repeat("x", n) }},
		"labels":               {TypeHost, func(n int) string { return strings.Repeat("a.", n/2) + "org" }},
		"local part":           {TypeEmailAddress, func(n int) string { return strings.Repeat("a.", n/2) + "a@evil.example" }},
		"escapes in quotes":    {TypeEmailAddress, func(n int) string { return `"` + strings.Repeat(`\"`, n/2) + `"@evil.example` }},
		"at signs":             {TypeURL, func(n int) string { return "http://" + strings.Repeat("a@", n/2) + "evil.example/" }},
		"hashes":               {TypeFile, func(n int) string { return strings.Repeat(" : ", n/3) + "D41D8CD98F00B204E9800998ECF8427F" }},
		"separators":           {TypeRegistryKey, func(n int) string { return `HKCU\` + strings.Repeat(" : ", n/3) }},
		"digits":               {TypeASN, func(n int) string { return "AS" + strings.Repeat("0", n) + "3320" }},
		"colons":               {TypeAddress, func(n int) string { return strings.Repeat(":", n) }},
		"length of a block":    {TypeCIDR, func(n int) string { return "10.0.0.0/" + strings.Repeat("0", n) + "8" }},
		"a custom type":        {"Coin", func(n int) string { return strings.Repeat("a", n) }},
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, scaletest.Size(32<<10), factor, func(n int) func() {
				value := tc.value(n)
				return func() { x.Exclude(string(tc.typ), value) }
			})
		})
	}
}
