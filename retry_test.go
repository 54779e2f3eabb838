package threatconnect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

type steps = []wiretest.Func

// calls has a call of each method, and of a POST that may be repeated.
var calls = map[string]func(context.Context, *threatconnect.Client) error{
	"GET": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Owners.Whoami(ctx)
		return err
	},
	"PUT": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.Hosts.Update(ctx, "www.example.com", threatconnect.IndicatorUpdate{Rating: new(3.0)})
		return err
	},
	"DELETE": func(ctx context.Context, c *threatconnect.Client) error {
		return c.Indicators.Hosts.Delete(ctx, "www.example.com")
	},
	"POST": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.Hosts.Create(ctx, threatconnect.NewHost("www.example.com"))
		return err
	},
	"POST that may repeat": func(ctx context.Context, c *threatconnect.Client) error {
		return c.Tags.Add(ctx, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "www.example.com"}, "Phishing")
	},
}

func refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "try again", IsTemporary: true}}
}

func TestRetryConditions(t *testing.T) {
	t.Parallel()
	const ok = `{"status":"Success","data":{"user":{},"host":{"id":1}}}`
	const all, no = "GET PUT DELETE POST that may repeat", ""
	after := []string{"Retry-After", "1"}
	for _, tc := range []struct {
		name  string
		first func(*http.Request) (*http.Response, error)
		again string // calls that are retried, by name; "POST" itself only after a |
	}{
		{"400", wiretest.Answer(400, "{}"), no},
		{"401", wiretest.Answer(401, "Unauthorized to read this"), no},
		{"403", wiretest.Answer(403, "{}"), no},
		{"404", wiretest.Answer(404, `{"message":"The requested resource was not found"}`), no},
		{"408", wiretest.Answer(408, ""), no},
		{"409", wiretest.Answer(409, ""), no},
		{"413", wiretest.Answer(413, ""), no},
		{"418 with Retry-After", wiretest.Answer(418, "", after...), no},
		{"429", wiretest.Answer(429, ""), all},
		{"429 with Retry-After", wiretest.Answer(429, "", after...), all + "|POST"},
		{"429 with a bad Retry-After", wiretest.Answer(429, "", "Retry-After", "soon"), all},
		{"500", wiretest.Answer(500, "{}"), "GET, POST that may repeat"},
		{"500 of a path that is not there", wiretest.Answer(500, "Could not find resource for relative : /x"), no},
		{"501", wiretest.Answer(501, ""), no},
		{"502", wiretest.Answer(502, "<html>"), all},
		{"502 with Retry-After", wiretest.Answer(502, "", after...), all},
		{"503", wiretest.Answer(503, ""), all},
		{"503 with Retry-After", wiretest.Answer(503, "", after...), all + "|POST"},
		{"503 without license", wiretest.Answer(503, "API access has not been licensed for this system.", after...), no},
		{"503 without batch", wiretest.Answer(503, "Batch job api is not available. Ensure that batchJobEnabled is true", after...), no},
		{"504", wiretest.Answer(504, ""), all},
		{"520", wiretest.Answer(520, ""), no},
		{"a redirect", wiretest.Answer(302, "", "Location", "https://other.example/"), no},
		{"a failure with 200", wiretest.Answer(200, `{"status":"Failure","message":"No"}`), no},
		{"a page with 200", wiretest.Answer(200, "<html>log in</html>", "Content-Type", "text/html"), "GET PUT POST that may repeat"},
		{"broken JSON", wiretest.Answer(200, `{"status":"Succ`), "GET PUT POST that may repeat"},
		{"connection refused", wiretest.Fail(refused()), all + "|POST"},
		{"connection reset", wiretest.Fail(syscall.ECONNRESET), all},
		{"unexpected EOF", wiretest.Fail(io.ErrUnexpectedEOF), all},
		{"a name that is not there", wiretest.Fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), no},
		{"an alert of TLS", wiretest.Fail(&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}), no},
	} {
		for name, call := range calls {
			t.Run(tc.name+" to "+name, func(t *testing.T) {
				t.Parallel()
				want := strings.Contains(strings.Split(tc.again, "|")[0], name)
				if name == "POST" {
					want = strings.HasSuffix(tc.again, "|POST")
				}
				synctest.Test(t, func(t *testing.T) {
					s := &wiretest.Steps{Do: steps{tc.first, wiretest.Answer(200, ok)}}
					err := call(t.Context(), clientOf(t, s))
					if want {
						require.NoError(t, err)
						assert.Equal(t, 2, s.Count())
					} else {
						require.Error(t, err)
						assert.Equal(t, 1, s.Count())
					}
				})
			})
		}
	}
}

