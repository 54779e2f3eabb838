package wire

import (
	"bytes"
	"io"
	"slices"
)

// Elements streams the elements of one list out of a JSON text that need not fit in memory.
//
// The list is the first array that stands in the object that is the text, or in its member "data",
// under one of the keys; or the text itself when that is an array. One object in place of the
// array counts as a list that holds it, and null as an empty list. Everything else in the text,
// also what follows the list, is checked and dropped.
//
//	e := wire.NewElements(body, []string{"indicator"}, 0)
//	for e.Next() {
//		r.Reset(e.Bytes())
//		...
//	}
//	return e.Err()
//
// It needs memory for the largest element, or other scalar, only. An Elements is for one goroutine.
type Elements struct {
	src  io.Reader
	keys []string
	max  int

	buf     []byte
	i, n    int   // buf[i:n] has been read from src and not been used
	base    int64 // the place of buf[0] in the text
	eof     bool  // src has ended
	pending error // what src said together with its last bytes

	err     error
	stage   stage
	level   int  // how many objects around the place are open: the text itself, and "data"
	first   bool // the innermost one, or the list, has no member before the place
	found   bool
	element []byte
	r       Reader // of one scalar

	status, message string
}

// stage is where an Elements is.
type stage uint8

const (
	stageStart  stage = iota // before the text
	stageObject              // in the text or in "data", outside of the list
	stageList                // in the list
	stageDone                // after the text, or after an error
)

const (
	elementsChunk = 32 << 10 // how much is read at once, when elements are smaller
	elementsMax   = 16 << 20 // the largest element, when the caller does not say
	elementsLimit = 1 << 30  // the largest that the caller may ask for
)

// NewElements returns the elements of the list under one of keys in the text that src holds.
// Without keys, only a text that is itself an array has elements. An element of more than maxElem
// bytes is an error; zero or less stands for 16 MiB, and more than 1 GiB for 1 GiB. Nothing is read
// before the first Next.
func NewElements(src io.Reader, keys []string, maxElem int) *Elements {
	if maxElem <= 0 {
		maxElem = elementsMax
	}
	return &Elements{src: src, keys: keys, max: min(maxElem, elementsLimit)}
}

// Next moves to the next element. It returns false at the end of the text and on an error; Err
// tells which.
func (e *Elements) Next() bool {
	e.element = nil
	if e.stage == stageStart {
		e.start()
	}
	for e.err == nil {
		switch e.stage {
		case stageObject:
			if e.member() {
				return e.err == nil
			}
		case stageList:
			if e.listed() {
				return e.err == nil
			}
		default:
			return false
		}
	}
	e.stage, e.element = stageDone, nil
	return false
}

// Bytes returns the element that Next moved to, checked, without white space around it. It is
// valid until the next call of Next and must not be changed.
func (e *Elements) Bytes() []byte { return e.element }

// Err returns the first error: a [*Error] about the text, or what the reader returned. It is nil
// as long as Next has not returned false.
func (e *Elements) Err() error { return e.err }

// Found reports whether the list, also an empty one, has been seen.
func (e *Elements) Found() bool { return e.found }

// Status returns the scalar "status" of the text, as far as it has been read, or "".
func (e *Elements) Status() string { return e.status }

// Message returns the scalar "message" of the text, as far as it has been read, or "".
func (e *Elements) Message() string { return e.message }

func (e *Elements) fail(what string) {
	if e.err == nil {
		e.err = &Error{Offset: e.base + int64(e.i), What: what}
	}
}

// start finds out what the text is.
func (e *Elements) start() {
	for e.n < 3 && e.more() {
	}
	if e.err == nil && bytes.HasPrefix(e.buf[:e.n], []byte("\xef\xbb\xbf")) {
		e.i = 3
	}
	switch c := e.peek(); {
	case e.err != nil:
	case c == '{':
		e.i++
		e.stage, e.level, e.first = stageObject, 1, true
	case c == '[':
		e.i++
		e.stage, e.first, e.found = stageList, true, true
	case c == 'n':
		e.scalar()
		e.end()
	default:
		e.fail("want an object or a list")
	}
}

