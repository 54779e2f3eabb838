package threatconnect_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// completed returns a platform that completes every job with the same counts, given as JSON members, and the same list
// of errors. It processes nothing.
func completed(counts, errorList string) http.RoundTripper {
	return wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
		}
		text := `{"status":"Success","data":{"batchStatus":{"id":7,"status":"Completed",` + counts + `}}}`
		switch {
		case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/batch"):
			text = `{"status":"Success","data":{"batchId":7}}`
		case req.Method == http.MethodPost:
			text = `{"status":"Queued"}`
		case strings.HasSuffix(req.URL.Path, "/errors"), strings.HasSuffix(req.URL.Path, "/results"):
			text = errorList
		}
		return httpmock.NewStringResponse(200, text), nil
	})
}

// TestOnlyConfirmedItemsCountAsSucceeded has completed jobs that have processed nothing, or less than was uploaded.
func TestOnlyConfirmedItemsCountAsSucceeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts, errors string
		want           threatconnect.BatchCounts
	}{
		"the file is broken": {`"errorCount":1,"successCount":0,"unprocessCount":0`,
			`[{"errorReason":"Error (0x1003): com.google.gson.stream.MalformedJsonException: Unterminated object","errorSource":""}]`,
			threatconnect.BatchCounts{Added: 1000, Failed: 1, Unknown: 999}},
		"a permission is missing": {`"errorCount":1,"successCount":0,"unprocessCount":0`,
			`[{"errorReason":"Error (0x1002): not authorised to write to this owner"}]`,
			threatconnect.BatchCounts{Added: 1000, Failed: 1, Unknown: 999}},
		"an internal error": {`"errorCount":1,"successCount":0,"unprocessCount":0`, `[{"errorReason":"Error (0x1004): internal error"}]`,
			threatconnect.BatchCounts{Added: 1000, Failed: 1, Unknown: 999}},
		"nothing was processed":  {`"errorCount":0,"successCount":0,"unprocessCount":0`, `[]`, threatconnect.BatchCounts{Added: 1000, Unknown: 1000}},
		"a part was processed":   {`"errorCount":0,"successCount":600,"unprocessCount":0`, `[]`, threatconnect.BatchCounts{Added: 1000, Succeeded: 600, Unknown: 400}},
		"a part was unprocessed": {`"errorCount":0,"successCount":600,"unprocessCount":300`, `[]`, threatconnect.BatchCounts{Added: 1000, Succeeded: 600, Unprocessed: 300, Unknown: 100}},
		"an error that names no item": {`"errorCount":1,"successCount":998,"unprocessCount":0`, `[{"errorReason":"Error (0x1005): bad"}]`,
			threatconnect.BatchCounts{Added: 1000, Succeeded: 998, Failed: 1, Unknown: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, err := threatconnecttest.NewT(t).Client(threatconnect.WithTransport(completed(c.counts, c.errors))).Batch.NewWriter(t.Context(), appendConfig())
				require.NoError(t, err)
				for n := range 1000 {
					addAll(t, w, batchHost(n))
				}
				err = w.Close(t.Context())
				assert.Equal(t, c.want, w.Stats().Indicators)
				var b *threatconnect.BatchError
				require.ErrorAs(t, err, &b)
				for _, e := range b.Items {
					assert.True(t, e.Seq < 0 || e.Unprocessed, "no item is blamed")
				}
			})
		})
	}
}

// TestItemWithSeveralErrorsCountsAsOneFailure has an item for which the platform lists and counts three errors.
func TestItemWithSeveralErrorsCountsAsOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		entry := `{"errorReason":"Error (0x1007): the group was not found","errorSource":{"type":"Host","summary":"h7.example"}}`
		platform := completed(`"errorCount":3,"successCount":9,"unprocessCount":0`, "["+entry+","+entry+","+entry+"]")
		w, err := threatconnecttest.NewT(t).Client(threatconnect.WithTransport(platform)).Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		for n := range 10 {
			addAll(t, w, batchHost(n))
		}
		var b *threatconnect.BatchError
		require.ErrorAs(t, w.Close(t.Context()), &b)
		assert.Equal(t, threatconnect.BatchCounts{Added: 10, Succeeded: 9, Failed: 1}, w.Stats().Indicators)
		for _, e := range b.Items {
			assert.EqualValues(t, 7, e.Seq)
		}
	})
}

