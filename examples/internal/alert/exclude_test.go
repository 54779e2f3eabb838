package alert

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/value"
)

func TestExclusionsRefuseWhatIsNotPublic(t *testing.T) {
	t.Parallel()
	x := newExclusions()
	require.NoError(t, x.read(strings.NewReader("\ufeffexample.net\n\n# comment\n198.51.100.0/25\n203.0.113.5\n2001:db8::5\nhttps://good.example/page\nd41d8cd98f00b204e9800998ecf8427e\nceo@partner.example\n"), "list"))
	for in, want := range map[string]string{
		"10.1.2.3":                         "RFC 1918",
		"172.31.255.255":                   "RFC 1918",
		"172.32.0.1":                       "",
		"192.168.0.1":                      "RFC 1918",
		"127.0.0.1":                        "loopback",
		"169.254.169.254":                  "link-local",
		"100.64.0.1":                       "RFC 6598",
		"224.0.0.251":                      "multicast",
		"255.255.255.255":                  "reserved",
		"0.0.0.0":                          "this network",
		"::1":                              "loopback",
		"fe80::1":                          "link-local",
		"fd00::1":                          "RFC 4193",
		"ff02::fb":                         "multicast",
		"2001:db8::1":                      "",
		"192.0.2.1":                        "",
		"10.0.0.0/24":                      "RFC 1918",
		"8.0.0.0/5":                        "RFC 1918", // has 10.0.0.0/8 in it
		"http://192.168.1.1/admin":         "RFC 1918",
		"http://[fd00::1]:8080/":           "RFC 4193",
		"http://printer.local/":            "RFC 6762",
		"host.corp.internal":               "ICANN",
		"nas.home.arpa":                    "RFC 8375",
		"internal.example.com":             "",
		"root@mail.localhost":              "RFC 6761",
		"example.net":                      onList,
		"a.b.example.net":                  onList,
		"notexample.net":                   "",
		"https://www.example.net/x":        onList,
		"someone@example.net":              onList,
		"198.51.100.127":                   onList,
		"198.51.100.128":                   "",
		"http://198.51.100.1/":             onList,
		"198.51.100.0/24":                  onList,
		"203.0.113.5":                      onList,
		"http://203.0.113.5/x":             onList,
		"2001:db8:0:0:0:0:0:5":             onList,
		"http://[2001:db8::5]/":            onList,
		"https://good.example/page":        onList,
		"https://good.example/other":       "",
		"ceo@partner.example":              onList,
		"cfo@partner.example":              "",
		"D41D8CD98F00B204E9800998ECF8427E": onList,
		"00000000000000000000000000000000": "",

		"http://intranet.example.net/%":         onList,
		"http://intranet.example.net/%zz":       onList,
		"http://intranet.example.net/a{b}%":     onList,
		"http://intranet.example.net:80/%zz":    onList,
		"http://user:p%@intranet.example.net/%": onList,
		"hxxp://intranet[.]example[.]net/%zz":   onList,
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
		"64:ff9b::/96":                          "this network", // stands for all of IPv4
		"64:ff9b::/32":                          "RFC 8215",
		"64:ff9b::c0a8:0/112":                   "RFC 1918",
		"64:ff9b::8000:0/98":                    "RFC 3927", // stands for 128.0.0.0/2
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
			ind, err := value.Recognize(in)
			require.NoError(t, err)
			got := x.rule(ind)
			if want == "" {
				assert.Empty(t, got)
				return
			}
			assert.Contains(t, got, want)
		})
	}
}

func TestExclusionsRefuseWhatCannotBeChecked(t *testing.T) {
	t.Parallel()
	for name, ind := range map[string]threatconnect.Indicator{
		"a URL without a host":                  threatconnect.NewURL("http:///x"),
		"a URL with a broken host":              threatconnect.NewURL("http://[::1/x"),
		"a host that is none":                   threatconnect.NewHost("a b.example"),
		"an address that is none":               threatconnect.NewAddress("10.0.0"),
		"a block that is none":                  threatconnect.NewCIDR("10.0.0.0/33"),
		"an email address without a host":       threatconnect.NewEmailAddress("someone"),
		"a type of indicator that is not known": threatconnect.NewCustomIndicator("Wallet", "1x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, unchecked, newExclusions().rule(ind))
		})
	}
}

// urlCorpus calls test with URLs that CanonicalURL accepts, in canonical form, and the host of each.
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
						canonical, err := threatconnect.CanonicalURL(scheme + "://" + user + written + port + tail)
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

func TestHostOfAURLIsThatOfItsCanonicalForm(t *testing.T) {
	t.Parallel()
	urlCorpus(t, func(canonical, host string) {
		require.Equal(t, host, hostOf(canonical), canonical)
		if u, err := url.Parse(canonical); err == nil {
			require.Equal(t, u.Hostname(), hostOf(canonical), canonical)
		}
	})
}

func TestExclusionsCheckTheHostOfEveryURL(t *testing.T) {
	t.Parallel()
	x := newExclusions()
	require.NoError(t, x.read(strings.NewReader("evil.example\na_b.example\nbücher.example\n198.51.100.7\n2001:db8::5\n"), "list"))
	urlCorpus(t, func(canonical, host string) {
		require.NotEmpty(t, x.rule(threatconnect.NewURL(canonical)), canonical)
	})
}

func TestExclusionsNameTheLineThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"a line that is too long": {"ok.example\n# " + strings.Repeat("x", 1<<16) + "\nours.example\n", "list, line 2: is longer than"},
		"a value that is none":    {"ok.example\n\nnonsense\n", "list, line 3: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, newExclusions().read(strings.NewReader(tc.in), "list"), tc.want)
		})
	}
}
