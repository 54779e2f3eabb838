package feeds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// byteOrderMark returns the length of the UTF-8 byte order mark that head begins with.
func byteOrderMark(head []byte) int {
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		return 3
	}
	return 0
}

// foreign says what head is when it cannot be a feed, and what to do then.
func foreign(head []byte) (what, fix string) {
	text := bytes.TrimSpace(head)
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "a gzip file", "unpack it first, as in gunzip -c FILE | feed -input -"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "a zip file", "unpack it first, as in unzip -p FILE | feed -input -"
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "UTF-16 text", "convert it to UTF-8 first, as in iconv -f UTF-16 -t UTF-8 FILE | feed -input -"
	case bytes.HasPrefix(head, []byte("%PDF")):
		return "a PDF", "give the feed itself"
	case hasPrefixFold(text, "<!doctype html"), hasPrefixFold(text, "<html"):
		return "an HTML page", "look whether the download was answered by a login or error page"
	case bytes.HasPrefix(text, []byte("<?xml")):
		return "XML", "export it as a STIX 2 bundle, which is JSON"
	case bytes.IndexByte(head, 0) >= 0:
		return "binary data", "give a text file"
	}
	return "", ""
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// tells reports whether the beginning of a feed is long enough to tell what it is.
func tells(head []byte, known bool) bool {
	text := bytes.TrimSpace(head[byteOrderMark(head):])
	if what, _ := foreign(head); what != "" {
		return true
	}
	if known {
		return len(text) >= len("<!doctype html")
	}
	if bytes.HasPrefix(text, []byte("{")) {
		_, err := sniffJSON(text)
		return err == nil
	}
	for line := range bytes.Lines(head) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && (sniffHeader(line) != "" || !isComment(line)) {
			return true
		}
	}
	return false
}

// sniff tells the format by the beginning of a feed.
func sniff(head []byte) (Format, error) {
	text := bytes.TrimSpace(head)
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return sniffJSON(text)
	case bytes.HasPrefix(text, []byte("[")) && !bytes.HasPrefix(bytes.TrimLeft(text[1:], " \t\r\n"), []byte("{")):
		return Hosts, nil // a defanged or bracketed value, as in [.]example or [2001:db8::1]
	case bytes.HasPrefix(text, []byte("[")):
		return "", fmt.Errorf("%w: the input is a JSON array; give a STIX bundle, or one JSON object a line", ErrFormat)
	}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if f := sniffHeader(line); f != "" {
			return f, nil
		}
		if isComment(line) {
			continue
		}
		return sniffRow(line), nil
	}
	return Hosts, nil
}

// sniffJSON tells a bundle from JSON lines by the keys of the first object, as far as it can be seen.
func sniffJSON(text []byte) (Format, error) {
	unknown := fmt.Errorf("%w: the input is JSON, but neither a STIX bundle nor lines of the jsonl format; say which with -format", ErrFormat)
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
			return STIX, nil
		case "summary", "group":
			return JSONL, nil
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		if key == "type" && string(value) == `"bundle"` {
			return STIX, nil
		}
	}
	return "", unknown
}

// sniffHeader tells the format by a line that names the columns, whether it is a comment or not.
func sniffHeader(line []byte) Format {
	names := strings.ToLower(strings.NewReplacer("#", "", `"`, "", " ", "").Replace(string(line)))
	switch {
	case strings.HasPrefix(names, "id,dateadded,url,"):
		return URLhaus
	case strings.HasPrefix(names, "first_seen_utc,dst_ip,"), strings.HasPrefix(names, "firstseen,dstip,"):
		return Feodo
	}
	return ""
}

// sniffRow tells the format by the first line that is no comment.
func sniffRow(line []byte) Format {
	fields, err := splitCSV(string(line), nil)
	if err != nil {
		return Hosts
	}
	switch n := len(fields); {
	case (n == 8 || n == 9) && strings.Contains(fields[2], "://"):
		return URLhaus
	case n >= 4 && n <= 6:
		if _, err := netip.ParseAddr(strings.TrimSpace(fields[1])); err == nil {
			return Feodo
		}
	}
	return Hosts
}
