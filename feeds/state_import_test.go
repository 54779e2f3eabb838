package feeds

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// daily is a program that imports a feed into the test server.
type daily struct {
	srv   *threatconnecttest.Server
	store Store
	spool string
}

func newDaily(t *testing.T) *daily {
	t.Helper()
	return &daily{srv: threatconnecttest.NewT(t), store: fileStoreIn(t), spool: filepath.Join(t.TempDir(), "spool")}
}

// process describes a process of the program.
type process struct {
	run     string // name of the import in the spool; empty means no spool
	version string // of the feed
	items   []threatconnect.BatchItem
	stop    int  // event at which the process is stopped, from 1; 0 means none
	kill    bool // the process stops without a call of Save
}

// start runs a process. It returns the state and the statistics of the import.
func (d *daily) start(t *testing.T, p process) (*State, threatconnect.BatchStats) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := openState(t, d.store, named(p.run))
	if s.Cursor().Position == p.version { // the feed has not changed
		require.NoError(t, s.Save(ctx, threatconnect.BatchStats{}, nil))
		require.NoError(t, s.Close())
		d.holds(t, p.items)
		return s, threatconnect.BatchStats{}
	}
	s.SetCursor(threatconnect.Cursor{Source: "feed", Position: p.version})
	config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace, MaxItems: 3, KnownGroup: s.KnownGroup, OnError: s.OnError}
	if p.run != "" {
		config.Spool, config.Run = threatconnect.NewDirSpool(d.spool), p.run
	}
	events := 0
	config.OnEvent = func(threatconnect.BatchEvent) {
		if events++; events == p.stop {
			cancel()
		}
	}
	stats, err := d.srv.Client().Batch.Import(ctx, config, s.Changed(sequence(p.items, false)))
	if !p.kill || p.stop == 0 || ctx.Err() == nil {
		require.NoError(t, s.Save(ctx, stats, err))
	}
	require.NoError(t, s.Close())
	return s, stats
}

// holds checks that the owner contains the hosts of a feed, with their ratings and groups.
func (d *daily) holds(t *testing.T, items []threatconnect.BatchItem) {
	t.Helper()
	for _, item := range items {
		if h, ok := item.(*threatconnect.Host); ok {
			got, found := d.srv.Indicator("Example Source", "Host", h.HostName)
			require.True(t, found, h.HostName)
			require.InDelta(t, *h.Rating, *got.Rating, 0, h.HostName)
			require.Subset(t, got.Groups, h.GroupXIDs, h.HostName)
		}
	}
}

func TestRestartResumesSpooledImport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, kill := range []bool{true, false} {
			d := newDaily(t)
			_, _ = d.start(t, process{run: "monday", version: "1", items: hosts(0, 60)})
			var items []threatconnect.BatchItem
			for n := range 60 {
				items = append(items, host(n, float64(1+n%2)))
			}
			for stop := range 3 { // the process is stopped several times
				s, _ := d.start(t, process{run: "tuesday", version: "2", items: items, stop: 3 + stop, kill: kill})
				assert.Empty(t, s.Reason())
			}
			s, stats := d.start(t, process{run: "tuesday", version: "2", items: items})
			assert.Empty(t, s.Reason())
			assert.EqualValues(t, 30, stats.Indicators.Succeeded, "the counts cover the whole import")
			unchanged, _ := s.Counts()
			assert.EqualValues(t, 30, unchanged)
			d.holds(t, items)
			s, stats = d.start(t, process{run: "wednesday", version: "3", items: items})
			assert.Empty(t, s.Reason())
			assert.Zero(t, stats.Total().Added)
			assert.Equal(t, threatconnect.Cursor{Source: "feed", Position: "2"}, s.Cursor())
		}
	})
}