// TestReportedErrorsAreCountedInInterruptedImport interrupts an import at the first or the last error that a completed
// job lists. The errors are in no record then.
func TestReportedErrorsAreCountedInInterruptedImport(t *testing.T) {
	t.Parallel()
	entry := `{"errorReason":"Error (0x1007): the group was not found","errorSource":{"type":"Host","summary":"h%d.example"}}`
	platform := completed(`"errorCount":2,"successCount":8,"unprocessCount":0`, fmt.Sprintf("["+entry+","+entry+"]", 3, 7))
	for last := range 2 {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			var reported []threatconnect.BatchItemError
			cfg := appendConfig()
			cfg.Spool, cfg.Run = newMemSpool(), "today"
			cfg.OnError = func(e threatconnect.BatchItemError) {
				if reported = append(reported, e); len(reported) == 1+last {
					stop(errors.New("the caller is gone"))
					time.Sleep(time.Second) // until Close has seen it
				}
			}
			client := threatconnecttest.NewT(t).Client(threatconnect.WithTransport(platform))
			w, err := client.Batch.NewWriter(ctx, cfg)
			require.NoError(t, err)
			for n := range 10 {
				addAll(t, w, batchHost(n))
			}
			var b *threatconnect.BatchError
			require.ErrorAs(t, w.Close(ctx), &b)
			require.ErrorContains(t, b, "the caller is gone")
			assert.True(t, b.Kept)
			assert.Len(t, reported, 2)
			assert.Equal(t, reported, b.Items)
			assert.EqualValues(t, 2, b.Stats.Indicators.Failed)
			assert.EqualValues(t, 10, b.Stats.Indicators.Succeeded+b.Stats.Indicators.Failed+b.Stats.Indicators.Unknown)

			before := reported
			reported = nil
			w, err = client.Batch.NewWriter(t.Context(), cfg)
			require.NoError(t, err)
			require.ErrorAs(t, w.Close(t.Context()), &b)
			assert.Equal(t, before, reported, "the next writer reports them again")
			assert.Equal(t, threatconnect.BatchCounts{Added: 10, Succeeded: 8, Failed: 2}, b.Stats.Indicators, "and counts them once")
		})
	}
}

// resumed interrupts imports after different numbers of requests and resumes each with a changed configuration. Every
// item must be imported exactly once.
func resumed(t *testing.T, change func(*threatconnecttest.Server, *threatconnect.BatchConfig)) {
	t.Helper()
	for requests := 4; requests < 24; requests += 4 {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
			interrupt(t, srv, cfg, feed(40), requests)
			change(srv, &cfg)
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
			require.NotErrorIs(t, err, threatconnect.ErrSpoolOther)
			checkFeed(t, srv, 40)
			checkFeedStats(t, stats, err, 40)
		})
	}
}

func TestResumeAcceptsMoreKnownGroups(t *testing.T) {
	t.Parallel()
	known := 0
	resumed(t, func(srv *threatconnecttest.Server, cfg *threatconnect.BatchConfig) {
		var xids []string
		for _, g := range srv.Groups(batchOwner) { // those that the owner now has
			xids = append(xids, g.XID)
			known++
		}
		cfg.KnownGroup = knows(xids...)
	})
	assert.Greater(t, known, 5)
}

func TestResumeAcceptsHaltOnError(t *testing.T) {
	t.Parallel()
	resumed(t, func(_ *threatconnecttest.Server, cfg *threatconnect.BatchConfig) { cfg.HaltOnError = true })
}

func TestFlushSendsAssociationsOnceGroupsArrive(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	link := &threatconnect.Association{From: threatconnect.IndicatorEnd(batchHost(1)), To: threatconnect.GroupEnd("x-1")}
	both := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}
	addAll(t, w, batchHost(1), batchGroup("x-2"), link, both)
	require.NoError(t, w.Flush(t.Context()))
	addAll(t, w, batchGroup("x-1"))
	require.NoError(t, w.Flush(t.Context()))
	assert.EqualValues(t, 2, w.Stats().Associations.Succeeded, "they no longer wait for groups")
	require.NoError(t, w.Close(t.Context()))
	h, ok := srv.Indicator(batchOwner, "Host", "h1.example")
	require.True(t, ok)
	assert.Equal(t, []string{"x-1"}, h.Groups)
}

func TestRepeatedFlushesDoNotFillSpool(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	spool := newMemSpool()
	cfg := appendConfig()
	cfg.Spool, cfg.Run = spool, "for ever"
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 200 {
		addAll(t, w, batchGroup(fmt.Sprintf("x-%d", n)), batchHost(n, fmt.Sprintf("x-%d", n)))
		require.NoError(t, w.Flush(t.Context()))
		require.LessOrEqual(t, len(spool.names()), 40, "after %d jobs", n+1)
	}
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, 200, srv.Counts(batchOwner).Indicators)
}

