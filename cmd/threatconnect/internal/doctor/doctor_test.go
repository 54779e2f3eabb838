package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// clinic runs the command against a test server.
type clinic struct {
	vars map[string]string
	exam *exam
	out  bytes.Buffer
	err  bytes.Buffer
}

// newClinic returns a clinic for the instance at base with the credentials of srv.
func newClinic(base string, srv *threatconnecttest.Server) *clinic {
	c := &clinic{vars: map[string]string{"TC_BASE_URL": base, "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey()}}
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: &c.out, Stderr: &c.err, Getenv: func(name string) string { return c.vars[name] }}
	c.exam = newExam(env)
	c.exam.limits = limits{connect: 5 * time.Second, first: 10 * time.Second, pause: time.Millisecond}
	return c
}

// serve serves a handler on a port and returns its base URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/api"
}

// inProcess returns a clinic that reaches srv without a network. It calls before ahead of each request.
func inProcess(srv *threatconnecttest.Server, before func()) *clinic {
	c := newClinic("http://127.0.0.1:1/api", srv)
	c.exam.dial = func(context.Context, string, string) (net.Conn, error) {
		a, _ := net.Pipe()
		return a, nil
	}
	c.exam.transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		before()
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "https", "threatconnect.example"
		return srv.RoundTrip(r)
	})
	return c
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *clinic) run(ctx context.Context, args ...string) int {
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(c.exam.command())
	return cli.Run(ctx, root, c.exam.env, append([]string{"doctor"}, args...))
}

// report runs the command with --json and returns its exit code and report.
func (c *clinic) report(t *testing.T, args ...string) (int, report) {
	t.Helper()
	code := c.run(t.Context(), append(args, "--json")...)
	var r report
	require.NoError(t, json.Unmarshal(c.out.Bytes(), &r), c.out.String()+c.err.String())
	return code, r
}

// named returns the check with this name.
func (r report) named(t *testing.T, name string) check {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c check) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, "there is no check %q", name)
	return r.Checks[i]
}

// fill seeds items from which the doctor reads the server's data formats.
func fill(t testing.TB, srv *threatconnecttest.Server) {
	t.Helper()
	for n := range 3 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{
			Owner: "Example Source", Type: "Host", Summary: fmt.Sprintf("hushed-value-%d.example", n),
			Rating: new(3.0), Confidence: new(50), Tags: []string{"Hushed Tag"},
			Attributes: []threatconnecttest.AttributeRecord{{Type: "Description", Value: "hushed description"}},
		}))
	}
	require.NoError(t, srv.Seed(&threatconnecttest.GroupRecord{Owner: "Example Source", Type: "Threat", Name: "Hushed Threat", XID: "hushed-xid"}))
}

// observe records an observation of an indicator of fill.
func observe(t testing.TB, srv *threatconnecttest.Server) {
	t.Helper()
	require.NoError(t, srv.Client().InOwner("Example Source").Indicators.Observe(t.Context(), threatconnect.NewHost("hushed-value-0.example").Ref(), threatconnect.Observation{Count: 2}))
	srv.ResetRequests()
}

func TestHealthyInstance(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	fill(t, srv)
	observe(t, srv)
	c := newClinic(serve(t, srv), srv)
	before := len(srv.Jobs())
	assert.Equal(t, 0, c.run(t.Context()), c.out.String())
	out := c.out.String()
	assert.Empty(t, c.err.String())
	for _, want := range []string{
		"base URL          ok           http, and its path ends in /api\n",
		"credentials       ok           the signature is accepted\n                               the secret is from TC_SECRET_KEY\n",
		"API user          ok           role: Api User\n",
		"owners            ok           organizations: 1, communities: 1, sources: 1, others: 0\n",
		"owner             ok           3 indicators and 1 group read\n                               owner: \"Example Source\"\n",
		"ThreatAssess      ok           of 3 indicators, 3 have a score, 3 a rating and 3 a confidence\n",
		"batch import      unknown      needs writes",
		"Oddities of docs/wire.md: 0 seen, ",
		", 0 warnings, 0 failed, 2 unknown, 0 not checked\n",
	} {
		assert.Contains(t, out, want)
	}
	assert.Len(t, srv.Jobs(), before)
	for _, r := range srv.Requests() {
		assert.Equal(t, http.MethodGet, r.Method, "without --write, the doctor only reads")
	}
	assert.LessOrEqual(t, len(srv.Requests()), 25, "the help promises at most 25 requests")
}

