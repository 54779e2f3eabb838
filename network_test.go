package threatconnect_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// rawServer passes each connection to serve, which may violate HTTP, and counts the connections. A
// connection is closed when serve returns, or at the latest when the test ends.
func rawServer(t *testing.T, serve func(*net.TCPConn)) (base string, conns *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conns = new(atomic.Int32)
	var serving sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			serving.Go(func() {
				serve(conn.(*net.TCPConn))
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return "http://" + l.Addr().String() + "/api", conns
}

// takeRequest reads a request, including its body, from a connection.
func takeRequest(conn net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err == nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
}

// reset closes a connection with a TCP reset.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// soon returns a context with a deadline, so that a broken response cannot block the test.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// checkShown checks that an error message is one short line of printable characters.
func checkShown(t *testing.T, err error) {
	t.Helper()
	assert.Less(t, len(err.Error()), 700)
	for _, r := range err.Error() {
		assert.True(t, unicode.IsPrint(r), "%q in %q", r, err)
	}
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	all := []string{"GET", "PUT", "DELETE", "POST that may repeat"}
	withoutDelete := []string{"GET", "PUT", "POST that may repeat"}
	for name, tc := range map[string]struct {
		serve func(*net.TCPConn)
		again []string // calls that are retried
	}{
		"reset before the headers":  {func(conn *net.TCPConn) { takeRequest(conn); reset(conn) }, all},
		"closed before the headers": {takeTCP, all},
		"reset within the headers": {func(conn *net.TCPConn) {
			takeRequest(conn)
			_, _ = io.WriteString(conn, head[:30])
			reset(conn)
		}, all},
		"reset within the body": {func(conn *net.TCPConn) {
			takeRequest(conn)
			_, _ = io.WriteString(conn, head+whoami[:40])
			time.Sleep(20 * time.Millisecond) // let the written bytes arrive
			reset(conn)
		}, withoutDelete},
		"closed within the body": {func(conn *net.TCPConn) { takeRequest(conn); _, _ = io.WriteString(conn, head+whoami) }, withoutDelete},
	} {
		for method, call := range calls {
			t.Run(name+" to "+method, func(t *testing.T) {
				t.Parallel()
				base, conns := rawServer(t, tc.serve)
				err := call(soon(t), newClient(t, base))
				var r *threatconnect.RequestError
				require.ErrorAs(t, err, &r)
				want := 1
				if slices.Contains(tc.again, method) {
					want = 3
				}
				assert.Equal(t, want, r.Attempts, "%v", err)
				assert.EqualValues(t, want, conns.Load())
				assert.NotContains(t, err.Error(), "www.example.com")
				checkShown(t, err)
			})
		}
	}
}

func takeTCP(conn *net.TCPConn) { takeRequest(conn) }

func TestConnectionResetAfterUpload(t *testing.T) {
	t.Parallel()
	content := threatconnect.BytesContent(bytes.Repeat([]byte("x"), 1<<20))
	const document = 7
	for name, tc := range map[string]struct {
		call func(context.Context, *threatconnect.Client) error
		want int32
	}{
		"the file of a job, which is not retried": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Batch.Upload(ctx, 7, bytes.NewReader(make([]byte, 1<<20)))
			return err
		}, 1},
		"a document, which is retried": {func(ctx context.Context, c *threatconnect.Client) error {
			return c.Groups.Documents.Upload(ctx, document, content, nil)
		}, 3},
		"a document that can be read once": {func(ctx context.Context, c *threatconnect.Client) error {
			return c.Groups.Documents.Upload(ctx, document, threatconnect.ReaderContent(io.LimitReader(endless{}, 1<<20), 1<<20), nil)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := rawServer(t, func(conn *net.TCPConn) { takeRequest(conn); reset(conn) })
			require.Error(t, tc.call(soon(t), newClient(t, base)))
			assert.Equal(t, tc.want, conns.Load())
		})
	}
}

