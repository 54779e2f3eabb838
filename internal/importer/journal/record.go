package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// record is one entry of a journal. Exactly one field is set. Readers ignore unknown fields, so later
// versions can add some.
type record struct {
	Start      *Start      `json:",omitempty"`
	Owner      *owner      `json:",omitempty"`
	Added      *Added      `json:",omitempty"`
	Created    *Created    `json:",omitempty"`
	Settled    *Settled    `json:",omitempty"`
	Attached   *Attached   `json:",omitempty"`
	Moved      *moved      `json:",omitempty"`
	Checkpoint *checkpoint `json:",omitempty"`
}

// first reports whether a record replaces all earlier ones, so that a replay can begin with it.
func (r *record) first() bool { return r.Start != nil || r.Checkpoint != nil }

// failures returns the failures in a record.
func (r *record) failures() []item.Failure {
	switch {
	case r.Added != nil:
		return r.Added.Refused.Failures
	case r.Settled != nil:
		return r.Settled.Outcome.Failures
	case r.Attached != nil:
		return r.Attached.Outcome.Failures
	case r.Checkpoint != nil && r.Checkpoint.State != nil:
		return r.Checkpoint.State.Outcome.Failures
	}
	return nil
}

// Start begins an import.
type Start struct {
	Run      string // name of the import
	Instance string // base URL of the API
	Settings string // settings that must not change on a resume
	Seed     []byte // seed of the hashes of groups
}

// owner records that another process has taken over the journal.
type owner struct{}

// Added records the items added since the previous Added record, together with the file that they completed,
// if any. Both are in one record, so an item counts as added only together with its bytes.
type Added struct {
	Totals   item.Totals
	Held     int64 // smallest sequence number of the links that wait, or math.MaxInt64
	File     int64 // number of the file, from 1; 0 if none
	After    int64 `json:",omitzero"` // number of the last file that must be settled first
	Low      int64 `json:",omitzero"` // smallest sequence number in the file
	Kinds    [item.Kinds]int64
	Contents []Content    `json:",omitempty"`
	Refused  item.Outcome // failures of refused items

	Payload  *item.File `json:"-"`
	Groups   []uint64   `json:"-"` // hashes of added groups
	Links    []Deferred `json:"-"` // links that were held back
	Released []int64    `json:"-"` // indexes of links that are in the file or were dropped
}

// Content is the content of a group in a file.
type Content struct {
	Position int
	Refused  bool `json:",omitzero"` // the group was refused or has an unknown outcome
	item.Content
}

// Piece is a part of a file with the ID of its job, or 0.
type Piece struct {
	item.Part
	Job int64 `json:",omitzero"`
}

// Created records the job of the first piece of a file. It precedes the upload.
type Created struct{ File, Job int64 }

// Settled records the outcome of the first piece of a file, and the remaining pieces. Pieces cut from it have
// no job yet.
type Settled struct {
	File    int64
	Pieces  []Piece `json:",omitempty"`
	Outcome item.Outcome
	Refused []int `json:",omitempty"` // positions of items with content that are not on the platform
	Again   int   `json:",omitzero"`  // number of bisections of the file
}

// Attached records the outcome of the first content of a file.
type Attached struct {
	File    int64
	Outcome item.Outcome
}

// End records that the import has ended.
type End struct {
	Remember bool // a later run of the same name returns the outcome
}

// moved records that the links or groups in memory moved to this record.
type moved struct {
	Links  *linkChunk  `json:",omitempty"`
	Groups *groupChunk `json:",omitempty"`
}

// checkpoint replaces all earlier records except those that its state refers to.
type checkpoint struct{ State *State }

// header is the JSON part of a record.
type header struct {
	Slot  int64
	Token string // of the writer
	Parts []part
	record
}

// part describes a raw part after the header.
type part struct {
	Size int
	Sum  uint32
}

// A record consists of a magic text with the version of the format, the length and the checksum of the
// header, the header, and the raw parts.
const (
	magic   = "tcjournal1"
	headLen = len(magic) + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of a record.
var (
	errNoRecord = errors.New("is not a record of this package")
	errVersion  = errors.New("was written by a version of this package that this one cannot read")
	errDamaged  = errors.New("does not match its checksum")
	errContent  = errors.New("has content that does not belong to it")
	errPlace    = errors.New("contains the record of another slot")
	errMissing  = errors.New("is missing")
)

// damaged returns an error for an unusable record, with advice.
func damaged(slot int64, err error) error {
	fix := "restore it"
	if errors.Is(err, errVersion) || errors.Is(err, errUnknown) {
		fix = "use a version that can read it"
	}
	return fmt.Errorf("%w: %s %w: %s, or begin again with an empty spool", ErrRecord, slotName(slot), err, fix)
}

// slotName returns the name of the record in a slot.
func slotName(slot int64) string { return fmt.Sprintf("slot-%010d", slot) }

// slotOf is the inverse of slotName.
func slotOf(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, "slot-")
	slot, err := strconv.ParseInt(digits, 10, 64)
	return slot, ok && err == nil && slot > 0 && slotName(slot) == name
}

// encode encodes a record in parts that share the memory of the raw parts.
func encode(h *header, raw [][]byte) ([][]byte, error) {
	for _, p := range raw {
		h.Parts = append(h.Parts, part{len(p), crc32.Checksum(p, castagnoli)})
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	head := append(make([]byte, 0, headLen+len(text)), magic...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(text)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(text, castagnoli))
	return append([][]byte{append(head, text...)}, raw...), nil
}

// decode decodes a record. A damaged raw part is nil.
func decode(slot int64, text []byte) (h header, raw [][]byte, err error) {
	if len(text) < headLen || string(text[:len(magic)-1]) != magic[:len(magic)-1] {
		return h, nil, errNoRecord
	}
	if text[len(magic)-1] != magic[len(magic)-1] {
		return h, nil, errVersion
	}
	size := binary.LittleEndian.Uint32(text[len(magic):])
	sum := binary.LittleEndian.Uint32(text[len(magic)+4:])
	text = text[headLen:]
	if uint64(size) > uint64(len(text)) || crc32.Checksum(text[:size], castagnoli) != sum {
		return h, nil, errDamaged
	}
	if json.Unmarshal(text[:size], &h) != nil {
		return h, nil, errVersion
	}
	if h.Slot != slot {
		return h, nil, errPlace
	}
	text = text[size:]
	for _, p := range h.Parts {
		n := max(min(p.Size, len(text)), 0)
		if part := text[:n:n]; n == p.Size && crc32.Checksum(part, castagnoli) == p.Sum {
			raw = append(raw, part)
		} else {
			raw = append(raw, nil)
		}
		text = text[n:]
	}
	return h, raw, nil
}
