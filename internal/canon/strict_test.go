package canon

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckStrictURLHosts(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://a.abcdefghijklm:65535/":  "",
		"http://a.example/%20":           "",
		"http://a.example/%2":            "has a percent sign without two hexadecimal digits",
		"http://a.abcdefghijklmn:65535/": "has a top-level domain that is not 2 to 13 letters",
		"http://setup.exe:80/":           "ends as the name of a file does",
		"http://0_a.example/":            "holds an underscore",
		"http://a_b.c.example/":          "",
		"http://[2001:db8::1]/":          "is an IPv6 address",
	} {
		err := CheckStrict(TypeURL, url)
		if want == "" {
			assert.NoError(t, err, url)
			continue
		}
		assert.ErrorContains(t, err, want, url)
	}
}
