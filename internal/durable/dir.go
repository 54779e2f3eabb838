// Package durable stores records in a directory so that they survive failures of the process and the machine.
package durable

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Dir is a directory of records. Each record is a file that is created once and never changed.
//
// A Dir holds no lock and no open file, so any number of goroutines and processes can use one directory at
// the same time. The first call, and the first one after an error of Create, sync the directory and its
// parents, because another process may have created a record and died before its sync. So all records that
// Names and Read return are durable, except while their Create is running.
type Dir struct {
	fs      FS
	path    string
	cleaned sync.Once

	mu      sync.Mutex
	settled bool // the directory and its names are durable
}

// NewDir returns the directory of records at a path. Create makes it if it does not exist. Its methods return
// an error if it belongs to another user or others can write to it, because records of others would be
// imported.
func NewDir(fsys FS, path string) *Dir { return &Dir{fs: fsys, path: path} }

const (
	maxName  = 64
	tempName = 26            // length of rand.Text
	tempEnd  = ".tmp"        // suffix of files that are being written
	tempAge  = 1 * time.Hour // age at which no process is still writing a file
)

func isRecord(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isTemp(name string) bool {
	token, ok := strings.CutSuffix(name, tempEnd)
	return ok && len(token) == tempName && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// Create stores a record. If the name exists, the error matches [fs.ErrExist]. Create writes and syncs a
// temporary file, links it to the name, and syncs the directory. If only the last sync fails, the record may
// exist; call Read to find out.
func (d *Dir) Create(ctx context.Context, name string, parts [][]byte) error {
	root, err := d.openFor(ctx, name, true)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); err == nil {
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist} // even if there is no room for the content
	}
	temp := rand.Text() + tempEnd
	if err := d.write(ctx, root, temp, parts); err != nil {
		_ = root.Remove(temp) // if that fails, clean removes it later
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled = false
	err = root.Link(temp, name)
	_ = root.Remove(temp)
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w: use a directory on a file system that has hard links", err)
	case err != nil:
		return err
	}
	return d.sync(root)
}

func (d *Dir) write(ctx context.Context, root Root, temp string, parts [][]byte) error {
	f, err := root.Create(temp)
	if err != nil {
		return err
	}
	d.cleaned.Do(func() { clean(root, "", temp) })
	for i := 0; i < len(parts) && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			_, err = f.Write(parts[i])
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// clean removes the temporary files of processes that died, whose names begin with prefix. The age of a file is
// measured from the new file now, because the clock of the file system may differ from that of the process.
func clean(root Root, prefix, now string) {
	newest, err := root.Lstat(now)
	if err != nil {
		return
	}
	entries, _ := root.ReadDir()
	for _, e := range entries {
		name, found := strings.CutPrefix(e.Name(), prefix)
		if !found || !isTemp(name) {
			continue
		}
		if info, err := e.Info(); err == nil && newest.ModTime().Sub(info.ModTime()) > tempAge {
			_ = root.Remove(e.Name())
		}
	}
}

// Names returns the names of all records in any order. It omits other files.
func (d *Dir) Names(ctx context.Context) ([]string, error) {
	root, err := d.open(ctx, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := root.ReadDir()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isRecord(e.Name()) && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Read returns the content of a record. If the record does not exist, the error matches [fs.ErrNotExist].
// Read returns an error for a symbolic link, for a file of another user, and for a file that others can write
// to.
func (d *Dir) Read(ctx context.Context, name string) ([]byte, error) {
	root, err := d.openFor(ctx, name, false)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	if err := CheckOwn(info); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return root.ReadFile(name)
}

// Remove removes a record. If the record does not exist, it returns nil. It does not sync, so a failure of
// the machine may undo removals, in any order, until the next Create returns.
func (d *Dir) Remove(ctx context.Context, name string) error {
	root, err := d.openFor(ctx, name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openFor checks the name of a record and opens the directory.
func (d *Dir) openFor(ctx context.Context, name string, create bool) (Root, error) {
	if !isRecord(name) {
		return nil, fmt.Errorf("the name of a record must have 1 to %d lower-case letters, digits and hyphens", maxName)
	}
	return d.open(ctx, create)
}

// open opens the directory. It first makes the directory and its names durable unless they are.
func (d *Dir) open(ctx context.Context, create bool) (Root, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case d.path == "":
		return nil, errors.New("the path of the directory is empty: name one")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.openOwn()
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil && d.settled || err != nil && !(missing && create) {
		return root, err
	}
	if err = d.ensure(d.path); err == nil && missing {
		root, err = d.openOwn()
	}
	if err == nil {
		err = d.sync(root)
	}
	if err != nil && root != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, err
}

// openOwn opens the directory and checks its owner.
func (d *Dir) openOwn() (Root, error) {
	root, err := d.fs.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	info, err := root.Info()
	if err == nil {
		err = CheckOwn(info)
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: d.path, Err: fmt.Errorf("%w, or use a new directory", err)}, root.Close())
	}
	return root, nil
}

// sync makes the names in the directory durable.
func (d *Dir) sync(root Root) error {
	if err := root.Sync(); err != nil {
		return err
	}
	d.settled = true
	return nil
}

// ensure makes a directory and its missing parents, and syncs the parent of each. It ignores an existing
// parent that cannot be read or synced.
func (d *Dir) ensure(path string) error {
	parent := filepath.Dir(path)
	if parent == path {
		return nil
	}
	if err := d.ensure(parent); err != nil {
		return err
	}
	made, err := d.fs.Mkdir(path)
	if err != nil {
		return err
	}
	root, err := d.fs.OpenRoot(parent)
	if err == nil {
		err = errors.Join(root.Sync(), root.Close())
	}
	if !made && (errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)) {
		return nil
	}
	return err
}
