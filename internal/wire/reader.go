package wire

import (
	"cmp"
	"encoding/json"
	"unicode/utf8"
)

// What stands on the stack of a Reader.
const (
	objectFirst uint8 = iota // an object before its first key
	objectNext               // an object after a value
	objectNull               // null in place of an object
	arrayFirst               // an array before its first element
	arrayNext                // an array after an element
	arrayOne                 // one value in place of an array, not read yet
	arrayDone                // null in place of an array, or arrayOne after its value
)

// Reader reads one JSON text from front to back:
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
// The value of every key and every element has to be read exactly once, with a scalar method,
// Object, Array, Skip or Raw, and every loop has to run until NextKey or NextElem returns false.
// A value left unread, or read twice, is an error.
//
// The first error stays: after it all methods do nothing, return zero and false, and Err tells.
// A key that stands twice in an object is reported twice. Objects and arrays may be nested 512
// deep. Text that is not UTF-8 and lone surrogates in escapes are read as U+FFFD, one for each
// byte or escape, as encoding/json does.
//
// The zero Reader is an empty text. A Reader is for one goroutine. It keeps the text that it was
// given and never changes it; strings that it returns are copies.
type Reader struct {
	b     []byte
	i     int
	err   *Error
	key   []byte
	kbuf  []byte // holds a key that had to be decoded
	sbuf  []byte // holds a string that had to be decoded
	want  bool   // a value is due
	depth int
	stack [maxDepth]uint8
	from  int     // where the scalar that was read last begins
	left  int64   // how much may still be spent
	limit int64   // how much may be spent on one text; 0 means DefaultLimit
	payer *Reader // also spends what r spends; nil for none

	misfits Misfits
}

// NewReader returns a Reader of b. A UTF-8 byte order mark before the text is skipped.
func NewReader(b []byte) *Reader {
	r := new(Reader)
	r.Reset(b)
	return r
}

// DefaultLimit is the limit of a Reader that no other is set for: three times the largest element of an
// [Elements]. See [Reader.Limit].
const DefaultLimit = 3 * elementsMax

// Limit caps the memory of the values that are made of the text at n bytes: that of texts and raw values,
// which the Reader counts, and of structs, which [Reader.Spend] is told of. Three bytes of a text can
// become a struct of 500, so that a cap on the text alone caps nothing. 0 means [DefaultLimit].
func (r *Reader) Limit(n int64) { r.limit, r.left = n, cmp.Or(n, DefaultLimit) }

// Charge makes to spend what r spends, so that a Reader of a part of a text has no limit of its own.
func (r *Reader) Charge(to *Reader) { r.payer = to }

// Spend records that a value of n bytes is made of the text. Beyond the limit it records an error that
// matches [ErrTooLarge].
func (r *Reader) Spend(n int) {
	r.left -= int64(n)
	if r.payer != nil {
		r.payer.Spend(n)
		r.left = r.payer.left
	}
	if r.left < 0 {
		r.fail(r.i, whatMemory)
	}
}

// Reset makes r read b from its start, without an error and with nothing spent, keeping its limit and
// buffers of up to 64 KiB.
func (r *Reader) Reset(b []byte) {
	const most = 64 << 10 // one long text must not keep its memory for good
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

// Err returns the first error, a [*Error], or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Misfits is what [Reader.Keep] keeps.
type Misfits struct {
	depth  int                        // of the object whose keys values go under; 0 keeps nothing
	key    int                        // where the key of that object stands that is being read
	values map[string]json.RawMessage // nil when all values fit
}

// Keep makes scalars that do not fit be kept, instead of being errors. It is called before Object.
// While the object is read, a scalar method that is at a valid JSON value of another form returns what
// it returns for null, and the value is stored under its key; one inside of nested objects goes under
// both keys, joined by a dot. Keep returns what was kept before, for [Reader.Kept].
func (r *Reader) Keep() (before Misfits) {
	before, r.misfits = r.misfits, Misfits{depth: r.depth + 1}
	return before
}

// Kept ends what Keep began, after the object was read, and returns the values that were kept, or nil.
func (r *Reader) Kept(before Misfits) map[string]json.RawMessage {
	values := r.misfits.values
	r.misfits = before
	return values
}

// misfit deals with the value at r.b[r.from:r.i], which has been read and does not fit.
func (r *Reader) misfit(want string) {
	m := &r.misfits
	if m.depth == 0 || r.err != nil || r.depth < m.depth {
		r.fail(r.i, want)
		return
	}
	key, _ := (&Reader{b: r.b, i: m.key}).quoted(new([]byte)) // once more: few values do not fit
	name := string(key)
	if r.depth > m.depth && string(r.key) != name {
		name += "." + string(r.key)
	}
	const entry = 128 // bytes of an entry, while the map grows
	raw := r.b[r.from:r.i]
	r.Spend(entry + len(name) + len(raw))
	if m.values == nil {
		m.values = make(map[string]json.RawMessage, 2)
	}
	m.values[name] = append(json.RawMessage(nil), raw...)
}

// Fail records what as the error at the current place, unless there is an error already. It must
// not hold any of the text.
func (r *Reader) Fail(what string) { r.fail(r.i, what) }

func (r *Reader) fail(offset int, what string) {
	if r.err == nil {
		r.err = &Error{Offset: int64(offset), What: what}
	}
	r.want, r.depth = false, 0
}

// Kind returns the kind of the value that is due, without reading it. A byte that begins no value
// gives None; the method that reads it records the error.
func (r *Reader) Kind() Kind {
	if !r.want {
		return None
	}
	if r.i = skipSpace(r.b, r.i); r.i >= len(r.b) {
		return None
	}
	return kinds[r.b[r.i]]
}

// begin moves to the value that is due and takes the duty to read it.
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

// literal reads word, and reports whether it stands there.
func (r *Reader) literal(word string) bool {
	end, what := scanLiteral(r.b, r.i, word)
	if what != "" {
		r.fail(end, what)
		return false
	}
	r.i = end
	return true
}

// Object enters an object, whose keys NextKey then reads. Null counts as an object without keys.
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

// NextKey moves to the next key of the object that was entered last, or leaves the object and
// returns false. The value of the key before must have been read.
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

// Key returns the key that NextKey moved to, with its escapes decoded. It is valid until the next
// NextKey, belongs to the Reader, and must not be changed.
func (r *Reader) Key() []byte { return r.key }

// Array enters an array, whose elements NextElem then moves to. Null counts as an array without
// elements, and one value of any other kind as an array that holds it.
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

// NextElem moves to the next element of the array that was entered last, or leaves the array and
// returns false. The element before must have been read.
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

// Skip reads one value of any kind and drops it. All of it is checked.
func (r *Reader) Skip() { r.Raw() }

// RawCopy reads one value of any kind as [Reader.Raw] does, and returns a copy of its bytes.
func (r *Reader) RawCopy() json.RawMessage {
	raw := r.Raw()
	if r.Spend(len(raw)); r.err != nil {
		return nil
	}
	return append(json.RawMessage(nil), raw...)
}

// Raw reads one value of any kind and returns its bytes, checked, without the white space around
// it. They belong to the text that the Reader was given.
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

// End checks that nothing but white space is left. Objects and arrays that were entered must have
// been left.
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

// quoted reads the string that begins at the quote at r.i. The bytes are those of the text or,
// when something had to be decoded, of buf.
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
