package feeds

import (
	"errors"
	"strings"
)

// splitCSV splits a line and appends its values to cells. A quoted value may contain the separator and doubled
// quotes, and spaces may surround it. Unlike in encoding/csv, a value never continues on the next line, so a
// missing quote affects one line and not the rest of the feed.
func splitCSV(line, comma string, cells []string) ([]string, error) {
	for {
		line = strings.TrimLeft(line, " ")
		if !strings.HasPrefix(line, `"`) {
			value, rest, more := strings.Cut(line, comma)
			if strings.Contains(value, `"`) {
				return nil, errors.New("has a quote inside a value that is not quoted")
			}
			cells = append(cells, value)
			if !more {
				return cells, nil
			}
			line = rest
			continue
		}
		value, rest, ok := unquote(line[1:])
		if !ok {
			return nil, errors.New("has a quoted value without a closing quote")
		}
		cells = append(cells, value)
		if rest = strings.TrimLeft(rest, " "); rest == "" {
			return cells, nil
		}
		if line, ok = strings.CutPrefix(rest, comma); !ok {
			return nil, errors.New("has text after the closing quote of a value")
		}
	}
}

// unquote returns the value before its closing quote, and the rest of the line.
func unquote(s string) (value, rest string, ok bool) {
	doubled := false
	for i := 0; ; i++ {
		end := strings.IndexByte(s[i:], '"')
		if end < 0 {
			return "", "", false
		}
		if i += end; !strings.HasPrefix(s[i+1:], `"`) {
			if value = s[:i]; doubled {
				value = strings.ReplaceAll(value, `""`, `"`)
			}
			return value, s[i+1:], true
		}
		doubled = true
		i++
	}
}
