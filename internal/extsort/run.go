package extsort

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"slices"
)

// run is a sorted file. The records of level n were written n+1 times.
type run struct {
	level int
	file  *os.File
	named bool // the file has a name, because the system cannot remove an open file
	out   *bufio.Writer
	size  int64
}

const (
	runBuffer = 32 << 10
	sumBytes  = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newRun(dir string) (*run, error) {
	f, err := os.CreateTemp(dir, "threatconnect-*")
	if err != nil {
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}
	return &run{file: f, named: os.Remove(f.Name()) != nil, out: bufio.NewWriterSize(f, runBuffer)}, nil
}

// add writes a record: the lengths of key and value, a checksum, and both.
func (r *run) add(key, value []byte) error {
	var buf [2*binary.MaxVarintLen32 + sumBytes]byte
	for _, b := range [3][]byte{appendHead(buf[:0], key, value), key, value} {
		if err := r.write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendHead appends the header of a record.
func appendHead(b, key, value []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(len(key))), uint64(len(value)))
	return binary.LittleEndian.AppendUint32(b, crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value))
}

func (r *run) write(b []byte) error {
	n, err := r.out.Write(b)
	r.size += int64(n)
	if err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	return nil
}

func (r *run) flush() error {
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	return nil
}

func (r *run) discard() {
	_ = r.file.Close()
	if r.named {
		_ = os.Remove(r.file.Name())
	}
}

// errChanged is the error for a temporary file with unexpected content.
var errChanged = errors.New("a temporary file was changed by another process")

// source yields sorted records for a merge.
type source interface {
	// next returns the next record, valid until the following call, or io.EOF.
	next() (Record, error)
}

// reader reads records from a file.
type reader struct {
	in  *bufio.Reader
	buf []byte
}

func (r *run) reader(buffer int) *reader {
	return &reader{in: bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.size), buffer)}
}

func (r *reader) next() (Record, error) {
	key, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		return Record{}, err
	}
	value, err2 := binary.ReadUvarint(r.in)
	if err = errors.Join(err, err2); err == nil && (key > maxLimit || value > maxLimit) {
		err = errChanged
	}
	if err == nil {
		r.buf = slices.Grow(r.buf[:0], int(sumBytes+key+value))[:sumBytes+key+value]
		_, err = io.ReadFull(r.in, r.buf)
	}
	if err == nil && crc32.Checksum(r.buf[sumBytes:], castagnoli) != binary.LittleEndian.Uint32(r.buf) {
		err = errChanged
	}
	if err != nil {
		return Record{}, fmt.Errorf("read a temporary file: %w", err)
	}
	b := r.buf[sumBytes:]
	return Record{b[:key], b[key:]}, nil
}

// merge yields the records of all sources in order. Records with equal keys are in the order of the sources.
func merge(sources []source) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var h heads
		for age, from := range sources {
			hd := &head{age: age, from: from}
			switch err := hd.advance(); err {
			case nil:
				h = append(h, hd)
			case io.EOF:
			default:
				yield(Record{}, err)
				return
			}
		}
		heap.Init(&h)
		for len(h) > 0 {
			if !yield(h[0].rec, nil) {
				return
			}
			switch err := h[0].advance(); err {
			case nil:
				heap.Fix(&h, 0)
			case io.EOF:
				heap.Pop(&h)
			default:
				yield(Record{}, err)
				return
			}
		}
	}
}

// head is the next record of a source.
type head struct {
	age  int // index of the source; breaks ties
	from source
	rec  Record
}

func (h *head) advance() (err error) {
	h.rec, err = h.from.next()
	return err
}

// heads is a heap ordered by key, then by age.
type heads []*head

func (h heads) Len() int { return len(h) }
func (h heads) Less(i, j int) bool {
	c := bytes.Compare(h[i].rec.Key, h[j].rec.Key)
	return c < 0 || c == 0 && h[i].age < h[j].age
}
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)   { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
