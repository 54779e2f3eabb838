// Package lines reads text line by line in bounded memory.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrTooLong reports a line that was dropped for its length. The lines after it can be read.
var ErrTooLong = errors.New("the line is too long")

// Reader reads lines. It holds at most one line in memory, and nothing of a line that is too long.
type Reader struct {
	br   *bufio.Reader
	most int
	n    int
	buf  []byte
}

// New returns a Reader for lines of up to most bytes, with their ends.
func New(br *bufio.Reader, most int) *Reader { return &Reader{br: br, most: most} }

// Number returns the number of the line that Next returned last, [ErrTooLong] included. The first
// line is 1.
func (r *Reader) Number() int { return r.n }

// Next returns the next line without its end. The bytes are valid until the next call. It returns
// [ErrTooLong] for a line of more than the allowed bytes, and io.EOF after the last line. Any other
// error is one of the underlying reader; the part of a line before it is dropped.
func (r *Reader) Next() ([]byte, error) {
	r.buf = r.buf[:0]
	long := false
	for {
		part, err := r.br.ReadSlice('\n')
		if err == nil && len(r.buf) == 0 && !long && len(part) <= r.most {
			r.n++
			return trimEnd(part), nil
		}
		if !long && len(r.buf)+len(part) > r.most {
			long = true
		}
		if !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(r.buf) == 0 && len(part) == 0 && !long:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		r.n++
		if long {
			return nil, ErrTooLong
		}
		return trimEnd(r.buf), nil
	}
}

// trimEnd takes off the end of a line, also of one that was written on Windows.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
