package importer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// A process that has lost its import notices at its next record, whatever the other process has done.
// The other process can remove the record in its slot before the slot is tried or before it is read.
func TestLostImportIsDetectedAfterOtherFinishes(t *testing.T) {
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
				third, finished, err := w.start(ctx) // removes the leftovers of the first process
				require.NoError(t, err)
				require.True(t, finished)
				require.NoError(t, w.check(third, feed))
			})
		})
	}
}

// A process can open an import while another one replaces the records that it reads.
func TestOpenWhileRecordsAreReplaced(t *testing.T) {
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

// Each process that opens an import leaves a record, even if it does nothing else.
func TestRepeatedCrashesDoNotFillSpool(t *testing.T) {
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

// interrupted returns a world with an import whose first process stored some files and uploaded none.
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

// A process that cannot read the spool fails and loses nothing.
func TestSpoolReadErrorLosesNothing(t *testing.T) {
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
			for try := range 4 { // each call has 4 attempts
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

// A process with a smaller Concurrency than its predecessor waits for memory for its files.
func TestResumeWithLessConcurrency(t *testing.T) {
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
		require.Equal(t, item.Counts{Unknown: 4, Unprocessed: 1}, p.Stats().Outcome.Kinds[item.Indicator], "two files have jobs")
		require.Len(t, p.Stats().Outcome.Lost, 2)
		w.mustFinish(t, feed)
	})
}

// spoil changes a byte of a record.
func spoil(text []byte) []byte {
	text[len(text)-1]++
	return text
}

// lengthen adds a byte to a record and updates its header to match.
func lengthen(text []byte) []byte {
	const magic = len("tcjournal1")
	le, castagnoli := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	size := int(le.Uint32(text[magic:]))
	header, rest := text[magic+8:][:size], append(slices.Clone(text[magic+8+size:]), 0)
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(header))
	d.UseNumber()
	_ = d.Decode(&fields) // written by the journal
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

// Files that cannot be read back free their memory.
func TestResumeWithoutReadableFiles(t *testing.T) {
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
func TestDamagedFileHasUnknownOutcome(t *testing.T) {
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

func TestOpenRejectsSpoolOfOtherImport(t *testing.T) {
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

				p, err = w.run(feed) // the refusal has changed nothing
				require.NoError(t, err)
				require.NoError(t, w.check(p, feed))
				p, finished, err = w.start(ctx, other)
				require.NoError(t, err, "a finished import can be replaced")
				require.Equal(t, name != "run", finished)
				if name == "run" {
					require.Zero(t, p.Resumed())
					p.Close(ctx, nil)
				}
			})
		})
	}
}

// An import that has ended returns its outcome to a later process of the same run, unless Forget was
// called.
func TestOutcomeIsStoredUnlessForgotten(t *testing.T) {
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
				require.EqualValues(t, 5, p.Stats().Before, "including the excluded item")
				require.Equal(t, outcome.Kinds, p.Stats().Outcome.Kinds)
				require.Zero(t, p.Stats().Elapsed)
			})
		})
	}
}
