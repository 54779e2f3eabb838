package alert

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// The users are notified exactly once even if one kind of request always fails.
func TestNotificationSentOnceDespiteErrors(t *testing.T) {
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
		linked int  // indicators that are associated with the event
		once   bool // the second run does not try it again
	}{
		{"look-up", blocked("GET", "/hosts/cdn.updates.example"), 403, "look up an indicator: GET /v2/indicators/hosts/{}", 1, false},
		{"look-up on a broken server", blocked("GET", "/hosts/cdn.updates.example"), 500, "look up an indicator", 1, false},
		{"store", blocked("POST", "/indicators/hosts"), 403, "store an indicator: POST /v2/indicators/hosts: 403", 1, false},
		{"store behind a broken proxy", blocked("POST", "/indicators/hosts"), 502, "store an indicator: POST /v2/indicators/hosts: 502", 0, false},
		{"tag the event", blocked("POST", "/groups/events/", "/tags/"), 403, "tag the event", 2, true},
		{"tag an indicator", blocked("POST", "/hosts/cdn.updates.example/tags/"), 403, "tag an indicator", 2, true},
		{"associate", blocked("POST", "/groups/events/", "/hosts/"), 403, "associate an indicator with the event", 1, false},
		{"associate, refused", blocked("POST", "/groups/events/", "/hosts/"), 400, "", 1, false},
		{"associate behind a broken proxy", blocked("POST", "/groups/events/", "/hosts/"), 502, "associate an indicator with the event", 0, false},
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
				r := run(t, env, known, owner("--tag", "Beacon")...)
				if tc.stderr == "" || tc.once && i > 0 {
					assert.Equal(t, cli.Success, r.code, r.stderr)
				} else {
					assert.Equal(t, cli.Failure, r.code)
					assert.Contains(t, r.stderr, tc.stderr)
				}
				assert.NotContains(t, r.stderr, "cdn.updates.example")
				require.Len(t, srv.Groups(sampleOwner), 1)
				assert.Len(t, srv.Groups(sampleOwner)[0].Indicators, tc.linked)
				assert.Len(t, srv.Groups(sampleOwner)[0].Attributes, 1)
				assert.Len(t, srv.Notifications(), 1)
			}
		})
	}
}

func TestNotificationListsRejectedValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		path    string
		status  int
		because string
	}{
		{"look-up", "GET /api/v2/indicators/hosts/unknown.example/owners", 414, "cannot be looked up: GET /v2/indicators/hosts/{}/owners: 414"},
		{"store", "POST /api/v2/indicators/hosts", 400, "cannot be stored: POST /v2/indicators/hosts: 400"},
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
			r := decided(t, env, in, "--store-unknown", "--fail-on-no-results")
			assert.Equal(t, refuse, decisions(r)["unknown.example"])
			assert.Contains(t, r.Indicators[0].Reason, tc.because)
			assert.Equal(t, sentBefore, decided(t, env, in, "--store-unknown").Notification.Outcome)
			require.Len(t, srv.Notifications(), 1)
			assert.Contains(t, srv.Notifications()[0].Message, "- Host `unknown.example`, from `indicators`, refused by the platform\n")
			assert.Len(t, srv.Groups(sampleOwner), 1)
			assert.Empty(t, srv.Indicators(sampleOwner))
			assert.Nil(t, decided(t, env, `{"id":"2","indicators":["unknown.example"]}`).Event, "there is no reason to store it")
		})
	}
}

func TestNotificationTruncatesLongLists(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	var urls []string
	for i := range maxCandidates {
		urls = append(urls, fmt.Sprintf(`"http://203.0.113.42/%d/%s"`, i, strings.Repeat("ü", 400)))
	}
	r := decided(t, env, `{"id":"1","indicators":[`+strings.Join(urls, ",")+`]}`, "--store-unknown")
	assert.Equal(t, maxCandidates, r.Event.Linked)
	require.Len(t, srv.Notifications(), 1)
	assert.Regexp(t, `\n- and \d+ more\n$`, srv.Notifications()[0].Message)
}

