package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the decoded inside of a string to dst. Its escapes must be valid.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && s[i+1] == 'u':
			v := escaped(s[i:])
			i += 6
			if utf16.IsSurrogate(v) {
				if pair := utf16.DecodeRune(v, escaped(s[i:])); pair != utf8.RuneError {
					v = pair
					i += 6
				} else {
					v = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, v)
		case c == '\\':
			dst = append(dst, unescaped(s[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			v, n := utf8.DecodeRune(s[i:])
			dst = utf8.AppendRune(dst, v)
			i += n
		}
	}
	return dst
}

// unescapedLen returns the maximum length of the output of unescape for s.
func unescapedLen(s []byte) int {
	n := len(s)
	for i := 0; i < len(s); {
		v, size := utf8.DecodeRune(s[i:])
		if i += size; v == utf8.RuneError && size == 1 {
			n += 2 // U+FFFD takes three bytes
		}
	}
	return n
}

// escaped returns the value of the \u escape at the start of s, or -1 if there is none.
func escaped(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	return unhex(s[2])<<12 | unhex(s[3])<<8 | unhex(s[4])<<4 | unhex(s[5])
}

// unescaped returns the character that a backslash and c denote.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // the quote, the backslash and the slash
}
