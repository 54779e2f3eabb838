package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// hosts returns feed lines for the hosts from to to-1, each with the version in an attribute.
func hosts(from, to, version int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `{"type":"Host","summary":"h%d.example","attributes":[{"type":"Description","value":"version %d"}]}`+"\n", i, version)
	}
	return b.String()
}

// saved returns the names of the feeds in a spool.
func saved(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+infoSuffix))
	require.NoError(t, err)
	return names
}

// interrupted runs an import and interrupts it when its second job is created.
func interrupted(t *testing.T, e env, srv *threatconnecttest.Server, args ...string) report {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	jobs := len(srv.Jobs())
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: time.Hour, Method: http.MethodPost, Route: "/v2/batch", Skip: 3, Times: -1, Probability: 1})) // with a Probability, it need not strike: the interruption may come first
	defer srv.ClearFaults()
	go func() {
		for len(srv.Jobs()) < jobs+3 { // one is the preflight's
			time.Sleep(time.Millisecond)
		}
		stop(errors.New("interrupted"))
	}()
	return reportOf(t, e.run(ctx, args...))
}

func TestSpoolFinishesAnInterruptedImport(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--merge"}, {"--state"}} {
		srv := threatconnecttest.NewT(t)
		e := to(t, srv)
		dir := filepath.Join(t.TempDir(), "spool")
		if flags != nil && flags[0] == "--state" {
			flags = append(flags, filepath.Join(t.TempDir(), "state"))
		}
		args := append([]string{"--input", "-", "--json", "--spool", dir, "--attributes", "append", "--max-bytes", "2048"}, flags...)
		s := interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
		assert.Contains(t, s.Message, "stopped: interrupted")
		assert.Positive(t, s.Unprocessed+s.Unknown)
		require.Len(t, saved(t, dir), 1)

		s = reportOf(t, e.feed(hosts(90, 150, 2)).run(t.Context(), args...))
		assert.Equal(t, 0, s.Exit, s.Message)
		assert.Equal(t, 1, s.Resumed)
		assert.EqualValues(t, 160, s.Read)
		assert.EqualValues(t, 160, s.Imported)
		assert.Empty(t, saved(t, dir))
		for i := range 150 {
			ind, ok := srv.Indicator(owner, "Host", fmt.Sprintf("h%d.example", i))
			require.True(t, ok)
			want := 1
			if i >= 90 && i < 100 {
				want = 2 // one from each feed
			}
			require.Len(t, ind.Attributes, want, "%d: each item once", i)
		}
	}
}

// After an interruption, the state selects the same items again, so the import in the spool is resumed.
func TestSpoolResumesWithState(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	args := []string{"--input", "-", "--json", "--spool", t.TempDir(), "--state", filepath.Join(t.TempDir(), "state"), "--attributes", "append", "--max-bytes", "2048"}
	require.Equal(t, 0, e.feed(hosts(0, 50, 1)).run(t.Context(), args...).exit)
	feed := hosts(0, 30, 1) + hosts(30, 100, 2)
	interrupted(t, e.feed(feed), srv, args...)
	dry := reportOf(t, e.feed("other.example\n").run(t.Context(), append(args, "--dry-run")...))
	assert.EqualValues(t, 1, dry.ToImport)
	s := reportOf(t, e.feed(feed).run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)
	assert.Empty(t, s.Full)
	assert.Equal(t, []int64{100, 70, 30}, []int64{s.Read, s.Imported, s.Unchanged})
	for i := range 100 {
		ind, _ := srv.Indicator(owner, "Host", fmt.Sprintf("h%d.example", i))
		want := 1
		if i >= 30 && i < 50 {
			want = 2
		}
		require.Len(t, ind.Attributes, want, "%d: each item once", i)
	}
	assert.False(t, srv.Has(owner, "Host", "other.example"))
	s = reportOf(t, e.feed(feed).run(t.Context(), args...))
	assert.EqualValues(t, 100, s.Unchanged)
}

func TestSpoolResumesSameFeed(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	args := []string{"--input", "-", "--json", "--spool", t.TempDir(), "--attributes", "append", "--max-bytes", "2048"}
	interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
	s := reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)
	assert.EqualValues(t, 100, s.Imported)
	assert.EqualValues(t, 100, s.Read)
	for _, ind := range srv.Indicators(owner) {
		require.Len(t, ind.Attributes, 1)
	}
}

func TestSpoolRemovesStaleForNewestFeedOnly(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	args := []string{"--input", "-", "--json", "--spool", t.TempDir(), "--remove-stale", "--max-share", "1", "--max-bytes", "2048"}
	require.Equal(t, 0, e.feed(hosts(100, 150, 1)).run(t.Context(), args...).exit)
	before, _ := srv.Indicator(owner, "Host", "h120.example")
	interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
	s := reportOf(t, e.feed(hosts(50, 150, 2)).run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)
	assert.EqualValues(t, 50, s.Removed)
	assert.Equal(t, 100, srv.Counts(owner).Indicators)
	after, _ := srv.Indicator(owner, "Host", "h120.example")
	assert.Equal(t, before.ID, after.ID, "the interrupted feed lacks it, but must not remove it")
}

