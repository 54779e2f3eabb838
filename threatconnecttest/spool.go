package threatconnecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/threatconnect-go/threatconnect"
)

// TestSpool tests an implementation of [threatconnect.Spool] against the contract of the interface.
// newStore creates an empty store and returns a function that opens it. TestSpool opens some stores
// several times, as several processes would, and uses all handles concurrently.
//
//	func TestBucket(t *testing.T) {
//		threatconnecttest.TestSpool(t, func(t *testing.T) func() threatconnect.Spool {
//			dir := t.TempDir()
//			return func() threatconnect.Spool { return NewBucket(dir) }
//		})
//	}
//
// TestSpool makes up to 800 calls per store, up to 8 of them concurrently, and needs a few MB of
// memory. It cannot test whether records survive a system crash. It finds data races only with the
// race detector.
func TestSpool(t *testing.T, newStore func(t *testing.T) (open func() threatconnect.Spool)) {
	t.Helper()
	for _, test := range spoolTests {
		t.Run(test.name, func(t *testing.T) {
			open := newStore(t)
			test.run(t, func() spool { return open() })
		})
	}
}

// spool is threatconnect.Spool.
type spool interface {
	Create(ctx context.Context, name string, parts [][]byte) error
	Names(ctx context.Context) ([]string, error)
	Read(ctx context.Context, name string) ([]byte, error)
	Remove(ctx context.Context, name string) error
}

// reporter is the part of *testing.T that spoolTests uses.
type reporter interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

type spoolTest struct {
	name string
	run  func(t reporter, open func() spool)
}

var spoolTests = []spoolTest{
	{"Names", testSpoolNames},
	{"Content", testSpoolContent},
	{"CreateExisting", testSpoolCreateExisting},
	{"CreateConcurrently", testSpoolCreateConcurrently},
	{"ReadWhileCreating", testSpoolReadWhileCreating},
	{"Absent", testSpoolAbsent},
	{"Remove", testSpoolRemove},
	{"Memory", testSpoolMemory},
	{"EndedContext", testSpoolEndedContext},
	{"ContextEndsDuringCreate", testSpoolContextEndsDuringCreate},
}

func spoolRecord(n int) string { return fmt.Sprintf("record-%08d", n) }

// spoolParts splits a text into parts, some of them empty.
func spoolParts(text []byte, size int) [][]byte {
	return append(slices.Collect(slices.Chunk(text, size)), nil, []byte{})
}

func mustCreate(t reporter, s spool, name string, text []byte) {
	t.Helper()
	if err := s.Create(t.Context(), name, [][]byte{text}); err != nil {
		t.Fatalf("Create(%q) in a store without it: %v", name, err)
	}
}

