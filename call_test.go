package threatconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// scripted returns a client, without an owner, that must send exactly these requests.
func scripted(t *testing.T, wants ...wiretest.Want) *threatconnect.Client {
	t.Helper()
	return clientOf(t, wiretest.Script(t, wants...))
}

// owned is like scripted, in the owner "Example Source".
func owned(t *testing.T, wants ...wiretest.Want) *threatconnect.Client {
	t.Helper()
	return scripted(t, wants...).InOwner("Example Source")
}

// clientOf returns a client that sends through rt, without an owner.
func clientOf(t testing.TB, rt http.RoundTripper, opts ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("access", "Sup3rS3cret"),
		append([]threatconnect.Option{threatconnect.WithTransport(rt)}, opts...)...)
	require.NoError(t, err)
	return c
}

const (
	whoami    = `{"status":"Success","data":{"user":{"userName":"access","firstName":"Ada","lastName":"Example","pseudonym":"ada","role":"Api User"}}}`
	successes = `{"status":"Success"}`
)

func TestMissingObjectReturnsErrBadResponse(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no data":              successes,
		"no key":               `{"status":"Success","data":{}}`,
		"null":                 `{"status":"Success","data":{"user":null}}`,
		"an empty list":        `{"status":"Success","data":{"user":[]}}`,
		"a list of two":        `{"status":"Success","data":{"user":[{"userName":"a"},{"userName":"b"}]}}`,
		"an empty body":        "",
		"a number for a thing": `{"status":"Success","data":{"user":7}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}
			u, err := clientOf(t, s, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})).Owners.Whoami(t.Context())
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.Zero(t, u)
		})
	}
}

// A response with neither status nor data is not from the platform, so it must not end a list.
func TestEmptyResponseReturnsErrBadResponse(t *testing.T) {
	t.Parallel()
	first := `{"status":"Success","data":{"tag":[{"name":"a"},{"name":"b"}]}}`
	for name, body := range map[string]string{
		"nothing":         "",
		"an empty object": "{}",
		"a gateway error": `{"message":"API rate limit exceeded"}`,
		"an error":        `{"error":"blocked","code":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			once := threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
			tags, err := untilError(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, first), wiretest.Answer(200, body)}}, once).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.Len(t, tags, 2, "the first page is returned")

			rest := `{"status":"Success","data":{"tag":[{"name":"c"}]}}`
			tags, err = threatconnect.Collect(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, first), wiretest.Answer(200, body), wiretest.Answer(200, rest)}}, quick).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.NoError(t, err)
			assert.Len(t, tags, 3, "the page is requested again")

			err = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}, once).Tags.Add(t.Context(), threatconnect.NewHost("www.example.com"), "Crime")
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			require.NoError(t, clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(204, "")}}, once).Tags.Add(t.Context(), threatconnect.NewHost("www.example.com"), "Crime"))
		})
	}
	for name, body := range map[string]string{"a status": successes, "data": `{"data":{}}`, "no data": `{"data":null}`, "an empty list": `{"data":[]}`, "the key": `{"tag":[]}`} {
		t.Run(name+" is enough", func(t *testing.T) {
			t.Parallel()
			page, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}).Tags.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Empty(t, page.Items)
		})
	}
}

func TestObjectIsReadFromEveryEnvelope(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"under data":           whoami,
		"in a list of one":     `{"status":"Success","data":{"user":[{"userName":"access"}]}}`,
		"bare":                 `{"user":{"userName":"access"}}`,
		"before the status":    `{"data":{"user":{"userName":"access"}},"status":"Success"}`,
		"after a BOM":          "\xef\xbb\xbf" + whoami,
		"with unknown members": `{"status":"Success","x":[{"a":[]}],"data":{"y":{"user":1},"user":{"userName":"access","z":{}}}}`,
		"first of duplicates":  `{"status":"Success","data":{"user":{"userName":"access"},"user":{"userName":"other"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}
			u, err := clientOf(t, s).Owners.Whoami(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "access", u.UserName)
		})
	}
}

func TestFailureStatusCountsAtAnyPosition(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"status":"Failure","status":"Success","message":"no"}`, `{"status":"Success","message":"no","status":"Failure"}`,
		`{"status":"Failure","data":{"user":{"userName":"a"}},"status":"Success","message":"no"}`} {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}).Owners.Whoami(t.Context())
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api, body)
		assert.Equal(t, "no", string(api.Foreign))
		require.Error(t, calls["DELETE"](t.Context(), clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}})))
	}
}

