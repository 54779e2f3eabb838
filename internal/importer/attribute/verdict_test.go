package attribute

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	const u, s, f, n = item.Unknown, item.Succeeded, item.Failed, item.Unprocessed
	for name, test := range map[string]struct {
		counts   Counts
		failed   []int
		nameless int
		want     []item.Verdict
		succeed  int64 // in the tally; remaining items that are neither failed nor unprocessed are unknown
		fail     int64
	}{
		"all succeeded": {counts: Counts{Success: 4}, failed: nil, nameless: 0, want: []item.Verdict{s, s, s, s}, succeed: 4, fail: 0},
		"one failed": {
			counts:   Counts{Success: 3, Errors: 1},
			failed:   []int{1},
			nameless: 0,
			want:     []item.Verdict{s, f, s, s},
			succeed:  3,
			fail:     1,
		},
		"more successes than items": {counts: Counts{Success: 9}, failed: []int{1}, nameless: 0, want: []item.Verdict{s, f, s, s}, succeed: 3, fail: 1},
		"unprocessed": {
			counts:   Counts{Success: 1, Errors: 1, Unprocessed: 2},
			failed:   []int{1},
			nameless: 0,
			want:     []item.Verdict{s, f, n, n},
			succeed:  1,
			fail:     1,
		},
		"a failure after the end": {
			counts:   Counts{Success: 2, Errors: 1, Unprocessed: 1},
			failed:   []int{3},
			nameless: 0,
			want:     []item.Verdict{s, s, n, f},
			succeed:  2,
			fail:     1,
		},
		"one not confirmed":      {counts: Counts{Success: 3}, failed: nil, nameless: 0, want: []item.Verdict{u, u, u, u}, succeed: 3, fail: 0},
		"none confirmed":         {counts: Counts{}, failed: []int{0}, nameless: 0, want: []item.Verdict{f, u, u, u}, succeed: 0, fail: 1},
		"no count of successes":  {counts: Counts{Errors: 1}, failed: []int{0}, nameless: 0, want: []item.Verdict{f, u, u, u}, succeed: 0, fail: 1},
		"a nameless failure":     {counts: Counts{Success: 3, Errors: 1}, failed: nil, nameless: 1, want: []item.Verdict{u, u, u, u}, succeed: 3, fail: 1},
		"nameless, no successes": {counts: Counts{Errors: 1}, failed: nil, nameless: 1, want: []item.Verdict{u, u, u, u}, succeed: 0, fail: 1},
		"nameless and missing":   {counts: Counts{Success: 1, Errors: 1}, failed: nil, nameless: 1, want: []item.Verdict{u, u, u, u}, succeed: 1, fail: 1},
		"more nameless than all": {counts: Counts{Errors: 9}, failed: []int{0}, nameless: 8, want: []item.Verdict{f, u, u, u}, succeed: 0, fail: 4},
		"unprocessed, nameless": {
			counts:   Counts{Success: 1, Errors: 1, Unprocessed: 2},
			failed:   nil,
			nameless: 1,
			want:     []item.Verdict{u, u, n, n},
			succeed:  1,
			fail:     1,
		},
		"all unprocessed": {counts: Counts{Unprocessed: 9}, failed: nil, nameless: 0, want: []item.Verdict{n, n, n, n}, succeed: 0, fail: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var file item.File
			for i := range 5 {
				file.Add(item.Indicators, int64(i), []byte(`{"type":"Host"}`))
			}
			failed := make([]bool, 4)
			for _, i := range test.failed {
				failed[i] = true
			}
			part := item.Part{From: 1, To: 5}
			got := Verdicts(&file, part, test.counts, failed, test.nameless)
			require.Equal(t, test.want, got)
			unprocessed := 0
			for _, v := range test.want {
				if v == n {
					unprocessed++
				}
			}
			tally := Tally(&file, part, got, test.counts, test.nameless)[item.Indicator]
			assert.Equal(t, test.succeed, tally.Succeeded, "succeeded")
			assert.Equal(t, test.fail, tally.Failed, "failed")
			assert.EqualValues(t, unprocessed, tally.Unprocessed, "unprocessed")
			assert.EqualValues(t, 4, tally.Total())
		})
	}
}

// A success count that exceeds the items of its section does not make the outcome of other sections
// unknown.
func TestVerdictsIgnoreExcessSectionSuccesses(t *testing.T) {
	t.Parallel()
	var file item.File
	file.Add(item.Groups, 0, []byte(`{"type":"Threat"}`))
	file.Add(item.Indicators, 1, []byte(`{"type":"Host"}`))
	file.Add(item.Indicators, 2, []byte(`{"type":"Host"}`))
	counts := Counts{Success: 3, Apart: &[item.Sections]int{item.Indicators: 2, item.Groups: 2}}
	const s = item.Succeeded
	require.Equal(t, []item.Verdict{s, s, s}, Verdicts(&file, item.Part{To: 3}, counts, make([]bool, 3), 0))
}

