package threatconnect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Errors of a [Spool]. All match [ErrSpool].
var (
	ErrSpool       = errors.New("threatconnect: batch spool")
	ErrSpoolLocked = fmt.Errorf("%w is in use by another writer or process", ErrSpool)
	ErrSpoolRecord = fmt.Errorf("%w: a record is damaged or of another version", ErrSpool)
	ErrSpoolOther  = fmt.Errorf("%w holds the import of something else", ErrSpool)
)

// Spool keeps the records of one import where they outlive the process. [DirSpool] keeps them in a
// directory.
//
// A [BatchWriter] checks what it reads, so that a Spool need not know what is in a record. An
// implementation must be safe for concurrent use; there is never more than one call about a record at a
// time.
type Spool interface {
	// Open takes the spool until Close. It fails with [ErrSpoolLocked] when somebody else has it.
	Open(ctx context.Context) error
	// Names lists the records, in any order. What is not a record of a spool may be among them.
	Names(ctx context.Context) ([]string, error)
	// Read returns a record. Its memory is the caller's.
	Read(ctx context.Context, name string) ([]byte, error)
	// Write keeps a record that consists of some parts, in place of the one with the name. Once it has
	// returned nil, the record is there whatever happens to the process or the machine; until then,
	// and after an error, the record that was there before is, or none. A name is 1 to 32 lower-case
	// letters, digits and hyphens.
	Write(ctx context.Context, name string, parts [][]byte) error
	// Remove removes a record. One that is not there is no error. Removals must last in the order in
	// which they are made, as seen after a failure of the machine, but may be undone by it.
	Remove(ctx context.Context, name string) error
	// Close gives the spool back. What is in it stays.
	Close() error
}

// The kinds of records. A job has one of each but the first.
const (
	recordImport   = "import"   // what is imported, and whether it has ended
	recordSegment  = "segment"  // what was added from one job to the next
	recordPayload  = "payload"  // the items of a job; gone when it is done
	recordProgress = "progress" // what is still to be done of a job, and what has become of the rest
	recordDamaged  = "damaged"  // what could not be read, set aside
)

func recordName(kind string, number int64) string { return fmt.Sprintf("%s-%08d", kind, number) }

// jobRecord undoes recordName. ok is false for what is no record of a job.
func jobRecord(name string) (kind string, number int64, ok bool) {
	kind, digits, ok := strings.Cut(name, "-")
	if !ok || len(digits) < 8 || !allDigits(digits) {
		return "", 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	switch kind {
	case recordSegment, recordPayload, recordProgress:
		return kind, number, err == nil && number > 0 && recordName(kind, number) == name
	}
	return "", 0, false
}

// spoolFormat is what every record begins with: a mark and the version of the format.
const spoolFormat = "tcspool1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealRecord puts a frame around the parts of a record: the format and the name before them, so that
// no record can stand in another's place, and a checksum behind.
func sealRecord(name string, parts [][]byte) [][]byte {
	head := append([]byte(spoolFormat), byte(len(name)))
	head = append(head, name...)
	framed := append([][]byte{head}, parts...)
	sum := uint32(0)
	for _, p := range framed {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return append(framed, binary.LittleEndian.AppendUint32(nil, sum))
}

// openRecord undoes sealRecord. What it returns is a part of text.
func openRecord(name string, text []byte) ([]byte, error) {
	head := len(spoolFormat) + 1 + len(name)
	bad := func(what string) error { return fmt.Errorf("%w: %s %s", ErrSpoolRecord, name, what) }
	switch {
	case len(text) < len(spoolFormat) || string(text[:len(spoolFormat)-1]) != spoolFormat[:len(spoolFormat)-1]:
		return nil, bad("is no record of a spool")
	case text[len(spoolFormat)-1] != spoolFormat[len(spoolFormat)-1]:
		return nil, bad("was written by another version of this package: finish the import with that version")
	case len(text) < head+4 || int(text[len(spoolFormat)]) != len(name) || string(text[len(spoolFormat)+1:head]) != name:
		return nil, bad("is cut off or another record")
	}
	end := len(text) - 4
	if crc32.Checksum(text[:end], castagnoli) != binary.LittleEndian.Uint32(text[end:]) {
		return nil, bad("does not match its checksum")
	}
	return text[head:end], nil
}

// recordWriter writes the fields of a record.
type recordWriter struct{ b []byte }

func (w *recordWriter) int(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *recordWriter) text(s string) {
	w.int(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *recordWriter) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *recordWriter) counts(c *BatchCounts) {
	w.int(c.Succeeded)
	w.int(c.Failed)
	w.int(c.Unprocessed)
	w.int(c.Unknown)
}

// recordReader reads the fields of a record. After the first that does not fit, all are zero.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) int() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// size reads how many things of at least one byte each follow.
func (r *recordReader) size() int {
	n := r.int()
	if n < 0 || n > int64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *recordReader) bytes() []byte {
	n := r.size()
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *recordReader) text() string { return string(r.bytes()) }

func (r *recordReader) bool() bool {
	if len(r.b) == 0 || r.b[0] > 1 {
		r.bad = true
		return false
	}
	v := r.b[0] == 1
	r.b = r.b[1:]
	return v
}

func (r *recordReader) counts(c *BatchCounts) {
	c.Succeeded, c.Failed, c.Unprocessed, c.Unknown = r.int(), r.int(), r.int(), r.int()
}

// end reports whether all was read and nothing is left.
func (r *recordReader) end() bool { return !r.bad && len(r.b) == 0 }
