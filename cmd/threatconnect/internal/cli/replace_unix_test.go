//go:build unix

package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreatLogsAndMessagesRejectLinks(t *testing.T) {
	t.Parallel()
	const before = "of somebody else\n"
	for name, write := range map[string]func(dir string) error{
		"app.log": func(dir string) error {
			log, file, err := (&Log{Dir: dir}).Open(io.Discard)
			if err != nil {
				return err
			}
			log.Error("appended")
			return file.Close()
		},
		"message.tc": func(dir string) error { return WriteMessage(dir, "replaced") },
		"report.json": func(dir string) error {
			return ReplaceFile(filepath.Join(dir, "report.json"), func(w io.Writer) error { return WriteJSON(w, 1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim, path := filepath.Join(t.TempDir(), "victim"), filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(victim, []byte(before), 0o644))
			for _, target := range []string{victim, filepath.Join(dir, "none")} {
				require.NoError(t, os.Symlink(target, path))
				require.ErrorContains(t, write(dir), "symbolic link")
				require.NoError(t, os.Remove(path))
				assert.NoFileExists(t, filepath.Join(dir, "none"))
			}
			require.NoError(t, write(dir))
			b, err := os.ReadFile(victim)
			require.NoError(t, err)
			assert.Equal(t, before, string(b))
		})
	}
}