func TestServerNotReadingUpload(t *testing.T) {
	t.Parallel()
	const document = 7
	const size = 64 << 20 // more than the buffers on the way can hold
	for name, content := range map[string]threatconnect.Content{
		"that can be read again": {Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(endless{}, size)), nil }, Size: size},
		"that can be read once":  threatconnect.ReaderContent(io.LimitReader(endless{}, size), size),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := rawServer(t, func(conn *net.TCPConn) {
				_, _ = http.ReadRequest(bufio.NewReader(conn)) // but not its body
				<-t.Context().Done()
			})
			began := time.Now()
			err := newClient(t, base, threatconnect.WithStallTimeout(50*time.Millisecond)).Groups.Documents.Upload(soon(t), document, content, nil)
			require.ErrorContains(t, err, "no byte moved within the stall timeout")
			assert.Less(t, time.Since(began), 10*time.Second)
			want := int32(3)
			if content.OneShot {
				want = 1
			}
			assert.Equal(t, want, conns.Load())
		})
	}
	t.Run("and says that it is too large", func(t *testing.T) {
		t.Parallel()
		base, conns := rawServer(t, func(conn *net.TCPConn) {
			r := bufio.NewReader(conn)
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_, _ = io.Copy(io.Discard, r)
		})
		err := newClient(t, base).Groups.Documents.Upload(soon(t), document, threatconnect.ReaderContent(io.LimitReader(endless{}, size), size), nil)
		require.ErrorIs(t, err, threatconnect.ErrRequestTooLarge)
		assert.EqualValues(t, 1, conns.Load())
	})
}

func TestEndlessResponses(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
	// write sends first, and then again repeatedly until the connection is closed.
	write := func(conn net.Conn, first, again string, every time.Duration) {
		takeRequest(conn)
		_, err := io.WriteString(conn, first)
		for err == nil {
			if every > 0 {
				time.Sleep(every)
			}
			_, err = io.WriteString(conn, again)
		}
	}
	many := strings.Repeat(" ", 64<<10)
	stalled := threatconnect.WithStallTimeout(50 * time.Millisecond)
	for name, tc := range map[string]struct {
		serve func(*net.TCPConn)
		opts  []threatconnect.Option
		limit time.Duration // of the context; 0 for none
		check func(*testing.T, error)
	}{
		"a body without end": {func(conn *net.TCPConn) { write(conn, head, many, 0) }, nil, 0, func(t *testing.T, err error) {
			require.ErrorIs(t, err, threatconnect.ErrResponseTooLarge)
		}},
		"a refusal without end": {func(conn *net.TCPConn) { write(conn, strings.Replace(head, "200 OK", "403 Forbidden", 1), many, 0) }, nil, 0, func(t *testing.T, err error) {
			require.ErrorIs(t, err, threatconnect.ErrForbidden)
		}},
		"a chunked body without end": {func(conn *net.TCPConn) {
			write(conn, strings.Replace(head, "Connection: close", "Transfer-Encoding: chunked", 1), "10000\r\n"+many+"\r\n", 0)
		}, nil, 0, func(t *testing.T, err error) { require.ErrorIs(t, err, threatconnect.ErrResponseTooLarge) }},
		"a byte now and then": {func(conn *net.TCPConn) { write(conn, head, " ", 10*time.Millisecond) }, nil, 100 * time.Millisecond, func(t *testing.T, err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, threatconnect.ErrBadResponse)
		}},
		"headers that come a byte at a time": {func(conn *net.TCPConn) { write(conn, "HTTP/1.1 200 OK\r\nX-Slow: ", "x", 10*time.Millisecond) }, []threatconnect.Option{stalled}, 0, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "no byte moved within the stall timeout of 50ms")
		}},
		"nothing": {func(conn *net.TCPConn) { write(conn, "", "", 10*time.Millisecond) }, []threatconnect.Option{stalled}, 0, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "no byte moved within the stall timeout of 50ms")
		}},
		"nothing after the headers": {func(conn *net.TCPConn) { write(conn, head+"{", "", 10*time.Millisecond) }, []threatconnect.Option{stalled}, 0, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "no byte moved within the stall timeout of 50ms")
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
		}},
		"informational answers without end": {func(conn *net.TCPConn) { write(conn, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0) }, nil, 0, func(t *testing.T, err error) {
			require.Error(t, err)
		}},
		"a header without end": {func(conn *net.TCPConn) { write(conn, "HTTP/1.1 200 OK\r\nX-Flood: ", many, 0) }, nil, 0, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "response headers exceeded")
		}},
		"headers without end": {func(conn *net.TCPConn) {
			write(conn, "HTTP/1.1 200 OK\r\n", "X-Flood: "+strings.Repeat("x", 1000)+"\r\n", 0)
		}, nil, 0, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "response headers exceeded")
		}},
		"trailers without end": {func(conn *net.TCPConn) {
			write(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Flood\r\n\r\n2\r\n{}\r\n0\r\n", "X-Flood: "+strings.Repeat("x", 1000)+"\r\n", 0)
		}, nil, 0, func(t *testing.T, err error) { require.ErrorIs(t, err, threatconnect.ErrBadResponse) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, _ := rawServer(t, tc.serve)
			ctx := t.Context()
			if tc.limit > 0 {
				limited, cancel := context.WithTimeout(ctx, tc.limit)
				defer cancel()
				ctx = limited
			}
			began := time.Now()
			_, err := newClient(t, base, append(tc.opts, threatconnect.WithMaxResponseBytes(4<<20))...).Owners.Whoami(ctx)
			tc.check(t, err)
			assert.Less(t, time.Since(began), 15*time.Second)
			checkShown(t, err)
		})
	}
}

