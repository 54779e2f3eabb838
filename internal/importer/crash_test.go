package importer_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// scenario is an import that tests repeat with a fault at each of its operations.
type scenario struct {
	setup
	feed []step
	slow int // divides the number of faults to try; 0 means 1
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		"plain": {setup: setup{maxItems: 3, concurrency: 2}, feed: slices.Concat(
			hosts("a", 4), []step{without(group("g1"), "public"), host("b.example", "g1"), refuse(), exclude(host("c.example"), "private"), group("g2", "g1"), without(host("d.example", "g1", "g2"), "public")},
		)},
		"references forwards": {setup: setup{maxItems: 3, concurrency: 2, known: []string{"old"}}, feed: []step{
			host("a.example", "g1", "old"), group("g2", "g3"), host("b.example", "g2"),
			host("c.example", "g4"), listing("g5", "c.example", "z.example"), group("g3", "g1", "old"),
			group("g1"), host("z.example", "g3"), group("g4", "g2"),
		}},
		"associations that wait": {setup: setup{maxItems: 3, concurrency: 2}, feed: []step{
			host("a.example"), link("a.example", "g1"), exclude(link("a.example", "g2"), "private"), host("b.example"), pair("a.example", "b.example"), flush(),
			link("b.example", "g1"), group("g1"), flush(), link("b.example", "g1"), group("g2"), link("a.example", "g2"), link("a.example", "g1"),
		}},
		"an item that ends jobs": {setup: setup{maxItems: 8, concurrency: 1}, feed: []step{
			host("a.example"), host("b.example"), host("poison.example"), host("c.example"), host("d.example"), host("poisonpath.example"), host("e.example"),
			group("g1"), host("f.example", "g1"), group("poison-group"), host("g.example"),
		}},
		"files that are too large": {setup: setup{maxItems: 5, concurrency: 2, limit: 300}, feed: []step{
			host("a.example").wide(100), host("b.example").wide(100), host("c.example").wide(100), group("g1"), host("d.example", "g1"),
			host("e.example", "g2").wide(100), group("g2", "g1").wide(150), host("f.example").wide(10),
		}},
		"contents": {setup: setup{maxItems: 3, concurrency: 2}, feed: []step{
			document("d1"), host("a.example", "d1"), document("bad-document"), document("d2"), group("g1", "d1"), document("d3"), host("b.example"),
		}},
		"many files": {setup: setup{maxItems: 1, concurrency: 1}, feed: append(hosts("a", 6), group("g1"), host("b.example", "g1"), host("bad.example"), refuse(), host("c.example", "g2"),
			link("a1.example", "g2"), flush(), link("a2.example", "g2"), host("d.example"), group("g2", "g1")), slow: 4},
		"links that do not fit in memory": {setup: setup{maxItems: 3, maxBytes: 2_000_000, concurrency: 1}, feed: []step{
			host("a.example"), link("a.example", "g1").wide(350_000), host("b.example"), link("b.example", "g1").wide(350_000),
			link("b.example", "g2").wide(350_000), group("g2"), flush(), host("c.example"), group("g1"),
		}, slow: 20},
		"halt at an error": {setup: setup{maxItems: 3, concurrency: 2, halt: true}, feed: slices.Concat(
			hosts("a", 4), []step{host("bad.example")}, hosts("b", 6),
		)},
		"many refused items": {setup: setup{maxItems: 4, concurrency: 2}, feed: []step{
			host("bad1.example"), host("a.example"), group("bad-group"), host("bad2.example"), refuse(), host("bad3.example"), host("bad4.example"),
			group("g1"), host("b.example", "g1"), link("bad1.example", "g1"), host("bad5.example"), refuse(),
		}},
	}
}

// exhaustive reports whether to try all operations of all scenarios instead of a sample.
func exhaustive() bool { return os.Getenv("ENGINE_EXHAUSTIVE") == "1" }

// short reports whether to try a smaller sample.
func short() bool { return scaletest.Short(true, false) && !exhaustive() }

// stride returns the distance between two operations with a fault.
func (s *scenario) stride(quick int) int {
	if exhaustive() {
		return 1
	}
	return quick * max(s.slow, 1)
}

// mostStates is the largest number of disk states to check after a crash.
const mostStates = 64

// each runs f for each scenario in a separate synctest bubble.
func each(t *testing.T, f func(t *testing.T, s scenario) (states int)) {
	for name, s := range scenarios() {
		s.maxBytes = max(s.maxBytes, 100_000)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				t.Logf("%d states", f(t, s))
			})
		})
	}
}

// whole runs a scenario without faults and returns its numbers of disk operations and platform calls.
func (s *scenario) whole(t *testing.T) (ops, calls int) {
	w := newWorld(s.setup)
	p, err := w.run(s.feed)
	ops, calls = len(w.disk.Ops()), w.platform.calls
	report(t, w, "undisturbed", s.finished(w, p, err))
	return ops, calls
}

// finished returns an error unless the process has finished the import correctly.
func (s *scenario) finished(w *world, p *process, err error) error {
	if err != nil && !(s.halt && p.Begun()) {
		return fmt.Errorf("the process has ended with %w", err)
	}
	return w.check(p, s.feed)
}

// resume finishes the import in a new process.
func (s *scenario) resume(w *world) error {
	p, err := w.run(s.feed)
	return s.finished(w, p, err)
}

