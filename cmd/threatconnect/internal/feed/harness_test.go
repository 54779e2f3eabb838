package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const owner = "Example Source"

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// result is the exit code and output of a run.
type result struct {
	exit           int
	stdout, stderr string
}

// env is an environment with a standard input.
type env struct {
	vars  map[string]string
	args  []string // before those of run
	stdin io.Reader

	transport http.RoundTripper // for downloads
}

// to serves srv on a port and returns the environment of a client. Its flags allow documentation values.
func to(t *testing.T, srv *threatconnecttest.Server) env {
	t.Helper()
	return through(t, srv, srv)
}

// through is like to, with a handler in front of srv.
func through(t *testing.T, srv *threatconnecttest.Server, h http.Handler) env {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return env{
		vars: map[string]string{
			"TC_BASE_URL": s.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey(), "TC_OWNER": owner,
		},
		args: []string{"--allow-documentation", "--raw-xids", "--feed", "test"},
	}
}

func (e env) with(name, value string) env {
	vars := map[string]string{name: value}
	for k, v := range e.vars {
		if k != name {
			vars[k] = v
		}
	}
	e.vars = vars
	return e
}

// feed sets the standard input.
func (e env) feed(text string) env {
	e.stdin = strings.NewReader(text)
	return e
}

func (e env) run(ctx context.Context, args ...string) result {
	var stdout, stderr buffer
	exit := e.runTo(ctx, &stdout, &stderr, args...)
	return result{exit, stdout.String(), stderr.String()}
}

func (e env) runTo(ctx context.Context, stdout, stderr io.Writer, args ...string) int {
	if e.stdin == nil {
		e.stdin = strings.NewReader("")
	}
	env := &cli.Env{Stdin: e.stdin, Stdout: stdout, Stderr: stderr, Getenv: func(k string) string { return e.vars[k] }}
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(command(env, e.transport))
	return cli.Run(ctx, root, env, slices.Concat([]string{"feed"}, e.args, args))
}

// report is the summary that --json prints.
type report struct {
	Message     string     `json:"message"`
	Exit        int        `json:"exit"`
	Cause       string     `json:"cause"`
	Input       string     `json:"input"`
	Format      string     `json:"format"`
	Owner       string     `json:"owner"`
	InProcess   bool       `json:"inProcess"`
	DryRun      bool       `json:"dryRun"`
	NotModified bool       `json:"notModified"`
	Resumed     int        `json:"resumed"`
	Read        int64      `json:"read"`
	Imported    int64      `json:"imported"`
	Unchanged   int64      `json:"unchanged"`
	Merged      int64      `json:"merged"`
	Skipped     int64      `json:"skipped"`
	Invalid     int64      `json:"invalid"`
	Failed      int64      `json:"failed"`
	Unprocessed int64      `json:"unprocessed"`
	Unknown     int64      `json:"unknown"`
	ToImport    int64      `json:"toImport"`
	Vanished    int64      `json:"vanished"`
	Types       []kindSeen `json:"types"`
	Full        string     `json:"full"`
	Stale       int64      `json:"stale"`
	Removed     int64      `json:"removed"`
	StaleShare  float64    `json:"staleShare"`
	Indicators  int64      `json:"indicators"`
	Groups      int64      `json:"groups"`
	LinksLost   int64      `json:"linksLost"`
	Jobs        int64      `json:"jobs"`
	Bytes       int64      `json:"bytes"`
	Seconds     float64    `json:"seconds"`
	RunningJobs []int64    `json:"runningJobs"`
	Errors      []refusal  `json:"errors"`
	MoreErrors  int64      `json:"moreErrors"`
	Rules       []ruleSeen `json:"rules"`
}

type kindSeen struct {
	Type      string `json:"type"`
	Sent      int64  `json:"sent"`
	Failed    int64  `json:"failed"`
	Unchanged int64  `json:"unchanged"`
	Skipped   int64  `json:"skipped"`
}

type ruleSeen struct {
	Outcome string `json:"outcome"`
	Rule    string `json:"rule"`
	Count   int64  `json:"count"`
	Lines   []int  `json:"lines"`
}

// reportOf decodes the output of --json. It requires that nothing else was printed and that every entry has one
// outcome.
func reportOf(t *testing.T, r result) report {
	t.Helper()
	var s report
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&s), "%s\n%s", r.stdout, r.stderr)
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF, "nothing else goes to standard output")
	assert.Equal(t, s.Read, s.Imported+s.Unchanged+s.Merged+s.Skipped+s.Invalid+s.Failed+s.Unprocessed+s.Unknown+s.ToImport, r.stdout)
	assert.Equal(t, r.exit, s.Exit)
	assert.Contains(t, r.stderr, s.Message)
	assert.NotContains(t, r.stdout, "null", "lists are never null")
	sums := map[string]int64{}
	for _, rule := range s.Rules {
		sums[rule.Outcome] += rule.Count
	}
	assert.Equal(t, s.Skipped, sums[skipped], "%+v", s.Rules)
	assert.Equal(t, s.Invalid, sums[invalid], "%+v", s.Rules)
	return s
}
