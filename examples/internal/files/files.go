// Package files decides which file a command replaces at a path that its user gives.
package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLinks is the number of symbolic links that Target follows, the same as on Linux.
const maxLinks = 40

var (
	errUntrusted = errors.New("another user could have made or changed this symbolic link; name the file that it refers to instead")
	errLoop      = errors.New("too many symbolic links; name the file that they refer to instead")
)

// Target returns the path of the file to replace at path. If the last element of path is a symbolic
// link, Target follows it and returns the path of what it refers to, which need not exist.
//
// A command that renames a new file over the result never opens the link, so the kernel's
// protection against the links of other users (fs.protected_symlinks) does not apply. Target
// therefore returns an error for a link unless the link and its directory belong to the user of the
// process or to root, and no other user can replace the link: the directory is writable by its owner
// only, or sticky. On systems without user ids, every link is an error.
//
// Links in the elements before the last are left to the kernel. The result can therefore hold ".."
// after a linked directory, which filepath.Dir and filepath.Join would cut short: use filepath.Split.
// The directory that it returns is never empty.
func Target(path string) (string, error) { return target(path, trustedOwner) }

// target is Target with a function that reports whether a file belongs to a trusted user.
func target(path string, trusted func(fs.FileInfo) bool) (string, error) {
	for range maxLinks {
		parent, _ := filepath.Split(path)
		if parent == "" {
			parent = "." + string(filepath.Separator)
			path = parent + path
		}
		link, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if link.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		dir, err := os.Stat(parent)
		if err != nil {
			return "", err
		}
		shared := dir.Mode().Perm()&0o022 != 0 && dir.Mode()&fs.ModeSticky == 0
		if shared || !trusted(link) || !trusted(dir) {
			return "", &fs.PathError{Op: "replace", Path: path, Err: errUntrusted}
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			next = parent + next
		}
		path = next
	}
	return "", &fs.PathError{Op: "replace", Path: path, Err: errLoop}
}
