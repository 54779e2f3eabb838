package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const owner = "Example Source"

// buffer is a strings.Builder for several goroutines.
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

// result is what one run of the command leaves behind.
type result struct {
	exit           int
	stdout, stderr string
}

// last returns the last line of an output.
func last(out string) string {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	return lines[len(lines)-1]
}

// env is an environment for the command, with a standard input.
type env struct {
	vars     map[string]string
	stdin    io.Reader
	terminal bool
}

// to returns the environment for a server on a port.
func to(t *testing.T, srv *threatconnecttest.Server) env {
	t.Helper()
	s := httptest.NewServer(srv)
	t.Cleanup(s.Close)
	return env{vars: map[string]string{
		"TC_BASE_URL": s.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey(), "TC_OWNER": owner,
	}}
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

func (e env) feed(text string) env {
	e.stdin = strings.NewReader(text)
	return e
}

func (e env) run(ctx context.Context, args ...string) result {
	var stdout, stderr buffer
	exit := Main(ctx, args, Process{Getenv: func(k string) string { return e.vars[k] }, Stdin: e.stdin, Stdout: &stdout, Stderr: &stderr, Terminal: e.terminal})
	return result{exit, stdout.String(), stderr.String()}
}

// summaryOf reads what -json printed, which must be all that was printed.
func summaryOf(t *testing.T, r result) summary {
	t.Helper()
	var s summary
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&s), r.stdout)
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF, "nothing else goes to standard output")
	assert.Equal(t, s.Read, s.Invalid+s.Merged+s.Unchanged+s.Added)
	assert.Equal(t, s.Added, s.Succeeded+s.Failed+s.Unprocessed+s.Unknown)
	assert.Equal(t, r.exit, s.Exit)
	assert.Equal(t, s.Message, last(r.stderr))
	return s
}

func TestTheMainJobNeedsNoConfiguration(t *testing.T) {
	t.Parallel()
	r := env{}.run(t.Context())
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Equal(t, "Imported 22 items into Example Source of the test server in this process: 20 indicators and 2 groups in 1 job.\n", r.stdout)
	assert.Contains(t, r.stderr, "Nothing leaves this machine")
	assert.NotContains(t, r.stderr, "\x1b", "no bar where there is no terminal")
}

func TestTheSampleGoesIntoNoInstance(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	e := to(t, srv)
	token := env{vars: map[string]string{"TC_BASE_URL": e.vars["TC_BASE_URL"], "TC_TOKEN": srv.Token(), "TC_OWNER": owner}}
	for name, c := range map[string]struct {
		env  env
		args []string
	}{
		"an access id":                    {e, nil},
		"a token":                         {token, nil},
		"an empty file name":              {e, []string{"-input", ""}},
		"an instance on the command line": {e.with("TC_BASE_URL", ""), []string{"--tc_api_path", e.vars["TC_BASE_URL"]}},
		"a state and a sweep":             {e, []string{"-state", filepath.Join(t.TempDir(), "state"), "-remove-stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := c.env.feed("") // nothing is read
			s := summaryOf(t, e.run(t.Context(), append(c.args, "-json")...))
			assert.Equal(t, 1, s.Exit)
			assert.Contains(t, s.Message, "-input is not given: name the feed with -input FILE")
			assert.Empty(t, s.Input)
		})
	}
	t.Cleanup(func() { assert.Empty(t, srv.Requests()) })
}

func TestTheSampleLandsWithEverythingThatIsInIt(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	e := to(t, srv)
	for run := 1; run <= 2; run++ { // a feed runs every day
		r := e.feed(sample).run(t.Context(), "-input", "-", "-tag", "daily", "-json")
		s := summaryOf(t, r)
		require.Equal(t, 0, r.exit, r.stderr)
		assert.Equal(t, "urlhaus", s.Format)
		assert.False(t, s.InProcess)
		assert.EqualValues(t, 22, s.Succeeded)
		assert.Positive(t, s.Bytes)

		assert.Equal(t, 20, srv.IndicatorCount(owner), "run %d", run)
		ind, ok := srv.Indicator(owner, "URL", "http://198.51.100.17:42613/bin.sh")
		require.True(t, ok)
		assert.InDelta(t, 0, *ind.Rating, 0)
		assert.Equal(t, 0, *ind.Confidence)
		assert.Equal(t, []string{"32-bit", "elf", "mips", "daily"}, ind.Tags)
		require.Len(t, ind.Attributes, 2, "run %d", run)
		require.Len(t, ind.Groups, 1)
		group, ok := srv.Group(ind.Groups[0])
		require.True(t, ok)
		assert.Equal(t, "Malware download", group.Name)
		assert.Equal(t, "Threat", group.Type)
		assert.Len(t, group.Attributes, 1)
		assert.Len(t, srv.Groups(owner), 2)
	}
	for _, q := range srv.Requests() {
		assert.Regexp(t, `^threatconnect-go-feed/`, q.Header.Get("User-Agent"))
	}
}

