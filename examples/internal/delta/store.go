package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/threatconnect-go/threatconnect/examples/internal/files"
)

// Store is where a state is kept between runs: a [File] or a record of the DataStore.
type Store interface {
	// load returns the state that the last run has left. An error of this package says why there is
	// none to go on from; any other one is the store's.
	load(ctx context.Context, dir string) (*stored, error)
	// begin marks the state as useless until it is saved again, so that a run that is killed is
	// followed by a full one. run stands for this run.
	begin(ctx context.Context, run string) error
	// save puts what write writes in the place of the state, unless another run has begun. foreign
	// says that there is something else than a state, which must not be lost.
	save(ctx context.Context, run string, foreign bool, write func(io.Writer) error) error
}

// stored is a state that was loaded.
type stored struct {
	file  *os.File
	size  int64
	scrap bool // the file is a copy of the state's, to be removed
}

func (s *stored) close() {
	_ = s.file.Close() // it was only read
	if s.scrap {
		_ = os.Remove(s.file.Name())
	}
}

// errTaken is a state that another run has begun to use.
var errTaken = errors.New("another run has used the state meanwhile, so that it was not saved: the next run is a full one")

// File is a store in a file of that name, or in the file that a symbolic link of that name refers to
// if [files.Target] allows it. While a run is in progress, a second file has the same name and
// .running at its end. Only their owner can read the files.
type File string

func (f File) marker() string { return string(f) + ".running" }

func (f File) load(context.Context, string) (*stored, error) {
	if _, err := os.Lstat(f.marker()); err == nil {
		return nil, errRunning
	}
	path, err := files.Target(string(f))
	if err != nil {
		return nil, fmt.Errorf("the state cannot be opened: %w", err)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNone
	}
	if err != nil {
		return nil, fmt.Errorf("the state cannot be opened: %w", withoutPath(err))
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("the state cannot be opened: %w", withoutPath(err))
	}
	return &stored{file: file, size: info.Size()}, nil
}

func (f File) begin(_ context.Context, run string) error {
	err := replaceFile(f.marker(), run, func(w io.Writer) error {
		_, err := io.WriteString(w, run)
		return err
	})
	if err != nil {
		return fmt.Errorf("the state cannot be written: %w", withoutPath(err))
	}
	return nil
}

func (f File) save(_ context.Context, run string, foreign bool, write func(io.Writer) error) error {
	if now, err := os.ReadFile(f.marker()); err != nil || string(now) != run {
		return errTaken
	}
	path, err := files.Target(string(f))
	if err != nil {
		return fmt.Errorf("the state cannot be written: %w", err)
	}
	err = replaceFile(path, run, func(w io.Writer) error {
		err := write(w)
		if err == nil && foreign {
			err = keep(path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the state cannot be written: %w", withoutPath(err))
	}
	dir, _ := filepath.Split(path)
	syncDir(dir)
	if err := os.Remove(f.marker()); err != nil {
		return fmt.Errorf("the state cannot be released: %w", withoutPath(err))
	}
	return nil
}

// keep gives something that is no state another name.
func keep(path string) error {
	if err := os.Link(path, path+".bak"); err != nil {
		return fmt.Errorf("what is in its place is no state, and cannot be kept under a name with .bak: %w", withoutPath(err))
	}
	return nil
}

// replaceFile writes a file that only its owner can read to the disk and renames it to path. The
// rename replaces a symbolic link and does not follow it.
func replaceFile(path, run string, write func(io.Writer) error) error {
	temp := path + "." + run + ".new"
	err := writeFile(temp, write)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // the first error says more
	}
	return err
}

// writeFile creates a file that only its owner can read, and writes it to the disk.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if bad := f.Close(); err == nil {
		err = bad
	}
	return err
}

// syncDir makes sure that a new name is on the disk. Not every system can do that, and without it
// the old state is there after a crash, with its mark.
func syncDir(path string) {
	if runtime.GOOS == "windows" {
		return
	}
	if d, err := os.Open(path); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// withoutPath returns what is wrong with a file without its name.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
