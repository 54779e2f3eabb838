package alert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// No spelling of an excluded or reserved host passes, whether as a URL, a name or an address. More than a quarter of
// the same spellings of a public host pass, so the host is the reason.
func TestThreatExclusionsCoverEverySpelling(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "ours")
	require.NoError(t, os.WriteFile(list, []byte("corp.example\nbücher.example\n198.51.100.0/24\n2001:db8:5::/48\nboss@corp.example\n"), 0o600))
	h := newTestHandler(t, threatconnecttest.NewT(t).Client())
	h.exclude = []string{list}
	var err error
	h.exclusions, err = loadExclusions(h.exclude)
	require.NoError(t, err)

	names := []string{
		"corp.example", "intranet.corp.example", "INTRANET.Corp.Example", "intranet.corp.example.", "intranet[.]corp[.]example", "intranet(dot)corp(dot)example",
		"ıntranet.corp.example", "ｃｏｒｐ.example", "corp。example", "bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "www.XN--BCHER-KVA.example", "bu\u0308cher.example",
		"a_b.corp.example", "localhost", "x.localhost", "x.local", "x.internal", "intranet.corp", "router.home", "x.mail", "x.lan", "x.localdomain", "x.home.arpa", "x.test", "x.invalid",
	}
	addresses := []string{
		"198.51.100.7", "10.0.0.1", "192.168.0.1", "172.16.0.1", "127.0.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "255.255.255.255", "10[.]0[.]0[.]1",
		"[::ffff:10.0.0.1]", "[::ffff:198.51.100.7]", "[::ffff:c633:6407]", "[::10.0.0.1]", "[64:ff9b::10.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b::c633:6407]", "[64:ff9b:1::a00:1]",
		"[2002:a00:1::]", "[2002:c633:6407::1]", "[fec0::1]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[::1]", "[::]", "[ff02::1]", "[2001:db8:5::1]", "[2001:DB8:0005:0::1]", "[0:0:0:0:0:0:0:1]",
		"0x0a000001", "167772161", "012.0.0.1", "10.1", "127.1", "0x7f.0.0.1",
	}
	const public = "evil.com"
	schemes := []string{"http://", "HTTPS://", "hxxp://", "hxxps[:]//", "ftp://", "http[:]//"}
	spell := func(host string) []string {
		var all []string
		for i, path := range []string{"", "/", "/%", "/%zz", "/?q=100%", "/a b%", "/%2e%2e/", "?x=%", "#%", "/@evil.com", "/\\evil.com", "\\@evil.com/", "/ü%", "//evil.com/", ";/"} {
			for j, user := range []string{"", "user@", "user:pass@", "evil.com@", "evil.com%40"} {
				for k, port := range []string{"", ":80", ":443", ":8080", ":", ":0", ":65536", ":080"} {
					scheme := schemes[(i+j+k)%len(schemes)] // each scheme occurs with every path, user and port
					all = append(all, scheme+user+host+port+path)
				}
			}
		}
		return append(all, host, host+".", "."+host, host+"/24", strings.Trim(host, "[]"), strings.Trim(host, "[]")+"/128", strings.Trim(host, "[]")+"/120", "a@"+host, `"a b"@`+host, "a@evil.com@"+host, "A[at]"+host)
	}
	passes := func(value string) bool {
		types := []string{"", "url"}
		if !strings.Contains(value, "//") {
			types = []string{"", "url", "host", "address", "cidr", "email"}
		}
		for _, typ := range types {
			if h.recognize([]candidate{{value: value, typ: typ}})[0].Decision != refuse {
				return true
			}
		}
		return false
	}
	for _, host := range append(names, addresses...) {
		for _, value := range spell(host) {
			if passes(value) {
				assert.Fail(t, "not excluded", "%q", value)
			}
		}
	}
	passed := 0
	for _, value := range spell(public) {
		if passes(value) {
			passed++
		}
	}
	assert.Greater(t, passed, len(spell(public))/4, "spellings of a public host pass")
	assert.True(t, passes("BOSS@evil.com") && !passes("Boss@Corp.example"))
}
