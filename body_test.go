package threatconnect_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
func (endless) Close() error { return nil }

func TestBrokenAnswersToARead(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	bomb := zipped(t, bytes.Repeat([]byte(" "), 4*limit))
	require.Less(t, len(bomb), limit)
	// A recorder enforces neither lengths nor limits of headers.
	onlyOnConnections := []string{"a length that is too long", "a promise of a terabyte", "a header of 2 MB"}
	for name, tc := range map[string]struct {
		serve func(w http.ResponseWriter)
		is    error // nil for success
		says  string
		times int32
	}{
		"JSON": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, whoami) }, nil, "", 1},
		"JSON in gzip": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped(t, []byte(whoami)))
		}, nil, "", 1},
		"JSON with a wrong type": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, whoami)
		}, nil, "", 1},
		"a body of exactly the cap": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, whoami+strings.Repeat(" ", limit-len(whoami))) }, nil, "", 1},
		"a byte more than the cap":  {func(w http.ResponseWriter) { _, _ = io.WriteString(w, whoami+strings.Repeat(" ", limit-len(whoami)+1)) }, threatconnect.ErrResponseTooLarge, "response too large", 1},
		"a gzip bomb":               {func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "gzip"); _, _ = w.Write(bomb) }, threatconnect.ErrResponseTooLarge, "response too large", 1},
		"invalid gzip": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, whoami)
		}, threatconnect.ErrBadResponse, "gzip: invalid header", 3},
		"gzip that is cut": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped(t, []byte(whoami))[:40])
		}, threatconnect.ErrBadResponse, "the body broke off", 3},
		"an unrequested encoding": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, whoami)
		}, threatconnect.ErrBadResponse, `content encoding "br" was not asked for`, 3},
		"a length that is too long": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, whoami)
		}, threatconnect.ErrBadResponse, "the body broke off: unexpected EOF", 3},
		"a length that is too short": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "30")
			_, _ = io.WriteString(w, whoami[:30])
		}, threatconnect.ErrBadResponse, "unexpected end", 3},
		"a promise of a terabyte": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.FormatInt(1<<40, 10))
			_, _ = io.WriteString(w, whoami)
		}, threatconnect.ErrBadResponse, "the body broke off", 3},
		"JSON that is cut":       {func(w http.ResponseWriter) { _, _ = io.WriteString(w, whoami[:40]) }, threatconnect.ErrBadResponse, "JSON at byte 40", 3},
		"garbage after the JSON": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, whoami+"}") }, threatconnect.ErrBadResponse, "JSON at byte", 3},
		"100,000 brackets":       {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"data":`+strings.Repeat("[", 100_000)) }, threatconnect.ErrBadResponse, "JSON at byte", 3},
		"100,000 objects":        {func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat(`{"data":`, 100_000)) }, threatconnect.ErrBadResponse, "JSON at byte", 3},
		"a field of another form": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"status":"Success","data":{"user":{"userName":{"a":1}}}}`)
		}, threatconnect.ErrBadResponse, "want a text", 1},
		"a field of another form that is cut": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"status":"Success","data":{"user":{"userName":{"a":1}`)
		}, threatconnect.ErrBadResponse, "want a text", 3},
		"a list": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "[]") }, threatconnect.ErrBadResponse, "want an object", 3},
		"a login page": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "\n<!DOCTYPE html><title>Log in</title>")
		}, threatconnect.ErrBadResponse, "an HTML page came instead of the API's answer: is /api missing from the base URL", 3},
		"plain text": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "try later")
		}, threatconnect.ErrBadResponse, `want an object (content type "text/plain")`, 3},
		"nothing":    {func(w http.ResponseWriter) { w.WriteHeader(200) }, threatconnect.ErrBadResponse, "it holds no user", 3},
		"no content": {func(w http.ResponseWriter) { w.WriteHeader(204) }, threatconnect.ErrBadResponse, "it holds no user", 3},
		"a header of 2 MB": {func(w http.ResponseWriter) {
			w.Header().Set("X-Flood", strings.Repeat("x", 2<<20))
			_, _ = io.WriteString(w, whoami)
		}, nil, "response headers", 1},
	} {
		transports := []string{"over a connection"}
		if !slices.Contains(onlyOnConnections, name) {
			transports = append(transports, "in the process")
		}
		for _, transport := range transports {
			t.Run(name+" "+transport, func(t *testing.T) {
				t.Parallel()
				times := int32(0)
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { times++; tc.serve(w) })
				var c *threatconnect.Client
				if transport == "in the process" {
					c = clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
						rec := httptest.NewRecorder()
						handler.ServeHTTP(rec, req)
						return rec.Result(), nil
					}), quick, threatconnect.WithMaxResponseBytes(limit))
				} else {
					srv := httptest.NewServer(handler)
					defer srv.Close()
					c = newClient(t, srv.URL+"/api", threatconnect.WithMaxResponseBytes(limit))
				}
				u, err := c.Owners.Whoami(t.Context())
				assert.Equal(t, tc.times, times)
				if tc.says == "" {
					require.NoError(t, err)
					assert.Equal(t, "access", u.UserName)
					return
				}
				require.Error(t, err)
				if tc.is != nil {
					require.ErrorIs(t, err, tc.is)
				}
				assert.ErrorContains(t, err, tc.says)
				assert.Less(t, len(err.Error()), 400)
			})
		}
	}
}

func TestEndlessResponseIsCutOff(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 503} {
		c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) {
			resp := wiretest.Reply(status, "")
			resp.Body, resp.ContentLength = endless{}, -1
			return resp, nil
		}), quick, threatconnect.WithMaxResponseBytes(1<<20))
		_, err := c.Owners.Whoami(t.Context())
		if status == 200 {
			require.ErrorIs(t, err, threatconnect.ErrResponseTooLarge)
			continue
		}
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, status, api.StatusCode)
	}
}

// trickle is a body that yields a byte per interval until ctx ends.
type trickle struct {
	ctx      context.Context
	interval time.Duration
	text     string // after which it hangs
}

func (b *trickle) Read(p []byte) (int, error) {
	interval := b.interval
	if b.text == "" {
		interval = 1000 * time.Hour
	}
	select {
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	case <-time.After(interval):
	}
	p[0] = b.text[0]
	b.text = b.text[1:]
	return 1, nil
}
func (b *trickle) Close() error { return nil }

// trickling responds with a body that arrives at one byte per second and then hangs.
func trickling(status int, text string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		resp := wiretest.Reply(status, "")
		resp.Body, resp.ContentLength = &trickle{req.Context(), time.Second, text}, -1
		return resp, nil
	}
}

func TestSlowResponses(t *testing.T) {
	t.Parallel()
	once := threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
	t.Run("a byte per second is read until the context ends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			began := time.Now()
			_, err := clientOf(t, &wiretest.Steps{Do: steps{trickling(200, whoami)}}).Owners.Whoami(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 30*time.Second, time.Since(began))
		})
	})
	t.Run("a slow but steady response does not time out", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
				resp := wiretest.Reply(200, "")
				resp.Body = io.NopCloser(io.LimitReader(&trickle{req.Context(), time.Second, whoami}, int64(len(whoami))))
				return resp, nil
			})
			_, err := clientOf(t, rt, once, threatconnect.WithStallTimeout(2*time.Second)).Owners.Whoami(t.Context())
			require.NoError(t, err)
		})
	})
	t.Run("a response that hangs times out and is retried", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &wiretest.Steps{Do: steps{trickling(200, whoami[:30]), wiretest.Answer(200, whoami)}}
			began := time.Now()
			_, err := clientOf(t, s, threatconnect.WithStallTimeout(10*time.Second)).Owners.Whoami(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 2, s.Count())
			assert.Less(t, time.Since(began), 41*time.Second)
		})
	})
	t.Run("a header that never arrives times out", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &wiretest.Steps{Do: steps{func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, context.Cause(req.Context())
			}}}
			began := time.Now()
			_, err := clientOf(t, s, once).Owners.Whoami(t.Context())
			assert.EqualError(t, err, "threatconnect: GET /v2/whoami: no byte moved within the stall timeout of 2m0s")
			assert.Equal(t, 2*time.Minute, time.Since(began))
		})
	})
	t.Run("an error body gets fifteen seconds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := clientOf(t, &wiretest.Steps{Do: steps{trickling(403, strings.Repeat("no ", 10_000))}}).Owners.Whoami(t.Context())
			require.ErrorIs(t, err, threatconnect.ErrForbidden)
			api, ok := errors.AsType[*threatconnect.APIError](err)
			require.True(t, ok)
			assert.Equal(t, "no no no no no", string(api.Foreign), "the text received until then")
			assert.Equal(t, 15*time.Second, time.Since(began))
		})
	})
	t.Run("an upload that stalls times out", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
				defer req.Body.Close()
				one := make([]byte, 1)
				for range 5 { // moves for 5 s, then stalls
					time.Sleep(time.Second)
					if _, err := req.Body.Read(one); err != nil {
						return nil, err
					}
				}
				<-req.Context().Done()
				return nil, context.Cause(req.Context())
			})
			began := time.Now()
			err := calls["POST"](t.Context(), clientOf(t, rt, threatconnect.WithStallTimeout(3*time.Second)))
			require.ErrorContains(t, err, "no byte moved within the stall timeout of 3s")
			assert.Equal(t, 8*time.Second, time.Since(began))
		})
	})
	t.Run("a slow caller causes no timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			resp, err := clientOf(t, &wiretest.Steps{Do: steps{trickling(200, whoami)}}).Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/whoami"})
			require.NoError(t, err)
			one := make([]byte, 1)
			for range 5 {
				time.Sleep(time.Hour)
				_, err := resp.Body.Read(one)
				require.NoError(t, err)
			}
			require.NoError(t, resp.Body.Close())
			require.NoError(t, resp.Body.Close())
		})
	})
	t.Run("0 disables the timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
			defer cancel()
			_, err := clientOf(t, &wiretest.Steps{Do: steps{trickling(200, "{")}}, threatconnect.WithStallTimeout(0)).Owners.Whoami(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	})
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	addrs := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		addrs[req.RemoteAddr] = true
		switch len(req.URL.Path) % 3 {
		case 0:
			w.WriteHeader(404)
		case 1:
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped(t, []byte(successes)))
			return
		}
		_, _ = io.WriteString(w, successes)
	}))
	defer srv.Close()
	// With at most one connection, a request waits until the connection is idle again, a moment after
	// the response. A connection that cannot be reused would be replaced.
	c := newClient(t, srv.URL, threatconnect.WithTransport(&http.Transport{MaxConnsPerHost: 1}))
	for i := range 12 {
		_ = c.Indicators.Hosts.Delete(t.Context(), "www.example.com"[i%3:])
	}
	assert.Len(t, addrs, 1)
}

// TestALargePageIsRead reads a page of the maximum size with large items, and a list without pages.
func TestALargePageIsRead(t *testing.T) {
	t.Parallel()
	one := `{"id":1,"type":"Host","ownerName":"Example Source","summary":"a.example","rating":3,"confidence":80,"tag":[` +
		strings.Repeat(`{"name":"Example Tag"},`, 19) + `{"name":"Last"}],"attribute":[` +
		strings.Repeat(`{"id":1,"type":"Description","value":"`+strings.Repeat("x", 500)+`"},`, 4) + `{"id":5,"type":"Source","value":"x"}]}`
	n := scaletest.Size(10_000)
	body := fmt.Sprintf(`{"status":"Success","data":{"resultCount":%d,"indicator":[`, n) + strings.Repeat(one+",", n-1) + one + `]}}`
	page, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}).Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 10_000}})
	require.NoError(t, err)
	require.Len(t, page.Items, n)

	owner := `{"id":1,"name":"Example Source"}`
	owners, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"owner":[`+strings.Repeat(owner+",", 10*n-1)+owner+`]}}`)}}).Owners.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, owners.Items, 10*n)
}