func mustRead(t reporter, s spool, name string, want []byte) {
	t.Helper()
	got, err := s.Read(t.Context(), name)
	if err != nil {
		t.Fatalf("Read(%q): %v", name, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Read(%q) returns %d bytes, want the %d bytes of Create", name, len(got), len(want))
	}
}

func mustNotExist(t reporter, s spool, name string) {
	t.Helper()
	if text, err := s.Read(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Read(%q) of a record that does not exist returns %d bytes and error %v, want an error that matches fs.ErrNotExist", name, len(text), err)
	}
}

func mustHave(t reporter, s spool, want ...string) {
	t.Helper()
	got, err := s.Names(t.Context())
	if err != nil {
		t.Fatalf("Names: %v", err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("Names returns %q, want %q", got, want)
	}
}

func testSpoolNames(t reporter, open func() spool) {
	s, other := open(), open()
	mustHave(t, s)
	long := strings.Repeat("abcdefghijklmnopqrstuvwxyz-0123456789", 2)[:63]
	var names []string
	for _, name := range []string{"a", "0", "-", "a-", "--a", "00000001", long, long + "x", long + "y"} {
		mustCreate(t, s, name, []byte(name))
		names = append(names, name)
		mustHave(t, other, names...)
	}
	for i := range 100 {
		mustCreate(t, other, spoolRecord(i), nil)
		names = append(names, spoolRecord(i))
	}
	for _, s := range []spool{s, other, open()} {
		mustHave(t, s, names...)
		for _, name := range names[:9] {
			mustRead(t, s, name, []byte(name))
		}
	}
}

func testSpoolContent(t reporter, open func() spool) {
	s := open()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	large := bytes.Repeat(all[:251], 3<<20/251)
	for i, content := range []struct {
		parts [][]byte
		want  []byte
	}{
		{nil, nil},
		{[][]byte{}, nil},
		{[][]byte{nil, {}}, nil},
		{[][]byte{[]byte("one")}, []byte("one")},
		{[][]byte{nil, []byte("one "), {}, []byte("two"), nil}, []byte("one two")},
		{spoolParts(all, 1), all},
		{[][]byte{large}, large},
		{spoolParts(large, 100_003), large},
	} {
		name := spoolRecord(i)
		if err := s.Create(t.Context(), name, content.parts); err != nil {
			t.Fatalf("Create of a record of %d parts and %d bytes: %v", len(content.parts), len(content.want), err)
		}
		mustRead(t, s, name, content.want)
		mustRead(t, open(), name, content.want)
	}
}

func testSpoolCreateExisting(t reporter, open func() spool) {
	s, other := open(), open()
	for i, old := range [][]byte{[]byte("old"), nil} {
		name := spoolRecord(i)
		mustCreate(t, s, name, old)
		for _, s := range []spool{s, other, open()} {
			for _, text := range [][]byte{old, []byte("new"), []byte("longer than before"), nil} {
				if err := s.Create(t.Context(), name, [][]byte{text}); !errors.Is(err, fs.ErrExist) {
					t.Fatalf("Create of a record that exists returns error %v, want one that matches fs.ErrExist", err)
				}
				mustRead(t, s, name, old)
			}
		}
	}
	mustHave(t, s, spoolRecord(0), spoolRecord(1))
}

// testSpoolCreateConcurrently creates the same records from 8 goroutines with 2 handles.
func testSpoolCreateConcurrently(t reporter, open func() spool) {
	handles := []spool{open(), open()}
	text := func(n int) []byte { return bytes.Repeat([]byte("abcdefgh"[n:n+1]), 1000+n) }
	for i := range 32 {
		name, start := spoolRecord(i), make(chan struct{})
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for n := range errs {
			wg.Go(func() {
				<-start
				errs[n] = handles[n%2].Create(t.Context(), name, spoolParts(text(n), 300))
			})
		}
		close(start)
		wg.Wait()
		winner := slices.Index(errs, nil)
		switch {
		case winner < 0:
			// Create may fail here, but a failed call must not leave half a record to the next one.
			if err := handles[0].Create(t.Context(), name, nil); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatalf("8 concurrent calls of Create fail, as does the next: %v", errors.Join(append(errs, err)...))
			}
		case slices.Contains(errs[winner+1:], nil):
			t.Fatalf("more than one of 8 concurrent calls of Create with one name returns nil")
		default:
			mustRead(t, handles[0], name, text(winner))
			mustRead(t, handles[1], name, text(winner))
		}
	}
}

// testSpoolReadWhileCreating creates and removes records with one handle while it reads with
// another.
func testSpoolReadWhileCreating(t reporter, open func() spool) {
	const records, size = 12, 256 << 10
	writer, reader := open(), open()
	text := func(n int) []byte { return bytes.Repeat([]byte("abcdefghijkl"[n:n+1]), size) }
	var all []string
	for i := range records {
		all = append(all, spoolRecord(i))
	}
	var created, removing atomic.Int64
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			for i := range records {
				if err := writer.Create(t.Context(), spoolRecord(i), spoolParts(text(i), size/64)); err != nil {
					return fmt.Errorf("create: %w", err)
				}
				created.Store(int64(i + 1))
			}
			for i := range records / 2 {
				removing.Store(int64(i + 1))
				if err := writer.Remove(t.Context(), spoolRecord(i)); err != nil {
					return fmt.Errorf("remove: %w", err)
				}
			}
			return nil
		}()
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("while another handle reads: %v", err)
			}
			running = false
		default:
			runtime.Gosched()
		}
		before := int(created.Load())
		names, err := reader.Names(t.Context())
		if err != nil {
			t.Fatalf("Names while another handle creates and removes records: %v", err)
		}
		for i := int(removing.Load()); i < before; i++ {
			if !slices.Contains(names, spoolRecord(i)) {
				t.Fatalf("Names does not return %s, whose Create returned nil before", spoolRecord(i))
			}
		}
		for _, name := range names {
			if !slices.Contains(all, name) {
				t.Fatalf("Names returns %q, which nobody created", name)
			}
		}
		for i := range min(before+1, records) {
			got, err := reader.Read(t.Context(), spoolRecord(i))
			gone := i >= before || i < int(removing.Load())
			switch {
			case errors.Is(err, fs.ErrNotExist) && gone:
			case err != nil:
				t.Fatalf("Read while another handle creates and removes records: %v", err)
			case !bytes.Equal(got, text(i)):
				t.Fatalf("Read returns %d of %d bytes of a record that another handle creates", len(got), size)
			}
		}
	}
}

func testSpoolAbsent(t reporter, open func() spool) {
	s := open()
	mustNotExist(t, s, "absent")
	if err := s.Remove(t.Context(), "absent"); err != nil {
		t.Fatalf("Remove of a record that does not exist: %v", err)
	}
	mustCreate(t, s, "present", []byte("present"))
	mustNotExist(t, s, "absent")
	mustNotExist(t, s, "presen")
	if err := s.Remove(t.Context(), "presen"); err != nil {
		t.Fatalf("Remove of a record that does not exist: %v", err)
	}
	mustHave(t, s, "present")
}

func testSpoolRemove(t reporter, open func() spool) {
	s, other := open(), open()
	for _, name := range []string{"a", "b", "c"} {
		mustCreate(t, s, name, []byte("old "+name))
	}
	for _, s := range []spool{s, other} {
		if err := s.Remove(t.Context(), "b"); err != nil {
			t.Fatalf("Remove by one handle, then by another: %v", err)
		}
	}
	for _, s := range []spool{s, other, open()} {
		mustHave(t, s, "a", "c")
		mustNotExist(t, s, "b")
		mustRead(t, s, "c", []byte("old c"))
	}
	mustCreate(t, other, "b", []byte("new b"))
	mustRead(t, s, "b", []byte("new b"))
}

func testSpoolMemory(t reporter, open func() spool) {
	s := open()
	text := []byte("written once")
	part := bytes.Clone(text)
	parts := [][]byte{part}
	if err := s.Create(t.Context(), "a", parts); err != nil {
		t.Fatalf("Create: %v", err)
	}
	if len(parts) != 1 || !bytes.Equal(parts[0], text) {
		t.Fatalf("Create changes the parts")
	}
	clear(part)
	parts[0] = []byte("other")
	for range 2 {
		got, err := s.Read(t.Context(), "a")
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		if !bytes.Equal(got, text) {
			t.Fatalf("Read does not return what Create was given: they share memory with the caller")
		}
		clear(got)
	}
}
