package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
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
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
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

// death simulates a process that dies before or after a change of its spool or a request. From then
// on, its actions have no effect.
type death struct {
	mu      sync.Mutex
	moments int // until the death; negative for none
	dead    bool
	srv     http.RoundTripper
	kill    context.CancelFunc
}

var errDead = errors.New("the process is dead")

func (d *death) moment() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead && d.moments == 0 {
		d.dead = true
		d.kill()
	}
	d.moments--
	if d.dead {
		return errDead
	}
	return nil
}

func (d *death) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := d.moment(); err != nil {
		return nil, err
	}
	resp, err := d.srv.RoundTrip(req)
	if dead := d.moment(); dead != nil {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
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

func TestImportResumesAfterCrashAtEveryMoment(t *testing.T) {
	t.Parallel()
	const hosts = 40
	items := feed(hosts)
	for _, concurrency := range []int{1, 3} {
		for moment := 0; ; moment += scaletest.Stride() {
			done := false
			synctest.Test(t, func(t *testing.T) {
				done = importThroughDeath(t, items, hosts, concurrency, moment)
			})
			if t.Failed() {
				t.Logf("concurrency %d, moment %d", concurrency, moment)
				return
			}
			if done {
				assert.Greater(t, moment, 100, "the import has many moments")
				break
			}
		}
	}
}

// importThroughDeath imports items in a process that dies at the given moment, and again in a second
// process. It reports whether the first one survived.
func importThroughDeath(t *testing.T, items []threatconnect.BatchItem, hosts, concurrency, moment int) bool {
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
	spool := newMemSpool()
	run := func(moments int) (stats threatconnect.BatchStats, err error, died bool) {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		d := &death{moments: moments, srv: srv, kill: kill}
		spool.act = d.moment
		cfg := appendConfig()
		cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 7, concurrency, spool, "today"
		client := srv.Client(threatconnect.WithTransport(d))
		stats, err = client.Batch.Import(ctx, cfg, threatconnect.BatchItems(slices.Values(items)))
		return stats, err, d.dead
	}
	_, err, died := run(moment)
	if died {
		require.Error(t, err)
	}
	stats, err, _ := run(-1)
	checkFeed(t, srv, hosts)
	checkFeedStats(t, stats, err, hosts)
	assert.Len(t, spool.names(), 1, "only the outcome is left")
	for _, j := range srv.Jobs() {
		assert.Zero(t, j.RefusedUploads, "no file was uploaded twice")
	}
	return !died
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

func TestImportResumesAfterManyCrashesAndFaults(t *testing.T) {
	t.Parallel()
	const hosts = 100
	items := feed(hosts)
	for seed := range scaletest.N(uint64(20)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
			require.NoError(t, srv.Inject(threatconnecttest.FaultMix(seed, 0.2, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply,
				threatconnecttest.FaultCutBody, threatconnecttest.FaultHTML, threatconnecttest.FaultEmpty)))
			spool := newMemSpool()
			deaths := 0
			for deaths < 100 {
				ctx, kill := context.WithCancel(t.Context())
				d := &death{moments: random.IntN(120), srv: srv, kill: kill}
				spool.act = d.moment
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 8, 1+int(seed%3), spool, "today"
				client := srv.Client(threatconnect.WithTransport(d))
				stats, err := client.Batch.Import(ctx, cfg, threatconnect.BatchItems(slices.Values(items)))
				kill()
				if d.dead {
					deaths++
					continue
				}
				checkFeedStats(t, stats, err, hosts)
				break
			}
			require.Less(t, deaths, 100, "the import does not end")
			srv.ClearFaults()
			checkFeed(t, srv, hosts)
			assert.Positive(t, deaths)
		})
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

// damages returns functions that damage a record. A nil result means that the record is missing.
func damages() map[string]func(record []byte) []byte {
	return map[string]func(b []byte) []byte{
		"its first byte is flipped":    func(b []byte) []byte { b[0] ^= 1; return b },
		"its version is a later one":   func(b []byte) []byte { b[9]++; return b },
		"a byte in its middle flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"its last byte is flipped":     func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b },
		"its last byte is not there":   func(b []byte) []byte { return b[:len(b)-1] },
		"its second half is not there": func(b []byte) []byte { return b[:len(b)/2] },
		"it is empty":                  func([]byte) []byte { return []byte{} },
		"it is gone":                   func([]byte) []byte { return nil },
	}
}

// damaged is the result of an import that was resumed after a record of its spool was damaged.
type damaged struct {
	srv    *threatconnecttest.Server
	record string
	newest bool // whether it was the last one written
	told   bool // whether an error matches ErrSpool
	stats  threatconnect.BatchStats
	err    error
}

// damageStride returns the distance between the records that are damaged.
func damageStride() int { return max(1, scaletest.Stride()/2-1) }

// importThroughDamage imports a feed in processes that die at several moments, damages one of the records that each of
// them leaves, resumes the import, and calls check with the result.
func importThroughDamage(t *testing.T, items []threatconnect.BatchItem, damage func([]byte) []byte, check func(*testing.T, damaged)) {
	t.Helper()
	for i, moment := range []int{10, 30, 60, 100, 150} {
		first := 2 * i % damageStride()
		for at, records := first, first+1; at < records && !t.Failed(); at += damageStride() {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
				spool := newMemSpool()
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 7, 4, spool, "today"
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				d := &death{moments: moment, srv: srv, kill: kill}
				spool.act = d.moment
				_, err := srv.Client(threatconnect.WithTransport(d)).Batch.Import(ctx, cfg, sequence(items))
				require.Error(t, err)
				spool.act = nil
				names := spool.names()
				if records = len(names); at >= records {
					return
				}
				name := names[at]
				if text := damage(bytes.Clone(spool.records[name])); text != nil {
					spool.records[name] = text
				} else {
					delete(spool.records, name)
				}

				after := damaged{srv: srv, record: name, newest: name == spool.newest}
				cfg.OnError = func(e threatconnect.BatchItemError) { after.told = after.told || errors.Is(&e, threatconnect.ErrSpool) }
				after.stats, after.err = srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
				after.told = after.told || errors.Is(after.err, threatconnect.ErrSpool)
				defer func() {
					if t.Failed() {
						t.Logf("moment %d, record %s: %v", moment, name, after.err)
					}
				}()
				check(t, after)
			})
		}
	}
}

