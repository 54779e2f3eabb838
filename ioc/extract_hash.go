package ioc

import (
	"bytes"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// hashes finds the hashes in a word.
func (s *scanner) hashes(a, b int) {
	if s.before(a) == '\\' && a-1 != s.lineStart && s.after(b) != '.' { // part of a mutex or a registry key
		return
	}
	for a < b {
		end := a
		for end < b && isAlnum(s.t[end]) {
			end++
		}
		if end > a && s.isFileHash(a, end) {
			if value, err := canon.Hash(string(s.t[a:end])); err == nil {
				s.add(TypeFile, value, a, end)
			}
		}
		a = end + 1
	}
}

// isFileHash reports whether the letters and digits from a to b are a file hash.
func (s *scanner) isFileHash(a, b int) bool {
	switch b - a {
	case canon.MD5Length, canon.SHA1Length, canon.SHA256Length:
	default:
		return false
	}
	word := s.t[a:b]
	if !canon.IsHex(string(word)) || isDotted(word) || bytes.Count(word, word[:1]) == len(word) {
		return false
	}
	if !s.isHashPlace(a, b) {
		return false
	}
	switch s.place(a, b) {
	case ofOther:
		return false
	case ofHash:
		return true
	}
	return s.isDigest(a, b)
}

// isHashPlace reports whether the characters around the letters and digits from a to b can surround
// a file hash.
func (s *scanner) isHashPlace(a, b int) bool {
	before, after := s.before(a), s.after(b)
	switch {
	case before == '+', after == '+', after == '=' && before != '=', before == '/' && after == '/': // encoded data, paths
		return false
	case before == '-' && s.before(a-1) == '-': // a MIME boundary
		return false
	case after == ':' && isAlnum(s.after(b+1)): // a password hash
		return false
	case before == '[' && isAlnum(s.before(a-1)): // US[…]
		return false
	case before == ' ' && after == ' ' && s.before(a-1) == '{' && s.after(b+1) == '}': // a YARA rule
		return false
	case before == ':' && isWordByte(s.before(a-1)):
		start := s.termStart(a-1, max(0, a-32))
		w := s.wordsBefore(start)
		m, _ := w.meaning(1)
		return s.before(start) != '@' && s.isHashKey(s.t[start:a-1]) && (m != ofOther || !w.isNear(start) || w.places[0][0] < s.lineStart) // except the digest of a container
	case before == ' ' && isLetter(s.before(a-1)): // an option such as -p
		start := a - 1
		for start > 0 && isLetter(s.t[start-1]) {
			start--
		}
		return s.before(start) != '-' || s.before(start-1) != ' ' && s.before(start-1) != '-' || s.isHashKey(s.t[start:a-1])
	}
	return true
}

// isHashKey reports whether a field name denotes a hash.
func (s *scanner) isHashKey(name []byte) bool {
	return meaningOfTerm(name) == ofHash || len(name) <= len("hash_sha256") && bytes.Contains(bytes.ToLower(name), []byte("hash")) && meaningOfTerm(name) == noMeaning
}

// isDigest reports whether the words before a hash allow it to be a file hash.
func (s *scanner) isDigest(a, b int) bool {
	if s.hashEnd > 0 && len(bytes.TrimSpace(s.t[s.hashEnd:a])) == 0 { // on the next line
		s.hashEnd = b
		return s.digest
	}
	if rest := s.t[b:]; bytes.HasPrefix(rest, []byte("  ")) && isWordByte(s.after(b+2)) || bytes.HasPrefix(rest, []byte(" *")) {
		s.hashEnd, s.digest = b, true // output of md5sum and similar tools
		return true
	}
	w := s.wordsBefore(a)
	digest := true
	if quote := s.before(a); w.keyed && s.after(b) != '.' && (quote == '"' || quote == '\'') && !isKeyOfHash(w.word(0)) {
		return false
	}
	for i := range min(w.n, 6) {
		word := w.word(i)
		m := w.meaningAt(i)
		if len(word) >= canon.MD5Length || m == ofHash && i == 0 {
			digest = (b-a != canon.SHA1Length || !s.isOfCertificate(a)) && (i > 0 || !w.hasOther(1, 2))
			break
		}
		if m == ofOther || m == ofVersion && b-a == canon.SHA1Length || i == 0 && s.before(a) == '=' && w.places[0][1] == a-1 && !isKeyOfHash(word) {
			digest = false
			break
		}
	}
	if w.n == 0 {
		digest = !s.isBlob(a) && !s.isDump(a)
	}
	if digest && s.after(s.lineStart) == '|' {
		digest = !s.isRowOfOther(b)
	}
	s.hashEnd, s.digest = b, digest
	return digest
}

// hasOther reports whether one of the words from first to last indicates that a hash is not a file
// hash.
func (w *nearby) hasOther(first, last int) bool {
	for i := first; i <= last && i < w.n; i++ {
		if w.meaningAt(i) == ofOther {
			return true
		}
	}
	return false
}

// isKeyOfHash reports whether a field name in JSON or source code allows a file hash as the value.
func isKeyOfHash(name []byte) bool {
	lower := bytes.ToLower(name)
	for _, part := range [...]string{"hash", "md5", "sha", "file", "sample", "value", "indicator", "ioc", "observable", "resource", "payload", "malware", "binary"} {
		if bytes.Contains(lower, []byte(part)) {
			return true
		}
	}
	return false
}

// isOfCertificate reports whether the sentence before a position is about a certificate.
func (s *scanner) isOfCertificate(a int) bool {
	sentence := s.t[max(s.lineStart, a-120):a]
	if i := bytes.LastIndex(sentence, []byte(". ")); i >= 0 {
		sentence = sentence[i:]
	}
	return bytes.Contains(sentence, []byte("ertificate")) || bytes.Contains(sentence, []byte("ingerprint"))
}

// isRowOfOther reports whether the next cells of a table indicate that hexadecimal digits are
// something else, such as a key.
func (s *scanner) isRowOfOther(b int) bool {
	row := s.t[b:min(len(s.t), b+60)]
	if end := bytes.IndexByte(row, '\n'); end >= 0 {
		row = row[:end]
	}
	for word := range bytes.FieldsFuncSeq(row, isBetweenWords) {
		switch string(bytes.ToLower(word)) {
		case "certificado", "certificat", "certificate", "empreinte", "fingerprint", "huella", "iv",
			"key", "mutex", "nonce", "salt", "thumbprint", "zertifikat", "отпечаток", "сертификата":
			return true
		}
	}
	return false
}

// isBlob reports whether the line before a block indicates that the block is data.
func (s *scanner) isBlob(a int) bool {
	before := bytes.TrimRight(s.t[max(0, a-120):a], " \t\n\r`")
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	other := false
	for word := range bytes.FieldsFuncSeq(line, isBetweenWords) {
		switch string(bytes.ToLower(word)) {
		case "file", "files", "hash", "hashes", "indicators", "iocs", "md5", "sample", "samples", "sha",
			"sha1", "sha256":
			return false
		}
		other = other || meaningOfTerm(word) == ofOther
	}
	return other
}

// isDump reports whether the line at a is the first of a block of hexadecimal data: one in which a
// line has a length that no hash has.
func (s *scanner) isDump(a int) bool {
	rest := s.t[a:]
	for line := range bytes.Lines(rest) {
		line = bytes.TrimSpace(line)
		if !canon.IsHex(string(line)) {
			return false
		}
		switch len(line) {
		case canon.MD5Length, canon.SHA1Length, canon.SHA256Length:
		default:
			return true
		}
	}
	return false
}
