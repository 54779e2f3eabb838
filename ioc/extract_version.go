package ioc

import (
	"bytes"
	"net/netip"
	"unicode/utf8"
)

// isVersion reports whether the numbers from a to b are a version or a section number. Numbers that
// were a version once are not an address in the rest of the text.
func (s *scanner) isVersion(a, b int, addr netip.Addr) bool {
	const most = 1000
	octets := addr.As4()
	if octets == [4]byte{1, 3, 6, 1} || [3]byte(octets[:3]) == [3]byte{2, 5, 29} || [3]byte(octets[:3]) == [3]byte{2, 23, 140} || s.x.versions[octets] { // object identifiers
		return true
	}
	if octets[0] == 127 || !s.isVersionPlace(a, b, octets) {
		return false
	}
	s.versionEnd, s.version = b, octets[0]
	if len(s.x.versions) < most {
		if s.x.versions == nil {
			s.x.versions = map[[4]byte]bool{}
		}
		s.x.versions[octets] = true
	}
	return true
}

// isVersionPlace reports whether the text around the numbers from a to b indicates a version or a
// section number.
func (s *scanner) isVersionPlace(a, b int, octets [4]byte) bool {
	switch s.column(a) {
	case ofAddress, ofHost:
		return false
	case ofVersion, ofProduct:
		return true
	}
	if after := s.after(b); (after == '/' || after == ':') && s.argument(a) == ofHost {
		return false
	}
	if s.isLater(b) || s.isHeading(a, b) && max(octets[0], octets[1], octets[2], octets[3]) < 32 {
		return true
	}
	if s.versionEnd > s.lineStart && a-s.versionEnd < 40 && (octets[0] == s.version || isEnumeration(s.t[s.versionEnd:a])) {
		return true // for example 10.4.2.1 and 10.4.2.2
	}
	bits := surprise(octets)
	port, _ := s.port(b, len(s.t))
	w := s.wordsBefore(a)
	product := w.isProduct(a)
	for i := range w.n {
		near := w.n - i // nearer words weigh more
		switch w.meaningAt(i) {
		case ofVersion, ofSection:
			if i == 0 {
				return true
			}
			bits += near + 1
		case ofProduct:
			if i < 2 && w.places[0][0] >= s.lineStart && port == 0 {
				return true
			}
			continue
		case ofAddress, ofHost:
			if i == 0 && product {
				continue
			}
			if i < 2 && !product {
				return false
			}
		case ofPlace:
			if i > 0 {
				continue
			}
		default:
			continue
		}
		break
	}
	if product {
		bits += 6
	}
	if s.isAlone(a, b) && s.place(a, b) != ofVersion {
		bits -= 8
	}
	if port > 0 {
		bits -= 12
	}
	return bits >= 8
}

// isDefangedVersion reports whether the word before defanged numbers makes them a version: some
// tools defang every dot of a text.
func (s *scanner) isDefangedVersion(a int) bool {
	w := s.wordsBefore(a)
	m, _ := w.meaning(1)
	return w.isNear(a) && (m == ofVersion || m == ofSection)
}

// surprise returns the improbability of numbers as an address, in bits: one of 2^n random addresses
// has this form.
func surprise(octets [4]byte) int {
	if octets[0] == 127 || isKnown(octets) {
		return 0
	}
	bits := 0
	if octets[0] == 0 {
		bits += 8
	}
	if max(octets[0], octets[1], octets[2], octets[3]) < 32 {
		bits += 12
	} else if octets[0] < 32 {
		bits += 3
	}
	if octets[3] == 0 && octets[0] < 32 {
		bits += 8
	}
	if octets[0] == 10 || octets[0] == 192 && octets[1] == 168 || octets[0] == 172 && octets[1]&0xf0 == 16 {
		return bits - 8
	}
	for _, n := range octets[1:3] {
		if n == 0 {
			bits += 6
		}
	}
	return bits
}

// isKnown reports whether numbers are an address that is common in texts: that of a public
// resolver, or one for documentation.
func isKnown(octets [4]byte) bool {
	switch octets {
	case [4]byte{}, [4]byte{1, 1, 1, 1}, [4]byte{1, 0, 0, 1}, [4]byte{8, 8, 8, 8}, [4]byte{8, 8, 4, 4}, [4]byte{9, 9, 9, 9}:
		return true
	}
	switch [3]byte(octets[:3]) {
	case [3]byte{192, 0, 2}, [3]byte{198, 51, 100}, [3]byte{203, 0, 113}:
		return true
	}
	return false
}

// isEnumeration reports whether the text between two values makes them a list.
func isEnumeration(between []byte) bool {
	switch string(between) {
	case ", ", " and ", " or ", " - ", " to ", " through ", "/", ", and ", " und ", " и ", " et ", " y ", " e ", "～", "、", "，", "~", "–", " – ":
		return true
	}
	return false
}

// isProduct reports whether the words before a position are the name of a program: a word with an
// inner capital, or several words with capitals.
func (w *nearby) isProduct(at int) bool {
	if w.n == 0 || w.places[0][1] != at-1 || w.t[at-1] != ' ' || w.meaningAt(0) == ofPlace {
		return false
	}
	word := w.word(0)
	if isCamelCase(word) || isCapital(word[0]) && w.meaningAt(0) == noMeaning {
		return true
	}
	return isCapital(word[0]) && w.n > 1 && w.places[1][1] == w.places[0][0]-1 && isCapital(w.word(1)[0]) && w.meaningAt(1) == noMeaning
}

// isCamelCase reports whether a capital follows a small letter in a word.
func isCamelCase(word []byte) bool {
	for i := 1; i < len(word); i++ {
		if 'A' <= word[i] && word[i] <= 'Z' && 'a' <= word[i-1] && word[i-1] <= 'z' {
			return true
		}
	}
	return false
}

// isLater reports whether the words after numbers make them a version, for example "and later".
func (s *scanner) isLater(at int) bool {
	for range 2 {
		if at < len(s.t) && s.t[at] >= utf8.RuneSelf {
			for _, later := range [...]string{"以前", "以降", "以下", "以上", "より前", "及更早", "及之前", "及以下"} {
				if bytes.HasPrefix(s.t[at:], []byte(later)) {
					return true
				}
			}
		}
		if at >= len(s.t) || s.t[at] != ' ' {
			return false
		}
		end := at + 1
		for end < len(s.t) && isLetter(s.t[end]) && end-at < 16 {
			end++
		}
		if next := s.after(end); next == '.' && isAlnum(s.after(end+1)) || next == '-' {
			return false // a name
		}
		switch string(s.t[at+1 : end]) {
		case "and", "or":
			at = end
			continue
		case "before", "prior", "later", "earlier", "below", "above", "newer", "older", "lower", "higher", "update", "release", "build", "installer", "firmware", "beta":
			return true
		}
		return false
	}
	return false
}
