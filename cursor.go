package threatconnect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Cursor is a checkpoint in a source that a program polls: the changes of an owner ([Client.Changes]) or a
// feed. The zero Cursor is the beginning. After all items before it are processed, save it as JSON in a
// file or in the DataStore, and start the next run from it.
//
// [Client.Changes] uses Source, Time and Seen. A program that polls a feed can keep
//
//   - the URL of the feed in Source,
//   - the ETag or offset of the last request in Position,
//   - the time of the last run in Time,
//   - the hashes of items that it has sent and may read again in Seen.
//
// As JSON, a Cursor is an object:
//
//	{
//	  "version": 1,
//	  "source": "https://app.threatconnect.com/api/v2/indicators?owner=Example+Source",
//	  "position": "",
//	  "time": "2026-01-02T03:04:05Z",
//	  "seen": "AAAAAAAAAAc="
//	}
//
// The member seen contains the hashes in ascending order, each as 8 bytes in big-endian order, in base64.
// All members except version are optional. The JSON text is at most about 1.1 MB long.
type Cursor struct {
	Source   string    // name of the source; up to 4,096 bytes
	Position string    // opaque position in the source; up to 4,096 bytes
	Time     time.Time // time in the source up to which it was read
	Seen     []uint64  // hashes of processed items that may be read again; up to 100,000
}

const (
	cursorVersion = 1
	maxSeen       = 100_000
	maxCursorText = 4096
)

type cursorJSON struct {
	Version  int       `json:"version"`
	Source   string    `json:"source,omitempty"`
	Position string    `json:"position,omitempty"`
	Time     time.Time `json:"time,omitzero"`
	Seen     []byte    `json:"seen,omitempty"`
}

// IsZero reports whether c is the beginning.
func (c Cursor) IsZero() bool {
	return c.Source == "" && c.Position == "" && c.Time.IsZero() && len(c.Seen) == 0
}

// MarshalJSON returns the documented JSON object. A field over its limit returns a [*ValidationError].
func (c Cursor) MarshalJSON() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	seen := slices.Compact(slices.Sorted(slices.Values(c.Seen)))
	raw := make([]byte, 0, 8*len(seen))
	for _, hash := range seen {
		raw = binary.BigEndian.AppendUint64(raw, hash)
	}
	return json.Marshal(cursorJSON{Version: cursorVersion, Source: c.Source, Position: c.Position, Time: c.Time.UTC(), Seen: raw})
}

// UnmarshalJSON reads the documented JSON object. Damaged input, and input from a later version of this
// package, return a [*ValidationError] and leave c unchanged, so a damaged cursor is never mistaken for the
// beginning.
func (c *Cursor) UnmarshalJSON(b []byte) error {
	var version struct{ Version *int }
	if err := json.Unmarshal(b, &version); err != nil || version.Version == nil {
		return errCursorDamaged
	}
	if v := *version.Version; v != cursorVersion {
		return &ValidationError{Field: "cursor", Rule: fmt.Sprintf("has version %d, and this version of the package reads version %d", v, cursorVersion), Fix: "update the program that reads it"}
	}
	var j cursorJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil || len(j.Seen)%8 != 0 || len(j.Seen) > 8*maxSeen {
		return errCursorDamaged
	}
	read := Cursor{Source: j.Source, Position: j.Position, Time: j.Time.UTC()}
	for raw := j.Seen; len(raw) > 0; raw = raw[8:] {
		hash := binary.BigEndian.Uint64(raw)
		if n := len(read.Seen); n > 0 && read.Seen[n-1] >= hash {
			return errCursorDamaged
		}
		read.Seen = append(read.Seen, hash)
	}
	if read.check() != nil {
		return errCursorDamaged
	}
	*c = read
	return nil
}

var errCursorDamaged = &ValidationError{Field: "cursor", Rule: "is damaged", Fix: "restore it from a copy, or begin again with the zero Cursor"}

func (c Cursor) check() error {
	bad := func(rule string) error { return &ValidationError{Field: "cursor", Rule: rule} }
	switch {
	case len(c.Source) > maxCursorText || len(c.Position) > maxCursorText:
		return bad("has a source or position of more than 4,096 bytes")
	case !utf8.ValidString(c.Source) || !utf8.ValidString(c.Position):
		return bad("has a source or position that is not UTF-8, which JSON would change")
	case len(c.Seen) > maxSeen:
		return bad("has seen more than 100,000 hashes")
	case c.Time.UTC().Year() < 0 || c.Time.UTC().Year() > 9999:
		return bad("has a time outside of the years 0 to 9999")
	}
	return nil
}
