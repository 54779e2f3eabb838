package threatconnect_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// rawRequest is a request parsed from its bytes by code that shares nothing with the client.
type rawRequest struct {
	method, target string
	path           []string // decoded segments below /api
	query          url.Values
	header         map[string]string
	body           []byte
}

// rawTap is a transport in front of a test server. It writes each request as bytes, parses them, and
// passes the request on.
type rawTap struct {
	srv  *threatconnecttest.Server
	sent []rawRequest
}

func (tap *rawTap) RoundTrip(req *http.Request) (*http.Response, error) {
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		return nil, err
	}
	raw, err := readRaw(bytes.NewReader(b.Bytes()))
	if err != nil {
		return nil, err
	}
	tap.sent = append(tap.sent, raw)
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(raw.body))
	return tap.srv.RoundTrip(again)
}

func readRaw(from io.Reader) (r rawRequest, err error) {
	in := bufio.NewReader(from)
	line := func() string {
		s, e := in.ReadString('\n')
		err = errors.Join(err, e)
		return strings.TrimSuffix(s, "\r\n")
	}
	parts := strings.Split(line(), " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" {
		return r, errors.New("the request line does not have three parts")
	}
	r.method, r.target, r.header = parts[0], parts[1], map[string]string{}
	for s := line(); s != "" && err == nil; s = line() {
		name, v, ok := strings.Cut(s, ": ")
		if _, twice := r.header[name]; twice || !ok {
			return r, errors.New("a header line without a colon, or twice")
		}
		r.header[name] = v
	}
	path, query, _ := strings.Cut(r.target, "?")
	for seg := range strings.SplitSeq(strings.TrimPrefix(path, "/api/"), "/") {
		if strings.Trim(seg, ".") == "" && seg != "" {
			return r, errors.New("a segment of dots is a step")
		}
		plain, e := url.PathUnescape(seg)
		err = errors.Join(err, e)
		r.path = append(r.path, plain)
	}
	q, e := url.ParseQuery(query)
	r.query = q
	rest, e2 := io.ReadAll(in)
	r.body = rest
	return r, errors.Join(err, e, e2)
}

// at returns the string at a path of keys and indexes in the JSON body.
func (r *rawRequest) at(path ...any) string {
	var v any
	if json.Unmarshal(r.body, &v) != nil {
		return "(no JSON)"
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return "(not there)"
			}
			v = l[step]
		}
	}
	s, _ := v.(string)
	return s
}

// signed reports whether the signature matches the bytes of the request.
func (r *rawRequest) signed(id, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, r.target+":"+r.method+":"+r.header["Timestamp"]) // a hash never fails
	return r.header["Authorization"] == "TC "+id+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// kindOfValue is a place in a request that takes a value from outside.
type kindOfValue struct {
	name  string
	route string // the route that the server must find; "" for any
	// send sends v and returns the value in the response, or "" if the response does not contain it.
	send func(ctx context.Context, c *threatconnect.Client, v string) (string, error)
	// want returns the form in which v must arrive. If it is nil, v may arrive with or without space around it.
	want func(v string) (string, error)
	at   func(r *rawRequest) string // returns the value in the request
}

func inPath(n int) func(*rawRequest) string {
	return func(r *rawRequest) string { return r.path[n] }
}

func inQuery(key string) func(*rawRequest) string {
	return func(r *rawRequest) string { return r.query.Get(key) }
}

func inBody(path ...any) func(*rawRequest) string {
	return func(r *rawRequest) string { return r.at(path...) }
}

// said returns a send function for a method that returns only an error.
func said(f func(ctx context.Context, c *threatconnect.Client, v string) error) func(context.Context, *threatconnect.Client, string) (string, error) {
	return func(ctx context.Context, c *threatconnect.Client, v string) (string, error) { return "", f(ctx, c, v) }
}

// typedKinds returns the two places for an indicator's value: the body of a new indicator, and the
// path.
func typedKinds[T threatconnect.Indicator](name, branch, field string, s func(*threatconnect.Client) threatconnect.TypedIndicators[T],
	build func(string) T, want func(string) (string, error),
) []kindOfValue {
	return []kindOfValue{
		{
			name + " in a body", "/v2/indicators/{type}",
			func(ctx context.Context, c *threatconnect.Client, v string) (string, error) {
				got, err := s(c).Create(ctx, build(v))
				if err != nil {
					return "", err
				}
				return got.Summary(), nil
			}, want, inBody(field),
		},
		{
			name + " in a path", "/v2/indicators/{type}/{indicator}",
			func(ctx context.Context, c *threatconnect.Client, v string) (string, error) {
				got, err := s(c).Get(ctx, v, nil)
				if err != nil {
					return "", err
				}
				return got.Summary(), nil
			},
			func(v string) (string, error) {
				if v == "deleted" {
					return "", threatconnect.ErrValidation // the path of the list of deleted indicators
				}
				return want(v)
			},
			func(r *rawRequest) string {
				if r.path[2] != branch {
					return "(the branch is " + r.path[2] + ")"
				}
				return r.path[3]
			},
		},
	}
}