// TestDamagedRecordIsReportedAndHidesNothing checks that a resumed import either imports every item once or reports an
// error that matches ErrSpool. Items that are not on the platform must not count as succeeded.
func TestDamagedRecordIsReportedAndHidesNothing(t *testing.T) {
	t.Parallel()
	const hosts = 40
	items := feed(hosts)
	for what, damage := range damages() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tellings := 0
			importThroughDamage(t, items, damage, func(t *testing.T, d damaged) {
				for _, c := range []struct {
					threatconnect.BatchCounts
					there int
				}{{d.stats.Indicators, d.srv.Counts(batchOwner).Indicators}, {d.stats.Groups, len(d.srv.Groups(batchOwner))}} {
					assert.LessOrEqual(t, c.Succeeded, int64(c.there), "succeeded items are on the platform")
					assert.Equal(t, c.Added, c.Succeeded+c.Failed+c.Unprocessed+c.Unknown+c.Excluded)
				}
				switch {
				case d.told:
					tellings++
				case what == "it is gone": // for example, the record that a job was created for the items
					checkFeedStats(t, d.stats, d.err, hosts)
				default:
					checkFeedStats(t, d.stats, d.err, hosts)
					checkFeed(t, d.srv, hosts)
				}
			})
			assert.Greater(t, tellings, 10/damageStride())
		})
	}
}

func TestFullSpoolStopsOnlyAdding(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
		spool := newMemSpool()
		cfg := appendConfig()
		cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 5, 2, spool, "today"
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		for n := range 10 {
			addAll(t, w, batchHost(n))
		}
		spool.mu.Lock()
		spool.refuse = func(text []byte) error {
			if bytes.Contains(text, []byte(".example")) { // a record with the items of a job
				return full
			}
			return nil
		}
		spool.mu.Unlock()
		n := 10
		for ; err == nil; n++ {
			err = w.Add(t.Context(), batchHost(n))
		}
		require.ErrorIs(t, err, full)
		require.ErrorIs(t, err, threatconnect.ErrSpool)
		require.ErrorIs(t, err, threatconnect.ErrBatchHalted)
		err = w.Close(t.Context())
		require.ErrorIs(t, err, full)
		assert.Equal(t, 10, srv.Counts(batchOwner).Indicators, "the items in the spool are imported")
		assert.Equal(t, threatconnect.BatchCounts{Added: 15, Succeeded: 10, Unprocessed: 5}, w.Stats().Indicators)

		spool.refuse = nil
		w, err = srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		require.EqualValues(t, 10, w.Resumed())
		for n := 10; n < 20; n++ {
			addAll(t, w, batchHost(n))
		}
		require.NoError(t, w.Close(t.Context()))
		assert.Equal(t, 20, srv.Counts(batchOwner).Indicators)
	})
}

