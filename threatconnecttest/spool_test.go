package threatconnecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// mapStore is a handle of an in-memory store. It satisfies the contract of a spool unless faults is
// set.
type mapStore struct {
	*mapShared
	faults spoolFaults
	listed []string // names of the first call, for staleNames
}

type mapShared struct {
	mu      sync.Mutex
	records map[string][]byte
	calls   int
}

// lock locks the store and counts the calls.
func (s *mapShared) lock() {
	s.mu.Lock()
	s.calls++
}

// letOthersIn unlocks the store until other goroutines have made enough calls to observe its state, or
// until there are no others.
func (s *mapShared) letOthersIn() {
	for turn, before := 0, s.calls; turn < 500 && s.calls < before+30; turn++ {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
}

// spoolFaults are violations of the contract of a spool.
type spoolFaults struct {
	overwrites, acceptsSame, overwritesEmpty   bool
	otherExistError, checksThenWrites          bool
	writesInPlace, listsTemporary              bool
	readsAbsent, removesOnlyPresent            bool
	keepsParts, returnsOwn, clearsParts        bool
	ignoresContext, keepsPartial               bool
	staleNames, firstNames, shortNames         bool
	dropsLastPart, cutsAtZero, removesByPrefix bool
	ownStore, neverRemoves, neverReuses        bool
}

func (s *mapStore) Create(ctx context.Context, name string, parts [][]byte) (err error) {
	f := s.faults
	if !f.ignoresContext && ctx.Err() != nil {
		return ctx.Err()
	}
	if f.shortNames {
		name = name[:min(len(name), 63)]
	}
	text := bytes.Join(parts, nil)
	switch {
	case f.keepsParts && len(parts) == 1:
		text = parts[0]
	case f.clearsParts:
		clear(parts)
	case f.dropsLastPart && len(parts) > 2:
		text = bytes.Join(parts[:len(parts)-3], nil)
	case f.cutsAtZero:
		text, _, _ = bytes.Cut(text, []byte{0})
	}
	s.lock()
	defer s.mu.Unlock()
	old, exists := s.records[name]
	switch {
	case f.neverReuses && exists && old == nil:
		return fs.ErrExist
	case !exists, f.overwrites, f.overwritesEmpty && len(old) == 0:
	case f.acceptsSame && bytes.Equal(old, text):
		return nil
	case f.otherExistError:
		return errors.New("it exists")
	default:
		return fs.ErrExist
	}
	if f.checksThenWrites {
		s.letOthersIn()
	}
	if f.listsTemporary {
		s.records["tmp-"+name] = nil
		s.letOthersIn()
		delete(s.records, "tmp-"+name)
	}
	if f.writesInPlace || f.keepsPartial {
		for n := range parts {
			if ctx.Err() != nil {
				if !f.keepsPartial {
					delete(s.records, name)
				}
				return ctx.Err()
			}
			s.records[name] = bytes.Join(parts[:n], nil)
			if f.writesInPlace {
				s.letOthersIn()
			}
		}
	}
	s.records[name] = text
	return nil
}

func (s *mapStore) Names(ctx context.Context) ([]string, error) {
	if !s.faults.ignoresContext && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.lock()
	defer s.mu.Unlock()
	names := slices.Collect(maps.Keys(s.records))
	if s.faults.staleNames {
		if s.listed == nil {
			s.listed = names
		}
		return slices.Clone(s.listed), nil
	}
	if s.faults.firstNames {
		names = names[:min(len(names), 100)]
	}
	return names, nil
}

func (s *mapStore) Read(ctx context.Context, name string) ([]byte, error) {
	if !s.faults.ignoresContext && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.lock()
	defer s.mu.Unlock()
	text, ok := s.records[name]
	switch {
	case !ok && s.faults.readsAbsent:
		return nil, nil
	case !ok:
		return nil, fmt.Errorf("read: %w", fs.ErrNotExist)
	case s.faults.returnsOwn:
		return text, nil
	}
	return bytes.Clone(text), nil
}

func (s *mapStore) Remove(ctx context.Context, name string) error {
	if !s.faults.ignoresContext && ctx.Err() != nil {
		return ctx.Err()
	}
	s.lock()
	defer s.mu.Unlock()
	if _, ok := s.records[name]; !ok && s.faults.removesOnlyPresent {
		return fs.ErrNotExist
	}
	switch {
	case s.faults.neverRemoves:
	case s.faults.neverReuses:
		s.records[name] = nil
	case s.faults.removesByPrefix:
		maps.DeleteFunc(s.records, func(n string, _ []byte) bool { return strings.HasPrefix(n, name) })
	default:
		delete(s.records, name)
	}
	return nil
}

func mapStores(f spoolFaults) func() *mapStore {
	shared := &mapShared{records: map[string][]byte{}}
	return func() *mapStore {
		if f.ownStore {
			shared = &mapShared{records: map[string][]byte{}}
		}
		return &mapStore{mapShared: shared, faults: f}
	}
}

// recorder is a reporter that records a failure instead of failing the test.
type recorder struct {
	*testing.T
	failure string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs one of the tests of TestSpool and returns its failure.
func failure(t *testing.T, test spoolTest, f spoolFaults) string {
	t.Helper()
	r := &recorder{T: t}
	open := mapStores(f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		test.run(r, func() spool { return open() })
	}()
	<-done
	return r.failure
}

func TestSpoolAcceptsInMemorySpool(t *testing.T) {
	t.Parallel()
	TestSpool(t, func(*testing.T) func() threatconnect.Spool {
		open := mapStores(spoolFaults{})
		return func() threatconnect.Spool { return open() }
	})
}

func TestSpoolRejectsIncorrectSpools(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults spoolFaults
		by     string
		says   string
	}{
		"overwrites records":                           {spoolFaults{overwrites: true}, "CreateExisting", "want one that matches fs.ErrExist"},
		"accepts the same content again":               {spoolFaults{acceptsSame: true}, "CreateExisting", "want one that matches fs.ErrExist"},
		"overwrites empty records":                     {spoolFaults{overwritesEmpty: true}, "CreateExisting", "want one that matches fs.ErrExist"},
		"returns another error for existing records":   {spoolFaults{otherExistError: true}, "CreateExisting", "want one that matches fs.ErrExist"},
		"checks, then writes":                          {spoolFaults{checksThenWrites: true}, "CreateConcurrently", "more than one"},
		"writes in place":                              {spoolFaults{writesInPlace: true}, "ReadWhileCreating", "bytes of a record that another handle creates"},
		"lists temporary records":                      {spoolFaults{listsTemporary: true}, "ReadWhileCreating", "which nobody created"},
		"reads absent records as empty":                {spoolFaults{readsAbsent: true}, "Absent", "want an error that matches fs.ErrNotExist"},
		"does not remove absent records":               {spoolFaults{removesOnlyPresent: true}, "Absent", "Remove of a record that does not exist"},
		"keeps the memory of the parts":                {spoolFaults{keepsParts: true}, "Memory", "share memory"},
		"returns its own memory":                       {spoolFaults{returnsOwn: true}, "Memory", "share memory"},
		"changes the parts":                            {spoolFaults{clearsParts: true}, "Memory", "changes the parts"},
		"ignores the context":                          {spoolFaults{ignoresContext: true}, "EndedContext", "with an ended context"},
		"keeps a partial record when the context ends": {spoolFaults{keepsPartial: true}, "ContextEndsDuringCreate", "bytes of a record"},
		"lists the same names again":                   {spoolFaults{staleNames: true}, "Names", "Names returns"},
		"lists the first page of names":                {spoolFaults{firstNames: true}, "Names", "Names returns"},
		"truncates names":                              {spoolFaults{shortNames: true}, "Names", "in a store without it"},
		"loses a part":                                 {spoolFaults{dropsLastPart: true}, "Content", "Read(\"record-"},
		"ends content at a zero byte":                  {spoolFaults{cutsAtZero: true}, "Content", "Read(\"record-"},
		"removes records with a longer name":           {spoolFaults{removesByPrefix: true}, "Absent", "Names returns"},
		"does not remove":                              {spoolFaults{neverRemoves: true}, "Remove", "Names returns"},
		"does not accept a removed name again":         {spoolFaults{neverReuses: true}, "Remove", "Names returns"},
		"keeps the records of each handle":             {spoolFaults{ownStore: true}, "Names", "Names returns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(spoolTests, func(s spoolTest) bool { return s.name == test.by })
			require.GreaterOrEqual(t, i, 0)
			assert.Contains(t, failure(t, spoolTests[i], test.faults), test.says)
		})
	}
}
