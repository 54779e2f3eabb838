package threatconnecttest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// counted is a body of size bytes that counts the bytes read.
type counted struct{ size, read int }

func (c *counted) Read(p []byte) (int, error) {
	if c.read == c.size {
		return 0, io.EOF
	}
	n := min(len(p), c.size-c.read)
	c.read += n
	return n, nil
}

// overNarrowPort is overPort with small kernel buffers. Otherwise the buffers may contain tens of
// megabytes that the client has sent and the server has not read.
func (r rig) overNarrowPort() (base string, client *http.Client) {
	const size = 64 << 10
	port := httptest.NewUnstartedServer(r.srv)
	port.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		assert.NoError(r, conn.(*net.TCPConn).SetReadBuffer(size))
		return ctx
	}
	port.Start()
	r.Cleanup(port.Close)
	return port.URL + basePath, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				err = conn.(*net.TCPConn).SetWriteBuffer(size)
			}
			return conn, err
		},
	}}
}

func TestUploadFaultsLimitBodyRead(t *testing.T) {
	t.Parallel()
	size := scaletest.N(64 << 20) // several times as large as all buffers
	for _, tc := range []struct {
		name         string
		fault        Fault
		length       int64
		least, most  int // bytes that the client sent
		mostOverPort int
	}{
		{name: "nothing before an early status", fault: Fault{Kind: FaultEarlyStatus}, length: int64(size), mostOverPort: size / 2},
		{name: "half before a reset", fault: Fault{Kind: FaultCutUpload}, length: int64(size), least: size / 2, most: size / 2, mostOverPort: size - 1},
		{
			name:         "a little of an unknown length before a reset",
			fault:        Fault{Kind: FaultCutUpload},
			length:       -1,
			least:        halfUnknown,
			most:         halfUnknown,
			mostOverPort: size / 2,
		},
		{
			name:         "everything when it is slow",
			fault:        Fault{Kind: FaultSlowUpload, Delay: time.Millisecond},
			length:       int64(size),
			least:        size,
			most:         size,
			mostOverPort: size,
		},
	} {
		for _, way := range []string{"in process", "over a port"} {
			t.Run(tc.name+" "+way, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				base, client := r.srv.BaseURL(), &http.Client{Transport: r.srv}
				if way == "over a port" {
					base, client = r.overNarrowPort()
				}
				r.inject(tc.fault)
				body := &counted{size: size}
				req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/v2/groups/threats", body)
				require.NoError(t, err)
				req.ContentLength = tc.length
				r.sign(req)
				_, _, _ = try(client, req) // a status or an error, depending on the kernel
				assert.Equal(t, map[FaultKind]int{tc.fault.Kind: 1}, r.srv.FaultCounts())
				if way == "in process" {
					assert.Equal(t, tc.most, body.read)
					assert.EqualValues(t, tc.most, r.srv.Requests()[0].BodySize)
				}
				assert.GreaterOrEqual(t, body.read, tc.least)
				assert.LessOrEqual(t, body.read, tc.mostOverPort)
			})
		}
	}
}

// A slow upload ends with the client's context and is not processed.
func TestCanceledSlowUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.inject(Fault{Kind: FaultSlowUpload, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, _, err := r.try(r.request("POST", "/v2/groups/threats", `{"name":"x"}`).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Empty(t, r.srv.Groups("Example Organization"))
	})
}
