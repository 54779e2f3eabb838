package threatconnecttest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// refusals sends requests of every route for one owner.
type refusals struct {
	rig
	owner *owner // owner of the items in the requests
}

func newRefusals(t *testing.T) refusals {
	r := newRig(t, WithOddities(OddityBareIndicatorLinks)) // enables every route
	r.seed(&Owner{Name: "Feed"})
	r.must(201, "POST", "/v2/batch", config("owner", `"Feed"`))
	return refusals{r, r.srv.ownerByName("Feed")}
}

var segment = regexp.MustCompile(`\{[^}]+\}`)

// refused sends a request of a route and reports whether it was forbidden.
func (r refusals) refused(e route) bool {
	r.Helper()
	path := segment.ReplaceAllStringFunc(e.pattern, func(name string) string {
		switch {
		case name == "{userName}":
			return "x"
		case name == "{type}" && strings.HasPrefix(e.pattern, "/v2/groups"):
			return "threats"
		case name == "{type}", name == "{custom Indicator type}":
			return "mutexes"
		}
		return "1"
	})
	body := ""
	if e.about == itsBody {
		body = config("owner", `"Feed"`)
	}
	req := r.request(e.method, path+"?owner=Feed&expiredToken="+r.srv.Token(), body)
	if e.pattern == "/v2/batch/createAndUpload" {
		body := "--b\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n" + body +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n{}\r\n--b--\r\n"
		req = r.request(e.method, path, body)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	}
	got := r.send(req)
	require.Equal(r, e.pattern, lastRequest(r.srv).Route, "the request matches another route")
	if got.status != http.StatusUnauthorized {
		return false
	}
	return strings.Contains(got.raw, "access was denied") || strings.Contains(got.raw, "You do not have permission")
}

func lastRequest(s *Server) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.after(s.log.last - 1)[0]
}

func TestReadOnlyOwnerRejectsWrites(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	for _, e := range allRoutes() {
		outside := slices.ContainsFunc([]string{"/v2/customMetrics", "/v2/exchange/db/", "/v2/logs/", "/v2/notifications", "/v2/playbooks"},
			func(prefix string) bool { return strings.HasPrefix(e.pattern, prefix) })
		r.owner.ReadOnly = false
		require.False(t, r.refused(e), "%s %s", e.method, e.pattern)
		r.owner.ReadOnly = true
		assert.Equal(t, e.method != http.MethodGet && !outside, r.refused(e), "%s %s", e.method, e.pattern)
	}
	assert.Empty(t, r.owner.indicators)
	assert.Empty(t, r.owner.groups)
}

func TestEveryRouteCanBeDenied(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	for i, e := range allRoutes() {
		if i%scaletest.Stride() != 0 {
			continue
		}
		of := r.owner
		if e.about == instance {
			of = r.srv.owners[0]
		}
		for _, name := range []string{e.method + " " + e.pattern, "* " + e.pattern} {
			of.Denied = []string{"GET /v2/whoami/other", name}
			assert.True(t, r.refused(e), name)
		}
		for _, name := range []string{"PATCH " + e.pattern, e.method + " " + e.pattern + "/other", e.pattern} {
			of.Denied = []string{name}
			assert.False(t, r.refused(e), "%s %s is refused by %q", e.method, e.pattern, name)
		}
		of.Denied = nil
	}
}

func TestDeniedRoutesApplyToOneOwner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", Denied: []string{"DELETE /v2/groups/{type}/{id}"}})
	for _, owner := range []string{"Feed", "Example Source"} {
		r.seed(&GroupRecord{Owner: owner, Type: "Threat", Name: "x", XID: owner})
	}
	feed, _ := r.srv.Group("Feed")
	other, _ := r.srv.Group("Example Source")
	r.must(401, "DELETE", "/v2/groups/threats/"+itoa(feed.ID)+"?owner=Feed", "")
	r.must(200, "GET", "/v2/groups/threats/"+itoa(feed.ID)+"?owner=Feed", "")
	r.must(200, "DELETE", "/v2/groups/threats/"+itoa(other.ID)+"?owner=Example%20Source", "")

	err := r.srv.Seed(&Owner{Name: "Typo", Denied: []string{"DELETE /v2/group/{type}/{id}"}})
	require.ErrorContains(t, err, `Denied[0]: "DELETE /v2/group/{type}/{id}" is not a route`)
}
