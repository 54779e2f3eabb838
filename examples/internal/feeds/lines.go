package feeds

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errLongLine is a line that was dropped for its length. The lines after it can be read.
var errLongLine = errors.New("the line is too long")

// lines reads a feed line by line and never holds more than one of them.
type lines struct {
	br   *bufio.Reader
	most int // bytes that a line may have
	n    int // number of the line that was read last
	buf  []byte
}

// next returns the next line without its end. The bytes are valid until the next call. It returns
// io.EOF after the last line.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:0]
	long := false
	for {
		part, err := l.br.ReadSlice('\n')
		if err == nil && len(l.buf) == 0 && !long && len(part) <= l.most {
			l.n++
			return trimEnd(part), nil
		}
		if !long && len(l.buf)+len(part) > l.most {
			long = true
		}
		if !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buf) == 0 && len(part) == 0 && !long:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		l.n++
		if long {
			return nil, errLongLine
		}
		return trimEnd(l.buf), nil
	}
}

// trimEnd takes off the end of a line, also of one that was written on Windows.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// each calls fn for every line until it returns false. It returns what ended the reading, nil at
// the end of the feed. A line that is too long is handed on as a *LineError.
func (l *lines) each(fn func(line []byte, bad *LineError) bool) error {
	for {
		line, err := l.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errLongLine:
			if !fn(nil, &LineError{Line: l.n, Rule: "is longer than a line of this format can be", Fix: "look for a missing line break"}) {
				return nil
			}
		case err != nil:
			return err
		case !fn(line, nil):
			return nil
		}
	}
}
