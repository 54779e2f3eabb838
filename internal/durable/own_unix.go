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

// noFollow makes an open fail for a symbolic link, and return at once for a pipe without a reader.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// maxLinks is the largest number of symbolic links that Linux follows in a path.
const maxLinks = 40

// hasOwners reports whether permissions of files determine who can write to them.
const hasOwners = true

// owner returns the ID of the owner of a file.
func owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(stat.Uid), true
}

// isTrusted reports whether a symbolic link belongs to the user of the process or to root.
func isTrusted(link fs.FileInfo) bool {
	uid, known := owner(link)
	return known && (uid == 0 || uid == os.Geteuid())
}

// checkLinks resolves the directories of a path as the system does, and returns an error for a link of
// another user. A relative path starts at the working directory; links that led there are not checked.
func checkLinks(path string) error { return follow(path, os.Lstat) }

func follow(path string, lstat func(string) (fs.FileInfo, error)) error {
	now, links := ".", 0
	if filepath.IsAbs(path) {
		now = "/"
	}
	rest := strings.Split(path, "/") // not cleaned, because "link/.." is not the directory of link
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
