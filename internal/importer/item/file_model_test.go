package item

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// entry is an item in a model.
type entry struct {
	section Section
	seq     int64
	text    string
}

// model is a simple implementation of File.
type model [Sections][]entry

func (m *model) all() (all []entry) {
	for s := range m {
		all = append(all, m[s]...)
	}
	return all
}

// bodyText returns the batch file of items.
func bodyText(items []entry) string {
	var lists []string
	for s := range Sections {
		var texts []string
		for _, e := range items {
			if e.section == s {
				texts = append(texts, e.text)
			}
		}
		if len(texts) > 0 {
			lists = append(lists, fmt.Sprintf("%q:[%s]", Keys[s], strings.Join(texts, ",")))
		}
	}
	return "{" + strings.Join(lists, ",") + "}"
}

// randomFile returns a file and its model. The items are JSON objects.
func randomFile(random *rand.Rand, most int) (*File, *model) {
	f, m := new(File), new(model)
	for n := range random.IntN(most + 1) {
		s, seq := Section(random.IntN(int(Sections))), int64(n)
		if s == Associations && random.IntN(2) == 0 {
			seq = ^seq
		}
		text := `{"n":"` + strings.Repeat("x", random.IntN(80)) + `"}`
		if random.IntN(5) == 0 {
			text = "{}"
		}
		f.Add(s, seq, []byte(text))
		m[s] = append(m[s], entry{s, seq, text})
	}
	return f, m
}

// checkFile compares all methods of a file with its model.
func checkFile(t *testing.T, f *File, m *model) {
	t.Helper()
	all := m.all()
	require.Equal(t, len(all), f.Count())
	require.Equal(t, Part{0, len(all)}, f.All())
	want, low := 0, int64(math.MaxInt64)
	for s := range Sections {
		require.Equal(t, len(m[s]), f.Len(s))
		for i, e := range m[s] {
			require.Equal(t, e.text, string(f.Entry(s, i)))
			want += len(e.text) + min(i, 1)
			if e.seq < 0 {
				low = min(low, -1-e.seq)
			} else {
				low = min(low, e.seq)
			}
		}
	}
	require.Equal(t, want, size(f))
	require.Equal(t, low, f.MinSeq())
	require.Less(t, len(bytes.Join(f.Body(f.All()), nil)), want+Frame)
	for pos, e := range all {
		s, text, seq := f.At(pos)
		require.Equal(t, e, entry{s, seq, string(text)}) //nolint:testifylint // the model is expected
		require.Equal(t, KindOf(s, seq), f.KindAt(pos))
	}
	require.Panics(t, func() { f.At(len(all)) })
	for from := range len(all) + 1 {
		for to := from; to <= len(all); to++ {
			p, part := Part{from, to}, all[from:to]
			require.Equal(t, to-from, p.Len())
			text := string(bytes.Join(f.Body(p), nil))
			require.Equal(t, bodyText(part), text)
			require.True(t, json.Valid([]byte(text)))
			require.EqualValues(t, len(text), f.Bytes(p))
			var kinds [Kinds]int64
			for s := range Sections {
				n := 0
				for i, e := range part {
					if e.section != s {
						continue
					}
					kinds[KindOf(s, e.seq)]++
					pos, ok := f.Position(s, n, p)
					require.True(t, ok)
					require.Equal(t, from+i, pos)
					n++
				}
				_, ok := f.Position(s, n, p)
				require.False(t, ok)
				_, ok = f.Position(s, -1, p)
				require.False(t, ok)
			}
			require.Equal(t, kinds, f.Kinds(p))
		}
	}
}

func TestFileMatchesModel(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(60)) {
		random := rand.New(rand.NewPCG(seed, 1))
		f, m := randomFile(random, 20)
		checkFile(t, f, m)

		room := make([]byte, 0, 10)
		for s := range Sections { // rewrite each list; the others do not change
			was := slices.Clone(f.lists[s].text)
			old := f.Rewrite(s, room, func(buf []byte, i int, text []byte) []byte {
				require.Equal(t, m[s][i].text, string(text))
				if random.IntN(2) == 0 {
					m[s][i].text = `{"rewritten":` + fmt.Sprint(random.IntN(1<<30)) + `}`
				}
				return append(buf, m[s][i].text...)
			})
			require.Empty(t, old)
			require.Equal(t, was, old[:len(was):len(was)][:len(was)], "Rewrite returns the old memory")
			room = old
			checkFile(t, f, m)
		}

		var copied File
		copied.Add(Groups, 1, []byte("{}"))
		require.NoError(t, copied.Decode(bytes.Join(f.Encode(), nil)))
		checkFile(t, &copied, m)
		for s := range Sections { // the file is still usable
			copied.Add(s, 99, []byte("{}"))
			m[s] = append(m[s], entry{s, 99, "{}"})
		}
		checkFile(t, &copied, m)
		copied.Reset()
		checkFile(t, &copied, new(model))
	}
}

