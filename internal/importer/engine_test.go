package importer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/threatconnect-go/threatconnect/internal/importer"
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
		w.mustFinish(t, feed)
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
				w.mustFinish(t, feed)
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
				first := w.mustStart(ctx, t)
				second := w.mustStart(ctx, t)
				first.trap = func(op string, after bool) {
					if after == tried {
						first.trap = nil
						second.mustAdd(t, feed...)
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
		first := w.mustStart(ctx, t, feed[:3]...)
		second, err := w.run(feed, func(p *process) {
			p.trap = func(_ string, after bool) {
				if !after {
					return
				}
				p.trap = nil // the names were listed
				first.mustAdd(t, feed[3:23]...)
				first.mustAdd(t, flush())
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
			p := w.mustStart(ctx, t)
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

// Whoever closes an import does not wait for a store that hangs while another goroutine adds.
func TestStopEndsAnAddThatWaitsForTheStore(t *testing.T) {
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

// A flush sends a link whose group was added, also if nothing else was added since the last file, and one that was
// added before the link still waits.
func TestAFlushSendsLinksThatNeedNotWait(t *testing.T) {
	t.Parallel()
	for name, unrecorded := range map[string]bool{"kept": false, "not kept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				feed := []step{host("a.example"), link("a.example", "g2"), link("a.example", "g1"), flush(), group("g1"), host("b.example"), flush()}
				w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 1, unrecorded: unrecorded})
				p := w.mustStart(ctx, t, feed...)
				require.Equal(t, 1, w.platform.arrived["Host a.example - group g1"])
				require.Zero(t, w.platform.arrived["Host a.example - group g2"])
				require.Equal(t, unrecorded, p.Stats().Totals.Sum == item.Sum{}, "a sum is for a later process")
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
		require.True(t, p.Unsent(), "a file that is not complete")
		p.mustAdd(t, feed[1])
		require.False(t, p.Unsent(), "the file is as large as it may be")
		p.mustAdd(t, feed[2])
		require.True(t, p.Unsent(), "a link that waits")
		p.mustAdd(t, flush())
		require.True(t, p.Unsent())
		feed = append(feed, group("g1"))
		p.mustAdd(t, feed[5])
		p.mustAdd(t, flush())
		require.False(t, p.Unsent())
		p.trap = func(string, bool) { cancel(errors.New("the caller does not wait")) }
		p.mustAdd(t, feed[3:5]...)
		require.Error(t, ctx.Err())
		require.True(t, p.Unsent(), "a file that is not kept yet")
		_, err := p.Flush(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Positive(t, p.Stats().Elapsed)
		p.Close(context.Background(), nil)
		feed = append(slices.Clone(feed[:3]), feed[5], feed[3], feed[4])
		require.NoError(t, w.check(p, feed))
		require.False(t, p.Unsent())
	})
}

func TestAFileWithSeveralItemsIsNoLargerThanItMayBe(t *testing.T) {
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

func TestAReferenceThatIsExcludedCountsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _, err := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1, unrecorded: true}).start(context.Background())
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

// interrupted is an import of which a first process has kept some files and sent none.
func interrupted(t *testing.T, feed []step) *world {
	t.Helper()
	w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 2})
	w.platform.trap = func(op string) fault {
		if strings.HasPrefix(op, "upload") {
			return fault{kind: death}
		}
		return fault{}
	}
	_, err := w.run(feed)
	require.Error(t, err)
	w.platform.trap = nil
	w.disk.Restart()
	return w
}

// A process that goes on with an import fails if it cannot read the spool, and loses nothing.
func TestASpoolThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{group("g1"), link("a.example", "g2"), host("a.example", "g1"), host("b.example"), host("c.example"), document("d1"), group("g2")}
		w := interrupted(t, feed)
		before := len(w.disk.Ops())
		p := w.mustStart(context.Background(), t)
		ops := len(w.disk.Ops()) - before
		p.Stop(errDead)
		p.Close(context.Background(), nil)
		failed := 0
		for n := range ops {
			w := interrupted(t, feed)
			for try := range 4 { // a call is repeated three times
				w.disk.FailAt(before+n+1+try, syscall.EIO, false)
			}
			p, err := w.run(feed)
			if err != nil {
				require.ErrorIs(t, err, syscall.EIO)
				require.NoError(t, p.balance(), n)
				failed++
				p, err = w.run(feed)
			}
			require.NoError(t, err, n)
			require.NoError(t, w.check(p, feed), n)
		}
		require.Greater(t, failed, 10)
	})
}

