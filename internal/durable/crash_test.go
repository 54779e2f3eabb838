package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

const memPath = "state/feeds/spool"

// content returns a record in parts and as a whole. It has no zero bytes because lost bytes read as
// zero.
func content(name string) ([][]byte, string) {
	parts := [][]byte{[]byte("record "), nil, []byte(strings.Repeat(name, 20))}
	return parts, "record " + strings.Repeat(name, 20)
}

// history records the calls of a process and their results.
type history struct {
	tried   map[string]bool // Create was called
	there   map[string]bool // Create returned nil, or Read returned the record
	removal []string        // Remove was called
	errors  int
}

func newHistory() *history { return &history{tried: map[string]bool{}, there: map[string]bool{}} }

// run creates and removes records. After an error it reads the record to learn the outcome. It returns
// false if the process has crashed.
func (h *history) run(t require.TestingT, d *Dir, records ...string) bool {
	ctx := context.Background()
	create := func(name string) error {
		parts, want := content(name)
		h.tried[name] = true
		err := d.Create(ctx, name, parts)
		if err == nil {
			h.there[name] = true
			return nil
		}
		h.errors++
		got, readErr := d.Read(ctx, name)
		if readErr == nil {
			require.Equal(t, want, string(got))
			h.there[name] = true
		} else if h.there[name] {
			require.NotErrorIs(t, readErr, fs.ErrNotExist)
		}
		return errors.Join(err, readErr)
	}
	remove := func(name string) error {
		h.removal = append(h.removal, name)
		err := d.Remove(ctx, name)
		if err != nil {
			h.errors++
			err = d.Remove(ctx, name)
		}
		return err
	}
	a, b, c := records[0], records[1], records[2]
	for _, step := range []func() error{
		func() error { return create(a) },
		func() error { return create(b) },
		func() error { return remove(a) },
		func() error { return create(c) },
		func() error { return remove(b) },
		func() error { return remove(c) },
		func() error { return create(records[3]) },
		func() error { return create(records[4]) },
	} {
		if errors.Is(step(), ErrCrash) {
			return false
		}
	}
	return true
}

// check reads the directory as the next process would and compares it with the history. It then
// creates a record that exists and one that does not.
func (h *history) check(m *Mem) error {
	ctx := context.Background()
	d := NewDir(m, memPath)
	names, err := d.Names(ctx)
	if err != nil {
		return err
	}
	has, full := map[string]bool{}, func(name string) error {
		_, want := content(name)
		got, err := d.Read(ctx, name)
		if err == nil && string(got) != want {
			err = fmt.Errorf("record %s is damaged: %q", name, got)
		}
		return err
	}
	for _, name := range names {
		has[name] = true
		if !h.tried[name] {
			return fmt.Errorf("%s is not a record", name)
		}
		if err := full(name); err != nil {
			return err
		}
	}
	for name := range h.there {
		if !has[name] && !slices.Contains(h.removal, name) {
			return fmt.Errorf("record %s is lost", name)
		}
	}
	tried := map[bool]bool{}
	for name := range h.tried {
		if tried[has[name]] {
			continue
		}
		tried[has[name]] = true
		parts, _ := content(name)
		if err := d.Create(ctx, name, parts); errors.Is(err, fs.ErrExist) != has[name] || err != nil && !has[name] {
			return fmt.Errorf("create record %s, which exists: %t: %w", name, has[name], err)
		}
		if err := full(name); err != nil {
			return err
		}
	}
	return nil
}

// checkCrashes checks every state that a machine crash can leave and returns the number of states. An
// operation that changes nothing adds no state.
func (h *history) checkCrashes(t require.TestingT, m *Mem, most int) (states int) {
	ops := m.Ops()
	if !changes(ops[len(ops)-1]) {
		return 0
	}
	for _, s := range m.Crashes(most, 1) {
		require.NoError(t, h.check(s))
		states++
	}
	return states
}

var records = []string{"a", "b", "c", "d", "e"}

// operations returns the operations of a run without faults.
func operations(t *testing.T) []string {
	m := NewMem()
	require.True(t, newHistory().run(t, NewDir(m, memPath), records...))
	require.Greater(t, len(m.Ops()), 60)
	return m.Ops()
}

// changes reports whether an operation changes the disk or the data that a crash can lose.
func changes(op string) bool {
	kind, _, _ := strings.Cut(op, " ")
	return !slices.Contains([]string{"open", "stat", "list", "read", "close"}, kind)
}

