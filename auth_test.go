package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestSignaturesMatchOpenSSL(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 999_999_999)
	for _, v := range []struct{ secret, method, uri, want string }{
		{"secret", "GET", "/v2/owners", "6jy36dIubhuo3RrR8Y/6qQjNuOdFNF49FeMrmB5dHYY="},
		{"secret", "POST", "/v2/batch", "dyDr6n+JVAq4z9mBolo5KfkotKhZjkxHLZxclREg7aQ="},
		{"S3cr3t$with!special", "GET", "/api/v2/indicators/hosts/www.example.com?includeAdditional=true&owner=Example%20Organization", "rCx/SqFmemoBn8U8BbjRF3/W6Sg6QIiuTt1Z4lsBdbk="},
		{`a'b"c d`, "PUT", "/api/v2/indicators/urls/http%3A%2F%2Fexample.com%2Fa%3Fb%3Dc?owner=Common%20Community", "N9loLlumdUleHXhdFzYfWnmPTp54mhARnqDAgORNyfw="},
		{"secret", "GET", "/v2/owners?", "trvQXgNoQEoVP9Cvv1NdDIz2JYPCE1zH+W9G1Uvtxgs="},
	} {
		assert.Equal(t, v.want, threatconnect.Sign(v.secret, v.method, v.uri, at), v.uri)
	}
	assert.NotEqual(t, threatconnect.Sign("secret", "GET", "/v2/owners", at), threatconnect.Sign("secret", "GET", "/v2/owners?", at))

	// The client makes the same signature: base URL without /api, no query, a fixed clock.
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "secret"), threatconnect.WithTransport(s),
		threatconnect.WithClock(func() time.Time { return at }))
	require.NoError(t, err)
	_, err = c.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/owners"})
	require.NoError(t, err)
	assert.Equal(t, "TC id:6jy36dIubhuo3RrR8Y/6qQjNuOdFNF49FeMrmB5dHYY=", s.Sent[0].Header.Get("Authorization"))
	assert.Equal(t, "1700000000", s.Sent[0].Header.Get("Timestamp"))
}

func TestSignedTimestampIsTheOneSent(t *testing.T) {
	t.Parallel()
	// The clock advances a second with every reading, so two readings per attempt would differ.
	var n atomic.Int64
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c := clientOf(t, s, threatconnect.WithClock(func() time.Time { return time.Unix(1700000000+n.Add(1), 0) }))
	for range 10 {
		_, err := c.Owners.Whoami(t.Context())
		require.NoError(t, err)
	}
	for _, req := range s.Sent {
		var unix int64
		_, err := fmt.Sscan(req.Header.Get("Timestamp"), &unix)
		require.NoError(t, err)
		assert.Equal(t, "TC access:"+threatconnect.Sign("Sup3rS3cret", "GET", "/api/v2/whoami", time.Unix(unix, 0)), req.Header.Get("Authorization"))
	}
}

func TestMalformedCredentialsAreRejected(t *testing.T) {
	t.Parallel()
	good := "s3cr3t$with!all`kinds'of\"signs and spaces\u00e9"
	_, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("01234", good))
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"empty": "", "blank": " \t", "a space before": " s3cr3t", "a space after": "s3cr3t ", "a line break after": "s3cr3t\r\n", "a line break inside": "s3\ncr3t",
		"a zero byte": "s3cr3t\x00x", "single quotes": "'s3cr3t'", "double quotes": `"s3cr3t"`, "backquotes": "`s3cr3t`", "not UTF-8": "s3cr3t\xff", "a delete": "s3cr3t\x7fx",
	} {
		for kind, creds := range map[string]threatconnect.Credentials{
			"access id": threatconnect.HMAC(bad, good), "secret key": threatconnect.HMAC("01234", bad), "token": threatconnect.Token(bad),
		} {
			_, err := threatconnect.NewClient("https://tc.example", creds)
			var v *threatconnect.ValidationError
			require.ErrorAs(t, err, &v, "%s: %s", kind, name)
			assert.Equal(t, kind, v.Field)
			assert.NotContains(t, err.Error(), "cr3t")
		}
	}
	_, err = threatconnect.NewClient("https://tc.example", threatconnect.HMAC("a:b", good))
	assert.EqualError(t, err, "threatconnect: access id holds a colon; is it the secret key?")
}

