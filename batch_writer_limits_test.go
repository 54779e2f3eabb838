package threatconnect_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestImportOfEverySize(t *testing.T) {
	t.Parallel()
	most := scaletest.Size(25_000)
	for _, tc := range []struct{ items, maxItems, maxBytes, jobs int }{
		{0, 0, 1 << 30, 0}, {1, 0, 1 << 30, 1}, {25_001, 0, 1 << 30, 2},
		{most, most, 1 << 30, 1}, {most + 1, most, 1 << 30, 2}, {most + 1, most, 0, 2}, {most + 1, most, 8 * most, 6},
	} {
		t.Run(fmt.Sprintf("%d items in %d bytes", tc.items, tc.maxBytes), func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithoutContents())
			cfg := appendConfig()
			cfg.MaxItems, cfg.MaxBytes = tc.maxItems, tc.maxBytes
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
				for n := range tc.items {
					if !yield(threatconnect.NewHost(fmt.Sprintf("h%d.example", n)), nil) {
						return
					}
				}
			})
			require.NoError(t, err)
			n := int64(tc.items)
			assert.Equal(t, threatconnect.BatchCounts{Added: n, Succeeded: n}, stats.Indicators)
			assert.Equal(t, tc.items, srv.Counts(batchOwner).Indicators)
			assert.Len(t, srv.Jobs(), tc.jobs)
			for _, j := range srv.Jobs() {
				assert.LessOrEqual(t, j.ContentSize, int64(cmp.Or(tc.maxBytes, 2_000_000)))
				if tc.jobs == 2 {
					assert.Contains(t, []int{cmp.Or(tc.maxItems, 25_000), 1}, j.Success)
				}
			}
		})
	}
	cfg := appendConfig()
	cfg.MaxItems = 25_001
	_, err := threatconnecttest.NewT(t).Client().Batch.NewWriter(t.Context(), cfg)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

// TestImportMatchesDocumentedLimits imports with the defaults and checks that the package documentation states them.
func TestImportMatchesDocumentedLimits(t *testing.T) { // not in parallel: it sets the directory for temporary files
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	doc := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\n//", " ")), " ")
	within := func(t *testing.T, want, got time.Duration) {
		t.Helper()
		assert.InDelta(t, 1, got.Seconds()/want.Seconds(), 0.06, "%s, want %s", got, want)
	}
	for promise, keeps := range map[string]func(t *testing.T){
		"Concurrency+1 jobs of 2,000,000 bytes each": func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
			require.NoError(t, err)
			for n := range 2000 {
				h := batchHost(n)
				h.Attributes[0].Value = strings.Repeat("x", 1000)
				addAll(t, w, h)
			}
			require.NoError(t, w.Close(t.Context()))
			require.Len(t, srv.Jobs(), 2)
			assert.LessOrEqual(t, srv.Jobs()[0].ContentSize, int64(2_000_000))
			assert.Greater(t, srv.Jobs()[0].ContentSize, int64(1_990_000))
		},
		"1 MiB of associations that wait": func(t *testing.T) {
			missing := filepath.Join(t.TempDir(), "is not there")
			t.Setenv("TMPDIR", missing)
			t.Setenv("TMP", missing)
			client, err := threatconnect.NewClient(batchBase, threatconnect.Token("token"), threatconnect.WithTransport(new(acceptor)))
			require.NoError(t, err)
			for kib, fits := range map[int]bool{400: true, 4000: false} {
				w, err := client.Batch.NewWriter(t.Context(), appendConfig())
				require.NoError(t, err)
				for n := range kib {
					err = errors.Join(err, w.Add(t.Context(), &threatconnect.Association{
						From: threatconnect.GroupEnd(fmt.Sprintf("x-%01000d", n)), To: threatconnect.AssociationEnd{GroupType: threatconnect.GroupThreat, ID: 1}}))
				}
				assert.Equal(t, fits, err == nil, "%d KiB: %.200v", kib, err)
				err = w.Close(t.Context())
				assert.Equal(t, fits, err == nil, "%d KiB: %.200v", kib, err)
			}
		},
		"the first 1,000 errors of items": func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
			require.NoError(t, err)
			for n := range 1003 {
				h := batchHost(n)
				h.Attributes[0].Type = "No Such Type"
				addAll(t, w, h)
			}
			var b *threatconnect.BatchError
			require.ErrorAs(t, w.Close(t.Context()), &b)
			assert.Len(t, b.Items, 1000)
			assert.Equal(t, 3, b.More)
			for n, e := range b.Items {
				assert.EqualValues(t, n, e.Seq)
			}
		},
		"retries through an outage of up to 10 minutes, and waits for a job for 2 hours": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(24*time.Hour))
				began := time.Now()
				_, err := oneHost(t, srv, wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }), nil)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				within(t, 10*time.Minute, time.Since(began))
				began = time.Now()
				_, err = oneHost(t, srv, srv, nil)
				require.ErrorIs(t, err, threatconnect.ErrBatchWait)
				within(t, 2*time.Hour, time.Since(began))
			})
		},
	} {
		t.Run(promise, func(t *testing.T) {
			assert.Contains(t, doc, promise)
			keeps(t)
		})
	}
}

