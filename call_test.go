package threatconnect_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

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

func TestOneThingMustBeThere(t *testing.T) {
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

// An answer without a status and without data is not the platform's, and no list ends because of it.
func TestAnAnswerMustSaySomething(t *testing.T) {
	t.Parallel()
	first := `{"status":"Success","data":{"tag":[{"name":"a"},{"name":"b"}]}}`
	for name, body := range map[string]string{
		"nothing":         "",
		"an empty object": "{}",
		"a gateway's no":  `{"message":"API rate limit exceeded"}`,
		"an error":        `{"error":"blocked","code":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			once := threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
			tags, err := untilError(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, first), wiretest.Answer(200, body)}}, once).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.Len(t, tags, 2, "what came before is good")

			rest := `{"status":"Success","data":{"tag":[{"name":"c"}]}}`
			tags, err = threatconnect.Collect(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, first), wiretest.Answer(200, body), wiretest.Answer(200, rest)}}, quick).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.NoError(t, err)
			assert.Len(t, tags, 3, "the page is asked for again")

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

func TestOneThingIsReadFromEveryPlace(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"under data":           whoami,
		"in a list of one":     `{"status":"Success","data":{"user":[{"userName":"access"}]}}`,
		"bare":                 `{"user":{"userName":"access"}}`,
		"before the status":    `{"data":{"user":{"userName":"access"}},"status":"Success"}`,
		"after a mark":         "\xef\xbb\xbf" + whoami,
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

func TestAFailureCountsWhereverItStands(t *testing.T) {
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

func TestTheKeyThatIsAskedForFirstWins(t *testing.T) {
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

func TestAThousandGoroutinesShareAClient(t *testing.T) {
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
