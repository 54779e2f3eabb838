package canon

import (
	"encoding/binary"
	"strings"
)

// The lengths of hashes in hexadecimal digits.
const (
	MD5Length    = 32
	SHA1Length   = 40
	SHA256Length = 64
)

// ValueSeparator separates the values of an indicator in its summary.
const ValueSeparator = " : "

// Hash returns an MD5, SHA-1 or SHA-256 hash in upper case. The platform returns hashes in this
// form, so canonical hashes are comparable with those of responses.
//
// A hash has 32, 40 or 64 hexadecimal digits. Surrounding white space is removed. Anything else
// returns an [*Error]. Hash does not allocate for an upper-case hash.
func Hash(hash string) (string, error) {
	const field = "hash"
	s := strings.TrimSpace(hash)
	if !IsHex(s) {
		return "", refuse(field, "is not hexadecimal", "give an MD5, SHA-1 or SHA-256 in hexadecimal digits")
	}
	switch len(s) {
	case MD5Length, SHA1Length, SHA256Length:
		return upperHex(s), nil
	}
	return "", refuse(field, "is not 32, 40 or 64 digits long", "give an MD5, SHA-1 or SHA-256")
}

// Hashes returns the MD5, SHA-1 and SHA-256 of a file in canonical form. Empty hashes stay empty.
func Hashes(v [3]string) ([3]string, error) {
	if v == [3]string{} {
		return v, refuse("file", "has no hash", "give an MD5, a SHA-1 or a SHA-256")
	}
	for i, kind := range [...]struct {
		name   string
		length int
	}{{"MD5", MD5Length}, {"SHA-1", SHA1Length}, {"SHA-256", SHA256Length}} {
		if v[i] == "" {
			continue
		}
		hash, err := Hash(v[i])
		if err != nil {
			return v, err
		}
		if len(hash) != kind.length {
			return v, refuse("file "+kind.name, "has the length of another hash", "set the field of that hash")
		}
		v[i] = hash
	}
	return v, nil
}

// upperHex returns up to 64 hexadecimal digits in upper case. Their number is a multiple of eight.
func upperHex(s string) string {
	const bit = 0x2020202020202020 // set in lower-case letters
	var out [SHA256Length]byte
	in := []byte(s) // does not copy
	for i := 0; i+8 <= len(in); i += 8 {
		x := binary.LittleEndian.Uint64(in[i : i+8])
		binary.LittleEndian.PutUint64(out[i:i+8], x&^(x>>1&bit)) // letters have 0x40
	}
	if upper := out[:len(s)]; string(upper) != s {
		return string(upper)
	}
	return s
}

// JoinFileSummary returns the summary of a file: its hashes in the order MD5, SHA-1, SHA-256,
// separated by " : ".
//
// It omits empty hashes, so the summary of a file with one hash is that hash. It does not validate
// the hashes; see [Hash].
func JoinFileSummary(md5, sha1, sha256 string) string {
	s := md5
	for _, hash := range [...]string{sha1, sha256} {
		switch {
		case hash == "":
		case s == "":
			s = hash
		default:
			s += ValueSeparator + hash
		}
	}
	return s
}

// SplitFileSummary returns the hashes in the summary of a file in canonical form. Missing hashes
// are "".
//
// It accepts every form that the platform and its clients write: a single hash, or up to three
// hashes separated by colons and spaces, with or without empty places for missing ones. The length
// of a hash determines its type, and their order is not significant. A summary without a hash, or
// with two hashes of the same type, returns an [*Error].
func SplitFileSummary(summary string) (md5, sha1, sha256 string, err error) {
	const field = "file summary"
	for rest, more := summary, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ":")
		if strings.TrimSpace(part) == "" {
			continue
		}
		hash, err := Hash(part)
		if err != nil {
			return "", "", "", err
		}
		slot := &md5
		switch len(hash) {
		case SHA1Length:
			slot = &sha1
		case SHA256Length:
			slot = &sha256
		}
		if *slot != "" {
			return "", "", "", refuse(field, "has two hashes of one kind", "give one MD5, one SHA-1 and one SHA-256 at most")
		}
		*slot = hash
	}
	if md5 == "" && sha1 == "" && sha256 == "" {
		return "", "", "", refuse(field, "has no hash", "give an MD5, SHA-1 or SHA-256")
	}
	return md5, sha1, sha256, nil
}

// IsHex reports whether s is one or more hexadecimal digits.
func IsHex(s string) bool {
	b := []byte(s) // does not copy
	for ; len(b) >= 8; b = b[8:] {
		if !isHexWord(binary.LittleEndian.Uint64(b)) {
			return false
		}
	}
	for _, c := range b {
		// The first term is negative for digits, the second for letters up to f. One branch
		// replaces four that the processor cannot predict.
		if (int(c-'0')-10)|(int(c|0x20-'a')-6) >= 0 {
			return false
		}
	}
	return s != ""
}

// isHexWord is IsHex for eight bytes. In each sum, the highest bit of a byte indicates whether the
// byte is at least (or greater than) the compared value. A byte above 0x7f is neither a digit nor a
// letter, and its carry changes only the bytes above it.
func isHexWord(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	lower := x | ones*0x20
	digits := (x + ones*(0x80-'0')) &^ (x + ones*(0x7f-'9'))
	letters := (lower + ones*(0x80-'a')) &^ (lower + ones*(0x7f-'f'))
	return (digits|letters)&highs == highs
}
