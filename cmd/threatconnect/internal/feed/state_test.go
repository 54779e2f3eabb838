package feed

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// aHost returns a feed line with a host.
func aHost(n, rating int, groups ...string) string {
	xids := ""
	if len(groups) > 0 {
		xids = `,"groups":["` + strings.Join(groups, `","`) + `"]`
	}
	return fmt.Sprintf(`{"type":"Host","summary":"h%d.example","rating":%d%s}`, n, rating, xids) + "\n"
}

// aThreat returns a feed line with a threat.
func aThreat(xid string) string {
	return `{"group":{"type":"Threat","name":"` + xid + `","xid":"` + xid + `"}}` + "\n"
}

// runs runs the command several times, with one server and one state.
type runs struct {
	t     *testing.T
	srv   *threatconnecttest.Server
	env   env
	state string
}

func newRuns(t *testing.T) *runs {
	t.Helper()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithRecordedBodies(1<<20))
	return &runs{t, srv, to(t, srv), filepath.Join(t.TempDir(), "state")}
}

func (r *runs) run(feed string, args ...string) (report, result) {
	r.t.Helper()
	r.srv.ResetRequests()
	res := r.env.feed(feed).run(r.t.Context(), append([]string{"--input", "-", "--format", "jsonl", "--json", "--state", r.state}, args...)...)
	return reportOf(r.t, res), res
}

// uploads returns the batch files of the last run.
func (r *runs) uploads() string {
	all := ""
	for _, q := range r.srv.Requests() {
		if q.Method == http.MethodPost && q.Route == "/v2/batch/{id}" && string(q.Body) != emptyFile {
			all += string(q.Body) + "\n"
		}
	}
	return all
}

func TestSecondRunSendsChangesOnly(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	yesterday := aThreat("x-1") + aHost(1, 1, "x-1") + "not json\n" + aHost(2, 1) + aHost(3, 1)
	s, res := r.run(yesterday)
	assert.Equal(t, "there is no state yet", s.Full)
	assert.EqualValues(t, 4, s.Imported)
	assert.EqualValues(t, 1, s.Invalid)
	assert.Contains(t, res.stderr, "This is the first run with --state: everything is sent.")

	s, res = r.run(yesterday)
	assert.Equal(t, 3, res.exit, "the invalid line is reported on every run")
	assert.Empty(t, s.Full)
	assert.EqualValues(t, 4, s.Unchanged)
	assert.EqualValues(t, 1, s.Invalid)
	assert.Zero(t, s.Imported)
	assert.Empty(t, r.uploads())

	s, res = r.run(strings.ReplaceAll(yesterday, "not json\n", ""))
	assert.Equal(t, 0, res.exit, res.stderr)
	assert.Equal(t, "Nothing to import into Example Source, 4 unchanged.", s.Message)

	today := aThreat("x-1") + aHost(1, 1, "x-1") + aHost(2, 5) + aHost(4, 1, "x-1")
	s, res = r.run(today)
	assert.Equal(t, 0, res.exit, res.stderr)
	assert.Equal(t, "Imported 2 items into Example Source: 2 indicators in 1 job, 2 unchanged.", s.Message)
	assert.EqualValues(t, 1, s.Vanished)
	up := r.uploads()
	assert.NotContains(t, up, "h1.example")
	assert.NotContains(t, up, `"group":`)
	assert.NotContains(t, up, `"association":`, "an indicator carries a reference to a group that is in the owner")
	got, _ := r.srv.Indicator(owner, "Host", "h4.example")
	assert.Equal(t, []string{"x-1"}, got.Groups)
	got, _ = r.srv.Indicator(owner, "Host", "h2.example")
	assert.InDelta(t, 5, *got.Rating, 0)

	s, _ = r.run(today, "--tag", "new")
	assert.EqualValues(t, 4, s.Imported, "another tag changes every item")
	s, _ = r.run(today, "--tag", "new", "--full")
	assert.EqualValues(t, 4, s.Imported)
	assert.Equal(t, "a full run was requested", s.Full)
	s, _ = r.run(today, "--tag", "new")
	assert.EqualValues(t, 4, s.Unchanged)
	s, _ = r.run(today, "--tag", "new", "--attributes", "replace")
	assert.EqualValues(t, 4, s.Imported)
	assert.Contains(t, s.Full, "another import")
	s, _ = r.run(today, "--tag", "new", "--attributes", "replace", "--owner", "Example Community")
	assert.NotZero(t, s.Imported+s.Failed)
	assert.Contains(t, s.Full, "another import")
}

func TestLostStateSendsEverything(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	text := aHost(1, 1) + aHost(2, 1)
	for name, spoil := range map[string]func() error{
		"lost":    func() error { return os.Remove(r.state) },
		"damaged": func() error { return os.Truncate(r.state, 70) },
		"killed":  func() error { return os.WriteFile(r.state+".running", []byte("x"), 0o600) },
	} {
		r.run(text)
		require.NoError(t, spoil(), name)
		s, res := r.run(text)
		assert.Equal(t, 0, res.exit, name)
		assert.NotEmpty(t, s.Full, name)
		assert.EqualValues(t, 2, s.Imported, name)
		s, _ = r.run(text)
		assert.EqualValues(t, 2, s.Unchanged, name)
	}
}

