package importer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// Links fill the last file exactly, so nothing is written after it.
func TestWatermarkIsFinalAfterFullFileOfLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{host("a.example"), link("a.example", "g1"), host("b.example"), link("b.example", "g1"), group("g1"), host("c.example")}
		w := newSmallWorld(2)
		w.mustFinish(t, feed)
	})
}

// impatiently runs a feed once for each operation of the store, or for every few of them. The caller's
// context ends at that operation, and the caller continues with a new context.
func impatiently(t *testing.T, feed []step, every int) {
	synctest.Test(t, func(t *testing.T) {
		ops := newSmallWorld(1).stores(feed)
		for n := 0; n < ops; n += every {
			w := newSmallWorld(1)
			p, err := w.run(feed, contextEnds(n))
			require.NoError(t, err, n)
			require.NoError(t, w.check(p, feed), n)
		}
	})
}

func TestRejectedItemAfterDelayedFileIsReported(t *testing.T) {
	t.Parallel()
	impatiently(t, []step{host("a.example"), refuse(), host("b.example"), refuse()}, 1)
}

func TestCancelDuringCheckpoint(t *testing.T) {
	t.Parallel()
	var feed []step
	for range 25 {
		feed = append(feed, refuse(), flush()) // one record each
	}
	every := 1
	if short() {
		every = 3
	}
	impatiently(t, feed, every)
}

func TestFailedRecordRemovalLosesNothing(t *testing.T) {
	t.Parallel()
	for op := range 3 {
		t.Run(fmt.Sprint(op), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				feed := hosts("a", 9)
				w := newSmallWorld(1)
				p, err := w.run(feed, func(p *process) {
					removals := 0
					p.trap = func(name string, after bool) {
						if name == "remove" && !after {
							if removals++; removals > 2*op && removals <= 2*op+4 { // each removal has 4 attempts
								w.disk.FailAt(len(w.disk.Ops())+2, syscall.EIO, false) // after opening the directory
							}
						}
					}
				})
				require.ErrorIs(t, err, syscall.EIO)
				require.NoError(t, p.balance())
				w.mustFinish(t, feed)
			})
		})
	}
}

// An outage after a job must lose neither names of refused items, nor items that an aborted job has
// not processed, nor contents.
func TestOutageAfterJobLosesNothing(t *testing.T) {
	t.Parallel()
	refused := []step{host("a.example"), host("bad.example"), host("b.example"), host("poison.example"), host("c.example"), host("d.example")}
	documents := []step{document("d1"), document("d2"), host("a.example")}
	for name, test := range map[string]struct {
		feed []step
		op   string
		kind faultKind
		want string // error of the process; empty if it continues
	}{
		"short, while errors are read":     {feed: refused, op: "errors 1", kind: outage, want: ""},
		"long, while errors are read":      {feed: refused, op: "errors 1", kind: collapse, want: "read the errors of batch job 1"},
		"short, while results are read":    {feed: refused, op: "results 1", kind: outage, want: ""},
		"long, while results are read":     {feed: refused, op: "results 1", kind: collapse, want: "read the errors of batch job 1"},
		"short, while content is uploaded": {feed: documents, op: "attach d1", kind: outage, want: ""},
		"long, while content is uploaded":  {feed: documents, op: "attach d1", kind: collapse, want: "upload the content of a group"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSmallWorld(10)
				w.platform.results = test.op == "results 1"
				w.platform.failAt(test.op, test.kind, 1)
				p, err := w.run(test.feed)
				if test.want != "" {
					require.ErrorContains(t, err, test.want)
					require.NoError(t, p.balance())
					time.Sleep(24 * time.Hour)
					p, err = w.run(test.feed)
				}
				require.NoError(t, err)
				require.NoError(t, w.check(p, test.feed))
			})
		})
	}
}

// A call that never succeeds and concerns only one job or group does not stop the import: the list of
// errors that a job counted, or an upload of content.
func TestPermanentlyFailingCallDoesNotStopImport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		feed                 []step
		indicators, contents item.Counts
	}{
		"errors 1": {
			feed:       []step{host("a.example"), host("bad.example"), host("b.example")},
			indicators: item.Counts{Failed: 1, Succeeded: 2},
			contents:   item.Counts{},
		},
		"attach d1": {
			feed:       []step{document("d1"), document("d2"), host("a.example")},
			indicators: item.Counts{Succeeded: 1},
			contents:   item.Counts{Succeeded: 1, Failed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newSmallWorld(10)
				w.platform.failAt(name, lost, math.MaxInt)
				p, err := w.run(test.feed)
				require.NoError(t, err)
				require.Equal(t, test.indicators, p.Stats().Outcome.Kinds[item.Indicator])
				require.Equal(t, test.contents, p.Stats().Outcome.Contents)
				require.Len(t, p.Stats().Outcome.Failures, 1)
				require.Equal(t, journal.Watermark{Seq: 3, Failed: 1}, p.Stats().Watermark)
			})
		})
	}
}

