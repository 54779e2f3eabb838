package threatconnect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/wire"
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

// held keeps associations that must wait for what they refer to: a part of them in memory, and what
// is more in temporary files.
type held struct {
	sorter *extsort.Sorter // by what they link, so that those which say the same are neighbors
	count  int
}

// heldInMemory is how many bytes are kept in memory.
const heldInMemory = 1 << 20

// waiting is an association that is kept.
type waiting struct {
	index int64  // how many were kept before it in the whole import
	seq   int64  // as in placed
	wait  uint64 // stands for the group that it waits for; 0 when it waits for the end in any case
	item  []byte
}

const waitingHeader = 8 + 8 + 8

func (e *waiting) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(e.index))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.seq))
	b = binary.LittleEndian.AppendUint64(b, e.wait)
	return append(b, e.item...)
}

// readWaiting undoes append. The item is a part of b.
func readWaiting(b []byte) (e waiting, ok bool) {
	if len(b) <= waitingHeader {
		return e, false
	}
	return waiting{
		index: int64(binary.LittleEndian.Uint64(b)),
		seq:   int64(binary.LittleEndian.Uint64(b[8:])),
		wait:  binary.LittleEndian.Uint64(b[16:]),
		item:  b[waitingHeader:],
	}, true
}

// add keeps an association.
func (h *held) add(e waiting) error {
	if h.sorter == nil {
		h.sorter = extsort.New("", heldInMemory)
	}
	if err := h.sorter.Add(linkKey(e.item), e.append(nil)); err != nil {
		return fmt.Errorf("threatconnect: keep associations that wait for their groups: %w", err)
	}
	h.count++
	return nil
}

// discard forgets everything.
func (h *held) discard() {
	if h.sorter != nil {
		h.sorter.Close()
	}
	*h = held{}
}

// take gives what is ready to use and keeps the rest; after an error it keeps what use has not
// taken. again says that the association is the same as the one before.
func (h *held) take(ready func(wait uint64) bool, use func(e waiting, again bool) error) error {
	old := *h
	*h = held{}
	defer old.discard()
	var first error
	var last []byte
	err := old.each(func(key []byte, e waiting) {
		if first == nil && ready(e.wait) {
			if first = use(e, last != nil && bytes.Equal(last, key)); first == nil {
				last = append(last[:0], key...)
				return
			}
		}
		if err := h.add(e); err != nil && first == nil {
			first = err
		}
	})
	return errors.Join(first, err)
}

// each goes through everything that is kept.
func (h *held) each(visit func(key []byte, e waiting)) error {
	if h.sorter == nil {
		return nil
	}
	for rec, err := range h.sorter.Sorted() {
		e, ok := readWaiting(rec.Value)
		if err == nil && !ok {
			err = errHeld
		}
		if err != nil {
			return fmt.Errorf("threatconnect: read associations that waited for their groups: %w", err)
		}
		visit(rec.Key, e)
	}
	return nil
}

var errHeld = errors.New("a temporary file was changed by somebody else")

// linkKey is what encoded associations have in common that link the same: the two ends, in either
// order, without the types of groups, and the type of the association.
func linkKey(item []byte) []byte {
	var ends [2][2]string // type and what names it
	var kind string
	r := wire.NewReader(item)
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); key {
		case "type_1", "type_2":
			if t := r.Text(); groupDefOf(GroupType(t)) == nil {
				ends[key[5]-'1'][0] = t
			}
		case "ref_1", "ref_2":
			ends[key[4]-'1'][1] = "=" + r.Text()
		case "id_1", "id_2":
			ends[key[3]-'1'][1] = "#" + r.Text()
		case "associationType":
			kind = r.Text()
		default:
			r.Skip()
		}
	}
	if slices.Compare(ends[0][:], ends[1][:]) > 0 {
		ends[0], ends[1] = ends[1], ends[0]
	}
	return []byte(strings.Join([]string{ends[0][0], ends[0][1], ends[1][0], ends[1][1], kind}, "\x00"))
}
