package alert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// result is what a run of the command came to.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), &command.Env{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(k string) string { return env[k] },
	})
	return result{code, stdout.String(), stderr.String()}
}

// decided runs the command on an alert and returns its report.
func decided(t *testing.T, env map[string]string, stdin string, args ...string) *report {
	t.Helper()
	r := run(t, env, stdin, append([]string{"-json", "-owner", demoOwner}, args...)...)
	require.Equal(t, command.OK, r.code, r.stderr)
	var out report
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &out))
	return &out
}

// newInstance returns a test server with what is invented for alerts, and the environment of its
// clients.
func newInstance(t *testing.T) (*threatconnecttest.Server, map[string]string) {
	t.Helper()
	return newInstanceBehind(t, func(*http.Request) int { return 0 })
}

// newInstanceBehind is newInstance with a firewall, which answers a request with a status if that is
// not 0.
func newInstanceBehind(t *testing.T, firewall func(*http.Request) int) (*threatconnecttest.Server, map[string]string) {
	t.Helper()
	srv := threatconnecttest.New()
	require.NoError(t, fillDemo(srv))
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

// actions returns what became of every value.
func actions(r *report) map[string]string {
	m := map[string]string{}
	for _, v := range r.Indicators {
		m[v.Value] = v.Decision
	}
	return m
}

func TestAlertInTheTestServer(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "")
	assert.Equal(t, command.OK, r.code, r.stderr)
	for _, s := range []string{
		"Beacon to a rare destination (EDR-20260105-0042)",
		"not a public address (private, RFC 1918)",
		"ThreatAssess score 812, at least 500",
		"false positive, 3 times",
		"known to no other owner",
		`was created in "Example Alerts"; associated with it: 3 indicators.`,
		"A notification was sent to the organization.",
	} {
		assert.Contains(t, r.stdout, s)
	}
	assert.Contains(t, r.stderr, "test server in the process")
}

func TestAlertIsStoredAsSuspiciousInItsOwnOwner(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	before := len(srv.Indicators("Example Source"))
	r := decided(t, env, demoAlert, "-tag", "Beacon", "-tag", "Needs Review")
	assert.Equal(t, map[string]string{
		"10.20.30.40": refuse, "203.0.113.42": store, "cdn.updates.example": store,
		"https://docs.example.org/manual.pdf": ignore, "hxxp://www[.]example[.]com/news": ignore,
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": ignore,
		"www[.]example[.]com": ignore, `Global\example-mutex`: store, "invoice.exe": refuse,
	}, actions(r))

	all := srv.Indicators(demoOwner)
	require.Len(t, all, 3)
	for _, ind := range all {
		assert.Equal(t, new(1.0), ind.Rating)
		assert.Equal(t, new(50), ind.Confidence)
		assert.Equal(t, []string{"Beacon", "Needs Review"}, ind.Tags)
	}
	assert.Len(t, srv.Indicators("Example Source"), before)
	events := srv.Groups(demoOwner)
	require.Len(t, events, 1)
	e := events[0]
	assert.Equal(t, "Event", e.Type)
	assert.Equal(t, "Beacon to a rare destination (EDR-20260105-0042)", e.Name)
	assert.Contains(t, e.Fields["eventDate"], "2026-01-05T09:21:43")
	assert.Equal(t, []string{"Beacon", "Needs Review"}, e.Tags)
	assert.ElementsMatch(t, []string{"Address: 203.0.113.42", "Host: cdn.updates.example", `Mutex: Global\example-mutex`}, e.Indicators)
	require.Len(t, e.Attributes, 1)
	assert.Contains(t, e.Attributes[0].Value, "`203.0.113.42`")

	sent := srv.Notifications()
	require.Len(t, sent, 1)
	assert.True(t, sent[0].Organization)
	assert.Contains(t, sent[0].Message, "3 indicators for review in `Example Alerts`")
	assert.Equal(t, &eventReport{ID: e.ID, Name: e.Name, Linked: 3}, r.Event)
	for _, v := range r.Indicators {
		assert.Equal(t, v.Decision == store, v.Linked)
	}
}

func TestAlertThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	decided(t, env, demoAlert)
	groups, indicators := srv.Groups(demoOwner), srv.Indicators(demoOwner)
	r := decided(t, env, demoAlert)
	assert.Equal(t, keep, actions(r)["203.0.113.42"])
	assert.True(t, r.Event.Existed)
	assert.Equal(t, groups, srv.Groups(demoOwner))
	assert.Equal(t, indicators, srv.Indicators(demoOwner))
	assert.Len(t, srv.Notifications(), 1, "the users know")
}

func TestAlertThatFailedHalfWayIsFinishedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: "POST", Route: "/v2/indicators/{type}", Skip: 1, Status: 500, Body: "no"})
	r := run(t, env, demoAlert, "-owner", demoOwner)
	assert.Equal(t, command.Error, r.code)
	assert.Contains(t, r.stdout, "203.0.113.42", "what was decided is told")
	assert.Contains(t, r.stderr, "store an indicator: threatconnect: POST /v2/indicators/hosts: 500")
	assert.Len(t, srv.Groups(demoOwner)[0].Indicators, 2, "the others are stored")
	require.Len(t, srv.Notifications(), 1, "the users know what was stored")
	assert.Contains(t, srv.Notifications()[0].Message, "2 indicators for review")

	again := decided(t, env, demoAlert)
	assert.Equal(t, keep, actions(again)["203.0.113.42"])
	assert.Equal(t, store, actions(again)["cdn.updates.example"])
	assert.Len(t, srv.Groups(demoOwner), 1)
	assert.Len(t, srv.Groups(demoOwner)[0].Indicators, 3)
	assert.Len(t, srv.Groups(demoOwner)[0].Attributes, 1)
	assert.Len(t, srv.Notifications(), 2, "the users know of the rest")
	decided(t, env, demoAlert)
	assert.Len(t, srv.Notifications(), 2)
}

// TestAlertNotifiesOnceWhateverCannotBeDone sends an alert twice while one kind of request fails.
func TestAlertNotifiesOnceWhateverCannotBeDone(t *testing.T) {
	t.Parallel()
	blocked := func(method string, parts ...string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == method && !slices.ContainsFunc(parts, func(s string) bool { return !strings.Contains(r.URL.Path, s) })
		}
	}
	const known = `{"id":"1","indicators":["cdn.updates.example","203.0.113.42"]}`
	for _, tc := range []struct {
		name   string
		fails  func(*http.Request) bool
		status int
		stderr string
		linked int  // how many indicators are associated with the event
		once   bool // whether it is not tried again
	}{
		{"looking up a value", blocked("GET", "/hosts/cdn.updates.example"), 403, "look up an indicator: threatconnect: GET /v2/indicators/hosts/{}", 1, false},
		{"looking up a value on a broken server", blocked("GET", "/hosts/cdn.updates.example"), 500, "look up an indicator", 1, false},
		{"storing a value", blocked("POST", "/indicators/hosts"), 403, "store an indicator: threatconnect: POST /v2/indicators/hosts: 403", 1, false},
		{"storing behind a proxy that is down", blocked("POST", "/indicators/hosts"), 502, "store an indicator: threatconnect: POST /v2/indicators/hosts: 502", 0, false},
		{"tagging the event", blocked("POST", "/groups/events/", "/tags/"), 403, "tag the event", 2, true},
		{"tagging a value", blocked("POST", "/hosts/cdn.updates.example/tags/"), 403, "tag an indicator", 2, true},
		{"associating a value", blocked("POST", "/groups/events/", "/hosts/"), 403, "associate an indicator with the event", 1, false},
		{"associating a value that the platform refuses to associate", blocked("POST", "/groups/events/", "/hosts/"), 400, "", 1, false},
		{"associating behind a proxy that is down", blocked("POST", "/groups/events/", "/hosts/"), 502, "associate an indicator with the event", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv, env := newInstanceBehind(t, func(r *http.Request) int {
				if tc.fails(r) {
					return tc.status
				}
				return 0
			})
			for i := range 2 {
				r := run(t, env, known, "-owner", demoOwner, "-tag", "Beacon")
				if tc.stderr == "" || tc.once && i > 0 {
					assert.Equal(t, command.OK, r.code, r.stderr)
				} else {
					assert.Equal(t, command.Error, r.code)
					assert.Contains(t, r.stderr, tc.stderr)
				}
				assert.NotContains(t, r.stderr, "cdn.updates.example")
				require.Len(t, srv.Groups(demoOwner), 1)
				assert.Len(t, srv.Groups(demoOwner)[0].Indicators, tc.linked)
				assert.Len(t, srv.Groups(demoOwner)[0].Attributes, 1)
				assert.Len(t, srv.Notifications(), 1)
			}
		})
	}
}

