package export

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const owner = "Example Source"

// result is what a run of the command came to.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), &command.Env{
		Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(k string) string { return env[k] },
	})
	return result{code, stdout.String(), stderr.String()}
}

// instance is a test server on a port with what an export from it needs.
type instance struct {
	*threatconnecttest.Server
	env    map[string]string
	client *threatconnect.Client
	dir    string
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	srv := threatconnecttest.New()
	port := httptest.NewServer(srv)
	t.Cleanup(port.Close)
	return &instance{srv, map[string]string{
		"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey(), "TC_OWNER": owner,
	}, srv.Client(), t.TempDir()}
}

func (i *instance) path(name string) string { return filepath.Join(i.dir, name) }

// add puts an indicator into the owner that was changed so long ago.
func (i *instance) add(t *testing.T, typ, value string, rating float64, ago time.Duration) {
	t.Helper()
	_, err := i.AddIndicator(threatconnecttest.IndicatorRecord{Owner: owner, Type: typ, Summary: value, Rating: &rating, DateAdded: time.Now().Add(-ago)})
	require.NoError(t, err)
}

// export runs the command and returns its rows as "action indicator".
func (i *instance) export(t *testing.T, args ...string) []string {
	t.Helper()
	r := run(t, i.env, append([]string{"-format", "jsonl", "-state", i.path("state")}, args...)...)
	require.Equal(t, command.OK, r.code, r.stderr)
	return rows(t, r.stdout)
}

func rows(t *testing.T, jsonl string) []string {
	t.Helper()
	all := []string{}
	for line := range strings.Lines(jsonl) {
		var c change
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		all = append(all, c.Action+" "+c.Indicator)
	}
	return all
}

func TestExportInTheTestServer(t *testing.T) {
	t.Parallel()
	r := run(t, nil)
	assert.Equal(t, command.OK, r.code, r.stderr)
	for _, s := range []string{
		"action,owner,type,indicator,rating",
		"changed,Example Source,Host,login.invoices.example,4,80,",
		"deleted,Example Source,Host,login.invoices.example,",
		"withdrawn,Example Source,Address,203.0.113.42,",
		"changed,Example Source,Host,cdn.invoices.example,4,75,",
		"'=cmd|' /C calc'!A0",
	} {
		assert.Contains(t, r.stdout, s)
	}
	assert.Equal(t, 1, strings.Count(r.stdout, "203.0.113.42,3,70")-strings.Count(r.stdout, "withdrawn"), "what did not change comes once")
	assert.Contains(t, r.stderr, "test server in the process")
	assert.Contains(t, r.stderr, "2 changed, 1 deleted, 1 withdrawn")
}

func TestExportGoesOnFromTheLastRun(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "old.example", 3, 48*time.Hour)
	i.add(t, "Host", "new.example", 3, time.Minute)
	assert.Equal(t, []string{"changed old.example", "changed new.example"}, i.export(t))
	assert.Empty(t, i.export(t), "the overlap is read again, and known")

	i.add(t, "Host", "late.example", 3, 5*time.Minute)
	assert.Equal(t, []string{"changed late.example"}, i.export(t), "what becomes visible late, with an earlier date, is in the overlap")
	assert.Empty(t, i.export(t))

	require.NoError(t, i.client.InOwner(owner).Indicators.Hosts.Delete(t.Context(), "old.example"))
	assert.Equal(t, []string{"deleted old.example"}, i.export(t))
	assert.Empty(t, i.export(t))

	assert.Equal(t, []string{"deleted old.example", "changed new.example", "changed late.example"}, i.export(t, "-reset"))
	assert.Empty(t, i.export(t))
}

func TestExportOfWhatWasDeletedAndCreatedAnewEndsAsChanged(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "back.example", 3, time.Minute)
	assert.Len(t, i.export(t), 1)
	require.NoError(t, i.client.InOwner(owner).Indicators.Hosts.Delete(t.Context(), "back.example"))
	i.add(t, "Host", "back.example", 3, time.Minute) // in the same second as before: its key is known
	assert.Equal(t, []string{"deleted back.example", "changed back.example"}, i.export(t))
	assert.Empty(t, i.export(t))
}

