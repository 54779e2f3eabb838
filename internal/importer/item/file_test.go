package item

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReserveLimitsCapacityAndCopies(t *testing.T) {
	t.Parallel()
	text := make([]byte, 4<<20)
	for name, size := range map[string]func(n int) int{
		"small items":             func(int) int { return 50 },
		"large items":             func(int) int { return 500 },
		"items that become large": func(n int) int { return 20 + n/50 },
		"items that become small": func(n int) int { return 20 + 200_000/(1+n) },
		"one huge item":           func(n int) int { return map[bool]int{false: 50, true: 4 << 20}[n == 20_000] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f File
			moved, room := 0, 0
			for n := range 25_000 {
				text := text[:max(size(n), 1)]
				f.Reserve(Indicators, len(text)+1, 1<<30, 25_000)
				if f.Add(Indicators, int64(n), text); cap(f.lists[Indicators].text) != room {
					room = cap(f.lists[Indicators].text)
					moved++
				}
			}
			require.LessOrEqual(t, room, 4*len(f.lists[Indicators].text))
			require.LessOrEqual(t, moved, 25)
		})
	}
}

// sample returns a file with items of all kinds.
func sample() *File {
	var f File
	f.Add(Indicators, 5, []byte(`{"i":1}`))
	f.Add(Groups, 3, []byte(`{}`))
	f.Add(Associations, ^4, []byte(`{"l":1}`))
	f.Add(Indicators, 6, []byte(`{"i":22}`))
	f.Add(Associations, 9, []byte(`{"a":1}`))
	f.Add(Indicators, 8, []byte(`{"i":333}`))
	return &f
}

func body(f *File, p Part) string { return string(bytes.Join(f.Body(p), nil)) }

func TestFile(t *testing.T) {
	t.Parallel()
	f := sample()
	require.Equal(t, Part{0, 6}, f.All())
	require.Equal(t, 6, f.All().Len())
	require.Equal(t, 2, Part{1, 3}.Len())
	require.Equal(t, 3, f.Len(Indicators))
	require.Equal(t, [Kinds]int64{Indicator: 3, Group: 1, Association: 1, Link: 1}, f.Kinds(f.All()))
	require.Equal(t, [Kinds]int64{Indicator: 2, Link: 1}, f.Kinds(Part{2, 5}))
	require.EqualValues(t, 3, f.MinSeq())
	require.Equal(t, int64(math.MaxInt64), new(File).MinSeq())
	require.Equal(t, `{"i":22}`, string(f.Entry(Indicators, 1)))
	for pos, want := range []struct {
		json    string
		section Section
		seq     int64
		kind    Kind
	}{
		{json: `{}`, section: Groups, seq: 3, kind: Group}, {json: `{"i":1}`, section: Indicators, seq: 5, kind: Indicator}, {json: `{"i":22}`, section: Indicators, seq: 6, kind: Indicator},
		{json: `{"i":333}`, section: Indicators, seq: 8, kind: Indicator}, {json: `{"l":1}`, section: Associations, seq: ^4, kind: Link}, {json: `{"a":1}`, section: Associations, seq: 9, kind: Association},
	} {
		section, json, seq := f.At(pos)
		require.Equal(t, want.json, string(json))
		require.Equal(t, want.section, section)
		require.Equal(t, want.seq, seq)
		require.Equal(t, want.kind, f.KindAt(pos))
	}
	require.Panics(t, func() { f.At(6) })
}

// size returns the number of bytes of the lists.
func size(f *File) (n int) {
	for s := range f.lists {
		n += len(f.lists[s].text)
	}
	return n
}

func TestBody(t *testing.T) {
	t.Parallel()
	f := sample()
	for part, want := range map[Part]string{
		{0, 6}: `{"group":[{}],"indicator":[{"i":1},{"i":22},{"i":333}],"association":[{"l":1},{"a":1}]}`,
		{2, 5}: `{"indicator":[{"i":22},{"i":333}],"association":[{"l":1}]}`,
		{0, 1}: `{"group":[{}]}`,
	} {
		require.Equal(t, want, body(f, part))
		require.EqualValues(t, len(want), f.Bytes(part))
	}
	require.Equal(t, len(`{}`+`{"i":1},{"i":22},{"i":333}`+`{"l":1},{"a":1}`), size(f))
	require.LessOrEqual(t, len(body(f, f.All())), size(f)+Frame)
}

