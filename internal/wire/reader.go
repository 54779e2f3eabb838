package wire

import (
	"cmp"
	"encoding/json"
	"unicode/utf8"
)

// The elements of a Reader's stack.
const (
	objectFirst uint8 = iota // an object before its first key
	objectNext               // an object after a value
	objectNull               // null instead of an object
	arrayFirst               // an array before its first element
	arrayNext                // an array after an element
	arrayOne                 // a single value instead of an array, not read yet
	arrayDone                // null instead of an array, or arrayOne after its value
)

// Reader reads a JSON text from start to end:
//
//	for r.Object(); r.NextKey(); {
//		switch string(r.Key()) {
//		case "id":
//			id = r.Int64()
//		default:
//			r.Skip()
//		}
//	}
//
// Every value must be read exactly once, with a scalar method, Object, Array, Skip or Raw. Every
// loop must run until NextKey or NextElem returns false. It is an error to leave a value unread or
// to read it twice.
//
// After the first error, all methods do nothing and return zero values and false; Err returns the
// error. A duplicate key is returned twice. Objects and arrays can be nested up to 512 levels deep.
// Invalid UTF-8 and lone surrogate escapes decode to one U+FFFD per byte or escape, as in
// encoding/json.
//
// The zero Reader reads an empty text. A Reader is not safe for concurrent use. It retains the text
// but never modifies it, and the strings that it returns are copies.
type Reader struct {
	b     []byte
	i     int
	err   *Error
	key   []byte
	kbuf  []byte // buffer for a decoded key
	sbuf  []byte // buffer for a decoded string
	want  bool   // a value must be read next
	depth int
	stack [maxDepth]uint8
	from  int     // start of the last scalar
	left  int64   // remaining memory
	limit int64   // memory per text; 0 means DefaultLimit
	payer *Reader // is also charged for the memory of r; may be nil

	misfits Misfits
}

// NewReader returns a Reader of b. It skips a UTF-8 byte order mark.
func NewReader(b []byte) *Reader {
	r := new(Reader)
	r.Reset(b)
	return r
}

// Reset makes r read b from the start, without an error and with nothing spent. It keeps the limit
// and buffers of up to 64 KiB.
func (r *Reader) Reset(b []byte) {
	const most = 64 << 10 // a single long text must not keep its memory
	if cap(r.kbuf) > most {
		r.kbuf = nil
	}
	if cap(r.sbuf) > most {
		r.sbuf = nil
	}
	r.left = cmp.Or(r.limit, DefaultLimit)
	r.b, r.i, r.err, r.key, r.want, r.depth = b, 0, nil, nil, true, 0
	r.misfits = Misfits{}
	if len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf {
		r.i = 3
	}
}

// Err returns the first error, an [*Error], or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Fail records an error at the current position unless there already is one. what must not contain
// any of the text.
func (r *Reader) Fail(what string) { r.fail(r.i, what) }

func (r *Reader) fail(offset int, what string) {
	if r.err == nil {
		r.err = &Error{Offset: int64(offset), What: what}
	}
	r.want, r.depth = false, 0
}

// Kind returns the kind of the next value without reading it. It returns None for a byte that
// starts no value; the method that reads the value records the error.
func (r *Reader) Kind() Kind {
	if !r.want {
		return None
	}
	if r.i = skipSpace(r.b, r.i); r.i >= len(r.b) {
		return None
	}
	return kinds[r.b[r.i]]
}

// begin advances to the next value and marks it as read.
func (r *Reader) begin() bool {
	if !r.want {
		r.fail(r.i, "a value was read where none is due")
		return false
	}
	if r.i >= len(r.b) || r.b[r.i] <= ' ' {
		if r.i = skipSpace(r.b, r.i); r.i >= len(r.b) {
			r.fail(r.i, whatEnd)
			return false
		}
	}
	r.want = false
	return true
}

func (r *Reader) push(frame uint8) {
	if r.depth >= maxDepth {
		r.fail(r.i, whatDepth)
		return
	}
	r.stack[r.depth] = frame
	r.depth++
}

// literal reads word and reports whether it is next.
func (r *Reader) literal(word string) bool {
	end, what := scanLiteral(r.b, r.i, word)
	if what != "" {
		r.fail(end, what)
		return false
	}
	r.i = end
	return true
}

// Object enters an object, whose keys NextKey reads. Null counts as an object without keys.
// Anything else is an error.
func (r *Reader) Object() {
	if !r.begin() {
		return
	}
	switch c := r.b[r.i]; {
	case c == '{':
		r.push(objectFirst)
		r.i++
	case c == 'n':
		if r.literal("null") {
			r.push(objectNull)
		}
	default:
		r.fail(r.i, "want an object")
	}
}

