// Package setdiff finds the indicators of an owner that a current set lacks, in bounded memory.
package setdiff

import (
	"encoding/binary"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Set contains the indicators of a current set and those that the platform lists.
//
// Both are sorted by type and folded value, so that all spellings of a value are adjacent. A file has a row for each of
// its hashes, and a second sorter combines the verdicts on its rows.
type Set struct {
	all    *extsort.Sorter // rows
	files  *extsort.Sorter // summary of a listed file -> verdict on one row
	joined bool            // files is complete
	buf    []byte
}

// New returns an empty set. It uses about maxBytes of memory, and temporary files in dir.
func New(dir string, maxBytes int) *Set {
	return &Set{all: extsort.New(dir, maxBytes/4*3), files: extsort.New(dir, maxBytes/4)}
}

// Close removes the temporary files.
func (s *Set) Close() {
	s.all.Close()
	s.files.Close()
}

// Verdict is the decision on a listed indicator. If several apply, the smallest one wins.
type Verdict byte

// The verdicts.
const (
	Kept Verdict = iota
	SparedSpelling
	SparedRecent
	SparedHash
	SparedMerged
	SparedValue
	Retired
	Stale
)

// Reason returns the reason of a verdict that spares an indicator.
func (v Verdict) Reason() string {
	switch v {
	case SparedSpelling:
		return "is in the current set in another spelling"
	case SparedRecent:
		return "was modified lately, or at an unknown time"
	case SparedHash:
		return "shares a hash with another file"
	case SparedMerged:
		return "has another hash since it was listed"
	}
	return "has no value to remove it by"
}

// Indicator is an indicator by its type and values.
type Indicator struct {
	Type   string
	Custom bool     // the type is not a standard one
	Values []string // the canonical value, or the hashes of a file
}

// AddCurrent adds an indicator of the current set.
func (s *Set) AddCurrent(ind Indicator) error {
	return s.add(&ind, row{Row: Row{Type: ind.Type}, origin: fromCurrent})
}

// AddListed adds an indicator that the platform lists under a summary. The verdict applies if the current set lacks it.
func (s *Set) AddListed(ind Indicator, summary string, v Verdict) error {
	return s.add(&ind, row{Row: Row{Type: ind.Type, Summary: summary, Verdict: v}, origin: fromOwner})
}

// Row is a listed indicator with its verdict.
type Row struct {
	Type, Summary string
	Verdict       Verdict
}

// row is an indicator under one key: its type and folded value, or its type and one hash.
type row struct {
	Row    // without a summary if it is in the current set
	key    string
	origin byte
	value  string // canonical value; empty if the comparison ignores spelling
}

// Origins of rows, in sort order.
const (
	fromCurrent = 'c'
	fromOwner   = 'o'
)

// add adds a row for each value of an indicator.
func (s *Set) add(ind *Indicator, r row) error {
	values := slices.DeleteFunc(slices.Clone(ind.Values), func(v string) bool { return v == "" })
	if len(values) == 0 {
		values = []string{""}
	}
	for _, value := range values {
		folded := fold(ind, value)
		switch {
		case value == folded, ind.Type == typeFile:
			value = ""
		case ind.Type == typeEmail, ind.Type == typeHashtag, ind.Custom:
			value = "" // the letter case of these types is a setting of the instance
		}
		b := s.buf[:0]
		for _, text := range [...]string{ind.Type, folded} {
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		}
		b = append(binary.AppendUvarint(append(b, r.origin), uint64(len(value))), value...)
		s.buf = append(b, r.Summary...)
		if err := s.all.Add(s.buf, []byte{byte(r.Verdict)}); err != nil {
			return err
		}
	}
	return nil
}

func readRow(rec extsort.Record) row {
	text, at := string(rec.Key), 0
	next := func() string {
		n, size := binary.Uvarint(rec.Key[at:])
		from := at + size
		at = from + int(n)
		return text[from:at]
	}
	var r row
	r.Verdict = Verdict(rec.Value[0])
	r.Type = next()
	_ = next() // the folded value
	r.key, r.origin = text[:at], text[at]
	at++
	r.value = next()
	r.Summary = text[at:]
	return r
}

// sameAs reports whether two rows are equal except for the verdict.
func (r row) sameAs(o row) bool {
	o.Verdict = r.Verdict
	return r == o
}
