package wire

import "io"

// peek skips white space and returns the next byte. The end of the text is an error.
func (e *Elements) peek() byte {
	for e.err == nil {
		if e.i = skipSpace(e.buf[:e.n], e.i); e.i < e.n {
			return e.buf[e.i]
		}
		if !e.more() && e.err == nil {
			e.fail(whatEnd)
		}
	}
	return 0
}

// whole reads the value at the current position, at the given nesting depth, and returns its bytes.
// If number is true, the value can continue in unread bytes.
func (e *Elements) whole(depth int, number bool) []byte {
	for e.err == nil {
		end, what := scanValue(e.buf[:e.n], e.i, depth)
		cut := what == whatEnd || what == "" && number && end == e.n
		if cut && !e.eof {
			if e.n-e.i > e.max {
				e.fail(whatLarge)
				return nil
			}
			e.more()
			continue
		}
		switch size := end - e.i; {
		case what != "":
			e.i = end
			e.fail(what)
			return nil
		case size > e.max:
			e.fail(whatLarge)
			return nil
		}
		value := e.buf[e.i:end:end]
		e.i = end
		return value
	}
	return nil
}

// more reads until the buffered text has doubled, so repeated scans cost only a constant factor. It
// returns false if there is nothing to read.
func (e *Elements) more() bool {
	had := e.n - e.i
	want := min(2*had+1, max(e.max+1, elementsChunk))
	if e.i > 0 {
		copy(e.buf, e.buf[e.i:e.n])
		e.base += int64(e.i)
		e.i, e.n = 0, had
	}
	if len(e.buf) < want {
		e.buf = append(make([]byte, 0, max(want, elementsChunk)), e.buf[:e.n]...)
		e.buf = e.buf[:cap(e.buf)]
	}
	for idle := 0; e.n < want && !e.eof && e.err == nil; {
		if e.pending != nil {
			if e.n > had {
				break // process the bytes before the error first
			}
			if e.pending == io.EOF {
				e.eof = true
			} else {
				e.err = e.pending
			}
			break
		}
		n, err := e.src.Read(e.buf[e.n:])
		e.n += n
		e.pending = err
		if n > 0 || err != nil {
			idle = 0
		} else if idle++; idle == 100 {
			e.err = io.ErrNoProgress
		}
	}
	return e.n > had
}
