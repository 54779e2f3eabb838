package feeds

import (
	"bufio"
	"bytes"
	"iter"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/lines"
)

// longestValue is how many bytes a line of one value may have.
const longestValue = 64 << 10

// hosts reads a list with one indicator a line, of any type that [threatconnect.ParseIndicator]
// recognizes, defanged or not.
//
// Blank lines are left out, and so are comments: from #, // or ; to the end of the line, at its
// beginning or after white space. A line of a hosts file, as in "0.0.0.0 bad.example", gives the
// names that it blocks.
func hosts(br *bufio.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := lines.New(br, longestValue)
		err := eachLine(l, func(line []byte, bad *LineError) bool {
			if bad != nil {
				return yield(Entry{}, bad)
			}
			for value := range hostValues(withoutComment(line)) {
				ind, err := threatconnect.ParseIndicator(string(value))
				if err != nil {
					if !yield(Entry{}, refused(l.Number(), "", err)) {
						return false
					}
					continue
				}
				if !yield(Entry{Line: l.Number(), Indicator: ind}, nil) {
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

// hostValues yields the values of a line: the names of a line of a hosts file, otherwise all of it.
func hostValues(line []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(line) == 0 {
			return
		}
		if i := bytes.IndexAny(line, " \t"); i > 0 && isBlackhole(line[:i]) {
			for name := range bytes.FieldsSeq(line[i:]) {
				if !yield(name) {
					return
				}
			}
			return
		}
		yield(line)
	}
}

// isBlackhole reports whether s is one of the addresses that hosts files send unwanted names to.
func isBlackhole(s []byte) bool {
	switch string(s) {
	case "0.0.0.0", "127.0.0.1", "::", "::1":
		return true
	}
	return false
}

// isComment reports whether a line without white space around it is a comment.
func isComment(line []byte) bool {
	return len(line) > 0 && (line[0] == '#' || line[0] == ';' || bytes.HasPrefix(line, []byte("//")))
}

// withoutComment returns a line without its comment and without white space around it.
func withoutComment(line []byte) []byte {
	line = bytes.TrimSpace(line)
	if isComment(line) {
		return nil
	}
	for i := 1; i < len(line); i++ {
		if (line[i-1] == ' ' || line[i-1] == '\t') && isComment(line[i:]) {
			return bytes.TrimSpace(line[:i])
		}
	}
	return line
}