func TestExportWithdrawsWhatIsNotWantedAnyMore(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "falling.example", 4, time.Hour)
	i.add(t, "Host", "rising.example", 1, time.Hour)
	i.add(t, "Address", "203.0.113.9", 5, time.Hour)
	wanted := []string{"-min-rating", "3", "-types", "host,registry-key"}
	assert.Equal(t, []string{"changed falling.example"}, i.export(t, wanted...))

	for name, rating := range map[string]float64{"falling.example": 2, "rising.example": 3} {
		_, err := i.client.InOwner(owner).Indicators.Hosts.Update(t.Context(), name, threatconnect.IndicatorUpdate{Rating: &rating})
		require.NoError(t, err)
	}
	assert.ElementsMatch(t, []string{"withdrawn falling.example", "changed rising.example"}, i.export(t, wanted...))
}

func TestExportFailsWithoutATrace(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "jsonl", "blocklist"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "one.example", 3, time.Hour)
			args := []string{"-format", format, "-out", i.path("out"), "-state", i.path("state")}
			require.Equal(t, command.OK, run(t, i.env, args...).code)
			before, err := os.ReadFile(i.path("out"))
			require.NoError(t, err)
			remembered, err := os.ReadFile(i.path("state"))
			require.NoError(t, err)

			i.add(t, "Host", "two.example", 3, 0)
			i.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/indicators", Status: http.StatusForbidden, Body: "no"})
			r := run(t, i.env, args...)
			assert.Equal(t, command.Error, r.code)
			assert.Contains(t, r.stderr, "403")
			after, err := os.ReadFile(i.path("out"))
			require.NoError(t, err)
			assert.Equal(t, before, after)
			after, err = os.ReadFile(i.path("state"))
			require.NoError(t, err)
			assert.Equal(t, remembered, after)
			left, err := os.ReadDir(i.dir)
			require.NoError(t, err)
			assert.Len(t, left, 2, "no temporary file is left")

			require.Equal(t, command.OK, run(t, i.env, args...).code)
			after, err = os.ReadFile(i.path("out"))
			require.NoError(t, err)
			assert.Contains(t, string(after), "two.example")
		})
	}
}

func TestExportKeepsABlockListComplete(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	list := func(args ...string) string {
		r := run(t, i.env, append([]string{"-format", "blocklist", "-out", i.path("list"), "-state", i.path("state")}, args...)...)
		require.Equal(t, command.OK, r.code, r.stderr)
		b, err := os.ReadFile(i.path("list"))
		require.NoError(t, err)
		return string(b)
	}
	const md5, sha1 = "00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF00112233"
	i.add(t, "Host", "b.example", 3, time.Hour)
	i.add(t, "Host", "d.example", 3, time.Hour)
	i.add(t, "File", md5+" : "+sha1, 3, time.Hour)
	i.add(t, "Mutex", `Global\nothing-to-block`, 3, time.Hour)
	assert.Equal(t, md5+"\n"+sha1+"\nb.example\nd.example\n", list())

	i.add(t, "Host", "a.example", 3, 0)
	i.add(t, "Host", "c.example", 3, 0)
	i.add(t, "Host", "e.example", 3, 0)
	require.NoError(t, i.client.InOwner(owner).Indicators.Hosts.Delete(t.Context(), "b.example"))
	want := md5 + "\n" + sha1 + "\na.example\nc.example\nd.example\ne.example\n"
	assert.Equal(t, want, list())
	assert.Equal(t, want, list(), "nothing has changed")
	assert.Equal(t, want, list("-reset"))
}

