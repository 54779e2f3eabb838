package threatconnecttest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithRecordedBodies(5))
	r.must(201, "POST", "/v2/indicators/hosts?owner=Example%20Source", `{"hostName":"www.example.com"}`)
	r.get("/v2/nowhere")
	bad := r.request("GET", "/v2/owners", "")
	bad.Header.Set("Authorization", "TC x:y")
	r.send(bad)

	got := r.srv.Requests()
	require.Len(t, got, 3)
	assert.Equal(t, int64(1), got[0].ID)
	assert.Equal(t, "/api/v2/indicators/hosts", got[0].Path)
	assert.Equal(t, "owner=Example%20Source", got[0].Query)
	assert.Equal(t, "/v2/indicators/{type}", got[0].Route)
	assert.Equal(t, int64(30), got[0].BodySize)
	assert.Equal(t, sha256.Sum256([]byte(`{"hostName":"www.example.com"}`)), got[0].BodySHA256)
	assert.Equal(t, `{"hos`, string(got[0].Body))
	assert.Equal(t, `{"sta`, string(got[0].ResponseBody))
	assert.Greater(t, got[0].ResponseSize, int64(100))
	assert.Equal(t, 201, got[0].Status)
	assert.True(t, got[0].Verified)
	assert.Positive(t, got[0].Duration)
	assert.Empty(t, got[1].Route)
	assert.Equal(t, 401, got[2].Status)
	assert.False(t, got[2].Verified)
}

func TestPlainHTTPRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := r.request("GET", "/v2/owners", "")
	req.URL.Scheme = "http"
	got := r.send(req)
	assert.Equal(t, 403, got.status)
	assert.NotEmpty(t, got.header.Get("Date"))
	logged := r.srv.Requests()
	require.Len(t, logged, 1)
	assert.Equal(t, 403, logged[0].Status)
	assert.Equal(t, "/v2/owners", logged[0].Route)
}

func TestRecordedBodiesAreTruncatedByDefault(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do("POST", "/v2/groups/threats", strings.Repeat(" ", 3000))
	r.get("/v2/types/attributeTypes")
	got := r.srv.Requests()
	assert.Len(t, got[0].Body, 1024)
	assert.EqualValues(t, 3000, got[0].BodySize)
	assert.Len(t, got[1].ResponseBody, 1024)
	assert.Greater(t, got[1].ResponseSize, int64(1024))
}

func TestRequestLogKeepsNewest(t *testing.T) {
	t.Parallel()
	ids := func(all []Request) (ids []int64) {
		for _, q := range all {
			ids = append(ids, q.ID)
		}
		return ids
	}
	r := newRig(t, WithRequestLog(3))
	for n, want := range [][]int64{{1}, {1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {4, 5, 6}, {5, 6, 7}} {
		r.get("/v2/owners")
		assert.Equal(t, want, ids(r.srv.Requests()), n)
	}
	assert.Equal(t, []int64{7}, ids(r.srv.RequestsAfter(6)))
	assert.Equal(t, []int64{5, 6, 7}, ids(r.srv.RequestsAfter(2)), "remaining requests")
	assert.Empty(t, r.srv.RequestsAfter(7))
	assert.Empty(t, r.srv.RequestsAfter(99))
	r.srv.ResetRequests()
	assert.Empty(t, r.srv.Requests())
	for n, want := range [][]int64{{8}, {8, 9}, {8, 9, 10}, {9, 10, 11}} {
		r.get("/v2/owners")
		assert.Equal(t, want, ids(r.srv.Requests()), n)
	}
	none := newRig(t, WithRequestLog(0))
	none.get("/v2/owners")
	assert.Empty(t, none.srv.Requests())
}

func TestRecordedRequestsAreCopies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(201, "POST", "/v2/groups/threats", `{"name":"x"}`)
	want := r.srv.Requests()
	got := r.srv.Requests()[0]
	got.Header.Set("Timestamp", "changed")
	got.Body[0], got.ResponseBody[0] = 'X', 'X'
	assert.Equal(t, want, r.srv.Requests())
}

func TestRequestDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.inject(Fault{Kind: FaultDelay, Delay: 3 * time.Second})
		r.get("/v2/owners")
		r.get("/v2/owners")
		got := r.srv.Requests()
		assert.Equal(t, 3*time.Second, got[0].Duration)
		assert.Zero(t, got[1].Duration)
	})
}

// The recorded response is the response of the fault. Status is that of the server's own response.
func TestFaultResponsesAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inject(
		Fault{Kind: FaultLateStatus, Status: 502, Body: "bad gateway"}, Fault{Kind: FaultStatus, Body: "away"},
		Fault{Kind: FaultTruncate}, Fault{Kind: FaultLostReply})
	var full int64
	for range 4 {
		_, _, _ = r.try(r.request("GET", "/v2/owners", ""))
	}
	r.get("/v2/owners")
	got := r.srv.Requests()
	full = got[4].ResponseSize
	assert.Equal(t, "bad gateway", string(got[0].ResponseBody))
	assert.Equal(t, http.StatusOK, got[0].Status)
	assert.Equal(t, "away", string(got[1].ResponseBody))
	assert.Zero(t, got[1].Status)
	assert.Equal(t, full*2/3, got[2].ResponseSize)
	assert.Zero(t, got[3].ResponseSize)
	assert.Equal(t, http.StatusOK, got[3].Status)
	var sent []int
	for _, r := range got {
		sent = append(sent, r.ResponseStatus)
	}
	assert.Equal(t, []int{502, 503, 200, 0, 200}, sent)
}

// Requests that the client cancels or cuts off are recorded, too.
func TestRequestsThatEndEarlyAreRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.inject(Fault{Kind: FaultDelay, Delay: time.Hour})
		mine := errors.New("mine")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, mine)
		defer cancel()
		_, _, err := r.try(r.request("POST", "/v2/groups/threats?x=y", `{"name":"x"}`).WithContext(ctx))
		require.ErrorIs(t, err, mine)
		broken := r.request("POST", "/v2/groups/threats", "")
		broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrClosedPipe)))
		_, _, err = r.try(broken)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		got := r.srv.Requests()
		require.Len(t, got, 2)
		assert.Equal(t, Request{
			ID: 1, Method: "POST", Path: "/api/v2/groups/threats", Query: "x=y", Route: "/v2/groups/{type}", Header: got[0].Header,
			BodySize: 12, BodySHA256: sha256.Sum256([]byte(`{"name":"x"}`)), Body: []byte(`{"name":"x"}`),
			Fault: FaultDelay, Time: got[0].Time, Duration: time.Minute,
		}, got[0])
		assert.Equal(t, "half", string(got[1].Body))
		assert.Empty(t, r.srv.Groups("Example Organization"))
		_, _, err = r.try(r.request("GET", "/v2/owners", "").WithContext(ctx))
		require.ErrorIs(t, err, mine)
		assert.Len(t, r.srv.Requests(), 2, "the request must not be sent")
	})
}

// The log of a public server stays small, whatever the requests.
func TestRecordedHeadsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("x", 64<<10)
	req := r.request("GET", "/v2/owners/"+long+"?"+long, "")
	req.Header.Set("X-Long", long)
	req.Header.Set("X-Short", "y")
	for range 10_000 {
		req.Header.Add("X-Many", "z")
	}
	require.Equal(t, 404, r.send(req).status)
	got := r.srv.Requests()[0]
	assert.Len(t, got.Path, 32<<10)
	assert.Len(t, got.Query, 32<<10)
	assert.Equal(t, req.Header.Get("Authorization"), got.Header.Get("Authorization"))
	assert.NotContains(t, got.Header, "X-Long")
	assert.Less(t, len(got.Header["X-Many"]), 32<<10/len("X-Many"))

	unsigned := r.request("GET", "/v2/owners/"+long, "")
	unsigned.URL.RawQuery = "x=y"
	require.Equal(t, 401, r.send(unsigned).status)
	refused := r.srv.Requests()[1].Refusal
	assert.Len(t, refused.StringToSign, 32<<10)
	assert.Len(t, refused.Signed, 32<<10)

	exact := r.request("GET", "/v2/owners", "")
	exact.Header.Set("X-Long", long[:30<<10])
	r.send(exact)
	assert.Equal(t, exact.Header, r.srv.Requests()[2].Header)
}
