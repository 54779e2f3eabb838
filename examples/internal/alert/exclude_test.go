package alert

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
