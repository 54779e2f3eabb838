package ioc

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// layout is the context of a line that earlier lines determine.
type layout struct {
	table   table   // table that contains the line
	inCode  bool    // whether the line is in a block of source code
	fenced  bool    // whether the line is in a fenced block of Markdown
	heading meaning // meaning of the heading of the section
}

// line starts a line. A line such as |---|---| makes the previous one the header of a table. A line
// of words separated by tabs, commas or semicolons is itself a header. A table ends with the first
// line without a separator.
func (s *scanner) line(start int) {
	const longest = 1000
	previous := s.t[s.lineStart:start]
	s.lineStart = start
	line := s.t[start:min(len(s.t), start+longest)]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	s.codeBlock(line)
	if len(line) > 1 && line[0] == '#' && !s.fenced {
		s.heading = meaningOfHeading(line)
	}
	t := &s.table
	if len(line) > 2 && line[0] == '|' && len(bytes.Trim(line, "|-: \r")) == 0 {
		t.header(previous, '|')
		return
	}
	if len(t.columns) > 0 {
		if bytes.IndexByte(line, t.separator) >= 0 {
			return
		}
		t.columns = t.columns[:0]
	}
	if len(line) > longestHeader {
		return
	}
	for _, separator := range [...]byte{'\t', ',', ';'} {
		if isHeader(line, separator) {
			t.header(line, separator)
			return
		}
	}
}

// codeBlock starts or ends a block of source code: a fenced block of Markdown with a language, or a
// script or style sheet in HTML.
func (s *scanner) codeBlock(line []byte) {
	switch trimmed := bytes.TrimSpace(line); {
	case bytes.HasPrefix(trimmed, []byte("```")) && bytes.IndexByte(bytes.TrimLeft(trimmed, "`"), '`') < 0:
		s.fenced = !s.fenced
		s.inCode = s.fenced && isLanguage(bytes.TrimLeft(trimmed, "`"))
	case bytes.Contains(line, []byte("</script")), bytes.Contains(line, []byte("</style")):
		s.inCode = false
		s.codeStart, s.code = s.lineStart+1, true // includes this line
	case bytes.Contains(line, []byte("<script")), bytes.Contains(line, []byte("<style")):
		s.inCode = true
	}
}

// isLanguage reports whether a word is the name of a programming language in which only quoted
// names can be hosts.
func isLanguage(name []byte) bool {
	switch string(bytes.ToLower(name)) {
	case "c", "c#", "c++", "cpp", "cs", "csharp", "css", "go", "groovy", "java", "javascript", "js", "jsx", "kotlin", "lua", "objc", "perl", "php",
		"powershell", "ps1", "py", "python", "ruby", "rust", "scala", "swift", "ts", "tsx", "typescript", "vb", "vba", "vbs", "vbscript":
		return true
	}
	return false
}

// meaningOfHeading returns the meaning that a heading gives to the list items below it.
// Contradictory words have no meaning.
func meaningOfHeading(line []byte) meaning {
	all, last := noMeaning, noMeaning
	for word := range bytes.FieldsFuncSeq(line, func(r rune) bool { return isBetweenWords(r) && r != '-' && r != '_' }) {
		m := meaningOfTerm(word)
		if m == ofAddress {
			m = ofHost
		}
		last = m
		switch {
		case m == noMeaning, m == ofPlace, m == ofOther:
		case all == noMeaning:
			all = m
		case all != m:
			return noMeaning
		}
	}
	if last == ofOther { // RC4 keys, but not key findings
		return ofOther
	}
	return all
}

// place returns the meaning of the table column that contains the word from a to b or, for a list
// item, of its section.
func (s *scanner) place(a, b int) meaning {
	if m := s.column(a); m != noMeaning || s.heading == noMeaning {
		return m
	}
	if !s.startsLine(a) || byteKinds[s.after(b)] == 0 && s.after(b) != ',' {
		return noMeaning
	}
	return s.heading
}

// startsLine reports whether only list marks, quotation marks or emphasis precede a position in its
// line.
func (s *scanner) startsLine(a int) bool {
	return s.isFirst(a, " \t*-`'\"+>")
}

// isFirst reports whether only the given marks precede a position in its line. It reports false for
// more than 100 bytes of marks, because the time for a line would otherwise be quadratic.
func (s *scanner) isFirst(a int, marks string) bool {
	const farthest = 100
	return a-s.lineStart <= farthest && len(bytes.Trim(s.t[s.lineStart:a], marks)) == 0
}

