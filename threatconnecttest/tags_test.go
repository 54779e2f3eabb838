package threatconnecttest

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInvalidTags(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
	for name, tag := range map[string]string{
		"blank": " ", "white space": "\t\u00a0", "not UTF-8": "a\xff", "too long": strings.Repeat("x", 129),
	} {
		r.must(400, "POST", "/v2/indicators/hosts/www.example.com/tags/"+url.PathEscape(tag), "")
		if name != "not UTF-8" { // a body is JSON, which cannot contain such strings
			r.must(400, "POST", "/v2/tags", `{"name":`+string(quoteJSON(tag))+`}`)
		}
	}
	assert.Empty(t, r.get("/v2/tags").at("data", "tag"))
}
