// Package wiretest answers the requests of a client in tests: with a script of exact requests (Script), with steps that
// come one after another (Steps), or with a function (Func).
package wiretest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
)

// Func is a transport.
type Func func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f Func) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Reply returns a JSON response. The headers are names and values in turn.
func Reply(status int, body string, header ...string) *http.Response {
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

// Answer returns a Func that answers every request with the same Reply.
func Answer(status int, body string, header ...string) Func {
	return func(*http.Request) (*http.Response, error) { return Reply(status, body, header...), nil }
}

// Fail returns a Func that answers no request.
func Fail(err error) Func {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// Steps is a transport that reads the body of the nth request and then calls the nth function, or the last one for
// every further request. It is safe for concurrent use, except for its fields.
type Steps struct {
	Do   []Func
	Sent []*http.Request // the requests so far, without their bodies

	mu sync.Mutex
}

// RoundTrip calls the function of the next step.
func (s *Steps) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	do := s.Do[min(len(s.Sent), len(s.Do)-1)]
	s.Sent = append(s.Sent, req)
	s.mu.Unlock()
	if req.Body != nil {
		_, err := io.Copy(io.Discard, req.Body)
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
	}
	resp, err := do(req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// Count returns the number of requests so far.
func (s *Steps) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.Sent)
}

// Want is an expected request and its answer.
type Want struct {
	Method string // GET if empty
	Target string // escaped path below /api, and query
	Body   string // exact; empty for no body
	Status int    // 200 if zero
	Answer string // {"status":"Success"} if empty
}

// Script returns a transport that expects exactly these requests in this order, signed, with a JSON body if they have
// one. Other requests fail the test and get status 418. The test also fails if requests are missing at its end.
func Script(t testing.TB, wants ...Want) http.RoundTripper {
	t.Helper()
	mock := httpmock.NewMockTransport()
	n := 0
	mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		if !assert.Less(t, n, len(wants), "unexpected request: %s %s", req.Method, req.URL.RequestURI()) {
			return Reply(http.StatusTeapot, ""), nil
		}
		want := wants[n]
		n++
		if want.Method == "" {
			want.Method = http.MethodGet
		}
		assert.Equal(t, want.Method+" /api"+want.Target, req.Method+" "+req.URL.RequestURI())
		assert.NotEmpty(t, req.Header.Get("Authorization"))
		var body []byte
		if req.Body != nil {
			var err error
			body, err = io.ReadAll(req.Body)
			assert.NoError(t, err)
		}
		assert.Equal(t, want.Body, string(body))
		contentType := ""
		if want.Body != "" {
			contentType = "application/json; charset=utf-8"
		}
		assert.Equal(t, contentType, req.Header.Get("Content-Type"))
		if want.Status == 0 {
			want.Status = http.StatusOK
		}
		if want.Answer == "" {
			want.Answer = `{"status":"Success"}`
		}
		return Reply(want.Status, want.Answer), nil
	})
	t.Cleanup(func() { assert.Equal(t, len(wants), n, "requests sent") })
	return mock
}
