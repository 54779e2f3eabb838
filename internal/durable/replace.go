package durable

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replacement is a file that replaces the one at a path atomically when it is committed. Until then, the path
// is unchanged.
type Replacement struct {
	*bufio.Writer
	temp *os.File
	path string
	done bool
}

// CheckReplaceable returns the permissions of the file at path. It returns an error if the file is not
// regular or belongs to another user, or if [CheckPath] does. If the file does not exist, the error matches
// [fs.ErrNotExist].
func CheckReplaceable(path string) (fs.FileMode, error) {
	if err := CheckPath(path); err != nil {
		return 0, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errNotRegular
	}
	return info.Mode().Perm(), checkOwner(info)
}

// NewReplacement creates a file in the directory of path. It gets the permissions of the file at path, or
// perm less the umask if there is none.
func NewReplacement(path string, perm fs.FileMode) (*Replacement, error) {
	mode, err := CheckReplaceable(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return nil, err
	}
	if !isNew {
		perm = 0o600 // until Chmod
	}
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:10])
	temp, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return nil, err
	}
	r := &Replacement{Writer: bufio.NewWriter(temp), temp: temp, path: path}
	if isNew {
		return r, nil
	}
	if err := temp.Chmod(mode); err != nil {
		r.Abort()
		return nil, err
	}
	return r, nil
}

// Commit syncs the file, renames it to the path, and syncs the directory. If it returns an error, call Abort.
func (r *Replacement) Commit() error {
	err := r.Flush()
	if err == nil {
		err = r.temp.Sync()
	}
	if err = errors.Join(err, r.temp.Close()); err == nil {
		err = os.Rename(r.temp.Name(), r.path)
	}
	if err == nil {
		r.done = true
		err = SyncDir(filepath.Dir(r.path))
	}
	return err
}

// Abort removes the file unless Commit has renamed it.
func (r *Replacement) Abort() {
	if !r.done {
		_ = r.temp.Close()
		_ = os.Remove(r.temp.Name())
	}
}
