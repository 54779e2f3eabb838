package feed

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestFeedName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ feed, input, want string }{
		{"", "", "sample"},
		{"", "-", ""},
		{"mine", "-", "mine"},
		{"2026-01-02", "daily/feed-2026-01-02.csv", "2026-01-02"},
		{"", "daily/feed.csv", "feed.csv"},
		{"", "https://feed.example/v2.1/urls.csv?key=secret#part", "feed.example/v2.1/urls.csv"},
		{"", "https://user:secret@feed.example/91a7b528-80eb-42ed-a74d-c6fbd5a26116/", "feed.example/91a7b528-80eb-42ed-a74d-c6fbd5a26116/"},
		{"", "https://10.20.30.40/hosts.jsonl", "10.20.30.40/hosts.jsonl"},
		{"", "daily/feed-2026-01-02.csv", ""},
		{"", "feed_20260102.csv", ""},
		{"", "feed-26-01-02.csv", ""},
		{"", "feed-1764416464.csv", ""},
		{"", "https://feed.example/2026/01/02/urls.csv", ""},
	} {
		assert.Equal(t, c.want, (&config{feed: c.feed, input: c.input}).feedName(), c)
	}
}

// The XIDs of groups depend on the name of the feed, unless --raw-xids is set.
func TestFeedsInOneOwnerHaveSeparateGroups(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	e.args = nil
	dir := t.TempDir()
	names := func() (names []string) {
		for _, g := range srv.Groups(owner) {
			names = append(names, g.Name)
		}
		return names
	}
	for _, step := range []struct {
		file, group string
		args        []string
		want        []string
	}{
		{"a.jsonl", "A", []string{}, []string{"A"}},
		{"b.jsonl", "B", []string{}, []string{"A", "B"}},
		{"c.jsonl", "A2", []string{"--feed", "a.jsonl"}, []string{"A2", "B"}},
		{"a.jsonl", "A3", []string{}, []string{"A3", "B"}},
		{"a.jsonl", "C", []string{"--raw-xids"}, []string{"A3", "B", "C"}},
	} {
		path := filepath.Join(dir, step.file)
		require.NoError(t, os.WriteFile(path, []byte(`{"group":{"type":"Threat","name":"`+step.group+`","xid":"x-1"}}`+"\n"), 0o600))
		r := e.run(t.Context(), append(step.args, "--input", path)...)
		require.Equal(t, 0, r.exit, r.stderr)
		assert.Equal(t, step.want, names(), step.group)
	}
	literal, ok := srv.Group("x-1")
	require.True(t, ok)
	assert.Equal(t, "C", literal.Name)

	s := reportOf(t, e.feed(`{"group":{"type":"Threat","name":"n","xid":"x-1"}}`).run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Cause, "--feed is missing for a feed with groups: choose a name that stays the same")
}
