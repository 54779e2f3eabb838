package export

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// sortedBy runs entries through the sorter of a block list.
func sortedBy(t *testing.T, entries []entry) []entry {
	t.Helper()
	b := blocklist{sorter: extsort.New("", 0)}
	defer b.abort()
	for _, e := range entries {
		action := deleted
		if e.listed {
			action = changed
		}
		require.NoError(t, b.write(&change{Action: action, Type: threatconnect.TypeHost, Indicator: e.value}))
	}
	var got []entry
	for e, err := range lastOf(b.sorter) {
		require.NoError(t, err)
		got = append(got, e)
	}
	return got
}

// sortedPlainly is what a sorter should do, done in memory.
func sortedPlainly(entries []entry) []entry {
	last := map[string]bool{}
	for _, e := range entries {
		last[e.value] = e.listed
	}
	var want []entry
	for v, listed := range last {
		want = append(want, entry{v, listed})
	}
	slices.SortFunc(want, func(a, b entry) int { return strings.Compare(a.value, b.value) })
	return want
}

func TestOfTheChangesOfAValueTheLastOneCounts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var entries []entry
	for range 10_000 { // more than fit into memory
		entries = append(entries, entry{"v" + strconv.Itoa(r.IntN(500)), r.IntN(2) == 0})
	}
	assert.Equal(t, sortedPlainly(entries), sortedBy(t, entries))
	assert.Empty(t, sortedBy(t, nil))
}

func FuzzChangesOfABlockList(f *testing.F) {
	f.Add("a b -a c -c c")
	f.Add("-z z -z")
	f.Fuzz(func(t *testing.T, text string) {
		var entries []entry
		for _, word := range strings.Fields(text) {
			v, removed := strings.CutPrefix(word, "-")
			if len(blockValues(&change{Type: threatconnect.TypeHost, Indicator: v})) > 0 && len(entries) < 100 {
				entries = append(entries, entry{v, !removed})
			}
		}
		require.Equal(t, sortedPlainly(entries), sortedBy(t, entries))
	})
}

func TestWindowRemembersTheOverlapOnly(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	w := newWindow(10 * time.Minute)
	w.keep(1)
	w.add(2, end.Add(-time.Hour))
	w.add(3, end.Add(-9*time.Minute))
	w.add(4, end)
	w.add(5, end.Add(-10*time.Minute))
	w.add(6, end.Add(-11*time.Minute))
	p := w.progress(time.Time{}, end.Add(time.Hour))
	known, err := p.known()
	require.NoError(t, err)
	assert.Equal(t, map[uint64]bool{1: true, 3: true, 4: true, 5: true}, known)
	assert.Equal(t, end, p.Cursor)
	assert.False(t, p.forgot)
}

func TestWindowEndsNoLaterThanTheRunBegan(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	w := newWindow(time.Minute)
	w.add(1, end)
	p := w.progress(end.Add(-time.Hour), end.Add(-time.Second))
	assert.Equal(t, end.Add(-time.Second), p.Cursor)
	p = newWindow(time.Minute).progress(end, end.Add(time.Hour))
	assert.Equal(t, end, p.Cursor, "a run that sees nothing stays where the last one was")
	p = newWindow(time.Minute).progress(time.Time{}, end)
	assert.True(t, p.Cursor.IsZero())
}

func TestWindowIsBounded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	w := newWindow(10 * time.Minute)
	for i := range uint64(5 * maxRemembered) {
		w.add(i, at)
		require.LessOrEqual(t, len(w.entries), 2*maxRemembered)
	}
	p := w.progress(time.Time{}, at.Add(time.Hour))
	assert.True(t, p.forgot)
	for i := range uint64(3 * maxRemembered) { // an hour later, it is forgotten that something was
		w.add(i, at.Add(time.Duration(i)*time.Second))
	}
	p = w.progress(time.Time{}, at.Add(100*24*time.Hour))
	assert.False(t, p.forgot)
	known, err := p.known()
	require.NoError(t, err)
	assert.Len(t, known, 601)
}

func TestKeysOfDifferentThingsDiffer(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	keys := []uint64{
		keyOf(changed, "a", "Host", "x", at),
		keyOf(deleted, "a", "Host", "x", at),
		keyOf(changed, "b", "Host", "x", at),
		keyOf(changed, "a", "URL", "x", at),
		keyOf(changed, "a", "Host", "y", at),
		keyOf(changed, "a", "Host", "x", at.Add(time.Second)),
		keyOf(changed, "aH", "ost", "x", at),
	}
	slices.Sort(keys)
	assert.Len(t, slices.Compact(keys), 7)
	assert.Equal(t, keyOf("", "a", "b", "c", at), keyOf("", "a", "b", "c", at.In(time.FixedZone("", 3600))))
}

func TestDefusedTextBeginsNoFormula(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":               "",
		"evil.example":   "evil.example",
		"=1+1":           "'=1+1",
		"+1":             "'+1",
		"-1":             "'-1",
		"@SUM(A1)":       "'@SUM(A1)",
		"\t=1":           "'\t=1",
		"＝1":             "'＝1",
		"a=b":            "a=b",
		"'=already safe": "'=already safe",
	} {
		assert.Equal(t, want, defused(in))
	}
}