// TestBatchErrorDoesNotUnwrapToItemErrors checks that errors.As and errors.Is match the error that ended the import, not
// an arbitrary one of its items.
func TestBatchErrorDoesNotUnwrapToItemErrors(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	bad := batchHost(1)
	bad.Attributes[0].Type = "No Such Type"
	ended := errors.New("the feed broke off")
	for _, end := range []error{nil, ended} {
		_, err := srv.Client().Batch.Import(t.Context(), appendConfig(), func(yield func(threatconnect.BatchItem, error) bool) {
			_ = yield(threatconnect.NewHost("no host"), nil) && yield(bad, nil) && end != nil && yield(nil, end)
		})
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		require.Len(t, b.Items, 2)
		require.NotErrorIs(t, err, threatconnect.ErrValidation)
		var item *threatconnect.BatchItemError
		assert.NotErrorAs(t, err, &item)
		assert.Equal(t, end != nil, errors.Is(err, ended))
		assert.ErrorIs(t, &b.Items[0], threatconnect.ErrValidation, "the error of the item matches")
	}
}

// TestDamagedRecordRepeatsNoItem checks that a damaged or missing record causes no item to be sent twice. The
// exception is the newest record: its loss cannot be detected.
func TestDamagedRecordRepeatsNoItem(t *testing.T) {
	t.Parallel()
	items := feed(40)
	for what, damage := range damages() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			importThroughDamage(t, items, damage, func(t *testing.T, d damaged) {
				if d.newest && what == "it is gone" {
					return
				}
				for _, h := range d.srv.Indicators(batchOwner) {
					require.Len(t, h.Attributes, 1, "%s was imported once", h.Summary)
				}
				for _, g := range d.srv.Groups(batchOwner) {
					require.Len(t, g.Attributes, 1, "%s was imported once", g.XID)
				}
			})
		})
	}
}

// TestImportTimeStaysNearPlatformTime imports in jobs whose durations vary by 20 percent, one at a time.
func TestImportTimeStaysNearPlatformTime(t *testing.T) {
	t.Parallel()
	for duration, most := range map[time.Duration]float64{
		500 * time.Millisecond: 1.30, 2 * time.Second: 1.12, 5 * time.Second: 1.12, 8 * time.Second: 1.12,
		15 * time.Second: 1.12, 30 * time.Second: 1.12, time.Minute: 1.12,
	} {
		t.Run(duration.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 1))
				var platform acceptor
				var done, began time.Time
				var total time.Duration
				polls, mostPolls := 0, 0
				transport := wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if isUpload(req) {
						d := time.Duration(float64(duration) * (0.8 + 0.4*random.Float64()))
						total, done, polls = total+d, time.Now().Add(d), 0
					}
					if req.Method != http.MethodGet {
						return platform.RoundTrip(req)
					}
					polls++
					mostPolls = max(mostPolls, polls)
					if time.Now().Before(done) {
						return httpmock.NewStringResponse(200, `{"status":"Running"}`), nil
					}
					return platform.RoundTrip(req)
				})
				client, err := threatconnect.NewClient(batchBase, threatconnect.Token("token"), threatconnect.WithTransport(transport))
				require.NoError(t, err)
				cfg := appendConfig()
				cfg.MaxItems = 10
				w, err := client.Batch.NewWriter(t.Context(), cfg)
				require.NoError(t, err)
				began = time.Now()
				for n := range 400 {
					addAll(t, w, batchHost(n))
				}
				require.NoError(t, w.Close(t.Context()))
				assert.LessOrEqual(t, time.Since(began).Seconds()/total.Seconds(), most)
				assert.LessOrEqual(t, mostPolls, 25)
			})
		})
	}
}

// TestSucceededItemsAreOnPlatform runs imports whose error lists are sometimes lost or do not name the items.
func TestSucceededItemsAreOnPlatform(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(200)) {
		importWithRefusals(t, 1000+seed, func(t *testing.T, stats threatconnect.BatchStats, whole int64) {
			assert.LessOrEqual(t, stats.Indicators.Succeeded, whole)
		})
	}
}

