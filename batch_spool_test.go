package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// memSpool is a spool in memory that outlives its simulated process.
type memSpool struct {
	mu      sync.Mutex
	records map[string][]byte
	newest  string                  // the last record that was created
	act     func() error            // called before and after every change; an error means that the process is dead
	refuse  func(text []byte) error // called before a record is created
}

func newMemSpool() *memSpool { return &memSpool{records: map[string][]byte{}} }

func (s *memSpool) Names(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.records)), nil
}

func (s *memSpool) Read(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.records[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(text), nil
}

func (s *memSpool) change(do func() error) error {
	if s.act != nil {
		if err := s.act(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := do()
	s.mu.Unlock()
	if err == nil && s.act != nil {
		return s.act()
	}
	return err
}

func (s *memSpool) Create(ctx context.Context, name string, parts [][]byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := bytes.Join(parts, nil)
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil {
		if err := refuse(text); err != nil {
			return err
		}
	}
	return s.change(func() error {
		if _, ok := s.records[name]; ok {
			return fs.ErrExist
		}
		s.records[name], s.newest = text, name
		return nil
	})
}

func (s *memSpool) Remove(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.change(func() error {
		delete(s.records, name)
		return nil
	})
}

// names returns the sorted names of the remaining records.
func (s *memSpool) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.records))
}

// feed returns groups and hosts that refer to earlier and later groups, associations, and invalid
// items. checkFeed checks that the server has each valid item exactly once.
func feed(hosts int) []threatconnect.BatchItem {
	group := func(n int) string { return fmt.Sprintf("x-%d", n) }
	groups := hosts / 10
	var items []threatconnect.BatchItem
	for n := range hosts {
		items = append(items, batchHost(n, group(n/10), group((n/10+3)%groups)))
		if n%10 == 4 {
			items = append(items, threatconnect.NewHost("no host"))
		}
		if n%10 == 9 {
			items = append(items, batchGroup(group(n/10), group((n/10+1)%groups)))
			items = append(items, &threatconnect.Association{Type: "Host to Indicators",
				From: threatconnect.AssociationEnd{Indicator: threatconnect.TypeHost, Summary: fmt.Sprintf("h%d.example", n)},
				To:   threatconnect.AssociationEnd{Indicator: threatconnect.TypeHost, Summary: fmt.Sprintf("h%d.example", (n+1)%hosts)}})
		}
	}
	return items
}

func checkFeed(t *testing.T, srv *threatconnecttest.Server, hosts int) {
	t.Helper()
	checkSawtooth(t, srv, hosts)
	for n := 9; n < hosts; n += 10 {
		h, ok := srv.Indicator(batchOwner, "Host", fmt.Sprintf("h%d.example", n))
		require.True(t, ok)
		assert.Contains(t, h.Associated, fmt.Sprintf("Host: h%d.example", (n+1)%hosts), "%s is associated once", h.Summary)
	}
}

func checkFeedStats(t *testing.T, stats threatconnect.BatchStats, err error, hosts int) {
	t.Helper()
	n := int64(hosts)
	assert.Equal(t, threatconnect.BatchCounts{Added: n, Succeeded: n}, stats.Indicators)
	assert.Equal(t, threatconnect.BatchCounts{Added: n / 10, Succeeded: n / 10}, stats.Groups)
	assert.Equal(t, threatconnect.BatchCounts{Added: n / 10, Succeeded: n / 10}, stats.Associations)
	assert.Equal(t, stats.Links.Added, stats.Links.Succeeded)
	assert.Positive(t, stats.Links.Added)
	assert.Equal(t, n/10, stats.Invalid)
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b, "items were refused")
	require.NoError(t, b.Err)
	for _, e := range b.Items {
		assert.ErrorIs(t, &e, threatconnect.ErrValidation)
	}
}

// sequence returns a sequence of items.
func sequence(items []threatconnect.BatchItem) iter.Seq2[threatconnect.BatchItem, error] {
	return threatconnect.BatchItems(slices.Values(items))
}