func TestATokenNeedsNoTimestamp(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c, err := threatconnect.NewClient("https://tc.example", threatconnect.Token("APIV2:tok3n"), threatconnect.WithTransport(s))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "TC-Token APIV2:tok3n", s.Sent[0].Header.Get("Authorization"))
	assert.NotContains(t, s.Sent[0].Header, "Timestamp")
}

func TestRejectedTokenReturnsErrTokenRefused(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{"Unauthorized": true, `{"status":"Failure","message":"Unauthorized"}`: true, `{"status":"Failure","message":"The owner token is not Unauthorized"}`: false, "The requested host was not updated - access was denied": false} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(401, message)}}
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.Token("t"), threatconnect.WithTransport(s))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		require.ErrorIs(t, err, threatconnect.ErrUnauthorized)
		assert.Equal(t, want, errors.Is(err, threatconnect.ErrTokenRefused), message)
		assert.Equal(t, 1, s.Count(), "an unchanged token is not sent again")
	}
}

// tokens is a platform that accepts one token, and a source of tokens.
type tokens struct {
	valid   atomic.Int64 // the accepted token
	issued  atomic.Int64
	asking  atomic.Int64
	refused atomic.Int64
}

func (p *tokens) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization") == fmt.Sprintf("TC-Token token-%d", p.valid.Load()) {
		return wiretest.Reply(200, whoami), nil
	}
	p.refused.Add(1)
	return wiretest.Reply(401, "Unauthorized"), nil
}

func (p *tokens) source(context.Context) (string, time.Time, error) {
	if p.asking.Add(1) != 1 {
		return "", time.Time{}, errors.New("asked twice at the same time")
	}
	defer p.asking.Add(-1)
	time.Sleep(time.Second)
	n := p.issued.Add(1)
	p.valid.Store(n)
	return fmt.Sprintf("token-%d", n), time.Now().Add(time.Hour), nil
}

func TestTokenIsRefreshedOnExpiryAndRejection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &tokens{}
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(p.source), threatconnect.WithTransport(p))
		require.NoError(t, err)
		assert.Zero(t, p.issued.Load(), "NewClient does not request a token")
		all := func() {
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					_, err := c.Owners.Whoami(t.Context())
					assert.NoError(t, err)
				})
			}
			wg.Wait()
		}
		all()
		assert.Equal(t, int64(1), p.issued.Load())
		time.Sleep(59 * time.Minute)
		all()
		assert.Equal(t, int64(1), p.issued.Load())
		time.Sleep(50 * time.Second) // 9 seconds before it expires
		all()
		assert.Equal(t, int64(2), p.issued.Load())
		assert.Zero(t, p.refused.Load())
		p.valid.Store(-1) // regenerated on the platform
		all()
		assert.Equal(t, int64(3), p.issued.Load(), "fifty rejections cause one token request")
	})
}

func TestTokenExpiryUsesPlatformClock(t *testing.T) {
	t.Parallel()
	const ahead = 2 * time.Hour // lead of this machine's clock
	for name, tc := range map[string]struct {
		opts []threatconnect.Option
		want int // token requests in 5 calls
	}{
		"from the first answer on": {want: 1},
		"without correction":       {opts: []threatconnect.Option{threatconnect.WithoutClockCorrection()}, want: 5},
		"a clock of the caller":    {opts: []threatconnect.Option{threatconnect.WithClock(func() time.Time { return time.Now().Add(-ahead) })}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := &wiretest.Steps{Do: steps{func(*http.Request) (*http.Response, error) {
					return wiretest.Reply(200, whoami, "Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat)), nil
				}}}
				c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
					asked++
					return "token", time.Now().Add(time.Hour - ahead), nil
				}), append(tc.opts, threatconnect.WithTransport(s))...)
				require.NoError(t, err)
				for range 5 {
					_, err := c.Owners.Whoami(t.Context())
					require.NoError(t, err)
				}
				assert.Equal(t, tc.want, asked)
			})
		})
	}
}

func TestTokenSourceIsExemptFromStallTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &wiretest.Steps{Do: steps{func(req *http.Request) (*http.Response, error) { // the timeout starts here
			<-req.Context().Done()
			return nil, req.Context().Err()
		}}}
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(ctx context.Context) (string, time.Time, error) {
			select {
			case <-time.After(3 * time.Minute):
				return "token", time.Time{}, nil
			case <-ctx.Done():
				return "", time.Time{}, ctx.Err()
			}
		}), threatconnect.WithTransport(s), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
		require.NoError(t, err)
		began := time.Now()
		_, err = c.Owners.Whoami(t.Context())
		require.ErrorContains(t, err, "no byte moved within the stall timeout of 2m0s")
		assert.Equal(t, 5*time.Minute, time.Since(began))
		assert.Equal(t, 1, s.Count())
	})
}

