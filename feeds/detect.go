package feeds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// headBytes is how much of the beginning of a feed is read to detect the format.
const headBytes = 64 << 10

// detect refuses what is not a feed, and sets the format if it is not stated.
func (f *Feed) detect() error {
	head, err := f.head()
	if err != nil {
		return err
	}
	if text, found := bytes.CutPrefix(head, byteOrderMark); found {
		head = text
		if _, err := f.br.Discard(len(byteOrderMark)); err != nil {
			return err
		}
	}
	if what, fix := foreign(head); what != "" {
		return fmt.Errorf("%w: the input looks like %s; %s", ErrFormat, what, fix)
	}
	if f.format == "" {
		f.format, err = formatOf(head)
	}
	return err
}

// head returns as much of the beginning as it takes to detect the format. It does not wait for more, because a
// feed may come slowly.
func (f *Feed) head() ([]byte, error) {
	for n := 1; ; {
		_, err := f.br.Peek(n)
		if err != nil && err != io.EOF {
			return nil, err
		}
		head, _ := f.br.Peek(f.br.Buffered())
		if err == io.EOF || len(head) == headBytes || f.isEnough(head) {
			return head, nil
		}
		n = len(head) + 1
	}
}

// isEnough reports whether more of the beginning would not change what is detected.
func (f *Feed) isEnough(head []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(head, byteOrderMark))
	if what, _ := foreign(head); what != "" {
		return true
	}
	if f.format != "" {
		return len(text) >= len("<!doctype html")
	}
	if bytes.HasPrefix(text, []byte("{")) {
		_, err := jsonFormat(text)
		return err == nil
	}
	complete := head[:bytes.LastIndexByte(head, '\n')+1]
	format, _ := textFormat(complete)
	return format != ""
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// foreign tells what the head of something that is not a feed looks like, and what to do.
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

// formatOf returns the format of a feed with this beginning.
func formatOf(head []byte) (Format, error) {
	text := bytes.TrimSpace(head)
	array, isArray := bytes.CutPrefix(text, []byte("["))
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return jsonFormat(text)
	case isArray && bytes.HasPrefix(bytes.TrimSpace(array), []byte("{")):
		return "", fmt.Errorf("%w: the input is a JSON array; use a STIX bundle, or one JSON object per line", ErrFormat)
	}
	format, _ := textFormat(text)
	if format == "" {
		format = FormatList // empty, or comments only
	}
	return format, nil
}

// jsonFormat tells STIX from JSON lines by the keys of the first object, as far as it is there.
func jsonFormat(text []byte) (Format, error) {
	unknown := fmt.Errorf("%w: the input is JSON, but neither a STIX bundle nor lines with a summary or a group", ErrFormat)
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return "", unknown
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			break
		}
		switch key {
		case "objects", "spec_version":
			return FormatSTIX, nil
		case "summary", "group":
			return FormatJSONLines, nil
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		if key == "type" && string(value) == `"bundle"` {
			return FormatSTIX, nil
		}
	}
	return "", unknown
}

// textFormat returns the format by the first line that tells it: a header, or a line that is not a comment.
func textFormat(text []byte) (Format, bool) {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		for _, format := range []Format{FormatURLhaus, FormatFeodo, FormatThreatFox} {
			r := preset(format).reader(string(format), func(...string) string { return "" })
			entries, err := r.line(line)
			if err == nil && (len(entries) > 0 || r.header) {
				return format, true
			}
		}
		if !isComment(line) {
			return FormatList, true
		}
	}
	return "", false
}
