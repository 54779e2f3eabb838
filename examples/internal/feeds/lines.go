package feeds

import (
	"io"

	"github.com/threatconnect-go/threatconnect/examples/internal/lines"
)

// eachLine calls fn for every line until it returns false. It returns what ended the reading, nil at
// the end of the feed. A line that is too long is handed on as a *LineError.
func eachLine(l *lines.Reader, fn func(line []byte, bad *LineError) bool) error {
	for {
		line, err := l.Next()
		switch {
		case err == io.EOF:
			return nil
		case err == lines.ErrTooLong:
			if !fn(nil, &LineError{Line: l.Number(), Rule: "is longer than a line of this format can be", Fix: "look for a missing line break"}) {
				return nil
			}
		case err != nil:
			return err
		case !fn(line, nil):
			return nil
		}
	}
}