func TestFlagsGiveWhatTheFeedDoesNot(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	r := to(t, srv).feed(`{"type":"Host","summary":"a.example","rating":1,"confidence":2}`+"\n"+`{"type":"Host","summary":"b.example"}`+"\n").
		run(t.Context(), "-input", "-", "-rating", "3", "-confidence", "40", "-tag", "x", "-tag", "x", "-tag", "y", "-attributes", "Append")
	require.Equal(t, 0, r.exit, r.stderr)
	a, _ := srv.Indicator(owner, "Host", "a.example")
	b, _ := srv.Indicator(owner, "Host", "b.example")
	assert.InDelta(t, 1, *a.Rating, 0)
	assert.Equal(t, 2, *a.Confidence)
	assert.InDelta(t, 3, *b.Rating, 0)
	assert.Equal(t, 40, *b.Confidence)
	assert.Equal(t, []string{"x", "y"}, b.Tags)
	assert.Contains(t, srv.Jobs()[0].Config, "Append")
}

func TestInvalidLinesAreReportedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	r := to(t, srv).feed("one.example\n# c\n0177.1\n\nsecret value\ntwo.example\n").run(t.Context(), "-input", "-", "-json")
	s := summaryOf(t, r)
	assert.Equal(t, 3, r.exit)
	assert.EqualValues(t, 4, s.Read)
	assert.EqualValues(t, 2, s.Invalid)
	assert.EqualValues(t, 2, s.Succeeded)
	require.Len(t, s.Errors, 2)
	assert.Equal(t, []int{3, 5}, []int{s.Errors[0].Line, s.Errors[1].Line})
	assert.Contains(t, r.stderr, "line 3: ")
	assert.Contains(t, r.stderr, "line 5: ")
	assert.NotContains(t, r.stderr+r.stdout, "secret value", "rules are shown, values are not")
	assert.Equal(t, 2, srv.IndicatorCount(owner))
}

func TestManyInvalidLinesAreCountedByRule(t *testing.T) {
	t.Parallel()
	r := env{}.feed("one.example\n"+strings.Repeat("0177.1\n", 500)).run(t.Context(), "-input", "-", "-json")
	s := summaryOf(t, r)
	assert.Len(t, s.Errors, mostErrors)
	assert.EqualValues(t, 400, s.MoreErrors)
	require.Len(t, s.Rules, 1)
	assert.EqualValues(t, 500, s.Rules[0].Count)
	assert.Equal(t, 2, s.Rules[0].FirstLine)
	assert.Contains(t, r.stderr, "400 more are not listed")
}

func TestWhatThePlatformRefusesIsNamedByItsLine(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	feed := `{"type":"Host","summary":"a.example"}

{"type":"Host","summary":"b.example","groups":["nobody-has-it"]}
{"type":"Host","summary":"c.example","attributes":[{"type":"No Such Attribute","value":"v"}]}
`
	r := to(t, srv).feed(feed).run(t.Context(), "-input", "-", "-json")
	s := summaryOf(t, r)
	assert.Equal(t, 3, r.exit)
	require.NotEmpty(t, s.Errors, r.stderr)
	lines := map[int]bool{}
	for _, e := range s.Errors {
		lines[e.Line] = true
		assert.Contains(t, e.Rule, "the platform")
	}
	assert.True(t, lines[4], "%+v", s.Errors)
}

