package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// TestAThousandGoroutinesDoEverythingAtOnce shares one client, with a clock that is wrong at first, on
// a platform that fails now and then.
func TestAThousandGoroutinesDoEverythingAtOnce(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	srv.SetClockOffset(time.Hour)
	for n := range 30 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Owner: batchOwner, Summary: fmt.Sprintf("seed%d.example", n)}))
	}
	require.NoError(t, srv.Inject(threatconnecttest.FaultMix(1, 0.05, threatconnecttest.FaultReset, threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML)))
	client := srv.Client(threatconnect.WithOwner(batchOwner), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 12, BaseDelay: 1, MaxDelay: 1}))
	document := &threatconnecttest.GroupRecord{Type: "Document", Owner: batchOwner, Name: "Example", XID: "x", Fields: map[string]string{"fileName": "x.bin"}}
	require.NoError(t, srv.Seed(document))
	content := bytes.Repeat([]byte("x"), 10_000)
	require.NoError(t, client.Groups.Documents.Upload(t.Context(), document.ID, threatconnect.BytesContent(content), nil))
	all := client.Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{threatconnect.BySummary.StartsWith("seed")}, ListOptions: threatconnect.ListOptions{Limit: 7, Ahead: 2},
	})
	boom := errors.New("boom")
	calls := []func(n int) error{
		func(n int) error { // create, read, delete
			h := threatconnect.NewHost(fmt.Sprintf("own%d.example", n))
			if _, err := client.Indicators.Hosts.Create(t.Context(), h); err != nil && !errors.Is(err, threatconnect.ErrBadResponse) && !strings.Contains(err.Error(), "reset") {
				return err // a POST is not tried again
			}
			return nil
		},
		func(int) error {
			got, err := threatconnect.Collect(all)
			if err == nil && len(got) != 30 {
				err = fmt.Errorf("%d hosts", len(got))
			}
			return err
		},
		func(int) error { // left early
			for _, err := range all {
				return err
			}
			return boom
		},
		func(int) error { // panicked in
			defer func() { _ = recover() }()
			for range all {
				panic("mine")
			}
			return boom
		},
		func(int) error {
			_, err := client.Indicators.Hosts.Get(t.Context(), "nowhere.example", nil)
			if errors.Is(err, threatconnect.ErrNotFound) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := client.Owners.Whoami(ctx)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			_, err := client.Indicators.Hosts.Get(t.Context(), "not a host", nil)
			if errors.Is(err, threatconnect.ErrValidation) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			resp, err := client.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/owners"})
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.Body.Close()
		},
		func(int) error {
			var w bytes.Buffer
			if _, err := client.Groups.Documents.Download(t.Context(), document.ID, &w); err != nil && !errors.Is(err, threatconnect.ErrBadResponse) {
				return err // a download that broke off is not tried again
			}
			return nil
		},
		func(n int) error {
			return client.Tags.Add(t.Context(), threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: fmt.Sprintf("seed%d.example", n%30)}, "Phishing")
		},
	}
	var wg sync.WaitGroup
	for n := range 1000 {
		wg.Go(func() { assert.NoError(t, calls[n%len(calls)](n), "call %d", n%len(calls)) })
	}
	wg.Wait()
}

func TestAWriterIsSharedClosedAndUsedAfterItsEnd(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Concurrency = 10, 4
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	var added, late atomic.Int64
	var wg sync.WaitGroup
	for n := range 1000 {
		wg.Go(func() {
			switch err := w.Add(t.Context(), batchHost(n)); {
			case err == nil:
				added.Add(1)
			case assert.ErrorIs(t, err, threatconnect.ErrBatchClosed):
				late.Add(1)
			}
			_ = w.Stats()
			if n%100 == 99 {
				if err := w.Flush(t.Context()); err != nil {
					assert.ErrorIs(t, err, threatconnect.ErrBatchClosed)
				}
			}
		})
	}
	for range 10 {
		wg.Go(func() {
			time.Sleep(time.Millisecond)
			assert.NoError(t, w.Close(t.Context()))
		})
	}
	wg.Wait()
	require.NoError(t, w.Close(t.Context()))
	require.ErrorIs(t, w.Add(t.Context(), batchHost(0)), threatconnect.ErrBatchClosed)
	require.ErrorIs(t, w.Flush(t.Context()), threatconnect.ErrBatchClosed)
	assert.EqualValues(t, 1000, added.Load()+late.Load())
	s := w.Stats().Indicators
	assert.Equal(t, threatconnect.BatchCounts{Added: added.Load(), Succeeded: added.Load()}, s, "what Add took went in, and nothing else")
	assert.EqualValues(t, added.Load(), srv.Counts(batchOwner).Indicators)
}

// TestAStreamThatIsLeftClosesItsConnectionAndAListKeepsIt counts connections over a real server.
func TestAStreamThatIsLeftClosesItsConnectionAndAListKeepsIt(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	conns := map[string]bool{}
	ended := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		conns[req.RemoteAddr] = true
		mu.Unlock()
		if strings.Contains(req.URL.Path, "/bulk/") {
			_, _ = io.WriteString(w, `{"indicator":[`)
			for {
				if _, err := io.WriteString(w, strings.Repeat(`{"type":"Host","summary":"a.example"},`, 1000)); err != nil {
					ended <- struct{}{}
					return
				}
			}
		}
		_, _ = io.WriteString(w, `{"status":"Success","data":{"resultCount":500,"host":[{"id":1,"hostName":"a.example"},{"id":2,"hostName":"b.example"}]}}`)
	}))
	defer srv.Close()
	c := newClient(t, srv.URL+"/api")
	for range 10 {
		for _, err := range c.Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}) {
			require.NoError(t, err)
			break
		}
	}
	assert.Len(t, conns, 1, "a page is read whole, so that its connection is used again")
	for _, err := range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
		require.NoError(t, err)
		break
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server went on sending")
	}
	func() {
		defer func() { assert.Equal(t, "mine", recover()) }()
		for range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
			panic("mine")
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server went on sending after a panic")
	}
}
