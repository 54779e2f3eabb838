package export

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/threatconnect-go/threatconnect/examples/internal/files"
)

// newFile is a file that takes the place of another one when it is complete. Until then, and when it
// never is, the other one stays as it was.
type newFile struct {
	*bufio.Writer
	temp *os.File
	path string
}

// replace creates the file that is to take the place of the one at path, or of the one that a
// symbolic link at path refers to if [files.Target] allows it. mode is for a file that does not exist.
func replace(path string, mode fs.FileMode) (*newFile, error) {
	real, err := files.Target(path)
	if err != nil {
		return nil, err
	}
	old, err := os.Stat(path) // not of real: a link in /proc does not name what it refers to
	switch {
	case err == nil && !old.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file that could be replaced", path)
	case err == nil:
		mode = old.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	dir, name := filepath.Split(real)
	temp, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return nil, err
	}
	f := &newFile{bufio.NewWriterSize(temp, 64<<10), temp, real}
	if err := temp.Chmod(mode); err != nil {
		f.abort()
		return nil, err
	}
	return f, nil
}

// commit puts the file in its place, in one step.
func (f *newFile) commit() error {
	err := f.Flush()
	if err == nil {
		err = f.temp.Sync()
	}
	if bad := f.temp.Close(); err == nil {
		err = bad
	}
	if err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(f.temp.Name()) // the first error says more
	}
	return err
}

// abort leaves everything as it was.
func (f *newFile) abort() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}