func TestExportRefusesAListThatItCannotGoOnFrom(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		harm   func(t *testing.T, path string)
		stderr string
	}{
		"one that is gone":    {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "is gone"},
		"one that was edited": {func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("z\na\n"), 0o600)) }, "not sorted any more"},
		"one that is no regular": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "m.example", 3, time.Hour)
			args := []string{"-format", "blocklist", "-out", i.path("list"), "-state", i.path("state")}
			require.Equal(t, command.OK, run(t, i.env, args...).code)
			i.add(t, "Host", "n.example", 3, 0)
			tc.harm(t, i.path("list"))
			r := run(t, i.env, args...)
			assert.Equal(t, command.Error, r.code)
			assert.Regexp(t, tc.stderr+"|not a file", r.stderr)
		})
	}
}

// sharedLink returns a link to victim that another user could have made: it belongs to another user,
// in a sticky directory. Without the right to give a link away, it is one that everybody can replace.
func sharedLink(t *testing.T, victim string) string {
	t.Helper()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(victim, link))
	mode := os.ModeSticky | 0o777
	if os.Lchown(link, os.Geteuid()+1, -1) != nil {
		mode = 0o777
	}
	require.NoError(t, os.Chmod(dir, mode))
	return link
}

func TestExportDoesNotFollowLinksOfOtherUsers(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"csv":               {"-out", "LINK", "-state", "none"},
		"jsonl":             {"-out", "LINK", "-state", "none", "-format", "jsonl"},
		"blocklist":         {"-out", "LINK", "-state", "none", "-format", "blocklist"},
		"state":             {"-state", "LINK"},
		"state and a reset": {"-state", "LINK", "-reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "one.example", 3, time.Hour)
			victim := i.path("victim")
			require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
			link := sharedLink(t, victim)
			args[slices.Index(args, "LINK")] = link
			r := run(t, i.env, args...)
			assert.Equal(t, command.Error, r.code)
			assert.Contains(t, r.stderr, link+": another user could have made or changed this symbolic link; name the file")
			assert.Empty(t, r.stdout)
			assert.Empty(t, i.Requests(), "it is refused before anything is read")
			b, err := os.ReadFile(victim)
			require.NoError(t, err)
			assert.Equal(t, "precious", string(b))
			left, err := os.ReadDir(i.dir)
			require.NoError(t, err)
			assert.Len(t, left, 1)
		})
	}
}

func TestExportFollowsALinkOfItsUser(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "blocklist"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			require.NoError(t, os.Chmod(i.dir, 0o700))
			i.add(t, "Host", "one.example", 3, time.Hour)
			require.NoError(t, os.Symlink("real", i.path("out")))
			require.NoError(t, os.Symlink("real-state", i.path("state")))
			for range 2 { // the targets do not exist, then they do
				r := run(t, i.env, "-out", i.path("out"), "-state", i.path("state"), "-reset", "-format", format)
				require.Equal(t, command.OK, r.code, r.stderr)
				for link, target := range map[string]string{"out": "real", "state": "real-state"} {
					info, err := os.Lstat(i.path(link))
					require.NoError(t, err)
					assert.Equal(t, os.ModeSymlink, info.Mode().Type())
					b, err := os.ReadFile(i.path(target))
					require.NoError(t, err)
					assert.NotEmpty(t, b)
				}
			}
		})
	}
}