func TestAlertOfValuesThatThePlatformRefusesNotifies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		path    string
		status  int
		because string
	}{
		{"when it looks them up", "GET /api/v2/indicators/hosts/unknown.example/owners", 414, "cannot be looked up: GET /v2/indicators/hosts/{}/owners: 414"},
		{"when it stores them", "POST /api/v2/indicators/hosts", 400, "cannot be stored: POST /v2/indicators/hosts: 400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv, env := newInstanceBehind(t, func(r *http.Request) int {
				if r.Method+" "+r.URL.Path == tc.path {
					return tc.status
				}
				return 0
			})
			const in = `{"id":"1","indicators":["unknown.example"]}`
			r := decided(t, env, in, "-store-unknown", "-fail-on-none")
			assert.Equal(t, refuse, actions(r)["unknown.example"])
			assert.Contains(t, r.Indicators[0].Because, tc.because)
			assert.Empty(t, decided(t, env, in, "-store-unknown").Notification)
			require.Len(t, srv.Notifications(), 1)
			assert.Contains(t, srv.Notifications()[0].Message, "- Host `unknown.example`, from `indicators`, refused by the platform\n")
			assert.Len(t, srv.Groups(demoOwner), 1)
			assert.Empty(t, srv.Indicators(demoOwner))
			assert.Nil(t, decided(t, env, `{"id":"2","indicators":["unknown.example"]}`).Event, "there is no reason to store it")
		})
	}
}

func TestAlertWhoseValuesCannotBeLookedUpIsUndecided(t *testing.T) {
	t.Parallel()
	srv, env := newInstanceBehind(t, func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/indicators/") {
			return http.StatusForbidden
		}
		return 0
	})
	r := run(t, env, demoAlert, "-owner", demoOwner)
	assert.Equal(t, command.Error, r.code)
	assert.Contains(t, r.stdout, "7 of the values could not be looked up. Nothing was stored.")
	assert.Contains(t, r.stderr, "look up an indicator: threatconnect: GET")
	assert.Contains(t, r.stderr, "; 6 more values failed")
	assert.Empty(t, srv.Groups(demoOwner))
}

func TestAlertOfLongValuesNotifies(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	var urls []string
	for i := range maxCandidates {
		urls = append(urls, fmt.Sprintf(`"http://203.0.113.42/%d/%s"`, i, strings.Repeat("ü", 400)))
	}
	r := decided(t, env, `{"id":"1","indicators":[`+strings.Join(urls, ",")+`]}`, "-store-unknown")
	assert.Equal(t, maxCandidates, r.Event.Linked)
	require.Len(t, srv.Notifications(), 1)
	assert.Regexp(t, `\n- and \d+ more\n$`, srv.Notifications()[0].Message)
}

func TestAlertOfWhichNobodyWasNotifiedIsFinishedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/notifications", Status: 400, Body: "no"})
	r := run(t, env, demoAlert, "-owner", demoOwner)
	assert.Equal(t, command.Error, r.code)
	assert.Contains(t, r.stderr, "notify the users")
	assert.NotContains(t, r.stdout, "notif")

	again := decided(t, env, demoAlert)
	assert.True(t, again.Event.Existed)
	assert.Equal(t, "the organization", again.Notification)
	assert.Len(t, srv.Notifications(), 1)
	assert.Empty(t, decided(t, env, demoAlert).Notification)
	assert.Len(t, srv.Groups(demoOwner), 1)
	assert.Len(t, srv.Groups(demoOwner)[0].Attributes, 1)
}

func TestAlertIsNotWrittenInADryRun(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	r := decided(t, env, demoAlert, "-dry-run")
	assert.Equal(t, store, actions(r)["203.0.113.42"])
	assert.Nil(t, r.Event)
	for _, req := range srv.Requests() {
		assert.Equal(t, http.MethodGet, req.Method)
	}
	text := run(t, env, demoAlert, "-owner", demoOwner, "-dry-run")
	assert.Contains(t, text.stdout, "This was a dry run. Nothing was stored")
}

