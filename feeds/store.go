package feeds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Store stores the state of a feed ([OpenState]) or a cursor ([LoadCursor]) between runs, in a file ([NewFileStore]) or
// in the platform's DataStore ([NewDataStore]). A Store is safe for concurrent use, also by several processes.
type Store interface {
	// swap replaces the mark of the run that uses the store by the result of change. A nil mark means no run.
	swap(ctx context.Context, change func(*mark) *mark) error
	// open opens the content, or returns errNone if there is none. Temporary files are created in dir.
	open(ctx context.Context, dir string) (*stored, error)
	// replace replaces the content by the output of write, and removes the mark. Both happen only if write succeeds
	// and the mark then is that of token and not disputed. After a crash, the content is the old or the new one.
	replace(ctx context.Context, token string, write func(io.Writer) error) error
}

// ErrConcurrentRun matches the error of [State.Save] and [SavedCursor.Save] if another run uses the store or has saved
// to it since.
var ErrConcurrentRun = errors.New("feeds: another run has used the same state")

// errDisputed is the error if a store is not replaced because a run continued after another one had taken over, so the
// order of their items is unknown.
var errDisputed = errors.New("feeds: the run that was taken over continued")

// mark identifies the run that uses a store.
type mark struct {
	Run      string `json:"run"`
	Token    string `json:"token"` // of the process
	Reason   string `json:"reason,omitempty"`
	Mixed    bool   `json:"mixed,omitempty"`    // the run has sent items of several versions of the feed
	Disputed bool   `json:"disputed,omitempty"` // a run that was taken over continued
}

// maxMark is the longest mark.
const maxMark = 64 << 10

// readMark reads a mark. A damaged one is that of an unknown run.
func readMark(text []byte) *mark {
	m := new(mark)
	if err := json.Unmarshal(text, m); err != nil || m.Token == "" {
		return &mark{Disputed: true}
	}
	return m
}

// owns returns nil if a process may replace the content of a store with this mark.
func (m *mark) owns(token string) error {
	switch {
	case m == nil && token == "":
		return nil
	case m == nil || m.Token != token:
		return ErrConcurrentRun
	case m.Disputed:
		return errDisputed
	}
	return nil
}

// stored is the content of a store.
type stored struct {
	io.ReaderAt
	size  int64
	close func()
}

// maxInMemory is the largest content that is read into memory: a state of about 130,000 items.
const maxInMemory = 4 << 20

func inMemory(text []byte) *stored {
	return &stored{bytes.NewReader(text), int64(len(text)), func() {}}
}

// The reasons for which a state is not used.
var (
	errNone    = errors.New("there is no state yet")
	errVersion = errors.New("the state was written by another version")
	errDamaged = errors.New("the state is damaged")
	errOther   = errors.New("the state belongs to another import (instance, owner or settings)")
)

// withoutPath returns the error of a file without the path, which the caller knows.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

func cannotRead(err error) error {
	return fmt.Errorf("feeds: the state cannot be read: %w", withoutPath(err))
}

func cannotWrite(err error) error {
	return fmt.Errorf("feeds: the state cannot be written: %w", withoutPath(err))
}