func TestFailedNotificationIsSentByNextRun(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/notifications", Status: 400, Body: "no"}))
	r := run(t, env, sampleAlert, owner()...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stderr, "notify the users: POST /v2/notifications: 400")
	assert.Contains(t, r.stdout, "No users were notified.")

	again := decided(t, env, sampleAlert)
	assert.Equal(t, notificationReport{Outcome: sent, To: "organization"}, again.Notification, "not a repetition")
	assert.Len(t, srv.Notifications(), 1)
	assert.Equal(t, sentBefore, decided(t, env, sampleAlert).Notification.Outcome)
	assert.Len(t, srv.Groups(sampleOwner), 1)
	assert.Len(t, srv.Groups(sampleOwner)[0].Attributes, 1)
}

func TestNotificationFlags(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Seed(&threatconnecttest.AttributeType{Name: "Alert Reasons", MaxLength: 600}))
	require.NoError(t, srv.Update(&threatconnecttest.Owner{Name: "Example Organization", Members: []threatconnecttest.User{{UserName: "ana"}, {UserName: "bo"}}}))
	r := decided(t, env, sampleAlert, "--notify", "none", "--attribute-type", "Alert Reasons")
	assert.Equal(t, notificationReport{Outcome: notSent}, r.Notification)
	assert.Empty(t, srv.Notifications())
	r = decided(t, env, sampleAlert, "--notify", "ana, bo", "--priority", "HIGH", "--notification-type", "Beacon Alert",
		"--notification-text", "See the [runbook](https://wiki.example).", "--attribute-type", "Alert Reasons")
	assert.Equal(t, notificationReport{Outcome: sent, To: "ana, bo"}, r.Notification)
	require.Len(t, srv.Notifications(), 1)
	n := srv.Notifications()[0]
	assert.Equal(t, []string{"ana", "bo"}, n.Recipients)
	assert.Equal(t, "High", n.Priority)
	assert.Equal(t, "Beacon Alert", n.Type)
	assert.True(t, strings.HasPrefix(n.Message, "See the [runbook](https://wiki.example).\n\nAlert `"), n.Message)
	attributes := srv.Groups(sampleOwner)[0].Attributes
	require.Len(t, attributes, 1)
	assert.Equal(t, "Alert Reasons", attributes[0].Type)
	assert.True(t, strings.HasSuffix(attributes[0].Value, "\nNotification: sent\n"), attributes[0].Value)

	many := make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprintf(`"http://203.0.113.42/%d"`, i)
	}
	decided(t, env, `{"id":"2","indicators":[`+strings.Join(many, ",")+`]}`, "--store-unknown", "--attribute-type", "Alert Reasons")
	value := srv.Groups(sampleOwner)[1].Attributes[0].Value
	assert.LessOrEqual(t, len(value), 600, "the type allows no more")
	assert.Regexp(t, `\n- and \d+ more\n\nBody SHA-256: `, value)
}