// If the feed changes between the crash and the restart, it is unknown which items the dead process sent. The next run
// does not assume that the items that the restart skipped are unchanged.
func TestFeedChangesBetweenCrashAndRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		before, changed := hosts(0, 6), []threatconnect.BatchItem{host(0, 5), host(1, 5), host(2, 5), host(3, 5), host(4, 1), host(5, 1)}
		d.start(t, process{run: "monday", version: "1", items: before})
		d.start(t, process{run: "tuesday", version: "2", items: changed, stop: 3, kill: true})
		_, _ = d.start(t, process{run: "tuesday", version: "3", items: append(before, host(7, 1))})
		s, _ := d.start(t, process{run: "wednesday", version: "3", items: append(before, host(7, 1))})
		assert.True(t, s.Cursor().IsZero(), "the feed is read again, although it has not changed")
		d.holds(t, append(before, host(7, 1)))
		_, stats := d.start(t, process{run: "thursday", version: "4", items: append(before, host(7, 1))})
		assert.Zero(t, stats.Total().Added)
	})
}

// The process dies between the end of the import and Save.
func TestCrashBetweenImportAndSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		d.start(t, process{run: "monday", version: "1", items: hosts(0, 4)})
		changed := []threatconnect.BatchItem{host(0, 5), host(1, 1)}
		s := openState(t, d.store, named("tuesday"))
		config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace, Spool: threatconnect.NewDirSpool(d.spool), Run: "tuesday"}
		_, err := d.srv.Client().Batch.Import(t.Context(), config, s.Changed(sequence(changed, false)))
		require.NoError(t, err)
		require.NoError(t, s.Close())

		_, stats := d.start(t, process{run: "tuesday", version: "2", items: changed})
		assert.EqualValues(t, 1, stats.Indicators.Succeeded, "the import is not repeated")
		s, _ = d.start(t, process{run: "wednesday", version: "3", items: hosts(0, 4)})
		assert.NotEmpty(t, s.Reason())
		d.holds(t, hosts(0, 4))
	})
}

func TestServerHasLatestFeedAfterFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopped, skipped, faults := 0, 0, 0
		for seed := range scaletest.N(uint64(12)) {
			random := rand.New(rand.NewPCG(seed, 7))
			d := newDaily(t)
			feed := func() (items []threatconnect.BatchItem) {
				for n := range 3 {
					items = append(items, group(fmt.Sprintf("x-%d", n)))
				}
				for n := range 12 {
					if random.IntN(5) > 0 {
						items = append(items, host(n, float64(random.IntN(6)), fmt.Sprintf("x-%d", random.IntN(3))))
					}
				}
				return items
			}
			var items []threatconnect.BatchItem
			version := 0
			for day := range 10 {
				for attempt := 0; ; attempt++ {
					if attempt == 0 || random.IntN(3) == 0 {
						if random.IntN(4) > 0 || version == 0 {
							items = feed()
							version++
						} else {
							skipped++
						}
					}
					p := process{version: strconv.Itoa(version), items: items, kill: random.IntN(2) == 0}
					if seed%4 > 0 {
						p.run = fmt.Sprintf("day %d", day)
					}
					if random.IntN(2) == 0 {
						p.stop = 1 + random.IntN(12)
					}
					if random.IntN(3) == 0 {
						require.NoError(t, d.srv.Inject(threatconnecttest.FaultMix(random.Uint64(), 0.2, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultStatus)))
					}
					d.start(t, p)
					d.srv.ClearFaults()
					if p.stop == 0 || attempt == 3 {
						break
					}
					stopped++
				}
			}
			for _, n := range d.srv.FaultCounts() {
				faults += n
			}
			d.start(t, process{run: "last but one", version: strconv.Itoa(version), items: items})
			d.start(t, process{run: "last", version: strconv.Itoa(version), items: items})
			d.holds(t, items)
			_, stats := d.start(t, process{run: "after", version: "none", items: items})
			assert.Zero(t, stats.Total().Added)
		}
		assert.Positive(t, min(stopped, skipped, faults))
	})
}

