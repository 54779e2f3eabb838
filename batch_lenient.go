package threatconnect

import (
	"bufio"
	"errors"
	"io"
)

// objectScanner reads the objects of a list from a text that is nearly JSON, and returns each as JSON. Keys can lack
// quotes, commas can be repeated, and the brackets of the list can be missing.
type objectScanner struct {
	src   *bufio.Reader
	buf   []byte
	begun bool
	list  bool // in a list that must have an end
}

// mostObject is the largest size of an object in bytes.
const mostObject = 1 << 20

var (
	errNoList    = errors.New("want a list of objects")
	errOpenText  = errors.New("it ends inside of an object")
	errHugeEntry = errors.New("an object in it is larger than 1 MiB")
)

// next returns the next object, which is valid until the next call, or io.EOF at the end.
func (s *objectScanner) next() ([]byte, error) {
	for {
		c, err := s.src.ReadByte()
		switch {
		case err == io.EOF && !s.begun:
			return nil, errNoList
		case err == io.EOF && s.list:
			return nil, errOpenText
		case err != nil:
			return nil, err
		case c == '{':
			s.begun = true
			s.buf = append(s.buf[:0], '{')
			return s.object()
		case c == ']':
			s.list = false
			return nil, io.EOF
		case c == '[':
			s.begun, s.list = true, true
		case c == ',' || c <= ' ' || c == 0xef || c == 0xbb || c == 0xbf:
		case !s.begun:
			return nil, errNoList
		}
	}
}

// object reads the rest of an object.
func (s *objectScanner) object() ([]byte, error) {
	depth, last := 1, byte('{')
	for depth > 0 {
		if len(s.buf) > mostObject {
			return nil, errHugeEntry
		}
		c, err := s.src.ReadByte()
		if err != nil {
			return nil, unfinished(err)
		}
		switch {
		case c <= ' ':
			continue
		case c == '"' || c == '\'':
			if err := s.text(c); err != nil {
				return nil, err
			}
		case c == '{' || c == '[':
			depth++
			s.buf = append(s.buf, c)
		case c == '}' || c == ']':
			if last == ',' {
				s.buf = s.buf[:len(s.buf)-1]
			}
			depth--
			s.buf = append(s.buf, c)
		case c == ',' || c == ':':
			if c == ',' && (last == ',' || last == '{' || last == '[') {
				continue
			}
			s.buf = append(s.buf, c)
		default:
			if err := s.word(c); err != nil {
				return nil, err
			}
		}
		last = s.buf[len(s.buf)-1]
	}
	return s.buf, nil
}

// text reads a string after its first quote. It replaces control characters by spaces.
func (s *objectScanner) text(quote byte) error {
	s.buf = append(s.buf, '"')
	for len(s.buf) <= mostObject {
		c, err := s.src.ReadByte()
		if err != nil {
			return unfinished(err)
		}
		switch {
		case c == quote:
			s.buf = append(s.buf, '"')
			return nil
		case c == '"':
			s.buf = append(s.buf, '\\', '"')
		case c == '\\':
			d, err := s.src.ReadByte()
			if err != nil {
				return unfinished(err)
			}
			if d == '\'' {
				s.buf = append(s.buf, d)
			} else {
				s.buf = append(s.buf, c, d)
			}
		case c < ' ':
			s.buf = append(s.buf, ' ')
		default:
			s.buf = append(s.buf, c)
		}
	}
	return errHugeEntry
}

// word reads a text without quotes: a number, a literal, or a key or string that lacks them.
func (s *objectScanner) word(c byte) error {
	from := len(s.buf)
	s.buf = append(s.buf, c)
	for len(s.buf) <= mostObject {
		next, err := s.src.Peek(1)
		if err != nil {
			return unfinished(err)
		}
		if d := next[0]; d <= ' ' || d == ',' || d == ':' || d == '}' || d == ']' || d == '"' {
			break
		}
		_, _ = s.src.Discard(1) // it was peeked at
		s.buf = append(s.buf, next[0])
	}
	if w := string(s.buf[from:]); w != "true" && w != "false" && w != "null" && !allDigits(w) {
		s.buf = s.buf[:from]
		s.buf = append(s.buf, '"')
		for i := range len(w) {
			if w[i] == '\\' {
				s.buf = append(s.buf, '\\')
			}
			s.buf = append(s.buf, w[i])
		}
		s.buf = append(s.buf, '"')
	}
	return nil
}

func unfinished(err error) error {
	if err == io.EOF {
		return errOpenText
	}
	return err
}