func TestInvalidHTTPResponses(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(whoami))
	for name, tc := range map[string]struct {
		answer string
		fine   bool
	}{
		"an answer":                       {ok + length + whoami, true},
		"an answer in chunks":             {ok + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(whoami), whoami), true},
		"a length that is a word":         {ok + "Content-Length: many\r\n\r\n" + whoami, false},
		"a negative length":               {ok + "Content-Length: -5\r\n\r\n" + whoami, false},
		"two lengths":                     {ok + "Content-Length: 5\r\n" + length + whoami, false},
		"a length and chunks that lie":    {ok + "Transfer-Encoding: chunked\r\n" + length + whoami, false},
		"an unknown transfer encoding":    {ok + "Transfer-Encoding: gzip\r\n\r\n" + whoami, false},
		"a chunk larger than there is":    {ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + whoami, false},
		"a chunk of no size":              {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + whoami, false},
		"an encoding twice":               {ok + "Content-Encoding: gzip, gzip\r\n" + length + whoami, false},
		"deflate":                         {ok + "Content-Encoding: deflate\r\n" + length + whoami, false},
		"the identity encoding":           {ok + "Content-Encoding: identity\r\n" + length + whoami, true},
		"an encoding with a control char": {ok + "Content-Encoding: \x1b[31mgzip\r\n" + length + whoami, false},
		"words":                           {"please log in\r\n\r\n", false},
		"words in colour":                 {"\x1b[31mplease\x07 log in\u202e\r\n\r\n", false},
		"a page before HTTP":              {"<html>log in</html>", false},
		"a status that is a word":         {"HTTP/1.1 fine OK\r\n\r\n", false},
		"a status of 99":                  {"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n", false},
		"a status of 999":                 {"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", false},
		"another protocol":                {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + whoami, false},
		"a header without a colon":        {ok + "no colon here\r\n" + length + whoami, false},
		"a header with a NUL":             {ok + "X-A: a\x00b\r\n" + length + whoami, false},
		"SSH":                             {"SSH-2.0-OpenSSH_9.6\r\n", false},
		"nothing":                         {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, _ := rawServer(t, func(conn *net.TCPConn) {
				takeRequest(conn)
				_, _ = io.WriteString(conn, tc.answer)
			})
			u, err := newClient(t, base).Owners.Whoami(soon(t))
			if tc.fine {
				require.NoError(t, err)
				assert.Equal(t, "access", u.UserName)
				return
			}
			require.Error(t, err)
			require.NoError(t, t.Context().Err())
			checkShown(t, err)
		})
	}
}

