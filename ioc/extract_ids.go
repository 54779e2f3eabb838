package ioc

import (
	"bytes"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// plainWord finds the hash, the ASN or the CVE ID in a word without dots.
func (s *scanner) plainWord(a, b int) {
	switch word := s.t[a:b]; {
	case len(word) >= canon.MD5Length:
		s.hashes(a, b)
	case len(word) >= len("CVE") && bytes.EqualFold(word[:3], []byte("CVE")):
		s.vulnerability(a)
	case len(word) > len("AS") && bytes.EqualFold(word[:2], []byte("AS")):
		s.asn(a, a+2, b)
	case isDotted(word):
		s.asnNumber(a, b)
	}
}

// asnNumber finds the ASN in two words, the second of which is the number, for example ASN: 64496.
func (s *scanner) asnNumber(a, b int) {
	before := bytes.TrimSuffix(bytes.TrimRight(s.t[max(0, a-len("ASN: ")):a], " "), []byte(":"))
	for _, prefix := range [...]string{"ASN", "AS"} {
		if bytes.HasSuffix(before, []byte(prefix)) {
			s.asn(bytes.LastIndex(s.t[:a], []byte(prefix)), a, b)
			return
		}
	}
}

// asn adds the ASN that starts at a. Its number, or an N and its number, is from i to b.
func (s *scanner) asn(a, i, b int) {
	shortest := 3 // in digits; shorter numbers belong to abbreviations
	switch {
	case s.t[a+2]|0x20 == 'n':
		shortest = 1
	case !isCapital(s.t[a]) || i > a+2:
		shortest = 4
	}
	if i == a+2 && shortest == 1 {
		i++
	}
	digits := s.t[min(i, b):b]
	if len(digits) < shortest || !isDotted(digits) || string(digits) == "400" || a > 0 && isAlnum(s.t[a-1]) { // AS/400 is a computer
		return
	}
	if value, err := canon.ASN(string(digits)); err == nil {
		s.add(TypeASN, value, a, b)
	}
}

// vulnerability adds the CVE ID that starts at a. Its hyphens can be typographic.
func (s *scanner) vulnerability(a int) {
	i := a + len("CVE")
	var numbers [2][]byte
	for n := range numbers {
		for _, hyphen := range [...]string{"-", "\u2010", "\u2011", "\u2012", "\u2013"} {
			if bytes.HasPrefix(s.t[i:], []byte(hyphen)) {
				i += len(hyphen)
				break
			}
		}
		start := i
		for i < len(s.t) && isDigit(s.t[i]) {
			i++
		}
		numbers[n] = s.t[start:i]
	}
	if isAlnum(s.after(i)) {
		return
	}
	if value, ok := canonicalCVE("CVE-" + string(numbers[0]) + "-" + string(numbers[1])); ok {
		s.add(TypeVulnerability, value, a, i)
	}
}

// nameOfFile finds the indicator in a file name: a hash or a CVE ID up to the first dot.
func (s *scanner) nameOfFile(a, b int) {
	s.plainWord(a, a+bytes.IndexFunc(s.t[a:b], func(r rune) bool { return r == '.' || isWideDot(r) }))
}