func TestLostWriteReturnsErrOutcomeUnknown(t *testing.T) {
	t.Parallel()
	const words = "; it may have taken effect: check before you repeat it"
	for name, tc := range map[string]struct {
		first   func(*http.Request) (*http.Response, error)
		unknown bool
	}{
		"connection reset":      {wiretest.Fail(syscall.ECONNRESET), true},
		"unexpected EOF":        {wiretest.Fail(io.ErrUnexpectedEOF), true},
		"of a caller's own":     {wiretest.Fail(errors.New("lost")), true},
		"half an answer":        {wiretest.Answer(200, `{"status":"Succ`), true},
		"a page with 200":       {wiretest.Answer(200, "<html>log in</html>", "Content-Type", "text/html"), true},
		"502":                   {wiretest.Answer(502, ""), true},
		"504":                   {wiretest.Answer(504, "<html>timeout</html>"), true},
		"500":                   {wiretest.Answer(500, "{}"), false},
		"503":                   {wiretest.Answer(503, ""), false},
		"404":                   {wiretest.Answer(404, ""), false},
		"429":                   {wiretest.Answer(429, ""), false},
		"a failure with 200":    {wiretest.Answer(200, `{"status":"Failure","message":"No"}`), false},
		"a redirect":            {wiretest.Answer(302, "", "Location", "https://other.example/"), false},
		"connection refused":    {wiretest.Fail(refused()), false},
		"a name not there":      {wiretest.Fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), false},
		"a name, by the caller": {wiretest.Fail(&net.DNSError{Err: "no such host", IsNotFound: true}), false},
		"a wrong certificate":   {wiretest.Fail(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), false},
	} {
		for verb, call := range calls {
			err := call(t.Context(), clientOf(t, &wiretest.Steps{Do: steps{tc.first}}, quick))
			require.Error(t, err)
			unknown := tc.unknown && verb != "GET"
			assert.Equal(t, unknown, errors.Is(err, threatconnect.ErrOutcomeUnknown), "%s of a %s: %v", name, verb, err)
			assert.Equal(t, unknown, strings.HasSuffix(err.Error(), words), "%s of a %s: %v", name, verb, err)
			assert.LessOrEqual(t, strings.Count(err.Error(), words), 1)
			if lost, ok := errors.AsType[*threatconnect.RequestError](err); ok {
				assert.Equal(t, unknown, lost.OutcomeUnknown)
			}
		}
	}
	t.Run("of an attempt before the last", func(t *testing.T) {
		t.Parallel()
		c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Fail(syscall.ECONNRESET), wiretest.Fail(refused())}}, quick)
		require.ErrorIs(t, calls["DELETE"](t.Context(), c), threatconnect.ErrOutcomeUnknown)
		require.NotErrorIs(t, calls["GET"](t.Context(), c), threatconnect.ErrOutcomeUnknown)
		c = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(504, ""), wiretest.Fail(refused())}}, quick)
		lost, ok := errors.AsType[*threatconnect.RequestError](calls["DELETE"](t.Context(), c))
		require.True(t, ok)
		assert.True(t, lost.OutcomeUnknown, "the gateway may have lost the first response")
		c = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Fail(syscall.ECONNRESET), wiretest.Answer(404, "")}}, quick)
		require.NotErrorIs(t, calls["PUT"](t.Context(), c), threatconnect.ErrOutcomeUnknown, "the last response is definite")
	})
	t.Run("of a call that was not sent", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NotErrorIs(t, calls["POST"](ctx, clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, "{}")}})), threatconnect.ErrOutcomeUnknown)
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, syscall.ECONNRESET }))
		require.NoError(t, err)
		require.NotErrorIs(t, calls["POST"](t.Context(), c), threatconnect.ErrOutcomeUnknown)
	})
	t.Run("of a context that ends before the response", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		err := calls["POST"](ctx, clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) { cancel(); return nil, ctx.Err() })))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, threatconnect.ErrOutcomeUnknown)
	})
}

func TestAttemptsAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	for policy, want := range map[threatconnect.RetryPolicy]int{
		{}: 5, {MaxAttempts: 1}: 1, {MaxAttempts: 3, BaseDelay: time.Hour, MaxDelay: time.Minute}: 3,
		{MaxAttempts: 40, MaxDelay: 1<<63 - 1, BaseDelay: 1 << 62}: 1, // a wait of up to 146 years does not fit before the deadline
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy")}}
			began := time.Now()
			_, err := clientOf(t, s, threatconnect.WithRetry(policy)).Owners.Whoami(ctx)
			require.ErrorIs(t, err, threatconnect.ErrUnavailable)
			var api *threatconnect.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, want, api.Attempts)
			assert.Equal(t, want, s.Count())
			most := policy.MaxDelay
			if most == 0 {
				most = 20 * time.Second
			}
			assert.LessOrEqual(t, time.Since(began), time.Duration(want-1)*most)
		})
	}
}

func TestBackoffDoublesWithFullJitter(t *testing.T) {
	t.Parallel()
	bounds := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second}
	longest := make([]time.Duration, len(bounds))
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			var at []time.Time
			rt := wiretest.Func(func(*http.Request) (*http.Response, error) {
				at = append(at, time.Now())
				return nil, syscall.ECONNRESET
			})
			_, err := clientOf(t, rt, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 10})).Owners.Whoami(t.Context())
			require.ErrorIs(t, err, syscall.ECONNRESET)
			for i := range bounds {
				longest[i] = max(longest[i], at[i+1].Sub(at[i]))
			}
		}
	})
	for i, bound := range bounds {
		assert.Less(t, longest[i], bound)
		assert.Greater(t, longest[i], bound*9/10, "the longest of 200 random waits is close to the bound")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, header string
		least, most  time.Duration // bounds of the wait; most 0 means no retry
	}{
		{"seconds", "7", 7 * time.Second, 8 * time.Second},
		{"seconds in spaces", " 7 ", 7 * time.Second, 8 * time.Second},
		{"zero", "0", 0, time.Second},
		{"a date", "Fri, 02 Jan 2026 00:00:30 GMT", 30 * time.Second, 31 * time.Second},
		{"a date in the old form", "Friday, 02-Jan-26 00:00:30 GMT", 30 * time.Second, 31 * time.Second},
		{"a date in the past", "Thu, 01 Jan 2026 00:00:00 GMT", 0, time.Second},
		{"negative", "-5", 0, time.Second},
		{"a fraction", "1.5", 0, time.Second},
		{"words", "later", 0, time.Second},
		{"two minutes", "120", 2 * time.Minute, 121 * time.Second},
		{"too long", "121", 0, 0},
		{"a billion", "1000000000", 0, 0},
		{"more than fits", "99999999999999999999", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The platform's clock may differ from ours: a date is relative to the Date header.
				s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy", "Retry-After", tc.header, "Date", "Fri, 02 Jan 2026 00:00:00 GMT"), wiretest.Answer(200, whoami)}}
				began := time.Now()
				_, err := clientOf(t, s).Owners.Whoami(t.Context())
				waited := time.Since(began)
				if tc.most == 0 {
					var api *threatconnect.APIError
					require.ErrorAs(t, err, &api)
					assert.Equal(t, 1, s.Count())
					assert.Zero(t, waited)
					assert.Greater(t, api.RetryAfter, 2*time.Minute)
					assert.ErrorContains(t, err, "longer than the retry policy allows")
					return
				}
				require.NoError(t, err)
				assert.GreaterOrEqual(t, waited, tc.least)
				assert.Less(t, waited, tc.most)
			})
		})
	}
}

