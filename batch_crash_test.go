package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

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
func damageStride() int { return scaletest.Short(9, 1) }

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
