package changes

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// sortMemory is the part of a block list that is sorted in memory, in bytes. The rest is sorted in
// temporary files.
const sortMemory = 16 << 20

// Marks of values in the sorter.
const (
	listed  = '+'
	removed = '-'
)

// blocklist keeps the block list in a file complete. It sorts the old list together with the changes;
// of those with the same value, the last one counts.
type blocklist struct {
	path   string
	sorter *extsort.Sorter
}

// openBlocklist reads the list at path. A new list begins empty.
func openBlocklist(path string, isNew bool) (*blocklist, error) {
	if _, err := checkTarget(path); err != nil {
		return nil, err
	}
	b := &blocklist{path, extsort.New("", sortMemory)}
	if isNew {
		return b, nil
	}
	if err := b.readOld(); err != nil {
		b.abort()
		return nil, err
	}
	return b, nil
}

func (b *blocklist) readOld() error {
	f, err := os.Open(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the list is gone, and --state remembers only what has changed since: run with --reset")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine+1)
	for lines.Scan() {
		if err := b.add(lines.Text(), listed); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the old list: %w", err)
	}
	return nil
}

func (b *blocklist) add(value string, mark byte) error {
	if value == "" {
		return nil
	}
	return b.sorter.Add([]byte(value), []byte{mark})
}

func (b *blocklist) write(r *row) error {
	mark := byte(listed)
	if r.Action != changed {
		mark = removed
	}
	for _, v := range listValues(r) {
		if err := b.add(v, mark); err != nil {
			return err
		}
	}
	return nil
}

// commit writes the sorted list and replaces the old one.
func (b *blocklist) commit() error {
	to, err := replace(b.path)
	if err != nil {
		return err
	}
	defer to.abort()
	value, mark := "", byte(removed)
	flush := func() error {
		if mark == removed {
			return nil
		}
		_, err := to.WriteString(value + "\n")
		return err
	}
	for rec, err := range b.sorter.Sorted() {
		if err != nil {
			return err
		}
		if string(rec.Key) != value {
			if err := flush(); err != nil {
				return err
			}
			value = string(rec.Key)
		}
		mark = rec.Value[0]
	}
	if err := flush(); err != nil {
		return err
	}
	return to.commit()
}

func (b *blocklist) abort() { b.sorter.Close() }