func TestExportIsRememberedInTheDataStore(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.env["TC_TOKEN"] = i.Token()
	delete(i.env, "TC_ACCESS_ID")
	delete(i.env, "TC_SECRET_KEY")
	i.add(t, "Host", "one.example", 3, time.Hour)
	args := []string{"-format", "jsonl", "-state", "datastore:local/export/cursor"}
	r := run(t, i.env, args...)
	require.Equal(t, command.OK, r.code, r.stderr)
	assert.Equal(t, []string{"changed one.example"}, rows(t, r.stdout))
	i.add(t, "Host", "two.example", 3, 0)
	r = run(t, i.env, args...)
	require.Equal(t, command.OK, r.code, r.stderr)
	assert.Equal(t, []string{"changed two.example"}, rows(t, r.stdout))

	records, err := threatconnect.DataStoreOf[map[string]any](i.ClientAs(threatconnect.Token(i.Token())), threatconnect.DataStoreLocal, "export")
	require.NoError(t, err)
	require.NoError(t, records.Put(t.Context(), "cursor", map[string]any{"somebody": "else's"}))
	r = run(t, i.env, args...)
	assert.Equal(t, command.Error, r.code)
	assert.Contains(t, r.stderr, "is not what a run leaves")
	assert.Equal(t, command.OK, run(t, i.env, append(args, "-reset")...).code)
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	damaged := i.path("damaged")
	require.NoError(t, os.WriteFile(damaged, []byte(`{"hello":1}`), 0o600))
	other := i.path("other")
	require.NoError(t, os.WriteFile(other, []byte(`{"version":1,"instance":"https://tc.example.com/api","owners":{"x":{}}}`), 0o600))
	filtered := i.path("filtered")
	require.Equal(t, command.OK, run(t, i.env, "-state", filtered, "-min-rating", "3").code)
	for name, tc := range map[string]struct {
		args   []string
		stderr string
	}{
		"a run that nobody remembers":           {[]string{}, "set -state to a file"},
		"a state that is none":                  {[]string{"-state", damaged}, "run with -reset"},
		"a state of another instance":           {[]string{"-state", other}, "another instance"},
		"a state of another selection":          {[]string{"-state", filtered, "-min-rating", "2"}, "[rating 3], not [rating 2]"},
		"a state in a place that is not there":  {[]string{"-state", i.path("no/such/dir")}, "could not be remembered"},
		"a DataStore with a signing client":     {[]string{"-state", "datastore:local/export/cursor"}, "must be an API token"},
		"a DataStore without a record":          {[]string{"-state", "datastore:local/export"}, "datastore:DOMAIN/TYPE/ID"},
		"a reset of nothing":                    {[]string{"-state", "none", "-reset"}, "there is no -state"},
		"an owner that is not there":            {[]string{"-state", "none", "-owner", "Nobody"}, `owner "Nobody"`},
		"a list of two owners":                  {[]string{"-state", "none", "-format", "blocklist", "-owner", "a", "-owner", "b"}, "one owner"},
		"a format that is not there":            {[]string{"-state", "none", "-format", "xml"}, "want csv, jsonl or blocklist"},
		"a type that is not there":              {[]string{"-state", "none", "-types", "colour"}, "want some of address"},
		"a rating that is none":                 {[]string{"-state", "none", "-min-rating", "6"}, "want 0 to 5"},
		"a confidence that is none":             {[]string{"-state", "none", "-min-confidence", "101"}, "want 0 to 100"},
		"a score that is none":                  {[]string{"-state", "none", "-min-score", "-2"}, "want 0 to 1000"},
		"an overlap of more than a day":         {[]string{"-state", "none", "-overlap", "25h"}, "want 0s to 24h"},
		"an argument":                           {[]string{"-state", "none", "all"}, `"all" is no flag`},
		"a file that could not be replaced":     {[]string{"-state", "none", "-out", i.dir}, "is not a file"},
		"a file in a place that is not there":   {[]string{"-state", "none", "-out", i.path("no/such/file")}, "no such"},
		"an output without a name":              {[]string{"-state", "none", "-out", ""}, "use - for standard output"},
		"a flag without a value":                {[]string{"-state"}, "flag needs an argument"},
		"a flag that no command of this one is": {[]string{"-whatever"}, "not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, i.env, tc.args...)
			assert.Equal(t, command.Error, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
		})
	}
}

func TestExportHelps(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "-h")
	assert.Equal(t, command.OK, r.code)
	assert.Contains(t, r.stdout, "-state STATE")
	assert.Contains(t, r.stdout, "history of the shell")
	assert.Empty(t, r.stderr)
}

func TestExportOfACSVThatProgramsRead(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Mutex", "=1+1", 3, time.Hour)
	r := run(t, i.env, "-state", "none")
	assert.Contains(t, r.stdout, ",Mutex,'=1+1,")
	r = run(t, i.env, "-state", "none", "-raw")
	assert.Contains(t, r.stdout, ",Mutex,=1+1,")
}
