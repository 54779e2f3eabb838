package importer_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Deferred links that cannot be stored count as unprocessed. The test is not parallel because it sets
// TMPDIR.
func TestUnstorableAssociationEndsImport(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000_000, concurrency: 1, withoutStore: true})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example"), link("a.example", "g1").wide(600_000), link("a.example", "g2").wide(600_000)}
		p.mustAdd(t, feed[:2]...)
		require.ErrorIs(t, p.add(ctx, &feed[2]), fs.ErrNotExist)
		require.ErrorIs(t, p.Ended(), importer.ErrEnded)
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), fs.ErrNotExist)
		require.NoError(t, p.balance())
		require.EqualValues(t, 2, p.Stats().Totals.Added)
		require.Equal(t, item.Counts{Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Association])
	})
}

// An association that is lost in a flush ends the import and is counted.
func TestAssociationLostInFlushEndsImport(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000_000, concurrency: 1, withoutStore: true})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example"), link("a.example", "g1").wide(600_000), link("a.example", "g2").wide(600_000)}
		p.mustAdd(t, feed...)
		t.Setenv("TMPDIR", filepath.Join(os.Getenv("TMPDIR"), "missing"))
		_, err := p.Flush(ctx)
		require.ErrorIs(t, err, fs.ErrNotExist)
		p.Close(ctx, nil)
		require.NoError(t, p.balance())
		require.ErrorIs(t, p.Cause(), fs.ErrNotExist)
		require.Equal(t, item.Counts{Unprocessed: 2}, p.Stats().Outcome.Kinds[item.Association])
		require.Equal(t, item.Counts{Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Indicator])
	})
}

// A file that was complete before the error is stored when the import closes.
func TestCloseRecordsUnrecordedFile(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		w := newWorld(setup{maxItems: 1, maxBytes: 10_000_000, concurrency: 1})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example"), link("a.example", "g1").wide(600_000), link("a.example", "g2").wide(600_000)}
		p.trap = func(string, bool) { cancel(errors.New("the caller does not wait")) }
		p.mustAdd(t, feed[0])
		ctx = context.Background()
		p.mustAdd(t, feed[1])
		require.ErrorIs(t, p.add(ctx, &feed[2]), fs.ErrNotExist)
		p.Close(ctx, nil)
		require.NoError(t, p.balance())
		p = w.mustStart(ctx, t)
		require.EqualValues(t, 1, p.Resumed().Added)
		p.Close(ctx, nil)
		require.NoError(t, w.check(p, feed[:1]))
	})
}

func TestUnstorableReferenceEndsImport(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 3, maxBytes: 10_000_000, concurrency: 1, withoutStore: true})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example", strings.Repeat("g", 200_000)), host("b.example", strings.Repeat("h", 200_000)), host("c.example", strings.Repeat("i", 200_000))}
		p.mustAdd(t, feed...)
		require.ErrorIs(t, p.Ended(), fs.ErrNotExist)
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), fs.ErrNotExist)
		require.NoError(t, p.balance())
	})
}

// An import that has ended sends nothing more, even if the spool fails later.
func TestEndedImportSendsNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("bad.example"), host("a.example"), host("b.example").wide(200), host("c.example").wide(200), host("d.example")}
		w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 2, limit: 400, halt: true})
		p := w.mustStart(ctx, t)
		for i := range feed {
			p.mustAdd(t, feed[i])
			time.Sleep(10 * time.Millisecond) // the first file gets the first job
		}
		require.NoError(t, p.Wait(ctx, 1))
		require.ErrorIs(t, p.Cause(), deliver.ErrHalted)
		w.disk.SetRoom(0) // the last file cannot be stored
		time.AfterFunc(time.Millisecond, func() { w.disk.SetRoom(-1) })
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), deliver.ErrHalted)
		require.NoError(t, p.balance())
		w.platform.work(time.Now().Add(time.Hour))
		require.Equal(t, map[string]int{hostKey("b.example"): 1}, w.platform.arrived)
		require.Equal(t, item.Counts{Succeeded: 1, Failed: 1, Unprocessed: 3}, p.Stats().Outcome.Kinds[item.Indicator], "the job that is running completes")
	})
}

