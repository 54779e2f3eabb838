package feeds

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const (
	smallChunk = 1 << 10
	recordPath = "/v2/exchange/db/{domain}/{dataType}/{rid}"
)

// inDataStore returns a server, and a store in its DataStore with small chunks and a client that does not retry.
func inDataStore(t *testing.T, opts ...threatconnecttest.Option) (*threatconnecttest.Server, Store) {
	t.Helper()
	srv := threatconnecttest.NewT(t, opts...)
	client := srv.ClientAs(threatconnect.Token(srv.Token()), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	s, err := NewDataStore(client, threatconnect.DataStoreLocal, "feed", "state")
	require.NoError(t, err)
	s.(*dataStore).size = smallChunk
	return srv, s
}

// put writes or deletes a record of the DataStore.
func put(t *testing.T, srv *threatconnecttest.Server, method, id, record string) {
	t.Helper()
	_, err := srv.ClientAs(threatconnect.Token(srv.Token())).DataStore.Do(t.Context(),
		threatconnect.DataStoreRequest{Method: method, Domain: "local", Type: "feed", ID: id, Body: []byte(record)})
	require.NoError(t, err)
}

func TestDataStoreState(t *testing.T) {
	t.Parallel()
	srv, store := inDataStore(t)
	const many = 2*smallChunk/recordBytes + 10
	items := append(hosts(0, many), group("x-1"))
	assert.Len(t, run(t, store, items...), many+1)
	assert.Len(t, srv.DataStore("local", "feed"), 4, "three chunks and the manifest")
	assert.Empty(t, run(t, store, items...))
	s := openState(t, store)
	assert.True(t, s.KnownGroup("x-1"))
	require.NoError(t, s.Close())
	assert.Equal(t, []int{1}, run(t, store, host(0, 1), host(0, 2)))
	assert.Len(t, srv.DataStore("local", "feed"), 2, "chunks that are no longer needed are gone")
}

func TestLargeStateIsReadFromDisk(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store Store) {
		if d, ok := store.(*dataStore); ok {
			d.size = 1 << 20
		}
		const n = 1000
		assert.EqualValues(t, n, importMany(t, store, n, 1, func() {}))
		s := openState(t, store)
		enlarge(t, s)
		s = openState(t, store)
		assert.IsNotType(t, inMemory(nil).ReaderAt, s.content.ReaderAt)
		require.NoError(t, s.Close())
		if _, ok := store.(*dataStore); ok {
			_, err := store.open(t.Context(), filepath.Join(t.TempDir(), "none"))
			require.ErrorContains(t, err, "cannot be read", "temporary files cannot be created")
		}
		assert.EqualValues(t, n/100, importMany(t, store, n, 2, func() {}))
	})
}

// enlarge adds other items to an open state until it is too large to be read into memory, and saves it.
func enlarge(t *testing.T, s *State) {
	t.Helper()
	require.NoError(t, s.store.replace(t.Context(), s.token, func(to io.Writer) error {
		w, err := newImageWriter(to, s.old.header)
		if err != nil {
			return err
		}
		const others = maxInMemory / recordBytes
		n := int64(0) // number of the next old record
		for other := range uint32(others) {
			var r record
			binary.BigEndian.PutUint32(r.item[:], other*(math.MaxUint32/others))
			if n, err = s.copyOld(w, n, &r.item); err != nil {
				return err
			}
			w.record(r)
		}
		if _, err = s.copyOld(w, n, nil); err != nil {
			return err
		}
		return w.end(to)
	}))
	s.done = true
	require.NoError(t, s.Close())
}

// A process that dies at any request leaves the old state or the new one. In both cases, the next run is correct.
func TestDataStoreCrashLeavesOldOrNewState(t *testing.T) {
	t.Parallel()
	const many = 3 * smallChunk / recordBytes
	for _, kind := range []threatconnecttest.FaultKind{threatconnecttest.FaultReset, threatconnecttest.FaultLostReply} {
		results := map[string]int{}
		for at := 0; ; at++ {
			srv, store := inDataStore(t, threatconnecttest.Allow(threatconnecttest.LapseUnusedFaults)) // the last faults are not reached
			s := openState(t, store)
			s.SetCursor(threatconnect.Cursor{Position: "old"})
			runWith(t, s, fate{}, hosts(0, many)...)

			s = nil
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: kind, Route: recordPath, Skip: at}, threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: recordPath, Skip: at + 1, Times: -1}))
			items := append(hosts(many/2, many), host(0, 2))
			o := options
			o.Run = "today"
			if opened, err := OpenState(t.Context(), store, o); err == nil {
				s = opened
				s.SetCursor(threatconnect.Cursor{Position: "new"})
				_, stats, err := imports(s, fate{}, items...)
				_ = s.Save(t.Context(), stats, err)
				_ = s.Close()
			}
			struck := srv.FaultCounts()[kind] > 0
			srv.ClearFaults()
			content, err := store.open(t.Context(), "")
			require.NoError(t, err)
			i, err := openImage(content, content.size)
			require.NoError(t, err)
			results[fmt.Sprintf("%s with %d items", i.header.Cursor.Position, i.count)]++

			next := openState(t, store)
			if s == nil || i.header.Cursor.Position == "old" {
				runWith(t, next, fate{}, items...)
			} else {
				assert.Empty(t, runWith(t, next, fate{}, items...))
			}
			assert.Empty(t, run(t, store, items...))
			if !struck {
				break
			}
		}
		assert.Len(t, results, 2)
		assert.Positive(t, min(results[fmt.Sprintf("old with %d items", many)], results[fmt.Sprintf("new with %d items", many/2+1)]), "%v", results)
	}
}

