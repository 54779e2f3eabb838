package threatconnecttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// What the client calls canonical must be taken, and kept as it is: the two rule books are written
// apart, and each is a check on the other.
func TestCanonicalFormsOfTheClientAreTaken(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
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
			got, err := srv.AddIndicator(threatconnecttest.IndicatorRecord{Type: tc.typ, Summary: v})
			require.NoError(t, err, "%s %q", tc.typ, v)
			assert.Equal(t, v, got.Summary, in)
		}
	}
}

func TestTheClientOfAServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	client := srv.Client()
	_, err := srv.AddIndicator(threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"})
	require.NoError(t, err)
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
