package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Request bodies cannot exhaust memory, however long they are or claim to be, with and without the credentials.
func TestThreatSandboxBodiesAreBounded(t *testing.T) { // not parallel: it measures allocations
	for name, tc := range map[string]struct {
		sent, announced int64
		signed          bool
		status          int
		read            int64
	}{
		"unsigned":               {100 << 20, 100 << 20, false, 401, 100 << 20},
		"unsigned, in chunks":    {100 << 20, -1, false, 401, 100 << 20},
		"unsigned, without end":  {600 << 20, -1, false, 413, largestUpload + 1},
		"unsigned, too large":    {600 << 20, 600 << 20, false, 413, 0},
		"signed, too large":      {600 << 20, 600 << 20, true, 413, 0},
		"signed, announced only": {100, largestUpload, true, 0, 100},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, options{})
			const target = "/api/v2/batch/1"
			body := &countedBody{from: io.LimitReader(spaces{}, tc.sent)}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
			r.ContentLength = tc.announced
			if tc.signed {
				sign(r, d.srv, target)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := httptest.NewRecorder()
			if tc.status == 0 {
				assert.PanicsWithValue(t, http.ErrAbortHandler, func() { d.ServeHTTP(w, r) }, "the connection is reset")
			} else {
				d.ServeHTTP(w, r)
				assert.Equal(t, tc.status, w.Code, w.Body)
			}
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20)) // the race detector doubles the allocations
			assert.InDelta(t, tc.read, body.read, 64<<10)
		})
	}
}

type countedBody struct {
	from io.Reader
	read int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.read += int64(n)
	return n, err
}

// pipes is a listener for in-process connections.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A body that stops arriving ends the connection. A slow body does not, and neither does a slow response, with or
// without a request body.
func TestSilentBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, options{})
		d.call("POST", "faults", `{"kind":"delay","delay":"10m","times":-1}`)
		l := make(pipes)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- serve(ctx, l, d.Handler) }()
		send := func(length, pieces int) (time.Duration, *http.Response) {
			client, server := net.Pipe()
			defer client.Close()
			l <- server
			go func() {
				_, _ = fmt.Fprintf(client, "POST /api/v2/batch/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", length)
				for range pieces {
					time.Sleep(silentBody - time.Second)
					_, _ = io.WriteString(client, "x")
				}
			}()
			start := time.Now()
			resp, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil {
				return time.Since(start), nil
			}
			return time.Since(start), resp
		}
		took, resp := send(10, 3)
		assert.Nil(t, resp)
		assert.Equal(t, 3*(silentBody-time.Second)+silentBody, took)
		for _, length := range []int{10, 0} {
			took, resp = send(length, length)
			require.NotNil(t, resp, length)
			assert.Equal(t, 401, resp.StatusCode)
			assert.Equal(t, time.Duration(length)*(silentBody-time.Second)+10*time.Minute, took)
			require.NoError(t, resp.Body.Close())
		}
		stop()
		close(l)
		<-ended
	})
}
