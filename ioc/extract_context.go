package ioc

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// nearby contains the words before a value, the nearest first.
type nearby struct {
	t      []byte
	places [8][2]int
	n      int
	keyed  bool // whether the nearest word is a field name and the value follows
}

func (w *nearby) word(i int) []byte { return w.t[w.places[i][0]:w.places[i][1]] }

// meaningAt returns the meaning of a word. A name with dots that is not a field name can only
// indicate that a hash is not a file hash.
func (w *nearby) meaningAt(i int) meaning {
	word := w.word(i)
	m := meaningOfTerm(word)
	if bytes.IndexByte(word, '.') >= 0 && (i > 0 || !w.keyed) {
		if m == ofOther && bytes.Contains(word, []byte("hash")) || bytes.Contains(word, []byte("print")) {
			return ofOther // for example ja3.hash, pe.imphash and s.thumbprint
		}
		return noMeaning
	}
	return m
}

// meaning returns the first meaning among the nearest words and the number of words before it.
func (w *nearby) meaning(most int) (meaning, int) {
	for i := range min(w.n, most) {
		if m := w.meaningAt(i); m != noMeaning {
			return m, i
		}
	}
	return noMeaning, most
}

// wordsBefore returns the words before a position in the same sentence and line, or, at the start
// of a line, in the previous line.
func (s *scanner) wordsBefore(at int) nearby {
	const farthest = 100
	w := nearby{t: s.t}
	lowest := max(0, at-farthest)
	lines := 0
	for i := at; i > lowest && w.n < len(w.places); {
		start := s.termStart(i, lowest)
		if start < i {
			if term := s.t[start:i]; bytes.ContainsFunc(term, func(r rune) bool { return r > '9' }) {
				w.keyed = w.keyed || w.n == 0 && isKey(s.t[i:at])
				w.places[w.n] = [2]int{start, i}
				w.n++
			}
			i = start
			continue
		}
		switch s.t[i-1] {
		case '\n':
			if lines++; lines == 2 || w.n > 0 || len(bytes.Trim(s.t[i:at], " \t")) > 0 || !isWordByte(s.before(i-1)) && s.before(i-1) != ':' {
				return w
			}
		case '>': // end of an element
			if start := bytes.LastIndexByte(s.t[lowest:i], '<'); start >= 0 && bytes.IndexByte(s.t[lowest+start:i], '\n') < 0 && isLetter(s.after(lowest+start+1)) || start >= 0 && s.after(lowest+start+1) == '/' {
				i = lowest + start + 1
			}
		case '.', '!', '?':
			if w.n > 0 && byteKinds[s.after(i)] == tokenEnd {
				return w
			}
		}
		i--
	}
	return w
}

// isKey reports whether the text between a term and a value makes the term a field name.
func isKey(between []byte) bool {
	switch string(bytes.Trim(between, " \"'")) {
	case ":", "=", "\":", "\":\"":
		return true
	}
	return false
}

// isNear reports whether the nearest word directly precedes a position.
func (w *nearby) isNear(at int) bool {
	const farthest = 4
	return w.n > 0 && at-w.places[0][1] <= farthest && !bytes.ContainsAny(w.t[w.places[0][1]:at], ";.>") &&
		(w.t[at-1] != '(' || w.places[0][1] < at-1) // a function call
}

// termStart returns the start of the term that ends at a position: letters and digits, with dots,
// hyphens and underscores between them.
func (s *scanner) termStart(end, lowest int) int {
	i := end
	for i > lowest {
		c := s.t[i-1]
		switch {
		case isAlnum(c), c == '_', c == '&' && i < end && i-1 > lowest && s.t[i]|0x20 == 'c' && s.t[i-2]|0x20 == 'c':
			i--
		case (c == '.' || c == '-') && i < end && i-1 > lowest && isAlnum(s.t[i-2]):
			i--
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeLastRune(s.t[lowest:i])
			if !unicode.In(r, unicode.L, unicode.M) {
				return i
			}
			i -= size
		default:
			return i
		}
	}
	return i
}

// isBetweenWords reports whether r separates words.
func isBetweenWords(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) }

// argument returns the meaning of a word as an argument of a network command: a host, or an output
// file.
func (s *scanner) argument(a int) meaning {
	const farthest = 100
	command := s.t[max(s.lineStart, a-farthest):a]
	command = bytes.TrimSuffix(command, []byte("@")) // of dig
	if i := bytes.LastIndexAny(command, ";&|`$#\"") + 1; i > 0 {
		command = command[i:]
	}
	command = bytes.TrimLeft(command, " ")
	name, arguments, found := bytes.Cut(command, []byte(" "))
	if !found || command[len(command)-1] != ' ' {
		return noMeaning
	}
	switch string(name[bytes.LastIndexByte(name, '/')+1:]) {
	case "dig", "host", "nc", "nmap", "nslookup", "ping", "ssh", "telnet", "tracert", "traceroute":
		return ofHost
	case "curl", "wget":
		last := bytes.TrimRight(arguments, " ")
		last = last[bytes.LastIndexByte(last, ' ')+1:]
		if len(last) > 1 && last[0] == '-' && bytes.IndexByte([]byte("oOTiKcbdF"), last[len(last)-1]) >= 0 {
			return ofFile
		}
		return ofHost
	}
	return noMeaning
}
