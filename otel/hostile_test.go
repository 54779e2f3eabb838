package otel_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Credentials and values that telemetry must not contain.
const (
	accessID  = "0123456789012345678901"
	secretKey = "Sup3r$ecret'K3y"
	token     = "APIV2:tok3n-of-s0mebody"
	value     = "very-evil.example"
	owner     = "Undercover Unit"
	tag       = "operation n1ghtfall"
	password  = "pr0xy-passw0rd"
)

// assertNothingShown asserts that telemetry contains none of the values, in any of the usual encodings.
func assertNothingShown(t *testing.T, c *telemetry) {
	t.Helper()
	require.NotEmpty(t, c.spans.GetSpans())
	out := strings.ToLower(c.exported())
	assert.Contains(t, out, "http.client.request.duration")
	for _, secret := range []string{accessID, secretKey, token, value, owner, tag, password} {
		for _, spelled := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
			hex.EncodeToString([]byte(secret)), fmt.Sprint([]byte(secret)),
		} {
			assert.NotContains(t, out, strings.ToLower(spelled))
		}
	}
}

// echo is a platform that repeats each request in its response, in many ways.
type echo struct{ n int }

// echoes is the number of different responses of echo.
const echoes = 16

func (p *echo) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	all := strings.NewReplacer(`"`, "'", `\`, "").Replace(fmt.Sprint(req.URL, req.URL.Query(), req.Header, string(body), secretKey, value, owner, tag))
	reply := func(status int, text string, header ...string) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
	}
	said := func(status int, words string, header ...string) (*http.Response, error) {
		return reply(status, `{"status":"Failure","message":"`+words+" "+all+`"}`, header...)
	}
	p.n++
	switch p.n % echoes {
	case 1:
		return said(400, "Please enter a valid Host")
	case 2:
		return said(401, "Signature data did not match expected result")
	case 3:
		return said(403, "The requested owner was not found")
	case 4:
		return said(404, "The requested resource was not found")
	case 5:
		return said(429, "slow down", "Retry-After", "3", "X-Value", value)
	case 6:
		return said(500, "An unknown error occurred")
	case 7:
		return said(503, "busy")
	case 8:
		return said(200, "No")
	case 9:
		return reply(302, all, "Location", "https://user:"+token+"@other.example/"+url.PathEscape(all))
	case 10:
		return reply(200, "<html>"+all, "Content-Type", "text/html")
	case 11:
		return reply(200, `{"status":"Success","data":{"`+all)
	case 12:
		return reply(200, all, "Content-Encoding", "gzip")
	case 13:
		return nil, fmt.Errorf("send %s %v through http://user:%s@proxy.example", req.URL, req.Header, password)
	case 14:
		return nil, &url.Error{Op: req.Method, URL: req.URL.String(), Err: errors.New(all)}
	case 15:
		return nil, fmt.Errorf("%s: %w", all, io.ErrUnexpectedEOF)
	}
	return nil, fmt.Errorf("%s: %w", all, &threatconnect.APIError{Method: value, Route: value, StatusCode: 404, Message: all, Hint: all})
}

func TestThreatTelemetryHasNoValues(t *testing.T) {
	t.Parallel()
	t.Run("responses that repeat requests", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := newTelemetry(t)
			for name, creds := range map[string]threatconnect.Credentials{"HMAC": threatconnect.HMAC(accessID, secretKey), "token": threatconnect.Token(token)} {
				client, err := threatconnect.NewClient("https://tc.example/api", creds, threatconnect.WithTransport(&echo{}), c.observer(),
					threatconnect.WithOwner(owner), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2}))
				require.NoError(t, err)
				for range 3 * echoes {
					ctx := t.Context()
					_, err := client.Indicators.Hosts.Get(ctx, value, nil)
					require.Error(t, err, name)
					require.Error(t, client.Indicators.Hosts.Delete(ctx, value))
					_, err = client.Indicators.Hosts.Create(ctx, threatconnect.NewHost(value))
					require.Error(t, err)
					for _, err := range client.Tags.All(ctx, nil) {
						require.Error(t, err)
					}
					resp, err := client.Do(ctx, threatconnect.Request{
						Method: "POST", Path: "/v2/indicators/" + threatconnect.PathSegment(tag) + "/" + threatconnect.PathSegment(value),
						Query: url.Values{value: {tag}}, Header: http.Header{"X-Note": {password}}, Body: []byte(`{"hostName":"` + value + `"}`),
					})
					if err == nil {
						require.NoError(t, resp.Body.Close())
					}
				}
			}
			assertNothingShown(t, c)
			assert.NotZero(t, c.total("threatconnect.call.wait"))
		})
	})

	t.Run("errors of the caller's code", func(t *testing.T) {
		t.Parallel()
		c := newTelemetry(t)
		vault := threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			return "", time.Time{}, fmt.Errorf("vault refuses %s: %w", token, &threatconnect.APIError{Method: value, Route: value, StatusCode: 418, Message: value})
		})
		client, err := threatconnect.NewClient("https://tc.example/api", vault, threatconnect.WithTransport(&echo{}), c.observer())
		require.NoError(t, err)
		_, err = client.Owners.Whoami(t.Context())
		require.ErrorContains(t, err, token, "the test needs an error with a token in it")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New(password))
		_, err = client.Indicators.Hosts.Get(ctx, value, nil)
		require.Error(t, err)
		assertNothingShown(t, c)
		for _, span := range c.spans.GetSpans() {
			assert.NotContains(t, text(span.Attributes), "418", "418 is the status of another call")
		}
	})

	t.Run("imports", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := newTelemetry(t)
			srv := threatconnecttest.NewT(t)
			require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: owner, Type: "Source"}))
			group := threatconnect.NewThreat(tag)
			group.XID = value
			good, refused := threatconnect.NewHost(value), threatconnect.NewHost("other-"+value)
			good.GroupXIDs, good.Tags = []string{value}, []threatconnect.Tag{{Name: tag}}
			refused.Attributes = []threatconnect.Attribute{{Type: tag, Value: password}}
			_, err := srv.Client(c.observer()).Batch.Import(t.Context(), threatconnect.BatchConfig{
				Owner: owner, Attributes: threatconnect.WriteReplace, OnEvent: c.onEvent(nil),
				Exclude: func(_, v string) (string, bool) { return value, v == "excluded-"+value },
			}, threatconnect.BatchItems(slices.Values([]threatconnect.BatchItem{group, good, refused, threatconnect.NewHost("excluded-" + value)})))
			require.Error(t, err)
			assertNothingShown(t, c)
			assert.Equal(t, int64(4), c.total("threatconnect.batch.items"))
		})
	})
}
