package deliver

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// answers is a platform that takes each file and answers with the next counts and errors.
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

// TestTheItemThatThePlatformNamesEndedTheJob has a platform whose counts say that it has processed more than the place
// at which it says that it gave up.
func TestTheItemThatThePlatformNamesEndedTheJob(t *testing.T) {
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
	var f item.File
	for n := range 4 {
		f.Add(item.Indicators, int64(n), fmt.Appendf(nil, `{"type":"Host","summary":"h%d.example"}`, n))
	}
	j := journal.New(journal.Start{})
	require.NoError(t, j.Add(t.Context(), &journal.Added{File: 1, Kinds: f.Kinds(f.All()), Held: math.MaxInt64, Totals: item.Totals{Added: 4}}))
	var failed []item.Failure
	d := &Deliverer{Platform: platform, Journal: j, MaxBytes: 1 << 20, RetryFor: time.Minute, WaitFor: time.Hour,
		Backoff: func(int) time.Duration { return 0 }, Event: func(Event) {}, Failed: func(f item.Failure) { failed = append(failed, f) }, Stopped: func() bool { return false }}
	left, err := d.Run(t.Context(), &File{File: &f, Number: 1, Pieces: []journal.Piece{{Part: f.All()}}})
	require.NoError(t, err)
	assert.Equal(t, item.Outcome{}, left)
	require.Len(t, failed, 1)
	assert.EqualValues(t, 1, failed[0].Seq)
	assert.Equal(t, "h1.example", failed[0].Name)
	j.View(func(s *journal.State) {
		assert.Equal(t, item.Counts{Succeeded: 3, Failed: 1}, s.Outcome.Kinds[item.Indicator])
	})
	assert.Len(t, platform.files, 3)
}