func TestTokenIsRenewedOncePerCall(t *testing.T) {
	t.Parallel()
	n := 0
	s := &wiretest.Steps{Do: steps{wiretest.Answer(401, "Unauthorized")}}
	c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
		n++
		return "always-the-same", time.Time{}, nil
	}), threatconnect.WithTransport(s))
	require.NoError(t, err)
	err = calls["POST"](t.Context(), c)
	require.ErrorIs(t, err, threatconnect.ErrTokenRefused)
	assert.Equal(t, 2, s.Count())
	assert.Equal(t, 2, n)
}

func TestFailedTokenSourceSendsNothing(t *testing.T) {
	t.Parallel()
	vault := errors.New("vault is sealed")
	for name, source := range map[string]func(context.Context) (string, time.Time, error){
		"an error":  func(context.Context) (string, time.Time, error) { return "", time.Time{}, vault },
		"no token":  func(context.Context) (string, time.Time, error) { return "", time.Time{}, nil },
		"two lines": func(context.Context) (string, time.Time, error) { return "tok3n\nx", time.Time{}, nil },
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
		var log bytes.Buffer
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(source), threatconnect.WithTransport(s),
			threatconnect.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		assert.Empty(t, log.String(), "a log record means that a request was sent")
		if name == "an error" {
			require.ErrorIs(t, err, vault)
			assert.EqualError(t, err, "threatconnect: GET /v2/whoami: the request was not sent: token source: vault is sealed")
		} else {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
		}
		assert.NotContains(t, err.Error(), "tok3n")
		assert.Zero(t, s.Count())
	}
}

func TestContextEndsWaitForToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(ctx context.Context) (string, time.Time, error) {
			time.Sleep(time.Minute)
			return "token", time.Time{}, nil
		}), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}))
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Owners.Whoami(t.Context())
			assert.NoError(t, err)
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = c.Owners.Whoami(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		wg.Wait()
	})
}

// closes is a request body that records whether it was closed.
type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error { c.closed = true; return nil }

func TestContentIsClosedWhenSigningFails(t *testing.T) {
	t.Parallel()
	sealed := errors.New("sealed")
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, "{}")}}
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, sealed }), threatconnect.WithTransport(s))
	require.NoError(t, err)
	body := &closes{Reader: strings.NewReader("x")}
	err = c.Groups.Documents.Upload(t.Context(), 1,
		threatconnect.Content{Open: func() (io.ReadCloser, error) { return body, nil }, Size: -1}, nil)
	require.ErrorIs(t, err, sealed)
	assert.True(t, body.closed)
	assert.Zero(t, s.Count())
}

// signedWith returns the Authorization header of req as signed with secretKey.
func signedWith(req *http.Request, accessID, secretKey string) string {
	unix, _ := strconv.ParseInt(req.Header.Get("Timestamp"), 10, 64)
	return "TC " + accessID + ":" + threatconnect.Sign(secretKey, req.Method, req.URL.RequestURI(), time.Unix(unix, 0))
}

func TestKeysRotateBetweenAttempts(t *testing.T) {
	t.Parallel()
	type key struct{}
	n := 0
	s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy"), wiretest.Answer(200, whoami)}}
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMACFunc(func(ctx context.Context) (string, string, error) {
		assert.Equal(t, "attempt", ctx.Value(key{}))
		n++
		return fmt.Sprintf("access%d", n), fmt.Sprintf("s3cr3t%d", n), nil
	}), threatconnect.WithTransport(s), quick, threatconnect.WithObserver(threatconnect.Observer{
		AttemptStart: func(ctx context.Context, _ threatconnect.Attempt) context.Context {
			return context.WithValue(ctx, key{}, "attempt")
		},
	}))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, s.Count())
	for i, req := range s.Sent {
		assert.Equal(t, signedWith(req, fmt.Sprintf("access%d", i+1), fmt.Sprintf("s3cr3t%d", i+1)), req.Header.Get("Authorization"))
	}
}

