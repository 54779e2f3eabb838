package threatconnecttest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"sync"
)

func testSpoolEndedContext(t reporter, open func() spool) {
	s := open()
	mustCreate(t, s, "a", []byte("a"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, namesErr := s.Names(ended)
	_, readErr := s.Read(ended, "a")
	for call, err := range map[string]error{
		"Create": s.Create(ended, "b", [][]byte{[]byte("b")}),
		"Names":  namesErr,
		"Read":   readErr,
		"Remove": s.Remove(ended, "a"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%s with an ended context returns error %v, want one that matches that of the context", call, err)
		}
	}
	mustHave(t, s, "a")
	mustRead(t, s, "a", []byte("a"))
	mustNotExist(t, s, "b")
}

// testSpoolContextEndsDuringCreate ends the context at the first check, at the second, and so on,
// and then at arbitrary times.
func testSpoolContextEndsDuringCreate(t reporter, open func() spool) {
	s := open()
	text := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	for i := range 40 {
		name := spoolRecord(i)
		ctx, cancel := context.WithCancel(t.Context())
		if i < 32 {
			ctx = &endingContext{Context: ctx, cancel: cancel, checks: i}
		} else {
			go cancel()
		}
		err := s.Create(ctx, name, spoolParts(text, 4<<10))
		cancel()
		got, readErr := s.Read(t.Context(), name)
		again := s.Create(t.Context(), name, spoolParts(text, 4<<10))
		switch {
		case readErr == nil && !bytes.Equal(got, text):
			t.Fatalf("Create whose context ends leaves %d of %d bytes of a record", len(got), len(text))
		case readErr == nil && !errors.Is(again, fs.ErrExist):
			t.Fatalf("Create of a record that exists returns error %v, want one that matches fs.ErrExist", again)
		case readErr == nil:
		case err == nil || !errors.Is(readErr, fs.ErrNotExist):
			t.Fatalf("Create whose context ends returns error %v, and then Read returns error %v", err, readErr)
		case again != nil:
			t.Fatalf("Create after one whose context ended: %v", again)
		}
		mustRead(t, s, name, text)
	}
}

// endingContext is a context that ends after the given number of calls to Err.
type endingContext struct {
	context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	checks int
}

func (c *endingContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checks--; c.checks < 0 {
		c.cancel()
	}
	return c.Context.Err()
}
