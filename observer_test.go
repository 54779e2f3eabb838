package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// recorder records the events of an observer. Each start adds a step to the trail in the context.
type recorder struct{ events []string }

type trailKey struct{}

func (r *recorder) trail(ctx context.Context) string {
	trail, _ := ctx.Value(trailKey{}).(string)
	return trail
}

func (r *recorder) add(ctx context.Context, format string, args ...any) context.Context {
	r.events = append(r.events, fmt.Sprintf(format, args...)+" in "+r.trail(ctx))
	return ctx
}

func (r *recorder) observer(name string) threatconnect.Observer {
	with := func(ctx context.Context, step string) context.Context {
		return context.WithValue(ctx, trailKey{}, r.trail(ctx)+"/"+step)
	}
	return threatconnect.Observer{
		CallStart: func(ctx context.Context, c threatconnect.Call) context.Context {
			return with(r.add(ctx, "%s call starts %+v", name, c), name)
		},
		CallEnd: func(ctx context.Context, c threatconnect.Call) {
			r.add(ctx, "%s call ends after %d attempts and %s: %v", name, c.Attempts, c.Duration, c.Err)
		},
		AttemptStart: func(ctx context.Context, a threatconnect.Attempt) context.Context {
			return with(r.add(ctx, "%s attempt starts %+v", name, a), fmt.Sprint(a.Number))
		},
		AttemptEnd: func(ctx context.Context, a threatconnect.Attempt) {
			r.add(ctx, "%s attempt %d ends with %d after %s: %v", name, a.Number, a.Status, a.Duration, a.Err)
		},
		Wait: func(ctx context.Context, w threatconnect.Wait) {
			r.add(ctx, "%s wait %t %s after %d: %v", name, w.Duration >= w.RetryAfter, w.RetryAfter, w.Attempts, w.Err)
		},
	}
}

func TestObserversSeeCallsAttemptsAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		slowly := func(step func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
			return func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				route, ok := threatconnect.RouteFrom(req.Context())
				assert.True(t, ok)
				r.add(req.Context(), "sent to %s", route)
				return step(req)
			}
		}
		s := &wiretest.Steps{Do: steps{
			slowly(wiretest.Answer(503, "busy with very-evil.example", "Retry-After", "7")),
			slowly(func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET }),
			slowly(wiretest.Answer(200, `{"status":"Success","data":{"host":{"id":1,"hostName":"very-evil.example"}}}`)),
		}}
		c := clientOf(t, s, threatconnect.WithObserver(r.observer("a")), threatconnect.WithObserver(threatconnect.Observer{
			CallStart:    func(context.Context, threatconnect.Call) context.Context { return nil },
			AttemptStart: func(context.Context, threatconnect.Attempt) context.Context { return nil },
		}), threatconnect.WithObserver(r.observer("b")), threatconnect.WithRetry(threatconnect.RetryPolicy{BaseDelay: time.Second, MaxDelay: time.Second}))
		began := time.Now()
		_, err := c.Indicators.Hosts.Get(t.Context(), "very-evil.example", nil)
		require.NoError(t, err)
		took := time.Since(began)
		const (
			start = "{Method:GET Route:/v2/indicators/hosts/{} Server:tc.example:443 Attempts:0 Duration:0s Err:<nil>}"
			busy  = `threatconnect: GET /v2/indicators/hosts/{}: 503 Service Unavailable: unrecognized message (27 bytes, see APIError.Foreign)`
		)
		attempt := func(n int) string {
			return fmt.Sprintf("{Method:GET Route:/v2/indicators/hosts/{} Server:tc.example:443 Number:%d Status:0 Duration:0s Err:<nil>}", n)
		}
		assert.Equal(t, []string{
			"a call starts " + start + " in ", "b call starts " + start + " in /a",
			"a attempt starts " + attempt(1) + " in /a/b", "b attempt starts " + attempt(1) + " in /a/b/1",
			"sent to /v2/indicators/hosts/{} in /a/b/1/1",
			"b attempt 1 ends with 503 after 1s: " + busy + " in /a/b/1/1", "a attempt 1 ends with 503 after 1s: " + busy + " in /a/b/1/1",
			"a wait true 7s after 1: " + busy + " in /a/b", "b wait true 7s after 1: " + busy + " in /a/b",
			"a attempt starts " + attempt(2) + " in /a/b", "b attempt starts " + attempt(2) + " in /a/b/2",
			"sent to /v2/indicators/hosts/{} in /a/b/2/2",
			"b attempt 2 ends with 0 after 1s: connection reset by peer in /a/b/2/2", "a attempt 2 ends with 0 after 1s: connection reset by peer in /a/b/2/2",
			"a wait true 0s after 2: connection reset by peer in /a/b", "b wait true 0s after 2: connection reset by peer in /a/b",
			"a attempt starts " + attempt(3) + " in /a/b", "b attempt starts " + attempt(3) + " in /a/b/3",
			"sent to /v2/indicators/hosts/{} in /a/b/3/3",
			"b attempt 3 ends with 200 after 1s: <nil> in /a/b/3/3", "a attempt 3 ends with 200 after 1s: <nil> in /a/b/3/3",
			fmt.Sprintf("b call ends after 3 attempts and %s: <nil> in /a/b", took), fmt.Sprintf("a call ends after 3 attempts and %s: <nil> in /a/b", took),
		}, r.events)
	})
}