func TestStateOmitsSkippedItems(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	list := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(list, []byte("h1.example\n"), 0o600))
	for range 2 {
		s, _ := r.run(aHost(1, 1)+aHost(2, 1), "--exclude", list)
		assert.EqualValues(t, 1, s.Skipped)
		assert.EqualValues(t, 1, s.Imported+s.Unchanged)
	}
	s, _ := r.run(aHost(1, 1) + aHost(2, 1))
	assert.Equal(t, []int64{1, 1}, []int64{s.Imported, s.Unchanged}, "it is no longer on a list")
	s, _ = r.run(aHost(1, 1)+aHost(2, 1), "--exclude", list, "--remove-stale", "--max-share", "1")
	assert.EqualValues(t, 1, s.Removed, "it is on a list again")
	assert.EqualValues(t, 1, s.Vanished)
}

func TestForeignStateFileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	require.NoError(t, os.WriteFile(r.state, []byte("something else"), 0o600))
	s, _ := r.run(aHost(1, 1))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Message, "--state: ")
	text, err := os.ReadFile(r.state)
	require.NoError(t, err)
	assert.Equal(t, "something else", string(text))
	assert.Zero(t, r.srv.Counts(owner).Indicators)
}

func TestRejectedItemsAreResent(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	bad := `{"type":"Host","summary":"h9.example","attributes":[{"type":"No Such Type","value":"x"}]}` + "\n"
	text := aHost(1, 1) + bad + aHost(2, 1)
	s, _ := r.run(text)
	assert.EqualValues(t, 1, s.Failed)
	for range 2 {
		s, _ = r.run(text)
		assert.EqualValues(t, 2, s.Unchanged)
		assert.EqualValues(t, 1, s.Failed)
		assert.Contains(t, s.Errors[0].Rule, "in part")
		assert.Equal(t, 2, s.Errors[0].Line, "line numbers are those of the feed, even if not all lines were sent")
	}
}

func TestNextRunSendsUnprocessedItems(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	text := aHost(1, 1) + aHost(2, 1)
	r.run(text)
	require.NoError(t, r.srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Method: http.MethodPost, Route: "/v2/batch", Skip: 1, Times: -1}))
	s, res := r.run(aHost(1, 1) + aHost(2, 4))
	assert.Equal(t, 3, res.exit)
	assert.EqualValues(t, 1, s.Unprocessed)
	r.srv.ClearFaults()
	s, _ = r.run(text)
	assert.EqualValues(t, 1, s.Unchanged)
	assert.EqualValues(t, 1, s.Imported, "h2 may have been changed")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.env.feed(text).run(ctx, "--input", "-", "--state", r.state)
	s, _ = r.run(text)
	assert.EqualValues(t, 2, s.Unchanged, "a run that was interrupted forgets nothing")
}

func TestStateInTheDataStore(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.state = "datastore:organization/feed/example"
	_, res := r.run(aHost(1, 1))
	assert.Equal(t, 1, res.exit)
	assert.Contains(t, res.stderr, "must be an API token")
	assert.Zero(t, r.srv.Counts(owner).Indicators, "nothing is sent")
	r.env.vars = map[string]string{"TC_BASE_URL": r.env.vars["TC_BASE_URL"], "TC_TOKEN": r.srv.Token(), "TC_OWNER": owner}
	s, _ := r.run(aHost(1, 1))
	assert.EqualValues(t, 1, s.Imported)
	s, _ = r.run(aHost(1, 1) + aHost(2, 1))
	assert.EqualValues(t, 1, s.Unchanged)
	assert.EqualValues(t, 1, s.Imported)
	assert.Len(t, r.srv.DataStore("organization", "feed"), 2)
}

func TestUnwritableStateSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.state = filepath.Join(t.TempDir(), "none", "state")
	_, res := r.run(aHost(1, 1))
	assert.Equal(t, 1, res.exit)
	assert.Contains(t, res.stderr, "--state "+r.state+": no such file or directory")
	assert.Zero(t, r.srv.Counts(owner).Indicators)
}

