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
	item := func(i int64) string {
		return fmt.Sprintf(`{"ref_1":"host-%05d.example","ref_2":"some xid of a group"}`, i)
	}
	var h held
	for i := range int64(n) {
		require.NoError(t, h.add(waiting{index: i, seq: i, wait: uint64(i % 2), item: []byte(item(i))}))
	}

	// The even ones are ready; use fails in the middle, and nothing is lost.
	full := errors.New("no room")
	taken := int64(0)
	err := h.take(func(wait uint64) bool { return wait == 0 }, func(e waiting, again bool) error {
		if taken == n/4 {
			return full
		}
		require.EqualValues(t, 2*taken, e.seq)
		require.Equal(t, item(e.seq), string(e.item))
		require.False(t, again)
		taken++
		return nil
	})
	require.ErrorIs(t, err, full)
	assert.Equal(t, n-n/4, h.count)
	seen := map[int64]bool{}
	require.NoError(t, h.take(func(uint64) bool { return true }, func(e waiting, _ bool) error {
		require.Equal(t, item(e.seq), string(e.item))
		require.Equal(t, e.seq, e.index)
		seen[e.seq] = true
		return nil
	}))
	assert.Len(t, seen, n-n/4)
	assert.Zero(t, h.count)
	assert.Nil(t, h.sorter)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "no file is left behind")
}

func TestAssociationsThatSayTheSameAreNeighbors(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{`{"ref_1":"x-1","ref_2":"x-2"}`, `{"ref_1":"x-2","ref_2":"x-1"}`, `{"type_1":"Threat","ref_1":"x-1","type_2":"Incident","ref_2":"x-2"}`},
		{`{"type_1":"Host","ref_1":"a.example","ref_2":"x-1"}`, `{"type_1":"Threat","ref_1":"x-1","type_2":"Host","ref_2":"a.example"}`},
		{`{"type_1":"Host","id_1":7,"type_2":"URL","id_2":9,"associationType":"URL Host"}`, `{"type_1":"URL","id_1":9,"type_2":"Host","id_2":7,"associationType":"URL Host"}`},
	} {
		var h held
		for i, text := range same {
			require.NoError(t, h.add(waiting{index: int64(i), seq: int64(i), item: []byte(text)}))
		}
		for i, text := range []string{
			`{"ref_1":"x-1","ref_2":"x-3"}`, `{"id_1":1,"ref_2":"x-2"}`, `{"type_1":"URL","ref_1":"a.example","ref_2":"x-1"}`,
			`{"type_1":"Host","id_1":7,"type_2":"URL","id_2":9,"associationType":"Address to Indicators"}`,
		} {
			require.NoError(t, h.add(waiting{index: int64(10 + i), seq: int64(10 + i), item: []byte(text)}))
		}
		var repeated []int64
		require.NoError(t, h.take(func(uint64) bool { return true }, func(e waiting, again bool) error {
			if again {
				repeated = append(repeated, e.index)
			}
			return nil
		}))
		want := []int64{1, 2}[:len(same)-1]
		assert.Equal(t, want, repeated, "the first of several counts")
	}
}