func TestStallDoesNotHideReopenError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the file is gone")
		opened := 0
		content := threatconnect.Content{Size: -1, Open: func() (io.ReadCloser, error) {
			if opened++; opened == 2 {
				return nil, gone
			}
			return io.NopCloser(strings.NewReader("x")), nil
		}}
		s := &wiretest.Steps{Do: steps{func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			_, err := req.GetBody() // as package net/http does on another connection
			return nil, err
		}}}
		err := clientOf(t, s).Groups.Documents.Upload(t.Context(), 1, content, &threatconnect.UploadOptions{Replace: true})
		require.ErrorIs(t, err, gone)
		assert.Equal(t, 1, s.Count())
	})
}

// TestContentLengthIsNotPreallocated is not parallel because it measures allocations.
func TestContentLengthIsNotPreallocated(t *testing.T) {
	c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		resp, err := wiretest.Answer(200, whoami)(req)
		resp.ContentLength = 64 << 20
		return resp, err
	}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Owners.Whoami(t.Context())
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

func TestAttemptTimeoutEndsTricklingResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &wiretest.Steps{Do: steps{trickling(200, whoami)}}
		began := time.Now()
		_, err := clientOf(t, s, threatconnect.WithAttemptTimeout(5*time.Second), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1})).Owners.Whoami(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 2, s.Count(), "it is retried")
	})
}

// counting counts the bytes that are read from an endless body.
type counting struct {
	endless
	n *int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.endless.Read(p)
	*c.n += int64(n)
	return n, err
}

func TestErrorBodyReadIsLimitedTo64KiB(t *testing.T) {
	t.Parallel()
	var read int64
	c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		resp := wiretest.Reply(400, "")
		resp.Body, resp.ContentLength = counting{n: &read}, -1
		return resp, nil
	}))
	_, err := c.Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.LessOrEqual(t, read, int64(64<<10))
}

func TestAttemptContextEndsWithErrorOrBodyClose(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }, wiretest.Answer(200, whoami)}}
	resp, err := clientOf(t, s, quick).Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/whoami"})
	require.NoError(t, err)
	require.Equal(t, 2, s.Count())
	require.Error(t, s.Sent[0].Context().Err(), "the timer of a failed attempt is stopped")
	require.NoError(t, s.Sent[1].Context().Err())
	require.NoError(t, resp.Body.Close())
	require.Error(t, s.Sent[1].Context().Err())
}