func TestSpoolSavesExclusionLists(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	list := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(list, []byte("h1.example\n"), 0o600))
	args := []string{"--input", "-", "--json", "--spool", t.TempDir(), "--attributes", "append", "--max-bytes", "2048", "--exclude", list}
	interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
	require.NoError(t, os.WriteFile(list, []byte("h2.example\n"), 0o600))
	s := reportOf(t, e.feed(hosts(0, 3, 2)).run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)
	assert.Equal(t, []ruleSeen{{skipped, "on list list.txt", 2, []int{2, 3}}}, s.Rules)
	one, _ := srv.Indicator(owner, "Host", "h1.example")
	two, _ := srv.Indicator(owner, "Host", "h2.example")
	require.Len(t, one.Attributes, 1)
	require.Len(t, two.Attributes, 1)
	assert.Equal(t, "version 2", one.Attributes[0].Value)
	assert.Equal(t, "version 1", two.Attributes[0].Value)
}

func TestSpoolRejectsOtherFlagsAndProcesses(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	dir := t.TempDir()
	args := []string{"--input", "-", "--json", "--spool", dir, "--max-bytes", "2048"}
	interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
	for flag, value := range map[string]string{"--tag": "x", "--rating": "3", "--owner": "Example Community", "--attributes": "append", "--confidence": "5", "--feed": "other"} {
		s := reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), append(args, flag, value)...))
		assert.Equal(t, 1, s.Exit)
		assert.Contains(t, s.Message, "an interrupted import that began with another "+flag)
	}
	s := reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), append(args, "--raw-xids=false")...))
	assert.Contains(t, s.Message, "an interrupted import that began with another --raw-xids")
	other, err := openSpool(dir)
	require.NoError(t, err)
	s = reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), args...))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Message, "--spool: another process uses "+dir)
	other.close()
	s = reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)
}

func TestSpoolResumesIfFeedIsMissing(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	feed := filepath.Join(t.TempDir(), "feed")
	require.NoError(t, os.WriteFile(feed, []byte(hosts(0, 100, 1)), 0o600))
	args := []string{"--input", feed, "--json", "--spool", t.TempDir(), "--max-bytes", "2048"}
	interrupted(t, e, srv, args...)
	require.NoError(t, os.Remove(feed))
	s := reportOf(t, e.run(t.Context(), args...))
	assert.Equal(t, 3, s.Exit)
	assert.EqualValues(t, 100, s.Imported)
	assert.Contains(t, s.Message, "no such file")
}

func TestSpoolWithDamagedJournalKeepsFeed(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	dir := t.TempDir()
	args := []string{"--input", "-", "--json", "--spool", dir, "--max-bytes", "2048"}
	interrupted(t, e.feed(hosts(0, 100, 1)), srv, args...)
	records, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, records)
	for _, name := range records {
		require.NoError(t, os.WriteFile(name, []byte("damaged"), 0o600))
	}
	s := reportOf(t, e.feed(hosts(0, 100, 1)).run(t.Context(), args...))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Message, "--spool: ")
	assert.Len(t, saved(t, dir), 1)
}

