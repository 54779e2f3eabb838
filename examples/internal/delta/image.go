package delta

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"sort"
	"strings"
)

// A state is a line that says what it is, a line of JSON with its [Header], its records in the order
// of their items, the xids of its groups, and a trailer: how many records, how many bytes of xids,
// and the SHA-256 of everything before that.
const (
	magicPrefix = "threatconnect-go feed state "
	magic       = magicPrefix + "1\n"
	recordBytes = 32 // 16 that stand for the item, 16 that stand for its content
	trailerSize = 8 + 8 + sha256.Size
	mostHeader  = 64 << 10
	mostXID     = 64 << 10
)

// Header says what a state is about. A state with another header is not gone on from.
type Header struct {
	Instance string `json:"instance"` // base URL
	Owner    string `json:"owner"`
	Settings string `json:"settings"` // what else decides what an import leaves in the owner
}

// id stands for an item, or for its content.
type id [16]byte

// Errors of states that cannot be gone on from. None of them keeps a run from being a full one.
var (
	errNone    = errors.New("there is none yet")
	errForeign = errors.New("it is not a state of this command")
	errVersion = errors.New("it was written by another version of this command")
	errCorrupt = errors.New("it is damaged")
	errOther   = errors.New("it is that of another import (instance, owner or settings)")
	errRunning = errors.New("the last run did not come to its end, or another one is under way")
)

// image is a state that can be looked into. Its zero value holds nothing.
type image struct {
	from    io.ReaderAt
	records int64 // offset
	count   int64 // of records
	xids    int64 // offset
	trailer int64 // offset

	first      []id // items of the first records of all blocks
	block      [blockBytes]byte
	blockAt    int64 // number of the first record in block
	blockCount int64
}

const (
	blockRecords = 128
	blockBytes   = blockRecords * recordBytes
)

// openImage reads a state from its begin to its end and checks it.
func openImage(from io.ReaderAt, size int64, want Header) (*image, error) {
	whole := io.NewSectionReader(from, 0, size)
	in := bufio.NewReaderSize(whole, mostHeader)
	line, err := in.Peek(int(min(int64(len(magic)), size)))
	switch {
	case err != nil:
		return nil, err
	case size < int64(len(magic))+trailerSize && strings.HasPrefix(magic, string(line)):
		return nil, errCorrupt // cut off
	case string(line) != magic && bytes.HasPrefix(line, []byte(magicPrefix)):
		return nil, errVersion
	case string(line) != magic:
		return nil, errForeign
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, in, size-sha256.Size); err != nil {
		return nil, err
	}
	var trailer [trailerSize]byte
	if _, err := from.ReadAt(trailer[:], size-trailerSize); err != nil {
		return nil, err
	}
	if !bytes.Equal(sum.Sum(nil), trailer[16:]) {
		return nil, errCorrupt
	}
	in.Reset(io.NewSectionReader(from, int64(len(magic)), size-int64(len(magic))-trailerSize))
	text, err := in.ReadSlice('\n')
	var have Header
	if err != nil || json.Unmarshal(text, &have) != nil {
		return nil, errCorrupt
	}
	i := &image{
		from:    from,
		records: int64(len(magic) + len(text)),
		count:   int64(binary.LittleEndian.Uint64(trailer[:])),
		trailer: size - trailerSize,
	}
	i.xids = i.trailer - int64(binary.LittleEndian.Uint64(trailer[8:]))
	if i.count < 0 || i.count > size/recordBytes || i.records+i.count*recordBytes != i.xids {
		return nil, errCorrupt
	}
	if have != want {
		return nil, errOther
	}
	return i, i.index()
}

// index notes the first item of every block, and sees to it that they are in order.
func (i *image) index() error {
	i.first = make([]id, 0, (i.count+blockRecords-1)/blockRecords)
	var last id
	for n := range i.count {
		item, _, err := i.record(n)
		switch {
		case err != nil:
			return err
		case n > 0 && bytes.Compare(item[:], last[:]) <= 0:
			return errCorrupt
		case n%blockRecords == 0:
			i.first = append(i.first, item)
		}
		last = item
	}
	return nil
}

