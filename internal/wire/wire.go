// Package wire reads and writes all JSON of the API.
//
// The syntax is strict: a text that violates RFC 8259 is an error. Scalars are lenient, because the
// platform writes the same field as a number, a string or a boolean, and dates in several forms.
// Each method of [Reader] documents the forms that it accepts.
package wire

import (
	"errors"
	"io"
	"strconv"
)

// ErrTooLarge matches the error of a text whose values exceed the memory limit of its Reader; see
// [Reader.Limit].
var ErrTooLarge = errors.New("wire: too large")

// Error is an error in a JSON text with its position. It never contains any of the text.
//
// It matches [io.ErrUnexpectedEOF] if the text ended too early, and [ErrTooLarge] if its values
// exceed the memory limit.
type Error struct {
	Offset int64  // in bytes from the start of the text
	What   string // expected form, or description of the error
}

func (e *Error) Error() string {
	return "JSON at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.What
}

// Is reports whether e matches target: [io.ErrUnexpectedEOF] or [ErrTooLarge].
func (e *Error) Is(target error) bool {
	return target == io.ErrUnexpectedEOF && e.What == whatEnd || target == ErrTooLarge && e.What == whatMemory
}

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of values. None means no value: the end of the text, an error, or a position without a
// value.
const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// String returns the JSON name of the kind.
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
