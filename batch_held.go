package threatconnect

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
)

// knownGroups knows which groups were added, and in which job. It keeps 16 bytes of each, not its
// xid.
type knownGroups struct {
	seed maphash.Seed
	jobs map[uint64]int64
}

func newKnownGroups(inOwner []string) knownGroups {
	k := knownGroups{seed: maphash.MakeSeed(), jobs: make(map[uint64]int64, len(inOwner))}
	for _, xid := range inOwner {
		k.jobs[k.hash(xid)] = 0
	}
	return k
}

// hash returns what stands for an xid; it is never 0.
func (k *knownGroups) hash(xid string) uint64 { return maphash.String(k.seed, xid) | 1 }

// job returns the number of the job that a group was added to last; 0 when it is in the owner.
func (k *knownGroups) job(xid string) (number int64, known bool) {
	number, known = k.jobs[k.hash(xid)]
	return number, known
}

// held keeps associations that must wait for what they refer to. It keeps a part of them in
// memory, and what is more in a file that has no name for as long as it is open, where the system
// allows that.
type held struct {
	buf   []byte
	file  *os.File
	count int
}

// heldInMemory is how many bytes are kept in memory.
const heldInMemory = 1 << 20

const heldHeader = 8 + 8 + 4

// add keeps an association. wait stands for the group that it waits for, 0 when it waits for the
// end in any case.
func (h *held) add(seq int64, wait uint64, item []byte) error {
	if len(h.buf)+heldHeader+len(item) > heldInMemory && len(h.buf) > 0 {
		if err := h.spill(); err != nil {
			return err
		}
	}
	h.buf = binary.LittleEndian.AppendUint64(h.buf, uint64(seq))
	h.buf = binary.LittleEndian.AppendUint64(h.buf, wait)
	h.buf = binary.LittleEndian.AppendUint32(h.buf, uint32(len(item)))
	h.buf = append(h.buf, item...)
	h.count++
	return nil
}

// spill moves what is in memory to the file.
func (h *held) spill() error {
	if h.file == nil {
		f, err := os.CreateTemp("", "threatconnect-*")
		if err != nil {
			return fmt.Errorf("threatconnect: keep associations that wait for their groups: %w", err)
		}
		h.file = f
		_ = os.Remove(f.Name()) // where an open file cannot be removed, discard does it
	}
	if _, err := h.file.Write(h.buf); err != nil {
		return fmt.Errorf("threatconnect: keep associations that wait for their groups: %w", err)
	}
	h.buf = h.buf[:0]
	return nil
}

// discard forgets everything.
func (h *held) discard() {
	if h.file != nil {
		_ = h.file.Close()
		_ = os.Remove(h.file.Name())
	}
	*h = held{}
}

// take gives what is ready to use and keeps the rest. After an error it keeps what use has not
// taken.
func (h *held) take(ready func(wait uint64) bool, use func(seq int64, item []byte) error) error {
	old := *h
	*h = held{}
	defer old.discard()
	var first error
	keep := func(seq int64, wait uint64, item []byte) {
		if err := h.add(seq, wait, item); err != nil && first == nil {
			first = err
		}
	}
	err := old.each(func(seq int64, wait uint64, item []byte) {
		if first != nil || !ready(wait) {
			keep(seq, wait, item)
			return
		}
		if err := use(seq, item); err != nil {
			first = err
			keep(seq, wait, item)
		}
	})
	return errors.Join(first, err)
}

// each goes through everything that is kept.
func (h *held) each(visit func(seq int64, wait uint64, item []byte)) error {
	var from io.Reader = bytes.NewReader(h.buf)
	if h.file != nil {
		if _, err := h.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("threatconnect: read associations that waited for their groups: %w", err)
		}
		from = io.MultiReader(bufio.NewReaderSize(h.file, 64<<10), from)
	}
	var header [heldHeader]byte
	var item []byte
	for range h.count {
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return fmt.Errorf("threatconnect: read associations that waited for their groups: %w", err)
		}
		n := int(binary.LittleEndian.Uint32(header[16:]))
		if cap(item) < n {
			item = make([]byte, n)
		}
		item = item[:n]
		if _, err := io.ReadFull(from, item); err != nil {
			return fmt.Errorf("threatconnect: read associations that waited for their groups: %w", err)
		}
		visit(int64(binary.LittleEndian.Uint64(header[:])), binary.LittleEndian.Uint64(header[8:]), item)
	}
	return nil
}
