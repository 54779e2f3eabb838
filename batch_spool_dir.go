package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
)

// DirSpool is a [Spool] in a directory, with a file for each record. Only the user of the process can
// read the files.
//
// A record is written under another name, synced to the disk, and renamed; the directory is locked
// against other processes and writers for as long as it is open. Files that are not the spool's own
// are left alone, and a link in the place of a record is not followed. It is safe for concurrent use.
//
// A network file system must support locks and atomic renames. Systems without file locks of the
// whole file (those that are neither Windows, Linux, macOS nor BSD) are not supported.
type DirSpool struct {
	dir string

	mu   sync.Mutex
	root *os.Root // nil when it is not open
	lock *os.File
	self *os.File // the directory
}

const (
	lockFile     = "lock"
	beingWritten = ".tmp" // what the name of a file ends with that is being written
)

// NewDirSpool returns the spool in a directory, which is made when it is opened if it is not there.
// One directory holds one import at a time.
func NewDirSpool(dir string) *DirSpool { return &DirSpool{dir: dir} }

// Open makes the directory if need be, locks it, and removes what an earlier process has not finished
// writing.
func (d *DirSpool) Open(ctx context.Context) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return contextErr(ctx)
	case d.root != nil:
		return ErrSpoolLocked
	case d.dir == "":
		return &ValidationError{Field: "spool directory", Rule: "is missing"}
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.release()
		}
	}()
	if d.root, err = os.OpenRoot(d.dir); err != nil {
		return err
	}
	if d.lock, err = lockDir(d.root, d.dir); err != nil {
		return err
	}
	if d.self, err = d.root.Open("."); err != nil {
		return err
	}
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), beingWritten); ok && ownRecord(name) {
			if err := d.root.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownRecord reports whether a name is one that records have.
func ownRecord(name string) bool {
	name = strings.TrimPrefix(name, recordDamaged+"-")
	_, _, ok := jobRecord(name)
	return ok || name == recordImport
}

func (d *DirSpool) release() {
	for _, f := range []*os.File{d.self, d.lock} {
		if f != nil {
			_ = f.Close() // nothing was written to it
		}
	}
	if d.root != nil {
		_ = d.root.Close()
	}
	d.root, d.lock, d.self = nil, nil, nil
}

var errSpoolShut = errors.New("the spool is not open")

// open returns the directory.
func (d *DirSpool) open(ctx context.Context) (*os.Root, error) {
	if ctx.Err() != nil {
		return nil, contextErr(ctx)
	}
	if d.root == nil {
		return nil, errSpoolShut
	}
	return d.root, nil
}

// Names lists the files in the directory that can be records.
func (d *DirSpool) Names(ctx context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if ownRecord(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Read returns a record. What is not a regular file is an error that matches [ErrSpoolRecord].
func (d *DirSpool) Read(ctx context.Context, name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	const most = 2*maxBatchBytes - 1
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%w: it is not a regular file of less than 2 GiB", ErrSpoolRecord)
	}
	return root.ReadFile(name)
}

// Write writes a record and syncs it to the disk.
func (d *DirSpool) Write(ctx context.Context, name string, parts [][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open(ctx)
	if err != nil {
		return err
	}
	if err := d.write(root, name+beingWritten, parts); err != nil {
		_ = root.Remove(name + beingWritten) // there is an error already
		return err
	}
	if err := root.Rename(name+beingWritten, name); err != nil {
		_ = root.Remove(name + beingWritten)
		return err
	}
	return d.sync()
}

func (d *DirSpool) write(root *os.Root, name string, parts [][]byte) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			_ = f.Close()
			return err
		}
	}
	return firstError(f.Sync(), f.Close())
}

// sync makes a change of the directory last. Windows does so by itself and does not sync directories.
func (d *DirSpool) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return d.self.Sync()
}

// Remove removes a record. After a failure of the machine one can be there again that was removed
// last; that of the import goes only when the others are gone for good.
func (d *DirSpool) Remove(ctx context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open(ctx)
	if err != nil {
		return err
	}
	if name == recordImport {
		if err := d.sync(); err != nil {
			return err
		}
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Close unlocks the directory. Closing again does nothing.
func (d *DirSpool) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
	return nil
}
