package feeds

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"

	"github.com/threatconnect-go/threatconnect"
)

// Limits of the length of a line, with its end.
const (
	maxLine     = 64 << 10
	maxJSONLine = 4 << 20
)

// addFunc adds an item of a line, or the error of an entry that is left out.
type addFunc func(item threatconnect.BatchItem, err error)

// readLines returns the entries of a feed. read adds the entries of a line. An error that matches ErrFormat ends the
// feed; any other error concerns a single entry.
func readLines(br *bufio.Reader, limit int, read func(line []byte, add addFunc)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := lineReader{br: br, limit: limit}
		ok := true
		add := func(item threatconnect.BatchItem, err error) {
			switch {
			case !ok:
			case err == nil:
				ok = yield(Entry{Line: l.number, Item: item}, nil)
			case errors.Is(err, ErrFormat):
				yield(Entry{}, err)
				ok = false
			default:
				ok = yield(Entry{}, refused(l.number, "", err))
			}
		}
		for ok {
			line, err := l.next()
			_, tooLong := err.(*LineError)
			switch {
			case err == nil:
				read(line, add)
			case tooLong:
				add(nil, err)
			default:
				if err != io.EOF {
					yield(Entry{}, err)
				}
				return
			}
		}
	}
}

// lineReader reads lines of up to limit bytes. It holds at most one line in memory.
type lineReader struct {
	br     *bufio.Reader
	limit  int
	number int // number of the last line, from 1
	buf    []byte
}

// next returns the next line without its end. The bytes are valid until the next call. A line that is too long
// returns a *LineError, and the lines after it can be read.
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
			return nil, &LineError{Rule: "is longer than a line of this format can be", Fix: "look for a missing line break"}
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r")), nil
	}
}
