package sandbox

import (
	"net/http"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// about contains the constants of a running sandbox.
type about struct {
	Base        string   `json:"base"`
	AccessID    string   `json:"accessId"`
	Environment string   `json:"environment"` // lines for a shell
	Curl        string   `json:"curl"`        // a signed call for a shell with that environment
	Routes      []string `json:"routes"`
	FaultKinds  []term   `json:"faultKinds"`
	Oddities    []term   `json:"oddities"`
}

// term is a name that calls accept, with its meaning.
type term struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// signedCurl calls the API from a shell that has the environment of the sandbox.
const signedCurl = `T=$(date +%s)
S=$(printf %s "/api/v2/owners:GET:$T" | openssl dgst -sha256 -hmac "$TC_SECRET_KEY" -binary | base64)
curl -H "Timestamp: $T" -H "Authorization: TC $TC_ACCESS_ID:$S" "$TC_BASE_URL/v2/owners"
`

func aboutOf(a announcement, showKey bool) about {
	us := about{Base: a.Base, AccessID: a.AccessID, Environment: a.environment(showKey), Curl: signedCurl}
	for _, r := range threatconnecttest.Routes() {
		_, pattern, _ := strings.Cut(r, " ")
		us.Routes = append(us.Routes, pattern)
	}
	slices.Sort(us.Routes)
	us.Routes = slices.Compact(us.Routes)
	for _, k := range threatconnecttest.FaultKinds() {
		us.FaultKinds = append(us.FaultKinds, term{k.String(), k.Description()})
	}
	for _, o := range threatconnecttest.Oddities() {
		us.Oddities = append(us.Oddities, term{o.String(), o.Description()})
	}
	return us
}

func (c *control) getInfo(*http.Request) (any, error) { return c.about, nil }
