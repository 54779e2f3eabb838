package export

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newFile is a file that takes the place of another one when it is complete. Until then, and when it
// never is, the other one stays as it was.
type newFile struct {
	*bufio.Writer
	temp *os.File
	path string
}

// replace begins the file that is to take the place of the one at path. mode is for one that does
// not exist yet.
func replace(path string, mode fs.FileMode) (*newFile, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	old, err := os.Stat(path)
	switch {
	case err == nil && !old.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file that could be replaced", path)
	case err == nil:
		mode = old.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	f := &newFile{bufio.NewWriterSize(temp, 64<<10), temp, path}
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
