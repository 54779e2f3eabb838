package changes

import (
	"bufio"
	"io"
	"os"
)

// target is where the bytes of the output go: standard output, or a [durable.Replacement] of a file. Abort
// discards them unless Commit has been called.
type target interface {
	io.Writer
	Commit() error
	Abort()
}

// stream is standard output, which cannot be taken back.
type stream struct {
	*bufio.Writer
	w io.Writer
}

func newStream(w io.Writer) *stream { return &stream{bufio.NewWriter(w), w} }

// Commit flushes the output, and syncs it if it is a file.
func (s *stream) Commit() error {
	if err := s.Flush(); err != nil {
		return err
	}
	f, ok := s.w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Sync()
}

// Abort does nothing.
func (*stream) Abort() {}
