package cli

import (
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSON writes a value as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // & in URLs stays readable
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// JSONArray writes a JSON array with an element per line. An element and the end of its line are written
// as soon as it is added; the comma follows with the next element.
type JSONArray struct {
	w       io.Writer
	element bytes.Buffer
	encoder *json.Encoder // to element
	any     bool          // whether there is an element
}

// NewJSONArray returns an array that is written to w.
func NewJSONArray(w io.Writer) *JSONArray {
	a := &JSONArray{w: w}
	a.encoder = json.NewEncoder(&a.element)
	a.encoder.SetEscapeHTML(false) // & in URLs stays readable
	return a
}

// Add writes an element.
func (a *JSONArray) Add(v any) error {
	a.element.Reset()
	if a.any {
		a.element.WriteString(",")
	} else {
		a.element.WriteString("[\n")
	}
	a.any = true
	if err := a.encoder.Encode(v); err != nil {
		return err
	}
	_, err := a.w.Write(a.element.Bytes())
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
