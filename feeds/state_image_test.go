package feeds

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// imageOf returns a state with records, which must be in order.
func imageOf(t testing.TB, h header, records ...record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newImageWriter(&b, h)
	require.NoError(t, err)
	for _, r := range records {
		w.record(r)
	}
	require.NoError(t, w.end(&b))
	return b.Bytes()
}

// isReason reports whether err is a reason to send everything, rather than a failure.
func isReason(err error) bool {
	return slices.Contains([]error{errVersion, errDamaged}, err)
}

func TestDamagedOrOutdatedStates(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	run(t, store, group("x-1"), host(0, 1), host(1, 1))
	whole, err := os.ReadFile(store.path)
	require.NoError(t, err)
	for n := range whole {
		b := slices.Clone(whole)
		b[n] ^= 0x10
		_, err := openImage(bytes.NewReader(b), int64(len(b)))
		assert.True(t, isReason(err) || err == errForeign && n < len(anyState), "byte %d: %v", n, err)
		_, err = openImage(bytes.NewReader(whole[:n]), int64(n))
		assert.Equal(t, errDamaged, err, "cut off after %d bytes", n)
	}
	for name, tc := range map[string]struct {
		text []byte
		want string
	}{
		"unchanged":          {whole, ""},
		"empty":              {nil, errDamaged.Error()},
		"cut off":            {whole[:len(whole)-1], errDamaged.Error()},
		"an extra byte":      {append(slices.Clone(whole), 0), errDamaged.Error()},
		"of version 3":       {bytes.Replace(whole, []byte("state 2"), []byte("state 3"), 1), errVersion.Error()},
		"a long header":      {append([]byte(stateFormat), bytes.Repeat([]byte("x"), maxHeader+checksumBytes+1)...), errDamaged.Error()},
		"two equal items":    {imageOf(t, header{}, record{id{1}, id{1}}, record{id{1}, id{2}}), errDamaged.Error()},
		"items out of order": {imageOf(t, header{}, record{id{2}, id{1}}, record{id{1}, id{2}}), errDamaged.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			require.NoError(t, os.WriteFile(store.path, tc.text, 0o600))
			s := openState(t, store)
			require.Equal(t, tc.want, s.Reason())
			assert.Len(t, runWith(t, s, fate{}, host(0, 1)), min(1, len(tc.want)), "everything is sent if there is a reason, otherwise nothing")
			assert.Empty(t, run(t, store, host(0, 1)), "the next run uses the new state")
		})
	}
}

func TestOpenStateRejectsForeignFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a feed":   "host,rating\na.example,3\n",
		"a cursor": `{"format":"threatconnect-go cursor 1"}`,
		"one byte": "x",
	} {
		store := fileStoreIn(t)
		require.NoError(t, os.WriteFile(store.path, []byte(text), 0o600))
		for _, full := range []bool{false, true} {
			o := options
			o.Full = full
			_, err := OpenState(t.Context(), store, o)
			require.ErrorIs(t, err, errForeign, name)
		}
		b, err := os.ReadFile(store.path)
		require.NoError(t, err)
		assert.Equal(t, text, string(b))
		assert.NoFileExists(t, store.marker(), "no mark is left")
	}
}

func TestStateReadErrors(t *testing.T) {
	t.Parallel()
	var records []record
	for n := range 4 * blockRecords {
		records = append(records, record{item: id{byte(n / 256), byte(n)}})
	}
	whole := imageOf(t, header{Owner: "Example Source"}, records...)
	broken := errors.New("input/output error")
	for at := int64(len(whole)) - 1; at >= 0; at -= int64(scaletest.Stride()) {
		_, err := openImage(readerAt(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) > at {
				return 0, broken
			}
			return bytes.NewReader(whole).ReadAt(p, off)
		}), int64(len(whole)))
		require.ErrorIs(t, err, broken, "a read error is not a reason to send everything")
	}
	for call := 0; ; call++ { // one read fails
		reads := 0
		_, err := openImage(readerAt(func(p []byte, off int64) (int, error) {
			if reads++; reads == call+1 {
				return 0, broken
			}
			return bytes.NewReader(whole).ReadAt(p, off)
		}), int64(len(whole)))
		if reads <= call {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, broken, call)
	}
	fails := false
	i, err := openImage(readerAt(func(p []byte, off int64) (int, error) {
		if fails {
			return 0, broken
		}
		return bytes.NewReader(whole).ReadAt(p, off)
	}), int64(len(whole)))
	require.NoError(t, err)
	fails = true
	_, _, err = i.find(records[300].item)
	require.ErrorIs(t, err, broken)
	_, _, err = i.find(records[300].item)
	require.ErrorIs(t, err, broken, "after a failed read, older data is not used as the block")
	fails = false
	n, _, err := i.find(records[300].item)
	require.NoError(t, err)
	assert.EqualValues(t, 300, n)
}