// report fails the test with the state of the world if err is not nil.
func report(t *testing.T, w *world, at string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	ops := w.disk.Ops()
	t.Fatalf("%s:\n%v\n\nplatform:\n%s\n\nlast operations of the disk:\n%s", at, err, strings.Join(w.platform.log, "\n"), strings.Join(ops[max(0, len(ops)-40):], "\n"))
}

// crashes resumes the import from each state of the disk that a crash can leave.
func (s *scenario) crashes(t *testing.T, w *world, at string) (states int) {
	most := mostStates
	if short() {
		most /= 4
	}
	for i, disk := range w.disk.Crashes(most, 1) {
		after := w.after(disk)
		report(t, after, fmt.Sprintf("%s, state %d", at, i), s.resume(after))
		states++
	}
	return states
}

func TestImportWithoutStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scenario) (states int) {
		s.withoutStore = true
		w := newWorld(s.setup)
		p, err := w.run(s.feed)
		report(t, w, "without a store", s.finished(w, p, err))
		return 1
	})
}

// finish finishes the import in this process or the next.
func (s *scenario) finish(w *world, p *process, err error) error {
	if err := p.balance(); err != nil {
		return err
	}
	if err == nil || s.halt && p.Begun() && !p.Kept() {
		return s.finished(w, p, err)
	}
	return s.resume(w)
}

// atEach runs a scenario with each fault at each of n operations, or at a sample of them. With -short,
// each operation of the sample gets only one of the faults.
func atEach[F any](s *scenario, n, quick int, faults []F, run func(w *world, at string, i int, f F) (states int)) (states int) {
	sample := 0
	for i := 1; i <= n; i += s.stride(quick) {
		for j, f := range faults {
			if short() && j != sample%len(faults) {
				continue
			}
			states += run(newWorld(s.setup), fmt.Sprintf("%+v at operation %d", f, i), i, f)
		}
		sample++
	}
	return states
}

// diskFault is a fault of a disk operation.
type diskFault struct {
	err     error
	applied bool // the operation takes effect despite the error
}

func TestCrashAtEachDiskOperation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scenario) int {
		n, _ := s.whole(t)
		return atEach(&s, n, 83, []diskFault{{durable.ErrCrash, false}, {durable.ErrCrash, true}}, func(w *world, at string, i int, f diskFault) int {
			w.disk.FailAt(i, f.err, f.applied)
			_, _ = w.run(s.feed)
			return s.crashes(t, w, at)
		})
	})
}

func TestCrashAtEachPlatformCall(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scenario) int {
		_, n := s.whole(t)
		return atEach(&s, n, 5, []fault{{death, false}, {death, true}}, func(w *world, at string, i int, f fault) int {
			w.platform.faults[i] = f
			_, _ = w.run(s.feed)
			return s.crashes(t, w, at)
		})
	})
}

func TestFaultAtEachPlatformCall(t *testing.T) {
	t.Parallel()
	faults := []fault{{lost, false}, {lost, true}, {outage, false}, {outage, true}, {collapse, false}, {collapse, true}}
	each(t, func(t *testing.T, s scenario) int {
		_, n := s.whole(t)
		return atEach(&s, n, 5, faults, func(w *world, at string, i int, f fault) int {
			w.platform.faults[i] = f
			p, err := w.run(s.feed)
			if f.kind == collapse && err != nil && p.Begun() && p.Kept() {
				time.Sleep(24 * time.Hour)
				p, err = w.run(s.feed)
			}
			report(t, w, at, s.finished(w, p, err))
			return 1
		})
	})
}

func TestErrorAtEachDiskOperation(t *testing.T) {
	t.Parallel()
	faults := []diskFault{{syscall.EIO, false}, {syscall.EIO, true}, {syscall.ENOSPC, false}, {syscall.ENOSPC, true}}
	each(t, func(t *testing.T, s scenario) int {
		n, _ := s.whole(t)
		return atEach(&s, n, 41, faults, func(w *world, at string, i int, f diskFault) int {
			w.disk.FailAt(i, f.err, f.applied)
			p, err := w.run(s.feed)
			report(t, w, at, s.finish(w, p, err))
			return 1
		})
	})
}

// more returns the next disk size to try.
func (s *scenario) more(room int64) int64 {
	share := int64(3)
	switch {
	case exhaustive():
		share = 100 / int64(max(s.slow/4, 1))
	case s.slow > 0:
		share = 1
	}
	if short() {
		room *= 3
	}
	return room + max(int64(7*s.stride(150)), room/share)
}

func TestDiskFullDuringImport(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scenario) (states int) {
		for room := int64(0); ; room = s.more(room) {
			w := newWorld(s.setup)
			w.disk.SetRoom(room)
			p, err := w.run(s.feed)
			ended := err == nil
			w.disk.SetRoom(-1)
			report(t, w, fmt.Sprintf("room for %d bytes", room), s.finish(w, p, err))
			if states++; ended || s.halt && room > 100_000 {
				return states
			}
		}
	})
}

func TestCancelAtEachStoreOperation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scenario) int {
		n := newWorld(s.setup).stores(s.feed)
		return atEach(&s, n, 7, []string{"the context ends"}, func(w *world, at string, i int, _ string) int {
			p, err := w.run(s.feed, contextEnds(i-1))
			report(t, w, at, s.finish(w, p, err))
			return 1
		})
	})
}