func TestLastResponseKeepsRetryAfter(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(429, "slow down", "Retry-After", "9")}}
	_, err := clientOf(t, s, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})).Owners.Whoami(t.Context())
	var api *threatconnect.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, 9*time.Second, api.RetryAfter)
}

func TestDeadlineBeforeRetryAfterFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := &wiretest.Steps{Do: steps{wiretest.Answer(429, "slow down", "Retry-After", "60")}}
		began := time.Now()
		_, err := clientOf(t, s).Owners.Whoami(ctx)
		assert.Zero(t, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, threatconnect.ErrRateLimited)
		assert.ErrorContains(t, err, "threatconnect: GET /v2/whoami: context deadline exceeded: it would pass during the wait of 1m0")
		assert.ErrorContains(t, err, `before that: GET /v2/whoami: 429 Too Many Requests: unrecognized message (9 bytes, see APIError.Foreign)`)
	})
}

func TestContextEndsRetryWait(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(shutdown) })
		s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy", "Retry-After", "60")}}
		began := time.Now()
		_, err := clientOf(t, s).Owners.Whoami(ctx)
		assert.Equal(t, 3*time.Second, time.Since(began))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, shutdown)
		require.ErrorIs(t, err, threatconnect.ErrUnavailable)
	})
}

func TestCanceledContextIsNotRetried(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, errors.New("shutting down")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := &wiretest.Steps{Do: steps{func(req *http.Request) (*http.Response, error) {
			cancel(cause)
			return nil, context.Cause(req.Context())
		}}}
		_, err := clientOf(t, s).Owners.Whoami(ctx)
		require.ErrorIs(t, err, context.Canceled)
		if cause != nil {
			require.ErrorIs(t, err, cause)
		}
		assert.Equal(t, 1, s.Count())
	}
}

func TestEveryAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "", "Retry-After", "2"), wiretest.Answer(503, "", "Retry-After", "2"), wiretest.Answer(200, whoami)}}
		_, err := clientOf(t, s).Owners.Whoami(t.Context())
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, req := range s.Sent {
			stamp := req.Header.Get("Timestamp")
			assert.False(t, seen[stamp])
			seen[stamp] = true
			var unix int64
			_, err := fmt.Sscan(stamp, &unix)
			require.NoError(t, err)
			assert.Equal(t, "TC access:"+threatconnect.Sign("Sup3rS3cret", "GET", "/api/v2/whoami", time.Unix(unix, 0)), req.Header.Get("Authorization"))
		}
	})
}

func TestRetryPassesSignatureCheck(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: status, Header: http.Header{"Retry-After": {"400"}}, Times: 2}))
			_, err := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxWait: time.Hour})).Owners.Whoami(t.Context())
			require.NoError(t, err, "after 400 seconds the first signature would be refused")
			requests := srv.Requests()
			require.Len(t, requests, 3)
			seen := map[string]bool{}
			for _, r := range requests {
				assert.True(t, r.Verified || r.Fault != 0)
				seen[r.Header.Get("Timestamp")+r.Header.Get("Authorization")] = true
			}
			assert.True(t, requests[2].Verified)
			assert.Len(t, seen, 3, "each attempt has its own timestamp and signature")
		})
	}
}

func TestNoCallSendsMoreThanSixRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := wiretest.Answer(503, "busy")
		skew := wiretest.Answer(401, `{"status":"Failure","message":"Timestamp out of acceptable time range"}`, "Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		for name, s := range map[string]*wiretest.Steps{"late": {Do: steps{busy, busy, busy, busy, skew}}, "early": {Do: steps{skew, busy}}, "always": {Do: steps{skew}}} {
			_, err := clientOf(t, s).Owners.Whoami(t.Context())
			require.Error(t, err)
			assert.LessOrEqual(t, s.Count(), 6, name)
		}
		last := &wiretest.Steps{Do: steps{busy, busy, busy, busy, skew, busy}}
		_, err := clientOf(t, last).Owners.Whoami(t.Context())
		require.ErrorIs(t, err, threatconnect.ErrUnavailable)
		assert.Equal(t, 6, last.Count(), "the retry after a clock correction is not counted")
		n := 0
		token := &wiretest.Steps{Do: steps{busy, busy, busy, busy, wiretest.Answer(401, "Unauthorized"), busy}}
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			n++
			return fmt.Sprint("token-", n), time.Time{}, nil
		}), threatconnect.WithTransport(token))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		require.ErrorIs(t, err, threatconnect.ErrUnavailable)
		assert.Equal(t, 6, token.Count(), "the retry with a new token is not counted")
	})
}

func TestRetryResendsWholeBody(t *testing.T) {
	t.Parallel()
	var bodies []string
	rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		assert.Equal(t, int64(len(b)), req.ContentLength)
		bodies = append(bodies, string(b))
		if len(bodies) < 3 {
			return wiretest.Reply(502, ""), nil
		}
		return wiretest.Reply(200, `{"data":{"host":{"id":1}}}`), nil
	})
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, calls["PUT"](t.Context(), clientOf(t, rt)))
	})
	assert.Equal(t, []string{`{"rating":3}`, `{"rating":3}`, `{"rating":3}`}, bodies)
}

type limiter func(context.Context) error

func (l limiter) Wait(ctx context.Context) error { return l(ctx) }

type pointerLimiter struct{ asked int }

func (l *pointerLimiter) Wait(context.Context) error {
	l.asked++
	return nil
}

func TestLimiterIsCalledBeforeEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &wiretest.Steps{Do: steps{wiretest.Answer(503, ""), wiretest.Answer(200, whoami)}}
		_, err := clientOf(t, s, threatconnect.WithLimiter(limiter(func(context.Context) error { n++; return nil }))).Owners.Whoami(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, n)

		var none *pointerLimiter
		_, err = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}, threatconnect.WithLimiter(none)).Owners.Whoami(t.Context())
		require.NoError(t, err, "a nil pointer is no limiter")

		full := errors.New("no more today")
		s = &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
		_, err = clientOf(t, s, threatconnect.WithLimiter(limiter(func(context.Context) error { return full }))).Owners.Whoami(t.Context())
		require.ErrorIs(t, err, full)
		assert.EqualError(t, err, "threatconnect: GET /v2/whoami: waiting for the limiter: no more today")
		assert.Zero(t, s.Count())
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "7", "-1", "1e9", "99999999999999999999", "Fri, 02 Jan 2026 00:00:30 GMT", "\x00", "７"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		synctest.Test(t, func(t *testing.T) {
			s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "", "Retry-After", after, "Date", date), wiretest.Answer(200, whoami)}}
			began := time.Now()
			_, err := clientOf(t, s).Owners.Whoami(t.Context())
			if err != nil {
				require.ErrorIs(t, err, threatconnect.ErrUnavailable)
			}
			assert.Less(t, time.Since(began), 2*time.Minute+time.Second)
		})
	})
}

func TestHugeRetryAfterIsHonored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := clientOf(t, s, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 20, MaxWait: math.MaxInt64})).Owners.Whoami(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1, s.Count())
	})
}
