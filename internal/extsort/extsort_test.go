package extsort

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// all returns all records as text.
func all(t *testing.T, s *Sorter) []string {
	t.Helper()
	got := []string{}
	for rec, err := range s.Sorted() {
		if err != nil { // an assertion per record costs as much as sorting
			require.NoError(t, err)
		}
		got = append(got, string(rec.Key)+"="+string(rec.Value))
	}
	return got
}

func TestSortKeepsOrderOfEqualKeys(t *testing.T) {
	t.Parallel()
	const merged = 60_000 // more than fanIn runs
	for _, n := range []int{0, 1, 2, 1000, 10_000, merged} {
		dir := t.TempDir()
		s := New(dir, 0)
		random := rand.New(rand.NewPCG(1, uint64(n)))
		want := make([]string, 0, n)
		for i := range n {
			key := fmt.Sprintf("%05x", random.IntN(n))
			value := fmt.Sprintf("%030d", i)
			want = append(want, key+"="+value)
			if err := s.Add([]byte(key), []byte(value)); err != nil {
				require.NoError(t, err)
			}
		}
		slices.Sort(want) // values count up, so this is the order of addition
		require.Equal(t, want, all(t, s))
		require.Equal(t, want, all(t, s), "second iteration")
		assert.Equal(t, n > 5000, len(s.runs) > 0, "%d records use files", n)
		assert.Equal(t, n == merged, len(s.runs) > 0 && s.runs[0].level > 0, "%d records are merged", n)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		if os.PathSeparator == '/' {
			assert.Empty(t, left, "open files have no name")
		}
		s.Close()
		s.Close()
		left, err = os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
		assert.Error(t, s.Add([]byte("k"), nil), "the sorter is closed")
	}
}

// Merging all runs whenever there are fanIn of them would write each record several times as often.
func TestBytesWrittenPerRecordGrowSlowly(t *testing.T) {
	t.Parallel()
	perRecord := func(n int) float64 {
		s := New(t.TempDir(), 0)
		defer s.Close()
		random := rand.New(rand.NewPCG(1, uint64(n)))
		var record [40]byte
		for range n {
			binary.LittleEndian.PutUint64(record[:], random.Uint64())
			if err := s.Add(record[:8], record[8:]); err != nil {
				require.NoError(t, err)
			}
		}
		written := int64(0)
		for i, r := range s.runs {
			require.Less(t, i, 2*fanIn, "too many open files")
			info, err := r.file.Stat()
			require.NoError(t, err)
			require.Equal(t, info.Size(), r.size)
			written += r.size * int64(r.level+1)
		}
		return float64(written) / float64(n)
	}
	n := scaletest.Size(800_000)
	few, many := perRecord(50_000), perRecord(n)
	t.Logf("%.0f bytes per record of 50,000, %.0f of %d", few, many, n)
	assert.LessOrEqual(t, many, 1.5*few)
}

func TestSortedBreakLeaksNothing(t *testing.T) {
	t.Parallel()
	s := New(t.TempDir(), 0)
	defer s.Close()
	for i := range 20_000 {
		require.NoError(t, s.Add(binary.BigEndian.AppendUint32(nil, uint32(i)), nil))
	}
	for rec, err := range s.Sorted() {
		require.NoError(t, err)
		if rec.Key[3] == 7 {
			break
		}
	}
}

func TestSorterReturnsFileErrors(t *testing.T) {
	t.Parallel()
	s := New(filepath.Join(t.TempDir(), "missing"), 0)
	var err error
	for i := 0; err == nil && i < 100_000; i++ {
		err = s.Add([]byte("key"), []byte("value"))
	}
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorIs(t, s.Add(nil, nil), os.ErrNotExist, "the error is permanent")
	for _, err := range s.Sorted() {
		require.ErrorIs(t, err, os.ErrNotExist)
	}

	s = New(t.TempDir(), 0)
	defer s.Close()
	for range 20_000 {
		require.NoError(t, s.Add([]byte("key"), []byte("value")))
	}
	require.NotEmpty(t, s.runs)
	for _, change := range []string{strings.Repeat("\xff", 64), "k", "\x00"} {
		old := make([]byte, len(change))
		_, err = s.runs[0].file.ReadAt(old, 100)
		require.NoError(t, err)
		_, err = s.runs[0].file.WriteAt([]byte(change), 100)
		require.NoError(t, err)
		for _, e := range s.Sorted() {
			err = e
		}
		require.Error(t, err, "a changed file")
		_, err = s.runs[0].file.WriteAt(old, 100)
		require.NoError(t, err)
	}
	require.Len(t, all(t, s), 20_000, "the file is restored")

	require.ErrorIs(t, New(t.TempDir(), 0).Add(make([]byte, minLimit+1), nil), errTooLarge)
}

func TestChangedLengthIsNotAllocated(t *testing.T) {
	t.Parallel()
	for name, lengths := range map[string][2]uint64{"key": {1 << 62, 1}, "value": {1, 1 << 62}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := binary.AppendUvarint(binary.AppendUvarint(nil, lengths[0]), lengths[1])
			_, err := (&reader{in: bufio.NewReader(bytes.NewReader(text))}).next()
			require.ErrorIs(t, err, errChanged)
		})
	}
}

func FuzzSorter(f *testing.F) {
	f.Add([]byte("b\x00a\x00a\x00"), uint16(3))
	f.Add([]byte("12345678b\x0012345678a\x0012345678\x001234567\x0012345679"), uint16(300))
	f.Fuzz(func(t *testing.T, text []byte, times uint16) {
		s := New(t.TempDir(), 0)
		defer s.Close()
		want := []string{}
		for i := range int(times % 512) {
			for key := range strings.SplitSeq(string(text), "\x00") {
				value := fmt.Sprint(i)
				want = append(want, key+"="+value)
				require.NoError(t, s.Add([]byte(key), []byte(value)))
			}
		}
		slices.SortStableFunc(want, func(a, b string) int {
			return strings.Compare(a[:strings.LastIndexByte(a, '=')], b[:strings.LastIndexByte(b, '=')])
		})
		require.Equal(t, want, all(t, s))
	})
}

func BenchmarkSorter(b *testing.B) {
	s := New(b.TempDir(), 8<<20)
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	var key [16]byte
	for b.Loop() {
		binary.BigEndian.PutUint64(key[:], random.Uint64())
		if err := s.Add(key[:], key[:8]); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for _, err := range s.Sorted() {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
