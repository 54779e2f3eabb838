package ioc

import (
	"bytes"
	"io"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// Match is an indicator found in a text.
type Match struct {
	Indicator       // Port is set even if Parser.SplitPort is false
	Offset    int64 // byte offset of the indicator in the text
	Length    int   // length of the indicator in the text, in bytes
	Line      int   // line number, starting at 1
}

// Extract returns an iterator over the indicators in a text, in text order. The text is UTF-8, for
// example prose, Markdown, HTML, CSV, JSON, logs or source code.
//
// Extract finds IP addresses, CIDR blocks, hosts, URLs, email addresses, file hashes (each as a
// separate value), ASNs, and CVE IDs as vulnerabilities, defanged or not. It finds neither registry
// keys, which are indicators only with a value, nor types that are free text. It does not return
// the host of a URL or an email address separately.
//
// A word with a dot is a host only if it ends in a public suffix (the ICANN rules of
// https://publicsuffix.org) and nothing indicates another meaning: the name of a file (setup.sh), a
// malware detection (Agent.BT), a class or a variable (System.IO, os.name). Likewise, version and
// section numbers are not addresses, and import hashes, certificate thumbprints and commit IDs are
// not file hashes. A defanged name is always a host. The host before a path without a scheme
// (www.example.com/login) is returned as a host.
//
// Extract does not judge whether an indicator is malicious; see [Exclusions]. It returns an
// indicator as often as it occurs. Surrounding markup is not part of an indicator.
//
// Extract reads r in windows of 64 KiB. Memory is bounded, and time is linear in the length of the
// text. Longer runs of characters without white space, quotes or other separators are skipped. If r
// fails, the iterator yields the indicators before the failure, then the error, and stops. Text in
// UTF-16 is an error. The iterator consumes r and can be used only once.
func Extract(r io.Reader) iter.Seq2[Match, error] { return (*Parser)(nil).Extract(r) }

// Extract is like the function [Extract] with the options of p. AssumeScheme finds URLs without a
// scheme instead of their hosts. MaskBlock finds blocks with host bits instead of their addresses.
// Strict and Patterns omit the values that they reject.
func (p *Parser) Extract(r io.Reader) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		if r == nil {
			yield(Match{}, &Error{Field: "text", Rule: "has no reader", Fix: "pass an io.Reader"})
			return
		}
		x := extractor{windows: windows{r: r}}
		if p != nil {
			x.parser = *p
		}
		if scheme := x.parser.AssumeScheme; scheme != "" {
			if err := canon.CheckAssumedScheme(scheme); err != nil {
				yield(Match{}, public(err))
				return
			}
		}
		for x.windows.next() {
			x.extract()
			for i := range x.found {
				if !yield(x.found[i], nil) {
					return
				}
			}
		}
		if err := x.windows.err; err != nil {
			yield(Match{}, err)
		}
	}
}

// extractor extracts indicators from a text.
type extractor struct {
	parser  Parser
	windows windows
	armor   armor
	plain   plainText
	found   []Match // in the current window
	lines   int     // line breaks before the current window
	// versions are four-part numbers that the text has used as a version.
	versions map[[4]byte]bool
	files    map[string]bool // names that ended a path or were next to a hash
	domains  map[string]bool // registrable domains of URLs, email addresses and defanged hosts
	labels   map[string]bool // last labels, and whether ICANN has them
	layout   layout
	inLine   bool // whether the window starts within a line
}

// extract finds the indicators of the current window.
func (x *extractor) extract() {
	x.found = x.found[:0]
	window := x.windows.window
	x.armor.blank(window)
	x.plain.read(window)
	s := scanner{t: x.plain.text, x: x, layout: &x.layout}
	s.scan()
	at, line := 0, x.lines+1
	for i := range x.found {
		m := &x.found[i]
		line += bytes.Count(window[at:m.Offset], newline)
		at = int(m.Offset)
		m.Line = line
		m.Offset += x.windows.offset
	}
	x.lines = line - 1 + bytes.Count(window[at:], newline)
	x.inLine = !bytes.HasSuffix(window, newline)
}

var newline = []byte("\n")
