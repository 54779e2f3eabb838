// Package wire is the one place where the JSON of the API is read and written.
//
// The grammar is strict: a text that RFC 8259 does not allow is an error. The scalars are lenient:
// the platform writes one and the same field as a number, a string or a boolean, and dates in
// half a dozen forms, and every method of [Reader] says which of them it takes.
package wire

import (
	"errors"
	"io"
	"strconv"
)

// ErrTooLarge is matched by the error of a text whose values take more memory than the reader may
// use; see [Reader.Limit].
var ErrTooLarge = errors.New("wire: too large")

// Error says what is wrong with a JSON text and where. It never holds any of the text.
//
// It matches [io.ErrUnexpectedEOF] when the text ended too early, and [ErrTooLarge].
type Error struct {
	Offset int64  // bytes from the start of the text
	What   string // what was wanted or what is wrong
}

// Error names the place and the fault.
func (e *Error) Error() string {
	return "JSON at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.What
}

// Is reports whether target is [io.ErrUnexpectedEOF] and the text ended too early, or [ErrTooLarge]
// and its values are.
func (e *Error) Is(target error) bool {
	return target == io.ErrUnexpectedEOF && e.What == whatEnd || target == ErrTooLarge && e.What == whatMemory
}

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of values. None stands for no value: the end of the text, an error, or a place where
// no value is due.
const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// String returns the JSON word for the kind.
func (k Kind) String() string {
	switch k {
	case Object:
		return "object"
	case Array:
		return "array"
	case String:
		return "string"
	case Number:
		return "number"
	case Bool:
		return "boolean"
	case Null:
		return "null"
	}
	return "none"
}
