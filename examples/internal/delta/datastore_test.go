package delta

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func inDataStore(t *testing.T) (*threatconnecttest.Server, Store) {
	t.Helper()
	srv := threatconnecttest.New()
	s, err := Open(srv.ClientAs(threatconnect.Token(srv.Token()), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})), "datastore:local/feed/state")
	require.NoError(t, err)
	s.(*dataStore).size = smallChunk
	return srv, s
}

const smallChunk = 4 << 10

func hosts(from, to int) (all []threatconnect.BatchItem) {
	for n := from; n < to; n++ {
		all = append(all, host(n, 1))
	}
	return all
}

func TestTheStateCanLiveInTheDataStore(t *testing.T) {
	t.Parallel()
	srv, s := inDataStore(t)
	const many = 2*smallChunk/recordBytes + 100
	items := append(hosts(0, many), group("x-1"))
	assert.Len(t, run(t, s, items...), many+1)
	assert.Len(t, srv.DataStore("local", "feed"), 4, "three chunks and what makes them a state")
	assert.Empty(t, run(t, s, items...))
	r := start(t, s, false)
	groups, err := r.Groups()
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"x-1": true}, groups)
	r.Close()
	assert.Equal(t, []int{1}, run(t, s, host(0, 1), host(0, 2)))
	assert.Len(t, srv.DataStore("local", "feed"), 2, "chunks that are not needed any more are gone")
}

func TestATornStateInTheDataStoreIsSeen(t *testing.T) {
	t.Parallel()
	srv, s := inDataStore(t)
	const many = 3 * smallChunk / recordBytes
	run(t, s, hosts(0, many)...)

	r := start(t, s, false) // killed
	require.NoError(t, r.Begin(t.Context()))
	assert.Equal(t, errRunning.Error(), start(t, s, false).Why())
	run(t, s, hosts(0, many)...)

	r = start(t, s, false) // cut off while it is saved
	require.NoError(t, r.Begin(t.Context()))
	feed(r, hosts(5, many)...)
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: "/v2/exchange/db/{domain}/{dataType}/{rid}", Skip: 2, Times: -1})
	require.ErrorContains(t, r.Save(t.Context(), true, true), "cannot be written")
	srv.ClearFaults()
	assert.Equal(t, errRunning.Error(), start(t, s, false).Why())
	run(t, s, hosts(0, many)...)

	client := srv.ClientAs(threatconnect.Token(srv.Token()))
	put := func(id, record string) {
		t.Helper()
		_, err := client.DataStore.Do(t.Context(), threatconnect.DataStoreRequest{Method: http.MethodPut, Domain: "local", Type: "feed", ID: id, Body: []byte(record)})
		require.NoError(t, err)
	}
	was := srv.DataStore("local", "feed")
	put("state.1", was["state.0"])
	assert.Equal(t, errCorrupt.Error(), start(t, s, false).Why(), "a chunk of another state")
	put("state.1", was["state.1"])
	assert.Empty(t, start(t, s, false).Why())
	_, err := client.DataStore.Do(t.Context(), threatconnect.DataStoreRequest{Method: http.MethodDelete, Domain: "local", Type: "feed", ID: "state.2"})
	require.NoError(t, err)
	assert.Equal(t, errCorrupt.Error(), start(t, s, false).Why(), "a chunk is gone")

	put("state", `{"cursor":"2026-01-01"}`)
	_, err = Start(t.Context(), s, about, false, "")
	require.ErrorContains(t, err, "not a state of this command")
	_, err = Start(t.Context(), s, about, true, "")
	require.Error(t, err, "nor is it replaced when everything is sent")
}

func TestAnOutageOfTheDataStoreIsNoLostState(t *testing.T) {
	t.Parallel()
	srv, s := inDataStore(t)
	run(t, s, host(0, 1))
	for n := range 2 { // of what there is, and of the chunk
		srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: "/v2/exchange/db/{domain}/{dataType}/{rid}", Skip: n, Times: -1})
		_, err := Start(t.Context(), s, about, false, "")
		require.ErrorContains(t, err, "cannot be read")
		srv.ClearFaults()
	}
	assert.Empty(t, run(t, s, host(0, 1)))
}

func TestTheNewestRunOwnsTheStateInTheDataStore(t *testing.T) {
	t.Parallel()
	_, s := inDataStore(t)
	first, second := start(t, s, false), start(t, s, false)
	require.NoError(t, first.Begin(t.Context()))
	require.NoError(t, second.Begin(t.Context()))
	require.ErrorIs(t, first.Save(t.Context(), true, true), errTaken)
	require.NoError(t, second.Save(t.Context(), true, true))
}

func TestStoresAreNamedByFilesOrRecords(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	s, err := Open(srv.Client(), "some/file")
	require.NoError(t, err)
	assert.Equal(t, File("some/file"), s)
	_, err = Open(srv.Client(), "datastore:local/feed/state")
	require.ErrorContains(t, err, "token")
	for _, where := range []string{"datastore:", "datastore:local", "datastore:local/feed", "datastore:local//x", "datastore:local/feed/", "datastore:local/_x/y", "datastore:here/feed/state"} {
		_, err = Open(srv.ClientAs(threatconnect.Token(srv.Token())), where)
		require.Error(t, err, where)
	}
	w := &chunkWriter{to: &dataStore{size: smallChunk}, count: mostChunks}
	_, err = w.Write(make([]byte, smallChunk))
	require.ErrorContains(t, err, "too large")
}