func TestTypeKeyWinsOverIndicatorKey(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":{"host":{"id":1,"hostName":"right.example"},"indicator":{"id":2,"hostName":"right.example"}}}`,
		`{"data":{"indicator":{"id":2,"hostName":"right.example"},"host":{"id":1,"hostName":"right.example"}}}`,
	} {
		c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}})
		h, err := c.Indicators.Hosts.Get(t.Context(), "right.example", nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, h.ID)
	}
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		name := strings.TrimPrefix(req.URL.Path, "/api/v2/indicators/hosts/")
		return wiretest.Reply(200, `{"status":"Success","data":{"host":{"id":1,"hostName":"`+name+`"}}}`), nil
	}))
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			name := fmt.Sprintf("host-%d.example", i)
			h, err := c.Indicators.Hosts.Get(t.Context(), name, nil)
			if assert.NoError(t, err) {
				assert.Equal(t, name, h.HostName)
			}
		})
	}
	wg.Wait()
}

func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"resultCount":0,"host":[]}}`)}}
	o := &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(3)}, ListOptions: threatconnect.ListOptions{
		CallOptions: threatconnect.CallOptions{Retry: &threatconnect.RetryPolicy{}, ActivityLog: new(true), Header: http.Header{"X-A": {"1"}}}}}
	all := clientOf(t, s).Indicators.Hosts.All(t.Context(), o)
	o.Filters[0] = threatconnect.ByRating.Below(1)
	o.Retry.MaxAttempts, *o.ActivityLog, o.Header["X-A"][0] = -1, false, "2"
	_, err := threatconnect.Collect(all)
	require.NoError(t, err)
	assert.Equal(t, "rating>3", s.Sent[0].URL.Query().Get("filters"))
	assert.Equal(t, "true", s.Sent[0].URL.Query().Get("createActivityLog"))
	assert.Equal(t, "1", s.Sent[0].Header.Get("X-A"))
}

func TestFiltersOnTheWire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -5*3600))
	for want, f := range map[string]threatconnect.Filters{
		"": nil,
		"filters=rating%3E3,confidence%3C20,summary%5Eevil&": {threatconnect.ByRating.Above(3), threatconnect.ByConfidence.Below(20), threatconnect.BySummary.StartsWith("evil")},
		"filters=rating%3C2.5&":                              {threatconnect.ByRating.Below(2.5)},
		"filters=dateAdded%3E2026-01-02T08%3A04%3A05Z&":      {threatconnect.ByDateAdded.After(at)},
		"filters=dateAdded%3C2026-01-02T08%3A04%3A05Z&":      {threatconnect.ByDateAdded.Before(at)},
		"filters=active%3Dtrue,active%3Dfalse&":              {threatconnect.ByActive.Is(true), threatconnect.ByActive.Is(false)},
		"filters=summary%3DA%20%26%20B%2B%3D%23%25&":         {threatconnect.BySummary.Is("A & B+=#%")},
		"filters=confidence%3D-1,threatAssessScore%3E1000&":  {threatconnect.ByConfidence.Is(-1), threatconnect.ByThreatAssessScore.Above(1000)},
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
		_, err := clientOf(t, s).Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: f, Include: threatconnect.Include{}})
		require.NoError(t, err)
		assert.Equal(t, want+"includeAdditional=true&resultLimit=500", s.Sent[0].URL.RawQuery)
	}
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	_, err := clientOf(t, s).InOwner("Example Source").Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{threatconnect.ByActive.Is(true), threatconnect.ByActive.Is(false)}, Any: true, ModifiedSince: at,
		Include: threatconnect.Include{Tags: true, Attributes: true, Labels: true}, ListOptions: threatconnect.ListOptions{Start: 5, Limit: 7}})
	require.NoError(t, err)
	assert.Equal(t, "filters=active%3Dtrue,active%3Dfalse&includeAdditional=true&includeAttributes=true&includeTags=true&includes=labels&modifiedSince=2026-01-02T08%3A04%3A05Z&"+
		"orParams=true&owner=Example%20Source&resultLimit=7&resultStart=5", s.Sent[0].URL.RawQuery)
}

func TestInvalidFiltersAreRejected(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	for name, f := range map[string]threatconnect.Filter{
		"a comma":             threatconnect.BySummary.Is("s3cret,x"),
		"nothing":             threatconnect.BySummary.Is(""),
		"blank":               threatconnect.BySummary.StartsWith(" "),
		"a line break":        threatconnect.BySummary.Is("s3cret\n"),
		"not UTF-8":           threatconnect.BySummary.Is("s3cret\xff"),
		"the zero time":       threatconnect.ByDateAdded.After(time.Time{}),
		"not a number":        threatconnect.ByRating.Above(math.NaN()),
		"infinite":            threatconnect.ByRating.Below(math.Inf(1)),
		"the zero filter":     {},
		"a field of tasks":    threatconnect.ByAssignee.Is("s3cret"),
		"a field of hosts":    threatconnect.ByDNSActive.Is(true),
		"a field of groups":   threatconnect.ByName.Is("s3cret"),
		"a field of campaign": threatconnect.ByFirstSeen.After(time.Unix(1, 0)),
	} {
		_, err := c.Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1), f}})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	_, err := c.Groups.List(t.Context(), &threatconnect.GroupListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1)}})
	require.EqualError(t, err, "threatconnect: filter on rating is not known to the list of groups; use one of name, dateAdded")
	_, err = c.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{ModifiedSince: time.Unix(1, 0)})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Zero(t, s.Count())
}

func TestTypeSpecificFilters(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	_, err := c.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByDNSActive.Is(true), threatconnect.ByWhoisActive.Is(false)}})
	require.NoError(t, err)
	_, err = c.Indicators.Addresses.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByASN.Is(64500), threatconnect.ByCountryCode.Is("NL")}})
	require.NoError(t, err)
	_, err = c.Groups.Campaigns.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByFirstSeen.After(time.Unix(0, 0))}})
	require.NoError(t, err)
	_, err = c.Groups.Documents.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByFileType.Is("pdf"), threatconnect.ByName.StartsWith("A")}})
	require.NoError(t, err)
	_, err = c.Groups.Incidents.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByEventDate.Before(time.Unix(0, 0))}})
	require.NoError(t, err)
	for i, want := range []string{
		"/api/v2/indicators/hosts?filters=dnsActive%3Dtrue,whoisActive%3Dfalse", "/api/v2/indicators/addresses?filters=asn%3D64500,countryCode%3DNL",
		"/api/v2/groups/campaigns?filters=firstSeen%3E1970-01-01T00%3A00%3A00Z", "/api/v2/groups/documents?filters=fileType%3Dpdf,name%5EA",
		"/api/v2/groups/incidents?filters=eventDate%3C1970-01-01T00%3A00%3A00Z",
	} {
		assert.Equal(t, want+"&resultLimit=500", s.Sent[i].URL.RequestURI())
	}
}

func TestIncludeQuery(t *testing.T) {
	t.Parallel()
	for i, want := range map[threatconnect.Include]string{
		threatconnect.Include{}:                                               "includeAdditional=true",
		threatconnect.Include{Tags: true}:                                     "includeAdditional=true&includeTags=true",
		threatconnect.Include{OmitAdditional: true}:                           "",
		threatconnect.Include{OmitAdditional: true, Tags: true, Labels: true}: "includeTags=true&includes=labels",
		threatconnect.Include{Tags: true, Attributes: true, Labels: true}:     "includeAdditional=true&includeAttributes=true&includeTags=true&includes=labels",
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"host":{},"incident":{}}}`)}}
		c := clientOf(t, s)
		_, err := c.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{Include: i})
		require.NoError(t, err)
		_, err = c.Groups.Incidents.Get(t.Context(), 7, &threatconnect.GroupGetOptions{Include: i})
		require.NoError(t, err)
		assert.Equal(t, want, s.Sent[0].URL.RawQuery)
		assert.Equal(t, want, s.Sent[1].URL.RawQuery)
	}
}

