package attribute

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// mixed returns a file with n items of all kinds.
func mixed(n int) *item.File {
	var f item.File
	for i := range n {
		switch i % 4 {
		case 0:
			f.Add(item.Indicators, int64(i), []byte(`{}`))
		case 1:
			f.Add(item.Groups, int64(i), []byte(`{}`))
		case 2:
			f.Add(item.Associations, int64(i), []byte(`{}`))
		case 3:
			f.Add(item.Associations, ^int64(i), []byte(`{}`))
		}
	}
	return &f
}

// totals adds up the counts of all kinds, including links.
func totals(counts [item.Kinds]item.Counts) (all item.Counts) {
	for k := range counts {
		all.Plus(counts[k])
	}
	return all
}

// marks returns the lowest n bits of set as a slice.
func marks(set, n int) []bool {
	m := make([]bool, n)
	for i := range m {
		m[i] = set>>i&1 == 1
	}
	return m
}

// TestVerdictsOfAllSmallFiles covers all outcomes of the items of a small file and all reports of the
// platform: errors with and without the name of their item, and missing counts of successes. Each
// verdict must be the true outcome or Unknown.
func TestVerdictsOfAllSmallFiles(t *testing.T) {
	t.Parallel()
	const most = 6
	for n := range most + 1 {
		f := mixed(n)
		for processed := range n + 1 {
			for failures := range 1 << processed { // of the first items
				for named := range 1 << processed {
					if named&^failures != 0 {
						continue
					}
					nameless := bits.OnesCount(uint(failures &^ named))
					successes := processed - bits.OnesCount(uint(failures))
					for confirmed := range successes + 1 {
						c := Counts{Success: confirmed, Errors: processed - successes, Unprocessed: n - processed}
						v := Verdicts(f, f.All(), c, marks(named, n), nameless)
						tally := Tally(f, f.All(), v, c, nameless)
						about := fmt.Sprintf("%d of %d, failures %b, named %b, counts %+v: %v, %+v", processed, n, failures, named, c, v, tally)
						require.Len(t, v, n, about)
						for i := range v {
							switch v[i] {
							case item.Failed:
								require.Equal(t, 1, named>>i&1, about)
							case item.Unprocessed:
								require.GreaterOrEqual(t, i, processed, about)
							case item.Succeeded:
								require.True(t, i < processed && failures>>i&1 == 0, about)
							default:
								require.True(t, i < processed && named>>i&1 == 0 && (nameless > 0 || confirmed < successes), about)
							}
						}
						sum := totals(tally)
						require.EqualValues(t, processed-successes, sum.Failed, about)
						require.EqualValues(t, n-processed, sum.Unprocessed, about)
						require.LessOrEqual(t, sum.Succeeded, int64(confirmed), about)
						if nameless == 0 && confirmed == successes {
							require.EqualValues(t, confirmed, sum.Succeeded, about)
						}
					}
				}
			}
		}
	}
}

// TestTallyMatchesContradictoryCounts covers all counts and errors of a small part of a file, including
// contradictory ones.
func TestTallyMatchesContradictoryCounts(t *testing.T) {
	t.Parallel()
	const most, file = 4, 7
	f := mixed(file)
	for n := range most + 1 {
		for from := range file - n + 1 {
			part := item.Part{From: from, To: from + n}
			kinds := f.Kinds(part)
			for set := range 1 << n {
				named := bits.OnesCount(uint(set))
				for _, c := range counts(n + 1) {
					for nameless := range n + 2 {
						v := Verdicts(f, part, c, marks(set, n), nameless)
						tally := Tally(f, part, v, c, nameless)
						wrong := "" // an assertion for each fact costs more than the code under test
						check := func(ok bool, fact string) {
							if !ok {
								wrong = fact
							}
						}
						tail := true // only unprocessed or named items follow
						for i := n - 1; i >= 0; i-- {
							check(set>>i&1 == 1 == (v[i] == item.Failed), "the named items have failed")
							tail = tail && v[i] != item.Succeeded && v[i] != item.Unknown
							check(tail || v[i] != item.Unprocessed, "unprocessed items are at the end")
						}
						for k := range tally {
							check(kinds[k] == tally[k].Total(), "each item of a kind is counted once")
							check(tally[k].Succeeded >= 0 && tally[k].Failed >= 0 && tally[k].Unprocessed >= 0 && tally[k].Unknown >= 0, "no count is negative")
						}
						sum := totals(tally)
						check(sum.Succeeded <= int64(c.Success), "no more successes than the platform reports")
						check(sum.Unprocessed <= int64(c.Unprocessed), "no more unprocessed items than the platform reports")
						check(sum.Failed >= int64(named), "failures include the named items")
						check(sum.Failed <= int64(named+nameless), "no more failures than errors")
						check(c.Success == 0 || c.Success+c.Unprocessed <= n || sum.Unprocessed == 0, "contradictory counts leave nothing unprocessed")
						if wrong != "" {
							require.Fail(t, wrong, "%v named %b, %d nameless, counts %+v: %v, %+v", part, set, nameless, c, v, tally)
						}
					}
				}
			}
		}
	}
}

