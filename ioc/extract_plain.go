package ioc

import (
	"bytes"
	"html"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainText is a text in which defanging marks, HTML entities and escapes are replaced, with a
// mapping to the original.
type plainText struct {
	text  []byte
	jumps []jump
	marks []int // positions of defanging marks in text, ascending
}

// jump is a position after which the distance between text and original differs.
type jump struct {
	at     int // position in text
	source int // start of the character at this position in the original
	before int // end of the character before this position in the original
}

// read computes the plain form of a text. It keeps neither the text nor the previous one.
func (p *plainText) read(source []byte) {
	p.text, p.jumps, p.marks = p.text[:0], p.jumps[:0], p.marks[:0]
	for i := 0; i < len(source); {
		start := i
		for i < len(source) && !isSpecial[source[i]] {
			i++
		}
		p.text = append(p.text, source[start:i]...)
		if i < len(source) {
			i += p.special(source, i)
		}
	}
}

// isSpecial contains the bytes at which something can be replaced.
var isSpecial = [256]bool{'[': true, ']': true, ')': true, '}': true, '&': true, '\\': true}

// special handles the special byte at i of the original and returns the number of bytes that it
// consumed.
func (p *plainText) special(source []byte, i int) int {
	rest := source[i:]
	switch rest[0] {
	case '&':
		return p.entity(rest, i)
	case '\\':
		return p.escape(rest, i)
	case '[':
		if len(rest) > 2 && rest[1] == '.' && isAlnum(rest[2]) && p.endsInWord() { // evil[.com
			p.mark(".", i, i+2)
			return 2
		}
	case ']':
		switch {
		case len(rest) > 3 && rest[1] == '.' && rest[2] == '[' && isAlnum(rest[3]) && p.endsInWord(): // evil].[com
			p.mark(".", i, i+3)
			return 3
		case len(rest) > 2 && rest[1] == '.' && isAlnum(rest[2]) && len(p.marks) > 0 && len(p.text)-p.marks[len(p.marks)-1] < 8 && p.endsInWord(): // evil[.com].mx
			p.jump(i+1, i)
			return 1
		case len(rest) > 1 && isAlnum(rest[1]) && bytes.HasSuffix(p.text, []byte(".")) && len(p.text) > 1 && isAlnum(p.text[len(p.text)-2]): // evil.]com
			p.marks = append(p.marks, len(p.text)-1)
			p.jump(i+1, i+1)
			return 1
		}
		p.text = append(p.text, ']')
		return 1 + p.closeMark(rest[1:], i+1, '[')
	case ')':
		p.text = append(p.text, ')')
		return 1 + p.closeMark(rest[1:], i+1, '(')
	case '}':
		p.text = append(p.text, '}')
		return 1 + p.closeMark(rest[1:], i+1, '{')
	}
	p.text = append(p.text, rest[0])
	return 1
}

// put appends text that replaces bytes of the original.
func (p *plainText) put(text string, start, end int) {
	if p.source(len(p.text)) != start {
		p.jump(start, start)
	}
	p.text = append(p.text, text...)
	p.jump(end, end)
}

// mark appends the replacement of a defanging mark.
func (p *plainText) mark(text string, start, end int) {
	p.marks = append(p.marks, len(p.text))
	p.put(text, start, end)
}

func (p *plainText) jump(source, before int) {
	if n := len(p.jumps); n > 0 && p.jumps[n-1].at == len(p.text) {
		p.jumps[n-1].source = source
		return
	}
	p.jumps = append(p.jumps, jump{len(p.text), source, before})
}

// closeMark replaces the mark that the last character of the text closes. It returns the number of
// bytes that it consumed from rest, which is at i in the original.
func (p *plainText) closeMark(rest []byte, i int, open byte) int {
	const longest = len("[ dot ]")
	inner := p.text[:len(p.text)-1]
	start := bytes.LastIndexByte(inner[max(0, len(inner)-longest+1):], open)
	if start < 0 {
		return 0
	}
	start += max(0, len(inner)-longest+1)
	meaning := markMeaning(inner[start+1:], open)
	if meaning == "" {
		return 0
	}
	end := start // end of the text before the mark
	for end > 0 && isBlank(p.text[end-1]) {
		end--
	}
	next := 0
	for next < len(rest) && isBlank(rest[next]) {
		next++
	}
	switch {
	case end == 0, next == len(rest), end < start && !isWordByte(p.text[end-1]), next > 0 && !isWordByte(rest[next]):
		return 0
	}
	from := p.source(end)
	p.text = p.text[:end]
	for len(p.jumps) > 0 && p.jumps[len(p.jumps)-1].at > end {
		p.jumps = p.jumps[:len(p.jumps)-1]
	}
	for len(p.marks) > 0 && p.marks[len(p.marks)-1] >= end {
		p.marks = p.marks[:len(p.marks)-1]
	}
	p.mark(meaning, from, i)
	if next > 0 {
		p.jumps[len(p.jumps)-1].source += next
	}
	return next
}

// markMeaning returns the replacement of a mark with the given text in its brackets, or "".
func markMeaning(inner []byte, open byte) string {
	switch s := string(bytes.ToLower(bytes.Trim(inner, " \t"))); s {
	case ".", "dot":
		return "."
	case "@", "at":
		return "@"
	case ":", "://":
		return s
	case "/", "//", ":/", ":\\\\":
		if open == '[' {
			return strings.ReplaceAll(s, "\\", "/")
		}
	}
	return ""
}

// entity replaces an HTML entity at the start of rest.
func (p *plainText) entity(rest []byte, i int) int {
	const longest = 10
	end := bytes.IndexByte(rest[:min(len(rest), longest)], ';') + 1
	if end > 2 {
		if s := string(rest[:end]); html.UnescapeString(s) != s {
			text := html.UnescapeString(s)
			p.put(text, i, i+end)
			switch text {
			case "]":
				return end + p.closeMark(rest[end:], i+end, '[')
			case ")":
				return end + p.closeMark(rest[end:], i+end, '(')
			}
			return end
		}
	}
	p.text = append(p.text, '&')
	return 1
}

// escape replaces a backslash at the start of rest: before the dot of a defanged value, before
// slashes in JSON, and before punctuation in Markdown.
func (p *plainText) escape(rest []byte, i int) int {
	if len(rest) > 2 {
		switch c := rest[1]; {
		case c == '/':
			p.put("/", i, i+2)
			return 2
		case strings.IndexByte("[({", c) >= 0 && strings.IndexByte(".:@/dDaA", rest[2]) >= 0, strings.IndexByte("])}", c) >= 0 && p.hasOpenMark():
			p.jump(i+1, i)
			return 1 // before the bracket of a mark
		case c == '.' && isAlnum(rest[2]) && p.endsInWord() && !p.hasBackslash():
			p.mark(".", i, i+2)
			return 2
		case (c == 'n' || c == 'r' || c == 't') && !p.hasBackslash() && !bytes.HasSuffix(p.text, []byte(":")):
			p.put(" ", i, i+2) // in a string in JSON or source code
			return 2
		case (c == '_' || c == '-') && p.endsInWord() && isAlnum(rest[2]):
			p.put(string(c), i, i+2)
			return 2
		case c == 'u' && len(rest) > 5: // \u0026
			r, err := strconv.ParseUint(string(rest[2:6]), 16, 16)
			if err == nil && unicode.IsPrint(rune(r)) && rune(r) != utf8.RuneError {
				p.put(string(rune(r)), i, i+6)
				return 6
			}
		}
	}
	p.text = append(p.text, '\\')
	return 1
}

// hasOpenMark reports whether the text ends within a mark.
func (p *plainText) hasOpenMark() bool {
	const longest = len("[ dot ")
	return bytes.ContainsAny(p.text[max(0, len(p.text)-longest):], "[({")
}

// hasBackslash reports whether the word at the end of the text contains a backslash, as paths do.
func (p *plainText) hasBackslash() bool {
	for i := len(p.text) - 1; i >= 0 && p.text[i] > ' '; i-- {
		if p.text[i] == '\\' {
			return true
		}
		if len(p.text)-i > maxHostLength {
			return true
		}
	}
	return false
}

func (p *plainText) endsInWord() bool {
	return len(p.text) > 0 && isWordByte(p.text[len(p.text)-1])
}

// source returns the start, in the original, of the character at a position of the text.
func (p *plainText) source(at int) int {
	i := sort.Search(len(p.jumps), func(i int) bool { return p.jumps[i].at > at })
	if i == 0 {
		return at
	}
	j := p.jumps[i-1]
	return j.source + at - j.at
}

// sourceEnd returns the end, in the original, of the character before a position of the text.
func (p *plainText) sourceEnd(at int) int {
	i := sort.Search(len(p.jumps), func(i int) bool { return p.jumps[i].at >= at })
	if i < len(p.jumps) && p.jumps[i].at == at {
		return p.jumps[i].before
	}
	return p.source(at-1) + 1
}

// isDefanged reports whether the original is defanged between two positions of the text.
func (p *plainText) isDefanged(start, end int) bool {
	i := sort.SearchInts(p.marks, start)
	return i < len(p.marks) && p.marks[i] < end
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isAlnum(c byte) bool { return isLetter(c) || isDigit(c) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordByte reports whether c can be part of a letter or digit in any script.
func isWordByte(c byte) bool { return isAlnum(c) || c >= utf8.RuneSelf }

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