// record returns the nth record.
func (i *image) record(n int64) (item, content id, err error) {
	if n < i.blockAt || n >= i.blockAt+i.blockCount {
		i.blockAt, i.blockCount = n/blockRecords*blockRecords, 0
		count := min(blockRecords, i.count-i.blockAt)
		if _, err := i.from.ReadAt(i.block[:count*recordBytes], i.records+i.blockAt*recordBytes); err != nil {
			return item, content, fmt.Errorf("read the state: %w", err)
		}
		i.blockCount = count
	}
	at := i.block[(n-i.blockAt)*recordBytes:]
	copy(item[:], at)
	copy(content[:], at[len(item):])
	return item, content, nil
}

// find returns the number of an item's record and the content in it, or -1. It reads one block.
func (i *image) find(item id) (n int64, content id, err error) {
	after := sort.Search(len(i.first), func(n int) bool { return bytes.Compare(i.first[n][:], item[:]) > 0 })
	if after == 0 {
		return -1, content, nil
	}
	from := int64(after-1) * blockRecords
	if _, _, err := i.record(from); err != nil {
		return -1, content, err
	}
	in := sort.Search(int(i.blockCount), func(n int) bool { return bytes.Compare(i.block[n*recordBytes:][:len(item)], item[:]) >= 0 })
	if in == int(i.blockCount) {
		return -1, content, nil
	}
	have, content, err := i.record(from + int64(in))
	if err != nil || have != item {
		return -1, id{}, err
	}
	return from + int64(in), content, nil
}

// groups yields the xids of the groups in the state.
func (i *image) groups() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if i.from == nil {
			return
		}
		in := bufio.NewReader(io.NewSectionReader(i.from, i.xids, i.trailer-i.xids))
		for {
			n, err := binary.ReadUvarint(in)
			if err == io.EOF {
				return
			}
			if err == nil && n > mostXID {
				err = errCorrupt
			}
			text := make([]byte, min(n, mostXID))
			if err == nil {
				_, err = io.ReadFull(in, text)
			}
			if err != nil {
				yield("", fmt.Errorf("read the state: %w", err))
				return
			}
			if !yield(string(text), nil) {
				return
			}
		}
	}
}

// imageWriter writes a state from its begin to its end.
type imageWriter struct {
	out   *bufio.Writer
	sum   hash.Hash
	count int64
	xids  int64
}

func newImageWriter(to io.Writer, h Header) (*imageWriter, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) >= mostHeader {
		return nil, errors.New("the owner's name is too long for a state")
	}
	w := &imageWriter{sum: sha256.New()}
	w.out = bufio.NewWriterSize(io.MultiWriter(to, w.sum), 64<<10)
	_, err = w.out.WriteString(magic + string(text) + "\n")
	return w, err
}

// record writes the next record, in the order of the items.
func (w *imageWriter) record(item, content id) error {
	w.count++
	_, err := w.out.Write(item[:])
	if err == nil {
		_, err = w.out.Write(content[:])
	}
	return err
}

// group writes the xid of a group, after all records.
func (w *imageWriter) group(xid string) error {
	size := binary.AppendUvarint(nil, uint64(len(xid)))
	w.xids += int64(len(size) + len(xid))
	_, err := w.out.Write(size)
	if err == nil {
		_, err = w.out.WriteString(xid)
	}
	return err
}

// end writes the trailer.
func (w *imageWriter) end(to io.Writer) error {
	counts := binary.LittleEndian.AppendUint64(nil, uint64(w.count))
	counts = binary.LittleEndian.AppendUint64(counts, uint64(w.xids))
	if _, err := w.out.Write(counts); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	_, err := to.Write(w.sum.Sum(nil))
	return err
}