// TestUnsolicitedResponseIsIgnored checks that an unsolicited second response is not taken for the
// response to the next request. Package net/http reports it to the standard logger, so the test is not
// parallel.
func TestUnsolicitedResponseIsIgnored(t *testing.T) {
	var said lockedBuffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&said)
	good := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whoami), whoami)
	bad := strings.Replace(good, `"access"`, `"h4cked"`, 1)
	base, _ := rawServer(t, func(conn *net.TCPConn) {
		r := bufio.NewReader(conn)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(conn, good+bad); err != nil {
				return
			}
		}
	})
	c := newClient(t, base)
	for n := range 20 {
		u, err := c.Owners.Whoami(soon(t))
		require.NoError(t, err)
		require.Equal(t, "access", u.UserName)
		// Until the connection is closed, the next request could use it and get the second response.
		require.Eventually(t, func() bool { return strings.Count(said.String(), "Unsolicited response") > n }, 5*time.Second, time.Millisecond)
	}
}

// lockedBuffer is a bytes.Buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestHeadersOfTenMegabytes(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, "localhost", time.Now().Add(time.Hour))
	flood := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 10 {
			w.Header().Set(fmt.Sprintf("X-Flood-%d", i), strings.Repeat("x", 1<<20))
		}
		_, _ = io.WriteString(w, whoami)
	})
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				asked.Add(1)
				assert.Equal(t, version, req.Proto)
				flood(w, req)
			}))
			srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
			srv.EnableHTTP2 = version == "HTTP/2.0"
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			srv.StartTLS()
			defer srv.Close()
			retry := quick
			if srv.EnableHTTP2 { // which looks like other protocol errors
				retry = threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
			}
			base := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
			_, err := newClient(t, base, retry, threatconnect.WithTLSConfig(&tls.Config{RootCAs: roots})).Owners.Whoami(soon(t))
			require.Error(t, err)
			checkShown(t, err)
			assert.EqualValues(t, 1, asked.Load(), "%v", err)
		})
	}
}

// nameServer returns a resolver whose name server answers each query with code.
func nameServer(t *testing.T, code byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 3 {
				buf[2] |= 0x80 // an answer
				buf[3] = 0x80 | code
				_, _ = conn.WriteTo(buf[:n], from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestDNSErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code  byte
		says  string
		times int
	}{
		"a name that does not exist": {3, "no such host", 1},
		"a name server that fails":   {2, "server misbehaving", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := &http.Transport{DialContext: (&net.Dialer{Resolver: nameServer(t, tc.code)}).DialContext}
			// Nothing was sent, so a POST is retried like a GET.
			err := calls["POST"](soon(t), newClient(t, "https://tc.invalid./api", threatconnect.WithTransport(tr)))
			var r *threatconnect.RequestError
			require.ErrorAs(t, err, &r)
			require.ErrorContains(t, err, tc.says)
			assert.Equal(t, tc.times, r.Attempts)
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
		})
	}
}

func TestIDNHostIsDialedAsPunycode(t *testing.T) {
	t.Parallel()
	var dialled string
	tr := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		dialled = addr
		return nil, context.Canceled
	}}
	_, err := newClient(t, "https://bücher.example/api", threatconnect.WithTransport(tr)).Owners.Whoami(t.Context())
	require.Error(t, err)
	assert.Equal(t, "xn--bcher-kva.example:443", dialled)
}