// Close waits for the job in progress if links can be stored neither in memory nor in a file.
func TestCloseAwaitsJobIfLinksCannotBeStored(t *testing.T) { // not parallel: sets TMPDIR
	t.Setenv("TMPDIR", t.TempDir()+"/nowhere")
	t.Setenv("TMP", t.TempDir()+"/nowhere")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newSmallWorld(1)
		p := w.mustStart(ctx, t)
		first, second := host("a.example"), host("b.example", strings.Repeat("x", 1<<20))
		require.NoError(t, p.add(ctx, &first))
		time.Sleep(100 * time.Millisecond) // its job runs
		require.NoError(t, p.add(ctx, &second))
		p.Close(ctx, nil)
		require.Error(t, p.Cause())
		require.NoError(t, p.balance())
		require.Equal(t, item.Counts{Succeeded: 1, Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Indicator])
		require.True(t, p.Kept())
	})
}

// Stop ends an Add that waits for a store that hangs. Close then does not wait for the store.
func TestStopUnblocksAddWaitingForStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := hosts("a", 2)
		w := newSmallWorld(1)
		p := w.mustStart(ctx, t)
		p.store = hanging{p.store}
		added := make(chan error)
		go func() { added <- errors.Join(p.add(ctx, &feed[0]), p.add(ctx, &feed[1])) }()
		synctest.Wait()
		p.Stop(errDead)
		require.ErrorIs(t, <-added, errDead)
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), errDead)
		require.NoError(t, p.balance())
		require.True(t, p.Kept())
		w.mustFinish(t, feed)
	})
}

// hanging is a store whose Create blocks until its context ends.
type hanging struct{ journal.Store }

func (hanging) Create(ctx context.Context, _ string, _ [][]byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// The file of a deleted job may have been processed, so it is not sent again.
func TestMissingJobHasUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := hosts("a", 2)
		w := newSmallWorld(2)
		w.platform.failAt("status 1", death, 1)
		_, err := w.run(feed)
		require.Error(t, err)
		w.platform.work(time.Now().Add(time.Hour))
		delete(w.platform.jobs, 1)

		p, err := w.run(feed)
		require.ErrorIs(t, err, deliver.ErrLost)
		require.NoError(t, p.balance())
		require.Equal(t, item.Counts{Unknown: 2}, p.Stats().Outcome.Kinds[item.Indicator])
		require.Equal(t, []int64{1}, p.Stats().Outcome.Lost)
		p, err = w.run(feed)
		require.NoError(t, err)
		require.Equal(t, item.Counts{Unknown: 2}, p.Stats().Outcome.Kinds[item.Indicator])
		require.Equal(t, map[string]int{"Host a0.example": 1, "Host a1.example": 1}, w.platform.arrived)
	})
}

// Flush sends a link whose group was added, even if nothing else was added since the last file and an
// earlier link is still deferred.
func TestFlushSendsReadyLinks(t *testing.T) {
	t.Parallel()
	for name, withoutStore := range map[string]bool{"kept": false, "not kept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				feed := []step{host("a.example"), link("a.example", "g2"), link("a.example", "g1"), flush(), group("g1"), host("b.example"), flush()}
				w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 1, withoutStore: withoutStore})
				p := w.mustStart(ctx, t, feed...)
				require.Equal(t, 1, w.platform.arrived["Host a.example - group g1"])
				require.Zero(t, w.platform.arrived["Host a.example - group g2"])
				require.Equal(t, withoutStore, p.Stats().Totals.Sum == item.Sum{}, "only a store needs a sum")
				feed = append(feed, group("g2"))
				p.mustAdd(t, feed[len(feed)-1])
				p.Close(ctx, nil)
				require.NoError(t, w.check(p, feed))
			})
		})
	}
}

func TestUnsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		feed := []step{host("a.example"), host("b.example"), link("a.example", "g1"), host("c.example"), host("d.example")}
		size := item.Frame + 2*(len(feed[0].item.JSON)+1)
		w := newWorld(setup{maxItems: 10, maxBytes: size, concurrency: 1})
		p := w.mustStart(ctx, t)
		require.False(t, p.Unsent())
		require.Zero(t, p.Stats().Elapsed)
		p.mustAdd(t, feed[0])
		require.True(t, p.Unsent(), "an incomplete file")
		p.mustAdd(t, feed[1])
		require.False(t, p.Unsent(), "the file has the maximum size")
		p.mustAdd(t, feed[2])
		require.True(t, p.Unsent(), "a deferred link")
		p.mustAdd(t, flush())
		require.True(t, p.Unsent())
		feed = append(feed, group("g1"))
		p.mustAdd(t, feed[5])
		p.mustAdd(t, flush())
		require.False(t, p.Unsent())
		p.trap = func(string, bool) { cancel(errors.New("the caller does not wait")) }
		p.mustAdd(t, feed[3:5]...)
		require.Error(t, ctx.Err())
		require.True(t, p.Unsent(), "a file that is not stored yet")
		_, err := p.Flush(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Positive(t, p.Stats().Elapsed)
		p.Close(context.Background(), nil)
		feed = append(slices.Clone(feed[:3]), feed[5], feed[3], feed[4])
		require.NoError(t, w.check(p, feed))
		require.False(t, p.Unsent())
	})
}

func TestFilesRespectSizeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{group("g1"), link("a0.example", "g1")}
		for i, h := range hosts("a", 12) {
			feed = append(feed, h.wide(37*i%200), link("a0.example", "g2").wide(i))
		}
		feed = append(feed, group("g2"))
		w := newWorld(setup{maxItems: 10, maxBytes: 500, concurrency: 2})
		p, err := w.run(feed)
		require.NoError(t, err)
		require.Empty(t, w.platform.wrong)
		require.NoError(t, p.balance())
	})
}

func TestExcludedReferenceIsCountedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _, err := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1, withoutStore: true}).start(context.Background())
		require.NoError(t, err)
		h := without(host("a.example"), "private")
		for n := range int64(2) {
			p.mustAdd(t, h)
			require.Equal(t, n+1, p.Stats().Totals.Kinds[item.Link])
			require.Equal(t, n+1, p.Stats().Totals.Excluded[item.Link])
		}
		p.Close(context.Background(), nil)
		require.EqualValues(t, 2, p.Stats().Totals.Kinds[item.Link])
	})
}

// The hashes of groups depend on the seed, which is new for each import.
func TestEachImportHasOwnSeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		seeds, hashes := map[string]bool{}, map[string]bool{}
		for range 3 {
			w := newSmallWorld(1)
			p := w.mustStart(ctx, t)
			g := group("g1")
			p.mustAdd(t, g)
			names, err := p.store.Names(ctx)
			require.NoError(t, err)
			for _, name := range names {
				text, err := p.store.Read(ctx, name)
				require.NoError(t, err)
				if m := regexp.MustCompile(`"Seed":"([^"]+)"`).FindSubmatch(text); m != nil {
					seeds[string(m[1])] = true
				}
				if m := regexp.MustCompile(`"Parts":\[[^}]*},{"Size":[1-9]\d*,"Sum":(\d+)}`).FindSubmatch(text); m != nil {
					hashes[string(m[1])] = true
				}
			}
			p.Close(ctx, nil)
		}
		require.Len(t, seeds, 3)
		require.Len(t, hashes, 3)
	})
}

// A file that waits for earlier files does not delay the next one.
func TestWaitingFileDoesNotDelayNextFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("a.example"), link("a.example", "old"), host("b.example")}
		w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 3, known: []string{"old"}})
		p := w.mustStart(ctx, t, feed[:2]...)
		_, err := p.Flush(ctx)
		require.NoError(t, err)
		p.mustAdd(t, feed[2])
		time.Sleep(100 * time.Millisecond)
		w.platform.mu.Lock()
		sent := strings.Join(w.platform.log, "")
		w.platform.mu.Unlock()
		require.Contains(t, sent, "b.example")
		require.NotContains(t, sent, "ref_2")
		gone, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, p.Wait(gone, 3), context.Canceled)
		p.Close(ctx, nil)
		require.NoError(t, w.check(p, feed))
	})
}

// Refused items beyond the listed ones are counted once, in the record of any file.
func TestUnlistedRejectedItemsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var feed []step
		for range item.MaxFailures + 100 {
			feed = append(feed, refuse())
		}
		feed = append(feed, host("a.example"))
		for range 50 {
			feed = append(feed, refuse())
		}
		feed = append(feed, host("b.example"), host("c.example"))
		w := newSmallWorld(1)
		p, err := w.run(feed)
		require.NoError(t, err)
		require.NoError(t, p.balance())
		st := p.Stats()
		require.Len(t, st.Outcome.Failures, item.MaxFailures)
		require.EqualValues(t, 150, st.Outcome.More)
	})
}

// Deferred links fill files like other items.
func TestWaitingLinksShareOneFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{host("a.example", "g1"), host("b.example", "g1"), host("c.example", "g1"), flush(), group("g1"), flush()}
		w := newSmallWorld(10)
		p, err := w.run(feed)
		require.NoError(t, err)
		require.NoError(t, w.check(p, feed))
		require.EqualValues(t, 2, p.Stats().Outcome.Jobs)
	})
}
