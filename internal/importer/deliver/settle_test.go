package deliver

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// answers is a platform that accepts each file and replies with the next counts and errors.
type answers struct {
	jobs  []answer
	files []string
}

type answer struct {
	counts attribute.Counts
	errors []attribute.Entry
}

func (a *answers) Create(context.Context) (int64, error) { return int64(len(a.files) + 1), nil }

func (a *answers) Upload(_ context.Context, _ int64, file [][]byte) error {
	text := ""
	for _, part := range file {
		text += string(part)
	}
	a.files = append(a.files, text)
	return nil
}

func (a *answers) Status(_ context.Context, job int64) (Status, error) {
	return Status{State: Completed, Counts: a.jobs[job-1].counts}, nil
}

func (a *answers) Errors(_ context.Context, job int64, _ string, skip int, use func(attribute.Entry)) error {
	for _, e := range a.jobs[job-1].errors[skip:] {
		use(e)
	}
	return nil
}

func (*answers) Attach(context.Context, item.Content) (bool, error) { return false, nil }
func (*answers) Classify(error) Fault                               { return Fault{} }

// TestAbortPositionOverridesCounts uses a platform whose counts contradict the position in
// its fatal error.
func TestAbortPositionOverridesCounts(t *testing.T) {
	t.Parallel()
	const fatal = "Encountered an unexpected Exception while processing batch job. Last known JSON path: '$.indicator[%d]'"
	at := func(n int) []attribute.Entry {
		return []attribute.Entry{{Code: attribute.CodeSyntax, Reason: fmt.Sprintf(fatal, n)}}
	}
	platform := &answers{jobs: []answer{
		{attribute.Counts{Success: 3, Errors: 1}, at(1)},
		{attribute.Counts{Errors: 1}, at(0)},
		{attribute.Counts{Success: 2}, nil},
	}}
	failed, counts := deliver(t, platform, 4)
	require.Len(t, failed, 1)
	assert.EqualValues(t, 1, failed[0].Seq)
	assert.Equal(t, "h1.example", failed[0].Name)
	assert.Equal(t, item.Counts{Succeeded: 3, Failed: 1}, counts)
	assert.Len(t, platform.files, 3)
}

// deliver sends a file of n hosts. It returns the reported failures and the counts of the hosts.
func deliver(t *testing.T, platform *answers, n int) (failed []item.Failure, counts item.Counts) {
	t.Helper()
	var f item.File
	for i := range n {
		f.Add(item.Indicators, int64(i), fmt.Appendf(nil, `{"type":"Host","summary":"h%d.example"}`, i))
	}
	j := journal.New(journal.Start{})
	require.NoError(t, j.Add(t.Context(), &journal.Added{File: 1, Kinds: f.Kinds(f.All()), Held: math.MaxInt64, Totals: item.Totals{Added: int64(n)}}))
	d := &Deliverer{Platform: platform, Journal: j, MaxBytes: 1 << 20, RetryFor: time.Minute, WaitFor: time.Hour,
		Backoff: func(int) time.Duration { return 0 }, Event: func(Event) {}, Failed: func(f item.Failure) { failed = append(failed, f) }, Stopped: func() bool { return false }}
	left, err := d.Run(t.Context(), &File{File: &f, Number: 1, Pieces: []journal.Piece{{Part: f.All()}}})
	require.NoError(t, err)
	assert.Equal(t, item.Outcome{}, left)
	j.View(func(s *journal.State) { counts = s.Outcome.Kinds[item.Indicator] })
	return failed, counts
}

// TestErrorsAfterManyOthersAreCounted lists thousands of errors of one item before the only error of another
// item and before the fatal error.
func TestErrorsAfterManyOthersAreCounted(t *testing.T) {
	t.Parallel()
	about := func(n int) attribute.Entry {
		return attribute.Entry{Reason: fmt.Sprintf("Last known JSON path: '$.indicator[%d]'", n)}
	}
	crowd := slices.Repeat([]attribute.Entry{about(0)}, 1500)
	t.Run("an item", func(t *testing.T) {
		t.Parallel()
		failed, counts := deliver(t, &answers{jobs: []answer{{attribute.Counts{Success: 2, Errors: 2}, append(slices.Clone(crowd), about(3), about(3))}}}, 4)
		require.Len(t, failed, 1002)
		assert.EqualValues(t, 3, failed[1000].Seq)
		assert.ErrorContains(t, failed[1001].Err, "501 more errors than are reported")
		assert.Equal(t, item.Counts{Succeeded: 2, Failed: 2}, counts)
	})
	t.Run("the end", func(t *testing.T) {
		t.Parallel()
		fatal := attribute.Entry{Reason: "Encountered an unexpected Exception while processing batch job. Last known JSON path: '$.indicator[2]'"}
		platform := &answers{jobs: []answer{
			{attribute.Counts{Success: 1, Errors: 2}, append(slices.Clone(crowd), fatal)},
			{attribute.Counts{Errors: 1}, []attribute.Entry{{Reason: strings.Replace(fatal.Reason, "[2]", "[0]", 1)}}},
			{attribute.Counts{Success: 1}, nil},
		}}
		_, counts := deliver(t, platform, 4)
		assert.Equal(t, item.Counts{Succeeded: 2, Failed: 2}, counts)
		assert.Len(t, platform.files, 3, "unprocessed items are sent again")
	})
}
