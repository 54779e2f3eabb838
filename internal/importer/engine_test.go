package importer_test

import (
	"context"
	"errors"
	"fmt"
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
		w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 1})
		p, err := w.run(feed)
		require.NoError(t, err)
		require.NoError(t, w.check(p, feed))
	})
}

// impatiently runs a feed once for each operation of the store, each time with a caller whose context ends there and
// who goes on with another one.
func impatiently(t *testing.T, feed []step) {
	synctest.Test(t, func(t *testing.T) {
		count := 0
		_, _ = newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1}).run(feed, func(p *process) { p.trap = func(string, bool) { count++ } })
		for n := range count {
			w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1})
			p, err := w.run(feed, contextEnds(n))
			require.NoError(t, err, n)
			require.NoError(t, w.check(p, feed), n)
		}
	})
}

// contextEnds ends the context of the caller at an operation of the store.
func contextEnds(n int) func(*process) {
	return func(p *process) {
		ctx, cancel := context.WithCancelCause(context.Background())
		p.context = ctx
		at := 0
		p.trap = func(string, bool) {
			if at == n {
				cancel(errors.New("the caller does not wait"))
			}
			at++
		}
	}
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
				w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1})
				p, err := w.run(feed, func(p *process) {
					removals := 0
					p.trap = func(name string, after bool) {
						if name == "remove" && !after {
							if removals++; removals == 2*op+1 {
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

// An outage while the errors of a job are read must lose neither the names of the refused items nor what an item that
// ended the job has kept from being processed.
func TestAnOutageWhileErrorsAreReadLosesNothing(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]faultKind{"short": outage, "long": collapse} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				feed := []step{host("a.example"), host("bad.example"), host("b.example"), host("poison.example"), host("c.example"), host("d.example")}
				w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1})
				w.platform.trap = func(op string) fault {
					if op == "errors 1" {
						w.platform.trap = nil
						return fault{kind: kind}
					}
					return fault{}
				}
				p, err := w.run(feed)
				if kind == collapse {
					require.ErrorContains(t, err, "read the errors of batch job 1")
					require.NoError(t, p.balance())
					time.Sleep(24 * time.Hour)
					p, err = w.run(feed)
				}
				require.NoError(t, err)
				require.NoError(t, w.check(p, feed))
			})
		})
	}
}

// A list of errors that fails for good does not stop the import. The platform has counted what it could not list.
func TestErrorsThatCannotBeReadDoNotStopAnImport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{host("a.example"), host("bad.example"), host("b.example")}
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1})
		w.platform.trap = func(op string) fault {
			if op == "errors 1" {
				return fault{kind: lost}
			}
			return fault{}
		}
		p, err := w.run(feed)
		require.NoError(t, err)
		require.Equal(t, item.Counts{Failed: 1, Succeeded: 2}, p.Stats().Outcome.Kinds[item.Indicator])
		require.Len(t, p.Stats().Outcome.Failures, 1)
	})
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
				w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1})
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
		w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1})
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
		w := newWorld(setup{maxItems: 1, maxBytes: 10_000, concurrency: 1})
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

func TestAnOutageWhileContentIsUploadedLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{document("d1"), document("d2"), host("a.example")}
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1})
		w.platform.trap = func(op string) fault {
			if op == "attach d1" {
				w.platform.trap = nil
				return fault{kind: collapse}
			}
			return fault{}
		}
		p, err := w.run(feed)
		require.ErrorContains(t, err, "upload the content of a group")
		require.NoError(t, p.balance())
		time.Sleep(24 * time.Hour)
		p, err = w.run(feed)
		require.NoError(t, err)
		require.NoError(t, w.check(p, feed))
	})
}

// Content that the platform never takes does not stop the import.
func TestContentThatCannotBeUploadedHasFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{document("d1"), document("d2"), host("a.example")}
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1})
		w.platform.trap = func(op string) fault {
			if op == "attach d1" {
				return fault{kind: lost}
			}
			return fault{}
		}
		p, err := w.run(feed)
		require.NoError(t, err)
		require.Equal(t, item.Counts{Succeeded: 1, Failed: 1}, p.Stats().Outcome.Contents)
	})
}

// The file of a job that is gone may have been processed, so it is not sent again.
func TestAJobThatIsGoneIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := hosts("a", 2)
		w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 1})
		w.platform.trap = func(op string) fault {
			if op == "status 1" {
				return fault{kind: death}
			}
			return fault{}
		}
		_, err := w.run(feed)
		require.Error(t, err)
		w.platform.trap = nil
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