// interrupt imports items in a process that dies after a number of requests.
func interrupt(t *testing.T, srv *threatconnecttest.Server, cfg threatconnect.BatchConfig, items []threatconnect.BatchItem, requests int) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	d := &death{moments: 2 * requests, srv: srv, kill: kill}
	_, err := srv.Client(threatconnect.WithTransport(d)).Batch.Import(ctx, cfg, sequence(items))
	require.Error(t, err)
	require.True(t, d.dead)
}

// TestChangedFeedIsImportedAfterSpooledItems checks that an import first finishes the items of the previous
// process and then imports the whole changed feed.
func TestChangedFeedIsImportedAfterSpooledItems(t *testing.T) {
	t.Parallel()
	for name, items := range map[string][]threatconnect.BatchItem{
		"another item":  append([]threatconnect.BatchItem{batchHost(99)}, feed(40)[1:]...),
		"another order": func() []threatconnect.BatchItem { f := feed(40); f[0], f[1] = f[1], f[0]; return f }(),
		"fewer":         feed(40)[:5],
		"none":          nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
			interrupt(t, srv, cfg, feed(40), 12)
			ran := 0
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
				ran++
				sequence(items)(yield)
			})
			if err != nil {
				failures(t, err) // those of the invalid items
			}
			assert.Equal(t, 2, ran, name)
			assert.EqualValues(t, len(items), stats.Total().Added+stats.Invalid, name)
			_, ok := srv.Indicator(batchOwner, "Host", "h6.example")
			assert.True(t, ok, "the items in the spool are imported")
			for _, in := range items {
				if h, isHost := in.(*threatconnect.Host); isHost && !strings.Contains(h.HostName, " ") {
					_, ok := srv.Indicator(batchOwner, "Host", h.HostName)
					assert.True(t, ok, "%s: %s", name, h.HostName)
				}
			}
			requests := len(srv.Requests())
			again, _ := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
			assert.Equal(t, stats, again, "the outcome is stored for the run")
			assert.Len(t, srv.Requests(), requests)
		})
	}
}

func TestChangedSinglePassFeedIsRejected(t *testing.T) {
	t.Parallel()
	for name, items := range map[string][]threatconnect.BatchItem{
		"longer":  append([]threatconnect.BatchItem{batchHost(99)}, feed(40)[1:]...),
		"shorter": feed(40)[3:8],
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
			interrupt(t, srv, cfg, feed(40), 12)
			next, stop := iter.Pull2(sequence(items))
			defer stop()
			_, err := srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
				for in, err, ok := next(); ok && yield(in, err); in, err, ok = next() {
				}
			})
			require.ErrorIs(t, err, threatconnect.ErrSpoolOther, name)
			_, ok := srv.Indicator(batchOwner, "Host", "h99.example")
			assert.False(t, ok, "the other items are not imported")
			_, ok = srv.Indicator(batchOwner, "Host", "h6.example")
			assert.True(t, ok, "the items in the spool are imported")
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{batchHost(99)}))
			require.NoError(t, err, "the next import starts from its first item")
			assert.EqualValues(t, 1, stats.Indicators.Succeeded)
		})
	}
}

// The record of a batch file must include the exclusions of the item that fills it.
func TestSpoolKeepsExclusionsOfItemFillingJob(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 1, newMemSpool(), "today"
	cfg.Exclude = func(_, value string) (string, bool) { return "known good", true }
	g := batchGroup("x-1")
	g.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeHost, Value: "h1.example"}, {Type: threatconnect.TypeHost, Value: "h2.example"}}
	for range 2 { // the second import returns the stored outcome
		stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{g}))
		require.NoError(t, err)
		assert.Equal(t, threatconnect.BatchCounts{Added: 2, Excluded: 2}, stats.Links)
		assert.Equal(t, map[string]int64{"known good": 2}, stats.ExclusionReasons)
	}
}

