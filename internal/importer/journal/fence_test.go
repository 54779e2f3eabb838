package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// process opens a journal and appends records. It pauses before each operation of its store until run
// resumes it.
type process struct {
	name  string
	next  func() (struct{}, bool)
	stop  func()
	acked []int64 // slots of applied records
	err   error
	wrote bool // created or removed a record after an error
	ended bool
}

// newProcess returns a process that has not started. It appends n records with its name and stops if
// it loses the journal.
func newProcess(name string, store *memStore, n int) *process {
	p := &process{name: name}
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		mine := &stepping{store, func() bool { return yield(struct{}{}) }, p}
		var j *Journal
		if j, p.err = Open(context.Background(), mine, testFiles, testErrors{}, nil); p.err != nil {
			return
		}
		p.acked = append(p.acked, j.slot)
		begun := ""
		j.View(func(s *State) { begun = s.Start.Run })
		if begun == "" {
			if p.err = j.Begin(context.Background(), Start{Run: "today"}); p.err != nil {
				return
			}
			p.acked = append(p.acked, j.slot)
		}
		for range n {
			r := added(&j.state, true, 1)
			r.Added.Totals.Reasons.Add(name)
			if len(j.state.Files) > 1 {
				r = settledAll(j.state.Files[0])
			}
			before := j.state
			if err := do(context.Background(), j, r); err != nil {
				p.err = err
				for range 3 {
					if again := do(context.Background(), j, added(&j.state, false, 1)); !errors.Is(again, ErrLost) {
						p.err = fmt.Errorf("appended after the error: %w", again)
					}
				}
				if after := text(panics{}, &j.state); text(panics{}, &before) != after {
					p.err = fmt.Errorf("the state changed: %s", after)
				}
				return
			}
			p.acked = append(p.acked, j.slot)
		}
	})
	return p
}

type panics struct{}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (panics) FailNow() { panic("failed") }

// run lets a process perform n operations, or all if n is negative.
func (p *process) run(n int) {
	for ; n != 0 && !p.ended; n-- {
		_, more := p.next()
		p.ended = !more
	}
}

// stepping is the store of one process.
type stepping struct {
	*memStore
	step func() bool
	p    *process
}

func (s *stepping) Create(ctx context.Context, name string, parts [][]byte) error {
	s.step()
	s.p.wrote = s.p.wrote || s.p.err != nil
	return s.memStore.Create(ctx, name, parts)
}

func (s *stepping) Names(ctx context.Context) ([]string, error) {
	s.step()
	return s.memStore.Names(ctx)
}

func (s *stepping) Read(ctx context.Context, name string) ([]byte, error) {
	s.step()
	return s.memStore.Read(ctx, name)
}

func (s *stepping) Remove(ctx context.Context, name string) error {
	s.step()
	s.p.wrote = s.p.wrote || s.p.err != nil
	return s.memStore.Remove(ctx, name)
}

// checkFenced checks a journal after two processes have ended.
func checkFenced(t *testing.T, store *memStore, msg string, ps ...*process) {
	t.Helper()
	for _, p := range ps {
		require.False(t, p.wrote, "%s: %s wrote after it had lost the journal", msg, p.name)
		if p.err != nil {
			require.Equal(t, ErrLost, p.err, "%s: %s", msg, p.name)
		}
	}
	a, b := ps[0], ps[1]
	require.False(t, a.err != nil && b.err != nil, "%s: both have lost the journal", msg)
	if len(a.acked) > 0 && len(b.acked) > 0 {
		if a.acked[0] > b.acked[0] {
			a, b = b, a
		}
		require.Less(t, a.acked[len(a.acked)-1], b.acked[0], "%s: %s has records after %s took over", msg, a.name, b.name)
	}
	j := open(t, store.clone())
	last := append(slices.Clone(a.acked), b.acked...)
	require.Greater(t, j.slot, slices.Max(last), msg)
	require.Equal(t, "today", j.state.Start.Run, msg)
}

// TestTwoProcessesInterleaved interleaves two processes at every operation of their store: a is interrupted, then
// b, then a runs to its end, then b.
func TestTwoProcessesInterleaved(t *testing.T) {
	t.Parallel()
	prepare := func() *memStore {
		store := newStore()
		p := newProcess("before", store, 20) // the next records trigger a checkpoint
		p.run(-1)
		return store
	}
	base := prepare()
	ops := func(n int) int {
		store := base.clone()
		newProcess("alone", store, n).run(-1)
		return len(store.ops)
	}
	const records = 4
	total, every := ops(records), 11*sparse()
	lost := 0
	for i := 0; i <= total; i++ {
		for k := i % every; k <= total+12; k += every {
			store := base.clone()
			a, b := newProcess("a", store, records), newProcess("b", store, records)
			a.run(i)
			b.run(k)
			a.run(-1)
			b.run(-1)
			checkFenced(t, store, fmt.Sprintf("after %d and %d operations", i, k), a, b)
			if a.err != nil || b.err != nil {
				lost++
			}
		}
	}
	assert.Greater(t, lost, total/sparse())
}

// TestTwoProcessesInterleavedAtRandom switches between two processes at random, starting with an empty store.
func TestTwoProcessesInterleavedAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(60)) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		store := newStore()
		a, b := newProcess("a", store, 40), newProcess("b", store, 40)
		for !a.ended || !b.ended {
			[]*process{a, b}[rnd.IntN(2)].run(1 + rnd.IntN(1+rnd.IntN(60)))
		}
		checkFenced(t, store, fmt.Sprint("seed ", seed), a, b)
	}
}
