package ioc

import (
	"bytes"
	"io"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// Match is an indicator that was found in a text.
type Match struct {
	Indicator       // Port is set even if [Parser.SplitPort] is false
	Offset    int64 // bytes of the text before the indicator
	Length    int   // bytes that the indicator takes in the text
	Line      int   // number of the line, from 1
}

// Extract finds indicators in a text and returns an iterator over them, in the order of the text. The
// text is UTF-8: prose, Markdown, HTML, CSV, JSON, logs, source code.
//
// It finds addresses, blocks of addresses, hosts, URLs, email addresses, hashes of files (each as a
// value of its own), ASNs, and CVE ids as vulnerabilities; defanged or not. Values of other types are
// free text, and keys of the Windows registry are not indicators without a value, so it finds neither.
// The host of a URL or an email address is not found separately.
//
// A word with a dot is a host only if it ends in a public suffix (the ICANN rules of
// https://publicsuffix.org) and if nothing says that it is something else: the name of a file
// (setup.sh), of a detection (Agent.BT), of a class or a variable (System.IO, os.name). In the same way,
// version and section numbers are not addresses, and import hashes, thumbprints of certificates and
// commit ids are not hashes of files. A defanged name is a host without doubt. The host in front of a
// path without a scheme (www.example.com/login) is found as a host.
//
// Extract does not tell whether an indicator is malicious; see [Exclusions]. An indicator that occurs
// several times is found several times. Characters of the surrounding markup are not part of it.
//
// Extract reads a window of 64 KiB at a time. Memory is bounded and time is linear in the length of the
// text. A longer run of characters without white space, quotes or other separators is skipped. If r
// fails, the iterator yields the error after the indicators in front of it, and stops. A text in UTF-16
// is an error. The iterator reads r once, so it can be used once.
func Extract(r io.Reader) iter.Seq2[Match, error] { return (*Parser)(nil).Extract(r) }

// Extract finds indicators in a text as the function [Extract] does, and by the options of p: AssumeScheme
// finds URLs without a scheme in place of their hosts, MaskBlock finds blocks in place of addresses with
// the length of one, and Strict and Patterns drop the values that they reject.
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

// extractor extracts indicators from one text.
type extractor struct {
	parser  Parser
	windows windows
	armor   armor
	plain   plainText
	found   []Match // in the current window
	lines   int     // line breaks before the current window
	// versions are four numbers that the text has called a version.
	versions map[[4]byte]bool
	files    map[string]bool // names that were the end of a path, or behind a hash
	domains  map[string]bool // names below a public suffix that URLs, email addresses and defanged hosts had
	labels   map[string]bool // last labels, and whether ICANN has them
	layout   layout
	inLine   bool // whether the window begins within a line
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
