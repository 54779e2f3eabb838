package threatconnect

import (
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// updateField is a field of an update.
type updateField struct {
	name     string   // as in the update's struct
	key      string   // as in JSON
	value    any      // a pointer; nil if the update does not set the field
	types    []string // the types that have the field; nil for all
	required bool     // whether the platform needs the field in every update
	filled   bool     // whether the field cannot be cleared
}

// Fields that are not written as their Go type is.
type (
	boolText     bool   // "true" or "false"
	nullableText string // null if empty
)

// set reports whether the update sets the field.
func (f *updateField) set() bool { return !isNil(f.value) }

// has reports whether things of a type have the field.
func (f *updateField) has(typ string) bool { return f.types == nil || slices.Contains(f.types, typ) }

// isClear reports whether the update clears the field.
func (f *updateField) isClear() bool {
	switch v := f.value.(type) {
	case *string:
		return strings.TrimSpace(*v) == ""
	case *time.Time:
		return v.IsZero()
	}
	return false
}

func (f *updateField) write(w *wire.Writer) {
	w.Key(f.key)
	switch v := f.value.(type) {
	case *string:
		w.Text(*v)
	case *nullableText:
		if *v == "" {
			w.Null()
		} else {
			w.Text(string(*v))
		}
	case *float64:
		w.Float64(*v)
	case *int:
		w.Int64(int64(*v))
	case *int64:
		w.Int64(*v)
	case *bool:
		w.Bool(*v)
	case *boolText:
		w.BoolText(bool(*v))
	case *time.Time:
		if v.IsZero() {
			w.Null()
		} else {
			w.Time(*v)
		}
	case *[]string:
		writeUserNames(w, *v)
	}
}

// updateBody returns the body of an update of a thing of a type: the fields that the update sets and
// no other. update is the name of the update's struct.
func updateBody(update, typ string, fields []updateField) ([]byte, error) {
	bad := func(f *updateField, rule, fix string) error {
		return &ValidationError{Field: update + "." + f.name, Rule: rule, Fix: fix}
	}
	if !slices.ContainsFunc(fields, func(f updateField) bool { return f.set() }) {
		return nil, &ValidationError{Field: update, Rule: "has no field set", Fix: "set the fields that are to change"}
	}
	var w wire.Writer
	w.BeginObject()
	for i := range fields {
		switch f := &fields[i]; {
		case f.set() && !f.has(typ):
			return nil, bad(f, "is not a field of the type "+typ, "leave it out, it is for "+alternatives(f.types)+" only")
		case f.set() && f.filled && f.isClear():
			return nil, bad(f, "is empty, and the platform requires a value", "set a value, or leave it out to keep the present one")
		case f.set():
			f.write(&w)
		case f.required:
			return nil, bad(f, "is missing, and the platform requires it in every update of the type "+typ, "set it too, to its present value if it does not change")
		}
	}
	w.EndObject()
	return written(&w, update)
}

// canonicalUpdate returns the canonical form of a text, or nil if the update does not set it.
func canonicalUpdate(v *string, canonical func(string) (string, error)) (*string, error) {
	if v == nil {
		return nil, nil
	}
	s, err := canonical(*v)
	return &s, err
}