// An unreadable feed does not stay in the spool, where every run would try it again.
func TestSpoolDropsUnreadableFeeds(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	dir := t.TempDir()
	args := []string{"--input", "-", "--json", "--spool", dir}
	s := reportOf(t, e.feed("<html>").run(t.Context(), args...))
	assert.Equal(t, 1, s.Exit)
	assert.Empty(t, saved(t, dir))
	cut := `{"type":"bundle","objects":[{"type":"indicator","id":"indicator--1","pattern":"[domain-name:value='h1.example']"},` + "\n"
	s = reportOf(t, e.feed(cut).run(t.Context(), args...))
	assert.Equal(t, 1, s.Exit, s.Message)
	assert.Contains(t, s.Message, "the STIX bundle is cut")
	assert.Empty(t, saved(t, dir))
	s = reportOf(t, e.feed("h2.example\n").run(t.Context(), args...))
	assert.Equal(t, 0, s.Exit, s.Message)

	for _, name := range []string{"x.tmp", "x.feed", "x.0.list"} { // what a crash leaves
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	require.Equal(t, 0, e.feed("h3.example\n").run(t.Context(), args...).exit)
	left, err := filepath.Glob(filepath.Join(dir, "*.*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "notes.txt")}, left)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600))
	s = reportOf(t, e.feed("h4.example\n").run(t.Context(), args...))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Message, "remove it to give up the interrupted import")
}

// If a process dies after the import but before it empties the spool, the next run imports nothing again.
func TestSpoolDoesNotResendCompleteImport(t *testing.T) {
	t.Parallel()
	feed := hosts(0, 100, 1) + `{"type":"Host","summary":"bad.example","attributes":[{"type":"No Such Attribute","value":"v"}]}` + "\n"
	for _, withState := range []bool{false, true} {
		srv := threatconnecttest.NewT(t)
		e := to(t, srv)
		dir := t.TempDir()
		args := []string{"--input", "-", "--json", "--spool", dir, "--attributes", "append", "--max-bytes", "2048"}
		if withState {
			args = append(args, "--state", filepath.Join(t.TempDir(), "state"))
		}
		interrupted(t, e.feed(feed), srv, args...)
		copies := map[string][]byte{}
		for _, pattern := range []string{"*" + infoSuffix, "*" + feedSuffix} {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			require.NoError(t, err)
			for _, name := range names {
				copies[name], err = os.ReadFile(name)
				require.NoError(t, err)
			}
		}
		s := reportOf(t, e.feed(feed).run(t.Context(), args...))
		assert.Equal(t, []int64{101, 100, 1, 0}, []int64{s.Read, s.Imported, s.Failed, s.Unchanged}, s.Message)
		jobs := len(srv.Jobs())
		for name, text := range copies {
			require.NoError(t, os.WriteFile(name, text, 0o600))
		}
		s = reportOf(t, e.feed(feed).run(t.Context(), args...))
		assert.Equal(t, 3, s.Exit, "one has failed")
		want := []int64{101, 100, 1, 0}
		if withState {
			want = []int64{101, 0, 1, 100}
		}
		assert.Equal(t, want, []int64{s.Read, s.Imported, s.Failed, s.Unchanged}, s.Message)
		require.Len(t, s.Rules, 1)
		assert.Equal(t, []int{101}, s.Rules[0].Lines)
		assert.Len(t, srv.Jobs(), jobs+1, "nothing is sent again")
		assert.Empty(t, saved(t, dir))
	}
}

// killed is an import whose process is killed at random moments.
type killed struct {
	t      *testing.T
	env    env
	dir    string
	args   string
	random *rand.Rand
	kills  int
}

func newKilled(t *testing.T, seed uint64, env env, flags ...string) *killed {
	t.Helper()
	k := &killed{t: t, env: env, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 1))}
	args, err := json.Marshal(append([]string{"feed", "--allow-documentation", "--raw-xids", "--input", k.feed(), "--json", "--spool", k.spool(),
		"--state", filepath.Join(k.dir, "state"), "--attributes", "append", "--max-bytes", "4096"}, flags...))
	require.NoError(t, err)
	k.args = string(args)
	return k
}

func (k *killed) feed() string  { return filepath.Join(k.dir, "feed.jsonl") }
func (k *killed) spool() string { return filepath.Join(k.dir, "spool") }

// run runs the import in a process and kills it after limit, unless that is 0.
func (k *killed) run(limit time.Duration) (r result, finished bool) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), os.Args[0])
	cmd.Env = []string{childArgs + "=" + k.args, "TMPDIR=" + k.dir}
	for name, value := range k.env.vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(k.t, cmd.Start())
	if limit > 0 {
		timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	_ = cmd.Wait()
	if finished = cmd.ProcessState.ExitCode() >= 0; !finished {
		k.kills++
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, finished
}

// moment returns a random limit for run.
func (k *killed) moment() time.Duration {
	return time.Duration(20+k.random.IntN(500)) * time.Millisecond
}

// The process is killed at random moments while the feed changes. In the end, every item of both feeds is imported
// once.
func TestKilledImportsAreFinished(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(1))
			require.NoError(t, srv.Inject(threatconnecttest.FaultMix(seed, 0.05, threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultHTML)))
			k := newKilled(t, seed, to(t, srv), []string{"--merge=true", "--merge=false"}[seed%2])
			require.NoError(t, os.WriteFile(k.feed(), []byte(hosts(0, 400, 1)+"0177.1\n"), 0o600))
			begun := false
			for !begun { // until the feed is in the spool
				_, finished := k.run(k.moment())
				begun = finished || len(saved(t, k.spool())) > 0
			}
			require.NoError(t, os.WriteFile(k.feed(), []byte(hosts(0, 300, 1)+hosts(300, 500, 2)+"10.0.0.1\n"), 0o600))
			last, finished := result{}, false
			for n := 0; !finished; n++ {
				limit := k.moment()
				if n == 8 {
					limit = 0
				}
				last, finished = k.run(limit)
			}
			s := reportOf(t, last)
			assert.Equal(t, 0, s.Exit, last.stderr)
			assert.Positive(t, k.kills)
			assert.Empty(t, saved(t, k.spool()))
			require.Equal(t, 500, srv.Counts(owner).Indicators)
			for i := range 500 {
				ind, _ := srv.Indicator(owner, "Host", fmt.Sprintf("h%d.example", i))
				var got []string
				for _, a := range ind.Attributes {
					got = append(got, a.Value)
				}
				want := []string{"version 1", "version 2"}
				switch {
				case i < 300:
					want = want[:1] // unchanged in the second feed
				case i >= 400:
					want = want[1:] // not in the first
				}
				require.ElementsMatch(t, want, got, "host %d: each item once", i)
			}
		})
	}
}
