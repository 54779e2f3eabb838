package wire

import (
	"strings"
	"time"
)

// scalar reads a scalar: the decoded bytes of a string, or the text of a number or boolean. The
// bytes are valid until the next value is read. Objects and arrays are errors described by want.
func (r *Reader) scalar(want string) ([]byte, Kind) {
	if !r.begin() {
		return nil, None
	}
	from := r.i
	r.from = from
	kind := kinds[r.b[from]]
	switch kind {
	case String:
		s, ok := r.quoted(&r.sbuf)
		if !ok {
			return nil, None
		}
		return s, String
	case Number, Bool, Null:
		end, what := scanScalar(r.b, from)
		if what != "" {
			r.fail(end, what)
			return nil, None
		}
		r.i = end
		return r.b[from:end], kind
	}
	if kind != None && r.misfits.depth > 0 {
		r.want = true
		if r.Raw() == nil {
			return nil, None
		}
		r.misfit(want)
		return nil, None
	}
	r.fail(from, want)
	return nil, None
}

// unset reports whether a scalar has no value: null, an empty string, or an error.
func unset(s []byte, kind Kind) bool {
	return kind == None || kind == Null || kind == String && len(s) == 0
}

// Text reads a string. Numbers and booleans become their text, and null becomes "". Objects and
// arrays are errors.
func (r *Reader) Text() string { return r.TextIntern("") }

// TextIntern is like Text but returns prev if the text equals it. This saves a copy of values that
// repeat from one element to the next, such as the name of an owner.
func (r *Reader) TextIntern(prev string) string {
	s, kind := r.scalar("want a text")
	if unset(s, kind) {
		return ""
	}
	if string(s) == prev {
		return prev
	}
	if r.Spend(len(s)); r.err != nil {
		return ""
	}
	return string(s)
}

const (
	wantInteger = "want a whole number of at most 64 bits"
	wantFloat   = "want a number"
	wantBool    = "want true or false"
	wantTime    = "want a date and time"
)

// Int64 reads an integer: 12, 12.0 or 1.2e1, or any of these in a string. Null and "" become 0.
// Fractions, integers beyond 64 bits and other values are errors; nothing is rounded.
func (r *Reader) Int64() int64 {
	v, _ := r.integer()
	return v
}

// ID reads an ID like [Reader.Int64]. A negative number is an error.
func (r *Reader) ID() int64 {
	v, ok := r.integer()
	if ok && v < 0 {
		r.misfit("want an id that is not below 0")
		return 0
	}
	return v
}

// Int is like [Reader.Int64]. A number that does not fit an int is an error.
func (r *Reader) Int() int {
	v, _ := r.int()
	return v
}

// IntPtr is like [Reader.Int] but returns nil for null and "".
func (r *Reader) IntPtr() *int {
	if v, ok := r.int(); ok {
		return &v
	}
	return nil
}

// Int64Ptr is like [Reader.Int64] but returns nil for null and "".
func (r *Reader) Int64Ptr() *int64 {
	if v, ok := r.integer(); ok {
		return &v
	}
	return nil
}

func (r *Reader) int() (int, bool) {
	v, ok := r.integer()
	if int64(int(v)) != v {
		r.misfit("want a whole number that fits an int")
		return 0, false
	}
	return int(v), ok
}

// integer reads an integer and reports whether there was one.
func (r *Reader) integer() (int64, bool) {
	s, kind := r.scalar(wantInteger)
	if unset(s, kind) {
		return 0, false
	}
	if kind != Bool {
		if v, ok := parseInt(s); ok {
			return v, true
		}
	}
	r.misfit(wantInteger)
	return 0, false
}

// Float64 reads a number, which can be in a string. Null and "" become 0. NaN, infinities, numbers
// beyond the range of a float64 and other values are errors.
func (r *Reader) Float64() float64 {
	v, _ := r.float()
	return v
}

// Float64Ptr is like [Reader.Float64] but returns nil for null and "".
func (r *Reader) Float64Ptr() *float64 {
	if v, ok := r.float(); ok {
		return &v
	}
	return nil
}

func (r *Reader) float() (float64, bool) {
	s, kind := r.scalar(wantFloat)
	if unset(s, kind) {
		return 0, false
	}
	if kind != Bool {
		if v, ok := parseFloat(s); ok {
			return v, true
		}
	}
	r.misfit(wantFloat)
	return 0, false
}

// Bool reads true or false, or one of them in a string of any letter case, or 1 or 0 as a number or
// in a string. Null and "" become false. Other values are errors.
func (r *Reader) Bool() bool {
	v, _ := r.boolean()
	return v
}

// BoolPtr is like [Reader.Bool] but returns nil for null and "".
func (r *Reader) BoolPtr() *bool {
	if v, ok := r.boolean(); ok {
		return &v
	}
	return nil
}

func (r *Reader) boolean() (v, ok bool) {
	s, kind := r.scalar(wantBool)
	if unset(s, kind) {
		return false, false
	}
	if kind == Bool {
		return s[0] == 't', true
	}
	if n, ok := parseInt(s); ok && (n == 0 || n == 1) {
		return n == 1, true
	}
	if kind == String && len(s) <= len("false") {
		switch {
		case strings.EqualFold(string(s), "true"):
			return true, true
		case strings.EqualFold(string(s), "false"):
			return false, true
		}
	}
	r.misfit(wantBool)
	return false, false
}

// Time reads a date and time: a string in one of the forms of [ParseTime], or a number of
// milliseconds since 1970. Null and "" become the zero time. The result is in UTC.
func (r *Reader) Time() time.Time {
	s, kind := r.scalar(wantTime)
	if unset(s, kind) {
		return time.Time{}
	}
	var (
		t  time.Time
		ok bool
	)
	switch kind {
	case String:
		t, ok = parseTime(s)
	case Number:
		var ms int64
		if ms, ok = parseInt(s); ok {
			t, ok = inRange(time.UnixMilli(ms).UTC())
		}
	}
	if !ok {
		r.misfit(wantTime)
		return time.Time{}
	}
	return t
}

// Strings reads a list of strings, each like [Reader.Text]. A single scalar counts as a list with
// one element. Null and "" instead of the list become nil, and null in the list is omitted.
func (r *Reader) Strings() []string {
	if r.Kind() != Array {
		if s := r.Text(); s != "" {
			return []string{s}
		}
		return nil
	}
	var list []string
	for r.Array(); r.NextElem(); {
		if r.Kind() == Null {
			r.Skip()
			continue
		}
		r.Spend(36) // size of a string in a growing slice
		list = append(list, r.Text())
	}
	if r.err != nil {
		return nil
	}
	return list
}
