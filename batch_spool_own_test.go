//go:build unix

package threatconnect_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Write access to a spool controls the import. A directory or record that other users own or can write to must be
// rejected before anything is sent. Only root can test the case of another owner.
func TestThreatSpoolWritableByOthersIsRejected(t *testing.T) {
	t.Parallel()
	const nobody = 64_123
	for name, c := range map[string]struct {
		mode   os.FileMode // of the directory
		record os.FileMode // of one of the records
		owner  bool        // another user, if the test can be one
		says   string
	}{
		"a directory for the group":     {0o770, 0o600, false, "other users can write to it: remove that permission, as with chmod go-w, or use a new directory"},
		"a directory for everybody":     {0o777, 0o600, false, "chmod go-w, or use a new directory"},
		"a sticky directory":            {0o777 | os.ModeSticky, 0o600, false, "chmod go-w, or use a new directory"},
		"a record for the group":        {0o700, 0o620, false, "chmod go-w"},
		"a record for everybody":        {0o700, 0o666, false, "chmod go-w"},
		"a directory of another user":   {0o700, 0o600, true, "belongs to another user"},
		"a directory that all may read": {0o755, 0o644, false, ""},
	} {
		if c.owner && os.Geteuid() != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "spool")
			names := leftIn(t, dir)
			for _, name := range names {
				require.NoError(t, os.Chmod(filepath.Join(dir, name), c.record))
			}
			require.NoError(t, os.Chmod(dir, c.mode))
			if c.owner {
				require.NoError(t, os.Chown(dir, nobody, nobody))
			}
			synctest.Test(t, func(t *testing.T) { // spool operations are retried for a while
				srv := threatconnecttest.NewT(t)
				cfg := appendConfig()
				cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "today"
				_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
				if c.says == "" {
					require.NotErrorIs(t, err, threatconnect.ErrSpool)
					return
				}
				require.ErrorIs(t, err, threatconnect.ErrSpool)
				require.ErrorContains(t, err, c.says)
				assert.Empty(t, srv.Jobs(), "nothing is sent")
				assert.ElementsMatch(t, names, files(t, dir), "nothing is written")
			})
		})
	}
}
