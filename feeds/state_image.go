package feeds

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// The content of a state is a line with its format, a line of JSON with its header, a record per item in the order of
// their IDs, and the SHA-256 of all bytes before it.
const (
	anyState      = "threatconnect-go feed state "
	stateFormat   = anyState + "2\n"
	maxHeader     = 2 << 20 // a cursor has up to 1.1 MB
	recordBytes   = 32
	blockRecords  = 128
	blockBytes    = blockRecords * recordBytes
	checksumBytes = sha256.Size
)

// header identifies the import that a state belongs to, and the position in the feed.
type header struct {
	Instance string               `json:"instance"`
	Owner    string               `json:"owner"`
	Settings string               `json:"settings"`
	Cursor   threatconnect.Cursor `json:"cursor"`
}

// id is the hash of the name of an item, or of its content.
type id [16]byte

// record is an item in a state.
type record struct{ item, content id }

// image is a state that can be searched. The zero image is empty. It is not safe for concurrent use.
type image struct {
	header header
	from   io.ReaderAt
	start  int64 // offset of the records
	count  int64 // of records

	first   []id // items of the first records of all blocks
	block   [blockBytes]byte
	blockAt int64 // number of the first record in block; -1 for none
}

var errForeign = errors.New("feeds: the store holds something other than a state of a feed: name another one")

// openImage opens a state and checks it.
func openImage(from io.ReaderAt, size int64) (*image, error) {
	start := make([]byte, min(size, int64(len(stateFormat))))
	if _, err := from.ReadAt(start, 0); err != nil && err != io.EOF {
		return nil, cannotRead(err)
	}
	switch {
	case string(start) == stateFormat:
	case strings.HasPrefix(stateFormat, string(start)): // it ends early
		return nil, errDamaged
	case bytes.HasPrefix(start, []byte(anyState)):
		return nil, errVersion
	default:
		return nil, errForeign
	}
	if size < int64(len(stateFormat))+checksumBytes {
		return nil, errDamaged
	}
	i := &image{from: from, blockAt: -1}
	sum := sha256.New()
	rest := io.TeeReader(io.NewSectionReader(from, 0, size-checksumBytes), sum)
	in := bufio.NewReaderSize(rest, int(min(max(size, blockBytes), maxHeader)))
	if _, err := in.Discard(len(stateFormat)); err != nil {
		return nil, cannotRead(err)
	}
	text, err := in.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, cannotRead(err)
	}
	if err != nil || json.Unmarshal(text, &i.header) != nil {
		return nil, errDamaged
	}
	i.start = int64(len(stateFormat) + len(text))
	bytesOf := size - checksumBytes - i.start
	i.count = bytesOf / recordBytes
	if bytesOf%recordBytes != 0 {
		return nil, errDamaged
	}
	if err := i.index(in); err != nil {
		return nil, err
	}
	var want [checksumBytes]byte
	if _, err := from.ReadAt(want[:], size-checksumBytes); err != nil && err != io.EOF {
		return nil, cannotRead(err)
	}
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		return nil, errDamaged
	}
	return i, nil
}

// index records the first item of each block, and checks the order.
func (i *image) index(in io.Reader) error {
	var r, last record
	for n := range i.count {
		if _, err := io.ReadFull(in, i.block[:recordBytes]); err != nil {
			return cannotRead(err)
		}
		r = recordAt(i.block[:])
		if n > 0 && bytes.Compare(r.item[:], last.item[:]) <= 0 {
			return errDamaged
		}
		if n%blockRecords == 0 {
			i.first = append(i.first, r.item)
		}
		last = r
	}
	return nil
}

func recordAt(b []byte) record { return record{id(b[:16]), id(b[16:32])} }

// record returns the nth record.
func (i *image) record(n int64) (record, error) {
	if at := n - n%blockRecords; at != i.blockAt {
		size := min(blockRecords, i.count-at) * recordBytes
		i.blockAt = -1
		if _, err := i.from.ReadAt(i.block[:size], i.start+at*recordBytes); err != nil && err != io.EOF {
			return record{}, cannotRead(err)
		}
		i.blockAt = at
	}
	return recordAt(i.block[n%blockRecords*recordBytes:]), nil
}

// find returns the number and the content of an item, or -1. It reads one block.
func (i *image) find(item id) (int64, id, error) {
	block := sort.Search(len(i.first), func(n int) bool { return bytes.Compare(i.first[n][:], item[:]) > 0 }) - 1
	if block < 0 {
		return -1, id{}, nil
	}
	from := int64(block) * blockRecords
	if _, err := i.record(from); err != nil {
		return -1, id{}, err
	}
	in := i.block[:min(blockRecords, i.count-from)*recordBytes]
	n := sort.Search(len(in)/recordBytes, func(n int) bool { return bytes.Compare(in[n*recordBytes:][:16], item[:]) >= 0 })
	if n*recordBytes == len(in) {
		return -1, id{}, nil
	}
	if r := recordAt(in[n*recordBytes:]); r.item == item {
		return from + int64(n), r.content, nil
	}
	return -1, id{}, nil
}

// imageWriter writes a state from its beginning to its end, which returns the first error.
type imageWriter struct {
	out *bufio.Writer
	sum hash.Hash
}

func newImageWriter(to io.Writer, h header) (*imageWriter, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) >= maxHeader {
		return nil, errors.New("the settings of the state are too long")
	}
	w := &imageWriter{sum: sha256.New()}
	w.out = bufio.NewWriterSize(io.MultiWriter(to, w.sum), 64<<10)
	_, _ = w.out.Write(slices.Concat([]byte(stateFormat), text, []byte("\n")))
	return w, nil
}

// record writes the next record, in the order of the items.
func (w *imageWriter) record(r record) { _, _ = w.out.Write(append(r.item[:], r.content[:]...)) }

// end writes the checksum.
func (w *imageWriter) end(to io.Writer) error {
	err := w.out.Flush()
	if err == nil {
		_, err = to.Write(w.sum.Sum(nil))
	}
	return err
}