func TestObserversSeeHowAnAttemptEnds(t *testing.T) {
	t.Parallel()
	vault := errors.New("vault is sealed")
	for name, tc := range map[string]struct {
		step   func(*http.Request) (*http.Response, error)
		creds  threatconnect.Credentials
		status int
		want   error
	}{
		"a refusal":          {step: wiretest.Answer(404, `{"status":"Failure","message":"The requested resource was not found"}`), status: 404, want: threatconnect.ErrNotFound},
		"a failure in a 200": {step: wiretest.Answer(200, `{"status":"Failure","message":"no"}`), status: 200, want: &threatconnect.APIError{}},
		"an answer not read": {step: wiretest.Answer(200, `{"status":`), status: 200, want: threatconnect.ErrBadResponse},
		"no answer":          {step: func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, want: io.ErrUnexpectedEOF},
		"a missing token":    {creds: threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, vault }), want: vault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.creds == nil {
				tc.creds = threatconnect.Token("token")
			}
			var attempts []threatconnect.Attempt
			var ended error
			c, err := threatconnect.NewClient("https://tc.example/api", tc.creds, threatconnect.WithTransport(&wiretest.Steps{Do: steps{tc.step}}),
				threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}), threatconnect.WithObserver(threatconnect.Observer{
					AttemptEnd: func(_ context.Context, a threatconnect.Attempt) { attempts = append(attempts, a) },
					CallEnd:    func(_ context.Context, c threatconnect.Call) { ended = c.Err },
				}))
			require.NoError(t, err)
			_, err = c.Owners.Whoami(t.Context())
			require.Error(t, err)
			assert.Equal(t, err, ended)
			require.Len(t, attempts, 1)
			assert.Equal(t, tc.status, attempts[0].Status)
			if api, ok := tc.want.(*threatconnect.APIError); ok {
				require.ErrorAs(t, attempts[0].Err, &api)
			} else {
				require.ErrorIs(t, attempts[0].Err, tc.want)
			}
		})
	}
}

func TestRouteFrom(t *testing.T) {
	t.Parallel()
	_, ok := threatconnect.RouteFrom(t.Context())
	assert.False(t, ok)
	var route string
	rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
		route, ok = threatconnect.RouteFrom(context.WithValue(req.Context(), trailKey{}, "x"))
		return wiretest.Reply(200, `{}`), nil
	})
	tr, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/0123456789abcdef", &threatconnect.PlaybookTriggerOptions{HTTPClient: &http.Client{Transport: rt}})
	require.NoError(t, err)
	_, err = tr.Fire(t.Context(), nil)
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, "(playbook trigger)", route)
	resp, err := clientOf(t, rt).Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/tags/secret/x"})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "/v2/tags/{}/{}", route)
}
