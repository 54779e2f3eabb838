//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package threatconnect

import (
	"errors"
	"os"
	"syscall"
)

// lockDir locks a directory until the file that it returns is closed, or the process ends.
func lockDir(root *os.Root, _ string) (*os.File, error) {
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrSpoolLocked
	}
	return nil, err
}
