package feeds

import (
	"errors"
	"strings"
	"time"
)

// splitCSV splits one line of comma-separated values and appends them to fields. A quoted value
// may hold commas and doubled quotes. Unlike with encoding/csv a value cannot go on in the next
// line, so that one missing quote costs one line and not the rest of the feed.
func splitCSV(line string, fields []string) ([]string, error) {
	for {
		if !strings.HasPrefix(line, `"`) {
			value, rest, more := strings.Cut(line, ",")
			if strings.Contains(value, `"`) {
				return nil, errors.New("has a quote inside a value that is not quoted")
			}
			fields = append(fields, value)
			if !more {
				return fields, nil
			}
			line = rest
			continue
		}
		value, rest, err := quoted(line[1:])
		if err != nil {
			return nil, err
		}
		fields = append(fields, value)
		if rest == "" {
			return fields, nil
		}
		if rest[0] != ',' {
			return nil, errors.New("has text after the closing quote of a value")
		}
		line = rest[1:]
	}
}

// quoted returns the value up to its closing quote, and what comes after that.
func quoted(s string) (value, rest string, err error) {
	end := strings.IndexByte(s, '"')
	if end >= 0 && !strings.HasPrefix(s[end+1:], `"`) {
		return s[:end], s[end+1:], nil // nothing to undo: no allocation
	}
	var b strings.Builder
	for {
		end := strings.IndexByte(s, '"')
		if end < 0 {
			return "", "", errors.New("has a quoted value without a closing quote")
		}
		b.WriteString(s[:end])
		s = s[end+1:]
		if !strings.HasPrefix(s, `"`) {
			return b.String(), s, nil
		}
		b.WriteByte('"')
		s = s[1:]
	}
}

// csvTime reads a date as feeds of abuse.ch write it, in UTC, with or without a time. Blank is the
// zero time.
func csvTime(s string) (time.Time, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), " UTC")
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range [...]string{time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("want a date as in 2026-01-02 or 2026-01-02 03:04:05")
}

// csvTags splits a list of tags and leaves out the word that stands for none.
func csvTags(s string) []string {
	if s = strings.TrimSpace(s); s == "" || s == "None" {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(s, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}
