// Package durable keeps records in a directory, so that they survive the process and the machine.
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
// A Dir holds no lock and no open file: any number of goroutines and processes may use one directory
// at a time. The first call of each Dir, and the next one after an error of Create, sync the directory
// and its parents: whoever created a record may have died before it did so. So records that Names and
// Read report are durable, except while their Create is running.
type Dir struct {
	fs      FS
	path    string
	cleaned sync.Once

	mu      sync.Mutex
	settled bool // the directory and the names in it are durable
}

// NewDir returns the directory of records at a path. Create makes it if it does not exist. Its methods return
// an error if it belongs to another user or others can write to it: their records would be imported.
func NewDir(fsys FS, path string) *Dir { return &Dir{fs: fsys, path: path} }

const (
	maxName  = 64
	tempName = 26            // the length of rand.Text
	tempEnd  = ".tmp"        // of files that are being written
	tempAge  = 1 * time.Hour // of files that no process still writes
)

func isRecord(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isTemp(name string) bool {
	token, ok := strings.CutSuffix(name, tempEnd)
	return ok && len(token) == tempName && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// Create keeps a record. It returns an error that matches [fs.ErrExist] if the name exists. It writes
// and syncs a temporary file, links it under the name, and syncs the directory. If that last sync
// fails, the record may exist, and Read tells.
func (d *Dir) Create(ctx context.Context, name string, parts [][]byte) error {
	root, err := d.openFor(ctx, name, true)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); err == nil {
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist} // also if there is no room for the content
	}
	temp := rand.Text() + tempEnd
	if err := d.write(ctx, root, temp, parts); err != nil {
		_ = root.Remove(temp) // it is cleaned up later if that fails
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
	d.cleaned.Do(func() { clean(root, temp) })
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

// clean removes the temporary files of processes that died. The age of a file is measured from the new
// file now, because the clock of the file system may differ from that of the process.
func clean(root Root, now string) {
	newest, err := root.Lstat(now)
	if err != nil {
		return
	}
	entries, _ := root.ReadDir()
	for _, e := range entries {
		if info, err := e.Info(); err == nil && isTemp(e.Name()) && newest.ModTime().Sub(info.ModTime()) > tempAge {
			_ = root.Remove(e.Name())
		}
	}
}

// Names returns the names of all records, in no order. Other files are not among them.
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

// Read returns the content of a record, or an error that matches [fs.ErrNotExist]. It does not follow
// a symbolic link, and refuses a file that belongs to another user or that others can write to.
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

// Remove removes a record; if there is none, it does nothing. It syncs nothing, so a failure of the
// machine may undo removals, in any order, until the next Create has returned.
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

// openFor is open for a call about one record.
func (d *Dir) openFor(ctx context.Context, name string, create bool) (Root, error) {
	if !isRecord(name) {
		return nil, fmt.Errorf("the name of a record must have 1 to %d lower-case letters, digits and hyphens", maxName)
	}
	return d.open(ctx, create)
}

// open opens the directory, and first makes it and its names durable unless that is known.
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

// openOwn opens the directory if it is the user's own.
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

// ensure makes a directory and its missing parents, and syncs the parent of each. A parent that
// exists need not be readable, and its file system may have no sync for directories.
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