func kindsOfValues() []kindOfValue {
	var kinds []kindOfValue
	type client = threatconnect.Client
	kinds = append(kinds, typedKinds("an address", "addresses", "ip", func(c *client) threatconnect.TypedIndicators[*threatconnect.Address] { return c.Indicators.Addresses }, threatconnect.NewAddress, canonicalAs(ioc.TypeAddress))...)
	kinds = append(kinds, typedKinds("an email address", "emailAddresses", "address", func(c *client) threatconnect.TypedIndicators[*threatconnect.EmailAddress] {
		return c.Indicators.EmailAddresses
	}, threatconnect.NewEmailAddress, canonicalAs(ioc.TypeEmailAddress))...)
	kinds = append(kinds, typedKinds("a host", "hosts", "hostName", func(c *client) threatconnect.TypedIndicators[*threatconnect.Host] { return c.Indicators.Hosts }, threatconnect.NewHost, threatconnect.CanonicalHost)...)
	kinds = append(kinds, typedKinds("a URL", "urls", "text", func(c *client) threatconnect.TypedIndicators[*threatconnect.URL] { return c.Indicators.URLs }, threatconnect.NewURL, threatconnect.CanonicalURL)...)
	kinds = append(kinds, typedKinds("an ASN", "asns", "AS Number", func(c *client) threatconnect.TypedIndicators[*threatconnect.ASN] { return c.Indicators.ASNs }, threatconnect.NewASN, canonicalAs(ioc.TypeASN))...)
	kinds = append(kinds, typedKinds("a CIDR", "cidrBlocks", "Block", func(c *client) threatconnect.TypedIndicators[*threatconnect.CIDR] { return c.Indicators.CIDRs }, threatconnect.NewCIDR, canonicalAs(ioc.TypeCIDR))...)
	kinds = append(kinds, typedKinds("a mutex", "mutexes", "Mutex", func(c *client) threatconnect.TypedIndicators[*threatconnect.Mutex] { return c.Indicators.Mutexes }, threatconnect.NewMutex, canonicalAs(ioc.TypeMutex))...)
	kinds = append(kinds, typedKinds("a user agent", "userAgents", "User Agent String", func(c *client) threatconnect.TypedIndicators[*threatconnect.UserAgent] {
		return c.Indicators.UserAgents
	}, threatconnect.NewUserAgent, canonicalAs(ioc.TypeUserAgent))...)
	host, incident := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "www.example.com"}, threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1}
	return append(kinds,
		kindOfValue{"the name of a registry value", "/v2/indicators/{type}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Indicators.RegistryKeys.Create(ctx, threatconnect.NewRegistryKey(`HKEY_USERS\x`, v, "REG_SZ"))
			return err
		}), func(v string) (string, error) {
			_, name, _, err := canon.RegistryKey(`HKEY_USERS\x`, v, "REG_SZ")
			return name, err
		}, inBody("Value Name")},
		kindOfValue{"a registry key", "/v2/indicators/{type}/{indicator}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Indicators.RegistryKeys.Get(ctx, v, nil)
			return err
		}), canonicalAs(ioc.TypeRegistryKey), inPath(3)},
		kindOfValue{"a hash", "/v2/indicators/{type}/{indicator}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Indicators.Files.Get(ctx, v, nil)
			return err
		}), func(v string) (string, error) {
			md5, sha1, sha256, err := ioc.SplitFileSummary(v)
			for _, h := range []string{sha256, sha1, md5} {
				if h != "" {
					return h, err
				}
			}
			return "", errors.Join(err, threatconnect.ErrValidation)
		}, inPath(3)},
		kindOfValue{"an owner", "/v2/indicators/{type}", said(func(ctx context.Context, c *client, v string) error {
			if v == "" {
				return &threatconnect.ValidationError{Field: "none"} // an empty owner is the client's own
			}
			_, err := c.InOwner(v).Indicators.Hosts.List(ctx, nil)
			return err
		}), nil, inQuery("owner")},
		kindOfValue{"a filter's value", "/v2/indicators", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Indicators.List(ctx, &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(v)}})
			return err
		}), func(v string) (string, error) {
			if strings.Contains(v, ",") {
				return "", threatconnect.ErrValidation
			}
			return v, nil
		}, func(r *rawRequest) string { return strings.TrimPrefix(r.query.Get("filters"), "summary=") }},
		kindOfValue{"a tag in a path", "/v2/tags/{tagName}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Tags.Get(ctx, v)
			return err
		}), ioc.CanonicalTag, inPath(2)},
		kindOfValue{"a tag on something", "/v2/indicators/{type}/{indicator}/tags/{tagName}", said(func(ctx context.Context, c *client, v string) error {
			return c.Tags.Add(ctx, host, v)
		}), ioc.CanonicalTag, inPath(5)},
		kindOfValue{"a tag in a body", "/v2/tags", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Tags.Create(ctx, threatconnect.Tag{Name: v})
			return err
		}), ioc.CanonicalTag, inBody("name")},
		kindOfValue{"a label in a path", "/v2/securityLabels/{securityLabelName}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.SecurityLabels.Get(ctx, v)
			return err
		}), ioc.CanonicalSecurityLabel, inPath(2)},
		kindOfValue{"a label on something", "/v2/groups/{type}/{id}/securityLabels/{securityLabelName}", said(func(ctx context.Context, c *client, v string) error {
			return c.SecurityLabels.Add(ctx, incident, v)
		}), ioc.CanonicalSecurityLabel, inPath(5)},
		kindOfValue{"a label in a body", "/v2/groups/{type}/{id}/publish", said(func(ctx context.Context, c *client, v string) error {
			return c.Groups.Publish(ctx, incident, &threatconnect.PublishOptions{ExcludeLabels: []string{v}})
		}), ioc.CanonicalSecurityLabel, inBody("securityLabelList", 0)},
		kindOfValue{"the name of a group", "/v2/groups/{type}", func(ctx context.Context, c *client, v string) (string, error) {
			t, err := c.Groups.Threats.Create(ctx, threatconnect.NewThreat(v))
			if err != nil {
				return "", err
			}
			return t.Name, nil
		}, ioc.CanonicalGroupName, inBody("name")},
		kindOfValue{"a file name", "/v2/groups/{type}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Groups.Documents.Create(ctx, threatconnect.NewDocument("x", v))
			return err
		}), verbatim, inBody("fileName")},
		kindOfValue{"the file name of an occurrence", "/v2/indicators/files/{indicator}/fileOccurrences", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.FileOccurrences.Add(ctx, threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e"), threatconnect.FileOccurrence{FileName: v})
			return err
		}), verbatim, inBody("fileName")},
		kindOfValue{"an xid", "/v2/groups/documents/{id}/upload", said(func(ctx context.Context, c *client, v string) error {
			return c.Groups.Documents.UploadByXID(ctx, v, threatconnect.BytesContent([]byte("x")), nil)
		}), verbatim, inPath(3)},
		kindOfValue{"the value of an attribute", "/v2/groups/{type}/{id}/attributes", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Attributes.Add(ctx, incident, threatconnect.Attribute{Type: "Description", Value: v})
			return err
		}), verbatim, inBody("value")},
		kindOfValue{"an attribute type", "/v2/types/attributeTypes/{attributeTypeName}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Types.Attribute(ctx, v)
			return err
		}), nil, inPath(3)},
		kindOfValue{"a metric", "/v2/customMetrics/{metricId}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Metrics.Get(ctx, v)
			return err
		}), nil, inPath(2)},
		kindOfValue{"the key of a metric's value", "/v2/customMetrics/{metricId}/data", said(func(ctx context.Context, c *client, v string) error {
			return c.Metrics.Add(ctx, "m", threatconnect.MetricPoint{Value: new(int64(1)), Key: v})
		}), nil, inBody("name")},
		kindOfValue{"a playbook", "/v2/playbooks/{idOrGroupXid}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Playbooks.Get(ctx, v)
			return err
		}), nil, inPath(2)},
		kindOfValue{"the name of a task", "/v2/tasks", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: v})
			return err
		}), nil, inBody("name")},
		kindOfValue{"the name of a victim", "/v2/victims", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: v})
			return err
		}), nil, inBody("name")},
		kindOfValue{"an asset of a victim", "/v2/victims/{id}/victimAssets/{victimAssetType}", said(func(ctx context.Context, c *client, v string) error {
			_, err := c.VictimAssets.Add(ctx, threatconnect.VictimRef{ID: 1}, &threatconnect.VictimEmailAddress{Address: v})
			return err
		}), nil, inBody("address")},
		kindOfValue{"the message of a notification", "/v2/notifications", said(func(ctx context.Context, c *client, v string) error {
			return c.Notifications.Send(ctx, threatconnect.Notification{Type: "x", Priority: threatconnect.PriorityLow, Message: v, Organization: true})
		}), verbatim, inBody("message")},
		kindOfValue{"a log message", "/v2/logs/app", said(func(ctx context.Context, c *client, v string) error {
			return c.Logs.Send(ctx, threatconnect.LogEntry{Message: v})
		}), verbatim, inBody(0, "message")},
		kindOfValue{"a user", "/v2/tasks/{id}/assignees/{userName}", said(func(ctx context.Context, c *client, v string) error {
			return c.Tasks.Assignees.Add(ctx, threatconnect.TaskRef{ID: 1}, v)
		}), nil, inPath(4)},
		kindOfValue{"a segment of the caller's own", "", said(func(ctx context.Context, c *client, v string) error {
			resp, err := c.Do(ctx, threatconnect.Request{Method: http.MethodGet, Path: "/v2/tags/" + threatconnect.PathSegment(v), Query: url.Values{"x": {v}}})
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		}), func(v string) (string, error) { return v, nil }, func(r *rawRequest) string {
			if r.query.Get("x") != r.path[2] {
				return "(the query has " + r.query.Get("x") + ")"
			}
			return r.path[2]
		}},
	)
}