type readerAt func(p []byte, off int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestStateHoldsLargestCursor(t *testing.T) {
	t.Parallel()
	c := threatconnect.Cursor{Source: string(bytes.Repeat([]byte("\x01"), 4096)), Position: string(bytes.Repeat([]byte("<"), 4096))}
	for n := range uint64(100_000) {
		c.Seen = append(c.Seen, n<<40)
	}
	b := imageOf(t, header{Cursor: c})
	i, err := openImage(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	assert.Equal(t, c, i.header.Cursor)
	_, err = newImageWriter(io.Discard, header{Settings: strings.Repeat("a", maxHeader)})
	require.ErrorContains(t, err, "too long")
}

func FuzzFind(f *testing.F) {
	f.Add(uint64(1), 1000, false)
	f.Add(uint64(2), 5000, true)
	f.Add(uint64(3), 0, true)
	f.Fuzz(func(t *testing.T, seed uint64, n int, crowded bool) {
		random := rand.New(rand.NewPCG(seed, 5))
		var items []id
		for range n & 0x1fff {
			var i id
			for j := range i {
				i[j] = byte(random.Uint32())
				if crowded && j < 12 {
					i[j] &= 1 // close together
				}
			}
			items = append(items, i)
		}
		slices.SortFunc(items, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
		items = slices.Compact(items)
		var records []record
		for i, item := range items {
			if i%2 == 0 {
				records = append(records, record{item, item})
			}
		}
		b := imageOf(t, header{}, records...)
		img, err := openImage(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		for i, item := range items {
			n, content, err := img.find(item)
			require.NoError(t, err)
			if i%2 == 0 {
				require.EqualValues(t, i/2, n)
				require.Equal(t, item, content)
			} else {
				require.EqualValues(t, -1, n)
			}
		}
	})
}

func FuzzOpenImage(f *testing.F) {
	f.Add(imageOf(f, header{Instance: "i", Owner: "o"}, record{id{1}, id{2}}), false)
	f.Add([]byte(stateFormat), false)
	f.Add([]byte(stateFormat+"{}\n"+string(make([]byte, 64))), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, text []byte, sum bool) {
		if sum { // a valid checksum, to test the other checks
			all := sha256.Sum256(text)
			text = append(text, all[:]...)
		}
		i, err := openImage(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			require.True(t, isReason(err) || err == errForeign, "%v", err)
			return
		}
		for n := range i.count {
			r, err := i.record(n)
			require.NoError(t, err)
			at, content, err := i.find(r.item)
			require.NoError(t, err)
			require.Equal(t, []any{n, r.content}, []any{at, content})
		}
		_, _, _ = i.find(id{1})
	})
}

// BenchmarkFind looks up items in a state of a million items.
func BenchmarkFind(b *testing.B) {
	const many = 1_000_000
	var hashes []id
	for n := range uint64(many) {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
		hashes = append(hashes, id(sum[:16]))
	}
	sorted := slices.Clone(hashes)
	slices.SortFunc(sorted, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	path := filepath.Join(b.TempDir(), "state")
	var records []record
	for _, i := range sorted {
		records = append(records, record{i, i})
	}
	require.NoError(b, os.WriteFile(path, imageOf(b, header{}, records...), 0o600))
	content, err := (&fileStore{path: path}).open(b.Context(), "")
	require.NoError(b, err)
	defer content.close()
	img, err := openImage(content, content.size)
	require.NoError(b, err)
	n := 0
	for b.Loop() {
		if at, _, err := img.find(hashes[n%many]); err != nil || at < 0 {
			b.Fatal(at, err)
		}
		n++
	}
}
