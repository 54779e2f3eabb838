package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is the exit code and output of a run.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := &cli.Env{Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Getenv: func(k string) string { return env[k] }}
	return result{runCommand(t.Context(), e, args...), stdout.String(), stderr.String()}
}

// runCommand runs the command and returns its exit code.
func runCommand(ctx context.Context, e *cli.Env, args ...string) int {
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(Command(e))
	return cli.Run(ctx, root, e, append([]string{"alert"}, args...))
}

// owner returns args after the --owner of most tests.
func owner(args ...string) []string { return append([]string{"--owner", sampleOwner}, args...) }

// decided runs the command on an alert, requires success, and returns the report.
func decided(t *testing.T, env map[string]string, stdin string, args ...string) *report {
	t.Helper()
	r := run(t, env, stdin, append(owner("--json", "--fail-on-no-results=false"), args...)...)
	require.Equal(t, cli.Success, r.code, r.stderr)
	return reportOf(t, r.stdout)
}

func reportOf(t *testing.T, s string) *report {
	t.Helper()
	var r report
	require.NoError(t, json.Unmarshal([]byte(s), &r))
	return &r
}

// newInstance serves the sample's indicators on a port and returns the server and the environment of a client.
func newInstance(t *testing.T, options ...threatconnecttest.Option) (*threatconnecttest.Server, map[string]string) {
	t.Helper()
	return newInstanceBehind(t, func(*http.Request) int { return 0 }, options...)
}

// newSampleServer returns a test server with the sample data.
func newSampleServer(t *testing.T, options ...threatconnecttest.Option) *threatconnecttest.Server {
	t.Helper()
	srv := threatconnecttest.NewT(t, options...)
	require.NoError(t, fillSample(srv))
	return srv
}

