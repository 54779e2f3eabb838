package feeds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// NewFileStore returns the store in a file. Its directory must exist. While a run is in progress, a second file has the
// path with ".running" at its end. Only the user of the process can read new files; an existing file keeps its
// permissions.
//
// Other users who can write to a state could choose which items are sent. Therefore a symbolic link at the path is an
// error. On Unix, so are a file that belongs to another user or that others can write to, a symbolic link of another
// user in the path, and a world-writable directory without the sticky bit. Nothing is read or written until the store
// is used.
func NewFileStore(path string) Store { return &fileStore{path: path} }

type fileStore struct {
	path string
	step func(name string) // of tests, before each change of the disk
}

func (f *fileStore) marker() string { return f.path + ".running" }

func (f *fileStore) before(step string) {
	if f.step != nil {
		f.step(step)
	}
}

// check returns an error if the path is not that of a file.
func (f *fileStore) check() error {
	if f.path == "" {
		return errors.New("the name of the file is empty")
	}
	dir, err := os.Stat(filepath.Dir(f.path))
	if err == nil && runtime.GOOS != "windows" && dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0 {
		return errors.New("everybody can write to its directory: remove that permission, as with chmod o-w, or use another directory")
	}
	err = checkFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errNone
	}
	return err
}

// checkFile returns an error unless there is a file at path that belongs to the user and that no other user can write to.
func checkFile(path string) error {
	if err := durable.CheckPath(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	}
	return durable.CheckOwn(info)
}

func (f *fileStore) swap(_ context.Context, change func(*mark) *mark) error {
	if err := f.check(); err != nil && err != errNone {
		return cannotRead(err)
	}
	now, err := f.mark()
	if err != nil {
		return cannotRead(err)
	}
	next := change(now)
	switch {
	case next == now:
		return nil
	case next == nil:
		err = f.unmark()
	default:
		err = f.write(f.marker(), func(w io.Writer) error { return json.NewEncoder(w).Encode(next) }, func() error { return nil })
	}
	if err != nil {
		return cannotWrite(err)
	}
	return nil
}

// mark reads the mark; nil if there is none.
func (f *fileStore) mark() (*mark, error) {
	err := checkFile(f.marker())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the file with .running at its end: %w", err)
	}
	file, err := os.Open(f.marker())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the run has just ended
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMark))
	return readMark(text), err
}

func (f *fileStore) unmark() error {
	f.before("remove the mark")
	if err := os.Remove(f.marker()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *fileStore) open(context.Context, string) (*stored, error) {
	if err := f.check(); err == errNone {
		return nil, err
	} else if err != nil {
		return nil, cannotRead(err)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, cannotRead(err)
	}
	s := &stored{file, 0, func() { _ = file.Close() }} // it was only read
	info, err := file.Stat()
	if err == nil && info.Size() <= maxInMemory {
		defer s.close()
		text := make([]byte, info.Size())
		if _, err = io.ReadFull(file, text); err == nil {
			return inMemory(text), nil
		}
	}
	if err != nil {
		s.close()
		return nil, cannotRead(err)
	}
	s.size = info.Size()
	return s, nil
}

func (f *fileStore) replace(_ context.Context, token string, write func(io.Writer) error) error {
	check := func() error {
		if err := f.check(); err != nil && err != errNone {
			return err
		}
		m, err := f.mark()
		if err != nil {
			return err
		}
		return m.owns(token)
	}
	err := check() // the owner may be writing the same temporary file
	if err == nil {
		err = f.write(f.path, write, check)
	}
	if err == nil {
		err = f.unmark()
	}
	if err == nil || err == ErrConcurrentRun || err == errDisputed {
		return err
	}
	return cannotWrite(err)
}

// write replaces the file at path if check returns nil when the content is durable.
func (f *fileStore) write(path string, write func(io.Writer) error, check func() error) error {
	f.before("create")
	r, err := durable.NewReplacement(path, 0o600)
	if err != nil {
		return err
	}
	f.before("write")
	if err = write(r); err == nil {
		err = r.Sync()
	}
	if err == nil {
		err = check()
	}
	f.before("commit")
	if err == nil {
		err = r.Commit()
	}
	if err != nil {
		r.Abort()
	}
	return err
}
