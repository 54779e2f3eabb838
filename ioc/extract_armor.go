package ioc

import "bytes"

// armor blanks blocks of encoded data, such as PGP messages and certificates: the lines after
// "-----BEGIN …" up to the first line that is not encoded data, such as "-----END …".
type armor struct {
	inside  bool
	headers bool // whether header lines of the block can follow
}

// blank overwrites the blocks in a text with spaces. The text continues the previous one.
func (a *armor) blank(text []byte) {
	if !a.inside && !bytes.Contains(text, []byte("-----BEGIN ")) {
		return
	}
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimSpace(line)
		switch {
		case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
			a.inside = !bytes.Contains(trimmed, []byte("SIGNED MESSAGE"))
			a.headers = true
		case !a.inside:
		case len(trimmed) == 0:
			a.headers = false
		case isBase64(trimmed) || a.headers && bytes.Contains(trimmed, []byte(": ")):
			for i := range line {
				if line[i] != '\n' {
					line[i] = ' '
				}
			}
		default:
			a.inside = false
		}
	}
}

// isBase64 reports whether a line is encoded data.
func isBase64(line []byte) bool {
	for _, c := range line {
		if !isAlnum(c) && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return len(line) <= 80
}