// A process that delivers fewer files at the same time than the one before waits for their memory.
func TestAnImportGoesOnWithLessConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{host("a.example"), host("b.example"), host("c.example"), host("d.example"), document("d1"), host("e.example")}
		w := interrupted(t, feed)
		w.concurrency = 1
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		p, _, err := w.start(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, p.Cause(), context.DeadlineExceeded)
		require.NoError(t, p.balance())
		require.Equal(t, item.Counts{Unknown: 4, Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Indicator], "a job was created for each of two files")
		require.Len(t, p.Stats().Outcome.Lost, 2)
		w.mustFinish(t, feed)
	})
}

// spoil changes a byte of a record.
func spoil(text []byte) []byte {
	text[len(text)-1]++
	return text
}

// lengthen adds a byte to a record, and makes the record look as if that was always there.
func lengthen(text []byte) []byte {
	const magic = len("tcjournal1")
	le, castagnoli := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	size := int(le.Uint32(text[magic:]))
	header, rest := text[magic+8:][:size], append(slices.Clone(text[magic+8+size:]), 0)
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(header))
	d.UseNumber()
	_ = d.Decode(&fields) // it was written by the journal
	parts := fields["Parts"].([]any)
	at := 0
	for _, p := range parts[:len(parts)-1] {
		n, _ := p.(map[string]any)["Size"].(json.Number).Int64()
		at += int(n)
	}
	parts[len(parts)-1] = map[string]any{"Size": len(rest) - at, "Sum": crc32.Checksum(rest[at:], castagnoli)}
	header, _ = json.Marshal(fields)
	out := le.AppendUint32(slices.Clone(text[:magic]), uint32(len(header)))
	out = le.AppendUint32(out, crc32.Checksum(header, castagnoli))
	return append(append(out, header...), rest...)
}

// The memory of files that cannot be read back is not lost.
func TestAnImportGoesOnWithoutAnyFileThatCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed := []step{document("d1"), document("d2"), document("d3"), document("d4")}
		w := interrupted(t, feed)
		w.concurrency = 1
		feed = append(feed, hosts("b", 4)...)
		p, err := w.run(feed, func(p *process) {
			p.damage = func(text []byte) []byte {
				if bytes.Contains(text, []byte("Name of d")) {
					return spoil(text)
				}
				return text
			}
		})
		require.NoError(t, err)
		require.Equal(t, item.Counts{Unknown: 4}, p.Stats().Outcome.Kinds[item.Group])
		require.Equal(t, item.Counts{Unknown: 4}, p.Stats().Outcome.Contents)
		require.Equal(t, item.Counts{Succeeded: 4}, p.Stats().Outcome.Kinds[item.Indicator])
	})
}

// The items of a file that cannot be read back may be on the platform.
func TestAFileThatIsDamagedIsUnknown(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{"spoiled": spoil, "lengthened": lengthen} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				feed := []step{host("b.example"), host("c.example"), document("d1"), host("a.example", "d1")}
				w := interrupted(t, feed)
				feed = append(feed, host("d.example"), host("e.example"))
				p, err := w.run(feed, func(p *process) {
					p.damage = func(text []byte) []byte {
						if bytes.Contains(text, []byte("a.example")) {
							return damage(text)
						}
						return text
					}
				})
				require.NoError(t, err)
				st := p.Stats()
				require.Equal(t, item.Counts{Unknown: 1}, st.Outcome.Kinds[item.Group])
				require.Equal(t, item.Counts{Unknown: 1, Succeeded: 4}, st.Outcome.Kinds[item.Indicator])
				require.Equal(t, item.Counts{Unknown: 1}, st.Outcome.Contents)
				require.Len(t, st.Outcome.Lost, 1)
				require.Len(t, st.Outcome.Failures, 1)
				require.EqualValues(t, -1, st.Outcome.Failures[0].Seq)
				require.ErrorIs(t, st.Outcome.Failures[0].Err, journal.ErrRecord)
				require.Len(t, p.named, 1)
				require.Equal(t, journal.Watermark{Seq: 6, Unknown: 3}, st.Watermark)
				require.Equal(t, map[string]int{hostKey("b.example"): 1, hostKey("c.example"): 1, hostKey("d.example"): 1, hostKey("e.example"): 1}, w.platform.arrived)
				require.Empty(t, w.platform.wrong)
				require.False(t, p.Kept())
			})
		})
	}
}

