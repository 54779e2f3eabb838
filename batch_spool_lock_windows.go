package threatconnect

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir locks a directory until the file that it returns is closed, or the process ends: the file
// is shared with nobody.
func lockDir(_ *os.Root, dir string) (*os.File, error) {
	name := filepath.Join(dir, lockFile)
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	const sharingViolation = syscall.Errno(32)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, ErrSpoolLocked
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: lockFile, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
