package threatconnect

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeldAssociationsAreKeptBeyondMemory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	const n = 40_000
	item := func(i int) string { return fmt.Sprintf(`{"ref_1":"host-%d.example","ref_2":"some xid of a group"}`, i) }
	var h held
	for i := range n {
		require.NoError(t, h.add(int64(i), uint64(i%2), []byte(item(i))))
		require.LessOrEqual(t, len(h.buf), heldInMemory)
	}
	require.NotNil(t, h.file, "that is more than is kept in memory")
	info, err := h.file.Stat()
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	// The even ones are ready; use fails in the middle, and nothing is lost.
	full := errors.New("no room")
	taken := 0
	err = h.take(func(wait uint64) bool { return wait == 0 }, func(seq int64, got []byte) error {
		if taken == n/4 {
			return full
		}
		require.EqualValues(t, 2*taken, seq)
		require.Equal(t, item(int(seq)), string(got))
		taken++
		return nil
	})
	require.ErrorIs(t, err, full)
	assert.Equal(t, n-n/4, h.count)
	seen := map[int64]bool{}
	require.NoError(t, h.take(func(uint64) bool { return true }, func(seq int64, got []byte) error {
		require.Equal(t, item(int(seq)), string(got))
		seen[seq] = true
		return nil
	}))
	assert.Len(t, seen, n-n/4)
	assert.Zero(t, h.count)
	assert.Nil(t, h.file)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "no file is left behind")
}
