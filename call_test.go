package threatconnect_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// roundTripper is a transport in the process.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// reply is an answer; header holds names and values in turn.
func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// script answers the nth request with the nth step, and every further one with the last; it counts.
type script struct {
	mu    sync.Mutex
	steps []func(*http.Request) (*http.Response, error)
	sent  []*http.Request
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	step := s.steps[min(len(s.sent), len(s.steps)-1)]
	s.sent = append(s.sent, req)
	s.mu.Unlock()
	if req.Body != nil {
		_, err := io.Copy(io.Discard, req.Body)
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
	}
	resp, err := step(req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

// answer is a step of a script.
func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

// fails is a step of a script that ends without an answer.
func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
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
			s := &script{steps: []func(*http.Request) (*http.Response, error){answer(200, body)}}
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
			tags, err := untilError(clientOf(t, &script{steps: steps{answer(200, first), answer(200, body)}}, once).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.Len(t, tags, 2, "what came before is good")

			rest := `{"status":"Success","data":{"tag":[{"name":"c"}]}}`
			tags, err = threatconnect.Collect(clientOf(t, &script{steps: steps{answer(200, first), answer(200, body), answer(200, rest)}}, quick).
				Tags.All(t.Context(), &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
			require.NoError(t, err)
			assert.Len(t, tags, 3, "the page is asked for again")

			err = clientOf(t, &script{steps: steps{answer(200, body)}}, once).Tags.Add(t.Context(), threatconnect.NewHost("www.example.com"), "Crime")
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			require.NoError(t, clientOf(t, &script{steps: steps{answer(204, "")}}, once).Tags.Add(t.Context(), threatconnect.NewHost("www.example.com"), "Crime"))
		})
	}
	for name, body := range map[string]string{"a status": successes, "data": `{"data":{}}`, "no data": `{"data":null}`, "an empty list": `{"data":[]}`, "the key": `{"tag":[]}`} {
		t.Run(name+" is enough", func(t *testing.T) {
			t.Parallel()
			page, err := clientOf(t, &script{steps: steps{answer(200, body)}}).Tags.List(t.Context(), nil)
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
			s := &script{steps: []func(*http.Request) (*http.Response, error){answer(200, body)}}
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
		_, err := clientOf(t, &script{steps: steps{answer(200, body)}}).Owners.Whoami(t.Context())
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api, body)
		assert.Equal(t, "no", string(api.Foreign))
		require.Error(t, calls["DELETE"](t.Context(), clientOf(t, &script{steps: steps{answer(200, body)}})))
	}
}

func TestTheKeyThatIsAskedForFirstWins(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":{"host":{"id":1,"hostName":"right.example"},"indicator":{"id":2,"hostName":"right.example"}}}`,
		`{"data":{"indicator":{"id":2,"hostName":"right.example"},"host":{"id":1,"hostName":"right.example"}}}`,
	} {
		c := clientOf(t, &script{steps: []func(*http.Request) (*http.Response, error){answer(200, body)}})
		h, err := c.Indicators.Hosts.Get(t.Context(), "right.example", nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, h.ID)
	}
}

func TestAThousandGoroutinesShareAClient(t *testing.T) {
	t.Parallel()
	c := clientOf(t, roundTripper(func(req *http.Request) (*http.Response, error) {
		name := strings.TrimPrefix(req.URL.Path, "/api/v2/indicators/hosts/")
		return reply(200, `{"status":"Success","data":{"host":{"id":1,"hostName":"`+name+`"}}}`), nil
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
	s := &script{steps: steps{answer(200, `{"status":"Success","data":{"resultCount":0,"host":[]}}`)}}
	o := &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(3)}, ListOptions: threatconnect.ListOptions{
		CallOptions: threatconnect.CallOptions{Retry: &threatconnect.RetryPolicy{}, ActivityLog: new(true), Header: http.Header{"X-A": {"1"}}}}}
	all := clientOf(t, s).Indicators.Hosts.All(t.Context(), o)
	o.Filters[0] = threatconnect.ByRating.Below(1)
	o.Retry.MaxAttempts, *o.ActivityLog, o.Header["X-A"][0] = -1, false, "2"
	_, err := threatconnect.Collect(all)
	require.NoError(t, err)
	assert.Equal(t, "rating>3", s.sent[0].URL.Query().Get("filters"))
	assert.Equal(t, "true", s.sent[0].URL.Query().Get("createActivityLog"))
	assert.Equal(t, "1", s.sent[0].Header.Get("X-A"))
}
