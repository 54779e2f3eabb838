package wire

import (
	"bytes"
	"io"
	"slices"
)

// Elements streams the elements of a list in a JSON text that need not fit in memory.
//
// The list is the text itself, if it is an array. Otherwise it is the first array under one of the
// keys in the text's object or in its member "data". A single object instead of the array counts as
// a list with one element, and null as an empty list. The rest of the text, including the part
// after the list, is validated and discarded.
//
//	e := wire.NewElements(body, []string{"indicator"}, 0)
//	for e.Next() {
//		r.Reset(e.Bytes())
//		...
//	}
//	return e.Err()
//
// Elements needs memory only for the largest element or other scalar. It is not safe for concurrent
// use.
type Elements struct {
	src  io.Reader
	keys []string
	max  int

	buf     []byte
	i, n    int   // buf[i:n] has been read from src and not consumed
	base    int64 // offset of buf[0] in the text
	eof     bool  // src is exhausted
	pending error // error that src returned together with its last bytes

	err     error
	stage   stage
	level   int  // number of open objects: the text itself, and "data"
	first   bool // the innermost object, or the list, is still empty
	found   bool
	element []byte
	r       Reader // for scalars

	status, message string
}

// stage is the position of an Elements.
type stage uint8

const (
	stageStart  stage = iota // before the text
	stageObject              // in the text or in "data", outside the list
	stageList                // in the list
	stageDone                // after the text, or after an error
)

const (
	elementsChunk = 32 << 10 // read size for small elements
	elementsMax   = 16 << 20 // default maximum size of an element
	elementsLimit = 1 << 30  // largest configurable maximum
)

// NewElements returns the elements of the list under one of keys in the text of src. Without keys,
// only a text that is itself an array has elements. An element of more than maxElem bytes is an
// error. A maxElem of zero or less means 16 MiB, and values above 1 GiB mean 1 GiB. NewElements
// reads nothing before the first call of Next.
func NewElements(src io.Reader, keys []string, maxElem int) *Elements {
	if maxElem <= 0 {
		maxElem = elementsMax
	}
	return &Elements{src: src, keys: keys, max: min(maxElem, elementsLimit)}
}

// Next advances to the next element. It returns false at the end of the text or after an error; see
// Err.
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

// Bytes returns the current element, validated and without surrounding white space. It is valid
// until the next call of Next and must not be modified.
func (e *Elements) Bytes() []byte { return e.element }

// Err returns the first error: an [*Error] about the text, or the error of the reader. It is nil
// until Next returns false.
func (e *Elements) Err() error { return e.err }

// Found reports whether the list has been seen, even if it is empty.
func (e *Elements) Found() bool { return e.found }

// Status returns the scalar "status" of the text, or "" if it has not been read.
func (e *Elements) Status() string { return e.status }

// Message returns the scalar "message" of the text, or "" if it has not been read.
func (e *Elements) Message() string { return e.message }

func (e *Elements) fail(what string) {
	if e.err == nil {
		e.err = &Error{Offset: e.base + int64(e.i), What: what}
	}
}

// start determines the form of the text.
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

// member reads a member of the current object and reports whether it is the single element of the
// list.
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

// listed reads an element of the list and reports whether there was one.
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

// separated reads the separator before a member: nothing, a comma, or the closer, for which it
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

// rawKey reads a key with its quotes. The bytes are valid until the next read.
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

// text reads a scalar like [Reader.Text].
func (e *Elements) text() string { return e.decoded(e.scalar()) }

// decoded returns the text of a scalar, or a placeholder for a scalar that is longer than all known
// ones.
func (e *Elements) decoded(scalar []byte) string {
	const most = 4 << 10
	if len(scalar) > most {
		return "(too long)"
	}
	e.r.Reset(scalar)
	return e.r.Text()
}

// take makes the value at the current position the element.
func (e *Elements) take() bool {
	number := kinds[e.peek()] == Number
	depth := e.level
	if e.stage == stageList {
		depth++
	}
	e.element = e.whole(depth, number)
	if number && e.i == e.n {
		e.fail(whatEnd) // the text was cut, possibly within the number
	}
	return e.err == nil
}

// scalar reads a string, number, boolean or null. The bytes are valid until the next read.
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
