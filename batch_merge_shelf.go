package threatconnect

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// shelf keeps encoded items in the order of their keys, in bounded memory. An item of any size has
// a place: it is cut into records that lie behind each other.
type shelf struct {
	*extsort.Sorter
	buf []byte
}

// shelved is an encoded item as it comes from a shelf, good until the next one.
type shelved struct {
	key     []byte
	seq     int64 // position of the first of the items that it was made of
	count   int64 // how many these are
	content []byte
}

const (
	shelfPart = 16 << 10 // bytes of an item in a record; more than that many are in several
	shelfMore = 1        // says that the next record goes on with the item
	shelfLast = 0
)

func newShelf(dir string, limit int) *shelf { return &shelf{Sorter: extsort.New(dir, limit)} }

// add puts an item under a key.
func (s *shelf) add(key []byte, seq, count int64, content []byte) error {
	s.buf = append(s.buf[:0], shelfLast)
	s.buf = binary.AppendUvarint(s.buf, uint64(seq))
	s.buf = binary.AppendUvarint(s.buf, uint64(count))
	for len(content) > shelfPart {
		s.buf[0] = shelfMore
		if err := s.Add(key, append(s.buf, content[:shelfPart]...)); err != nil {
			return err
		}
		s.buf, content = append(s.buf[:0], shelfLast), content[shelfPart:]
	}
	s.buf = append(s.buf, content...)
	return s.Add(key, s.buf)
}

// items returns the items in the order of their keys, those with equal keys as they were added. An
// error, also that of a context that has ended, is the last element.
func (s *shelf) items(ctx context.Context) iter.Seq2[shelved, error] {
	return func(yield func(shelved, error) bool) {
		var item shelved
		var text []byte
		more := false
		for rec, err := range records(ctx, s.Sorter) {
			if err != nil {
				yield(shelved{}, err)
				return
			}
			if !more {
				text = text[:0]
				item.key = append(item.key[:0], rec.Key...)
			}
			text = append(text, rec.Value[1:]...)
			if more = rec.Value[0] == shelfMore; more {
				continue
			}
			seq, n := binary.Uvarint(text)
			count, m := binary.Uvarint(text[n:])
			item.seq, item.count, item.content = int64(seq), int64(count), text[n+m:]
			if !yield(item, nil) {
				return
			}
			if cap(text) > 16*shelfPart {
				text = nil // one large item is no reason to keep its room
			}
		}
	}
}

// records returns the records of a sorter in their order until the context ends.
func records(ctx context.Context, s *extsort.Sorter) iter.Seq2[extsort.Record, error] {
	return func(yield func(extsort.Record, error) bool) {
		for rec, err := range s.Sorted() {
			if err == nil && ctx.Err() != nil {
				rec, err = extsort.Record{}, context.Cause(ctx)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}