// verbatim is the rule of values that arrive unchanged or are refused.
func verbatim(v string) (string, error) { return v, nil }

// hostileValues returns values of each kind, and values that other clients are known to get wrong.
func hostileValues() []string {
	return []string{
		"www.example.com", "http://example.com/a?b=c#d%2F%252f", "192.0.2.1", "2001:db8::1", "2001:db8::/32", "AS64496", "bad@example.com", "D41D8CD98F00B204E9800998ECF8427E", `HKEY_USERS\x : a : REG_SZ`,
		"", ".", "..", "...", " ", "\t", "a..", "../../groups", "a//b", "/", "//", "?", "#", "%", "%%", "%2", "%2e%2e", "+", "a+b c", ";", `\`, "~!*'()", ":@&=$,", "|^`{}[]<>\"",
		"\x00", "a\x00b", "\r\n", "a\r\nX-Evil: 1", "a\nb", "\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "\u00e9", "\u65e5\u672c\u8a9e", "\U0001f600", "\u202e", "\u2028", "\u2000x", "\u0085", "\x7f", "\ufeff", "\u017f", "\u0130",
		"TLP:AMBER+STRICT", "1", "007", "9223372036854775807", "deleted", "search", "observed", "bulk", "mine", "metrics", "null", "true", "_search", "a,b=c", " a ", "{}",
		"http://example.com/" + strings.Repeat("a/%\u00e9?", 1366), strings.Repeat("x", 8192),
	}
}

