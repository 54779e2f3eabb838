package lookup

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestTooLongLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxLine+1)
	in := "203.0.113.42\n\n" + long + "\n203[.]0.113[.]42\r\n" + long
	const why = "the line is longer than 65,536 bytes, and no indicator is: look for a missing line break"
	r := run(t, nil, in)
	assert.Equal(t, cli.Failure, r.code)
	assert.Equal(t, 4, strings.Count(r.stdout, "203.0.113.42"), "both values, in two owners each")
	assert.Regexp(t, `(?m)^line 3 +\(refused\)`, r.stdout)
	assert.Regexp(t, `(?m)^line 5 +\(refused\)`, r.stdout)
	assert.Contains(t, r.stderr, "\nthreatconnect lookup: line 3: "+why+"\nthreatconnect lookup: line 5: "+why+"\n")
	assert.Contains(t, r.stderr, "2 of 4 values found, 2 refused")

	all := elements(t, run(t, nil, in, "--json"))
	require.Len(t, all, 4)
	assert.Equal(t, element{Line: 3, Error: why, Owners: []record{}}, all[1])
	assert.Equal(t, element{Line: 5, Error: why, Owners: []record{}}, all[3])
	assert.Equal(t, "203[.]0.113[.]42", all[2].Value)
	assert.True(t, all[2].Found)

	r = run(t, nil, strings.Repeat("a", maxLine-1)+"\n")
	assert.Equal(t, cli.Failure, r.code)
	assert.NotContains(t, r.stderr, why, "the longest line is read")
	r = run(t, nil, strings.Repeat("a", maxLine)+"\n")
	assert.Contains(t, r.stderr, why)
}

// Refused lines are reported in order, and only a limited number of them is in memory.
func TestManyRejectedLines(t *testing.T) {
	t.Parallel()
	const all = 5 * maxAhead
	var read atomic.Int64
	inputs := func(yield func(input, error) bool) {
		for n := 1; n <= all; n++ {
			read.Store(int64(n))
			if !yield(input{line: n, err: errLineTooLong}, nil) {
				return
			}
		}
	}
	reported := 0
	err := find(t.Context(), threatconnecttest.NewT(t).Client(), &threatconnect.LookupOptions{}, inputs, func(in input, r threatconnect.LookupResult) error {
		require.ErrorIs(t, r.Err, errLineTooLong)
		require.LessOrEqual(t, read.Load()-int64(reported), int64(2*maxAhead+2))
		reported++
		require.Equal(t, reported, in.line)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, all, reported)
}

func TestPartialLineBeforeReadErrorIsIgnored(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader("a.example\nb.exam"), iotest.ErrReader(errors.New("broken pipe")))
	var got []string
	for v, err := range lines(in, true) {
		if err != nil {
			v.value = err.Error()
		}
		got = append(got, v.value)
	}
	assert.Equal(t, []string{"a.example", "read standard input: broken pipe"}, got)

	r := runWith(t, nil, io.MultiReader(strings.NewReader("203.0.113.42\nb.exam"), iotest.ErrReader(errors.New("broken pipe"))))
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, "Example Source", "values before the error are shown")
	assert.Contains(t, r.stderr, "lookup: read standard input: broken pipe")
}

// An input line takes less than 1 MiB of memory, however long it is.
func TestThreatLookupInputMemoryIsBounded(t *testing.T) {
	in := io.MultiReader(io.LimitReader(endless{}, 64<<20), strings.NewReader("\nb.example\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var got []input
	for v, err := range lines(in, true) {
		require.NoError(t, err)
		got = append(got, v)
	}
	runtime.ReadMemStats(&after)
	assert.Equal(t, []input{{line: 1, place: "line 1", err: errLineTooLong}, {line: 2, place: "line 2", value: "b.example"}}, got)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestResultsKeepInputOrder(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 20_000_000, Probability: 0.3, Seed: 1, Times: -1}))
	var in strings.Builder
	var want, got []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		want = append(want, string(c)+".example")
		in.WriteString(string(c) + ".example\n")
	}
	r := run(t, served(t, srv), in.String(), "--json", "--parallel", "8")
	assert.Equal(t, cli.Partial, r.code, r.stderr)
	for _, e := range elements(t, r) {
		got = append(got, e.Value)
	}
	assert.Equal(t, want, got)
}

// lineByLine is a standard output that sends the next line to standard input when a result is written.
type lineByLine struct {
	read  *io.PipeReader
	typed *io.PipeWriter
	rest  []string
}

func (l *lineByLine) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `"value"`) {
		l.next()
	}
	return len(p), nil
}

func (l *lineByLine) next() {
	if len(l.rest) == 0 {
		_ = l.typed.Close()
		return
	}
	line := l.rest[0]
	l.rest = l.rest[1:]
	go func() { _, _ = io.WriteString(l.typed, line) }()
}

func TestResultsDoNotWaitForTheNextLine(t *testing.T) {
	t.Parallel()
	vars := served(t, threatconnecttest.NewT(t))
	pr, pw := io.Pipe()
	l := &lineByLine{pr, pw, []string{"203.0.113.42\n", "a.example\n", "b.example\n"}}
	l.next()
	env := &cli.Env{Stdin: pr, Stdout: l, Stderr: io.Discard, Getenv: func(k string) string { return vars[k] }}
	assert.Equal(t, cli.Partial, runIn(t.Context(), env, "--json"))
	assert.Empty(t, l.rest)
}

func TestLookupStopsWhileWaitingForInput(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]bool{"on an error": false, "on an interrupt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			vars := served(t, srv)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if !interrupt {
				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusUnauthorized, Route: "/v2/indicators/{type}/{indicator}/owners", Times: -1}))
			}
			in, typed := io.Pipe()
			defer typed.Close()
			go func() { _, _ = io.WriteString(typed, "203.0.113.42\n") }()
			var stderr strings.Builder
			env := &cli.Env{Stdin: in, Stdout: writerFunc(func() {
				if interrupt {
					cancel()
				}
			}), Stderr: &stderr, Getenv: func(k string) string { return vars[k] }}
			assert.Equal(t, cli.Failure, runIn(ctx, env, "--json"))
			assert.Contains(t, stderr.String(), map[bool]string{true: "stopped: context canceled", false: "401"}[interrupt])
		})
	}
}

// writerFunc is called for each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

// Every line with a value is read once, in order.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "www.example.com\n# comment\n\n192.0.2.1", "\ufeffhxxps://evil[.]example/a\r\n", "\ufeff www.example.com", "\x00\n\xff\n#", " # x \n  y  "} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, comments bool) {
		text = text[:min(len(text), maxLine-2)] // TestTooLongLines has longer ones
		var want []string
		for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
			switch line = strings.TrimSpace(line); {
			case line == "" || comments && line[0] == '#':
			default:
				want = append(want, line)
			}
		}
		var got []string
		last := 0
		for in, err := range lines(strings.NewReader(text), comments) {
			require.NoError(t, err)
			require.NoError(t, in.err)
			require.Greater(t, in.line, last)
			last = in.line
			got = append(got, in.value)
		}
		require.Equal(t, want, got)
	})
}
