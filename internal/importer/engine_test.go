package importer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// Links fill the last file exactly, so nothing is written after the file.
func TestTheWatermarkIsFinalIfTheLastFileIsFullOfLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{host("a.example"), link("a.example", "g1"), host("b.example"), link("b.example", "g1"), group("g1"), host("c.example")}
		w := newSmallWorld(2)
		p, err := w.run(feed)
		require.NoError(t, err)
		require.NoError(t, w.check(p, feed))
	})
}

// impatiently runs a feed once for each operation of the store, each time with a caller whose context ends there and
// who goes on with another one.
func impatiently(t *testing.T, feed []step) {
	synctest.Test(t, func(t *testing.T) {
		for n := range newSmallWorld(1).stores(feed) {
			w := newSmallWorld(1)
			p, err := w.run(feed, contextEnds(n))
			require.NoError(t, err, n)
			require.NoError(t, w.check(p, feed), n)
		}
	})
}

func TestARefusedItemIsNamedIfTheFileBeforeItWasKeptLater(t *testing.T) {
	t.Parallel()
	impatiently(t, []step{host("a.example"), refuse(), host("b.example"), refuse()})
}

func TestAContextThatEndsDuringACheckpointDamagesNothing(t *testing.T) {
	t.Parallel()
	var feed []step
	for range 25 {
		feed = append(feed, refuse(), flush()) // each is a record
	}
	impatiently(t, feed)
}

func TestARemovalThatFailsDamagesNothing(t *testing.T) {
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
							if removals++; removals > 2*op && removals <= 2*op+4 { // it is tried 4 times
								w.disk.FailAt(len(w.disk.Ops())+2, syscall.EIO, false) // after the directory was opened
							}
						}
					}
				})
				require.ErrorIs(t, err, syscall.EIO)
				require.NoError(t, p.balance())
				p, err = w.run(feed)
				require.NoError(t, err)
				require.NoError(t, w.check(p, feed))
			})
		})
	}
}

// An outage after a job must lose neither the names of the refused items, nor what an item that ended the job has kept
// from being processed, nor content.
func TestAnOutageAfterAJobLosesNothing(t *testing.T) {
	t.Parallel()
	refused := []step{host("a.example"), host("bad.example"), host("b.example"), host("poison.example"), host("c.example"), host("d.example")}
	documents := []step{document("d1"), document("d2"), host("a.example")}
	for name, test := range map[string]struct {
		feed []step
		op   string
		kind faultKind
		want string // the error of the process; empty if it goes on
	}{
		"short, while errors are read":     {refused, "errors 1", outage, ""},
		"long, while errors are read":      {refused, "errors 1", collapse, "read the errors of batch job 1"},
		"short, while results are read":    {refused, "results 1", outage, ""},
		"long, while results are read":     {refused, "results 1", collapse, "read the errors of batch job 1"},
		"short, while content is uploaded": {documents, "attach d1", outage, ""},
		"long, while content is uploaded":  {documents, "attach d1", collapse, "upload the content of a group"},
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

// A call about one job or group that never succeeds does not stop the import: a list of errors, of which the platform
// has counted what it could not list, or content.
func TestACallThatNeverSucceedsDoesNotStopAnImport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		feed                 []step
		indicators, contents item.Counts
	}{
		"errors 1":  {[]step{host("a.example"), host("bad.example"), host("b.example")}, item.Counts{Failed: 1, Succeeded: 2}, item.Counts{}},
		"attach d1": {[]step{document("d1"), document("d2"), host("a.example")}, item.Counts{Succeeded: 1}, item.Counts{Succeeded: 1, Failed: 1}},
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

// A process that has lost its import finds out at its next record, whatever the other one has done by then: the record
// that stands in the way can be gone before the slot is tried, and before it is read.
func TestAProcessFindsOutThatAnotherHasFinishedItsImport(t *testing.T) {
	t.Parallel()
	for name, tried := range map[string]bool{"before it writes": false, "before it reads": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				feed := hosts("a", 3)
				w := newSmallWorld(1)
				first, _, err := w.start(ctx)
				require.NoError(t, err)
				second, _, err := w.start(ctx)
				require.NoError(t, err)
				first.trap = func(op string, after bool) {
					if after == tried {
						first.trap = nil
						for i := range feed {
							require.NoError(t, second.add(ctx, &feed[i]))
						}
						second.Close(ctx, nil)
					}
				}
				_ = first.add(ctx, &feed[0])
				first.Close(ctx, nil)
				require.ErrorIs(t, first.Cause(), journal.ErrLost)
				require.NoError(t, first.balance())
				require.NoError(t, second.Cause())
				third, finished, err := w.start(ctx) // it removes what the first one has left
				require.NoError(t, err)
				require.True(t, finished)
				require.NoError(t, w.check(third, feed))
			})
		})
	}
}

// A process can open an import while another one replaces the records that it reads.
func TestAnImportIsOpenedWhileItsRecordsAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := hosts("a", 30)
		w := newSmallWorld(1)
		first, _, err := w.start(ctx)
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, first.add(ctx, &feed[i]))
		}
		second, err := w.run(feed, func(p *process) {
			p.trap = func(_ string, after bool) {
				if !after {
					return
				}
				p.trap = nil // the names were listed
				for i := range 20 {
					require.NoError(t, first.add(ctx, &feed[3+i]))
				}
				require.NoError(t, first.add(ctx, &step{flush: true}))
			}
		})
		require.NoError(t, err)
		require.NoError(t, w.check(second, feed))
		first.Close(ctx, nil)
		require.ErrorIs(t, first.Cause(), journal.ErrLost)
	})
}

// Each process that opens an import leaves a record, also if it does nothing else.
func TestProcessesThatDieAtOnceDoNotFillTheSpool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newSmallWorld(1)
		for range 100 {
			p, _, err := w.start(ctx)
			require.NoError(t, err)
			names, err := p.store.Names(ctx)
			require.NoError(t, err)
			require.LessOrEqual(t, len(names), 4+20)
			p.Stop(errDead)
			p.Close(ctx, nil)
		}
	})
}

// The job under way is waited for when links find no place in memory or in a file.
func TestAJobUnderWayIsWaitedForIfNothingMoreCanBeHeld(t *testing.T) { // not in parallel: it sets the place for files
	t.Setenv("TMPDIR", t.TempDir()+"/nowhere")
	t.Setenv("TMP", t.TempDir()+"/nowhere")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newSmallWorld(1)
		p, _, err := w.start(ctx)
		require.NoError(t, err)
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

// Whoever closes an import does not wait for a store that hangs while another goroutine adds.
func TestStopEndsAnAddThatWaitsForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := hosts("a", 2)
		w := newSmallWorld(1)
		p, _, err := w.start(ctx)
		require.NoError(t, err)
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
		p, err = w.run(feed)
		require.NoError(t, err)
		require.NoError(t, w.check(p, feed))
	})
}

// hanging is a store whose Create returns when its context ends.
type hanging struct{ journal.Store }

func (hanging) Create(ctx context.Context, _ string, _ [][]byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// The file of a job that is gone may have been processed, so it is not sent again.
func TestAJobThatIsGoneIsUnknown(t *testing.T) {
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