func TestSignerFuncSignsRequests(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"host":{"id":1,"hostName":"www.example.com"}}}`)}}
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.SignerFunc(func(_ context.Context, signed string) (string, string, error) {
		uri, rest, _ := strings.Cut(signed, ":")
		method, unix, _ := strings.Cut(rest, ":")
		n, err := strconv.ParseInt(unix, 10, 64)
		return "access", threatconnect.Sign("s3cr3t", method, uri, time.Unix(n, 0)), err
	}), threatconnect.WithTransport(s))
	require.NoError(t, err)
	_, err = c.Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
	require.NoError(t, err)
	assert.Equal(t, signedWith(s.Sent[0], "access", "s3cr3t"), s.Sent[0].Header.Get("Authorization"))
}

func TestFailedKeySourceOrSignerSendsNothing(t *testing.T) {
	t.Parallel()
	vault := errors.New("vault is sealed")
	mac := threatconnect.Sign("s3cr3t", "GET", "/", time.Unix(0, 0))
	keys := func(id, key string, err error) threatconnect.Credentials {
		return threatconnect.HMACFunc(func(context.Context) (string, string, error) { return id, key, err })
	}
	signer := func(id, signature string, err error) threatconnect.Credentials {
		return threatconnect.SignerFunc(func(context.Context, string) (string, string, error) { return id, signature, err })
	}
	for name, tc := range map[string]struct {
		creds threatconnect.Credentials
		want  string // the start of the error
	}{
		"a key source that fails": {keys("", "", vault), "threatconnect: GET /v2/whoami: the request was not sent: key source: vault is sealed"},
		"a signer that fails":     {signer("", "", vault), "threatconnect: GET /v2/whoami: the request was not sent: signer: vault is sealed"},
		"no access ID":            {keys("", "s3cr3t", nil), "the request was not sent: threatconnect: access id is empty"},
		"a secret key as ID":      {keys("s3cr3t:x", "s3cr3t", nil), "the request was not sent: threatconnect: access id holds a colon"},
		"a key with a line break": {keys("access", "s3cr3t\n", nil), "the request was not sent: threatconnect: secret key has white space around it"},
		"no ID from the signer":   {signer("", mac, nil), "the request was not sent: threatconnect: access id is empty"},
		"no signature":            {signer("access", "", nil), "the request was not sent: threatconnect: signature from the signer "},
		"hexadecimal":             {signer("access", strings.Repeat("0a", 32), nil), "the request was not sent: threatconnect: signature from the signer "},
		"no padding":              {signer("access", strings.TrimSuffix(mac, "="), nil), "the request was not sent: threatconnect: signature from the signer "},
		"a line break":            {signer("access", mac[:9]+"\n"+mac[9:], nil), "the request was not sent: threatconnect: signature from the signer "},
		"base64 for URLs":         {signer("access", "-_"+mac[2:], nil), "the request was not sent: threatconnect: signature from the signer "},
		"too many bits":           {signer("access", mac[:42]+"B=", nil), "the request was not sent: threatconnect: signature from the signer "},
		"SHA-1":                   {signer("access", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", nil), "the request was not sent: threatconnect: signature from the signer "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
			c, err := threatconnect.NewClient("https://tc.example", tc.creds, threatconnect.WithTransport(s))
			require.NoError(t, err)
			_, err = c.Owners.Whoami(t.Context())
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), tc.want), err)
			assert.NotContains(t, err.Error(), "s3cr3t")
			assert.NotContains(t, err.Error(), mac[:12])
			assert.NotContains(t, shown(tc.creds), "s3cr3t")
			assert.Zero(t, s.Count())
		})
	}
	for field, creds := range map[string]threatconnect.Credentials{"key source": threatconnect.HMACFunc(nil), "signer": threatconnect.SignerFunc(nil)} {
		_, err := threatconnect.NewClient("https://tc.example", creds)
		require.EqualError(t, err, "threatconnect: "+field+" is nil")
	}
}

func TestLateRejectionOfOldTokenKeepsNewToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked, sent atomic.Int32
		rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") != "TC-Token token-1" {
				return wiretest.Reply(200, whoami), nil
			}
			time.Sleep(time.Duration(sent.Add(1)) * time.Minute)
			return wiretest.Reply(401, "Unauthorized"), nil
		})
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			return fmt.Sprintf("token-%d", asked.Add(1)), time.Time{}, nil
		}), threatconnect.WithTransport(rt), threatconnect.WithStallTimeout(0))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := c.Owners.Whoami(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Equal(t, int32(2), sent.Load())
		assert.Equal(t, int32(2), asked.Load())
	})
}
