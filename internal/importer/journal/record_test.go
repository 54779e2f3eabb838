package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// frame returns a record with an arbitrary header.
func frame(head string, raw ...string) []byte {
	b := []byte(magic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum([]byte(head), castagnoli))
	b = append(b, head...)
	for _, r := range raw {
		b = append(b, r...)
	}
	return b
}

// sample returns a record and its raw parts.
func sample(t testing.TB) (text []byte, raw [][]byte) {
	raw = [][]byte{[]byte("links"), {}, []byte("released"), []byte("the first items"), []byte("more items")}
	h := &header{Slot: 7, Token: "TOKEN", record: record{Added: &Added{Totals: item.Totals{Added: 3}, File: 1}}}
	parts, err := encode(h, raw)
	require.NoError(t, err)
	return slices.Concat(parts...), raw
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	text, raw := sample(t)
	h, got, err := decode(7, text)
	require.NoError(t, err)
	assert.Equal(t, raw, got)
	assert.Equal(t, "TOKEN", h.Token)
	assert.Equal(t, &Added{Totals: item.Totals{Added: 3}, File: 1}, h.Added)
	_, _, err = decode(8, text)
	require.ErrorIs(t, err, errPlace)
}

// TestEveryChangedByteIsDetected changes each byte of a record and truncates the record at each byte.
func TestEveryChangedByteIsDetected(t *testing.T) {
	t.Parallel()
	text, raw := sample(t)
	begin := len(text)
	for _, part := range raw {
		begin -= len(part)
	}
	// damaged returns the indexes of the parts that overlap text[from:to].
	damaged := func(from, to int) (parts []int) {
		at := begin
		for i, part := range raw {
			if len(part) > 0 && from < at+len(part) && at < to {
				parts = append(parts, i)
			}
			at += len(part)
		}
		return parts
	}
	check := func(text []byte, from, to int) {
		h, got, err := decode(7, text)
		if from < begin {
			require.Error(t, err, "%d to %d", from, to)
			return
		}
		require.NoError(t, err)
		require.Equal(t, int64(1), h.Added.File)
		require.Len(t, got, len(raw))
		bad := damaged(from, to)
		require.NotEmpty(t, bad)
		for i := range raw {
			if slices.Contains(bad, i) {
				require.Nil(t, got[i], "%d to %d", from, to)
			} else {
				require.Equal(t, raw[i], got[i])
			}
		}
	}
	for i := range text {
		for _, flip := range []byte{1, 0x80, 0xff} {
			changed := bytes.Clone(text)
			changed[i] ^= flip
			check(changed, i, i+1)
		}
		check(text[:i], i, len(text))
	}
}

