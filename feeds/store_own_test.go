//go:build unix

package feeds

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// A state or mark determines which items are sent. If it belongs to another user, or if other users can write to it, it
// is refused and not changed. The case of another owner needs root.
func TestThreatStatesOfOthersAreRejected(t *testing.T) {
	t.Parallel()
	const nobody = 64_123
	dir := func(s *fileStore) string { return filepath.Dir(s.path) }
	file := func(s *fileStore) string { return s.path }
	chmod := func(path func(*fileStore) string, mode os.FileMode) func(*testing.T, *fileStore) {
		return func(t *testing.T, s *fileStore) { require.NoError(t, os.Chmod(path(s), mode)) }
	}
	chown := func(path func(*fileStore) string) func(*testing.T, *fileStore) {
		return func(t *testing.T, s *fileStore) { require.NoError(t, os.Chown(path(s), nobody, nobody)) }
	}
	cases := map[string]struct {
		change func(*testing.T, *fileStore)
		says   string // empty if the state can be used
	}{
		"a state for the group":            {chmod(file, 0o620), "chmod go-w"},
		"a state for everybody":            {chmod(file, 0o606), "chmod go-w"},
		"a state that all can read":        {chmod(file, 0o644), ""},
		"a directory for everybody":        {chmod(dir, 0o777), "everybody can write to its directory: remove that permission, as with chmod o-w, or use another directory"},
		"a sticky directory for everybody": {chmod(dir, 0o777|os.ModeSticky), ""},
		"a link": {func(t *testing.T, s *fileStore) {
			require.NoError(t, os.Rename(s.path, s.path+".old"))
			require.NoError(t, os.Symlink(s.path+".old", s.path))
		}, "symbolic link"},
		"a mark for everybody": {func(t *testing.T, s *fileStore) {
			require.NoError(t, os.WriteFile(s.marker(), []byte(`{"run":"today","token":"x"}`), 0o600))
			chmod((*fileStore).marker, 0o666)(t, s)
		}, "the file with .running at its end: other users can write to it"},
	}
	if os.Geteuid() == 0 {
		cases["a state of another user"] = struct {
			change func(*testing.T, *fileStore)
			says   string
		}{chown(file), "belongs to another user"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			require.NoError(t, os.Chmod(dir(store), 0o700))
			run(t, store, host(0, 1))
			saved, err := os.ReadFile(store.path)
			require.NoError(t, err)
			opened := openState(t, store)
			_, stats, _ := imports(opened, fate{}, host(0, 2))

			c.change(t, store)
			if c.says == "" {
				require.NoError(t, opened.Save(t.Context(), stats, nil))
				return
			}
			require.ErrorContains(t, opened.Save(t.Context(), stats, nil), c.says)
			_, err = OpenState(t.Context(), store, options)
			require.ErrorContains(t, err, c.says)
			if name != "a mark for everybody" { // a cursor has no mark
				_, err = LoadCursor(t.Context(), store)
				require.ErrorContains(t, err, c.says)
			}
			now, err := os.ReadFile(store.path)
			require.NoError(t, err)
			assert.Equal(t, saved, now)
		})
	}

	store := fileStoreIn(t)
	cursor, err := LoadCursor(t.Context(), store)
	require.NoError(t, err)
	require.NoError(t, cursor.Save(t.Context(), threatconnect.Cursor{Position: "1"}))
	require.NoError(t, os.Chmod(store.path, 0o666))
	require.ErrorContains(t, cursor.Save(t.Context(), threatconnect.Cursor{Position: "2"}), "chmod go-w")
}