// Exclusions can change from one process to the next, while the items stay the same.
func TestResumeKeepsEarlierExclusions(t *testing.T) {
	t.Parallel()
	for requests := range 12 {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
			cfg.Exclude = func(_, value string) (string, bool) { return "before", strings.HasSuffix(value, "1.example") }
			interrupt(t, srv, cfg, feed(40), requests)
			cfg.Exclude = func(_, value string) (string, bool) { return "after", strings.HasSuffix(value, "2.example") }
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
			var b *threatconnect.BatchError
			require.ErrorAs(t, err, &b)
			require.NoError(t, b.Err)
			assert.EqualValues(t, 40, stats.Indicators.Added)
			assert.EqualValues(t, 4, stats.Indicators.Excluded, "%v", stats.ExclusionReasons)
			assert.EqualValues(t, 36, stats.Indicators.Succeeded)
			assert.Equal(t, 36, srv.Counts(batchOwner).Indicators)
			assert.Equal(t, stats.Total().Excluded, stats.ExclusionReasons["before"]+stats.ExclusionReasons["after"])
			again, _ := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
			assert.Equal(t, stats, again, "the counts of a finished import are kept")
		})
	}
}

func TestResumeContinuesWherePreviousProcessStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
		items := feed(40)
		interrupt(t, srv, cfg, items, 8)
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		from := w.Resumed()
		require.Positive(t, from)
		require.Less(t, from, int64(len(items)))
		for _, item := range items[from:] {
			if err := w.Add(t.Context(), item); err != nil {
				require.ErrorIs(t, err, threatconnect.ErrValidation)
			}
		}
		for _, told := range failures(t, w.Close(t.Context())) {
			assert.Contains(t, told, "Host no host", "already rejected by the previous process")
		}
		checkFeed(t, srv, 40)
		assert.Len(t, cfg.Spool.(*memSpool).names(), 1, "the outcome is left")
	})
}

func TestLatestWriterTakesOverSpool(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run, cfg.MaxItems = newMemSpool(), "today", 2
	first, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	assert.Zero(t, first.Resumed())
	addAll(t, first, batchHost(0), batchHost(1), batchHost(2))
	require.NoError(t, first.Flush(t.Context()))

	second, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	assert.EqualValues(t, 3, second.Resumed())
	addAll(t, first, batchHost(3))
	require.ErrorIs(t, first.Flush(t.Context()), threatconnect.ErrSpoolLost)
	require.ErrorIs(t, first.Add(t.Context(), batchHost(4)), threatconnect.ErrSpoolLost)
	err = first.Close(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrSpoolLost)
	require.ErrorIs(t, err, threatconnect.ErrSpool)

	addAll(t, second, batchHost(3), batchHost(4))
	require.NoError(t, second.Close(t.Context()))
	for _, h := range srv.Indicators(batchOwner) {
		assert.Len(t, h.Attributes, 1, h.Summary)
	}
	assert.Equal(t, 5, srv.Counts(batchOwner).Indicators)
	assert.EqualValues(t, 5, second.Stats().Indicators.Succeeded)
}

func TestNamedImportRunsOnce(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run = newMemSpool(), "2026-11-26"
	bad := batchHost(2)
	bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	items := []threatconnect.BatchItem{batchHost(1), bad, threatconnect.NewHost("no host")}
	first, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.Error(t, err)
	requests := len(srv.Requests())
	again, err2 := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	assert.Equal(t, first, again)
	assert.Equal(t, err.Error(), err2.Error())
	assert.Equal(t, []string{"1 Host h2.example: 0x2001"}, failures(t, err2)[1:])
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	require.ErrorIs(t, w.Add(t.Context(), batchHost(1)), threatconnect.ErrBatchClosed)
	assert.EqualValues(t, 3, w.Resumed())
	assert.Len(t, srv.Requests(), requests, "nothing was sent")

	cfg.Run = "2026-11-27"
	_, err = srv.Client().Batch.Import(t.Context(), cfg, sequence(items[:1]))
	require.NoError(t, err)
	h, _ := srv.Indicator(batchOwner, "Host", "h1.example")
	assert.Len(t, h.Attributes, 2, "the next day it is imported again")
}

func TestUnfinishedRunIsFinishedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "yesterday"
		interrupt(t, srv, cfg, feed(40), 8)
		cfg.Run = "today"
		stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{batchHost(99)}))
		require.NoError(t, err)
		assert.EqualValues(t, 1, stats.Indicators.Added)
		for _, j := range srv.Jobs() {
			assert.Equal(t, "Completed", j.Status)
		}
		h, ok := srv.Indicator(batchOwner, "Host", "h6.example")
		require.True(t, ok)
		assert.Len(t, h.Attributes, 1)
	})
}

func TestRejectedWriterLeavesSpoolToItsOwner(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 2, newMemSpool(), "today"
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, batchHost(0), batchHost(1))
	other := cfg
	other.Attributes = threatconnect.WriteReplace
	_, err = srv.Client().Batch.NewWriter(t.Context(), other)
	require.ErrorIs(t, err, threatconnect.ErrSpoolOther)
	addAll(t, w, batchHost(2))
	require.NoError(t, w.Close(t.Context()), "a process with other settings does not end the import")
	assert.Equal(t, 3, srv.Counts(batchOwner).Indicators)
}

func TestSpoolOfOtherImportIsRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
		interrupt(t, srv, cfg, feed(40), 8)
		other := cfg
		other.Owner = "Example Community"
		_, err := srv.Client().Batch.NewWriter(t.Context(), other)
		require.ErrorIs(t, err, threatconnect.ErrSpoolOther)
		assert.Contains(t, err.Error(), "owner")
		elsewhere, err := threatconnect.NewClient("https://other.example.com/api", threatconnect.HMAC("id", "key"), threatconnect.WithTransport(srv))
		require.NoError(t, err)
		_, err = elsewhere.Batch.NewWriter(t.Context(), cfg)
		require.ErrorIs(t, err, threatconnect.ErrSpoolOther)
		_, err = srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
		failures(t, err)
		checkFeed(t, srv, 40)
	})
}

// TestImportResumesAfterOutage interrupts an import by an outage while some of its jobs are
// on the platform, and resumes it after the outage.
func TestImportResumesAfterOutage(t *testing.T) {
	t.Parallel()
	const hosts = 40
	for _, phase := range []threatconnect.BatchPhase{threatconnect.BatchQueued, threatconnect.BatchCreated, threatconnect.BatchUploaded, threatconnect.BatchRunning} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
				var down atomic.Bool
				lost := errors.New("connection reset by peer")
				client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if down.Load() {
						return nil, lost
					}
					return srv.RoundTrip(req)
				})))
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run, cfg.RetryFor = 5, 2, newMemSpool(), "today", time.Minute
				cfg.OnEvent = func(ev threatconnect.BatchEvent) {
					if ev.Job == 3 && ev.Phase == phase {
						down.Store(true)
					}
				}
				_, err := client.Batch.Import(t.Context(), cfg, sequence(feed(hosts)))
				var b *threatconnect.BatchError
				require.ErrorAs(t, err, &b)
				require.ErrorIs(t, b.Err, lost)
				assert.True(t, b.Kept)
				require.Less(t, srv.Counts(batchOwner).Indicators, hosts)

				down.Store(false)
				cfg.OnEvent = nil
				stats, err := client.Batch.Import(t.Context(), cfg, sequence(feed(hosts)))
				checkFeed(t, srv, hosts)
				checkFeedStats(t, stats, err, hosts)
			})
		})
	}
}

func TestHaltedImportCanBeRunAgain(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run, cfg.HaltOnError = newMemSpool(), "today", true
	bad := batchHost(1)
	bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{bad, batchHost(2)}))
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	assert.False(t, b.Kept)
	assert.Len(t, cfg.Spool.(*memSpool).names(), 1)
	stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{batchHost(1), batchHost(2)}))
	require.NoError(t, err)
	assert.EqualValues(t, 2, stats.Indicators.Succeeded)
}
