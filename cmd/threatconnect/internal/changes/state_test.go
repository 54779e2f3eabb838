package changes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// useToken replaces the credentials of an instance with an API token.
func (i *instance) useToken() {
	i.env["TC_TOKEN"] = i.Token()
	delete(i.env, "TC_ACCESS_ID")
	delete(i.env, "TC_SECRET_KEY")
}

func TestStateInTheDataStore(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.useToken()
	const state = "datastore:local/changes/cursor"
	i.add(t, "Host", "one.example", 3, time.Hour)
	assert.Equal(t, []string{"changed one.example"}, i.changes(t, "--state", state))
	i.add(t, "Host", "two.example", 3, 0)
	assert.Equal(t, []string{"changed two.example"}, i.changes(t, "--state", state))

	records, err := threatconnect.DataStoreOf[map[string]any](i.ClientAs(threatconnect.Token(i.Token())), threatconnect.DataStoreLocal, "changes")
	require.NoError(t, err)
	require.NoError(t, records.Put(t.Context(), "cursor.Example+Source", map[string]any{"another": "program"}))
	r := run(t, i.env, "--state", state)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stderr, "--state "+state+".Example+Source: the record in the DataStore is not a state")
}

func TestUnusableChangesState(t *testing.T) {
	t.Parallel()
	succeed := func(i *instance, args ...string) error {
		if r := run(t, i.env, append([]string{"--state", i.path("state")}, args...)...); r.code != cli.Success {
			return errors.New(r.stderr)
		}
		return nil
	}
	for name, tc := range map[string]struct {
		change func(i *instance, path string) error
		args   []string
		want   string
	}{
		"another file":    {func(_ *instance, path string) error { return os.WriteFile(path, []byte(`{"hello":1}`), 0o600) }, nil, "something other than a cursor"},
		"damaged":         {func(_ *instance, path string) error { return os.Truncate(path, 40) }, nil, "or a damaged one"},
		"directory":       {func(_ *instance, path string) error { _ = os.Remove(path); return os.Mkdir(path, 0o700) }, nil, "is not a file"},
		"other selection": {nil, []string{"--min-rating", "2"}, "(no flags, now --min-rating 2), and continuing would leave gaps: name another state, or run with --reset"},
		"other format":    {nil, []string{"--format", "blocklist"}, "now --format blocklist)"},
		"other output": {func(i *instance, path string) error {
			return succeed(i, "--reset", "--format", "blocklist")
		}, []string{"--format", "blocklist", "--output", "list"}, "(--format blocklist, now --format blocklist --output list)"},
		"another list": {func(i *instance, _ string) error {
			return errors.Join(os.WriteFile(i.path("other"), nil, 0o600), succeed(i, "--reset", "--format", "blocklist", "--output", i.path("list")))
		}, []string{"--format", "blocklist", "--output", "other"}, "(--format blocklist --output list, now --format blocklist --output other)"},
		"other instance": {func(i *instance, _ string) error {
			i.env["TC_BASE_URL"] = strings.Replace(i.env["TC_BASE_URL"], "127.0.0.1", "localhost", 1)
			return nil
		}, nil, "--state belongs to another instance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "one.example", 3, time.Hour)
			i.changes(t)
			if tc.change != nil {
				require.NoError(t, tc.change(i, i.path("state.Example+Source")))
			}
			r := run(t, i.env, append([]string{"--state", i.path("state")}, tc.args...)...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.want)
			assert.NotContains(t, r.stdout, "one.example")
		})
	}
}

// If two runs use one state at the same time, one fails. If it replaced the other's newer list, the next run repairs
// it.
func TestConcurrentRuns(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]string{"file": "", "DataStore": "datastore:local/changes/cursor"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.useToken()
			if state == "" {
				state = i.path("state")
			}
			args := []string{"--format", "blocklist", "--allow-reserved", "--output", i.path("list"), "--state", state}
			list := func() string {
				b, err := os.ReadFile(i.path("list"))
				require.NoError(t, err)
				return string(b)
			}
			i.add(t, "Host", "one.example", 3, time.Hour)
			require.Equal(t, cli.Success, run(t, i.env, args...).code)

			i.during.Store(new(func() {
				i.add(t, "Host", "two.example", 3, 0)
				other := run(t, i.env, args...)
				assert.Equal(t, cli.Success, other.code, other.stderr)
				assert.Equal(t, "one.example\ntwo.example\n", list())
			}))
			r := run(t, i.env, args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, "another run has used it at the same time: the next run reads everything")
			assert.Equal(t, "one.example\n", list())

			r = run(t, i.env, args...)
			assert.Equal(t, cli.Success, r.code, r.stderr)
			assert.Equal(t, "one.example\ntwo.example\n", list())
		})
	}
}

// Several runs that failed because of another run can reset the state at the same time.
func TestConcurrentResets(t *testing.T) {
	t.Parallel()
	for range 20 {
		store := feeds.NewFileStore(filepath.Join(t.TempDir(), "state"))
		saved, err := feeds.LoadCursor(t.Context(), store)
		require.NoError(t, err)
		require.NoError(t, saved.Save(t.Context(), threatconnect.Cursor{Position: "set"}))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				s := state{places: []place{{store: store}}}
				assert.NoError(t, s.forget(t.Context()))
			})
		}
		all.Wait()
		saved, err = feeds.LoadCursor(t.Context(), store)
		require.NoError(t, err)
		assert.True(t, saved.Cursor().IsZero())
	}
}

func TestRunLog(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.add(t, "Host", "one.example", 3, time.Hour)
	i.changes(t, "--tc_log_path", i.dir, "--log-level", "info")
	run(t, i.env, "--tc_log_path", i.dir, "--log-level", "info", "--state", "none", "--owner", "Nobody")
	b, err := os.ReadFile(i.path("app.log"))
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^time=\S+Z level=INFO msg="changes written" owner="Example Source" changed=1 deleted=0 withdrawn=0 upTo=`, string(b))
	assert.Regexp(t, `(?m)^time=\S+Z level=INFO msg="run failed" error="the API user sees no owner`, string(b))
	assert.NotContains(t, string(b), "one.example")
}
