package wire

import "encoding/json"

// Misfits contains the values that [Reader.Keep] preserves.
type Misfits struct {
	depth  int                        // depth of the object whose keys the values have; 0 keeps nothing
	key    int                        // position of the current key of that object
	values map[string]json.RawMessage // nil if all values fit
}

// Keep makes r preserve scalars of unexpected form instead of returning errors. Call it before
// Object. While the object is read, a scalar method at a valid JSON value of another form returns
// its result for null, and r stores the value under its key. A value in nested objects is stored
// under the outermost and the innermost key, joined by a dot. Keep returns the previous state for
// [Reader.Kept].
func (r *Reader) Keep() (before Misfits) {
	before, r.misfits = r.misfits, Misfits{depth: r.depth + 1}
	return before
}

// Kept ends the effect of Keep after the object has been read. It returns the preserved values, or
// nil if there are none.
func (r *Reader) Kept(before Misfits) map[string]json.RawMessage {
	values := r.misfits.values
	r.misfits = before
	return values
}

// misfit handles the value at r.b[r.from:r.i], which has been read and has an unexpected form.
func (r *Reader) misfit(want string) {
	m := &r.misfits
	if m.depth == 0 || r.err != nil || r.depth < m.depth {
		r.fail(r.i, want)
		return
	}
	key, _ := (&Reader{b: r.b, i: m.key}).quoted(new([]byte)) // reads the key again, because misfits are rare
	name := string(key)
	if r.depth > m.depth && string(r.key) != name {
		name += "." + string(r.key)
	}
	const entry = 128 // bytes of an entry in a growing map
	raw := r.b[r.from:r.i]
	r.Spend(entry + len(name) + len(raw))
	if m.values == nil {
		m.values = make(map[string]json.RawMessage, 2)
	}
	m.values[name] = append(json.RawMessage(nil), raw...)
}
