package threatconnect

import (
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// updateField is a field of an update.
type updateField struct {
	name     string   // Go name
	key      string   // JSON key
	value    any      // pointer to the new value; nil if the field is not set
	types    []string // types that have the field; nil means all
	required bool     // whether the platform requires the field in every update
	filled   bool     // whether the field cannot be cleared
}

// Types of fields with a special JSON form.
type (
	boolText     bool   // "true" or "false"
	nullableText string // null if empty
)

func (f *updateField) set() bool { return !isNil(f.value) }

// has reports whether the type has the field.
func (f *updateField) has(typ string) bool { return f.types == nil || slices.Contains(f.types, typ) }

// isClear reports whether the new value is empty.
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

// updateBody returns the JSON body of an update with the fields that are set. update is the name of the Go
// struct, and typ the type of the object.
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

// canonicalUpdate returns the canonical form of v, or nil if v is nil.
func canonicalUpdate(v *string, canonical func(string) (string, error)) (*string, error) {
	if v == nil {
		return nil, nil
	}
	s, err := canonical(*v)
	return &s, err
}
