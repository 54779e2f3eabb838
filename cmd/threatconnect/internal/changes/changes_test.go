package changes

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestSample(t *testing.T) {
	t.Parallel()
	r := run(t, nil)
	assert.Equal(t, cli.Success, r.code, r.stderr)
	for _, s := range []string{
		"action,owner,type,indicator,rating",
		"changed,Example Source,Host,login.invoices.example,4,80,",
		"deleted,Example Source,Host,login.invoices.example,",
		"withdrawn,Example Source,Address,203.0.113.42,",
		"changed,Example Source,Host,cdn.invoices.example,4,75,",
		"'=cmd|' /C calc'!A0",
		",Phishing; Credential Theft,2026-01-06T09:00:00Z,",
	} {
		assert.Contains(t, r.stdout, s)
	}
	assert.Equal(t, 1, strings.Count(r.stdout, "192.0.2.0/28"), "an indicator that did not change")
	assert.Contains(t, r.stderr, "using a test server in this process")
	assert.Contains(t, r.stderr, "2 changed, 1 deleted, 1 withdrawn, up to 2")
}

func TestRunContinuesFromState(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "old.example", 3, 48*time.Hour)
	i.add(t, "Host", "new.example", 3, time.Minute)
	assert.Equal(t, []string{"changed old.example", "changed new.example"}, i.changes(t))
	assert.Empty(t, i.changes(t))

	i.add(t, "Host", "late.example", 3, 5*time.Minute)
	assert.Equal(t, []string{"changed late.example"}, i.changes(t), "a change that became visible late")
	i.deleteHost(t, "old.example")
	assert.Equal(t, []string{"deleted old.example"}, i.changes(t))
	assert.Empty(t, i.changes(t))

	assert.ElementsMatch(t, []string{"changed late.example", "changed new.example"}, i.changes(t, "--reset"))
	assert.Empty(t, i.changes(t))
}

// Each owner has its own cursor, even if a run leaves an owner out.
func TestOwnersHaveTheirOwnCursors(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	add := func(owner, host string) {
		require.NoError(t, i.Seed(&threatconnecttest.IndicatorRecord{Owner: owner, Type: "Host", Summary: host}))
	}
	require.NoError(t, i.Seed(&threatconnecttest.Owner{Name: "Second, Source", Type: "Source"}))
	add(sampleOwner, "a.example")
	add("Second, Source", "b.example")
	both := []string{"--owner", "Second, Source", "--owner", sampleOwner}
	assert.Equal(t, []string{"changed a.example"}, i.changes(t))
	assert.Equal(t, []string{"changed b.example"}, i.changes(t, both...))
	add(sampleOwner, "c.example")
	add("Second, Source", "d.example")
	assert.Equal(t, []string{"changed d.example"}, i.changes(t, "--owner", "Second, Source"))
	assert.Equal(t, []string{"changed c.example"}, i.changes(t, both...))
}

func TestDeselectedIndicatorsAreWithdrawn(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "falling.example", 4, time.Hour)
	i.add(t, "Host", "off.example", 4, time.Hour)
	i.add(t, "Host", "rising.example", 1, time.Hour)
	i.add(t, "Address", "203.0.113.9", 5, time.Hour)
	selected := []string{"--min-rating", "3", "--type", "host,Registry Key"}
	assert.Equal(t, []string{"changed falling.example", "changed off.example"}, i.changes(t, selected...))

	for name, update := range map[string]threatconnect.IndicatorUpdate{
		"falling.example": {Rating: new(2.0)},
		"off.example":     {Rating: new(4.0), Active: new(false)},
		"rising.example":  {Rating: new(3.0)},
	} {
		_, err := i.client.Indicators.Hosts.Update(t.Context(), name, update)
		require.NoError(t, err)
	}
	assert.ElementsMatch(t, []string{"withdrawn falling.example", "withdrawn off.example", "changed rising.example"}, i.changes(t, selected...))
}

func TestJSONLinesHaveEmptyListsNotNull(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "one.example", 3, time.Hour)
	i.changes(t, "--output", i.path("out"))
	i.deleteHost(t, "one.example")
	r := run(t, i.env, "--format", "jsonl", "--state", i.path("state"))
	assert.JSONEq(t, `{"action":"deleted","owner":"Example Source","type":"Host","indicator":"one.example","tags":[]}`, r.stdout)
	b, err := os.ReadFile(i.path("out"))
	require.NoError(t, err)
	assert.Contains(t, string(b), `"rating":3,"threatAssessRating":3,`)
	assert.Contains(t, string(b), `"tags":[],"dateAdded":"`)
}

func TestRawCSVKeepsFormulas(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Mutex", "=1+1", 3, time.Hour)
	assert.Contains(t, run(t, i.env, "--state", "none").stdout, ",Mutex,'=1+1,")
	assert.Contains(t, run(t, i.env, "--state", "none", "--raw").stdout, ",Mutex,=1+1,")
}

// After a failure, the output and the state are as before, and the next run reads the same changes.
func TestFailedRunKeepsOutputAndState(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatCSV, formatJSONLines, formatBlocklist} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			read := func() (output, state string) {
				a, err := os.ReadFile(i.path("out"))
				require.NoError(t, err)
				b, err := os.ReadFile(i.path("state.Example+Source"))
				require.NoError(t, err)
				return string(a), string(b)
			}
			i.add(t, "Host", "one.example", 3, time.Hour)
			args := []string{"--format", format, "--output", i.path("out"), "--state", i.path("state")}
			if format == formatBlocklist {
				args = append(args, "--allow-reserved")
			}
			require.Equal(t, cli.Success, run(t, i.env, args...).code)
			require.NoError(t, os.Chmod(i.path("out"), 0o604))
			output, state := read()

			i.add(t, "Host", "two.example", 3, 0)
			require.NoError(t, i.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/indicators", Status: http.StatusForbidden, Body: "no"}))
			r := run(t, i.env, args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, "403")
			after, stateAfter := read()
			assert.Equal(t, output, after)
			assert.Equal(t, state, stateAfter)
			left, err := os.ReadDir(i.dir)
			require.NoError(t, err)
			assert.Len(t, left, 2, "files")

			require.Equal(t, cli.Success, run(t, i.env, args...).code)
			after, _ = read()
			assert.Contains(t, after, "two.example")
			info, err := os.Stat(i.path("out"))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o604), info.Mode().Perm())
		})
	}
}

