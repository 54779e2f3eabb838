package threatconnecttest

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A long body or one of unknown length is recorded only if the credentials are correct. A short body
// of known length is always recorded.
func TestLongBodiesAreRecordedIfAuthenticated(t *testing.T) {
	t.Parallel()
	r := newRig(t, Allow(LapseUnverified))
	short, long := strings.Repeat("x", longBody), strings.Repeat("x", longBody+1)
	for _, chunked := range []bool{false, true} {
		for _, body := range []string{short, long} {
			for _, signed := range []bool{false, true} {
				req := r.request("POST", "/v2/tags", body)
				if !signed {
					req.Header.Del("Authorization")
				}
				if chunked {
					req.ContentLength = -1
				}
				r.srv.ResetRequests()
				resp, err := r.srv.RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, map[bool]int{false: 401, true: 400}[signed], resp.StatusCode)
				require.NoError(t, resp.Body.Close())
				e := r.srv.Requests()[0]
				assert.EqualValues(t, len(body), e.BodySize)
				if signed || body == short && !chunked {
					assert.Equal(t, sha256.Sum256([]byte(body)), e.BodySHA256)
					assert.Len(t, e.Body, defaultRecorded)
				} else {
					assert.Zero(t, e.BodySHA256)
					assert.Empty(t, e.Body)
				}
			}
		}
	}
}

// whileRead calls a function whenever the body is read.
type whileRead struct {
	io.Reader
	call func()
}

func (w *whileRead) Read(p []byte) (int, error) {
	w.call()
	return w.Reader.Read(p)
}

// A request whose body was discarded is refused, even if its credentials have become valid since.
func TestRequestWithDiscardedBodyIsRejected(t *testing.T) {
	t.Parallel()
	r := newRig(t, Allow(LapseUnverified))
	r.srv.SetClockOffset(time.Hour)
	req := r.request("POST", "/v2/tags", "{}")
	req.ContentLength = -1
	req.Body = io.NopCloser(&whileRead{strings.NewReader(`{"name":"x"}`), func() { r.srv.SetClockOffset(0) }})
	resp, err := r.srv.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, 401, resp.StatusCode)
	assert.False(t, r.srv.Requests()[0].Verified)
}

// A handler that wraps the server can limit bodies.
func TestMaxBytesReaderReturns413(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v2/tags", strings.NewReader(`{"name":"x"}`))
	w := httptest.NewRecorder()
	req.Body = http.MaxBytesReader(w, req.Body, 5)
	r.srv.ServeHTTP(w, req)
	assert.Equal(t, 413, w.Code)
}