func TestRecordsOfOtherVersions(t *testing.T) {
	t.Parallel()
	next := []byte(magic)
	next[len(magic)-1]++
	for name, test := range map[string]struct {
		text []byte
		want error
	}{
		"empty":                {nil, errNoRecord},
		"something else":       {[]byte(strings.Repeat("something else", 10)), errNoRecord},
		"too short":            {[]byte(magic), errNoRecord},
		"just the magic":       {frame(""), errVersion},
		"a later format":       {append(next, make([]byte, 8)...), errVersion},
		"not JSON":             {frame("{"), errVersion},
		"another slot":         {frame(`{"Slot":3}`), errPlace},
		"an unknown kind":      {frame(`{"Slot":2,"Renamed":{}}`), errUnknown},
		"a part of -1 byte":    {frame(`{"Slot":2,"Added":{},"Parts":[{"Size":-1}]}`), errDamaged},
		"too few parts":        {frame(`{"Slot":2,"Added":{}}`), errDamaged},
		"invalid links":        {valid(2, []byte(`{"Added":{},"Parts":[{"Size":1},{},{}]}`), []byte{0}), errContent},
		"invalid groups":       {valid(2, []byte(`{"Added":{},"Parts":[{},{"Size":1},{}]}`), []byte{0x80}), errContent},
		"invalid indexes":      {valid(2, []byte(`{"Added":{},"Parts":[{},{},{"Size":1}]}`), []byte{0x80}), errContent},
		"links of a state":     {valid(2, []byte(`{"Checkpoint":{"State":{"Links":[{}]}},"Parts":[{"Size":1},{}]}`), []byte{0}), errContent},
		"no state":             {frame(`{"Slot":2,"Checkpoint":{}}`), errDamaged},
		"no parts of a state":  {frame(`{"Slot":2,"Checkpoint":{"State":{}}}`), errDamaged},
		"a file that is null":  {frame(`{"Slot":2,"Checkpoint":{"State":{"Files":[null]}},"Parts":[{},{}]}`), errContent},
		"links that are null":  {frame(`{"Slot":2,"Checkpoint":{"State":{"Links":[null]}},"Parts":[{},{}]}`), errContent},
		"groups that are null": {frame(`{"Slot":2,"Checkpoint":{"State":{"Groups":[null]}},"Parts":[{},{}]}`), errContent},
		"too few groups":       {frame(`{"Slot":2,"Checkpoint":{"State":{"Groups":[{"Runs":[{"File":1,"Count":2}]}]}},"Parts":[{},{}]}`), errContent},
		"a job for no file":    {frame(`{"Slot":2,"Created":{"File":1}}`), errOrder},
		"links of nothing":     {frame(`{"Slot":2,"Moved":{"Links":{}}}`), errOrder},
		"groups of nothing":    {frame(`{"Slot":2,"Moved":{"Groups":{}}}`), errOrder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore()
			store.records[slotName(1)] = frame(`{"Slot":1,"Start":{"Run":"today"}}`)
			store.records[slotName(2)] = test.text
			_, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
			require.ErrorIs(t, err, ErrRecord)
			require.ErrorIs(t, err, test.want)
			assert.ErrorContains(t, err, "slot-0000000002")
			fix := ": restore it"
			if test.want == errVersion || test.want == errUnknown {
				fix = ": use a version that can read it"
			}
			assert.ErrorContains(t, err, fix+", or begin again with an empty spool")
			assert.Len(t, store.records, 2, "Open wrote a record")
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	t.Parallel()
	store := newStore()
	store.records[slotName(1)] = frame(`{"Slot":1,"Later":7,"Start":{"Run":"today","Later":{"x":[1]}}}`)
	store.records[slotName(2)] = frame(`{"Slot":2,"Added":{"Later":1,"Totals":{"Added":4,"Later":2},"Held":9},"Parts":[{"Later":true},{},{},{"Size":3}]}`, "new")
	store.records[slotName(3)] = frame(`{"Slot":3,"Checkpoint":{"Later":1,"State":{"Later":1,"Start":{"Run":"today"},"Totals":{"Added":4}}},"Parts":[{},{}]}`)
	j := open(t, store)
	assert.Equal(t, "today", j.state.Start.Run)
	assert.Equal(t, int64(4), j.state.Totals.Added)
}

func TestSlotNames(t *testing.T) {
	t.Parallel()
	for _, slot := range []int64{1, 42, 9_999_999_999, 10_000_000_000, 1<<63 - 1} {
		got, ok := slotOf(slotName(slot))
		assert.True(t, ok)
		assert.Equal(t, slot, got)
	}
	for _, name := range []string{"", "slot-", "slot-1", "slot-0000000000", "slot--000000001", "slot-+000000001", "slot-00000000001", "0000000001",
		"slot-0000000001.tmp", "Slot-0000000001", "slot-99999999999999999999", "my-slot-0000000001"} {
		_, ok := slotOf(name)
		assert.False(t, ok, name)
	}
	store := newStore()
	store.records["notes-9999999999"] = []byte("mine")
	store.records["slot-7"] = []byte("mine")
	begin(t, store)
	begin(t, store)
	assert.Equal(t, "mine", string(store.records["notes-9999999999"]))
	assert.Equal(t, "mine", string(store.records["slot-7"]))
}

// FuzzSpoolRecords replays arbitrary records. It uses each text as a record and as the content of a
// record with valid checksums.
func FuzzSpoolRecords(f *testing.F) {
	m, store := newMachine(11), newStore()
	j := begin(f, store)
	for n := range 60 {
		require.NoError(f, do(context.Background(), j, m.next(false)))
		if n == 40 {
			require.NoError(f, j.checkpoint(context.Background(), nil))
			out := j.state.lastLinks().compact()
			require.NoError(f, j.append(context.Background(), &record{Moved: &moved{Links: &out}}, [][]byte{out.data}))
		}
	}
	slots := store.slots()
	for i := range slots {
		first, second := store.records[slotName(slots[i])], store.records[slotName(slots[max(i-1, 0)])]
		f.Add(second, first, []byte("raw"), int64(i))
		for _, text := range [][]byte{first, second} {
			size := binary.LittleEndian.Uint32(text[len(magic):])
			f.Add(second, text[headLen:headLen+int(size)], text[headLen+int(size):], int64(i))
		}
	}
	f.Add([]byte(`null`), []byte(nil), []byte(nil), int64(0))
	f.Add([]byte(nil), []byte(`{"Checkpoint":{"State":{"Files":[{"Number":1},null]}},"Parts":[{},{}]}`), []byte(nil), int64(0))
	f.Add([]byte(nil), []byte(`{"Settled":{"File":1,"Outcome":{"Failures":[{"Problem":{}}]}}}`), []byte(nil), int64(0))
	f.Add([]byte(`{"Added":{"File":1,"Kinds":[-1,9223372036854775807,0,0]},"Parts":[{},{},{}]}`), []byte(`{"Created":{"File":1}}`), []byte(nil), int64(0))
	f.Fuzz(func(t *testing.T, a, b, raw []byte, n int64) {
		replay(t, a, b)
		replay(t, frame(`{"Slot":1,"Start":{}}`), valid(2, a, nil), valid(3, b, raw))
		replay(t, valid(1, b, raw), valid(2, a, nil))
	})
}

// valid returns a record with a matching slot and checksums.
func valid(slot int64, head, raw []byte) []byte {
	var fields map[string]json.RawMessage
	var parts []part
	if json.Unmarshal(head, &fields) != nil || fields == nil { // null is not an object either
		return frame(string(head), string(raw))
	}
	_ = json.Unmarshal(fields["Parts"], &parts)
	rest := raw
	for i := range parts {
		p := &parts[i]
		p.Size = max(0, min(p.Size, len(rest)))
		p.Sum = crc32.Checksum(rest[:p.Size], castagnoli)
		rest = rest[p.Size:]
	}
	fields["Slot"], _ = json.Marshal(slot)
	fields["Parts"], _ = json.Marshal(parts)
	text, _ := json.Marshal(fields)
	return frame(string(text), string(raw))
}

// replay opens a journal and uses its whole state. Open must return a usable journal or an ErrStore.
func replay(t *testing.T, texts ...[]byte) {
	store := newStore()
	for i, text := range texts {
		store.records[slotName(int64(i+1))] = text
	}
	j, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
	if err != nil {
		require.ErrorIs(t, err, ErrStore)
		require.Nil(t, j)
		return
	}
	state := text(t, &j.state)
	require.Equal(t, state, text(t, &open(t, store.clone()).state), "the next process has another state")
	use := func(j *Journal) error {
		if err := j.Waiting(t.Context(), func(Deferred) error { return nil }); err != nil {
			return err
		}
		return j.Known(t.Context(), func(uint64, int64) {})
	}
	if err := use(j); err != nil {
		require.ErrorIs(t, err, ErrRecord)
	}
	for _, f := range slices.Clone(j.state.Files) {
		var into item.File
		if err := j.Payload(t.Context(), f, &into); err != nil {
			require.ErrorIs(t, err, ErrRecord)
		}
		for range f.Contents {
			_ = j.Attach(t.Context(), &Attached{File: f.Number})
		}
		_ = j.Settle(t.Context(), &Settled{File: f.Number})
	}
	_ = j.Add(t.Context(), added(&j.state, true, 1).Added)
	_ = j.End(t.Context(), End{})
}
