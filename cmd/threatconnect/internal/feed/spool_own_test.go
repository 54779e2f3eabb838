//go:build unix

package feed

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// A saved feed or a spool that other users can write to is not imported.
func TestSpoolWritableByOthersIsRejected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(dir string) error
		says   string
	}{
		"a directory for everybody": {func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, "the directory: other users can write to it: remove that permission, as with chmod go-w, or use a new directory"},
		"a directory for the group": {func(dir string) error { return os.Chmod(dir, 0o770) }, "other users can write to it"},
		"a saved feed": {func(dir string) error {
			path := filepath.Join(dir, "20260101T000000-000000000.feed")
			if err := os.WriteFile(path, []byte("evil.example\n"), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, 0o666)
		}, ".feed in it: other users can write to it"},
		"a link in place of a feed": {func(dir string) error {
			return os.Symlink("/etc/passwd", filepath.Join(dir, "20260101T000000-000000000.feed"))
		}, ".feed in it: it is not a regular file"},
		"a link in place of the lock": {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "lock")) }, "symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			dir := filepath.Join(t.TempDir(), "spool")
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, c.change(dir))
			s := reportOf(t, to(t, srv).feed("a.example\n").run(t.Context(), "--input", "-", "--json", "--spool", dir))
			assert.Equal(t, 1, s.Exit)
			assert.Contains(t, s.Cause, "--spool: ")
			assert.Contains(t, s.Cause, c.says)
			assert.Empty(t, srv.Indicators(owner))
		})
	}
}
