package feeds

import (
	"fmt"
	"io"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Limits of the temporary files of a feed: a multiple of its size, plus a constant.
const (
	maxDisk  = 4
	freeDisk = 16 << 20
)

// errDisk is the error of a feed of dangling references or very short IDs. Real objects are longer than the records
// written for them.
var errDisk = fmt.Errorf("%w: the STIX bundle has more objects and references than fit in its size; check the feed", ErrFormat)

// sorter is an external sorter that counts its bytes.
type sorter struct {
	*extsort.Sorter
	held int64
}

func (s *sorter) Close() {
	s.Sorter.Close()
	s.held = 0
}

// sort adds a record to a sorter, unless the temporary files would become too large. While a sorter merges, it needs twice
// the space of its records.
func (r *stixReader) sort(s *sorter, key, value []byte) error {
	s.held += int64(len(key) + len(value) + 4)
	if r.held+r.byID.held+r.bySeq.held+r.results.held+max(r.byID.held, r.bySeq.held, r.results.held) > maxDisk*r.size+freeDisk {
		return errDisk
	}
	return s.Add(key, value)
}

// addRecord adds a record of an object, and returns its position. The record is at most as long as the object.
func (r *stixReader) addRecord(record []byte) (int64, error) {
	r.held += int64(len(record) + 4)
	return r.records.Add(record)
}

// countBytes counts the bytes read.
type countBytes struct {
	io.Reader
	n *int64
}

func (c countBytes) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}