func TestWrite(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(1))
	fill(t, srv)
	observe(t, srv)
	c := newClinic(serve(t, srv), srv)
	assert.Equal(t, 0, c.run(t.Context(), "--write", "Example Community"), c.out.String())
	out := c.out.String()
	for _, want := range []string{
		"batch job         ok           created\n                               job 1\n",
		": success 4, errors 1, unprocessed 0\n",
		"error file        ok           errors: 1, errors that name their item: 1\n",
		"read back         ok ",
		"write modes       ok           Singleton replaces an attribute, and Append keeps the tags\n",
		"create existing   ok           creating an indicator that exists updates it\n",
		"clean-up          ok           everything was removed; 2 batch jobs remain in the list of jobs\n",
		"Oddities of docs/wire.md: 0 seen, 33 not seen, 1 unknown\n", // no batch job was refused
	} {
		assert.Contains(t, out, want)
	}
	assert.Contains(t, c.err.String(), `--write creates a host, two files, a threat and two tags in the owner "Example Community" by 2 batch jobs, and an incident,`)
	requireUntouched(t, srv)
}

// requireUntouched requires that the owners contain the items of fill and nothing else.
func requireUntouched(t *testing.T, srv *threatconnecttest.Server) {
	t.Helper()
	for _, o := range srv.Owners() {
		want := 0
		if o.Name == "Example Source" {
			want = 1
		}
		require.Len(t, srv.Indicators(o.Name), 3*want)
		require.Len(t, srv.Groups(o.Name), want)
		tags := 0
		for tag, err := range srv.Client().InOwner(o.Name).Tags.All(t.Context(), nil) {
			require.NoError(t, err)
			require.Equal(t, "Hushed Tag", tag.Name)
			tags++
		}
		require.Equal(t, want, tags)
	}
}

func TestThreatReportsContainNoValues(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: "Hushed Owner", Type: "Source"},
		&threatconnecttest.IndicatorType{Name: "Hushed Type", Branch: "secretTypes", Entity: "secretType", Fields: []string{"Hushed Field"}},
		&threatconnecttest.AttributeType{Name: "Hushed Attribute", MaxLength: 100}))
	fill(t, srv)
	require.NoError(t, srv.Update(&threatconnecttest.Owner{Name: "Example Organization", Members: []threatconnecttest.User{
		{UserName: "hushed-user", FirstName: "Hushed", LastName: "Person", Role: "Hushed Role"}}}))
	base := serve(t, srv)
	for name, tc := range map[string]struct {
		key  string
		args []string
	}{
		"reading":       {srv.SecretKey(), []string{"--owner", "Example Source"}},
		"writing":       {srv.SecretKey(), []string{"--write", "Hushed Owner"}},
		"refused":       {"hushed-wrong-key", nil},
		"unknown owner": {srv.SecretKey(), []string{"--owner", "Hushed Unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "report.json")
			c := newClinic(base, srv)
			c.vars["TC_SECRET_KEY"] = tc.key
			c.run(t.Context(), append(tc.args, "--report", file)...)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			var r report
			require.NoError(t, json.Unmarshal(b, &r))
			assert.Len(t, r.Oddities, len(oddities))
			assert.NotEmpty(t, r.Shapes)
			host := strings.TrimPrefix(strings.TrimSuffix(base, "/api"), "http://")
			values := []string{"hushed", srv.AccessID(), srv.SecretKey(), host, host[strings.LastIndexByte(host, ':')+1:], "Example", c.exam.label}
			for _, v := range values {
				assert.NotContains(t, strings.ToLower(string(b)), strings.ToLower(v))
			}
			for _, credential := range []string{srv.SecretKey(), "hushed-wrong-key", srv.Token()} {
				assert.NotContains(t, c.out.String()+c.err.String(), credential)
			}
		})
	}
}