func TestBadSituationsEndWithOneClearMessage(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	e := to(t, srv)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		env  env
		args []string
		want string
	}{
		"a wrong secret":                  {e.with("TC_SECRET_KEY", "wrong"), nil, "check TC_SECRET_KEY"},
		"a base URL without /api":         {e.with("TC_BASE_URL", strings.TrimSuffix(e.vars["TC_BASE_URL"], "/api")), nil, "is /api missing"},
		"a base URL that is none":         {e.with("TC_BASE_URL", "tc.example/api"), nil, "base URL"},
		"an owner that is not known":      {e, []string{"-owner", "Nobody"}, "check TC_OWNER or -owner"},
		"no owner":                        {e.with("TC_OWNER", ""), nil, "no owner to import into"},
		"credentials without an instance": {env{vars: map[string]string{"TC_SECRET_KEY": "s"}}, nil, "no instance"},
		"a file that is not there":        {e, []string{"-input", filepath.Join(dir, "none")}, "no such file"},
		"a directory":                     {e, []string{"-input", dir}, "is a directory"},
		"an empty feed":                   {e.feed(""), []string{"-input", "-"}, "the feed is empty"},
		"a feed of comments":              {e.feed("# 0 entries\n"), []string{"-input", "-"}, "the feed is empty"},
		"an HTML page":                    {e.feed("<html>"), []string{"-input", "-"}, "HTML page"},
		"a bundle that is cut off":        {e.feed(`{"type":"bundle","objects":[{"type":"malware","name":"A","id":"malware--1"},`), []string{"-input", "-"}, "ends in the middle"},
		"a pipe that breaks at once":      {env{vars: e.vars, stdin: iotest.ErrReader(errors.New("broken pipe"))}, []string{"-input", "-"}, "broken pipe"},
		"nothing but invalid lines":       {e.feed("0177.1\n0177.2\n"), []string{"-input", "-"}, "2 invalid: address"},
		"a flag that does not exist":      {e, []string{"-bogus"}, "-bogus"},
		"an argument that is no flag":     {e, []string{"feed.txt"}, "give the feed with -input"},
		"a format that does not exist":    {e, []string{"-format", "pdf"}, "want one of"},
		"a rating that does not exist":    {e, []string{"-rating", "6"}, "-rating: want 0 to 5"},
		"a confidence that is too high":   {e, []string{"-confidence", "101"}, "-confidence: want 0 to 100"},
		"bytes that are too few":          {e, []string{"-max-bytes", "10"}, "batch bytes"},
		"a negative number of bytes":      {e, []string{"-max-bytes", "-1"}, "-max-bytes"},
		"a write type that is none":       {e, []string{"-attributes", "merge"}, "want singleton"},
		"a tag that is too long":          {e, []string{"-tag", strings.Repeat("x", 129)}, "128 characters"},
		"a log that cannot be written":    {e, []string{"-tc_log_path", filepath.Join(dir, "none")}, "open the log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := c.env
			if e.stdin == nil {
				e = e.feed(sample) // nothing is wrong with it
			}
			r := e.run(t.Context(), append([]string{"-input", "-"}, c.args...)...)
			assert.Equal(t, 1, r.exit)
			assert.Equal(t, 1, strings.Count(r.stdout, "\n"), "one message: %q", r.stdout)
			assert.Contains(t, r.stdout, "Nothing was imported")
			assert.Contains(t, r.stdout, c.want)
			assert.LessOrEqual(t, len([]rune(strings.TrimSpace(r.stdout))), 255)
		})
	}
	t.Cleanup(func() { assert.Zero(t, srv.IndicatorCount(owner)) })
}

func TestAClockThatIsTenMinutesOffIsNamedAndCorrected(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	srv.SetClockOffset(10 * time.Minute)
	r := to(t, srv).feed(sample).run(t.Context(), "-input", "-")
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Contains(t, r.stderr, "the clock is wrong")
	assert.Regexp(t, `offset=(9m5\ds|10m\ds)`, r.stderr)
	assert.Equal(t, 20, srv.IndicatorCount(owner))
}

func TestAPipeThatBreaksInTheMiddleKeepsWhatCameBefore(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	e := to(t, srv)
	e.stdin = io.MultiReader(strings.NewReader(strings.Repeat("# padding\n", 10_000)+"one.example\ntwo.example\n"), iotest.ErrReader(errors.New("input/output error")))
	r := e.run(t.Context(), "-input", "-", "-json")
	s := summaryOf(t, r)
	assert.Equal(t, 3, r.exit)
	assert.Contains(t, s.Message, "reading the feed failed after line 10002: input/output error")
	assert.Equal(t, 2, srv.IndicatorCount(owner))
}

func TestAnInterruptNamesTheJobsThatAreLeftRunning(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New(threatconnecttest.WithBatchPolls(1 << 30))
	e := to(t, srv)
	ctx, stop := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	e.stdin = r
	go func() {
		for i := range 25 { // one full job, and a part of the next
			fmt.Fprintf(w, "host-%04d-%s.example.com\n", i, strings.Repeat("x", 40))
		}
		for len(srv.Jobs()) == 0 || srv.Jobs()[0].Polls == 0 {
			time.Sleep(time.Millisecond)
		}
		stop(errors.New("interrupt signal received")) // while the command waits for more input
	}()
	got := e.run(ctx, "-input", "-", "-format", "hosts", "-max-bytes", "2048", "-json")
	s := summaryOf(t, got)
	assert.Equal(t, 1, got.exit, "nothing is known to be in")
	assert.Equal(t, []int64{srv.Jobs()[0].ID}, s.RunningJobs)
	assert.Positive(t, s.Unknown)
	assert.Contains(t, s.Message, fmt.Sprintf("left running: job %d", srv.Jobs()[0].ID))
	assert.Contains(t, s.Message, "stopped: interrupt signal received")
}