// Notifications contain text of the alert only as Markdown code. It cannot make a link, image, mention, heading, HTML
// or second line, and contains nothing that is invisible or changes the direction of text.
func TestThreatNotificationsNeutralizeAlertText(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	inCode := regexp.MustCompile("`[^`\n]+`")
	ours := regexp.MustCompile(`^Alert : \d+ indicators? for review in , event \d+\.\n\nReasons to review this alert:\n(- [A-Z][A-Za-z ]+ , from , (known to no other owner|refused by the platform|ThreatAssess score \d+, at least 500)\n)+$`)
	check := func(what, text string) {
		for _, r := range text {
			require.True(t, unicode.IsPrint(r) || r == '\n', "%s has %U", what, r)
		}
	}
	for n, hostile := range []string{
		"[click](https://evil.example)", "![x](https://evil.example/x.png)", "<https://evil.example>", "https://evil.example", "www.evil.example", "@everyone", "@[ana](user:1)",
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "# heading", "> quote", "- item", "| a | b |", "---", "***", "~~~", "```", "`", "``", "a`b", "`[x](y)`", "\\`", "[x]: https://evil.example",
		"a\nb", "a\r\nb", "a\n\n[x](y)", "\n- Host `evil.example`", "\nBody SHA-256: 0\nNotification: sent", "\u2028x", "\u2029x", "\u0085x", "\v\fx", "\tx",
		"gpj.\u202eexe", "\u2066x\u2069", "\u200fx", "\u061cx", "x\u200by", "\ufeffx", "\u00adx", "\u3164", "x\U000e0041", "\x1b[31mred\x1b[2J", "\u009b31m", "\x07", "\x00", "\ue000", "\ufff9",
	} {
		var values []any
		for _, typ := range []string{"mutex", "user-agent", "email-subject", "hashtag", "registry-key", "url", "email", "host"} {
			value := hostile
			switch typ {
			case "hashtag":
				value = "#" + hostile
			case "registry-key":
				value = `HKEY_LOCAL_MACHINE\` + hostile + ` : x`
			case "url":
				value = "http://evil.example/" + hostile
			case "email":
				value = `"` + hostile + `"@evil.example`
			}
			values = append(values, map[string]string{"type": typ, "value": value})
		}
		body, err := json.Marshal(map[string]any{"id": strconv.Itoa(n) + hostile, "title": hostile, "indicators": append(values, "203.0.113.42")})
		require.NoError(t, err)
		r := run(t, env, string(body), owner("--store-unknown")...)
		require.Equal(t, cli.Success, r.code, "%q: %s", hostile, r.stderr)
		check("the report", r.stdout)
		require.Len(t, srv.Notifications(), n+1)
		message := srv.Notifications()[n].Message
		check("the notification", message)
		assert.Regexp(t, ours, inCode.ReplaceAllString(message, ""), "%q", hostile)
		events := srv.Groups(sampleOwner)
		require.Len(t, events, n+1)
		check("the name of the event", events[n].Name)
		assert.NotContains(t, events[n].Name, "\n")
		require.Len(t, events[n].Attributes, 1)
		value := events[n].Attributes[0].Value
		check("the note", value)
		assert.Equal(t, 1, strings.Count(value, "\n"+digestPrefix))
		assert.Equal(t, 1, strings.Count(value, "\n"+statePrefix))
	}
}

func TestHostileTitlesDoNotPreventNotifications(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	for i, odd := range []string{`\u202e`, `\u001b[2J`, `\u200b`, `\ufeff`, `\ud800`, `\u0085`, `\u2028`, `\ue000`, `\ufff9`, `\u00ad`, `\ud83d\ude00`, `\udb40\udc41`} {
		body := fmt.Sprintf(`{"id":"%d%s","title":"%[2]sT%[2]s","indicators":["203.0.113.42",{"type":"mutex","value":"m%[2]s"}]}`, i, odd)
		assert.Equal(t, sent, decided(t, env, body, "--store-unknown").Notification.Outcome, body)
		require.Len(t, srv.Notifications(), i+1)
		assert.Equal(t, sentBefore, decided(t, env, body, "--store-unknown").Notification.Outcome, body)
	}
}

func TestEventSearchErrorFailsAlert(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: http.MethodGet, Route: "/v2/groups/{type}", Status: http.StatusForbidden, Times: -1}))
	r := run(t, env, sampleAlert, owner("--json")...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, `"event": null`)
	assert.NotContains(t, r.stderr, "level=", "the error is printed once")

	dir := t.TempDir()
	run(t, env, sampleAlert, owner("--tc_log_path", dir)...)
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), `level=ERROR msg="alert failed"`)
}

func TestAlertsWithLongIDs(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const finding = "arn:aws:guardduty:us-east-1:123456789012:detector/12abc34d567e8fa901bc2d34e56789f0/finding/"
	for _, id := range []string{"aaaa", "bbbb", "cccc"} {
		r := decided(t, env, `{"id":"`+finding+id+`","title":"UnauthorizedAccess:EC2/SSHBruteForce","src_ip":"203.0.113.42"}`)
		assert.False(t, r.Event.Existed)
		assert.Equal(t, sent, r.Notification.Outcome)
	}
	assert.Len(t, srv.Groups(sampleOwner), 3)
	assert.Len(t, srv.Notifications(), 3)
}

func TestAlertsWithSameIDAndTitle(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	const genuine = `{"id":"SOC-1001","title":"Alert","src_ip":"203.0.113.42","note":"the real one"}`
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(genuine)))
	bodies := []string{
		`{"id":"SOC-1001","title":"Alert","src_ip":"203.0.113.42"}`,
		`{"id":"SOC-1001","title":"Alert","indicators":["203.0.113.42",{"type":"mutex","value":"Body SHA-256: ` + digest + `"}]}`,
		genuine,
	}
	for i, body := range bodies {
		r := decided(t, env, body, "--store-unknown")
		assert.Equal(t, i > 0, r.Event.Existed)
		assert.Equal(t, sent, r.Notification.Outcome)
		require.Len(t, srv.Notifications(), i+1)
	}
	for _, body := range bodies {
		assert.Equal(t, sentBefore, decided(t, env, body, "--store-unknown").Notification.Outcome)
	}
	assert.Len(t, srv.Notifications(), len(bodies), "the users are notified of all")
	require.Len(t, srv.Groups(sampleOwner), 1)
	require.Len(t, srv.Groups(sampleOwner)[0].Attributes, len(bodies))
	assert.Contains(t, srv.Groups(sampleOwner)[0].Attributes[2].Value, "\nBody SHA-256: "+digest)
}

// An alert that failed in part is completed when it is sent again, without a second notification.
func TestRepeatedAlertCompletesPartialFailure(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: "POST", Route: "/v2/indicators/{type}", Skip: 1, Status: 500, Body: "no"}))
	r := run(t, env, sampleAlert, owner()...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, "203.0.113.42", "the decisions are reported")
	assert.Contains(t, r.stderr, "store an indicator: POST /v2/indicators/hosts: 500")
	assert.Len(t, srv.Groups(sampleOwner)[0].Indicators, 2, "the others are stored")
	require.Len(t, srv.Notifications(), 1)
	assert.Contains(t, srv.Notifications()[0].Message, "2 indicators for review")
	assert.Contains(t, srv.Notifications()[0].Message, "`cdn.updates.example`")

	again := decided(t, env, sampleAlert)
	assert.Equal(t, keep, decisions(again)["203.0.113.42"])
	assert.Equal(t, store, decisions(again)["cdn.updates.example"])
	assert.Len(t, srv.Groups(sampleOwner), 1)
	assert.Len(t, srv.Groups(sampleOwner)[0].Indicators, 3)
	assert.Len(t, srv.Groups(sampleOwner)[0].Attributes, 1)
	assert.Len(t, srv.Notifications(), 1)
}

// The notification lists values that could not be looked up, because there is only one notification.
func TestNotificationListsFailedLookups(t *testing.T) {
	t.Parallel()
	srv, env := newInstanceBehind(t, func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/hosts/cdn.updates.example") && r.Method == http.MethodGet {
			return http.StatusForbidden
		}
		return 0
	})
	assert.Equal(t, cli.Failure, run(t, env, sampleAlert, owner()...).code)
	require.Len(t, srv.Notifications(), 1)
	assert.Contains(t, srv.Notifications()[0].Message, "- Host `cdn.updates.example`, from `destination.domain`, could not be looked up\n")
}