func TestThreatStaleRemovalsAreLimited(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	all := ""
	for n := range 10 {
		all += aHost(n, 1)
	}
	r.run(all)
	require.NoError(t, r.srv.Seed(&threatconnecttest.IndicatorRecord{Owner: owner, Type: "Address", Summary: "192.0.2.1"}))
	s, res := r.run(strings.ReplaceAll(all, aHost(4, 1), ""), "--remove-stale")
	require.Equal(t, 0, res.exit, res.stderr)
	assert.Equal(t, []int64{9, 1, 1, 1}, []int64{s.Unchanged, s.Vanished, s.Stale, s.Removed})
	assert.InDelta(t, 0.1, s.StaleShare, 0)
	assert.Equal(t, "Nothing to import into Example Source, 9 unchanged, 1 stale removed.", s.Message)
	assert.Equal(t, 10, r.srv.Counts(owner).Indicators, "nine hosts, and an address, because the feed has no addresses")

	few := aHost(1, 1) + aHost(2, 2)
	s, res = r.run(few, "--remove-stale")
	assert.Equal(t, 3, res.exit)
	assert.Contains(t, s.Message, "7 of the owner's 9 indicators")
	assert.Equal(t, []int64{1, 1, 7, 0}, []int64{s.Imported, s.Unchanged, s.Stale, s.Removed})
	assert.Equal(t, 10, r.srv.Counts(owner).Indicators)

	s, res = r.run(few+"x\n", "--remove-stale", "--max-share", "1")
	assert.Equal(t, 3, res.exit)
	assert.Contains(t, s.Message, "nothing stale was removed, because more entries of the feed are invalid than --max-invalid allows")
	assert.Equal(t, 10, r.srv.Counts(owner).Indicators)
	s, _ = r.run(few+"x\n", "--remove-stale", "--max-share", "1", "--max-invalid", "1")
	assert.EqualValues(t, 7, s.Removed)
	assert.Equal(t, 3, r.srv.Counts(owner).Indicators)

	s, res = r.run("", "--remove-stale", "--max-share", "1")
	assert.Equal(t, 1, res.exit)
	assert.Zero(t, s.Removed)
	assert.Equal(t, 3, r.srv.Counts(owner).Indicators, "an empty feed removes nothing")
}

func TestBrokenBundleRemovesNothing(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	bundle := func(hosts ...string) string {
		objects := make([]string, len(hosts))
		for i, host := range hosts {
			objects[i] = fmt.Sprintf(`{"type":"indicator","id":"indicator--%s","pattern":"[domain-name:value='%s']"}`, host, host)
		}
		return `{"type":"bundle","objects":[` + strings.Join(objects, ",\n") + "]}\n"
	}
	args := []string{"--format", "stix", "--remove-stale", "--max-share", "1"}
	s, res := r.run(bundle("h1.example")+bundle("h2.example", "h3.example"), args...)
	require.Equal(t, 0, res.exit, res.stderr)
	assert.EqualValues(t, 3, s.Imported, "all bundles are read")

	second := bundle("h2.example")
	for name, rest := range map[string]string{"garbage": "<html>", "a bundle that is cut off": second[:len(second)-4]} {
		for _, extra := range [][]string{nil, {"--max-invalid", "100%"}, {"--merge"}} {
			s, res := r.run(bundle("h1.example")+rest, append(args, extra...)...)
			assert.Equal(t, 1, res.exit, "%s %v", name, extra)
			assert.Contains(t, s.Message, "line 2")
			assert.Zero(t, s.Removed)
			assert.Zero(t, s.Vanished)
			assert.Equal(t, 3, r.srv.Counts(owner).Indicators, "%s %v", name, extra)
		}
	}
	s, res = r.run(bundle("h1.example")+second, args...)
	assert.Equal(t, 0, res.exit, res.stderr)
	assert.EqualValues(t, 2, s.Unchanged, "the failed runs forgot nothing")
	assert.EqualValues(t, 1, s.Removed)
}

func TestFailedImportRemovesNothing(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.run(aHost(1, 1) + aHost(2, 1))
	require.NoError(t, r.srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Method: http.MethodPost, Route: "/v2/batch", Skip: 1}))
	_, res := r.run(aHost(1, 1)+aHost(3, 1), "--remove-stale", "--max-share", "1")
	assert.Equal(t, 3, res.exit)
	_, ok := r.srv.Indicator(owner, "Host", "h2.example")
	assert.True(t, ok)
}

func TestDeletedGroupIsRestoredByLaterRun(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	text := aThreat("x-1") + aHost(1, 1, "x-1")
	r.run(text)
	group := threatconnect.NewThreat("x-1")
	group.XID = "x-1"
	_, err := r.srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{Owner: owner, Action: threatconnect.BatchDelete},
		threatconnect.BatchItems(slices.Values([]threatconnect.BatchItem{group})))
	require.NoError(t, err)
	s, _ := r.run(text + aHost(2, 1, "x-1"))
	assert.EqualValues(t, 2, s.Unchanged, "the state does not know that the group was deleted")
	assert.EqualValues(t, 1, s.Failed)
	s, res := r.run(text + aHost(2, 1, "x-1"))
	assert.Equal(t, 0, res.exit, res.stderr)
	assert.EqualValues(t, 2, s.Imported)
	got, _ := r.srv.Indicator(owner, "Host", "h2.example")
	assert.Equal(t, []string{"x-1"}, got.Groups)
}
