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

// NewReplacement creates a file in the directory of path. If there is a file at path, the new one gets its
// permissions, and otherwise those of perm that the umask allows. It removes the files of processes that died
// before Commit.
func NewReplacement(path string, perm fs.FileMode) (*Replacement, error) {
	mode, err := CheckReplaceable(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return nil, err
	}
	if !isNew {
		perm = 0o600 // until Chmod
	}
	prefix := "." + filepath.Base(path) + "."
	name := prefix + rand.Text() + tempEnd
	temp, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return nil, err
	}
	r := &Replacement{Writer: bufio.NewWriter(temp), temp: temp, path: path}
	if root, err := (OS{}).OpenRoot(filepath.Dir(path)); err == nil {
		clean(root, prefix, name)
		_ = root.Close() // nothing was written through it
	}
	if isNew {
		return r, nil
	}
	if err := temp.Chmod(mode); err != nil {
		r.Abort()
		return nil, err
	}
	return r, nil
}

// Sync makes the content durable. Commit does so itself; call Sync to check something right before Commit.
func (r *Replacement) Sync() error {
	if err := r.Flush(); err != nil {
		return err
	}
	return r.temp.Sync()
}

// Commit makes the content durable, then gives the file its name, and makes that durable. If it returns an
// error, call Abort.
func (r *Replacement) Commit() error {
	if err := errors.Join(r.Sync(), r.temp.Close()); err != nil {
		return err
	}
	err := os.Rename(r.temp.Name(), r.path)
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