// failingWriter is a writer that always fails.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestStateUnchangedIfStdoutFails(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatCSV, formatJSONLines, formatBlocklist} {
		i := newInstance(t)
		i.add(t, "Host", "one.example", 3, time.Hour)
		args := []string{"--state", i.path("state"), "--format", format}
		if format == formatBlocklist {
			args = append(args, "--allow-reserved")
		}
		code, stderr := runTo(t, failingWriter{}, i.env, args...)
		assert.Equal(t, cli.Failure, code)
		assert.Contains(t, stderr, os.ErrDeadlineExceeded.Error())
		r := run(t, i.env, args...)
		assert.Contains(t, r.stdout, "one.example")
	}
}

func TestChangesWithEveryOddity(t *testing.T) {
	t.Parallel()
	for odd := threatconnecttest.Oddity(1); odd < threatconnecttest.OddityAll; odd <<= 1 {
		i := newInstance(t)
		i.SetOddities(odd)
		i.add(t, "Host", "one.example", 3, time.Hour)
		assert.Equal(t, []string{"changed one.example"}, i.changes(t), "oddity %b", odd)
		assert.Empty(t, i.changes(t), "oddity %b", odd)
		i.SetOddities(0)
		i.deleteHost(t, "one.example")
		i.SetOddities(odd)
		assert.Equal(t, []string{"deleted one.example"}, i.changes(t), "oddity %b", odd)
		assert.Empty(t, i.changes(t), "oddity %b", odd)
	}
}

func TestInvalidChangesArguments(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	require.NoError(t, os.Symlink("real", i.path("link")))
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no state":                {[]string{}, "--state is missing: name a file"},
		"reset without state":     {[]string{"--state", "none", "--reset"}, "--reset needs a --state to forget"},
		"state in no directory":   {[]string{"--state", i.path("no/state")}, "no/state.Example+Source: no such file or directory"},
		"DataStore without token": {[]string{"--state", "datastore:local/changes/cursor"}, "token"},
		"DataStore without id":    {[]string{"--state", "datastore:local/changes"}, "datastore:DOMAIN/TYPE/ID"},
		"unknown owner":           {[]string{"--state", "none", "--owner", "Nobody"}, `no owner "Nobody"; it sees "Example Organization", "Example Community", "Example Source"`},
		"block list of owners":    {[]string{"--state", "none", "--format", "blocklist", "--owner", "a", "--owner", "b"}, "must have one --owner"},
		"unknown format":          {[]string{"--state", "none", "--format", "xml"}, "must be csv, jsonl or blocklist"},
		"unknown type":            {[]string{"--state", "none", "--type", "color"}, "must be of address, asn, cidr"},
		"rating":                  {[]string{"--state", "none", "--min-rating", "6"}, "must be 0 to 5"},
		"rating that is NaN":      {[]string{"--state", "none", "--min-rating", "NaN"}, "must be 0 to 5"},
		"confidence":              {[]string{"--state", "none", "--min-confidence", "101"}, "must be 0 to 100"},
		"score":                   {[]string{"--state", "none", "--min-score", "-2"}, "must be 0 to 1000"},
		"argument":                {[]string{"--state", "none", "all"}, "argument 4 is not a flag"},
		"device as output":        {[]string{"--state", "none", "--output", "/dev/stdout"}, "use - for standard output"},
		"directory as output":     {[]string{"--state", "none", "--output", i.dir}, "is not a regular file"},
		"output in no directory":  {[]string{"--state", "none", "--output", i.path("no/file")}, "no such file"},
		"symbolic link as output": {[]string{"--state", "none", "--output", i.path("link")}, "is a symbolic link: name the file"},
		"empty output":            {[]string{"--state", "none", "--output", ""}, "use - for standard output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, i.env, tc.args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.want)
			assert.Empty(t, r.stdout)
		})
	}
	r := run(t, nil, "--state", "file")
	assert.Contains(t, r.stderr, "set TC_BASE_URL")
	r = run(t, map[string]string{"TC_BASE_URL": "https://tc.example.com/api", "TC_TOKEN": "token"}, "--state", "none")
	assert.Contains(t, r.stderr, "set --owner or TC_OWNER")
}

// A server that answers every request with 404, even in the platform's form, must not look like an empty owner.
func TestMissingAPIPath(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"platform":    `{"status":"Failure","message":"The requested resource was not found"}`,
		"front proxy": `{"error":"not found"}`,
		"no JSON":     "404 page not found",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(body))
			}))
			defer port.Close()
			i := newInstance(t)
			i.env["TC_BASE_URL"] = port.URL
			r := run(t, i.env, "--state", i.path("state"), "--output", i.path("out"))
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, "is /api missing")
			left, err := os.ReadDir(i.dir)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestUnreachableHostFailsQuickly(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	i.env["TC_BASE_URL"] = "http://" + closed.Addr().String() + "/api"
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		r := run(t, i.env, "--state", "none")
		assert.Equal(t, cli.Failure, r.code)
		assert.Contains(t, r.stderr, "connection refused")
		assert.Less(t, time.Since(started), 15*time.Second)
	})
}