// NextKey advances to the next key of the current object, or leaves the object and returns false.
// The value of the previous key must have been read.
func (r *Reader) NextKey() bool {
	if r.want {
		r.fail(r.i, "the value before was not read")
		return false
	}
	if r.depth == 0 {
		r.fail(r.i, "a key was read outside of an object")
		return false
	}
	frame := &r.stack[r.depth-1]
	r.i = skipSpace(r.b, r.i)
	switch *frame {
	case objectFirst:
		if r.i < len(r.b) && r.b[r.i] == '}' {
			r.i++
			r.depth--
			return false
		}
		*frame = objectNext
	case objectNext:
		switch {
		case r.i >= len(r.b):
			r.fail(r.i, whatEnd)
			return false
		case r.b[r.i] == ',':
			r.i = skipSpace(r.b, r.i+1)
		case r.b[r.i] == '}':
			r.i++
			r.depth--
			return false
		default:
			r.fail(r.i, whatObject)
			return false
		}
	case objectNull:
		r.depth--
		return false
	default:
		r.fail(r.i, "a key was read in a list")
		return false
	}
	if r.i >= len(r.b) || r.b[r.i] != '"' {
		r.fail(at(r.b, r.i, whatKey))
		return false
	}
	if r.depth == r.misfits.depth {
		r.misfits.key = r.i
	}
	key, ok := r.quoted(&r.kbuf)
	if !ok {
		return false
	}
	r.i = skipSpace(r.b, r.i)
	if r.i >= len(r.b) || r.b[r.i] != ':' {
		r.fail(at(r.b, r.i, whatColon))
		return false
	}
	r.i++
	r.key, r.want = key, true
	return true
}

// Key returns the current key, with its escapes decoded. It is valid until the next call of NextKey
// and must not be modified.
func (r *Reader) Key() []byte { return r.key }

// Array enters an array, whose elements NextElem reads. Null counts as an array without elements,
// and a value of any other kind as an array with this element.
func (r *Reader) Array() {
	if !r.begin() {
		return
	}
	switch kinds[r.b[r.i]] {
	case Array:
		r.push(arrayFirst)
		r.i++
	case Null:
		if r.literal("null") {
			r.push(arrayDone)
		}
	case None:
		r.fail(r.i, whatValue)
	default:
		r.push(arrayOne)
	}
}

// NextElem advances to the next element of the current array, or leaves the array and returns
// false. The previous element must have been read.
func (r *Reader) NextElem() bool {
	if r.want {
		r.fail(r.i, "the value before was not read")
		return false
	}
	if r.depth == 0 {
		r.fail(r.i, "an element was read outside of a list")
		return false
	}
	frame := &r.stack[r.depth-1]
	switch *frame {
	case arrayFirst:
		r.i = skipSpace(r.b, r.i)
		if r.i < len(r.b) && r.b[r.i] == ']' {
			r.i++
			r.depth--
			return false
		}
		*frame = arrayNext
	case arrayNext:
		r.i = skipSpace(r.b, r.i)
		switch {
		case r.i >= len(r.b):
			r.fail(r.i, whatEnd)
			return false
		case r.b[r.i] == ',':
			r.i++
		case r.b[r.i] == ']':
			r.i++
			r.depth--
			return false
		default:
			r.fail(r.i, whatArray)
			return false
		}
	case arrayOne:
		*frame = arrayDone
	case arrayDone:
		r.depth--
		return false
	default:
		r.fail(r.i, "an element was read in an object")
		return false
	}
	r.want = true
	return true
}

// Skip reads, validates and discards a value of any kind.
func (r *Reader) Skip() { r.Raw() }

// RawCopy is like [Reader.Raw] but returns a copy of the bytes.
func (r *Reader) RawCopy() json.RawMessage {
	raw := r.Raw()
	if r.Spend(len(raw)); r.err != nil {
		return nil
	}
	return append(json.RawMessage(nil), raw...)
}

// Raw reads and validates a value of any kind and returns its bytes without surrounding white
// space. They are part of the Reader's text.
func (r *Reader) Raw() []byte {
	if !r.begin() {
		return nil
	}
	end, what := scanValue(r.b, r.i, r.depth)
	if what != "" {
		r.fail(end, what)
		return nil
	}
	raw := r.b[r.i:end:end]
	r.i = end
	return raw
}

// End checks that only white space remains and that all objects and arrays have been left.
func (r *Reader) End() {
	if r.err != nil {
		return
	}
	if r.depth > 0 {
		r.fail(r.i, "the value before was not read to its end")
		return
	}
	if r.i = skipSpace(r.b, r.i); r.i < len(r.b) {
		r.fail(r.i, whatAfter)
	}
}

// quoted reads the string that starts at the quote at r.i. The bytes are part of the text or, if
// the string has escapes or invalid UTF-8, of buf.
func (r *Reader) quoted(buf *[]byte) ([]byte, bool) {
	from := r.i + 1
	end, saw, what := scanString(r.b, from)
	if what != "" {
		r.fail(end, what)
		return nil, false
	}
	r.i = end
	s := r.b[from : end-1]
	if saw == 0 || saw == sawForeign && utf8.Valid(s) {
		return s, true
	}
	if n := unescapedLen(s); n > cap(*buf) {
		const least = 256
		n = max(n, least)
		if r.Spend(n); r.err != nil {
			return nil, false
		}
		*buf = make([]byte, 0, n)
	}
	*buf = unescape((*buf)[:0], s)
	return *buf, true
}
