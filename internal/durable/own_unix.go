//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// noFollow makes an open fail for a symbolic link, and not wait for the reader of a pipe.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// maxLinks is how many symbolic links Linux follows in a path.
const maxLinks = 40

// hasOwners is whether the permissions of a file say who can write to it.
const hasOwners = true

// owner returns the id of the user to whom a file belongs.
func owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(stat.Uid), true
}

// isTrusted reports whether the user of the process or root has made a symbolic link.
func isTrusted(link fs.FileInfo) bool {
	uid, known := owner(link)
	return known && (uid == 0 || uid == os.Geteuid())
}

// checkLinks follows the directories of a path as the system does, and refuses links of other users. A relative path
// begins in the working directory, whichever links led there.
func checkLinks(path string) error { return follow(path, os.Lstat) }

func follow(path string, lstat func(string) (fs.FileInfo, error)) error {
	now, links := ".", 0
	if filepath.IsAbs(path) {
		now = "/"
	}
	rest := strings.Split(path, "/") // not cleaned: the system does not take "link/.." for nothing
	for len(rest) > 0 {
		element := rest[0]
		rest = rest[1:]
		switch element {
		case "", ".":
			continue
		case "..":
			now = filepath.Join(now, "..")
			continue
		}
		next := filepath.Join(now, element)
		info, err := lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode().Type() != fs.ModeSymlink:
			now = next
			continue
		case !isTrusted(info):
			return errOtherLink
		}
		if links++; links > maxLinks {
			return errManyLinks
		}
		target, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			now = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}