func TestEverythingIsInOnceInSpiteOfFaults(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	srv.Inject(threatconnecttest.FaultMix(7, 0.05, threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultHTML))
	var feed strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&feed, `{"type":"Host","summary":"h%d.example.com","attributes":[{"type":"Description","value":"v"}]}`+"\n", i)
	}
	r := to(t, srv).feed(feed.String()).run(t.Context(), "-input", "-", "-attributes", "append", "-max-bytes", "8192", "-json")
	s := summaryOf(t, r)
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.EqualValues(t, 2000, s.Succeeded)
	require.Equal(t, 2000, srv.IndicatorCount(owner))
	for _, i := range srv.Indicators(owner) {
		require.Len(t, i.Attributes, 1, "each exactly once")
	}
}

func TestMessageAndLogGoWhereThePlatformWantsThem(t *testing.T) {
	t.Parallel()
	out, logs := t.TempDir(), t.TempDir()
	e := to(t, threatconnecttest.New())
	r := env{}.feed("one.example\n0177.1\n").run(t.Context(), "-input", "-", "--tc_api_path", e.vars["TC_BASE_URL"], "--api_access_id", e.vars["TC_ACCESS_ID"],
		"--api_secret_key", e.vars["TC_SECRET_KEY"], "--tc_owner", owner, "--tc_log_level", "DEBUG", "--tc_log_path", logs, "--tc_out_path", out)
	assert.Equal(t, 3, r.exit, r.stderr)
	b, err := os.ReadFile(filepath.Join(out, "message.tc"))
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(r.stdout), string(b))
	b, err = os.ReadFile(filepath.Join(logs, "app.log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "route=/v2/batch")
	assert.Contains(t, string(b), "msg=invalid line=2")
	assert.NotContains(t, string(b), "one.example")
	assert.NotContains(t, string(b), e.vars["TC_SECRET_KEY"])
	assert.NotContains(t, r.stderr, "level=", "the log is in its file")
}

// fullDisk refuses every byte.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatCannotBeWrittenFailsTheJob(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-json"}, {"-help"}} {
		var stderr buffer
		exit := Main(t.Context(), args, Process{Getenv: func(string) string { return "" }, Stdout: fullDisk{}, Stderr: &stderr})
		assert.Equal(t, 1, exit)
		if len(args) == 0 || args[0] == "-json" {
			assert.Contains(t, stderr.String(), "no space left on device")
		}
	}
	r := env{}.run(t.Context(), "-tc_out_path", filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, 1, r.exit)
	assert.Contains(t, r.stderr, "message.tc cannot be written")
}

func TestHelpSaysHowToGiveSecrets(t *testing.T) {
	t.Parallel()
	r := env{vars: map[string]string{"TC_SECRET_KEY": "do-not-show"}}.run(t.Context(), "-help")
	assert.Equal(t, 0, r.exit)
	for _, want := range []string{"-input", "-format", "-owner", "-tag", "-rating", "-confidence", "-attributes", "-max-bytes", "-json", "-log-level",
		"--tc_api_path", "--api_access_id", "--api_secret_key", "--tc_owner", "--tc_log_level", "--tc_log_path", "--tc_out_path", "Prefer the environment"} {
		assert.Contains(t, r.stdout, want)
	}
	assert.NotContains(t, r.stdout, "do-not-show")
}

func TestATerminalGetsABar(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 400 * time.Millisecond, Route: "/v2/batch/{id}", Method: "POST"})
	file := filepath.Join(t.TempDir(), "feed.csv") // of known size
	require.NoError(t, os.WriteFile(file, []byte(sample), 0o600))
	e := to(t, srv)
	e.terminal = true
	r := e.run(t.Context(), "-input", file)
	assert.Equal(t, 0, r.exit)
	assert.Contains(t, r.stderr, "\r", "a bar is drawn over itself")
	assert.Contains(t, r.stderr, "%")
	assert.NotContains(t, r.stderr, "job 1:", "lines are for where there is no terminal")
	assert.Equal(t, 1, strings.Count(r.stdout, "\n"))
}