// TestVerdictsMatchOutcomes checks that verdicts never contradict the outcomes on a correct platform,
// whichever counts it omits.
func TestVerdictsMatchOutcomes(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(5_000)) {
		random := rand.New(rand.NewPCG(seed, 1))
		var f item.File
		n := 1 + random.IntN(8)
		for i := range n {
			f.Add(item.Section(random.IntN(int(item.Sections))), int64(i-random.IntN(2)*(2*i+1)), []byte(`{}`))
		}
		truth, failed, nameless := make([]item.Verdict, n), make([]bool, n), 0
		var c Counts
		var apart [item.Sections]int
		var kinds [item.Kinds]item.Counts
		stop := random.IntN(2 * n)
		for i := range truth {
			switch {
			case i >= stop:
				truth[i] = item.Unprocessed
				c.Unprocessed++
			case random.IntN(4) > 0:
				truth[i] = item.Succeeded
				c.Success++
				section, _, _ := f.At(i)
				apart[section]++
			default:
				truth[i] = item.Failed
				c.Errors++
				if failed[i] = random.IntN(3) > 0; !failed[i] {
					nameless++
				}
			}
			kinds[f.KindAt(i)].Add(truth[i], 1)
		}
		whole := false
		switch random.IntN(6) {
		case 0:
			c.Success -= random.IntN(c.Success + 1)
		case 1:
			c.Success = 0
		case 2, 3:
			c.Apart, whole = &apart, true
		}
		about := fmt.Sprintf("seed %d: %v, %+v, %d nameless", seed, truth, c, nameless)
		got := Verdicts(&f, f.All(), c, failed, nameless)
		for i := range got {
			require.True(t, got[i] == truth[i] || got[i] == item.Unknown, "%s: %v", about, got)
		}
		tally, sum := Tally(&f, f.All(), got, c, nameless), item.Counts{}
		for k := range tally {
			require.Equal(t, kinds[k].Total(), tally[k].Total(), about)
			require.LessOrEqual(t, tally[k].Succeeded, kinds[k].Succeeded, about)
			require.Equal(t, kinds[k].Unprocessed, tally[k].Unprocessed, about)
			require.GreaterOrEqual(t, min(tally[k].Unknown, tally[k].Succeeded), int64(0), about)
			sum.Plus(tally[k])
		}
		require.EqualValues(t, c.Errors, sum.Failed, about)
		if whole && (kinds[item.Association].Total() == 0 || kinds[item.Link].Total() == 0) { // every success that the platform has confirmed is known
			require.EqualValues(t, c.Success, sum.Succeeded, about)
			require.Zero(t, sum.Unknown, about)
		}
	}
}

func TestProcessed(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 0, Processed(Counts{Errors: 1}, 5))
	assert.Equal(t, 0, Processed(Counts{}, 5))
	assert.Equal(t, 3, Processed(Counts{Success: 3, Errors: 1}, 5))
	assert.Equal(t, 4, Processed(Counts{Success: 3, Errors: 2}, 5))
	assert.Equal(t, 4, Processed(Counts{Success: 9, Errors: 1}, 5), "the item that ended the job was not processed")
}

func TestBisect(t *testing.T) {
	t.Parallel()
	type parts = []item.Part
	assert.Equal(t, parts{{From: 2, To: 4}, {From: 4, To: 6}}, Bisect(item.Part{From: 2, To: 6}, -1))
	assert.Equal(t, parts{{From: 2, To: 3}, {From: 3, To: 5}}, Bisect(item.Part{From: 2, To: 5}, -1))
	assert.Equal(t, parts{{From: 2, To: 3}}, Bisect(item.Part{From: 2, To: 3}, -1))
	assert.Equal(t, parts{{From: 2, To: 4}, {From: 4, To: 5}, {From: 5, To: 6}}, Bisect(item.Part{From: 2, To: 6}, 4))
	assert.Equal(t, parts{{From: 2, To: 3}, {From: 3, To: 6}}, Bisect(item.Part{From: 2, To: 6}, 2))
	assert.Equal(t, parts{{From: 2, To: 5}, {From: 5, To: 6}}, Bisect(item.Part{From: 2, To: 6}, 5))
	assert.Equal(t, parts{{From: 0, To: 1}, {From: 1, To: 2}}, Bisect(item.Part{From: 0, To: 2}, -1))
	assert.Equal(t, parts{{From: 0, To: 1}, {From: 1, To: 4}}, Bisect(item.Part{From: 0, To: 4}, 0))
}