// TestImportResumesAfterEveryFailedSpoolWrite makes each write of a spool fail, as on a disk that has no
// room for one record but has room for the next. The first import must report the cause, and the
// second must end with every item imported exactly once.
func TestImportResumesAfterEveryFailedSpoolWrite(t *testing.T) {
	t.Parallel()
	const hosts = 40
	items := feed(hosts)
	full := errors.New("no space left on device")
	for name, c := range map[string]struct{ written, cancels bool }{
		"before the write":    {},
		"after the write":     {written: true},
		"with a cancellation": {cancels: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at += scaletest.Stride() {
				var record string
				synctest.Test(t, func(t *testing.T) {
					srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					writes := 0
					spool := &refusingSpool{memSpool: newMemSpool(), written: c.written, refuse: func(name string) error {
						if writes++; writes < at || writes > at+1 { // it is tried twice
							return nil
						}
						if record = name; c.cancels {
							cancel()
						}
						return full
					}}
					cfg := appendConfig()
					cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 7, 2, spool, "today"
					_, err := srv.Client().Batch.Import(ctx, cfg, sequence(items))
					if record == "" {
						return
					}
					if !c.cancels && !c.written {
						require.ErrorIs(t, err, full)
						require.ErrorIs(t, err, threatconnect.ErrSpool)
					}
					stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
					checkFeed(t, srv, hosts)
					checkFeedStats(t, stats, err, hosts)
				})
				if t.Failed() {
					t.Logf("write %d, of %s, failed", at, record)
					return
				}
				if record == "" {
					assert.Greater(t, at, 40, "there are many writes")
					return
				}
			}
		})
	}
}

// refusingSpool is a spool that rejects writes, before or after they take effect. It ignores
// contexts.
type refusingSpool struct {
	*memSpool
	written bool
	mu      sync.Mutex
	refuse  func(name string) error
}

func (s *refusingSpool) Create(ctx context.Context, name string, parts [][]byte) error {
	s.mu.Lock()
	refused := s.refuse(name)
	s.mu.Unlock()
	if refused != nil && !s.written {
		return refused
	}
	if err := s.memSpool.Create(context.WithoutCancel(ctx), name, parts); err != nil {
		return err
	}
	return refused
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

// TestLinkSpillFailureRepeatsNoItem interrupts an import at an item whose links cannot be written
// to a temporary file, and resumes it.
func TestLinkSpillFailureRepeatsNoItem(t *testing.T) {
	temporary := os.TempDir()
	setTemporary := func(dir string) {
		for _, name := range []string{"TMPDIR", "TMP"} {
			t.Setenv(name, dir)
		}
	}
	setTemporary(filepath.Join(t.TempDir(), "is not there"))
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run = newMemSpool(), "today"
	items := []threatconnect.BatchItem{batchHost(0), batchHost(1)}
	for n := range 1_500 { // more than are held in memory
		xid := fmt.Sprintf("x-%0900d", n)
		items[1].(*threatconnect.Host).GroupXIDs = append(items[1].(*threatconnect.Host).GroupXIDs, xid)
		group := batchGroup(xid)
		group.Name = "a group"
		items = append(items, group)
	}
	stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, c := range []threatconnect.BatchCounts{stats.Indicators, stats.Groups, stats.Links} {
		assert.Positive(t, stats.Links.Added)
		assert.Equal(t, c.Added, c.Succeeded+c.Failed+c.Unprocessed+c.Unknown, "links that could not be held are counted")
	}

	setTemporary(temporary)
	stats, err = srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.NoError(t, err)
	assert.Equal(t, stats.Links.Added, stats.Links.Succeeded, "the record of the batch file has all links")
	require.Equal(t, 2, srv.Counts(batchOwner).Indicators)
	for _, h := range srv.Indicators(batchOwner) {
		assert.Len(t, h.Attributes, 1, "%s was imported once", h.Summary)
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
