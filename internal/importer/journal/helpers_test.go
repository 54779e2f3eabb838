package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// fault is the effect of a failing operation of a memStore.
type fault int

const (
	none    fault = iota
	refused       // fails without effect
	hidden        // takes effect and fails
	late          // fails, and takes effect when land is called
)

var errIO = errors.New("input/output error")

type memStore struct {
	mu      sync.Mutex
	records map[string][]byte
	fail    func(op, name string) fault // called without mu; nil: no faults
	ops     []string
	waiting []func()
}

func newStore() *memStore { return &memStore{records: map[string][]byte{}} }

// clone returns a store with the same records and no faults.
func (s *memStore) clone() *memStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memStore{records: maps.Clone(s.records)}
}

// do performs one operation.
func (s *memStore) do(ctx context.Context, op, name string, apply func() error) error {
	f := none
	if s.fail != nil {
		f = s.fail(op, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op+" "+name)
	if err := ctx.Err(); err != nil {
		return err
	}
	switch f {
	case refused:
		return errIO
	case hidden:
		_ = apply()
		return errIO
	case late:
		s.waiting = append(s.waiting, func() { _ = apply() })
		return errIO
	}
	return apply()
}

// land performs the operations that are late.
func (s *memStore) land() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, apply := range s.waiting {
		apply()
	}
	s.waiting = nil
}

func (s *memStore) Create(ctx context.Context, name string, parts [][]byte) error {
	text := slices.Concat(parts...)
	return s.do(ctx, "create", name, func() error {
		if _, ok := s.records[name]; ok {
			return fmt.Errorf("create %s: %w", name, fs.ErrExist)
		}
		s.records[name] = text
		return nil
	})
}

func (s *memStore) Names(ctx context.Context) (names []string, err error) {
	err = s.do(ctx, "names", "", func() error {
		names = slices.Collect(maps.Keys(s.records))
		return nil
	})
	return names, err
}

func (s *memStore) Read(ctx context.Context, name string) (text []byte, err error) {
	err = s.do(ctx, "read", name, func() error {
		b, ok := s.records[name]
		if !ok {
			return fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
		}
		text = slices.Clone(b)
		return nil
	})
	return text, err
}

func (s *memStore) Remove(ctx context.Context, name string) error {
	return s.do(ctx, "remove", name, func() error {
		delete(s.records, name)
		return nil
	})
}

// slots returns the slots of the records in order.
func (s *memStore) slots() (slots []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.records {
		if slot, ok := slotOf(name); ok {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// count returns the number of operations of one kind.
func (s *memStore) count(op string) int {
	n := 0
	for _, o := range s.ops {
		if len(o) > len(op) && o[:len(op)] == op {
			n++
		}
	}
	return n
}

// ruleError is an error about a rule.
type ruleError struct{ Field, Rule, Fix string }

func (e ruleError) Error() string { return e.Field + " " + e.Rule + "; " + e.Fix }

type testErrors struct{}

func (testErrors) Problem(err error) item.Problem {
	if r, ok := errors.AsType[ruleError](err); ok {
		return item.Problem{Field: r.Field, Rule: r.Rule, Fix: r.Fix}
	}
	return item.Problem{Text: err.Error()}
}

func (testErrors) Error(p item.Problem) error {
	if p.Rule != "" {
		return ruleError{p.Field, p.Rule, p.Fix}
	}
	return errors.New(p.Text)
}

const testFiles = 3 // most files in delivery, for a concurrency of 2

// open opens the journal in a store. The journal does not retry later operations.
func open(t require.TestingT, s Store) *Journal {
	j, err := Open(context.Background(), s, testFiles, testErrors{}, nil)
	require.NoError(t, err)
	j.store = s
	return j
}

var testStart = Start{Run: "today", Instance: "https://example.com/api", Settings: "owner", Seed: []byte("seed")}

// begin begins an import in a store.
func begin(t require.TestingT, s Store) *Journal {
	j := open(t, s)
	require.NoError(t, j.Begin(context.Background(), testStart))
	return j
}

// do appends a record with the method for its kind.
func do(ctx context.Context, j *Journal, r *record) error {
	switch {
	case r.Start != nil:
		return j.Begin(ctx, *r.Start)
	case r.Added != nil:
		return j.Add(ctx, r.Added)
	case r.Created != nil:
		return j.Create(ctx, *r.Created)
	case r.Settled != nil:
		return j.Settle(ctx, r.Settled)
	case r.Attached != nil:
		return j.Attach(ctx, r.Attached)
	}
	return errors.New("no method appends this kind")
}

// added returns a record that adds n items in a file, or n items without a file.
func added(s *State, inFile bool, n int64) *record {
	a := &Added{Totals: s.Totals.Clone(), Held: 1 << 40}
	a.Totals.Added += n
	if inFile {
		f := &item.File{}
		for i := range n {
			f.Add(item.Indicators, s.Totals.Added+i, fmt.Appendf(nil, `{"summary":"%d"}`, s.Totals.Added+i))
		}
		a.File, a.Low, a.Kinds, a.Payload = s.Made+1, s.Totals.Added, f.Kinds(f.All()), f
	}
	return &record{Added: a}
}

// settledAll returns a record that settles a whole file.
func settledAll(f *File) *record {
	r := &Settled{File: f.Number}
	for k := range f.Unsettled {
		r.Outcome.Kinds[k].Succeeded = f.Unsettled[k]
	}
	return &record{Settled: r}
}

func mustDo(t *testing.T, j *Journal, r *record) {
	t.Helper()
	require.NoError(t, do(t.Context(), j, r))
}