func TestDataStoreDetectsDamagedState(t *testing.T) {
	t.Parallel()
	srv, store := inDataStore(t)
	const many = 3 * smallChunk / recordBytes
	run(t, store, hosts(0, many)...)
	reason := func() string {
		s := openState(t, store)
		require.NoError(t, s.Close())
		return s.Reason()
	}
	require.Empty(t, reason())
	was := srv.DataStore("local", "feed")
	require.Contains(t, was, "state.1.1")
	put(t, srv, http.MethodPut, "state.1.1", was["state.1.0"])
	assert.Equal(t, errDamaged.Error(), reason(), "a chunk of another state")
	put(t, srv, http.MethodPut, "state.1.1", was["state.1.1"])
	assert.Empty(t, reason())
	put(t, srv, http.MethodDelete, "state.1.2", "")
	assert.Equal(t, errDamaged.Error(), reason(), "a chunk is gone")
	run(t, store, hosts(0, many)...)
	assert.Empty(t, reason())

	for _, record := range []string{`{"cursor":"2026-01-01"}`, `{}`, strings.Replace(was["state"], `"chunks":4`, `"chunks":-1`, 1), strings.Replace(was["state"], `"generation":1`, `"generation":2`, 1)} {
		put(t, srv, http.MethodPut, "state", record)
		for _, full := range []bool{false, true} {
			o := options
			o.Full = full
			_, err := OpenState(t.Context(), store, o)
			require.ErrorContains(t, err, "is not a state: name another record", record)
		}
		assert.JSONEq(t, record, srv.DataStore("local", "feed")["state"])
	}
}

// A state in the DataStore that others have changed cannot fill the disk: its size is checked before anything is
// written, and each chunk must have the size that follows from it.
func TestThreatDataStoreStateIsBounded(t *testing.T) {
	t.Parallel()
	srv, store := inDataStore(t)
	run(t, store, hosts(0, 3*smallChunk/recordBytes)...)
	was := srv.DataStore("local", "feed")
	var m manifest
	require.NoError(t, json.Unmarshal([]byte(was["state"]), &m))
	require.Equal(t, 4, m.Chunks)
	last := m.Size - 3*smallChunk
	open := func(m manifest, id string, size int64) error {
		t.Helper()
		for name, value := range map[string]any{"state": m, id: chunk{make([]byte, size)}} {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			put(t, srv, http.MethodPut, name, string(text))
		}
		dir := t.TempDir()
		content, err := store.open(t.Context(), dir)
		if err == nil {
			assert.Equal(t, m.Size, content.size)
			content.close()
		}
		requireEmpty(t, dir)
		put(t, srv, http.MethodPut, id, was[id])
		return err
	}
	require.NoError(t, open(m, "state.1.0", smallChunk))
	require.NoError(t, open(m, "state.1.3", last))
	for id, sizes := range map[string][]int64{"state.1.0": {0, smallChunk - 1, smallChunk + 1, 1 << 20}, "state.1.3": {0, last - 1, last + 1, smallChunk}} {
		for _, size := range sizes {
			require.ErrorIs(t, open(m, id, size), errDamaged, "%s of %d bytes", id, size)
		}
	}
	for _, bad := range []struct {
		chunks int
		size   int64
	}{{4, 0}, {4, 3 * smallChunk}, {4, 4*smallChunk + 1}, {4, -1}, {4, math.MaxInt64}, {0, 1}, {maxChunks + 1, (maxChunks + 1) * smallChunk}} {
		m.Chunks, m.Size = bad.chunks, bad.size
		require.ErrorContains(t, open(m, "state.1.0", smallChunk), "is not a state: name another record", "%+v", bad)
	}
}

func TestDataStoreOutageKeepsState(t *testing.T) {
	t.Parallel()
	srv, store := inDataStore(t)
	run(t, store, host(0, 1))
	for n := range 4 { // the manifest, the mark, the manifest again, the chunk
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: recordPath, Skip: n}))
		_, err := OpenState(t.Context(), store, options)
		require.ErrorContains(t, err, "feeds: the state cannot be")
		srv.ClearFaults()
	}
	assert.Empty(t, run(t, store, host(0, 1)))
}

func TestConcurrentDataStoreRunFails(t *testing.T) {
	t.Parallel()
	_, store := inDataStore(t)
	first, second := openState(t, store), openState(t, store)
	_, stats, _ := imports(first, fate{}, host(0, 1))
	require.ErrorIs(t, first.Save(t.Context(), stats, nil), ErrConcurrentRun)
	runWith(t, second, fate{}, host(0, 1))
	assert.NotEmpty(t, openState(t, store).Reason())
}

func TestDataStoreValidatesArguments(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	_, err := NewDataStore(srv.Client(), threatconnect.DataStoreLocal, "feed", "state")
	require.ErrorContains(t, err, "token")
	token := srv.ClientAs(threatconnect.Token(srv.Token()))
	for _, place := range [][3]string{{"", "feed", "x"}, {"here", "feed", "x"}, {"local", "", "x"}, {"local", "_x", "x"}, {"local", "feed", ""}, {"local", "feed", "_x"}} {
		store, err := NewDataStore(token, threatconnect.DataStoreDomain(place[0]), place[1], place[2])
		if err == nil {
			_, err = OpenState(t.Context(), store, options)
		}
		require.ErrorIs(t, err, threatconnect.ErrValidation, place)
	}
	w := &chunkWriter{to: &dataStore{size: smallChunk}, count: maxChunks}
	_, err = w.Write(make([]byte, smallChunk+1))
	require.ErrorContains(t, err, "too large")
}