// counts returns all pairs of counts from 0 to most.
func counts(most int) (all []Counts) {
	for s := range most + 1 {
		for u := range most + 1 {
			all = append(all, Counts{Success: s, Unprocessed: u})
		}
	}
	return all
}

func TestTallies(t *testing.T) {
	t.Parallel()
	const i, g, a, l = item.Indicator, item.Group, item.Association, item.Link
	var f item.File
	for n := range 2 {
		f.Add(item.Groups, int64(n), []byte(`{}`))
	}
	for n := range 4 {
		f.Add(item.Indicators, int64(n), []byte(`{}`))
	}
	f.Add(item.Associations, 0, []byte(`{}`))
	f.Add(item.Associations, ^int64(0), []byte(`{}`))
	for name, c := range map[string]struct {
		counts   Counts
		named    []int
		nameless int
		want     [item.Kinds]item.Counts
	}{
		"all": {
			counts:   Counts{Success: 8},
			named:    nil,
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 4}, g: {Succeeded: 2}, a: {Succeeded: 1}, l: {Succeeded: 1}},
		},
		"more successes than items": {
			counts:   Counts{Success: 99},
			named:    nil,
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 4}, g: {Succeeded: 2}, a: {Succeeded: 1}, l: {Succeeded: 1}},
		},
		"the whole file is refused": {
			counts:   Counts{Errors: 1},
			named:    nil,
			nameless: 1,
			want:     [item.Kinds]item.Counts{i: {Failed: 1, Unknown: 3}, g: {Unknown: 2}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
		"the whole file is refused, and an item is named": {
			counts:   Counts{Errors: 1},
			named:    []int{3},
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Failed: 1, Unknown: 3}, g: {Unknown: 2}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
		"one failed, not named": {
			counts:   Counts{Success: 7, Errors: 1},
			named:    nil,
			nameless: 1,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 3, Failed: 1}, g: {Succeeded: 1, Unknown: 1}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
		"one failed, named": {
			counts:   Counts{Success: 7, Errors: 1},
			named:    []int{0},
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 4}, g: {Succeeded: 1, Failed: 1}, a: {Succeeded: 1}, l: {Succeeded: 1}},
		},
		"more failures than items": {
			counts:   Counts{Errors: 20},
			named:    nil,
			nameless: 20,
			want:     [item.Kinds]item.Counts{i: {Failed: 4}, g: {Failed: 2}, a: {Failed: 1}, l: {Failed: 1}},
		},
		"one is missing": {
			counts:   Counts{Success: 7},
			named:    nil,
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 3, Unknown: 1}, g: {Succeeded: 1, Unknown: 1}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
		"halted": {
			counts:   Counts{Success: 3, Errors: 1, Unprocessed: 4},
			named:    []int{3},
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 1, Failed: 1, Unprocessed: 2}, g: {Succeeded: 2}, a: {Unprocessed: 1}, l: {Unprocessed: 1}},
		},
		"halted, and no item is named": {
			counts:   Counts{Success: 3, Errors: 1, Unprocessed: 4},
			named:    nil,
			nameless: 1,
			want:     [item.Kinds]item.Counts{i: {Succeeded: 1, Failed: 1, Unprocessed: 2}, g: {Succeeded: 1, Unknown: 1}, a: {Unprocessed: 1}, l: {Unprocessed: 1}},
		},
		"nothing is processed": {
			counts:   Counts{Unprocessed: 8},
			named:    nil,
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Unprocessed: 4}, g: {Unprocessed: 2}, a: {Unprocessed: 1}, l: {Unprocessed: 1}},
		},
		"too many successes and unprocessed items": {
			counts:   Counts{Success: 5, Unprocessed: 4},
			named:    nil,
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Unknown: 4}, g: {Unknown: 2}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
		"too many successes and unprocessed items, and an item failed": {
			counts:   Counts{Success: 5, Errors: 1, Unprocessed: 4},
			named:    []int{3},
			nameless: 0,
			want:     [item.Kinds]item.Counts{i: {Failed: 1, Unknown: 3}, g: {Unknown: 2}, a: {Unknown: 1}, l: {Unknown: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := make([]bool, f.Count())
			for _, pos := range c.named {
				failed[pos] = true
			}
			v := Verdicts(&f, f.All(), c.counts, failed, c.nameless)
			require.Equal(t, c.want, Tally(&f, f.All(), v, c.counts, c.nameless))
		})
	}
}

