package cli

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSONArray writes a JSON array with an element per line. An element is written as soon as it is added.
type JSONArray struct {
	w   io.Writer
	any bool // whether there is an element
}

// NewJSONArray returns an array that is written to w.
func NewJSONArray(w io.Writer) *JSONArray { return &JSONArray{w: w} }

// Add writes an element.
func (a *JSONArray) Add(v any) error {
	b := bytes.NewBufferString(",\n")
	if !a.any {
		b.Reset()
		b.WriteString("[\n")
		a.any = true
	}
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false) // & in URLs stays readable
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := a.w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

// End writes the end of the array.
func (a *JSONArray) End() error {
	end := "[]\n"
	if a.any {
		end = "\n]\n"
	}
	_, err := io.WriteString(a.w, end)
	return err
}
