package threatconnect

import (
	"encoding/binary"
	"strings"
)

// Lengths, in hexadecimal digits, that tell the hashes of a file apart.
const (
	md5Length    = 32
	sha1Length   = 40
	sha256Length = 64
)

// valueSeparator stands between the values of an indicator that has several.
const valueSeparator = " : "

// CanonicalHash returns an MD5, SHA-1 or SHA-256 hash in upper case, which is how the platform
// hands hashes out: what was read from it and what is about to be written compare equal.
//
// The length tells the hash: 32, 40 or 64 hexadecimal digits. White space around it is dropped.
// Anything else is refused with a [*ValidationError]. An upper-case hash costs no allocation.
func CanonicalHash(hash string) (string, error) {
	const field = "hash"
	s := strings.TrimSpace(hash)
	if !isHex(s) {
		return "", refuse(field, "is not hexadecimal", "give an MD5, SHA-1 or SHA-256 in hexadecimal digits")
	}
	switch len(s) {
	case md5Length, sha1Length, sha256Length:
		return upperHex(s), nil
	}
	return "", refuse(field, "is not 32, 40 or 64 digits long", "give an MD5, SHA-1 or SHA-256")
}

// upperHex returns hexadecimal digits in upper case: 64 of them at most, and a multiple of eight.
func upperHex(s string) string {
	const bit = 0x2020202020202020 // that tells a lower-case letter
	var out [sha256Length]byte
	in := []byte(s) // which copies nothing
	for i := 0; i+8 <= len(in); i += 8 {
		x := binary.LittleEndian.Uint64(in[i : i+8])
		binary.LittleEndian.PutUint64(out[i:i+8], x&^(x>>1&bit)) // a letter is what has 0x40
	}
	if upper := out[:len(s)]; string(upper) != s {
		return string(upper)
	}
	return s
}

// JoinFileSummary returns the summary of a file: its hashes in the order MD5, SHA-1, SHA-256, with
// " : " between them.
//
// Hashes that are empty are left out, so that the summary of a file with one hash is that hash.
// The hashes are not checked; see [CanonicalHash].
func JoinFileSummary(md5, sha1, sha256 string) string {
	s := md5
	for _, hash := range [...]string{sha1, sha256} {
		switch {
		case hash == "":
		case s == "":
			s = hash
		default:
			s += valueSeparator + hash
		}
	}
	return s
}

// SplitFileSummary returns the hashes that the summary of a file holds, in canonical form, and ""
// for those that it does not.
//
// It takes every form that the platform and its clients write: one hash alone, or up to three with
// colons between, with any spaces, with or without empty places for missing ones. Length tells the
// hashes, not their place. A summary without a hash, or with two of one kind, is refused with a
// [*ValidationError].
func SplitFileSummary(summary string) (md5, sha1, sha256 string, err error) {
	const field = "file summary"
	for rest, more := summary, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ":")
		if strings.TrimSpace(part) == "" {
			continue
		}
		hash, err := CanonicalHash(part)
		if err != nil {
			return "", "", "", err
		}
		slot := &md5
		switch len(hash) {
		case sha1Length:
			slot = &sha1
		case sha256Length:
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

// isHex reports whether s is one or more hexadecimal digits.
func isHex(s string) bool {
	b := []byte(s) // which copies nothing
	for ; len(b) >= 8; b = b[8:] {
		if !isHexWord(binary.LittleEndian.Uint64(b)) {
			return false
		}
	}
	for _, c := range b {
		// Below zero is what is a digit, or a letter up to f: one branch instead of four, none of which
		// could be foretold.
		if (int(c-'0')-10)|(int(c|0x20-'a')-6) >= 0 {
			return false
		}
	}
	return s != ""
}

// isHexWord is isHex of eight bytes. In each sum the highest bit of a byte says whether that byte is
// at least, or more than, what the sum compares it with. A byte above 0x7f comes out as neither a
// digit nor a letter; its carry comes too late to save it.
func isHexWord(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	lower := x | ones*0x20
	digits := (x + ones*(0x80-'0')) &^ (x + ones*(0x7f-'9'))
	letters := (lower + ones*(0x80-'a')) &^ (lower + ones*(0x7f-'f'))
	return (digits|letters)&highs == highs
}