// isAlone reports whether the word from a to b is the only content of a line or a table cell.
func (s *scanner) isAlone(a, b int) bool {
	if s.before(a) == '>' && s.after(b) == '<' { // an HTML element
		tag := s.t[max(s.lineStart, a-40):a]
		tag = tag[bytes.LastIndexByte(tag, '<')+1:]
		return bytes.HasPrefix(tag, []byte("td")) || bytes.HasPrefix(tag, []byte("li"))
	}
	start := a
	for a > 0 && (isBlank(s.t[a-1]) || strings.IndexByte("*-_`'\"", s.t[a-1]) >= 0) {
		a--
	}
	for b < len(s.t) && (isBlank(s.t[b]) || strings.IndexByte("*_`'\"\r", s.t[b]) >= 0) {
		b++
	}
	before, after := s.before(a), s.after(b)
	switch {
	case before == ',' && s.before(start) != ',': // a list in a sentence
		return false
	case a > 0 && strings.IndexByte("\n\t|,;", before) < 0, b < len(s.t) && strings.IndexByte("\n\t|,;", after) < 0:
		return false
	}
	return before == after || a == 0 || b == len(s.t) || before == '\n' || after == '\n'
}

// isHostList reports whether the word from a to b is alone on its line and the surrounding lines
// are mostly hosts.
func (s *scanner) isHostList(a, b int) bool {
	if !s.isFirst(a, itemMarks) {
		return false
	}
	end := s.lineEnd(b)
	if len(trimItem(s.t[b:end])) > 0 {
		return false
	}
	if s.listStart <= a && a < s.listEnd {
		return s.hostList
	}
	const around = 8
	hosts, others := 0, 0
	count := func(line []byte) {
		name := trimItem(line)
		switch kind := s.kindOfLine(name); kind {
		case plainSuffix, countrySuffix:
			hosts++
		case fileSuffix:
			others++
		}
	}
	from := s.lineStart
	for range around {
		if from == 0 {
			break
		}
		start := bytes.LastIndexByte(s.t[:from-1], '\n') + 1
		count(s.t[start : from-1])
		from = start
	}
	to := end
	for range around {
		if to >= len(s.t) {
			break
		}
		next := s.lineEnd(to + 1)
		count(s.t[to+1 : next])
		to = next
	}
	s.listStart, s.listEnd, s.hostList = a, (end+to)/2, hosts > 2 && hosts > 2*others
	return s.hostList
}

// lineEnd returns the end of the line that contains a position.
func (s *scanner) lineEnd(at int) int {
	if i := bytes.IndexByte(s.t[min(at, len(s.t)):], '\n'); i >= 0 {
		return at + i
	}
	return len(s.t)
}

// itemMarks are the characters around the text of a list item.
const itemMarks = " \t\r*-\"'`,;"

func trimItem(line []byte) []byte { return bytes.Trim(line, itemMarks) }

// kindOfLine returns the kind of the last label of a line that is a single name with a public
// suffix. It returns fileSuffix for a file name and brandSuffix for any other line.
func (s *scanner) kindOfLine(name []byte) suffixKind {
	const longest = 80
	dot := bytes.LastIndexByte(name, '.')
	switch {
	case dot < 1 || len(name) > longest || bytes.ContainsAny(name, " \t|:/@\\()=<>"):
		return brandSuffix
	case canon.IsFileExtension(string(name[dot+1:])), !s.hasPublicLabel(name):
		return fileSuffix
	}
	if kind := kindOf(name[dot+1:]); kind < brandSuffix {
		return kind
	}
	return brandSuffix
}

// isQuoted reports whether the word from a to b is in quotes.
func (s *scanner) isQuoted(a, b int) bool {
	before, after := s.before(a), s.after(b)
	return (before == after || after == '/' || after == ':') && (before == '"' || before == '\'' || before == '`')
}

// isCode reports whether the current line is source code.
func (s *scanner) isCode() bool {
	if s.codeStart != s.lineStart+1 {
		s.codeStart, s.code = s.lineStart+1, s.inCode || s.looksLikeCode()
	}
	return s.code
}

func (s *scanner) looksLikeCode() bool {
	const longest = 200 // longer lines are paragraphs
	line := s.t[s.lineStart:min(len(s.t), s.lineStart+longest)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		if len(line) == longest {
			return false
		}
		end = len(line)
	}
	line = line[:end]
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '|' {
		return false
	}
	switch line[len(line)-1] {
	case '{', ';':
		return true
	}
	for _, operator := range [...]string{" := ", " == ", " != ", " && ", " || ", " = ", ") {", "()", " += ", "func ", "return ", "if (", "import "} {
		if bytes.Contains(line, []byte(operator)) {
			return true
		}
	}
	return false
}

// isHeading reports whether the numbers from a to b start a line, as in a heading or a change log.
func (s *scanner) isHeading(a, b int) bool {
	if !s.isFirst(a, " \t#*=") {
		return false
	}
	if bytes.Contains(s.t[s.lineStart:a], []byte("##")) {
		return true
	}
	rest := bytes.TrimLeft(s.t[b:min(len(s.t), b+8)], " .")
	return len(rest) > 1 && len(rest) < 8 && (isCapital(rest[0]) || rest[0] >= utf8.RuneSelf || rest[0] == '2' && rest[1] == '0')
}