func TestPosition(t *testing.T) {
	t.Parallel()
	f := sample()
	for _, test := range []struct {
		section Section
		index   int
		part    Part
		want    int
	}{
		{section: Groups, index: 0, part: f.All(), want: 0},
		{section: Indicators, index: 0, part: f.All(), want: 1},
		{section: Indicators, index: 2, part: f.All(), want: 3},
		{section: Associations, index: 1, part: f.All(), want: 5},
		{section: Indicators, index: 0, part: Part{2, 5}, want: 2},
		{section: Indicators, index: 1, part: Part{2, 5}, want: 3},
		{section: Associations, index: 0, part: Part{2, 5}, want: 4},
		{section: Indicators, index: 2, part: Part{2, 5}, want: -1},
		{section: Indicators, index: -1, part: Part{2, 5}, want: -1},
		{section: Groups, index: 0, part: Part{2, 5}, want: -1},
		{section: Associations, index: 1, part: Part{2, 5}, want: -1},
	} {
		pos, ok := f.Position(test.section, test.index, test.part)
		require.Equal(t, test.want >= 0, ok, "%+v", test)
		require.Equal(t, max(test.want, 0), pos, "%+v", test)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	f := sample()
	require.Equal(t, []Part{{0, 6}}, f.Split(f.All(), 1000))
	require.Equal(t, []Part{{2, 3}, {3, 4}}, f.Split(Part{2, 4}, 1), "items that are too large")
	twoItems := Frame + int64(len(`{"i":1},{"i":22},`))
	require.Equal(t, []Part{{1, 3}, {3, 4}}, f.Split(Part{1, 4}, twoItems))
	require.Equal(t, []Part{{1, 2}, {2, 3}, {3, 4}}, f.Split(Part{1, 4}, twoItems-1))
	nextTwo := Frame + int64(len(`{"i":333},{"l":1},`))
	require.Equal(t, []Part{{1, 3}, {3, 5}, {5, 6}}, f.Split(Part{1, 6}, nextTwo))
	require.Equal(t, []Part{{1, 3}, {3, 4}, {4, 6}}, f.Split(Part{1, 6}, nextTwo-1))
	for limit := int64(Frame); limit < 200; limit++ {
		at := 0
		for _, p := range f.Split(f.All(), limit) {
			require.Equal(t, at, p.From)
			require.True(t, p.Len() == 1 || f.Bytes(p) <= limit, "%d bytes of at most %d", f.Bytes(p), limit)
			at = p.To
		}
		require.Equal(t, 6, at)
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	f := sample()
	old := f.Rewrite(Indicators, nil, func(buf []byte, index int, json []byte) []byte {
		return fmt.Appendf(buf, `[%d,%s]`, index, json)
	})
	require.Empty(t, old)
	require.Positive(t, cap(old))
	require.Equal(t, `{"indicator":[[0,{"i":1}],[1,{"i":22}],[2,{"i":333}]]}`, body(f, Part{1, 4}))
	require.Equal(t, `{"i":22}`, string(f.Entry(Indicators, 1)[3:11]))
	require.Equal(t, len(`{}`+`[0,{"i":1}],[1,{"i":22}],[2,{"i":333}]`+`{"l":1},{"a":1}`), size(f))
	require.Equal(t, sample().Kinds(Part{0, 6}), f.Kinds(f.All()))
}

func TestDecode(t *testing.T) {
	t.Parallel()
	f := sample()
	text := bytes.Join(f.Encode(), nil)
	got := sample() // Decode discards the previous items
	require.NoError(t, got.Decode(text))
	require.Equal(t, f, got)
	text[len(text)-1]++
	require.Equal(t, sample(), f, "Decode copies")
	require.Equal(t, `{"group":[{}]}`, body(got, Part{0, 1}))
	text[len(text)-1]--

	got.Reset()
	require.Zero(t, size(got))
	require.Zero(t, got.Count())
	require.NoError(t, got.Decode(bytes.Join(new(File).Encode(), nil)))
	require.Zero(t, got.Count())
	for n := range text {
		require.Error(t, got.Decode(text[:n]), "the first %d bytes", n)
	}
	require.Error(t, got.Decode(append(slices.Clone(text), 0)), "one extra byte")
	groups := func(items uint64, sizes []uint64, text string) []byte {
		b := binary.AppendUvarint(nil, items)
		for _, size := range sizes {
			b = binary.AppendUvarint(binary.AppendVarint(b, 0), size)
		}
		return append(append(binary.AppendUvarint(b, uint64(len(text))), text...), 0, 0, 0, 0)
	}
	require.NoError(t, got.Decode(groups(2, []uint64{1, 2}, "1,2")))
	require.Error(t, got.Decode(groups(2, []uint64{1, 1}, "1,")), "an item without a byte")
	require.Error(t, got.Decode(groups(1, []uint64{0}, "")), "an item without a byte")
	require.Error(t, got.Decode(groups(1, []uint64{1<<32 + 1}, "1")), "a size that exceeds 32 bits")
	changed := slices.Clone(text)
	for i := range changed {
		for bit := range 8 {
			changed[i] ^= 1 << bit
			if got.Decode(changed) == nil { // any file that decodes is consistent
				want := 0
				for s := range Sections {
					for index := range got.Len(s) {
						require.NotEmpty(t, got.Entry(s, index))
						want += len(got.Entry(s, index))
					}
					want += max(got.Len(s)-1, 0)
				}
				require.Equal(t, want, size(got))
			}
			changed[i] ^= 1 << bit
		}
	}
}