// TestProcessedAndBisectOfAbortedJobs covers all jobs of up to 5 items with one fatal item.
func TestProcessedAndBisectOfAbortedJobs(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 5; n++ {
		for fatal := range n {
			for failures := range fatal + 1 {
				require.Equal(t, fatal, Processed(Counts{Success: fatal - failures, Errors: failures + 1}, n))
			}
		}
		for _, c := range counts(n + 1) {
			p := Processed(Counts{Success: c.Success, Errors: c.Unprocessed}, n)
			require.True(t, p >= 0 && p < n, "no item is left that may be fatal: %d of %d for %+v", p, n, c)
		}
	}
	for from := range 4 {
		for to := from + 1; to < 9; to++ {
			rest := item.Part{From: from, To: to}
			for suspect := -1; suspect < to; suspect++ {
				if suspect >= 0 && suspect < from {
					continue
				}
				at := from
				parts := Bisect(rest, suspect)
				for _, p := range parts {
					require.Equal(t, at, p.From, "the parts are in order and have each item once")
					require.Positive(t, p.Len())
					require.True(t, p.Len() == 1 || suspect < p.From || suspect >= p.To, "the suspect is alone")
					at = p.To
				}
				require.Equal(t, to, at)
				for _, p := range parts {
					if suspect < 0 && rest.Len() > 1 {
						require.LessOrEqual(t, p.Len(), (rest.Len()+1)/2)
					}
				}
			}
		}
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		about   [item.Sections]bool // groups, indicators, associations
		links   bool
		partial bool
	}{
		"":                {about: [item.Sections]bool{true, true, true}},
		"0x1001":          {about: [item.Sections]bool{true, true, true}},
		CodeSyntax:        {about: [item.Sections]bool{true, true, true}},
		CodeIndicator:     {about: [item.Sections]bool{false, true, false}},
		CodeGroup:         {about: [item.Sections]bool{true, false, false}},
		CodeNotFound:      {about: [item.Sections]bool{true, true, true}, links: true},
		CodeAssociation:   {about: [item.Sections]bool{true, true, true}, links: true},
		CodeIndicatorLoss: {about: [item.Sections]bool{false, true, false}, partial: true},
		CodeGroupLoss:     {about: [item.Sections]bool{true, false, false}, partial: true},
		CodeHashMerge:     {about: [item.Sections]bool{false, true, false}, partial: true},
		CodeHashMergeToo:  {about: [item.Sections]bool{false, true, false}, partial: true},
		"0x3002":          {about: [item.Sections]bool{true, true, true}},
	} {
		e := Entry{Code: code}
		for s, about := range want.about {
			require.Equal(t, about, e.about(item.Section(s)), "%s %d", code, s)
		}
		require.Equal(t, want.links, e.links(), code)
		require.Equal(t, want.partial, Partial(code), code)
	}

	const fatal, limit = "X. Encountered an UNEXPECTED Exception while processing batch job. Y", "This would exceed the number of allowed Indicators."
	require.True(t, Fatal(fatal, "") && Fatal("", fatal))
	require.False(t, Fatal("unexpected", limit))
	require.True(t, Full("", limit, "") && Full("", "", limit) && Full(CodeLimit, "", ""))
	require.False(t, Full(CodeSyntax, fatal, fatal))
}
