//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package threatconnect

import (
	"errors"
	"fmt"
	"os"
)

// lockDir says that this system has no lock that outlives neither the file nor the process.
func lockDir(*os.Root, string) (*os.File, error) {
	return nil, fmt.Errorf("%w: this system has no file locks that a spool can rely on: give another implementation of Spool", errors.ErrUnsupported)
}
