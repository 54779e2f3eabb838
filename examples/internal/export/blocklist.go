package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"unicode"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/files"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// blockValues returns the lines of a block list that an indicator stands for; none for types that
// cannot be blocked by a line, and for a value that would break the list.
func blockValues(c *change) []string {
	var values []string
	switch c.Type {
	case threatconnect.TypeAddress, threatconnect.TypeASN, threatconnect.TypeCIDR, threatconnect.TypeEmailAddress,
		threatconnect.TypeHost, threatconnect.TypeURL:
		values = []string{c.Indicator}
	case threatconnect.TypeFile:
		md5, sha1, sha256, err := ioc.SplitFileSummary(c.Indicator)
		if err != nil {
			return nil
		}
		for _, hash := range [...]string{md5, sha1, sha256} {
			if hash != "" {
				values = append(values, hash)
			}
		}
	}
	for _, v := range values {
		if v == "" || v[0] == '#' || strings.ContainsFunc(v, unicode.IsControl) || len(v) > maxValue {
			return nil
		}
	}
	return values
}

// maxValue is how long a line of a block list may be, in bytes. No indicator is longer.
const maxValue = 64 << 10

// blockChanges writes the changes of a block list.
type blockChanges struct{ target }

func (s *blockChanges) write(c *change) error {
	before := ""
	if c.Action != changed {
		before = "# removed: "
	}
	for _, v := range blockValues(c) {
		if _, err := io.WriteString(s.target, before+v+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// sortedBytes is how much of the changes to a block list is held in memory.
const sortedBytes = 16 << 20

// marks of values: on the list, or taken off.
const (
	listed = '+'
	taken  = '-'
)

// entry is a value and whether it is to be on the list.
type entry struct {
	value  string
	listed bool
}

// lastOf yields every value once, sorted. Of those with the same value, the last one counts.
func lastOf(s *extsort.Sorter) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		var e entry
		for rec, err := range s.Sorted() {
			if err != nil {
				yield(entry{}, err)
				return
			}
			if e.value != "" && e.value != string(rec.Key) && !yield(e, nil) {
				return
			}
			e = entry{string(rec.Key), rec.Value[0] == listed}
		}
		if e.value != "" {
			yield(e, nil)
		}
	}
}

// blocklist keeps a block list complete: it merges the changes into the list that is there.
type blocklist struct {
	path   string
	sorter *extsort.Sorter // values, each with a mark
	old    *os.File        // nil when the list begins anew
}

func openBlocklist(path string, first bool) (*blocklist, error) {
	if _, err := files.Target(path); err != nil { // before anything is exported
		return nil, err
	}
	b := &blocklist{path: path, sorter: extsort.New("", sortedBytes)}
	if first {
		return b, nil
	}
	old, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the list %s is gone, and only the changes to it would be exported: run with -reset", path)
	}
	b.old = old
	return b, err
}

func (b *blocklist) write(c *change) error {
	for _, v := range blockValues(c) {
		mark := byte(taken)
		if c.Action == changed {
			mark = listed
		}
		if err := b.sorter.Add([]byte(v), []byte{mark}); err != nil {
			return err
		}
	}
	return nil
}

func (b *blocklist) abort() {
	b.sorter.Close()
	if b.old != nil {
		_ = b.old.Close() // it was only read
		b.old = nil
	}
}

// commit writes the merged list and puts it in the place of the old one.
func (b *blocklist) commit() error {
	defer b.abort()
	to, err := replace(b.path, 0o644)
	if err != nil {
		return err
	}
	if err := b.merge(to); err != nil {
		to.abort()
		return err
	}
	b.abort() // what is open cannot be replaced on every system
	return to.commit()
}

func (b *blocklist) merge(to io.Writer) error {
	old := lineReader{in: bufio.NewScanner(strings.NewReader("")), path: b.path}
	if b.old != nil {
		old.in = bufio.NewScanner(b.old)
		old.in.Buffer(nil, maxValue+1)
	}
	line, more, err := old.next()
	if err != nil {
		return err
	}
	for e, err := range lastOf(b.sorter) {
		if err != nil {
			return err
		}
		for more && line < e.value {
			if _, err := io.WriteString(to, line+"\n"); err != nil {
				return err
			}
			if line, more, err = old.next(); err != nil {
				return err
			}
		}
		if more && line == e.value {
			if line, more, err = old.next(); err != nil {
				return err
			}
		}
		if e.listed {
			if _, err := io.WriteString(to, e.value+"\n"); err != nil {
				return err
			}
		}
	}
	for more {
		if _, err := io.WriteString(to, line+"\n"); err != nil {
			return err
		}
		if line, more, err = old.next(); err != nil {
			return err
		}
	}
	return nil
}

// lineReader reads a list and sees to it that it is sorted.
type lineReader struct {
	in   *bufio.Scanner
	path string
	last string
}

func (l *lineReader) next() (line string, more bool, err error) {
	if !l.in.Scan() {
		return "", false, l.in.Err()
	}
	line = l.in.Text()
	if line <= l.last {
		return "", false, fmt.Errorf("the list %s is not sorted any more, as if somebody had edited it: run with -reset", l.path)
	}
	l.last = line
	return line, true, nil
}
