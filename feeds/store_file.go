package feeds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// NewFileStore returns the store in a file. Its directory must exist. While a run is in progress, a second file has
// the path with ".running" at its end. Only the user of the process can read the files.
//
// Other users could choose what is sent by a state of theirs. So a symbolic link at the path is an error. On Unix, so are
// a file that belongs to another user or that others can write to, a symbolic link of another user in the path, and a
// directory without the sticky bit that everybody can write to. Nothing is read or written before the store is used.
func NewFileStore(path string) Store { return &fileStore{path: path} }

type fileStore struct {
	path string
	step func(name string) // of tests, before each change of the disk
}

func (f *fileStore) marker() string { return f.path + ".running" }

func (f *fileStore) before(step string) {
	if f.step != nil {
		f.step(step)
	}
}

// check returns an error if the path is not that of a file.
func (f *fileStore) check() error {
	if f.path == "" {
		return errors.New("the name of the file is empty")
	}
	if err := durable.CheckPath(f.path); err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(f.path))
	if err == nil && runtime.GOOS != "windows" && dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0 {
		return errors.New("everybody can write to its directory: remove that permission, as with chmod o-w, or use another directory")
	}
	_, err = ownFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errNone
	}
	return err
}

// ownFile returns the description of a file of the user that nobody else can write to, or of a symbolic link.
func ownFile(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return info, nil
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	}
	return info, durable.CheckOwn(info)
}

func (f *fileStore) swap(_ context.Context, change func(*mark) *mark) error {
	if err := f.check(); err != nil && err != errNone {
		return cannotRead(err)
	}
	now, err := f.mark()
	if err != nil {
		return cannotRead(err)
	}
	next := change(now)
	switch {
	case next == now:
		return nil
	case next == nil:
		err = f.unmark()
	default:
		err = f.write(f.marker(), func(w io.Writer) error { return json.NewEncoder(w).Encode(next) }, func() error { return nil })
	}
	if err != nil {
		return cannotWrite(err)
	}
	return nil
}

// mark reads the mark; nil if there is none.
func (f *fileStore) mark() (*mark, error) {
	info, err := ownFile(f.marker())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the file with .running at its end: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return readMark(nil), nil // it is replaced, and not followed
	}
	file, err := os.Open(f.marker())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the run has ended meanwhile
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMark))
	return readMark(text), err
}

func (f *fileStore) unmark() error {
	f.before("remove the mark")
	if err := os.Remove(f.marker()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *fileStore) open(context.Context, string) (*stored, error) {
	if err := f.check(); err == errNone {
		return nil, err
	} else if err != nil {
		return nil, cannotRead(err)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, cannotRead(err)
	}
	s := &stored{file, 0, func() { _ = file.Close() }} // it was only read
	info, err := file.Stat()
	if err == nil && info.Size() <= maxInMemory {
		defer s.close()
		text := make([]byte, info.Size())
		if _, err = io.ReadFull(file, text); err == nil {
			return inMemory(text), nil
		}
	}
	if err != nil {
		s.close()
		return nil, cannotRead(err)
	}
	s.size = info.Size()
	return s, nil
}

func (f *fileStore) replace(_ context.Context, token string, write func(io.Writer) error) error {
	check := func() error {
		if err := f.check(); err != nil && err != errNone {
			return err
		}
		m, err := f.mark()
		if err != nil {
			return err
		}
		return m.owns(token)
	}
	err := check() // the owner may be writing the same temporary file
	if err == nil {
		err = f.write(f.path, write, check)
	}
	if err == nil {
		err = f.unmark()
	}
	if err == nil || err == ErrConcurrentRun || err == errDisputed {
		return err
	}
	return cannotWrite(err)
}

// write writes a file that only its user can read, and renames it to path if check returns nil. The rename replaces a
// symbolic link and does not follow it. Processes that write at the same time have a temporary file each.
func (f *fileStore) write(path string, write func(io.Writer) error, check func() error) error {
	f.before("remove what killed runs have left")
	removeOldTemps(path)
	f.before("create")
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempSuffix) // mode 0600
	if err != nil {
		return err
	}
	temp := file.Name()
	f.before("write")
	err = write(file)
	f.before("sync")
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = check()
	}
	f.before("rename")
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // the first error says more
		return err
	}
	f.before("sync the directory")
	return syncDir(filepath.Dir(path))
}

// tempSuffix is the end of the names of temporary files, with a random text in place of the asterisk.
const tempSuffix = ".*.new"

// oldTemp is the age from which a temporary file is one of a killed run. Writing takes seconds.
const oldTemp = time.Hour

// removeOldTemps removes the temporary files that killed runs have left. Its errors are ignored: the next run tries
// again.
func removeOldTemps(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		random, isTemp := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		random, isNew := strings.CutSuffix(random, ".new")
		if !isTemp || !isNew || strings.Trim(random, "0123456789") != "" {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > oldTemp {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// syncDir makes the names in a directory durable. Windows and some network file systems have no sync for directories.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
