// Package errorlist reads the list of errors of a batch job. Instances write the list in several forms, some of which
// are not valid JSON.
package errorlist

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Scanner reads the objects of a list from text that resembles JSON, and returns each as JSON. Keys may lack
// quotes, commas may be repeated, and the brackets of the list may be missing.
type Scanner struct {
	src   *bufio.Reader
	buf   []byte
	begun bool
	list  bool // the list has begun and must end
}

// NewScanner returns a Scanner that reads from r.
func NewScanner(r *bufio.Reader) *Scanner { return &Scanner{src: r} }

// InList reports whether the last object was in brackets, and not a bare object.
func (s *Scanner) InList() bool { return s.list }

// MaxObject is the largest size of an object in bytes.
const MaxObject = 1 << 20

// Errors of a Scanner. Errors of its reader are returned as well.
var (
	ErrNoList     = errors.New("want a list of objects")
	ErrUnfinished = errors.New("it ends inside an object")
	ErrTooLarge   = errors.New("it contains an object larger than 1 MiB")
)

// Next returns the next object, which is valid until the next call, or io.EOF at the end.
func (s *Scanner) Next() ([]byte, error) {
	for {
		c, err := s.src.ReadByte()
		switch {
		case err == io.EOF && !s.begun:
			return nil, ErrNoList
		case err == io.EOF && s.list:
			return nil, ErrUnfinished
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
			return nil, ErrNoList
		}
	}
}

// object reads the rest of an object.
func (s *Scanner) object() ([]byte, error) {
	depth, last := 1, byte('{')
	for depth > 0 {
		if len(s.buf) > MaxObject {
			return nil, ErrTooLarge
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

// text reads a string after its first quote. It replaces control characters with spaces.
func (s *Scanner) text(quote byte) error {
	s.buf = append(s.buf, '"')
	for len(s.buf) <= MaxObject {
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
	return ErrTooLarge
}

// word reads text without quotes: a number, a literal, or an unquoted key or string.
func (s *Scanner) word(c byte) error {
	from := len(s.buf)
	s.buf = append(s.buf, c)
	for len(s.buf) <= MaxObject {
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
	if w := string(s.buf[from:]); w != "true" && w != "false" && w != "null" && strings.Trim(w, "0123456789") != "" {
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
		return ErrUnfinished
	}
	return err
}
