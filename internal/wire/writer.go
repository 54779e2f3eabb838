package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Writer appends JSON to Buf.
//
// It derives the need for commas from the last byte of Buf and keeps no other state. Callers can
// therefore replace Buf, truncate it to an earlier length, or start with a nonempty one. Every
// Begin needs its End, and every value in an object needs a key before it; Writer does not check
// this.
//
// After the first error, which Err returns, Buf is not usable. The zero Writer is ready to use. A
// Writer is not safe for concurrent use.
type Writer struct {
	Buf []byte
	err *Error
}

// Err returns the first error, an [*Error] with an offset in Buf, or nil.
func (w *Writer) Err() error {
	if w.err == nil {
		return nil
	}
	return w.err
}

// Reset empties Buf, keeps its memory, and clears the error.
func (w *Writer) Reset() { w.Buf, w.err = w.Buf[:0], nil }

func (w *Writer) fail(what string) {
	if w.err == nil {
		w.err = &Error{Offset: int64(len(w.Buf)), What: what}
	}
}

// comma writes a comma if the next value or key needs one.
func (w *Writer) comma() {
	if n := len(w.Buf); n > 0 {
		switch w.Buf[n-1] {
		case '{', '[', ':', ',':
		default:
			w.Buf = append(w.Buf, ',')
		}
	}
}

// BeginObject begins an object.
func (w *Writer) BeginObject() { w.comma(); w.Buf = append(w.Buf, '{') }

// EndObject ends an object.
func (w *Writer) EndObject() { w.Buf = append(w.Buf, '}') }

// BeginArray begins an array.
func (w *Writer) BeginArray() { w.comma(); w.Buf = append(w.Buf, '[') }

// EndArray ends an array.
func (w *Writer) EndArray() { w.Buf = append(w.Buf, ']') }

// Name is a key that needs no escaping: a constant in the code, never external text.
type Name string

// Name writes the key of the next value.
func (w *Writer) Name(k Name) {
	w.comma()
	b := w.extend(len(k) + 3)
	b[0], b[len(b)-2], b[len(b)-1] = '"', '"', ':'
	copy(b[1:], k)
}

// Key is like Name for any text. A key with invalid UTF-8 is an error.
func (w *Writer) Key(k string) {
	w.Text(k)
	w.Buf = append(w.Buf, ':')
}

// Text writes a string and reports whether it is [Plain]. Invalid UTF-8 is an error, because the
// recipient would read another text.
func (w *Writer) Text(s string) (plain bool) {
	w.comma()
	if !Plain(s) {
		w.quote(s)
		return false
	}
	b := w.extend(len(s) + 2)
	b[0], b[len(b)-1] = '"', '"'
	copy(b[1:], s)
	return true
}

// extend lengthens Buf by n bytes and returns them. With sufficient capacity, it reslices Buf in
// place: storing the result of append would cost a write barrier of the garbage collector.
func (w *Writer) extend(n int) []byte {
	if cap(w.Buf)-len(w.Buf) < n {
		w.Buf = slices.Grow(w.Buf, n)
	}
	w.Buf = w.Buf[:len(w.Buf)+n]
	return w.Buf[len(w.Buf)-n:]
}

// Int64 writes an integer.
func (w *Writer) Int64(v int64) {
	w.comma()
	w.Buf = strconv.AppendInt(w.Buf, v, 10)
}

// Float64 writes a number with the fewest digits that preserve its value, and never with an
// exponent. NaN and infinities are errors.
func (w *Writer) Float64(v float64) {
	w.comma()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		w.fail("want a number that is neither NaN nor infinite")
		return
	}
	if n := int64(v); float64(n) == v && n != 0 && -1e15 < v && v < 1e15 {
		w.Buf = strconv.AppendInt(w.Buf, n, 10) // same output, but faster
		return
	}
	w.Buf = strconv.AppendFloat(w.Buf, v, 'f', -1, 64)
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) {
	w.comma()
	w.Buf = strconv.AppendBool(w.Buf, v)
}

// BoolText writes "true" or "false" as a string.
func (w *Writer) BoolText(v bool) {
	if v {
		w.Raw([]byte(`"true"`))
	} else {
		w.Raw([]byte(`"false"`))
	}
}

// Time writes t in UTC as 2006-01-02T15:04:05Z, truncated to seconds. A year outside 0 to 9999 is
// an error.
func (w *Writer) Time(t time.Time) {
	w.comma()
	t = t.UTC()
	if _, ok := inRange(t); !ok {
		w.fail("want a time in the years 0 to 9999")
		return
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	w.Buf = append(w.Buf,
		'"', digit(year/1000), digit(year/100), digit(year/10), digit(year),
		'-', digit(int(month)/10), digit(int(month)), '-', digit(day/10), digit(day),
		'T', digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute),
		':', digit(second/10), digit(second), 'Z', '"')
}

// digit returns the last decimal digit of v.
func digit(v int) byte { return byte('0' + v%10) }

// Raw writes a JSON value as it is, without validation.
func (w *Writer) Raw(value []byte) {
	w.comma()
	if len(value) == 0 {
		w.fail(whatValue)
		return
	}
	w.Buf = append(w.Buf, value...)
}

// Null writes null.
func (w *Writer) Null() { w.comma(); w.Buf = append(w.Buf, "null"...) }

// plainUntil returns the index of the first byte at or after i that needs attention in a string:
// the quote, the backslash, a control character or a byte above 0x7f. It returns len(s) if there is
// none.
func plainUntil(s string, i int) int {
	b := []byte(s) // does not copy
	for ; i+8 <= len(b); i += 8 {
		if m := special(binary.LittleEndian.Uint64(b[i : i+8])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// quote writes s as a string. It escapes the quote, the backslash, control characters, and the two
// line separators that are invalid in JavaScript strings.
func (w *Writer) quote(s string) {
	const hex = "0123456789abcdef"
	buf := append(w.Buf, '"')
	from := 0 // s[from:i] has not been written
	for i := plainUntil(s, 0); i < len(s); i = plainUntil(s, i) {
		c := s[i]
		if c >= utf8.RuneSelf {
			v, n := utf8.DecodeRuneInString(s[i:])
			if v == utf8.RuneError && n == 1 {
				w.Buf = append(buf, s[from:i]...)
				w.fail("want text in UTF-8")
				return
			}
			if v == '\u2028' || v == '\u2029' {
				buf = append(buf, s[from:i]...)
				buf = append(buf, `\u202`...)
				buf = append(buf, hex[v&0xf])
				from = i + n
			}
			i += n
			continue
		}
		buf = append(buf, s[from:i]...)
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		from = i
	}
	buf = append(buf, s[from:]...)
	w.Buf = append(buf, '"')
}
