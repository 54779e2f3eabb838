package feeds

import (
	"bufio"
	"bytes"
	"io"
)

// Limits of the length of a line, with its end.
const (
	maxLine     = 64 << 10
	maxJSONLine = 4 << 20
)

// lineReader reads lines of up to limit bytes. It holds at most one line in memory.
type lineReader struct {
	br     *bufio.Reader
	limit  int
	number int // number of the last line, from 1
	buf    []byte
}

// all yields each line without its end. The bytes are valid until the next one. A line that is too long yields a
// *LineError. Any other error ends the lines, and the part of a line before it is dropped.
func (l *lineReader) all(yield func([]byte, error) bool) {
	for {
		line, err := l.next()
		if err == io.EOF || !yield(line, err) {
			return
		}
		if _, ok := err.(*LineError); err != nil && !ok {
			return
		}
	}
}

func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	for size := 0; ; {
		part, err := l.br.ReadSlice('\n')
		size += len(part)
		if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
			return nil, err
		}
		if err == io.EOF && size == 0 {
			return nil, io.EOF
		}
		whole := err != bufio.ErrBufferFull
		if size <= l.limit && (!whole || len(l.buf) > 0) {
			l.buf = append(l.buf, part...)
			part = l.buf
		}
		if !whole {
			continue
		}
		l.number++
		if size > l.limit {
			return nil, &LineError{Line: l.number, Rule: "is longer than a line of this format can be", Fix: "look for a missing line break"}
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r")), nil
	}
}
