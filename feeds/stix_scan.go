package feeds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON, checks its syntax, and keeps only the text that its caller asks for.
//
// Its methods return errSyntax, errDepth, errors of the reader, or io.EOF at the end of the text.
type scanner struct {
	in   *bufio.Reader
	line int      // line of the character that was read last
	to   *capture // receives the text without white space, if it is not nil
	word capture  // the newest key, or the newest string that text returned
}

var (
	errSyntax = errors.New("invalid JSON")
	errDepth  = errors.New("JSON that is nested too deeply")
)

const (
	maxDepth    = 500
	maxScalar   = 400    // characters of a number
	maxWord     = 512    // bytes of a key, and of the ID of a STIX object
	maxElements = 10_000 // of an array or object that is captured, and of a list of JSON lines
)

// capture keeps text up to a limit.
type capture struct {
	text  []byte
	limit int
	over  bool // the text exceeded the limit, or had a list with too many elements
}

func (c *capture) reset(text string) { c.text, c.over = append(c.text[:0], text...), false }

func (c *capture) add(text ...byte) {
	if c == nil || c.over {
		return
	}
	if len(c.text)+len(text) > c.limit {
		c.over = true
		return
	}
	c.text = append(c.text, text...)
}

func newScanner(in *bufio.Reader) *scanner {
	return &scanner{in: in, line: 1, word: capture{limit: maxWord}}
}

// next returns the next character that is not white space.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			s.to.add(c)
			return c, nil
		}
	}
}

// value reads a value after its first character.
func (s *scanner) value(first byte, depth int) error {
	switch first {
	case '{':
		return s.members(depth, nil)
	case '[':
		return s.elements(depth, nil)
	case '"':
		return s.quoted()
	}
	return s.scalar(first)
}

// members reads an object after its brace. It calls each, if not nil, to read the value of a member, with the
// first character of the value. The key is empty if it is longer than maxWord.
func (s *scanner) members(depth int, each func(key string, first byte) error) error {
	return s.list('}', depth, func(c byte) error {
		if c != '"' {
			return errSyntax
		}
		key := ""
		var err error
		if each == nil {
			err = s.quoted()
		} else if key, err = s.text(); errors.Is(err, errLong) {
			err = nil
		}
		if err != nil {
			return err
		}
		if c, err = s.next(); err == nil && c != ':' {
			err = errSyntax
		}
		if err == nil {
			c, err = s.next()
		}
		if err != nil {
			return err
		}
		if each == nil {
			return s.value(c, depth+1)
		}
		return each(key, c)
	})
}

// elements reads an array after its bracket, with each as members does.
func (s *scanner) elements(depth int, each func(first byte) error) error {
	if each == nil {
		each = func(c byte) error { return s.value(c, depth+1) }
	}
	return s.list(']', depth, each)
}

func (s *scanner) list(end byte, depth int, each func(first byte) error) error {
	if depth >= maxDepth {
		return errDepth
	}
	c, err := s.next()
	if err != nil || c == end {
		return err
	}
	for n := 1; ; n++ {
		if err := each(c); err != nil {
			return err
		}
		if n > maxElements && s.to != nil {
			s.to.over = true
		}
		if c, err = s.next(); err != nil || c == end {
			return err
		}
		if c != ',' {
			return errSyntax
		}
		if c, err = s.next(); err != nil {
			return err
		}
	}
}

// quoted reads a string after its first quote.
func (s *scanner) quoted() error {
	for {
		if _, err := s.in.Peek(1); err != nil {
			return err
		}
		b, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(b) && b[n] != '"' && b[n] != '\\' && b[n] >= ' ' {
			n++
		}
		whole := n == len(b)
		if !whole {
			n++
		}
		end := b[n-1]
		s.to.add(b[:n]...)
		_, _ = s.in.Discard(n) // they are buffered
		switch {
		case whole:
		case end == '"':
			return nil
		case end != '\\':
			return errSyntax
		default:
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
}

// escape reads the rest of an escape sequence after its backslash.
func (s *scanner) escape() error {
	c, err := s.oneOf(`"\/bfnrtu`)
	for n := 0; err == nil && c == 'u' && n < 4; n++ {
		_, err = s.oneOf("0123456789abcdefABCDEF")
	}
	return err
}

func (s *scanner) oneOf(set string) (byte, error) {
	c, err := s.in.ReadByte()
	if err == nil && strings.IndexByte(set, c) < 0 {
		err = errSyntax
	}
	s.to.add(c)
	return c, err
}

// errLong is the error for a string that is longer than maxWord.
var errLong = errors.New("is too long")

// text returns the string after its first quote, or errLong.
func (s *scanner) text() (string, error) {
	to := s.to
	s.word.reset(`"`)
	s.to = &s.word
	err := s.quoted()
	s.to = to
	switch {
	case err != nil:
		return "", err
	case s.word.over:
		return "", errLong
	case !bytes.ContainsRune(s.word.text, '\\'):
		return string(s.word.text[1 : len(s.word.text)-1]), nil
	}
	var text string
	err = json.Unmarshal(s.word.text, &text)
	return text, err
}

// scalar reads a number, true, false or null after its first character.
func (s *scanner) scalar(first byte) error {
	text := append(make([]byte, 0, 32), first)
	cut := false
	for len(text) < maxScalar {
		b, err := s.in.Peek(1)
		if cut = err == io.EOF; cut {
			break
		}
		if err != nil {
			return err
		}
		if c := b[0]; c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c|' ' < 'a' || c|' ' > 'z') {
			break
		}
		text = append(text, b[0])
		_, _ = s.in.Discard(1)
	}
	switch {
	case json.Valid(text):
		s.to.add(text[1:]...)
		return nil
	case cut:
		return io.EOF
	}
	return errSyntax
}

// hasHalfRune reports whether JSON text has the escape of half a surrogate pair, which decoding would replace.
func hasHalfRune(text []byte) bool {
	unit := func(i int) rune {
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return -1
		}
		n, _ := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		return rune(n)
	}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
		case !utf16.IsSurrogate(unit(i)):
			i++ // it may be an escaped backslash
		case utf16.DecodeRune(unit(i), unit(i+6)) == utf8.RuneError:
			return true
		default:
			i += 11
		}
	}
	return false
}