func TestDeletedGroupIsResent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		items := []threatconnect.BatchItem{group("x-1"), host(1, 1, "x-1")}
		d.start(t, process{version: "1", items: items})
		_, err := d.srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{Owner: "Example Source", Action: threatconnect.BatchDelete}, sequence(items[:1], false))
		require.NoError(t, err)
		items = append(items, host(2, 1, "x-1"))
		s, stats := d.start(t, process{version: "2", items: items})
		unchanged, _ := s.Counts()
		assert.Equal(t, []int64{2, 1}, []int64{unchanged, stats.Total().Failed + stats.Links.Failed}, "the state does not know of the deletion")
		s, stats = d.start(t, process{version: "2", items: items})
		assert.Empty(t, s.Reason())
		assert.EqualValues(t, 2, stats.Total().Succeeded)
		d.holds(t, items[2:])
	})
}

func TestDeletedGroupOfMergedItemsIsResent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		items := []threatconnect.BatchItem{group("x-1"), host(1, 1, "x-1")}
		day := func() threatconnect.BatchStats {
			s := openState(t, d.store)
			config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace, KnownGroup: s.KnownGroup, OnError: s.OnError}
			stats, err := d.srv.Client().Batch.Import(t.Context(), config, s.Changed(threatconnect.MergeItems(t.Context(), sequence(items, false), nil)))
			require.NoError(t, s.Save(t.Context(), stats, err))
			require.NoError(t, s.Close())
			return stats
		}
		assert.EqualValues(t, 2, day().Total().Succeeded)
		_, err := d.srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{Owner: "Example Source", Action: threatconnect.BatchDelete}, sequence(items[:1], false))
		require.NoError(t, err)
		items = append(items, host(2, 1, "x-1"))
		assert.EqualValues(t, 1, day().Total().Failed, "the state does not know of the deletion")
		assert.EqualValues(t, 2, day().Total().Succeeded)
		d.holds(t, items[2:])
		assert.Zero(t, day().Total().Added)
	})
}

func TestRejectedItemsAreSentInEachRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		bad := host(9, 1)
		bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
		invalid := threatconnect.NewHost("not a host")
		items := []threatconnect.BatchItem{host(1, 1), bad, invalid, host(2, 1)}
		d.start(t, process{version: "1", items: items})
		for range 2 {
			s, stats := d.start(t, process{version: "1", items: items})
			unchanged, _ := s.Counts()
			assert.Equal(t, []int64{2, 1, 1}, []int64{unchanged, stats.Indicators.Failed, stats.Invalid})
		}
		require.NoError(t, d.srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Method: http.MethodPost, Route: "/v2/batch", Times: -1}))
		_, stats := d.start(t, process{version: "2", items: []threatconnect.BatchItem{host(1, 1), host(2, 4)}})
		assert.EqualValues(t, 1, stats.Indicators.Unprocessed)
		d.srv.ClearFaults()
		_, stats = d.start(t, process{version: "2", items: []threatconnect.BatchItem{host(1, 1), host(2, 4)}})
		assert.EqualValues(t, 1, stats.Indicators.Succeeded)
	})
}

// The state records excluded items as well, so other exclusions need other settings.
func TestChangedExclusionsNeedOtherSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaily(t)
		s := openState(t, d.store)
		config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace, OnError: s.OnError,
			Exclude: func(_, value string) (string, bool) { return "listed", value == "h1.example" }}
		stats, err := d.srv.Client().Batch.Import(t.Context(), config, s.Changed(sequence(hosts(0, 2), false)))
		require.NoError(t, errors.Join(err, s.Save(t.Context(), stats, err)))
		assert.EqualValues(t, 1, stats.Indicators.Excluded)
		assert.Empty(t, run(t, d.store, hosts(0, 2)...))
		other := openState(t, d.store, func(o *StateOptions) { o.Settings = "no exclusions" })
		assert.Equal(t, []int{0, 1}, runWith(t, other, fate{}, hosts(0, 2)...))
	})
}
