package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestReconcileMatchesFilesByAnyHash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		feed []*threatconnect.File
		want []string
	}{
		"the second hash":    {[]*threatconnect.File{{SHA1: sha1A}}, []string{"File|" + md5A + " : " + sha1A}},
		"a hash that is new": {[]*threatconnect.File{{MD5: md5A, SHA256: sha256A}}, []string{"File|" + md5A + " : " + sha1A}},
		"two files in one":   {[]*threatconnect.File{{MD5: md5B, SHA1: sha1A}}, []string{"File|" + md5B, "File|" + md5A + " : " + sha1A}},
		"none":               {[]*threatconnect.File{{SHA256: sha256A}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, "File|"+md5A+" : "+sha1A, "File|"+md5B, "File|"+md5C)
			_, err := srv.Client().Batch.Reconcile(t.Context(), sweep(), threatconnect.BatchItems(slices.Values(c.feed)))
			require.NoError(t, err)
			slices.Sort(c.want)
			assert.ElementsMatch(t, c.want, held(srv))
		})
	}
}

// meanwhile is a transport that calls do once, after the lists were read and before the next request.
func meanwhile(srv *threatconnecttest.Server, do func()) http.RoundTripper {
	var once sync.Once
	return wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet || strings.Contains(req.URL.Path, "/files/") {
			once.Do(do)
		}
		return srv.RoundTrip(req)
	})
}

// TestReconcileRereadsFilesBeforeRemoval checks files that change after the list was read.
func TestReconcileRereadsFilesBeforeRemoval(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-time.Hour)
	ok := threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Removed: 1}
	spared := threatconnect.ReconcileCounts{Current: 1, Listed: 2, Spared: 1}
	for name, c := range map[string]struct {
		change func(ctx context.Context, c *threatconnect.Client) error
		left   []string
		want   threatconnect.ReconcileCounts
		reason string
	}{
		"it stays as it was": {func(context.Context, *threatconnect.Client) error { return nil },
			[]string{"File|" + sha256A}, ok, ""},
		"it merges with a file of the set": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Batch.Import(ctx, appendConfig(), setOf(&threatconnect.File{MD5: md5A, SHA256: sha256A}))
			return err
		}, []string{"File|" + md5A + " : " + sha256A}, spared, "has another hash since it was listed"},
		"it gets a hash": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Indicators.Files.Create(ctx, &threatconnect.File{MD5: md5A, SHA1: sha1A})
			return err
		}, []string{"File|" + md5A + " : " + sha1A, "File|" + sha256A}, spared, "has another hash since it was listed"},
		"it is rated": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Indicators.Files.Update(ctx, md5A, threatconnect.IndicatorUpdate{Rating: new(5.0)})
			return err
		}, []string{"File|" + md5A, "File|" + sha256A}, spared, "was modified lately, or at an unknown time"},
		"it is deleted": {func(ctx context.Context, c *threatconnect.Client) error {
			return c.Indicators.Files.Delete(ctx, md5A)
		}, []string{"File|" + sha256A}, ok, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			for _, hash := range []string{md5A, sha256A} {
				require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "File", Summary: hash, LastModified: begin.Add(-time.Hour)}))
			}
			other := srv.Client(threatconnect.WithOwner(batchOwner))
			client := srv.Client(threatconnect.WithTransport(meanwhile(srv, func() { assert.NoError(t, c.change(t.Context(), other)) })))
			cfg := sweep()
			cfg.ModifiedBefore = begin
			reason := ""
			cfg.OnSpared = func(_ threatconnect.IndicatorType, summary, why string) {
				assert.Equal(t, md5A, summary)
				reason = why
			}
			report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.ElementsMatch(t, c.left, held(srv))
			assert.Equal(t, c.want, report.Total)
			assert.Equal(t, c.reason, reason)
		})
	}
}

// TestReconcileReportsFilesItCannotRemove checks the report if the third of five requests fails.
func TestReconcileReportsFilesItCannotRemove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault threatconnecttest.Fault
		err   error
		want  threatconnect.ReconcileCounts
	}{
		"the platform refuses it": {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusBadRequest}, threatconnect.ErrBadRequest,
			threatconnect.ReconcileCounts{Removed: 4, Failed: 1}},
		"a permission is missing": {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden}, threatconnect.ErrForbidden,
			threatconnect.ReconcileCounts{Removed: 2, Unprocessed: 3}},
		"the response is lost": {threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}, threatconnect.ErrOutcomeUnknown,
			threatconnect.ReconcileCounts{Removed: 2, Unknown: 1, Unprocessed: 2}},
		"the response is lost and the file is gone": {threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply}, nil,
			threatconnect.ReconcileCounts{Removed: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				for n := range 5 {
					hold(t, srv, fmt.Sprintf("File|%032X", n))
				}
				c.fault.Method, c.fault.Skip, c.fault.Times = http.MethodDelete, 2, 1
				if c.fault.Kind == threatconnecttest.FaultReset {
					c.fault.Times = -1
				}
				require.NoError(t, srv.Inject(c.fault))
				var told []int64
				cfg := sweep()
				cfg.Concurrency = 1
				cfg.OnError = func(e threatconnect.BatchItemError) { told = append(told, e.Seq) }
				report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
				if c.want.Failed > 0 {
					require.ErrorIs(t, itemError(t, err), c.err)
				} else {
					require.ErrorIs(t, err, c.err)
				}
				c.want.Current, c.want.Listed, c.want.Stale = 1, 5, 5
				assert.Equal(t, c.want, report.Total)
				if c.want.Failed > 0 {
					assert.Equal(t, []int64{2}, told)
				} else {
					assert.Empty(t, told)
				}
			})
		})
	}
}

// TestReconcileRemovesFilesConcurrently checks that Concurrency limits the number of requests at a time.
func TestReconcileRemovesFilesConcurrently(t *testing.T) {
	t.Parallel()
	for concurrency, want := range map[int]int{0: 16, 1: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			for n := range 40 {
				hold(t, srv, fmt.Sprintf("File|%032X", n))
			}
			var mu sync.Mutex
			running, most := 0, 0
			add := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				running += n
				most = max(most, running)
			}
			client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodDelete {
					add(1)
					defer add(-1)
					time.Sleep(time.Second)
				}
				return srv.RoundTrip(req)
			})))
			cfg := sweep()
			cfg.Concurrency = concurrency
			report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.EqualValues(t, 40, report.Total.Removed)
			assert.Equal(t, want, most)
		})
	}
}

// TestReconcileReadsHashesInAnyLetterCase checks that hashes in lower case are recognized.
func TestReconcileReadsHashesInAnyLetterCase(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]string{"always": "/files", "when one file is read": "/files/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, "File|"+md5A+" : "+sha1A, "File|"+sha256A)
			client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
				resp, err := srv.RoundTrip(req)
				if err != nil || req.Method != http.MethodGet || !strings.Contains(req.URL.Path, written) {
					return resp, err
				}
				text, err := io.ReadAll(resp.Body)
				for _, hash := range []string{md5A, sha1A, sha256A} {
					text = bytes.ReplaceAll(text, []byte(hash), []byte(strings.ToLower(hash)))
				}
				resp.Body = io.NopCloser(bytes.NewReader(text))
				return resp, err
			})))
			report, err := client.Batch.Reconcile(t.Context(), sweep(), setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Removed: 1}, report.Total)
			assert.Equal(t, []string{"File|" + sha256A}, held(srv))
		})
	}
}