func TestAlertDecidesByItsThresholds(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	const in = `{"id":"1","indicators":["203.0.113.42","cdn.updates.example","https://docs.example.org/manual.pdf","198.51.100.1","www.example.com"]}`
	for _, tc := range []struct {
		name string
		args []string
		want []string // what is stored
	}{
		{"a score or a rating is enough", []string{"-min-score", "800", "-min-rating", "3"}, []string{"203.0.113.42", "cdn.updates.example"}},
		{"a high score only", []string{"-min-score", "800", "-min-rating", "5"}, []string{"203.0.113.42"}},
		{"a low rating", []string{"-min-score", "1000", "-min-rating", "1"}, []string{"203.0.113.42", "cdn.updates.example", "https://docs.example.org/manual.pdf"}},
		{"the unknown as well", []string{"-min-score", "1000", "-min-rating", "5", "-store-unknown"}, []string{"198.51.100.1"}},
		{"false positives are believed later", []string{"-min-score", "700", "-min-rating", "5", "-max-false-positives", "4"}, []string{"203.0.113.42", "www.example.com"}},
		{"nothing is enough", []string{"-min-score", "1000", "-min-rating", "5"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, v := range decided(t, env, in, append(tc.args, "-dry-run")...).Indicators {
				if v.matters() {
					got = append(got, v.Value)
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestAlertWithoutAReason(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const in = `{"id":"7","indicators":["198.51.100.1"]}`
	r := run(t, env, in, "-owner", demoOwner)
	assert.Equal(t, command.OK, r.code)
	assert.Contains(t, r.stdout, "There is no reason to go on with this alert. Nothing was stored.")
	r = run(t, env, in, "-owner", demoOwner, "-fail-on-none")
	assert.Equal(t, nothingStored, r.code)
	r = run(t, env, `{"id":"8"}`, "-owner", demoOwner)
	assert.Contains(t, r.stdout, "no value in this alert that could be an indicator")
	assert.Empty(t, srv.Groups(demoOwner))
}

func TestAlertNotifiesWhomItIsTold(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.True(t, srv.SetMembers("Example Organization", false, threatconnecttest.User{UserName: "ana"}, threatconnecttest.User{UserName: "bo"}))
	r := decided(t, env, demoAlert, "-notify", "ana, bo", "-priority", "HIGH")
	assert.Equal(t, "ana, bo", r.Notification)
	require.Len(t, srv.Notifications(), 1)
	assert.Equal(t, []string{"ana", "bo"}, srv.Notifications()[0].Recipients)
	assert.Equal(t, "High", srv.Notifications()[0].Priority)

	quiet, env := newInstance(t)
	decided(t, env, demoAlert, "-notify", "none")
	assert.Empty(t, quiet.Notifications())
}

func TestAlertTextIsHarmlessInWhatUsersRead(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	decided(t, env, `{"id":"9","title":"[click](https://evil.example) `+"`"+`x`+"`"+`, now\u0000\n","indicators":["203.0.113.42"]}`)
	sent := srv.Notifications()
	require.Len(t, sent, 1)
	assert.Contains(t, sent[0].Message, "Alert `[click](https://evil.example) 'x' now (9)`:")
}

func TestAlertExcludesWhatIsListed(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	list := filepath.Join(t.TempDir(), "exclude")
	require.NoError(t, os.WriteFile(list, []byte("# ours\n203.0.113.0/24\nupdates.example\n"), 0o600))
	r := decided(t, env, demoAlert, "-exclude", list)
	assert.Equal(t, refuse, actions(r)["203.0.113.42"])
	assert.Equal(t, refuse, actions(r)["cdn.updates.example"])
	r = decided(t, env, `{"indicators":["10.0.0.1","http://www.updates.example:8080/%zz","d41d8cd98f00b204e9800998ecf8427e","8.0.0.0/15"]}`, "-exclude", list)
	var reasons []string
	for _, v := range r.Indicators {
		assert.Equal(t, refuse, v.Decision)
		reasons = append(reasons, v.Because)
	}
	assert.Equal(t, []string{"not a public address (private, RFC 1918)", "on list exclude", "hash of an empty file", "block wider than /16"}, reasons)

	require.NoError(t, os.WriteFile(list, []byte("ok.example\nnonsense\n"), 0o600))
	bad := run(t, env, demoAlert, "-owner", demoOwner, "-exclude", list)
	assert.Equal(t, command.Error, bad.code)
	assert.Contains(t, bad.stderr, `-exclude: ioc: list "exclude", line 2: `)
}

func TestAlertRefuses(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	owner := []string{"-owner", demoOwner}
	for name, tc := range map[string]struct {
		args   []string
		stdin  string
		stderr string
	}{
		"to choose the owner":           {nil, demoAlert, "-owner is not set"},
		"an owner that is not there":    {[]string{"-owner", "Alerts"}, demoAlert, `no owner "Alerts"; the owners it sees are "Example Organization"`},
		"an empty alert":                {owner, " \n", "there is no alert"},
		"an alert that is a list":       {owner, "[]", "is not a JSON object"},
		"an alert that is null":         {owner, "null", "is not a JSON object"},
		"an alert that is cut":          {owner, `{"id":`, "is not a JSON object"},
		"two alerts":                    {owner, `{} {}`, "behind the alert"},
		"an alert that is too large":    {append(owner, "-max-body", "10"), demoAlert, "larger than 10 bytes"},
		"a feed":                        {owner, `{"indicators":[` + strings.Repeat(`"a","b","c",`, 1) + manyHosts(201) + `]}`, "filter where alerts are made"},
		"a rating that is none":         {append(owner, "-rating", "5.5"), demoAlert, "-rating: want 0 to 5"},
		"a confidence that is none":     {append(owner, "-confidence", "-1"), demoAlert, "-confidence: want 0 to 100"},
		"a tag that is too long":        {append(owner, "-tag", strings.Repeat("x", 129)), demoAlert, "-tag: tag"},
		"a priority that is none":       {append(owner, "-priority", "urgent"), demoAlert, "want low, medium or high"},
		"a password without a user":     {append(owner, "-listen", ":0"), "", "ALERT_USER and ALERT_PASSWORD belong together"},
		"an address that is none":       {append(owner, "-listen", "nowhere:x"), "", "-listen"},
		"an argument":                   {append(owner, "alert.json"), "", `"alert.json" is no flag`},
		"an exclusion list that is not": {append(owner, "-exclude", "no-such-file"), demoAlert, "-exclude"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := map[string]string{"TC_OWNER": "Example Source"}
			for k, v := range env {
				e[k] = v
			}
			if strings.Contains(tc.stderr, "ALERT_USER") {
				e["ALERT_PASSWORD"] = "s3cr3t"
			}
			r := run(t, e, tc.stdin, tc.args...)
			assert.Equal(t, command.Error, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
			assert.NotContains(t, r.stderr, "s3cr3t")
		})
	}
}

func manyHosts(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"h`+strings.Repeat("x", i%50)+string(rune('a'+i%26))+`.example"`, `"`+strings.Repeat("y", i/26+1)+string(rune('a'+i%26))+`.example"`)
	}
	return strings.Join(all, ",")
}

func TestAlertEndsWhileItWaitsForOne(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, typed := io.Pipe()
	defer typed.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	code := Run(ctx, &command.Env{
		Args: []string{"-owner", demoOwner}, Stdin: in, Stdout: io.Discard, Stderr: io.Discard,
		Getenv: func(k string) string { return env[k] },
	})
	assert.Equal(t, command.Error, code)
}

func TestAlertHelps(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "", "--help")
	assert.Equal(t, command.OK, r.code)
	assert.Contains(t, r.stdout, "Never stored are")
	assert.Contains(t, r.stdout, "history of the shell")
}

func TestAlertIsReadWhereverItsFieldsAre(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		in     string
		fields fields
		want   alert
	}{
		{"nested names", `{"source":{"ip":"a"}}`, fields{}, alert{when: now, candidates: []candidate{{"a", "", "source.ip"}}}},
		{"names with dots", `{"source.ip":"a","event.id":7}`, fields{}, alert{id: "7", when: now, candidates: []candidate{{"a", "", "source.ip"}}}},
		{"lists on the way", `{"e":[{"x":["a","b"]},{"x":"c"},{"x":"a"}]}`, fields{indicators: command.Texts{"e.x"}},
			alert{when: now, candidates: []candidate{{"a", "", "e.x"}, {"b", "", "e.x"}, {"c", "", "e.x"}}}},
		{"other names are not read when some are given", `{"source":{"ip":"a"},"y":"b"}`, fields{indicators: command.Texts{"y"}},
			alert{when: now, candidates: []candidate{{"b", "", "y"}}}},
		{"a list of values and objects", `{"indicators":["a",{"type":"Mutex","value":"m"},{"value":" "},5,null]}`, fields{},
			alert{when: now, candidates: []candidate{{"a", "", "indicators"}, {"m", "Mutex", "indicators"}}}},
		{"a date", `{"@timestamp":"2026-05-31T01:02:03+02:00"}`, fields{}, alert{when: time.Date(2026, 5, 30, 23, 2, 3, 0, time.UTC)}},
		{"seconds", `{"time":1767600000.5}`, fields{}, alert{when: time.Unix(1767600000, 0)}},
		{"milliseconds", `{"time":1767600000123}`, fields{}, alert{when: time.Unix(1767600000, 0)}},
		{"a date in the future", `{"time":"2099-01-01T00:00:00Z"}`, fields{}, alert{when: now}},
		{"named fields", `{"id":1,"n":{"a":"i","b":"t","c":0}}`, fields{id: "n.a", title: "n.b", time: "n.c"}, alert{id: "i", title: "t", when: now}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := readAlert(strings.NewReader(tc.in), 1<<10, &tc.fields, now)
			require.NoError(t, err)
			assert.True(t, tc.want.when.Equal(got.when), "%s", got.when)
			got.when, got.digest = tc.want.when, ""
			assert.Equal(t, &tc.want, got)
		})
	}
}

func TestAlertIsNamedByItsTitleAndWhatTellsItFromOthers(t *testing.T) {
	t.Parallel()
	name := func(in string) string {
		a, err := readAlert(strings.NewReader(in), 1<<10, &fields{}, time.Now())
		require.NoError(t, err)
		return a.name()
	}
	assert.Equal(t, "Beacon seen (7)", name(`{"id":7,"title":"Beacon, seen"}`))
	assert.Equal(t, "Alert (7)", name(`{"id":7,"title":"\u0000"}`))
	assert.Equal(t, name(`{"title":"a"}`), name(`{"title":"a"} `))
	assert.NotEqual(t, name(`{"title":"a","x":1}`), name(`{"title":"a","x":2}`), "two alerts without an id are two")
	assert.Equal(t, name(`{"id":"1) (2","title":"A"}`), name(`{"id":"1) (2","title":"A","x":1}`))
	assert.Equal(t, "A (INC 42)", name(`{"id":"INC 42","title":"A"}`))
	assert.Equal(t, "A ("+strings.Repeat("i", 50)+")", name(`{"id":"`+strings.Repeat("i", 50)+`","title":"A"}`))
	assert.Regexp(t, `^A \(i{37}…[0-9a-f]{12}\)$`, name(`{"id":"`+strings.Repeat("i", 51)+`","title":"A"}`))
	assert.Regexp(t, `^A \(1\) \(2…[0-9a-f]{12}\)$`, name(`{"id":"1) (2","title":"A"}`))
	assert.NotEqual(t, name(`{"id":"1) (2","title":"A"}`), name(`{"id":"2","title":"A (1)"}`))
	long := name(`{"id":"` + strings.Repeat("i", 99) + `","title":"` + strings.Repeat("ü", 200) + `"}`)
	assert.Len(t, []rune(long), maxName)
	assert.Contains(t, long, "ü… (iii")
}

func TestNamesOfAlertsAreEqualIfTheirIDsAre(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const odd = "()…, \u00a0\t\x00\xff\u202eé#a0"
	prefixes := []string{
		"", "A", "1) (", "SOC-1001", "ü", "arn:aws:guardduty:us-east-1:123456789012:detector/12abc34d567e8fa901bc2d34e56789f0/finding/",
		strings.Repeat("i", 36), strings.Repeat("i", 49), strings.Repeat("i", 50), strings.Repeat("é", 50), strings.Repeat("i", 200),
	}
	titles := []string{"Alert", "A", "A (1)", "A (1) (SOC-1001", strings.Repeat("ü", 101)}
	names := map[string]string{} // with the id of each
	ids := map[string]bool{}
	add := func(id string) string {
		a := alert{id: id, title: titles[random.IntN(len(titles))]}
		name := a.name()
		if other, ok := names[name]; ok && other != id {
			require.Failf(t, "one name", "%q and %q have the name %q", other, id, name)
		}
		if utf8.RuneCountInString(name) > maxName || strings.Contains(name, ",") {
			require.Failf(t, "no name of a group", "%q", name)
		}
		names[name], ids[id] = id, true
		return name
	}
	for len(ids) < 100_000 {
		id := prefixes[random.IntN(len(prefixes))]
		for range random.IntN(4) {
			if random.IntN(2) == 0 {
				id += strconv.Itoa(random.IntN(1000))
			} else {
				i := random.IntN(len(odd))
				id += odd[i : i+1+random.IntN(len(odd)-i)]
			}
		}
		if id == "" {
			continue
		}
		name := add(id)
		if len(ids)%10 == 0 {
			add(name[strings.LastIndex(name, " (")+2 : len(name)-1]) // an id that looks like what is made of another one
		}
	}
}

func TestAlertWithALongIDIsAnEventOfItsOwn(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const finding = "arn:aws:guardduty:us-east-1:123456789012:detector/12abc34d567e8fa901bc2d34e56789f0/finding/"
	for _, id := range []string{"aaaa", "bbbb", "cccc"} {
		r := decided(t, env, `{"id":"`+finding+id+`","title":"UnauthorizedAccess:EC2/SSHBruteForce","src_ip":"203.0.113.42"}`)
		assert.False(t, r.Event.Existed)
		assert.Equal(t, "the organization", r.Notification)
	}
	assert.Len(t, srv.Groups(demoOwner), 3)
	assert.Len(t, srv.Notifications(), 3)
}

func TestAlertWithTheNameOfAnotherNotifiesAgain(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const real = `{"id":"SOC-1001","title":"Alert","src_ip":"203.0.113.42","note":"the real one"}`
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(real)))
	bodies := []string{
		`{"id":"SOC-1001","title":"Alert","src_ip":"203.0.113.42"}`,
		`{"id":"SOC-1001","title":"Alert","indicators":["203.0.113.42",{"type":"mutex","value":"Body SHA-256: ` + digest + `"}]}`,
		real,
	}
	for i, body := range bodies {
		r := decided(t, env, body, "-store-unknown")
		assert.Equal(t, i > 0, r.Event.Existed)
		assert.Equal(t, "the organization", r.Notification)
		require.Len(t, srv.Notifications(), i+1)
	}
	for _, body := range bodies {
		assert.Empty(t, decided(t, env, body, "-store-unknown").Notification)
	}
	assert.Len(t, srv.Notifications(), len(bodies), "the users know all of them")
	require.Len(t, srv.Groups(demoOwner), 1)
	require.Len(t, srv.Groups(demoOwner)[0].Attributes, len(bodies))
	assert.Contains(t, srv.Groups(demoOwner)[0].Attributes[2].Value, "\nBody SHA-256: "+digest)
}

func FuzzReadAlert(f *testing.F) {
	f.Add([]byte(demoAlert))
	f.Add([]byte(`{"indicators":[[[["a"]]]],"id":-0,"title":"\u0000,\ud800","time":1e99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readAlert(bytes.NewReader(b), 1<<20, &fields{}, time.Now())
		if err != nil {
			return
		}
		name := a.name()
		require.LessOrEqual(t, len([]rune(name)), maxName)
		require.NotEmpty(t, name)
		require.NotContains(t, name, ",")
		require.LessOrEqual(t, len(a.candidates), maxCandidates)
		h := &handler{config: &config{}}
		for _, v := range h.judge(a.candidates) {
			require.True(t, v.Decision == refuse || v.Decision == "" && v.ind != nil)
		}
	})
}