func TestOddJobStatusesAreTolerated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		odd := steps{
			wiretest.Answer(200, `{"status":"Queued"}`), wiretest.Answer(500, "An unknown error occurred"), wiretest.Answer(200, `{"status":"Success","data":{"batchStatus":{"id":1,"status":"Running","successCount":9}}}`),
			wiretest.Answer(200, `{"status":"Paused"}`), wiretest.Answer(200, "<html>Sign in"), wiretest.Answer(200, `{"status":"Success","data":{"batchStatus":{"id":1,"status":"Running","successCount":2}}}`),
			wiretest.Answer(200, `{"status":"Success","data":{"batchStatus":{"id":1,"status":"No Such Status"}}}`), wiretest.Answer(200, `{"status":"Queued"}`),
		}
		looks := 0
		stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/batch/1") {
				if looks++; looks <= len(odd) {
					return odd[looks-1](req)
				}
			}
			return srv.RoundTrip(req)
		}), nil)
		require.NoError(t, err)
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, stats.Indicators)
		assert.Equal(t, len(odd)+1, looks)
	})
}

func TestOutageBeforeUploadNamesJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
			if len(srv.Jobs()) > 0 { // after the job is created, all requests fail
				if req.Body != nil {
					_, _ = io.Copy(io.Discard, req.Body)
				}
				return nil, io.ErrUnexpectedEOF
			}
			return srv.RoundTrip(req)
		}), nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, []int64{1}, b.Jobs, "it is unknown whether the job has its file")
		assert.ErrorContains(t, err, "look at jobs [1]")
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unknown: 1}, stats.Indicators)

		// To continue: the status shows that the job has no file, so the file can be uploaded to it.
		client := srv.Client()
		st, err := client.Batch.Status(t.Context(), b.Jobs[0])
		require.NoError(t, err)
		require.Equal(t, threatconnect.JobCreated, st.State)
		_, err = client.Batch.Upload(t.Context(), b.Jobs[0], strings.NewReader(`{"indicator":[{"type":"Host","summary":"h1.example"}]}`))
		require.NoError(t, err)
		st, err = client.Batch.Wait(t.Context(), b.Jobs[0])
		require.NoError(t, err)
		assert.Equal(t, 1, st.Success)
		assert.Equal(t, 1, srv.Counts(batchOwner).Indicators)
	})
}