// newInstanceBehind is newInstance with a firewall, which blocks a request if it returns a status other than 0.
func newInstanceBehind(t *testing.T, firewall func(*http.Request) int, options ...threatconnecttest.Option) (*threatconnecttest.Server, map[string]string) {
	t.Helper()
	srv := newSampleServer(t, options...)
	srv.ResetRequests()
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := firewall(r); status != 0 {
			http.Error(w, "blocked", status)
			return
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(port.Close)
	return srv, map[string]string{"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey()}
}

// decisions returns the decision about each value.
func decisions(r *report) map[string]string {
	m := map[string]string{}
	for _, v := range r.Indicators {
		m[v.Value] = v.Decision
	}
	return m
}

func TestSample(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "")
	assert.Equal(t, cli.Success, r.code, r.stderr)
	for _, s := range []string{
		"Beacon to a rare destination (EDR-20260105-0042)",
		"not a public address (private, RFC 1918)",
		"ThreatAssess score 812, at least 500",
		"reported as a false positive 3 times",
		"known to no other owner",
		`was created in "Example Alerts", with 3 indicators.`,
		"The users were notified (organization).",
	} {
		assert.Contains(t, r.stdout, s)
	}
	assert.Contains(t, r.stderr, "test server in this process")
}

func TestAlertStoresIndicatorsAndEvent(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	before := len(srv.Indicators("Example Source"))
	r := decided(t, env, sampleAlert, "--tag", "Beacon", "--tag", "Review Soon", "--event-status", "Escalated")
	assert.Equal(t, map[string]string{
		"10.20.30.40": refuse, "203.0.113.42": store, "cdn.updates.example": store,
		"https://docs.example.org/manual.pdf": ignore, "hxxp://www[.]example[.]com/news": ignore,
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": ignore,
		"www[.]example[.]com": ignore, `Global\example-mutex`: store, "invoice.exe": refuse,
	}, decisions(r))
	assert.Equal(t, 9, r.Succeeded)
	assert.Zero(t, r.Failed)

	all := srv.Indicators(sampleOwner)
	require.Len(t, all, 3)
	for _, ind := range all {
		assert.Equal(t, new(1.0), ind.Rating)
		assert.Equal(t, new(50), ind.Confidence)
		assert.Equal(t, []string{"Beacon", "Review Soon"}, ind.Tags)
	}
	assert.Len(t, srv.Indicators("Example Source"), before)
	events := srv.Groups(sampleOwner)
	require.Len(t, events, 1)
	e := events[0]
	assert.Equal(t, "Event", e.Type)
	assert.Equal(t, "Beacon to a rare destination (EDR-20260105-0042)", e.Name)
	assert.Equal(t, "Escalated", e.Fields["status"])
	assert.Contains(t, e.Fields["eventDate"], "2026-01-05T09:21:43")
	assert.Equal(t, []string{"Beacon", "Review Soon"}, e.Tags)
	assert.ElementsMatch(t, []string{"Address: 203.0.113.42", "Host: cdn.updates.example", `Mutex: Global\example-mutex`}, e.Indicators)
	require.Len(t, e.Attributes, 1)
	assert.Contains(t, e.Attributes[0].Value, "`203.0.113.42`")
	assert.Equal(t, &eventReport{ID: e.ID, Linked: 3}, r.Event)
	for _, v := range r.Indicators {
		assert.Equal(t, v.Decision == store, v.Linked)
	}
}

func TestRepeatedAlertChangesNothing(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	decided(t, env, sampleAlert, "--tag", "Beacon")
	groups, indicators := srv.Groups(sampleOwner), srv.Indicators(sampleOwner)
	r := decided(t, env, sampleAlert, "--tag", "Other")
	assert.Equal(t, keep, decisions(r)["203.0.113.42"])
	assert.True(t, r.Event.Existed)
	assert.Equal(t, groups, srv.Groups(sampleOwner))
	assert.Equal(t, indicators, srv.Indicators(sampleOwner))
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	r := decided(t, env, sampleAlert, "--dry-run")
	assert.Equal(t, store, decisions(r)["203.0.113.42"])
	assert.Nil(t, r.Event)
	assert.Equal(t, 9, r.Succeeded)
	assert.Zero(t, r.Failed)
	for _, req := range srv.Requests() {
		assert.Equal(t, http.MethodGet, req.Method)
	}
	assert.Contains(t, run(t, env, sampleAlert, owner("--dry-run")...).stdout, "Dry run: nothing was stored")
}

func TestAlertWithEveryOddity(t *testing.T) {
	t.Parallel()
	for odd := threatconnecttest.Oddity(1); odd < threatconnecttest.OddityAll; odd <<= 1 {
		srv, env := newInstance(t)
		srv.SetOddities(odd)
		assert.Equal(t, 3, decided(t, env, sampleAlert).Event.Linked, "oddity %b", odd)
		assert.True(t, decided(t, env, sampleAlert).Event.Existed, "oddity %b", odd)
		assert.Len(t, srv.Groups(sampleOwner), 1, "oddity %b", odd)
		assert.Len(t, srv.Notifications(), 1, "oddity %b", odd)
	}
}

func TestFailOnNoResults(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const nothing = `{"id":"7","indicators":["198.51.100.1"]}`
	r := run(t, env, nothing, owner()...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, "There is no reason to store this alert. Nothing was stored.")
	assert.Contains(t, r.stderr, "--fail-on-no-results=false")
	r = run(t, env, `{"id":"8"}`, owner("--fail-on-no-results=false")...)
	assert.Equal(t, cli.Success, r.code)
	assert.Contains(t, r.stdout, "This alert contains no indicators")
	assert.Empty(t, r.stderr)
	assert.NotNil(t, decided(t, env, `{"id":"8"}`).Indicators, "lists are never null")
	assert.Empty(t, srv.Groups(sampleOwner))
	assert.Equal(t, cli.Success, run(t, env, sampleAlert, owner()...).code)
}

func TestFailOnError(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	fault := threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: "POST", Route: "/v2/indicators/{type}", Skip: 1, Status: 500, Body: "no"}
	require.NoError(t, srv.Inject(fault))
	r := run(t, env, sampleAlert, owner("--json")...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Equal(t, 1, reportOf(t, r.stdout).Failed)
	assert.Equal(t, 8, reportOf(t, r.stdout).Succeeded)

	srv, env = newInstance(t)
	require.NoError(t, srv.Inject(fault))
	r = run(t, env, sampleAlert, owner("--json", "--fail-on-error=false")...)
	assert.Equal(t, cli.Success, r.code)
	assert.Equal(t, 1, reportOf(t, r.stdout).Failed)
	assert.Contains(t, reportOf(t, r.stdout).Error, "store an indicator: POST /v2/indicators/hosts: 500")
	assert.Contains(t, r.stderr, "store an indicator: POST /v2/indicators/hosts: 500")

	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/indicators/{type}/{indicator}/owners", Status: 401, Body: "no", Times: -1}))
	r = run(t, env, `{"id":"9","indicators":["203.0.113.42","10.0.0.1"]}`, owner("--json", "--fail-on-error=false")...)
	assert.Equal(t, cli.Success, r.code, "an outage is an error, not a lack of results")
	out := reportOf(t, r.stdout)
	assert.Equal(t, map[string]string{"203.0.113.42": failed, "10.0.0.1": refuse}, decisions(out))
	assert.NotEmpty(t, out.Error)
	assert.Nil(t, out.Event)
}

func TestInvalidAlertsAndFlags(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Seed(&threatconnecttest.AttributeType{Name: "Short", MaxLength: 499}))
	for name, tc := range map[string]struct {
		args   []string
		stdin  string
		stderr string
	}{
		"no owner":                {nil, sampleAlert, "--owner is not set"},
		"unknown owner":           {[]string{"--owner", "Alerts"}, sampleAlert, `sees no owner "Alerts"; it sees "Example Organization"`},
		"unknown attribute type":  {owner("--attribute-type", "Nope"), sampleAlert, `no attribute type "Nope": check --attribute-type`},
		"short attribute type":    {owner("--attribute-type", "Short"), sampleAlert, `at most 499 characters, and at least 500 are needed`},
		"empty alert":             {owner(), " \n", "the alert is empty"},
		"list":                    {owner(), "[]", "is not a JSON object"},
		"null":                    {owner(), "null", "is not a JSON object"},
		"truncated alert":         {owner(), `{"id":`, "is not a JSON object"},
		"two alerts":              {owner(), `{} {}`, "there is more after the alert"},
		"large alert":             {owner("--max-body", "10"), sampleAlert, "more bytes than --max-body allows"},
		"feed":                    {owner(), manyHosts(201), "the alert has 201 values"},
		"rating":                  {owner("--rating", "5.5"), sampleAlert, "--rating must be 0 to 5"},
		"confidence":              {owner("--confidence", "-1"), sampleAlert, "--confidence must be 0 to 100"},
		"score":                   {owner("--min-score", "1001"), sampleAlert, "--min-score must be 0 to 1000"},
		"CAL score":               {owner("--min-cal-score", "-1"), sampleAlert, "--min-cal-score must be 0 to 1000"},
		"minimum rating":          {owner("--min-rating", "NaN"), sampleAlert, "--min-rating must be 0 to 5"},
		"false positives":         {owner("--max-false-positives", "0"), sampleAlert, "--max-false-positives must be 1 or more"},
		"body limit":              {owner("--max-body", "0"), sampleAlert, "--max-body must be 1 or more"},
		"long tag":                {owner("--tag", strings.Repeat("x", 129)), sampleAlert, "--tag: tag"},
		"priority":                {owner("--priority", "urgent"), sampleAlert, "--priority must be low, medium or high"},
		"status":                  {owner("--event-status", "Done"), sampleAlert, "--event-status must be "},
		"notification type":       {owner("--notification-type", "System"), sampleAlert, "--notification-type must have 1 to 50 characters and not be System"},
		"long text":               {owner("--notification-text", strings.Repeat("x", 2001)), sampleAlert, "--notification-text must have at most 2,000 bytes"},
		"no recipient":            {owner("--notify", ", "), sampleAlert, "--notify"},
		"password without user":   {owner("--listen", ":0"), "", "ALERT_USER and ALERT_PASSWORD need each other"},
		"key without certificate": {owner("--tls-key", "key.pem"), "", "--tls-cert and --tls-key need each other"},
		"address":                 {owner("--listen", "nowhere:x"), "", "--listen: "},
		"argument":                {owner("alert.json"), "", `argument 4 is not a flag`},
		"no exclusion list":       {owner("--exclude", "no-such-file"), sampleAlert, "--exclude no-such-file: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := map[string]string{"TC_OWNER": "Example Source"}
			maps.Copy(e, env)
			if name == "password without user" {
				e["ALERT_PASSWORD"] = "s3cr3t"
			}
			r := run(t, e, tc.stdin, tc.args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
			assert.NotContains(t, r.stderr, "s3cr3t")
			assert.Empty(t, r.stdout)
		})
	}
}

