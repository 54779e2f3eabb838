package ioc

import (
	"bytes"
	"errors"
	"io"
)

// windowSize is the number of bytes that are scanned together: the maximum length of a run without
// white space, quotes, angle brackets, commas, semicolons or bars in which indicators are found.
const windowSize = 64 << 10

// windows divides a text into windows that end after a line break, or at least between two words.
type windows struct {
	r      io.Reader
	window []byte
	offset int64 // of the window in the text
	err    error // error that ended the text
	buf    []byte
	used   int  // bytes at the start of buf that previous windows consumed
	full   int  // bytes of buf that have been read
	ended  bool // whether r is exhausted
	inRun  bool // whether the rest of an overlong run follows
}

// next reads the next window. It reports false at the end of the text.
func (w *windows) next() bool {
	for {
		first := w.buf == nil
		w.fill()
		if first && (bytes.HasPrefix(w.buf, []byte{0xff, 0xfe}) || bytes.HasPrefix(w.buf, []byte{0xfe, 0xff})) {
			w.err = &Error{Field: "text", Rule: "is in UTF-16", Fix: "convert it to UTF-8"}
			return false
		}
		data := w.buf[:w.full]
		if len(data) == 0 {
			return false
		}
		if w.inRun {
			end := bytes.IndexFunc(data, isSeparator)
			if w.inRun = end < 0; w.inRun {
				end = len(data)
			}
			w.take(end)
			continue
		}
		end := w.end(data)
		if w.inRun = end == 0; w.inRun {
			continue
		}
		w.take(end)
		w.window = data[:end]
		return true
	}
}

// fill moves the remaining bytes to the start of the buffer and reads until the buffer is full.
func (w *windows) fill() {
	if w.buf == nil {
		w.buf = make([]byte, windowSize)
	}
	w.full = copy(w.buf, w.buf[w.used:w.full])
	w.offset += int64(w.used)
	w.used = 0
	for idle := 0; w.full < len(w.buf) && !w.ended; {
		n, err := w.r.Read(w.buf[w.full:])
		w.full += n
		if idle++; n > 0 {
			idle = 0
		}
		if err == nil && idle == 100 {
			err = io.ErrNoProgress
		}
		if err != nil {
			w.ended = true
			if !errors.Is(err, io.EOF) {
				w.err = err
			}
		}
	}
}

func (w *windows) take(n int) { w.used = n }

// end returns the end of the window in data, or 0 if data is a single overlong run.
func (w *windows) end(data []byte) int {
	if w.ended || len(data) < windowSize {
		return len(data)
	}
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 {
		return end
	}
	if end := bytes.LastIndexAny(data, " \t\r\"'<>`") + 1; end > 0 {
		return end
	}
	return bytes.LastIndexAny(data, ",;|") + 1
}

func isSeparator(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', '"', '\'', '<', '>', '`', ',', ';', '|':
		return true
	}
	return false
}