func TestMachineCrashAtEachOperation(t *testing.T) {
	t.Parallel()
	states := 0
	for n := range operations(t) {
		m, h := NewMem(), newHistory()
		m.FailAt(n+1, ErrCrash, true)
		require.False(t, h.run(t, NewDir(m, memPath), records...))
		states += h.checkCrashes(t, m, 64)
	}
	assert.Greater(t, states, 200)
	t.Logf("%d states", states)
}

// every returns the step between the operations at which the machine crashes after another fault.
func every() int { return scaletest.Short(7, 1) }

// One process dies, another continues, and then the machine crashes.
func TestProcessCrashThenMachineCrash(t *testing.T) {
	t.Parallel()
	states := 0
	for n, op := range operations(t) {
		if !changes(op) {
			continue
		}
		for later, died := n+1+n%every(), true; died; later += every() {
			m, h := NewMem(), newHistory()
			m.FailAt(n+1, ErrCrash, true)
			require.False(t, h.run(t, NewDir(m, memPath), records...))
			m.Restart()
			m.FailAt(later+1, ErrCrash, true)
			for _, name := range h.removal {
				delete(h.there, name)
			}
			h.removal = nil // the next process knows only what it reads
			d := NewDir(m, memPath)
			names, _ := d.Names(t.Context())
			for _, name := range names {
				h.there[name] = true // the process may act on it
			}
			died = !h.run(t, d, "f", "g", "h", "i", "j")
			states += h.checkCrashes(t, m, 4)
		}
	}
	t.Logf("%d states", states)
}

// The process continues after an error, and then the machine crashes.
func TestErrorThenMachineCrash(t *testing.T) {
	t.Parallel()
	states := 0
	for n := range operations(t) {
		for i, fault := range []error{syscall.EIO, syscall.ENOSPC} {
			for later, died := n+1+n%every(), true; died; later += every() {
				m, h := NewMem(), newHistory()
				m.FailAt(n+1, fault, i == 0)
				m.FailAt(later+1, ErrCrash, true)
				died = !h.run(t, NewDir(m, memPath), records...)
				states += h.checkCrashes(t, m, 4)
			}
		}
	}
	t.Logf("%d states", states)
}

func TestDiskFullAtEachByte(t *testing.T) {
	t.Parallel()
	for room := int64(0); ; room++ {
		m, h := NewMem(), newHistory()
		m.SetRoom(room)
		require.True(t, h.run(t, NewDir(m, memPath), records...))
		h.checkCrashes(t, m, 8)
		m.SetRoom(0)
		for name := range h.there {
			parts, _ := content(name)
			if !slices.Contains(h.removal, name) {
				require.ErrorIs(t, NewDir(m, memPath).Create(t.Context(), name, parts), fs.ErrExist, "also on a full disk")
			}
		}
		m.SetRoom(-1)
		for _, op := range leftOver(t, m) {
			require.Fail(t, "left over", op)
		}
		require.NoError(t, h.check(m))
		if h.errors == 0 {
			break
		}
	}
}

// leftOver returns the files in the directory that are not records.
func leftOver(t *testing.T, m *Mem) (names []string) {
	root, err := m.OpenRoot(memPath)
	require.NoError(t, err)
	entries, err := root.ReadDir()
	require.NoError(t, err)
	for _, e := range entries {
		if !isRecord(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestOldTemporaryFilesAreRemoved(t *testing.T) {
	t.Parallel()
	m := NewMem()
	parts, _ := content("a")
	m.FailAt(len(writeOnce(t)), ErrCrash, false)
	require.ErrorIs(t, NewDir(m, memPath).Create(t.Context(), "a", parts), ErrCrash)
	m.Restart()
	require.Len(t, leftOver(t, m), 1)
	for _, step := range []struct {
		wait time.Duration
		left int
	}{{0, 1}, {tempAge, 1}, {time.Second, 0}} {
		m.Advance(step.wait)
		require.NoError(t, NewDir(m, memPath).Create(t.Context(), fmt.Sprintf("after-%d", step.wait/time.Second), parts))
		assert.Len(t, leftOver(t, m), step.left, step.wait)
	}
}

// writeOnce returns the operations of a Create up to and including the link of the record.
func writeOnce(t *testing.T) []string {
	m := NewMem()
	require.NoError(t, NewDir(m, memPath).Create(t.Context(), "a", nil))
	ops := m.Ops()
	return ops[:slices.IndexFunc(ops, func(op string) bool { return strings.HasPrefix(op, "link ") })+1]
}
