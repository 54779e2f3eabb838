package extsort

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogKeepsRecordsInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 100, 20_000} {
		dir := t.TempDir()
		l := NewLog(dir, 0)
		random := rand.New(rand.NewPCG(1, uint64(n)))
		want, at := make([]string, n), make([]int64, n)
		for i := range n {
			want[i] = fmt.Sprint(i, strings.Repeat("x", random.IntN(20)))
			if i%5_000 == 4_999 {
				want[i] = strings.Repeat("large", minLimit)
			}
			var err error
			at[i], err = l.Add([]byte(want[i]))
			require.NoError(t, err)
		}
		for range 2 {
			got := make([]string, 0, n)
			for rec, err := range l.All() {
				require.NoError(t, err)
				got = append(got, string(rec))
			}
			require.Equal(t, want, got)
		}
		for _, i := range random.Perm(n) {
			rec, err := l.At(at[i])
			require.NoError(t, err)
			require.Equal(t, want[i], string(rec))
		}
		assert.Equal(t, n > 1000, l.run != nil, "%d records use a file", n)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		if os.PathSeparator == '/' {
			assert.Empty(t, left, "open files have no name")
		}
		l.Close()
		l.Close()
		left, err = os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
		_, err = l.Add(nil)
		assert.ErrorContains(t, err, "closed")
		_, err = l.At(0)
		assert.ErrorContains(t, err, "closed")
	}
}

func TestLogReturnsFileErrors(t *testing.T) {
	t.Parallel()
	l := NewLog(filepath.Join(t.TempDir(), "missing"), 0)
	var err error
	for i := 0; err == nil && i < 100_000; i++ {
		_, err = l.Add([]byte("record"))
	}
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = l.Add(nil)
	require.ErrorIs(t, err, os.ErrNotExist, "the error is permanent")
	for _, err := range l.All() {
		require.ErrorIs(t, err, os.ErrNotExist)
	}

	l = NewLog(t.TempDir(), 0)
	defer l.Close()
	var at int64
	for i := range 20_000 {
		got, err := l.Add([]byte("record"))
		require.NoError(t, err)
		if i == 100 {
			at = got
		}
	}
	_, err = l.run.file.WriteAt([]byte("X"), at+8)
	require.NoError(t, err)
	_, err = l.At(at)
	require.ErrorIs(t, err, errChanged)
	n := 0
	for _, e := range l.All() {
		err = e
		n++
	}
	require.ErrorIs(t, err, errChanged)
	require.Equal(t, 101, n, "the records before the change")
}
