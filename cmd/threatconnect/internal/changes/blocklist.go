package changes

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// sortMemory is the part of a block list that is sorted in memory, in bytes. The rest is sorted in
// temporary files.
const sortMemory = 16 << 20

// Marks of values in the sorter. The last one of a value counts.
const (
	comment = '#' // of the old list
	kept    = '=' // a line of the old list
	dropped = '!' // a line of the old list that cannot stay
	listed  = '+'
	removed = '-'
)

// blocklist keeps the block list in a file complete. It sorts the old list together with the changes.
type blocklist struct {
	path     string
	sorter   *extsort.Sorter
	liner    *liner
	maxShare float64 // of the lines of the old list that may be removed
}

// openBlocklist opens the list at path. A new list keeps nothing of an old one, which is read only to compute the
// share of removed lines.
func openBlocklist(path string, isNew bool, l *liner, maxShare float64) (*blocklist, error) {
	b := &blocklist{path, extsort.New("", sortMemory), l, maxShare}
	if err := b.readOld(isNew); err != nil {
		b.Abort()
		return nil, err
	}
	return b, nil
}

func (b *blocklist) readOld(isNew bool) error {
	f, err := os.Open(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isNew:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the list is gone, and --state has only the changes since: run with --reset")
	case err != nil:
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine+1)
	for lines.Scan() {
		if err := b.addOld(strings.TrimSpace(lines.Text()), isNew); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the old list: %w", err)
	}
	return nil
}

func (b *blocklist) addOld(line string, isNew bool) error {
	switch {
	case line == "":
		return nil
	case line[0] == '#' && isNew:
		return nil
	case line[0] == '#':
		return b.add(line, comment)
	}
	line, reason := b.liner.old(line)
	switch {
	case isNew:
		return b.add(line, dropped)
	case reason != "":
		b.liner.leftOut[reason]++
		return b.add(line, dropped)
	}
	return b.add(line, kept)
}

func (b *blocklist) add(value string, mark byte) error {
	return b.sorter.Add([]byte(value), []byte{mark})
}

func (b *blocklist) write(r *row) error {
	mark := byte(listed)
	if r.Action != changed {
		mark = removed
	}
	for _, v := range b.liner.of(r) {
		if err := b.add(v, mark); err != nil {
			return err
		}
	}
	return nil
}

// Commit writes the sorted list and replaces the old one, unless too many lines would be removed.
func (b *blocklist) Commit() error {
	to, err := durable.NewReplacement(b.path, 0o666)
	if err != nil {
		return err
	}
	defer to.Abort()
	var before, gone int64 // lines of the old list, and those that are removed
	var line string
	var wasThere, isListed bool
	flush := func() error {
		if wasThere {
			before++
			if !isListed {
				gone++
			}
		}
		if !isListed {
			return nil
		}
		_, err := to.WriteString(line + "\n")
		return err
	}
	for rec, err := range b.sorter.Sorted() {
		if err != nil {
			return err
		}
		if string(rec.Key) != line {
			if err := flush(); err != nil {
				return err
			}
			line, wasThere, isListed = string(rec.Key), false, false
		}
		mark := rec.Value[0]
		wasThere = wasThere || mark == kept || mark == dropped
		isListed = mark == kept || mark == listed || mark == comment
	}
	if err := flush(); err != nil {
		return err
	}
	if before > 0 && float64(gone)/float64(before) > b.maxShare {
		return fmt.Errorf("%s of the %s of the list would be removed, and --max-share allows %g of them; the list and the state were not changed: if they should be removed, run once with --max-share %g",
			cli.Number(gone), cli.Count(before, "line"), b.maxShare, shareOf(gone, before))
	}
	return to.Commit()
}

// shareOf returns the share of gone lines, rounded up to hundredths.
func shareOf(gone, before int64) float64 { return float64((100*gone+before-1)/before) / 100 }

// Abort discards the changes.
func (b *blocklist) Abort() { b.sorter.Close() }