func TestSplitRespectsLimit(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(200)) {
		random := rand.New(rand.NewPCG(seed, 2))
		f, m := randomFile(random, 40)
		part := f.All()
		part.From = random.IntN(part.To + 1)
		limit := int64(random.IntN(700))
		at := part.From
		parts := f.Split(part, limit)
		for i, p := range parts {
			require.Equal(t, at, p.From, "the parts are in order and have each item once")
			require.True(t, p.Len() > 0 || part.Len() == 0)
			require.True(t, p.Len() == 1 || f.Bytes(p) <= limit || part.Len() == 0, "within the limit")
			at = p.To
			if i+1 < len(parts) { // a part leaves less room than the next item and a frame
				next := m.all()[at].text
				require.Greater(t, f.Bytes(p)+int64(len(next))+1+Frame, limit, "a part smaller than necessary")
			}
		}
		require.Equal(t, part.To, at)
	}
}

// FuzzPayloads decodes arbitrary text. The result is an error or a file with the same encoding.
func FuzzPayloads(f *testing.F) {
	for seed := range scaletest.N(uint64(8)) {
		file, _ := randomFile(rand.New(rand.NewPCG(seed, 3)), 6)
		text := bytes.Join(file.Encode(), nil)
		f.Add(text)
		f.Add(text[:len(text)/2])
		f.Add(append(text, 0))
	}
	f.Add([]byte{1, 2, 0x80, 0, 2, '{', '}', 0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 1, 'x', 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		var file, again File
		before := bytes.Clone(text)
		if err := file.Decode(text); err != nil {
			return
		}
		require.Equal(t, before, text)
		encoded := bytes.Join(file.Encode(), nil)
		require.LessOrEqual(t, len(encoded), len(text), "numbers have the shortest encoding")
		require.NoError(t, again.Decode(encoded))
		require.Equal(t, encoded, bytes.Join(again.Encode(), nil))
		require.Equal(t, size(&file), size(&again))
		want := 0
		for s := range Sections {
			require.Len(t, again.lists[s].items, len(file.lists[s].items))
			for i := range file.Len(s) {
				require.NotEmpty(t, file.Entry(s, i))
				require.Equal(t, file.Entry(s, i), again.Entry(s, i))
				require.Equal(t, file.lists[s].items[i], again.lists[s].items[i])
				want += len(file.Entry(s, i)) + min(i, 1)
			}
		}
		require.Equal(t, want, size(&file), "no byte is outside the items")
	})
}

func TestDecodeRejectsDamagedPayloads(t *testing.T) {
	t.Parallel()
	f, _ := randomFile(rand.New(rand.NewPCG(5, 3)), 6)
	require.NotZero(t, f.Count())
	text := bytes.Join(f.Encode(), nil)
	for n := range text {
		require.Error(t, new(File).Decode(text[:n]), "%d of %d bytes", n, len(text))
	}
	require.Error(t, new(File).Decode(append(slices.Clone(text), 0)))
	require.ErrorIs(t, new(File).Decode(nil), errPayload)
}

func TestReaderStopsAtInvalidInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		read func(r *Reader) any
		want any
	}{
		"a number":           {text: "\x03", read: func(r *Reader) any { return r.Int() }, want: int64(-2)},
		"a number of 0":      {text: "\x00", read: func(r *Reader) any { return r.Uint() }, want: uint64(0)},
		"a size":             {text: "\x02ab", read: func(r *Reader) any { return r.Size() }, want: 2},
		"bytes":              {text: "ab", read: func(r *Reader) any { return string(r.Bytes(2)) }, want: "ab"},
		"no bytes":           {text: "ab", read: func(r *Reader) any { return string(r.Bytes(0)) }, want: ""},
		"no number":          {text: "", read: func(r *Reader) any { return r.Int() }, want: nil},
		"no Uint":            {text: "", read: func(r *Reader) any { return r.Uint() }, want: nil},
		"an open number":     {text: "\x80", read: func(r *Reader) any { return r.Int() }, want: nil},
		"a number too large": {text: strings.Repeat("\xff", 10) + "\x01", read: func(r *Reader) any { return r.Uint() }, want: nil},
		"a size too large":   {text: "\x03ab", read: func(r *Reader) any { return r.Size() }, want: nil},
		"too many bytes":     {text: "ab", read: func(r *Reader) any { return r.Bytes(3) }, want: nil},
		"fewer than none":    {text: "ab", read: func(r *Reader) any { return r.Bytes(-1) }, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Reader{B: []byte(c.text)}
			got := c.read(&r)
			require.Equal(t, c.want == nil, r.Failed())
			if c.want != nil {
				require.Equal(t, c.want, got)
				return
			}
			require.Empty(t, got)
			r.B = append(r.B, 5) // failure is permanent
			require.True(t, r.Failed())
		})
	}
}