func FuzzFilterEscaping(f *testing.F) {
	f.Add("evil.example")
	f.Add("a,b=c")
	f.Add("%2C&x=1")
	f.Fuzz(func(t *testing.T, v string) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
		_, err := clientOf(t, s).Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(v), threatconnect.ByRating.Above(1)}})
		if err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			return
		}
		_, raw, ok := strings.Cut("&"+s.Sent[0].URL.RawQuery, "&filters=")
		require.True(t, ok)
		raw, _, _ = strings.Cut(raw, "&")
		parts := strings.Split(raw, ",")
		require.Len(t, parts, 2)
		got, err := url.QueryUnescape(parts[0])
		require.NoError(t, err)
		require.Equal(t, "summary="+v, got)
	})
}

// shapeNumber matches the IDs, counts and versions in a body, except resultCount, which must match the
// list.
var shapeNumber = regexp.MustCompile(`("(?:id|[a-zA-Z]*Id|version|_version|[a-qs-z][a-zA-Z]*Count|count|size|total[A-Z][a-zA-Z]*|total|maxLength)"\s*:\s*)"?\d+"?`)

// IDs and counts must have 64 bits, even where an int has 32. The test replaces each of them in all
// response shapes with the largest number, which must be decoded as often as a small one.
func TestResponseNumbersAre64Bit(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shapes/*.json")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasPrefix(name, "batch_") {
			continue // TestStatusRejectsInvalidCounts
		}
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		count := func(n int64) int {
			got, err := shapeCalls[name](t.Context(), shapeClientOf(t, func(r *http.Request) string {
				asked := path.Base(r.URL.Path) // the ID in a response must be that of the request
				return shapeNumber.ReplaceAllStringFunc(string(body), func(member string) string {
					key, number, _ := strings.Cut(member, ":")
					if strings.Trim(number, ` "`) == asked {
						return member
					}
					return key + ":" + strconv.FormatInt(n, 10)
				})
			}))
			require.NoError(t, err, "%s with the number %d", name, n)
			l := leaves{}
			l.addGo(reflect.ValueOf(got))
			return l[strconv.FormatFloat(float64(n), 'g', -1, 64)]
		}
		small, large := count(77_777_777), count(math.MaxInt64)
		assert.Equal(t, small, large, name)
		found += large
	}
	assert.Greater(t, found, 100, "the test checks many numbers")
}

// IDs and counts in requests must have 64 bits.
func TestRequestIDsAre64Bit(t *testing.T) {
	t.Parallel()
	const id = math.MaxInt64 - 1
	group, task, victim := threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: id}, threatconnect.TaskRef{ID: id}, threatconnect.VictimRef{ID: id}
	for want, call := range map[string]func(ctx context.Context, c *threatconnect.Client) error{
		"GET /v2/owners/N": dropped(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Owner, error) {
			return c.Owners.Get(ctx, id)
		}),
		"GET /v2/owners/N/metrics?resultLimit=500": dropped(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.OwnerMetric, error) {
			return threatconnect.Collect(c.Owners.Metrics(ctx, id, nil))
		}),
		"GET /v2/groups/incidents/N?includeAdditional=true": dropped(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Incident, error) {
			return c.Groups.Incidents.Get(ctx, id, nil)
		}),
		"DELETE /v2/groups/adversaries/N": func(ctx context.Context, c *threatconnect.Client) error { return c.Groups.Delete(ctx, group) },
		"GET /v2/groups/adversaries/N/attributes/N": dropped(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Attribute, error) {
			return c.Attributes.Get(ctx, group, id)
		}),
		"POST /v2/tasks/N/tags/x": func(ctx context.Context, c *threatconnect.Client) error { return c.Tags.Add(ctx, task, "x") },
		"DELETE /v2/tasks/N":      func(ctx context.Context, c *threatconnect.Client) error { return c.Tasks.Delete(ctx, id) },
		"DELETE /v2/victims/N":    func(ctx context.Context, c *threatconnect.Client) error { return c.Victims.Delete(ctx, id) },
		"DELETE /v2/victims/N/victimAssets/phoneNumbers/N": func(ctx context.Context, c *threatconnect.Client) error {
			return c.VictimAssets.Remove(ctx, victim, threatconnect.VictimAssetPhone, id)
		},
		"DELETE /v2/groups/adversaries/N/adversaryAssets/handles/N": func(ctx context.Context, c *threatconnect.Client) error {
			return c.AdversaryAssets.Remove(ctx, group, threatconnect.AdversaryAssetHandle, id)
		},
		"POST /v2/tasks/N/victims/N": func(ctx context.Context, c *threatconnect.Client) error {
			return c.Associations.Link(ctx, task, victim)
		},
		"GET /v2/customMetrics/N": dropped(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Metric, error) {
			return c.Metrics.GetByID(ctx, id)
		}),
		"GET /v2/batch/N?includeAdditional=true": dropped(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.BatchStatus, error) {
			return c.Batch.Status(ctx, id)
		}),
		"DELETE /v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/fileOccurrences/N": func(ctx context.Context, c *threatconnect.Client) error {
			return c.FileOccurrences.Remove(ctx, threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e"), id)
		},
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(400, "")}}
		require.Error(t, call(t.Context(), clientOf(t, s)), want)
		require.Equal(t, 1, s.Count(), want)
		assert.Equal(t, want, s.Sent[0].Method+" "+strings.TrimPrefix(strings.ReplaceAll(s.Sent[0].URL.RequestURI(), fmt.Sprint(int64(id)), "N"), "/api"))
	}

	// Numbers in bodies.
	bodies := map[string]func(ctx context.Context, c *threatconnect.Client) error{
		`"count":N`: func(ctx context.Context, c *threatconnect.Client) error {
			return c.Indicators.Observe(ctx, threatconnect.NewHost("a.example"), threatconnect.Observation{Count: id})
		},
		`"value":N`: func(ctx context.Context, c *threatconnect.Client) error {
			return c.Metrics.Add(ctx, "m", threatconnect.MetricPoint{Value: new(int64(id))})
		},
		`"ownerId":N`: func(ctx context.Context, c *threatconnect.Client) error {
			return c.Notifications.Send(ctx, threatconnect.Notification{Type: "x", Priority: threatconnect.PriorityLow, Message: "x", OwnerID: new(int64(id))})
		},
		`"size":N`: func(ctx context.Context, c *threatconnect.Client) error {
			f := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
			f.Size = new(int64(id))
			_, err := c.Indicators.Files.Create(ctx, f)
			return err
		},
	}
	for want, call := range bodies {
		var sent string
		c := clientOf(t, wiretest.Func(func(r *http.Request) (*http.Response, error) {
			var raw json.RawMessage
			if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
				return nil, err
			}
			sent = string(raw)
			return wiretest.Reply(400, ""), nil
		}))
		require.Error(t, call(t.Context(), c))
		assert.Contains(t, sent, strings.ReplaceAll(want, "N", fmt.Sprint(int64(id))))
	}
}

// dropped adapts a call that also returns a value, and drops the value.
func dropped[T any](call func(ctx context.Context, c *threatconnect.Client) (T, error)) func(context.Context, *threatconnect.Client) error {
	return func(ctx context.Context, c *threatconnect.Client) error {
		_, err := call(ctx, c)
		return err
	}
}

func TestPageStartingAtMaxIntIsTheLast(t *testing.T) {
	t.Parallel()
	c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":5,"host":[{"hostName":"a.example"}]}}`)}})
	page, err := c.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Start: math.MaxInt, Limit: 1}})
	require.NoError(t, err)
	assert.False(t, page.More)

	c = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":9223372036854775807,"host":[{"hostName":"a.example"}]}}`)}})
	page, err = c.Indicators.Hosts.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(math.MaxInt64), page.Total)
	assert.True(t, page.More)
}