// TestCauses requires that the doctor names the cause of each problem, and that no other check fails.
func TestCauses(t *testing.T) {
	t.Parallel()
	type option = threatconnecttest.Option
	for name, tc := range map[string]struct {
		options []option
		set     func(*clinic, *threatconnecttest.Server)
		args    []string
		check   string
		result  result
		want    string
	}{
		"wrong key": {set: func(c *clinic, _ *threatconnecttest.Server) { c.vars["TC_SECRET_KEY"] = "wrong" },
			check: "credentials", result: failed, want: "the signature is refused"},
		"access id": {set: func(c *clinic, _ *threatconnecttest.Server) { c.vars["TC_ACCESS_ID"] = "4711" },
			check: "credentials", result: failed, want: "access is denied: status 401: Access Denied"},
		"token": {set: func(c *clinic, _ *threatconnecttest.Server) {
			delete(c.vars, "TC_ACCESS_ID")
			delete(c.vars, "TC_SECRET_KEY")
			c.vars["TC_TOKEN"] = "wrong"
		}, check: "credentials", result: failed, want: "the token is refused"},
		"instance ahead": {set: func(_ *clinic, srv *threatconnecttest.Server) { srv.SetClockOffset(6 * time.Minute) },
			check: "clock", result: failed, want: "this machine is about 6m0s behind the instance, which refuses"},
		"machine ahead": {set: func(c *clinic, _ *threatconnecttest.Server) {
			c.exam.now = func() time.Time { return time.Now().Add(6 * time.Minute) }
		}, check: "clock", result: failed, want: "this machine is about 6m0s ahead of the instance, which refuses"},
		"clock at the edge": {set: func(_ *clinic, srv *threatconnecttest.Server) { srv.SetClockOffset(3 * time.Minute) },
			check: "clock", result: warned, want: "this machine is about 3m0s behind the instance"},
		"clock days off": {set: func(_ *clinic, srv *threatconnecttest.Server) { srv.SetClockOffset(48 * time.Hour) },
			check: "clock", result: failed, want: "this machine is about 48h0m0s behind the instance, which refuses"},
		"license": {options: []option{threatconnecttest.WithoutLicense()},
			check: "API", result: failed, want: "the instance has no license for the API"},
		"rate limit": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"3600"}}}),
			check: "API", result: failed, want: "the instance limits the rate of requests (status 429)"},
		"rate limit once": {set: func(_ *clinic, srv *threatconnecttest.Server) {
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 429, Route: "/v2/whoami"}))
		}, check: "requests", result: warned, want: "1 were refused by the rate limit"},
		"login page": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultHTML}),
			check: "API", result: failed, want: "the response is an HTML page"},
		"redirect": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 302, Header: http.Header{"Location": {"https://hushed.example/"}}}),
			check: "API", result: failed, want: "the server redirects to another URL (status 302)"},
		"server error": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 502}),
			check: "API", result: failed, want: "the server fails: status 502 Bad Gateway"},
		"other API": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 404, Body: `{"error":"no route"}`}),
			check: "API", result: failed, want: "the response is not from the API (status 404)"},
		"garbage": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultGarbage}),
			check: "API", result: failed, want: "the response is not from the API"},
		"endless response": {set: func(c *clinic, srv *threatconnecttest.Server) {
			c.exam.limits.first = 100 * time.Millisecond
			always(threatconnecttest.Fault{Kind: threatconnecttest.FaultEndless})(c, srv)
		}, check: "API", result: failed, want: "there is no complete response within 100ms"},
		"connection": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}),
			check: "API", result: failed, want: "the server ends the connection without a response"},
		"no /api": {set: func(c *clinic, _ *threatconnecttest.Server) {
			c.vars["TC_BASE_URL"] = strings.TrimSuffix(c.vars["TC_BASE_URL"], "/api")
		}, check: "API", result: failed, want: "add /api to TC_BASE_URL: the API responds there"},
		"no API at all": {set: func(c *clinic, _ *threatconnecttest.Server) {
			c.vars["TC_BASE_URL"] = strings.TrimSuffix(c.vars["TC_BASE_URL"], "/api") + "/web"
		}, check: "API", result: failed, want: "it usually ends in /api, but there is no API there, either"},
		"path below /api": {set: func(c *clinic, _ *threatconnecttest.Server) { c.vars["TC_BASE_URL"] += "/v3" },
			check: "API", result: failed, want: "the platform has no API at the path of the base URL"},
		"owner": {args: []string{"--owner", "Nobody"}, check: "owner", result: failed, want: "does not see the owner of --owner"},
		"types": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Route: "/v2/types/attributeTypes"}),
			check: "attribute types", result: failed, want: "cannot be read: status 403 Forbidden"},
		"missing as 403": {set: always(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Route: "/v2/indicators/{type}/{indicator}"}),
			check: "missing items", result: warned, want: "that does not exist is not 404: status 403 Forbidden"},
		"page size": {set: func(_ *clinic, srv *threatconnecttest.Server) {
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 400, Route: "/v2/indicators", Skip: 3, Times: 2}))
		}, check: "page size", result: warned, want: "resultLimit=1000 is accepted, larger values are refused"},
		"batch API": {options: []option{threatconnecttest.WithBatchOff()}, args: []string{"--write", "Example Source"},
			check: "batch job", result: failed, want: "the batch API is switched off: status 503"},
		"old batch API": {options: []option{threatconnecttest.WithBatchOff(), threatconnecttest.WithOddities(threatconnecttest.OddityForbiddenBatch)}, args: []string{"--write", "Example Source"},
			check: "batch job", result: failed, want: "the batch API is switched off: status 403"},
		"read-only owner": {set: func(_ *clinic, srv *threatconnecttest.Server) {
			require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: "Feed", ReadOnly: true}))
		}, args: []string{"--write", "Feed"},
			check: "batch job", result: failed, want: "the API user may only read the owner: status 401"},
		"unknown write owner": {args: []string{"--write", "Nobody"},
			check: "batch job", result: failed, want: "does not see the owner of --write"},
		"full owner": {options: []option{threatconnecttest.WithIndicatorLimit(3)}, args: []string{"--write", "Example Source"},
			check: "read back", result: failed, want: "the imported host cannot be read: status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, append(tc.options, threatconnecttest.Allow(threatconnecttest.LapseUnverified, threatconnecttest.LapseUnknownRoutes))...)
			fill(t, srv)
			c := newClinic(serve(t, srv), srv)
			if tc.set != nil {
				tc.set(c, srv)
			}
			code, r := c.report(t, tc.args...)
			got := r.named(t, tc.check)
			assert.Equal(t, tc.result, got.Result, got)
			assert.Contains(t, got.Seen+"; "+got.Fix, tc.want)
			assert.NotEmpty(t, got.Fix, "every problem has a way to fix it")
			assert.Equal(t, tc.result == failed, code == 1)
			assert.NotContains(t, strings.ToLower(c.out.String()), "hushed")
			for _, other := range r.Checks {
				if other.Name != tc.check {
					assert.NotEqual(t, failed, other.Result, "%q is not the cause", other.Name)
				}
			}
		})
	}
}

