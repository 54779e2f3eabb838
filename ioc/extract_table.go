package ioc

import "bytes"

// table is the header of a table: the meanings of its columns.
type table struct {
	columns   []meaning
	separator byte // column separator
	cells     int  // separators of the current line, up to cellsEnd
	quoted    bool // whether cellsEnd is within quotes
	cellsEnd  int
}

// longestHeader is the maximum length of a header line without bars.
const longestHeader = 300

// isHeader reports whether a line consists of at least three short column names.
func isHeader(line []byte, separator byte) bool {
	const longest = 28
	cells := 0
	for rest := line; len(rest) > 0; {
		var cell []byte
		cell, rest, _ = bytes.Cut(rest, []byte{separator})
		cell = bytes.Trim(cell, " \"'\r#")
		if len(cell) == 0 || len(cell) > longest || isDigit(cell[0]) {
			return false
		}
		for _, c := range cell {
			if !isWordByte(c) && c != ' ' && c != '_' && c != '-' && c != '(' && c != ')' && c != '/' {
				return false
			}
		}
		cells++
	}
	return cells > 2
}

// header starts a table.
func (t *table) header(line []byte, separator byte) {
	t.columns, t.separator = t.columns[:0], separator
	hashes := false
	for rest := line; len(rest) > 0; {
		var cell []byte
		cell, rest, _ = bytes.Cut(rest, []byte{separator})
		m := noMeaning
		for word := range bytes.FieldsFuncSeq(cell, func(r rune) bool { return isBetweenWords(r) && r != '-' && r != '_' }) {
			next := meaningOfTerm(word)
			switch {
			case next == noMeaning && hashes && bytes.EqualFold(word, []byte("name")):
				m = ofFile
			case m == noMeaning:
				m = next
			case m == ofHash && (next == ofOther || next == ofSection): // MD5 of the section
				m = ofOther
			}
		}
		hashes = hashes || m == ofHash
		t.columns = append(t.columns, m)
	}
}

// column returns the meaning of the table column that contains a position.
func (s *scanner) column(at int) meaning {
	t := &s.table
	if len(t.columns) == 0 {
		return noMeaning
	}
	if t.cellsEnd <= s.lineStart || t.cellsEnd > at {
		t.cells, t.quoted, t.cellsEnd = 0, false, s.lineStart
	}
	t.cells += bytes.Count(s.t[t.cellsEnd:at], []byte{t.separator})
	t.quoted = t.quoted || bytes.IndexByte(s.t[t.cellsEnd:at], '"') >= 0
	t.cellsEnd = at
	if t.separator == ',' && t.quoted && s.before(at) != '"' {
		return noMeaning // in a cell that contains commas
	}
	if t.cells < len(t.columns) {
		return t.columns[t.cells]
	}
	return noMeaning
}

// nextCell returns the meaning that the next cell of a table gives to the word that ends at b.
func (s *scanner) nextCell(b int) meaning {
	const longest = 40
	if s.after(s.lineStart) != '|' {
		return noMeaning
	}
	rest := bytes.TrimLeft(s.t[b:min(len(s.t), b+longest)], "` *")
	if len(rest) == 0 || rest[0] != '|' {
		return noMeaning
	}
	cell, _, _ := bytes.Cut(rest[1:], []byte("|"))
	for word := range bytes.FieldsFuncSeq(cell, isBetweenWords) {
		switch m := meaningOfTerm(word); m {
		case ofHost, ofAddress:
			return ofHost
		case ofFile:
			return ofFile
		}
	}
	return noMeaning
}

// isCell reports whether a value that starts at a is a cell of a table with the given separator.
func (s *scanner) isCell(a int, separator byte) bool {
	before := s.before(a)
	return before == separator || a == 0 || before == '\n'
}
