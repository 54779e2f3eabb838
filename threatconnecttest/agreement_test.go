package threatconnecttest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// The server must accept every canonical form of the client and store it unchanged. The two sets of
// rules are written independently, so each checks the other.
func TestServerAcceptsCanonicalForms(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for _, tc := range []struct {
		typ       string
		canonical func(string) (string, error)
		inputs    []string
	}{
		{"Address", canonicalAs(ioc.TypeAddress), []string{"192.0.2.1", "2001:db8::1", "2001:0DB8::A", "::ffff:192.0.2.7", "::"}},
		{"CIDR", canonicalAs(ioc.TypeCIDR), []string{"192.0.2.0/24", "2001:db8:1234::/48", "2001:0db8::/32"}},
		{"ASN", canonicalAs(ioc.TypeASN), []string{"64496", "AS64497", "asn 64498", "ASN64499"}},
		{"Host", threatconnect.CanonicalHost, []string{"WWW.Example.com.", "b\u00fccher.example", "r3---sn-x.example.net", "\u65e5\u672c\u8a9e\u3002jp"}},
		{"URL", threatconnect.CanonicalURL, []string{"HTTP://EXAMPLE.com/A[b]?x=%2F#y", "https://u:p@b\u00fccher.example:8443/\u00e9", "ftp://192.0.2.1/",
			"http://[2001:DB8::1]:80/", "sftp://a_b.www.example.com"}},
		{"EmailAddress", canonicalAs(ioc.TypeEmailAddress), []string{"Bad.Guy@B\u00fccher.example", "a+b@example.com"}},
		{"Mutex", canonicalAs(ioc.TypeMutex), []string{`Global\Example `}},
		{"User Agent", canonicalAs(ioc.TypeUserAgent), []string{" Example/1.0"}},
		{"Hashtag", canonicalAs(ioc.TypeHashtag), []string{"#example"}},
		{"Email Subject", canonicalAs(ioc.TypeEmailSubject), []string{"Re: Invoice : Urgent"}},
	} {
		for _, in := range tc.inputs {
			v, err := tc.canonical(in)
			require.NoError(t, err, in)
			got := &threatconnecttest.IndicatorRecord{Type: tc.typ, Summary: v}
			require.NoError(t, srv.Seed(got), "%s %q", tc.typ, v)
			assert.Equal(t, v, got.Summary, in)
		}
	}
}

// FuzzServerAcceptsStrictForms checks that the server accepts strict values and stores them unchanged.
func FuzzServerAcceptsStrictForms(f *testing.F) {
	for _, s := range []string{
		"www.example.com", "WWW.Example.com.", "bücher.example", "日本語。jp", "r3---sn-x.example.net", "_dmarc.example.com", "a_b.c.example", "a.abcdefghijklm", "a.abcdefghijklmn", "a.xn--p1ai",
		"setup.exe", "style.css", "favicon.ico", "a.b.c.d.e.f.example", "xn--a.example", "OpenSSH_6.4p1", "cytrox.stix2", "B.V.",
		"http://example.com/A[b]?x=%2F#y", "https://u:p@bücher.example:8443/é", "ftp://192.0.2.1/", "http://[2001:DB8::1]:80/", "sftp://a_b.www.example.com", "http://a_b.example/", "http://setup.exe/x",
		"http://a.abcdefghijklmn/", "http://a.example/%zz", "http://a.example/#a#b", "http://a.example?x", "http://a.example:080/", "http://a.example/|^{}",
		"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "as 64496", "Bad.Guy@Bücher.example", "a+b@example.com", `"a b"@example.com`, `"a@b"@example.com`, "a..b@example.com", ".a@example.com",
		"a/b@example.com", "ä@example.com", "a{b}'c@example.com", "x@t6.php", "x@a_b.example",
		"d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e : da39a3ee5e6b4b0d3255bfef95601890afd80709", `HKLM\Software\a : b : reg_sz`, `HKCU\a :   : REG_DWORD`,
		`Global\Example `, " Example/1.0", "#example", "Re: Invoice : Urgent", "a : b : c : d",
	} {
		f.Add(s)
	}
	strict := &ioc.Parser{Strict: true}
	f.Fuzz(func(t *testing.T, s string) {
		srv := threatconnecttest.New()
		for _, typ := range []ioc.Type{
			ioc.TypeAddress, ioc.TypeEmailAddress, ioc.TypeFile, ioc.TypeHost, ioc.TypeURL, ioc.TypeASN, ioc.TypeCIDR, ioc.TypeMutex, ioc.TypeRegistryKey, ioc.TypeUserAgent, ioc.TypeEmailSubject, ioc.TypeHashtag,
		} {
			v, err := strict.Canonical(typ, s)
			if err != nil {
				continue
			}
			lenient, err := ioc.Canonical(typ, s)
			require.NoError(t, err)
			require.Equal(t, lenient, v)
			got := &threatconnecttest.IndicatorRecord{Type: string(typ), Summary: v}
			require.NoError(t, srv.Seed(got), "%s %q", typ, v)
			if typ == ioc.TypeHashtag {
				v = strings.ToLower(v) // the platform converts it
			}
			require.Equal(t, v, got.Summary)
		}
	})
}

func TestServerClient(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	client := srv.Client()
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"}))
	host, err := client.Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
	require.NoError(t, err)
	assert.Equal(t, "www.example.com", host.HostName)
	assert.True(t, srv.Requests()[0].Verified)

	_, err = srv.ClientAs(threatconnect.HMAC(srv.AccessID(), "wrong")).Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
	require.ErrorIs(t, err, threatconnect.ErrSignature)
	_, err = srv.ClientAs(threatconnect.Token(srv.Token())).Indicators.Hosts.Get(t.Context(), "missing.example.com", nil)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

func canonicalAs(t ioc.Type) func(string) (string, error) {
	return func(v string) (string, error) { return ioc.Canonical(t, v) }
}
