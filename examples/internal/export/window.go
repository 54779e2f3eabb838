package export

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"
)

// maxRemembered is how many changes within the overlap a run remembers at most.
const maxRemembered = 100_000

// minFull is how many entries a window has at least before old ones are dropped.
const minFull = 1000

// keyOf identifies what has happened to an indicator, in 64 bits.
func keyOf(what, owner, typ, summary string, at time.Time) uint64 {
	h := sha256.New()
	for _, s := range [...]string{what, owner, typ, summary, at.UTC().Format(time.RFC3339)} {
		_, _ = io.WriteString(h, s) // a hash takes everything
		_, _ = h.Write([]byte{0})
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// window collects the keys of what was changed within the overlap before the end of a run. The next
// run reads that part again, because changes can become visible after others with a later date.
type window struct {
	overlap time.Duration
	latest  time.Time
	entries []windowEntry
	full    int       // how many entries there are when the old ones are dropped next
	floor   time.Time // entries up to here were forgotten, because they were too many
	always  []uint64
}

type windowEntry struct {
	at  time.Time
	key uint64
}

func newWindow(overlap time.Duration) *window { return &window{overlap: overlap, full: minFull} }

// keep remembers a key that has no date.
func (w *window) keep(key uint64) { w.always = append(w.always, key) }

// add remembers the key of a change for as long as it can be within the overlap.
func (w *window) add(key uint64, at time.Time) {
	if at.After(w.latest) {
		w.latest = at
	}
	if !at.After(w.floor) || at.Before(w.latest.Add(-w.overlap)) {
		return
	}
	w.entries = append(w.entries, windowEntry{at, key})
	if len(w.entries) <= w.full {
		return
	}
	w.drop(w.latest.Add(-w.overlap))
	w.full = max(minFull, 2*len(w.entries))
	if len(w.entries) > maxRemembered {
		w.floor, w.entries = w.latest, nil
	}
}

func (w *window) drop(before time.Time) {
	w.entries = slices.DeleteFunc(w.entries, func(e windowEntry) bool { return e.at.Before(before) })
}

// progress returns how far a run came. The cursor is the latest change that it has seen, and no
// later than its beginning: what was changed or deleted meanwhile may have been missed.
func (w *window) progress(last, began time.Time) progress {
	cursor := last
	if w.latest.After(cursor) {
		cursor = w.latest
	}
	if cursor.After(began) {
		cursor = began
	}
	from := cursor.Add(-w.overlap)
	w.drop(from)
	keys := w.always
	for _, e := range w.entries {
		keys = append(keys, e.key)
	}
	slices.Sort(keys)
	raw := make([]byte, 0, 8*len(keys))
	for _, k := range slices.Compact(keys) {
		raw = binary.BigEndian.AppendUint64(raw, k)
	}
	return progress{
		Cursor: cursor.UTC().Truncate(time.Second),
		Seen:   base64.StdEncoding.EncodeToString(raw),
		forgot: !w.floor.IsZero() && !w.floor.Before(from),
	}
}

// progress is how far the export of an owner has come.
type progress struct {
	Cursor time.Time `json:"cursor,omitzero"` // the latest change that was seen; zero when there was none
	Seen   string    `json:"seen,omitempty"`  // the keys of what was exported within the overlap; base64

	forgot bool // whether Seen lacks some
}

// known returns the keys of what was exported within the overlap.
func (p *progress) known() (map[uint64]bool, error) {
	raw, err := base64.StdEncoding.DecodeString(p.Seen)
	if err != nil || len(raw)%8 != 0 {
		return nil, errors.New("what remembers the last run is damaged: run with -reset")
	}
	known := make(map[uint64]bool, len(raw)/8)
	for ; len(raw) > 0; raw = raw[8:] {
		known[binary.BigEndian.Uint64(raw)] = true
	}
	return known, nil
}