func TestDuplicateItemsAreSentAndLastOneWins(t *testing.T) {
	t.Parallel()
	for _, maxItems := range []int{0, 1} { // all in one job, and one job per item
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		cfg.MaxItems = maxItems
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		rated := func(rating float64) *threatconnect.Host {
			h := threatconnect.NewHost("h.example")
			h.Rating = new(rating)
			return h
		}
		first, second := batchGroup("x-1"), batchGroup("x-1")
		second.Name = "another name"
		missing := threatconnect.NewHost("m.example")
		missing.GroupXIDs = []string{"x-nowhere"}
		addAll(t, w, first, rated(1), second, rated(4), missing)
		err = w.Close(t.Context())
		assert.Equal(t, []string{"4 Association : 0x1007"}, failures(t, err), "only the reference to a missing group fails")
		s := w.Stats()
		assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 3}, s.Indicators)
		assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 2}, s.Groups)
		h, ok := srv.Indicator(batchOwner, "Host", "h.example")
		require.True(t, ok)
		require.NotNil(t, h.Rating)
		assert.InDelta(t, 4, *h.Rating, 0)
		groups := srv.Groups(batchOwner)
		require.Len(t, groups, 1)
		assert.Equal(t, "another name", groups[0].Name)
		assert.Equal(t, 2, srv.Counts(batchOwner).Indicators)
	}
}

func TestRejectedAttributeErrorNamesType(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client := srv.Client(threatconnect.WithOwner(batchOwner))
	h, err := client.Indicators.Hosts.Create(t.Context(), threatconnect.NewHost("a.example"))
	require.NoError(t, err)
	for typ, value := range map[string]string{"No Such Type": "s3cret", "Aliases": strings.Repeat("s3cret", 100)} {
		_, err := client.Attributes.Add(t.Context(), h, threatconnect.Attribute{Type: typ, Value: value})
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api)
		assert.ErrorContains(t, err, `its type is "`+typ+`"`)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

// TestThreatErrorsOfAJobAreBounded has a platform that lists far more errors than a job has items.
func TestThreatErrorsOfAJobAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ items, listed, reported int }{
		{10, 1_000, 1_000}, // an item can have many errors
		{10, 1_001, 1_001}, // one of them reports the one that was left out
		{10, scaletest.N(468_001), 1_001},
		{500, 4_000, 4_000},
		{500, 10_000, 4_001},
	} {
		errors := `[` + strings.Repeat(`{"code":"0x1005","errorReason":"no"},`, c.listed-1) + `{"code":"0x1005","errorReason":"no"}]`
		s := wiretest.Func(func(req *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(req.URL.Path, "/errors"):
				return wiretest.Reply(200, errors), nil
			case req.Method == http.MethodGet:
				return wiretest.Reply(200, fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":1,"status":"Completed","errorCount":%d,"successCount":0}}}`, c.items)), nil
			case strings.HasSuffix(req.URL.Path, "/v2/batch"):
				return wiretest.Reply(201, `{"batchId":"1"}`), nil
			}
			return wiretest.Reply(202, `{"status":"Queued"}`), nil
		})
		reported, told := 0, 0
		cfg := appendConfig()
		cfg.OnError = func(e threatconnect.BatchItemError) {
			reported++
			if strings.Contains(e.Error(), fmt.Sprintf(" %d more errors than are reported", c.listed-max(1000, 8*c.items))) {
				told++
			}
		}
		stats, err := clientOf(t, s).Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
			for i := range c.items {
				if !yield(threatconnect.NewHost(fmt.Sprintf("h%d.example", i)), nil) {
					return
				}
			}
		})
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, c.reported, reported, "%+v", c)
		assert.Equal(t, c.reported > max(1000, 8*c.items), told == 1, "%+v", c)
		assert.Equal(t, c.reported, len(b.Items)+b.More)
		assert.EqualValues(t, c.items, stats.Total().Failed, "%+v", c)
	}
}

func TestBatchWriterConcurrentAddAndClose(t *testing.T) {
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
	assert.Equal(t, threatconnect.BatchCounts{Added: added.Load(), Succeeded: added.Load()}, s, "exactly the items that Add accepted are imported")
	assert.EqualValues(t, added.Load(), srv.Counts(batchOwner).Indicators)
}