// member reads one member of the object that the place is in, and reports whether it is the
// element that stands in place of the list.
func (e *Elements) member() bool {
	if !e.separated('}', whatObject) {
		if e.err == nil {
			if e.level--; e.level == 0 {
				e.end()
			}
		}
		return false
	}
	key := e.key()
	c := e.peek()
	if e.err != nil {
		return false
	}
	wanted := !e.found && slices.Contains(e.keys, key)
	switch {
	case wanted && c == '[':
		e.i++
		e.stage, e.first, e.found = stageList, true, true
	case e.level == 1 && c == '{' && key == "data":
		e.i++
		e.level, e.first = 2, true
	case wanted && c == '{':
		e.found = true
		return e.take()
	case wanted && c == 'n':
		e.found = true
		e.scalar()
	case e.level == 1 && key == "status" && c != '{' && c != '[':
		e.status = e.text()
	case e.level == 1 && key == "message" && c != '{' && c != '[':
		e.message = e.text()
	default:
		e.skip()
	}
	return false
}

// listed reads one element of the list, and reports whether there was one.
func (e *Elements) listed() bool {
	if e.separated(']', whatArray) {
		return e.take()
	}
	switch {
	case e.err != nil:
	case e.level == 0:
		e.end()
	default:
		e.stage = stageObject
	}
	return false
}

// separated reads what stands before a member: nothing, a comma, or the closer, for which it
// returns false.
func (e *Elements) separated(closer byte, want string) bool {
	c := e.peek()
	switch {
	case e.err != nil:
		return false
	case c == closer:
		e.i++
		e.first = false
		return false
	case e.first:
		e.first = false
		return true
	case c == ',':
		e.i++
		return true
	}
	e.fail(want)
	return false
}

// key reads a key and its colon.
func (e *Elements) key() string {
	key := e.decoded(e.rawKey())
	e.colon()
	return key
}

// rawKey reads a key in its quotes. The bytes are valid until more are read.
func (e *Elements) rawKey() []byte {
	if e.peek() != '"' {
		e.fail(whatKey)
	}
	return e.scalar()
}

func (e *Elements) colon() {
	if e.peek() != ':' {
		e.fail(whatColon)
		return
	}
	e.i++
}

// text reads a scalar as [Reader.Text] does.
func (e *Elements) text() string { return e.decoded(e.scalar()) }

// decoded returns the text of a scalar, or a few words for one that is longer than any that is known.
func (e *Elements) decoded(scalar []byte) string {
	const most = 4 << 10
	if len(scalar) > most {
		return "(too long)"
	}
	e.r.Reset(scalar)
	return e.r.Text()
}

// take makes the value at the place the element.
func (e *Elements) take() bool {
	number := kinds[e.peek()] == Number
	depth := e.level
	if e.stage == stageList {
		depth++
	}
	e.element = e.whole(depth, number)
	if number && e.i == e.n {
		e.fail(whatEnd) // the text was cut, perhaps inside of the number
	}
	return e.err == nil
}

// scalar reads a string, number, boolean or null. The bytes are valid until more are read.
func (e *Elements) scalar() []byte {
	return e.whole(0, kinds[e.peek()] == Number)
}

// skip reads a value of any size.
func (e *Elements) skip() {
	var open frames
	for {
		switch c := e.peek(); {
		case e.err != nil:
			return
		case c == '{' || c == '[':
			if e.level+open.n >= maxDepth {
				e.fail(whatDepth)
				return
			}
			e.i++
			open.push(c == '{')
			e.first = true
		default:
			e.scalar()
		}
		for open.n > 0 && !e.separated(open.closer(), open.want()) {
			if e.err != nil {
				return
			}
			open.pop()
		}
		if open.n == 0 {
			return
		}
		if open.object() {
			e.rawKey()
			e.colon()
		}
	}
}

// end checks that the text ends here.
func (e *Elements) end() {
	e.stage = stageDone
	for e.err == nil {
		if e.i = skipSpace(e.buf[:e.n], e.i); e.i < e.n {
			e.fail(whatAfter)
		} else if !e.more() {
			return
		}
	}
}

// peek moves over white space and returns the byte there. The end of the text is an error.
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

// whole reads the value at the place, which stands inside depth objects and arrays, and returns
// its bytes. A number may go on in the bytes to come.
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

// more reads on, until there is twice as much as there was, so that what is scanned again and
// again takes no more than a constant factor of time. It returns false when nothing came.
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
				break // what came before the error comes first
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
