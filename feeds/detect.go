package feeds

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// headBytes is how much of the beginning of a feed is read to detect the format.
const headBytes = 64 << 10

// detector detects the format of a feed from its beginning.
type detector struct {
	stated  Format
	presets []*csvReader
	scanned int // length of the complete lines that do not determine the format
}

// detect returns the format, or an error if the input is not a feed. It reads no more than it needs, because a feed may
// arrive slowly.
func detect(br *bufio.Reader, stated Format) (Format, error) {
	d := detector{stated: stated}
	for _, format := range []Format{FormatURLhaus, FormatFeodo, FormatThreatFox} {
		d.presets = append(d.presets, preset(format).reader(string(format), func(...string) string { return "" }))
	}
	for n := 1; ; {
		_, err := br.Peek(n)
		if err != nil && err != io.EOF {
			return "", err
		}
		head, _ := br.Peek(br.Buffered())
		if n = len(head) + 1; n > 4<<10 {
			n = min(n+n/16, headBytes) // keeps the time linear if the bytes arrive one by one
		}
		text, marked := bytes.CutPrefix(head, []byte("\xef\xbb\xbf"))
		format, err := d.format(text, err == io.EOF || len(head) == headBytes)
		if err == nil && format != "" && marked {
			_, err = br.Discard(len(head) - len(text))
		}
		if err != nil || format != "" {
			return format, err
		}
	}
}

// format returns the format of a feed that begins with head, or "" if more input is needed. all reports whether head is
// the whole input.
func (d *detector) format(head []byte, all bool) (Format, error) {
	if what, fix := foreign(head); what != "" {
		return "", fmt.Errorf("%w: the input looks like %s; %s", ErrFormat, what, fix)
	}
	text := bytes.TrimSpace(head)
	array, isArray := bytes.CutPrefix(text, []byte("["))
	switch {
	case d.stated != "" && (all || len(text) >= len("<!doctype html")):
		return d.stated, nil
	case d.stated != "":
		return "", nil
	case bytes.HasPrefix(text, []byte("{")):
		format := jsonFormat(text)
		if format == "" && all {
			return "", fmt.Errorf("%w: the input is JSON, but neither a STIX bundle nor lines with a summary or a group", ErrFormat)
		}
		return format, nil
	case isArray && bytes.HasPrefix(bytes.TrimSpace(array), []byte("{")):
		return "", fmt.Errorf("%w: the input is a JSON array; use a STIX bundle, or one JSON object per line", ErrFormat)
	case all:
		return cmp.Or(d.lines(head[d.scanned:]), FormatList), nil
	}
	complete := bytes.LastIndexByte(head, '\n') + 1
	format := d.lines(head[d.scanned:complete])
	d.scanned = complete
	return format, nil
}

// lines returns the format determined by the first line that is a header or is not a comment.
func (d *detector) lines(text []byte) Format {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		for _, r := range d.presets {
			if items, err := r.items(line, line); err == nil && (len(items) > 0 || r.header) {
				return Format(r.format)
			}
		}
		if !isComment(line) {
			return FormatList
		}
	}
	return ""
}

// foreign describes input that is not a feed by its beginning, and how to fix it.
func foreign(head []byte) (what, fix string) {
	text := bytes.TrimSpace(head)
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "a gzip file", "decompress it first"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "a zip archive", "extract the feed first"
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "UTF-16 text", "convert it to UTF-8 first"
	case bytes.HasPrefix(head, []byte("%PDF")):
		return "a PDF", "use a feed in one of the formats instead"
	case hasPrefixFold(text, "<!doctype html"), hasPrefixFold(text, "<html"):
		return "an HTML page", "check whether the server answered with a login or error page"
	case bytes.HasPrefix(text, []byte("<?xml")):
		return "XML", "export it as STIX 2, which is JSON"
	case bytes.IndexByte(head, 0) >= 0:
		return "binary data", "use a feed in one of the formats instead"
	}
	return "", ""
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// jsonFormat distinguishes STIX from JSON lines by the keys of the first object, which can be incomplete. It returns ""
// if they do not determine the format.
func jsonFormat(text []byte) Format {
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return ""
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			break
		}
		switch key {
		case "objects", "spec_version":
			return FormatSTIX
		case "summary", "group":
			return FormatJSONLines
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		if key == "type" && string(value) == `"bundle"` {
			return FormatSTIX
		}
	}
	return ""
}