// The writer uses the counts of a job to find items, so invalid counts must not reach it.
func TestStatusRejectsInvalidCounts(t *testing.T) {
	t.Parallel()
	keys := []string{"successCount", "errorCount", "unprocessCount", "unprocessedCount", "successIndicatorCount", "errorIndicatorCount",
		"successGroupCount", "errorGroupCount", "successAssociationCount", "errorAssociationCount"}
	m, client := batchMock(t, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	for _, key := range keys {
		for n, ok := range map[string]bool{"0": true, "7": true, `"7"`: true, "2147483647": true, "-1": false, "2147483648": false, "9223372036854775807": false} {
			m.RegisterResponder("GET", batchBase+"/v2/batch/9223372036854775807", httpmock.NewStringResponder(200, fmt.Sprintf(`{"id":9223372036854775807,"status":"Completed","%s":%s}`, key, n)))
			got, err := client.Batch.Status(t.Context(), math.MaxInt64)
			if !ok {
				assert.ErrorIs(t, err, threatconnect.ErrBadResponse, "%s %s", key, n)
				continue
			}
			require.NoError(t, err, "%s %s", key, n)
			assert.Equal(t, int64(math.MaxInt64), got.ID)
		}
	}
}

func TestErrorFileCompressionIsDetected(t *testing.T) {
	t.Parallel()
	const text = `[{errorReason:"Error (0x1005): no",errorSource:"a.example"}]`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for name, c := range map[string]struct {
		body   []byte
		header http.Header
	}{
		"plain":            {[]byte(text), http.Header{"Content-Type": {"text/plain"}}},
		"declared gzip":    {packed.Bytes(), http.Header{"Content-Encoding": {"gzip"}}},
		"undeclared gzip":  {packed.Bytes(), http.Header{"Content-Type": {"application/octet-stream ; boundary="}}},
		"compressed twice": {twice(t, packed.Bytes()), http.Header{"Content-Encoding": {"gzip"}}},
	} {
		m, client := batchMock(t)
		m.RegisterResponder("GET", batchBase+"/v2/batch/7/errors", func(*http.Request) (*http.Response, error) {
			resp := httpmock.NewBytesResponse(200, c.body)
			resp.Header = c.header.Clone()
			return resp, nil
		})
		n := 0
		for e, err := range client.Batch.Errors(t.Context(), 7) {
			require.NoError(t, err, name)
			assert.Equal(t, "a.example", e.Ref)
			n++
		}
		assert.Equal(t, 1, n, name)
	}
}

func twice(t *testing.T, b []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return packed.Bytes()
}

func TestOversizedErrorListFails(t *testing.T) {
	t.Parallel()
	entry := []byte(`{"errorReason":"Error (0x1005): no","errorSource":"a.example"}` + "\n")
	packed := zipped(t, bytes.Repeat(entry, 50_000)) // 3 MB
	for name, c := range map[string]struct {
		body []byte
		says error
		n    int
	}{
		"packed, and larger than the cap": {packed, threatconnect.ErrResponseTooLarge, 1 << 20 / len(entry)},
		"larger than the cap":             {bytes.Repeat(entry, 50_000), threatconnect.ErrResponseTooLarge, 1 << 20 / len(entry)},
		"an entry that does not end":      {append(bytes.Repeat(entry, 3), bytes.Repeat([]byte(`{"a":[`), 1<<17)...), threatconnect.ErrBadResponse, 3},
	} {
		m, client := batchMock(t, quick, threatconnect.WithMaxResponseBytes(1<<20))
		m.RegisterResponder("GET", batchBase+"/v2/batch/7/errors", func(*http.Request) (*http.Response, error) {
			return httpmock.NewBytesResponse(200, c.body), nil
		})
		n := 0
		var last error
		for _, err := range client.Batch.Errors(t.Context(), 7) {
			if last = err; err == nil {
				n++
			}
		}
		require.ErrorIs(t, last, c.says, name)
		assert.Equal(t, c.n, n, name)
	}
}

func TestAListOfErrorsOf50MBIsReadInLittleMemory(t *testing.T) { // not in parallel: it measures memory
	entries := scaletest.Size(800)
	entry := []byte(`{"errorSource":"a.example","errorReason":"Error (0x1005): ` + strings.Repeat("no ", 22_000) + `"},` + "\n") // 64 KiB
	m, client := batchMock(t)
	m.RegisterResponder("GET", batchBase+"/v2/batch/7/errors", func(*http.Request) (*http.Response, error) {
		r, w := io.Pipe()
		go func() {
			z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
			if err != nil {
				return
			}
			_, _ = z.Write([]byte("["))
			for range entries {
				if _, err := z.Write(entry); err != nil {
					return
				}
			}
			_, _ = z.Write([]byte("]"))
			_ = z.Close()
			_ = w.Close()
		}()
		resp := httpmock.NewStringResponse(200, "")
		resp.Body = r
		return resp, nil
	})
	var before, mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for _, err := range client.Batch.Errors(t.Context(), 7) {
		require.NoError(t, err)
		if n++; n%(entries/4) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&mem)
			most = max(most, mem.HeapAlloc)
		}
	}
	assert.Equal(t, entries, n)
	assert.Less(t, int64(most)-int64(before.HeapAlloc), int64(8<<20))
}

func TestMissingErrorFileFallsBackToResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithLateErrors(1000))
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		// The server rejects this type, and the client does not.
		refused := threatconnect.NewCustomIndicator("No Such Type", "some value")
		nameless := batchHost(1)
		nameless.Attributes[0].Type = "No Such Attribute"
		addAll(t, w, batchHost(0), refused, nameless)
		err = w.Close(t.Context())
		assert.ElementsMatch(t, []string{"-1  : 0x1005", "-1  : 0x2001"}, failures(t, err), "the messages do not name the items")
		assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 1, Failed: 2}, w.Stats().Indicators)
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, "Error", b.Items[0].Severity)
		assert.Equal(t, "Warning", b.Items[1].Severity)
	})
}