// What waits in memory or temporary files and cannot be read back was not sent. The test is not parallel, because
// it moves the folder of temporary files.
func TestAssociationsThatCannotBePutAsideEndTheImport(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000_000, concurrency: 1, unrecorded: true})
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

// An association that is lost in a flush ends the import, and is counted.
func TestAssociationsThatAreLostInAFlushEndTheImport(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 10, maxBytes: 10_000_000, concurrency: 1, unrecorded: true})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example"), link("a.example", "g1").wide(600_000), link("a.example", "g2").wide(600_000)}
		p.mustAdd(t, feed...)
		require.NoError(t, os.Setenv("TMPDIR", filepath.Join(os.Getenv("TMPDIR"), "missing")))
		_, err := p.Flush(ctx)
		require.ErrorIs(t, err, fs.ErrNotExist)
		p.Close(ctx, nil)
		require.NoError(t, p.balance())
		require.ErrorIs(t, p.Cause(), fs.ErrNotExist)
		require.Equal(t, item.Counts{Unprocessed: 2}, p.Stats().Outcome.Kinds[item.Association])
		require.Equal(t, item.Counts{Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Indicator])
	})
}

// A file that was complete before that is kept.
func TestAFileThatCouldNotBeKeptIsKeptAtTheEnd(t *testing.T) {
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

func TestReferencesThatCannotBePutAsideEndTheImport(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(setup{maxItems: 3, maxBytes: 10_000_000, concurrency: 1, unrecorded: true})
		p := w.mustStart(ctx, t)
		feed := []step{host("a.example", strings.Repeat("g", 200_000)), host("b.example", strings.Repeat("h", 200_000)), host("c.example", strings.Repeat("i", 200_000))}
		p.mustAdd(t, feed...)
		require.ErrorIs(t, p.Ended(), fs.ErrNotExist)
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), fs.ErrNotExist)
		require.NoError(t, p.balance())
	})
}

// An import that has ended sends nothing more, also if the spool fails afterwards.
func TestAnImportThatHasEndedStaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("bad.example"), host("a.example"), host("b.example").wide(200), host("c.example").wide(200), host("d.example")}
		w := newWorld(setup{maxItems: 2, maxBytes: 10_000, concurrency: 2, limit: 400, halt: true})
		p := w.mustStart(ctx, t)
		for i := range feed {
			p.mustAdd(t, feed[i])
			time.Sleep(10 * time.Millisecond) // the job of the first file is the first
		}
		require.NoError(t, p.Wait(ctx, 1))
		require.ErrorIs(t, p.Cause(), deliver.ErrHalted)
		w.disk.SetRoom(0) // so that the last file cannot be kept
		time.AfterFunc(time.Millisecond, func() { w.disk.SetRoom(-1) })
		p.Close(ctx, nil)
		require.ErrorIs(t, p.Cause(), deliver.ErrHalted)
		require.NoError(t, p.balance())
		w.platform.work(time.Now().Add(time.Hour))
		require.Equal(t, map[string]int{hostKey("b.example"): 1}, w.platform.arrived)
		require.Equal(t, item.Counts{Succeeded: 1, Failed: 1, Unprocessed: 3}, p.Stats().Outcome.Kinds[item.Indicator], "what was under way goes on")
	})
}

// Close sends nothing if its context has ended. An import that is kept can be resumed.
func TestCloseWithAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	for name, unrecorded := range map[string]bool{"kept": false, "not kept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				cancel(errors.New("the caller does not wait"))
				feed := hosts("a", 3)
				w := newWorld(setup{maxItems: 10, maxBytes: 10_000, concurrency: 1, unrecorded: unrecorded})
				p := w.mustStart(context.Background(), t, feed[:2]...)
				p.Close(ctx, nil)
				require.ErrorIs(t, p.Cause(), context.Canceled)
				require.ErrorContains(t, p.Cause(), "the caller does not wait")
				require.Equal(t, !unrecorded, p.Kept())
				require.Equal(t, item.Counts{Unprocessed: 2}, p.Stats().Outcome.Kinds[item.Indicator])
				require.NoError(t, p.balance())
				last, err := w.run(feed)
				require.NoError(t, err)
				require.NoError(t, w.check(last, feed))
			})
		})
	}
}

