package durable

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// FS is the part of a file system that a [Dir] uses.
type FS interface {
	// Mkdir makes a directory that only the user can access. It returns false if the path exists.
	Mkdir(path string) (made bool, err error)
	// OpenRoot opens a directory. If its path contains a symbolic link of another user, it returns an error.
	OpenRoot(path string) (Root, error)
}

// Root is an open directory. Names are those of files directly in it.
type Root interface {
	// Create creates a file that only the user can read. It fails if the name exists.
	Create(name string) (File, error)
	// Link gives a file a second name. If that name exists, it changes nothing, and the error matches
	// fs.ErrExist.
	Link(name, second string) error
	Remove(name string) error
	ReadDir() ([]fs.DirEntry, error)
	// Info describes the directory.
	Info() (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadFile(name string) ([]byte, error)
	// Sync makes the names in the directory durable.
	Sync() error
	Close() error
}

// File is a file that is being written.
type File interface {
	Write(p []byte) (int, error)
	// Sync makes the content durable, but not the name.
	Sync() error
	Close() error
}

// OS is the file system of the operating system.
type OS struct{}

// Mkdir implements [FS].
func (OS) Mkdir(path string) (bool, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return false, nil
	}
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return false, nil // another process made it, or OpenRoot will refuse the file
	}
	return err == nil, err
}

// OpenRoot implements [FS].
func (OS) OpenRoot(path string) (Root, error) {
	if err := checkLinks(path); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return osRoot{root}, nil
}

type osRoot struct{ *os.Root }

func (r osRoot) Create(name string) (File, error) {
	f, err := r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r osRoot) ReadDir() ([]fs.DirEntry, error) { return fs.ReadDir(r.FS(), ".") }

func (r osRoot) Info() (fs.FileInfo, error) { return r.Stat(".") }

// Sync does nothing on Windows, which cannot sync directories. NTFS journals changes of names in order.
func (r osRoot) Sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := r.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SyncDir makes the names in a directory durable. It accepts file systems that have no sync for directories, as some
// network file systems do.
func SyncDir(path string) error {
	root, err := OS{}.OpenRoot(path)
	if err != nil {
		return err
	}
	err = root.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, root.Close())
}