func always(f threatconnecttest.Fault) func(*clinic, *threatconnecttest.Server) {
	f.Times = -1
	return func(_ *clinic, srv *threatconnecttest.Server) {
		if err := srv.Inject(f); err != nil {
			panic(err)
		}
	}
}

// TestPrinter prints hostile text of an instance in a narrow window.
func TestPrinter(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := &printer{w: &b, width: 60, color: true}
	p.check(check{Name: "clock", Result: failed, Seen: "this machine is about 6m0s behind the instance", Fix: "set it", Details: []string{"issuer: \x1b[2Jevil\r\nname"}})
	p.check(check{Name: "owners", Result: notChecked, Seen: "stopped"})
	assert.Equal(t, ""+
		"clock             \x1b[31mfailed       \x1b[0mthis machine is about 6m0s\n"+
		"                               behind the instance\n"+
		"                               Fix: set it\n"+
		"                               issuer: \ufffd[2Jevil  name\n"+
		"owners            not checked  stopped\n", b.String())
}

func TestStringToSign(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	c := newClinic(serve(t, srv), srv)
	c.vars["TC_SECRET_KEY"] = "wrong"
	assert.Equal(t, 1, c.run(t.Context()))
	assert.Regexp(t, `string to sign: /api/v2/owners\?resultLimit=500:GET:\d{10}\n`, c.out.String())
	assert.Contains(t, c.out.String(), "Authorization: TC <access id, 20 characters>:<signature, 44 characters>\n")
	assert.Contains(t, c.out.String(), `API user          not checked  needs the check "credentials"`)
}

func TestUnreliableInstance(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	fill(t, srv)
	require.NoError(t, srv.Inject(threatconnecttest.FaultMix(1, 0.1, threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultCutBody, threatconnecttest.FaultHTML, threatconnecttest.FaultGarbage)))
	code, r := newClinic(serve(t, srv), srv).report(t)
	assert.Equal(t, 0, code)
	assert.Equal(t, warned, r.named(t, "requests").Result)
	for _, f := range r.Oddities {
		assert.NotEqual(t, seen, f.Presence, "a failure is not an oddity: %s", f.Name)
	}
}

func TestInvalidCommandLines(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	base := serve(t, srv)
	for want, tc := range map[string]struct {
		vars map[string]string
		args []string
	}{
		"there is no instance to check":         {map[string]string{}, nil},
		"there are credentials but no instance": {map[string]string{"TC_TOKEN": "x"}, nil},
		"TC_ACCESS_ID is not set":               {map[string]string{"TC_BASE_URL": base}, nil},
		`argument 2 is not a flag`:              {map[string]string{"TC_BASE_URL": base}, []string{"now"}},
		"--report: no such file or directory":   {nil, []string{"--report", filepath.Join(t.TempDir(), "none", "x")}},
		"--tc_log_path: open":                   {nil, []string{"--tc_log_path", filepath.Join(t.TempDir(), "none")}},
		`sandbox" prints`:                       {map[string]string{}, nil},
	} {
		c := newClinic(base, srv)
		if tc.vars != nil {
			c.vars = tc.vars
		}
		assert.Equal(t, 1, c.run(t.Context(), tc.args...))
		assert.Contains(t, c.err.String(), want)
	}
	c := newClinic(base, srv)
	c.exam.env.Stdout = brokenWriter{}
	assert.Equal(t, 1, c.run(t.Context()))
	assert.Contains(t, c.err.String(), "write the results: broken pipe")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, fmt.Errorf("broken pipe") }
