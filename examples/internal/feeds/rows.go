package feeds

import (
	"bufio"
	"bytes"
	"iter"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/lines"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// rows reads the rows of a CSV feed, one a line, and leaves out blank lines, comments and the line
// that names the columns. convert turns the columns of one row into entries; the Line of each is
// filled in here.
func rows(br *bufio.Reader, convert func(columns []string, entries []Entry) ([]Entry, error)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := lines.New(br, longestValue)
		var columns []string
		var entries []Entry
		err := eachLine(l, func(line []byte, bad *LineError) bool {
			if bad != nil {
				return yield(Entry{}, bad)
			}
			line = bytes.TrimSpace(line)
			if len(line) == 0 || isComment(line) || sniffHeader(line) != "" {
				return true
			}
			var err error
			if columns, err = splitCSV(string(line), columns[:0]); err == nil {
				entries, err = convert(columns, entries[:0])
			}
			if err != nil {
				return yield(Entry{}, refused(l.Number(), "", err))
			}
			for _, e := range entries {
				e.Line = l.Number()
				if !yield(e, nil) {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// mostFamilies is how many groups of a CSV feed are remembered as written already.
const mostFamilies = 1000

// families makes the groups that the rows of a CSV feed belong to, each when it is first needed.
// It forgets them when there are too many: a group that comes twice is the same group again.
type families struct {
	made map[string]string // name to xid
}

// xid returns the xid of the group of this name. make is called when the group is to be written
// first.
func (f *families) xid(name string, id func() string, add func(xid string)) string {
	if xid, ok := f.made[name]; ok {
		return xid
	}
	if f.made == nil || len(f.made) >= mostFamilies {
		f.made = make(map[string]string)
	}
	xid := id()
	f.made[name] = xid
	add(xid)
	return xid
}

// text makes a displayed attribute: the default Description or Source of what it hangs on.
func text(attributeType, value string) threatconnect.Attribute {
	return threatconnect.Attribute{Type: attributeType, Value: value, Displayed: new(true)}
}

// tagsOf checks names of tags.
func tagsOf(names []string) ([]threatconnect.Tag, error) {
	var tags []threatconnect.Tag
	for _, name := range names {
		name, err := ioc.CanonicalTag(name)
		if err != nil {
			return nil, err
		}
		tags = append(tags, threatconnect.Tag{Name: name})
	}
	return tags, nil
}