func TestEveryKindOfValueArrivesOrIsRefused(t *testing.T) {
	t.Parallel()
	const typical = 9 // values that include a valid one for each kind
	step := scaletest.Short(4, 1)
	for n, k := range kindsOfValues() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			arrived := 0
			for i, v := range hostileValues() {
				if (i < typical || (n+i)%step == 0) && k.check(t, v) {
					arrived++
				}
			}
			assert.Positive(t, arrived, "none of the values is one of this kind")
		})
	}
}

func FuzzThreatValuesArriveAsSigned(f *testing.F) {
	kinds := kindsOfValues()
	for i, v := range hostileValues() {
		f.Add(uint(i), v)
	}
	f.Fuzz(func(t *testing.T, kind uint, v string) { kinds[kind%uint(len(kinds))].check(t, v) })
}

// check sends v and reports whether it arrived. The signature, the bytes on the wire, the server's
// reading and its response must agree. A refusal must be a *ValidationError, and nothing may have been
// sent.
func (k *kindOfValue) check(t *testing.T, v string) bool {
	t.Helper()
	srv := threatconnecttest.NewT(t)
	tap := &rawTap{srv: srv}
	c := srv.Client(threatconnect.WithTransport(tap), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	decoded, err := k.send(t.Context(), c, v)
	var want string
	var refusal error
	if k.want != nil {
		want, refusal = k.want(v)
	}
	if invalid, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		require.Empty(t, tap.sent, "%s %q was refused after something was sent", k.name, v)
		if len(v) > 24 {
			require.NotContains(t, invalid.Error(), v)
		}
		return false
	}
	require.NoError(t, refusal, "%s %q was not refused: %v", k.name, v, err)
	if k.want == nil {
		want = strings.TrimSpace(v)
		if k.at(&tap.sent[0]) == v {
			want = v
		}
	}
	if err != nil {
		_, answered := errors.AsType[*threatconnect.APIError](err)
		require.True(t, answered, "%s %q: %v", k.name, v, err)
	}
	require.NotEmpty(t, tap.sent, "%s %q", k.name, v)
	raw := &tap.sent[0]
	require.True(t, raw.signed(srv.AccessID(), srv.SecretKey()), "the signature is not that of the bytes of %s %q", k.name, v)
	require.Equal(t, want, k.at(raw), "%s %q in the bytes", k.name, v)
	got := srv.Requests()[0]
	require.True(t, got.Verified, "the server refuses the signature of %s %q", k.name, v)
	if k.route != "" {
		require.Equal(t, k.route, got.Route, "%s %q", k.name, v)
	}
	target := got.Path
	if got.Query != "" {
		target += "?" + got.Query
	}
	require.Equal(t, raw.target, target)
	if decoded != "" {
		require.Equal(t, want, decoded, "%s %q in the answer", k.name, v)
	}
	return true
}

