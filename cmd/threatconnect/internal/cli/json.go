package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// WriteJSON writes a value as indented JSON.
func WriteJSON(w io.Writer, v any) error { return writeJSON(w, v, "  ") }

// WriteJSONLine writes a value as JSON in one line.
func WriteJSONLine(w io.Writer, v any) error { return writeJSON(w, v, "") }

func writeJSON(w io.Writer, v any, indent string) error {
	b, err := marshal(v, indent)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// marshal returns the JSON of a value and a line break. Characters that a terminal does not show, or that
// control it or the direction of the text, are escaped.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // & in URLs stays readable
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnprintable(b.Bytes()), nil
}

// escapeUnprintable escapes the characters of JSON that are not printable. Such characters are in strings only.
func escapeUnprintable(b []byte) []byte {
	isUnprintable := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if bytes.IndexFunc(b, isUnprintable) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for _, r := range string(b) {
		switch {
		case !isUnprintable(r):
			out = utf8.AppendRune(out, r)
		case r <= 0xFFFF:
			out = appendEscaped(out, r)
		default:
			high, low := utf16.EncodeRune(r)
			out = appendEscaped(appendEscaped(out, high), low)
		}
	}
	return out
}

func appendEscaped(b []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}

// JSONArray writes a JSON array with an element per line. An element and the end of its line are written
// as soon as it is added; the comma follows with the next element.
type JSONArray struct {
	w   io.Writer
	any bool // whether there is an element
}

// NewJSONArray returns an array that is written to w.
func NewJSONArray(w io.Writer) *JSONArray { return &JSONArray{w: w} }

// Add writes an element.
func (a *JSONArray) Add(v any) error {
	b, err := marshal(v, "")
	if err != nil {
		return err
	}
	before := ","
	if !a.any {
		before = "[\n"
	}
	a.any = true
	_, err = a.w.Write(append([]byte(before), b...))
	return err
}

// End writes the end of the array.
func (a *JSONArray) End() error {
	end := "[]\n"
	if a.any {
		end = "]\n"
	}
	_, err := io.WriteString(a.w, end)
	return err
}
