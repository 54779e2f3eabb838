package wire

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is the maximum nesting depth of objects and arrays.
const maxDepth = 512

// The errors in a text. They contain none of the text.
const (
	whatEnd     = "unexpected end"
	whatValue   = "want a value"
	whatKey     = "want a key in quotes"
	whatColon   = "want a colon after the key"
	whatObject  = "want a comma or the end of the object"
	whatArray   = "want a comma or the end of the list"
	whatDigit   = "want a digit"
	whatLiteral = "want true, false or null"
	whatControl = "a control character in a string must be escaped"
	whatEscape  = "unknown escape in a string"
	whatHex     = "want four hexadecimal digits"
	whatDepth   = "nested too deep"
	whatAfter   = "text after the value"
	whatLarge   = "larger than the cap"
	whatMemory  = "its values take more memory than allowed"
)

// The properties of a string that scanString reports.
const (
	sawEscape  = 1 << iota // a backslash
	sawForeign             // a byte above 0x7f
)

// kinds maps the first byte of a value to its kind.
var kinds = [256]Kind{
	'{': Object, '[': Array, '"': String, 't': Bool, 'f': Bool, 'n': Null, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// skipSpace returns the index of the first byte at or after i that is not JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// at returns the error at i: the end of the text, or what.
func at(b []byte, i int, what string) (int, string) {
	if i >= len(b) {
		return len(b), whatEnd
	}
	return i, what
}

// scanString scans a string whose opening quote precedes i. It returns the index after the closing
// quote and the properties of the string, or the index and the description of an error.
func scanString(b []byte, i int) (end int, saw uint8, what string) {
	for {
		for i+8 <= len(b) { // eight bytes at a time
			if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return len(b), saw, whatEnd
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, saw, ""
		case c == '\\':
			saw |= sawEscape
			if i, what = scanEscape(b, i); what != "" {
				return i, saw, what
			}
		case c < ' ':
			return i, saw, whatControl
		case c > 0x7f:
			saw |= sawForeign
			for i++; i < len(b) && b[i] > 0x7f; i++ {
			}
		default: // only in the last seven bytes of the text
			i++
		}
	}
}

// special examines eight bytes of a string. The lowest bit set in its result is the highest bit of
// the first byte that is a quote, a backslash, a control character or above 0x7f. The result is 0
// if there is no such byte.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	return ((x - ones*' ') | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones) | x) & highs
}

// Plain reports whether s consists only of printable ASCII characters other than the quote and the
// backslash. Such a string needs no escaping, is valid UTF-8 and contains no control characters.
// Other strings can have these properties, too.
func Plain(s string) bool {
	b := []byte(s) // does not copy
	if len(b) < 8 {
		if len(b) >= 4 {
			return plain(uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))<<32)
		}
		x := uint64(0)
		for _, c := range b {
			x = x<<8 | uint64(c)
		}
		return plain(x | uint64(blanks)<<(8*len(b)))
	}
	for i := 0; i+8 < len(b); i += 8 {
		if !plain(binary.LittleEndian.Uint64(b[i : i+8])) {
			return false
		}
	}
	return plain(binary.LittleEndian.Uint64(b[len(b)-8:])) // overlaps the previous eight bytes
}

const blanks = 0x2020202020202020

// plain is Plain for eight bytes.
func plain(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	// The first term detects bytes below 0x21 after flipping the second bit: control characters and
	// the quote. The second detects the backslash, the third 0x7f, and the last bytes above it.
	return (((x^ones*2)-ones*0x21)|((x^ones*'\\')-ones)|(x+ones)|x)&highs == 0
}

