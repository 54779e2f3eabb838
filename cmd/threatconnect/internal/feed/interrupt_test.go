package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestReadErrorImportsEarlierEntries(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--full=false", "--merge"} {
		srv := threatconnecttest.NewT(t)
		e := to(t, srv)
		e.stdin = io.MultiReader(strings.NewReader(strings.Repeat("# padding\n", 10_000)+"one.example\ntwo.example\none.example\n"), iotest.ErrReader(errors.New("input/output error")))
		s := reportOf(t, e.run(t.Context(), "--input", "-", "--json", flag))
		assert.Equal(t, 3, s.Exit)
		assert.Contains(t, s.Message, "reading the feed failed after line 10003: input/output error")
		assert.Equal(t, 2, srv.Counts(owner).Indicators)
		assert.EqualValues(t, 3, s.Read)
		assert.EqualValues(t, 3, s.Imported+s.Merged)
	}
}

func TestInterruptReportsRunningJobs(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(1<<30))
	e := to(t, srv)
	ctx, stop := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	e.stdin = r
	go func() {
		for i := range 25 { // one full job, and a part of the next
			fmt.Fprintf(w, "host-%04d-%s.example.com\n", i, strings.Repeat("x", 40))
		}
		for len(srv.Jobs()) < 2 || srv.Jobs()[1].Polls == 0 {
			time.Sleep(time.Millisecond)
		}
		stop(errors.New("interrupt signal received")) // while the command waits for more input
	}()
	s := reportOf(t, e.run(ctx, "--input", "-", "--format", "list", "--max-bytes", "2048", "--json"))
	assert.Equal(t, 1, s.Exit, "nothing is known to be imported")
	assert.Equal(t, []int64{srv.Jobs()[1].ID}, s.RunningJobs)
	assert.Positive(t, s.Unknown)
	assert.Contains(t, s.Message, fmt.Sprintf("left running: job %d", srv.Jobs()[1].ID))
	assert.Contains(t, s.Message, "stopped: interrupt signal received")
}

func TestInterruptWhileReadingFeed(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--full=false", "--format=list"} {
		e := to(t, threatconnecttest.NewT(t))
		ctx, stop := context.WithCancelCause(t.Context())
		r, w := io.Pipe()
		defer w.Close()
		e.stdin = io.MultiReader(readerFunc(func([]byte) (int, error) { // the command has begun to read
			stop(errors.New("interrupt signal received"))
			return 0, io.EOF
		}), r)
		s := reportOf(t, e.run(ctx, "--input", "-", "--json", flag))
		assert.Equal(t, 1, s.Exit)
		assert.Equal(t, "Nothing was imported into Example Source: stopped: interrupt signal received", s.Message)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestFaultsCauseNoDuplicates(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Inject(threatconnecttest.FaultMix(7, 0.05, threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultHTML)))
	var feed strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&feed, `{"type":"Host","summary":"h%d.example.com","attributes":[{"type":"Description","value":"v"}]}`+"\n", i)
	}
	r := to(t, srv).feed(feed.String()).run(t.Context(), "--input", "-", "--attributes", "append", "--max-bytes", "8192", "--json")
	s := reportOf(t, r)
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.EqualValues(t, 2000, s.Imported)
	require.Equal(t, 2000, srv.Counts(owner).Indicators)
	for _, i := range srv.Indicators(owner) {
		require.Len(t, i.Attributes, 1, "each exactly once")
	}
}

func TestAllOdditiesOfThePlatform(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityAll))
	s := reportOf(t, to(t, srv).feed(sample).run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 0, s.Exit)
	assert.EqualValues(t, 17, s.Imported)
}

// fullDisk is a writer that always fails.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestUnwritableOutputIsAFailure(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--json"}} {
		var stderr buffer
		assert.Equal(t, 1, env{}.runTo(t.Context(), fullDisk{}, &stderr, args...))
		assert.Contains(t, stderr.String(), "the summary cannot be written: no space left on device")
	}
	r := env{}.run(t.Context(), "--tc_out_path", filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, 1, r.exit)
	assert.Contains(t, r.stderr, "--tc_out_path: ")
}
