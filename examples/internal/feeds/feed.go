// Package feeds reads threat feeds of several formats into indicators and groups, one entry after
// the other, each with the line that it stands on.
//
// The formats of one entry a line (hosts, urlhaus, feodo, jsonl) are read in constant memory,
// however long the feed is. A STIX bundle is read object by object, and what is needed of each is
// kept until the end, because a relationship may stand before or after what it relates.
package feeds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// Format is the format of a feed.
type Format string

// The formats that can be read.
const (
	Hosts   Format = "hosts"   // one indicator of any recognizable type a line
	URLhaus Format = "urlhaus" // the CSV of URLhaus, with 8 or 9 columns
	Feodo   Format = "feodo"   // the CSV of Feodo Tracker, in its old and its new form
	STIX    Format = "stix"    // STIX 2.0 or 2.1 bundles, one after the other
	JSONL   Format = "jsonl"   // one JSON object a line, as this package defines it
)

// Formats are all formats that can be read.
func Formats() []Format { return []Format{Hosts, URLhaus, Feodo, STIX, JSONL} }

// Entry is one thing that a feed holds: an indicator or a group.
type Entry struct {
	Line      int // first is 1
	Indicator threatconnect.Indicator
	Group     threatconnect.Group // nil when Indicator is not
}

// LineError says why one entry of a feed was left out. The rest of the feed goes on after it. Its
// text names the line and the rule and never holds the value.
type LineError struct {
	Line   int    // first is 1
	Object string // id of the STIX object; empty in other formats
	Rule   string // what is wrong
	Fix    string // how to put it right; may be empty
	Skip   bool   // whether nothing is wrong: it is of no kind that is imported
}

// Error says where, what is wrong, and how to put it right.
func (e *LineError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d: ", e.Line)
	if e.Object != "" {
		b.WriteString(e.Object + ": ")
	}
	b.WriteString(e.Rule)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// ErrFormat is what is no feed at all, or not in the format that it is said to have.
var ErrFormat = errors.New("unreadable format")

// Options say how a feed is read.
type Options struct {
	// Format is the format of the feed; empty means that it is guessed from the beginning.
	Format Format
	// XID makes the id of a group out of what identifies it in the feed. It must give the same id
	// for the same parts, so that a second import finds the group again. Required.
	XID func(parts ...string) string
}

// Feed is a feed whose format is known.
type Feed struct {
	Format Format
	br     *bufio.Reader
	xid    func(parts ...string) string
}

// sniffBytes is how much of the beginning is looked at to tell the format.
const sniffBytes = 64 << 10

// Open looks at the beginning of r and tells its format, unless the options say it. It reads no
// more than 64 KiB. What cannot be any feed is an error that matches [ErrFormat] and says what it
// looks like; a reading error is returned as it is.
func Open(r io.Reader, opts Options) (*Feed, error) {
	br := bufio.NewReaderSize(r, sniffBytes)
	head, err := beginning(br, opts.Format != "")
	if err != nil {
		return nil, err
	}
	if n := byteOrderMark(head); n > 0 {
		head = head[n:]
		if _, err := br.Discard(n); err != nil {
			return nil, err
		}
	}
	if what, fix := foreign(head); what != "" {
		return nil, fmt.Errorf("%w: the input looks like %s; %s", ErrFormat, what, fix)
	}
	format := opts.Format
	if format == "" {
		if format, err = sniff(head); err != nil {
			return nil, err
		}
	}
	return &Feed{Format: format, br: br, xid: opts.XID}, nil
}

// beginning returns as much of a feed as it takes to tell what it is: not more, because a feed may
// come through a pipe, slowly. known says that the format is known.
func beginning(br *bufio.Reader, known bool) (head []byte, err error) {
	for n := 1; ; n = len(head) + 1 {
		if _, err = br.Peek(n); err != nil && err != io.EOF {
			return nil, err
		}
		head, _ = br.Peek(br.Buffered())
		if err == io.EOF || len(head) == sniffBytes || tells(head, known) {
			return head, nil
		}
	}
}

// Entries reads the feed, once. An entry that cannot be used is a [*LineError], and the reading
// goes on after it. Any other error ends the sequence: one that matches [ErrFormat], or what
// reading the input gave.
func (f *Feed) Entries() iter.Seq2[Entry, error] {
	switch f.Format {
	case Hosts:
		return hosts(f.br)
	case URLhaus:
		return urlhaus(f.br, f.xid)
	case Feodo:
		return feodo(f.br, f.xid)
	case STIX:
		return stix(f.br, f.xid)
	case JSONL:
		return jsonl(f.br)
	}
	return func(yield func(Entry, error) bool) {
		yield(Entry{}, fmt.Errorf("%w: there is no format of this name; use one of %v", ErrFormat, Formats()))
	}
}

// refused makes the error of a line out of what the SDK says against a value.
func refused(line int, object string, err error) *LineError {
	if v, ok := errors.AsType[*ioc.Error](err); ok {
		err = (*threatconnect.ValidationError)(v)
	}
	if v, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		return &LineError{Line: line, Object: object, Rule: v.Field + " " + v.Rule, Fix: v.Fix}
	}
	return &LineError{Line: line, Object: object, Rule: err.Error()}
}
