package sandbox

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first event contains everything, and later events only the changes.
func TestUpdates(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.get("/v2/owners")
	f := d.newFollower("")
	u := f.next()
	assert.Equal(t, d.boot, u.Boot)
	assert.Len(t, u.Requests, 1)
	assert.Len(t, u.Owners, 3)
	assert.NotNil(t, u.Faults)
	assert.NotNil(t, u.Settings)
	assert.Zero(t, u.Counts, "requests before the first event do not count")

	u = f.next()
	assert.Equal(t, update{Uptime: u.Uptime}, u)

	d.get("/v2/whoami")
	d.get("/v2/nothing")
	upload(t, d.srv, `{"indicator":[{"type":"Host","summary":"www.example.com"},{"type":"Address","summary":"x"}]}`)
	u = f.next()
	assert.Equal(t, counts{Requests: 4, Errors: 1, Items: 2}, u.Counts)
	require.Len(t, u.Requests, 4)
	assert.Equal(t, "/v2/whoami", u.Requests[0].Route)
	require.Len(t, u.Jobs, 1)
	assert.Equal(t, 1, u.Owners[2].Indicators)
	assert.Nil(t, u.Faults)

	d.call("POST", "faults", `{"kind":"reset"}`)
	d.call("PUT", "clock", `{"offset":"6m"}`)
	d.call("PUT", "oddities", `{"on":["stringIDs","emptyAs404"]}`)
	u = f.next()
	assert.Equal(t, []string{"stringIDs", "emptyAs404"}, u.Settings.Oddities)
	assert.Len(t, *u.Faults, 1)
	assert.Equal(t, duration(6*time.Minute), u.Settings.Clock)
	assert.Nil(t, u.Owners)

	d.call("DELETE", "faults", "")
	u = f.next()
	assert.Empty(t, *u.Faults)
}

// An event lists at most mostInTick requests, but counts all.
func TestManyRequests(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.get("/v2/owners")
	f := d.newFollower("")
	f.next()
	for range 3 * mostInTick {
		d.get("/v2/whoami")
	}
	u := f.next()
	assert.Len(t, u.Requests, mostInTick)
	assert.EqualValues(t, 2*mostInTick, u.LeftOut)
	assert.EqualValues(t, 3*mostInTick, u.Counts.Requests)
	assert.EqualValues(t, 3*mostInTick+1, u.Requests[mostInTick-1].ID)
}

// A page that reconnects receives the requests that it missed. A page of another run receives everything.
func TestResume(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.get("/v2/owners")
	f := d.newFollower("")
	f.next()
	d.get("/v2/whoami")
	u := d.newFollower(f.id()).next()
	require.Len(t, u.Requests, 1)
	assert.EqualValues(t, 2, u.Requests[0].ID)
	assert.Len(t, d.newFollower("OTHER-1").next().Requests, 2)
}

// A page that reconnects learns that the log or the jobs were cleared in the meantime.
func TestResumeAfterReset(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.get("/v2/owners")
	f := d.newFollower("")
	f.next()
	u := d.newFollower(f.id()).next()
	assert.False(t, u.Cleared)
	assert.False(t, u.JobsCleared)

	d.call("DELETE", "requests", "")
	u = d.newFollower(f.id()).next()
	assert.True(t, u.Cleared)
	assert.False(t, u.JobsCleared)

	d.call("POST", "reset", "")
	u = d.newFollower(f.id()).next()
	assert.True(t, u.Cleared)
	assert.True(t, u.JobsCleared)
}

func TestUpdatesAfterReset(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.get("/v2/owners")
	upload(t, d.srv, `{"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
	f := d.newFollower("")
	f.next()
	d.call("DELETE", "requests", "")
	u := f.next()
	assert.True(t, u.Cleared)
	assert.False(t, u.JobsCleared)
	d.get("/v2/owners")
	assert.Len(t, f.next().Requests, 1)

	d.call("POST", "reset", "")
	d.get("/v2/whoami")
	u = f.next()
	assert.True(t, u.Cleared)
	assert.True(t, u.JobsCleared)
	require.Len(t, u.Requests, 1)
	assert.EqualValues(t, 1, u.Counts.Requests)
	assert.Zero(t, u.Counts.Items)
	assert.Zero(t, u.Owners[2].Indicators)
}

// The stream sends events immediately, and ends when the sandbox stops, without delaying it.
func TestEventStream(t *testing.T) {
	t.Parallel()
	base, _, stop := startUntil(t)
	resp := connect(t, base)
	defer resp.Body.Close()
	assert.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	require.True(t, lines.Scan())
	var u update
	data, _ := strings.CutPrefix(lines.Text(), "data: ")
	require.NoError(t, json.Unmarshal([]byte(data), &u))
	assert.Len(t, u.Owners, 3)
	require.True(t, lines.Scan())
	assert.True(t, strings.HasPrefix(lines.Text(), "id: "+u.Boot), lines.Text())

	began := time.Now()
	stop()
	for lines.Scan() { // until the stream ends
	}
	assert.Less(t, time.Since(began), 4*time.Second, "Shutdown waits 5 seconds for requests under way")
}

func connect(t *testing.T, base string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(base, "/api")+controlPath+"events", nil)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	return resp
}

func TestTooManyPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	for range mostPages {
		d.pages <- struct{}{}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, d.request("GET", controlPath+"events", ""))
	assert.Equal(t, 503, w.Code)
	assert.Contains(t, w.Body.String(), "close one")
}