// Close sends nothing if its context has ended. An import with a store can be resumed.
func TestCloseWithEndedContext(t *testing.T) {
	t.Parallel()
	for name, withoutStore := range map[string]bool{"kept": false, "not kept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				cancel(errors.New("the caller does not wait"))
				feed := hosts("a", 3)
				w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1, withoutStore: withoutStore})
				p := w.mustStart(context.Background(), t, feed[:2]...)
				p.Close(ctx, nil)
				require.ErrorIs(t, p.Cause(), context.Canceled)
				require.ErrorContains(t, p.Cause(), "the caller does not wait")
				require.Equal(t, !withoutStore, p.Kept())
				require.Equal(t, item.Counts{Unprocessed: 2}, p.Stats().Outcome.Kinds[item.Indicator])
				require.NoError(t, p.balance())
				last, err := w.run(feed)
				require.NoError(t, err)
				require.NoError(t, w.check(last, feed))
			})
		})
	}
}

// A link that could not be stored is in no file.
func TestCloseWithUnrecordedLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("the caller does not wait"))
		feed := []step{link("a.example", "g1"), host("a.example"), group("g1")}
		w := newSmallWorld(10)
		p := w.mustStart(context.Background(), t, feed[0])
		require.EqualValues(t, 1, p.Stats().Totals.Deferred)
		_, err := p.Flush(ctx)
		require.ErrorIs(t, err, context.Canceled)
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), context.Canceled)
		require.Equal(t, item.Counts{Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Association])
		require.NoError(t, p.balance())
		w.mustFinish(t, feed)
	})
}

func TestContextEndsWithImport(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process){
		"closed":  func(p *process) { p.Close(context.Background(), nil) },
		"stopped": func(p *process) { p.Stop(errDead) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newSmallWorld(1).mustStart(context.Background(), t)
				require.NoError(t, p.Context().Err())
				end(p)
				require.Error(t, p.Context().Err())
				if name != "closed" {
					h := host("a.example")
					require.ErrorIs(t, p.Add(context.Background(), &h.item), importer.ErrEnded)
					require.Zero(t, p.Added())
				}
				want, ended := importer.ErrEnded, error(nil)
				if name != "closed" {
					want, ended = errDead, errDead
				}
				require.ErrorIs(t, context.Cause(p.Context()), want)
				require.Equal(t, ended, p.Cause())
				require.Equal(t, name != "closed", p.Kept())
			})
		})
	}
}

// If the sequence of items fails, Close still sends the added items, and the import can be resumed.
func TestCloseWithSequenceErrorIsResumable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("a.example"), host("b.example"), host("c.example"), link("a.example", "g1"), group("g1"), host("d.example")}
		w := newSmallWorld(2)
		p := w.mustStart(ctx, t, feed[:5]...)
		p.Close(ctx, errRule)
		require.Equal(t, errRule, p.Cause())
		require.True(t, p.Kept())
		require.Equal(t, item.Counts{Succeeded: 3}, p.Stats().Outcome.Kinds[item.Indicator])
		require.NoError(t, p.balance())

		p, finished, err := w.start(ctx)
		require.NoError(t, err)
		require.False(t, finished)
		require.EqualValues(t, 5, p.Resumed().Added)
		require.EqualValues(t, 5, p.Stats().Before)
		time.Sleep(time.Second)
		require.Equal(t, time.Second, p.Stats().Elapsed, "a resumed import measures time from its start")
		p.mustAdd(t, feed[5])
		p.Close(ctx, nil)
		require.NoError(t, w.check(p, feed))
	})
}

// When an import ends, the items of its incomplete file are in the spool, too.
func TestFailedImportSpoolsOpenFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("a.example", "g1"), host("b.example"), host("c.example"), host("d.example"), group("g1")} // a link is deferred
		w := newSmallWorld(3)
		w.platform.failAt("create", collapse, 1)
		p := w.mustStart(ctx, t, feed...)
		time.Sleep(24 * time.Hour)
		p.Close(ctx, nil)
		require.Error(t, p.Cause())
		require.NoError(t, p.balance())
		p = w.mustStart(ctx, t)
		require.EqualValues(t, 5, p.Resumed().Added)
		p.Close(ctx, nil)
		require.NoError(t, p.Cause())
		require.NoError(t, w.check(p, feed))
	})
}