// A link that could not be kept waits in no file.
func TestCloseWithALinkThatCouldNotBeKept(t *testing.T) {
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

// The hashes of groups depend on it.
func TestEachImportHasItsSeed(t *testing.T) {
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

// A file that must wait for those before it does not keep the next one waiting.
func TestFilesOvertakeOneThatWaits(t *testing.T) {
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

func TestTheContextEndsWithTheImport(t *testing.T) {
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

func TestASpoolWithAnotherImportIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*journal.Start)
		text   string
	}{
		"instance": {func(s *journal.Start) { s.Instance = "there" }, "another base URL"},
		"settings": {func(s *journal.Start) { s.Settings = "those" }, "owner, action or write types differ"},
		"run":      {func(s *journal.Start) { s.Run = "other" }, "another name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				feed := hosts("a", 3)
				w := interrupted(t, feed)
				other := func(p *process) { c.change(&p.begin) }
				p, finished, err := w.start(ctx, other)
				require.ErrorContains(t, err, c.text)
				require.False(t, finished)
				require.False(t, p.Begun())
				if name == "run" {
					e, ok := errors.AsType[*importer.OtherRun](err)
					require.True(t, ok)
					require.Equal(t, "run", e.Run)
				} else {
					require.ErrorIs(t, err, importer.ErrOther)
				}

				p, err = w.run(feed) // which the refusal has not disturbed
				require.NoError(t, err)
				require.NoError(t, w.check(p, feed))
				p, finished, err = w.start(ctx, other)
				require.NoError(t, err, "an import that has ended is no obstacle")
				require.Equal(t, name != "run", finished)
				if name == "run" {
					require.Zero(t, p.Resumed())
					p.Close(ctx, nil)
				}
			})
		})
	}
}

// An import that has ended returns its outcome to a later process of the same run, unless it is to be forgotten.
func TestAnImportIsRememberedUnlessItIsForgotten(t *testing.T) {
	t.Parallel()
	for name, forgotten := range map[string]bool{"remembered": false, "forgotten": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				w := newSmallWorld(2)
				p := w.mustStart(ctx, t)
				feed := []step{host("a.example"), exclude(host("b.example"), "private"), host("bad.example"), link("a.example", "g1"), group("g1")}
				p.mustAdd(t, feed...)
				if forgotten {
					p.Forget()
				}
				p.Close(ctx, nil)
				require.NoError(t, p.Cause())
				require.Zero(t, p.Stats().Before)
				outcome := p.Stats().Outcome

				p, finished, err := w.start(ctx)
				require.NoError(t, err)
				require.Equal(t, !forgotten, finished)
				if forgotten {
					require.Zero(t, p.Resumed())
					require.Zero(t, p.Stats().Outcome)
					p.Close(ctx, nil)
					return
				}
				var sum item.Sum
				var summer item.Summer
				for i := range feed {
					sum = summer.Next(sum, &feed[i].item)
				}
				require.Equal(t, sum, p.Resumed().Sum)
				require.EqualValues(t, 5, p.Resumed().Added)
				require.EqualValues(t, 5, p.Added())
				require.EqualValues(t, 5, p.Stats().Before, "the excluded one included")
				require.Equal(t, outcome.Kinds, p.Stats().Outcome.Kinds)
				require.Zero(t, p.Stats().Elapsed)
			})
		})
	}
}

// Close with a reason still sends what was added, and the import can be resumed.
func TestAnImportWhoseItemsEndEarlyIsKept(t *testing.T) {
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
		require.Equal(t, time.Second, p.Stats().Elapsed, "a resumed import goes on at once")
		p.mustAdd(t, feed[5])
		p.Close(ctx, nil)
		require.NoError(t, w.check(p, feed))
	})
}

// Refused items beyond those that are listed are counted once, in whichever file's record they are.
func TestMoreRefusedItemsThanAreListed(t *testing.T) {
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

// Links that wait for groups fill files like items.
func TestLinksShareAFile(t *testing.T) {
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

// What was added to a file that is not full when an import ends is in the spool as well.
func TestAnImportThatEndsKeepsTheOpenFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		feed := []step{host("a.example", "g1"), host("b.example"), host("c.example"), host("d.example"), group("g1")} // a link waits
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
