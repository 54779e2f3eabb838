package durable

import (
	"errors"
	"io/fs"
	"os"
)

var (
	errLink       = errors.New("it is a symbolic link: name the file that it refers to")
	errOtherLink  = errors.New("the path leads through a symbolic link of another user: name the file without it")
	errManyLinks  = errors.New("the path leads through too many symbolic links")
	errOther      = errors.New("it belongs to another user: use one of your own")
	errWritable   = errors.New("other users can write to it: remove that permission, as with chmod go-w")
	errNotRegular = errors.New("it is not a regular file")
)

// CheckPath returns an error if path is a symbolic link, or if it contains a symbolic link that belongs
// neither to the user of the process nor to root. Such a link would let another user redirect what is
// written. A path that does not exist is valid. On systems without Unix owners, only the last element is
// checked.
func CheckPath(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() == fs.ModeSymlink {
		return errLink
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return checkLinks(path)
}

// CheckOwn returns an error unless a file or directory belongs to the user of the process and no other user
// can write to it. On systems without Unix owners it returns nil.
func CheckOwn(info fs.FileInfo) error {
	if err := checkOwner(info); err != nil {
		return err
	}
	if hasOwners && info.Mode().Perm()&0o022 != 0 {
		return errWritable
	}
	return nil
}

// checkOwner returns an error if a file or directory belongs to another user.
func checkOwner(info fs.FileInfo) error {
	if uid, known := owner(info); known && uid != os.Geteuid() {
		return errOther
	}
	return nil
}

// OpenAppend opens a file for appending. If it does not exist, it is created so that only the user of the
// process can read it. For a symbolic link, a file of another user, and anything except a regular file,
// OpenAppend returns an error and changes nothing.
func OpenAppend(path string) (*os.File, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err == nil {
		err = checkOwner(info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
