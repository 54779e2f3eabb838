package changes

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// target is where the bytes of the output go. Abort discards them unless commit has been called.
type target interface {
	io.Writer
	commit() error
	abort()
}

// stream is standard output, which cannot be taken back.
type stream struct {
	*bufio.Writer
	w io.Writer
}

func newStream(w io.Writer) *stream { return &stream{bufio.NewWriter(w), w} }

// commit flushes the output, and syncs it if it is a file.
func (s *stream) commit() error {
	if err := s.Flush(); err != nil {
		return err
	}
	f, ok := s.w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Sync()
}

func (*stream) abort() {}

// newFile is a file that replaces the one at its path in one step when it is committed.
type newFile struct {
	*bufio.Writer
	temp *os.File
	path string
	done bool
}

// checkTarget returns an error for a path whose file cannot be replaced. A symbolic link is refused:
// another user could have made it.
func checkTarget(path string) (mode fs.FileMode, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0o644, nil
	case err != nil:
		return 0, err
	case info.Mode().Type() == fs.ModeSymlink:
		return 0, errors.New("it is a symbolic link: name the file that it refers to")
	case !info.Mode().IsRegular():
		return 0, errors.New("it is not a regular file; use - for standard output")
	}
	return info.Mode().Perm(), nil
}

// replace creates a temporary file next to the one at path. The new file gets the permissions of the
// old one.
func replace(path string) (*newFile, error) {
	mode, err := checkTarget(path)
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	f := &newFile{Writer: bufio.NewWriter(temp), temp: temp, path: path}
	if err := temp.Chmod(mode); err != nil {
		f.abort()
		return nil, err
	}
	return f, nil
}

// commit makes the content durable, then the name.
func (f *newFile) commit() error {
	err := f.Flush()
	if err == nil {
		err = f.temp.Sync()
	}
	if err = errors.Join(err, f.temp.Close()); err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err == nil {
		f.done = true
		err = durable.SyncDir(filepath.Dir(f.path))
	}
	return err
}

func (f *newFile) abort() {
	if !f.done {
		_ = f.temp.Close()
		_ = os.Remove(f.temp.Name())
	}
}