func manyHosts(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"h`+strings.Repeat("x", i%50)+string(rune('a'+i/50))+`.example"`)
	}
	return `{"indicators":[` + strings.Join(all, ",") + `]}`
}

func TestExclusionLists(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	dir := t.TempDir()
	names, blocks := filepath.Join(dir, "names"), filepath.Join(dir, "blocks")
	require.NoError(t, os.WriteFile(names, []byte("# ours\nupdates.example\n"), 0o600))
	require.NoError(t, os.WriteFile(blocks, []byte("203.0.113.0/24\n"), 0o600))
	r := decided(t, env, sampleAlert, "--exclude", names, "--exclude", blocks)
	assert.Equal(t, refuse, decisions(r)["203.0.113.42"])
	assert.Equal(t, refuse, decisions(r)["cdn.updates.example"])
	r = decided(t, env, `{"indicators":["10.0.0.1","http://www.updates.example:8080/%zz","d41d8cd98f00b204e9800998ecf8427e","8.0.0.0/15"]}`, "--exclude", names)
	var reasons []string
	for _, v := range r.Indicators {
		assert.Equal(t, refuse, v.Decision)
		reasons = append(reasons, v.Reason)
	}
	assert.Equal(t, []string{"not a public address (private, RFC 1918)", "on list names", "hash of an empty file", "block wider than /16"}, reasons)

	require.NoError(t, os.WriteFile(names, []byte("ok.example\nnonsense\n"), 0o600))
	bad := run(t, env, sampleAlert, owner("--exclude", names)...)
	assert.Equal(t, cli.Failure, bad.code)
	assert.Contains(t, bad.stderr, `list "names", line 2: `)
	assert.NotContains(t, bad.stderr, "nonsense")
}

// The log has one record per alert, with its time in UTC and without values of the alert.
func TestLog(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	dir := t.TempDir()
	assert.Equal(t, cli.Success, run(t, env, sampleAlert, owner("--tc_log_path", dir, "--tc_log_level", "INFO")...).code)
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	require.NoError(t, err)
	assert.Regexp(t, `time=\S+Z level=INFO msg="alert handled" alert=[0-9a-f]{16} store=3 keep=0 ignore=4 refuse=2 failed=0 event=\d+ linked=3 notification=sent\n$`, string(log))
	for _, value := range []string{"203.0.113.42", "updates", "mutex", "Beacon", "EDR"} {
		assert.NotContains(t, string(log), value)
	}
}

// An alert cannot send control sequences to the terminal or change the direction of text.
func TestReportEscapesControlCharacters(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	r := run(t, env, `{"id":"1","title":"a\u001b[31mb","indicators":["\u202e\u001b[2Jx"]}`, owner()...)
	assert.NotContains(t, r.stdout, "\x1b")
	assert.NotContains(t, r.stdout, "\u202e")
}

func TestReportFits80Columns(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	r := decided(t, env, sampleAlert)
	r.Indicators[0].Field = "a.field.with.a.name.that.is.longer.than.a.column"
	var b bytes.Buffer
	require.NoError(t, r.writeText(&b, 80))
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, len(line), 81, line)
	}
}

func TestInterruptWhileReadingAlert(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupt signal received")
	in, typed := io.Pipe()
	defer typed.Close()
	var stderr bytes.Buffer
	e := &cli.Env{Stdin: readerThat{in, func() { cancel(interrupt) }}, Stdout: io.Discard, Stderr: &stderr, Getenv: func(string) string { return "" }}
	assert.Equal(t, cli.Failure, runCommand(ctx, e))
	assert.Contains(t, stderr.String(), "alert: stopped: interrupt signal received")
}

// readerThat calls a function before it reads.
type readerThat struct {
	io.Reader
	before func()
}

func (r readerThat) Read(p []byte) (int, error) {
	r.before()
	return r.Reader.Read(p)
}

// An instance that does not answer is an error within 15 seconds.
func TestSilentInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: time.Hour, Times: -1}))
		h := newTestHandler(t, srv.Client())
		start := time.Now()
		err := h.preflight(t.Context())
		require.Error(t, err)
		assert.Contains(t, cli.Explain(err), "the instance does not answer")
		assert.LessOrEqual(t, time.Since(start), 15*time.Second)
	})
}