func canonicalAs(t ioc.Type) func(string) (string, error) {
	return func(v string) (string, error) { return ioc.Canonical(t, v) }
}

// disputedRules are the readings of rules that the test server does not follow by default.
const disputedRules = threatconnecttest.OddityEventDateRequired | threatconnecttest.OddityUploadTypeRequired |
	threatconnecttest.OddityDataStoreNeedsToken | threatconnecttest.OddityBareIndicatorLinks | threatconnecttest.OddityIDsOfEveryOwner |
	threatconnecttest.OddityExactTypeNames

// The client works with both readings of each rule on which the documentation and live tests
// disagree.
func TestEitherReadingOfDisputedRules(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"default": 0, "other": disputedRules} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx, at := srv.ClientAs(threatconnect.Token(srv.Token())), t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			for _, owner := range []string{"Example Organization", "Example Community"} {
				in := client.InOwner(owner)
				incident, err := in.Groups.Incidents.Create(ctx, threatconnect.NewIncident("x", at))
				require.NoError(t, err)
				assert.Equal(t, at, incident.EventDate)
				event, err := in.Groups.Events.Create(ctx, threatconnect.NewEvent("x", at))
				require.NoError(t, err)
				assert.Equal(t, at, event.EventDate)
				document, err := in.Groups.Documents.Create(ctx, threatconnect.NewDocument("x", "x.txt"))
				require.NoError(t, err)
				require.NoError(t, in.Groups.Documents.Upload(ctx, document.ID, threatconnect.BytesContent([]byte("x")), nil))
				report, err := in.Groups.Reports.Create(ctx, threatconnect.NewReport("x", "x.txt"))
				require.NoError(t, err)
				require.NoError(t, in.Groups.Reports.Upload(ctx, report.ID, threatconnect.BytesContent([]byte("x")), nil))
			}
			store, err := threatconnect.DataStoreOf[map[string]int](client, threatconnect.DataStoreOrganization, "x")
			require.NoError(t, err)
			require.NoError(t, store.Put(ctx, "a", map[string]int{"a": 1}))
		})
	}
}

// An event or incident without a date is sent without one: the platform sets the date, or refuses it.
func TestMissingEventDateIsLeftToPlatform(t *testing.T) {
	t.Parallel()
	for _, g := range []threatconnect.Group{threatconnect.NewEvent("x", time.Time{}), threatconnect.NewIncident("x", time.Time{})} {
		srv := threatconnecttest.NewT(t)
		made, err := srv.Client().Groups.Create(t.Context(), g)
		require.NoError(t, err)
		assert.JSONEq(t, `{"name":"x"}`, string(srv.Requests()[0].Body))
		var date time.Time
		switch made := made.(type) {
		case *threatconnect.Event:
			date = made.EventDate
		case *threatconnect.Incident:
			date = made.EventDate
		}
		assert.WithinDuration(t, time.Now(), date, time.Minute)

		srv.SetOddities(threatconnecttest.OddityEventDateRequired)
		_, err = srv.Client().Groups.Create(t.Context(), g)
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	}
}