// scanEscape scans the escape whose backslash is at i.
func scanEscape(b []byte, i int) (int, string) {
	i++
	if i >= len(b) {
		return len(b), whatEnd
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, ""
	case 'u':
		for range 4 {
			i++
			if i >= len(b) || unhex(b[i]) < 0 {
				return at(b, i, whatHex)
			}
		}
		return i + 1, ""
	}
	return i, whatEscape
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

// scanNumber scans the number at i and returns the index after it, or the error.
func scanNumber(b []byte, i int) (int, string) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && '1' <= b[i] && b[i] <= '9':
		i = scanDigits(b, i)
	default:
		return at(b, i, whatDigit)
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = scanDigits(b, from); i == from {
			return at(b, i, whatDigit)
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		from := i + 1
		if from < len(b) && (b[from] == '+' || b[from] == '-') {
			from++
		}
		if i = scanDigits(b, from); i == from {
			return at(b, i, whatDigit)
		}
	}
	return i, ""
}

// scanDigits returns the index of the first byte at or after i that is not a digit.
func scanDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// scanLiteral scans the word at i and returns the index after it, or the error.
func scanLiteral(b []byte, i int, word string) (int, string) {
	for n := range len(word) {
		if i+n >= len(b) || b[i+n] != word[n] {
			return at(b, i+n, whatLiteral)
		}
	}
	return i + len(word), ""
}

// scanScalar scans the string, number, boolean or null at i and returns the index after it, or the
// error.
func scanScalar(b []byte, i int) (int, string) {
	if i >= len(b) {
		return len(b), whatEnd
	}
	switch c := b[i]; kinds[c] {
	case String:
		end, _, what := scanString(b, i+1)
		return end, what
	case Number:
		return scanNumber(b, i)
	case Bool:
		if c == 't' {
			return scanLiteral(b, i, "true")
		}
		return scanLiteral(b, i, "false")
	case Null:
		return scanLiteral(b, i, "null")
	}
	return i, whatValue
}

// scanValue scans the value at i, which must not be white space, and returns the index after it, or
// the error. depth is the number of objects and arrays around the value.
func scanValue(b []byte, i, depth int) (int, string) {
	if i >= len(b) {
		return len(b), whatEnd
	}
	if b[i] != '{' && b[i] != '[' {
		return scanScalar(b, i)
	}
	var (
		open frames // of this value only
		what string
	)
	for {
		// A value starts at i.
		if i < len(b) && (b[i] == '{' || b[i] == '[') {
			if depth+open.n >= maxDepth {
				return i, whatDepth
			}
			open.push(b[i] == '{')
			i = skipSpace(b, i+1)
			if i >= len(b) || b[i] != open.closer() {
				if open.object() {
					if i, what = scanKey(b, i); what != "" {
						return i, what
					}
				}
				continue
			}
			i++
			open.pop()
		} else if i, what = scanScalar(b, i); what != "" {
			return i, what
		}
		// A value ended before i.
		for {
			if open.n == 0 {
				return i, ""
			}
			i = skipSpace(b, i)
			if i < len(b) && b[i] == ',' {
				break
			}
			if i >= len(b) || b[i] != open.closer() {
				return at(b, i, open.want())
			}
			i++
			open.pop()
		}
		i = skipSpace(b, i+1)
		if open.object() {
			if i, what = scanKey(b, i); what != "" {
				return i, what
			}
		}
	}
}

// scanKey scans a key at i, its colon and the following white space.
func scanKey(b []byte, i int) (int, string) {
	if i >= len(b) || b[i] != '"' {
		return at(b, i, whatKey)
	}
	i, _, what := scanString(b, i+1)
	if what != "" {
		return i, what
	}
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return at(b, i, whatColon)
	}
	return skipSpace(b, i+1), ""
}

// frames is a stack of open objects and arrays with one bit per entry.
type frames struct {
	n    int
	bits [maxDepth / 64]uint64
}

func (f *frames) push(object bool) {
	word, bit := &f.bits[f.n/64], uint64(1)<<(f.n%64)
	if object {
		*word |= bit
	} else {
		*word &^= bit
	}
	f.n++
}

func (f *frames) pop() { f.n-- }

// object reports whether the innermost entry is an object.
func (f *frames) object() bool {
	return f.bits[(f.n-1)/64]&(1<<((f.n-1)%64)) != 0
}

func (f *frames) closer() byte {
	if f.object() {
		return '}'
	}
	return ']'
}

func (f *frames) want() string {
	if f.object() {
		return whatObject
	}
	return whatArray
}
