package feeds

import (
	"errors"
	"slices"
	"strings"
)

// comparison is one comparison of a STIX pattern that stands for itself.
type comparison struct {
	path   string // as in domain-name:value; quotes are taken off
	subset bool   // whether the operator is ISSUBSET; = otherwise
	value  string
}

// errPattern is a pattern that does not follow the grammar.
var errPattern = errors.New("has a pattern that is not well-formed")

// unsupported makes the error of a pattern that says more than single indicators can.
func unsupported(what string) error {
	return errors.New("has a pattern with " + what + ", which is not supported: only comparisons with = and IN that are joined by OR stand for single indicators")
}

// parsePattern reads a STIX pattern whose comparisons are joined by OR, inside brackets or between
// them, and so stand for themselves. bad says which parts cannot be used; found can be used without
// them.
//
// The rest of the language says something about several things together (AND, FOLLOWEDBY, WITHIN,
// REPEATS, START) or about more than one value (NOT, LIKE, MATCHES, < and so on). An indicator
// cannot say that, and half of an AND would say too much.
func parsePattern(pattern string) (found []comparison, bad []error) {
	p := &patternParser{rest: pattern}
	p.advance()
	for {
		comparisons, reasons, err := p.observation()
		if err != nil {
			return nil, []error{err}
		}
		found, bad = append(found, comparisons...), append(bad, reasons...)
		switch p.keyword() {
		case "":
			if p.kind != tokenEnd {
				return nil, []error{errPattern}
			}
			return found, bad
		case "OR":
			p.advance()
		case "AND", "FOLLOWEDBY", "WITHIN", "REPEATS", "START":
			return nil, []error{unsupported(p.keyword())}
		default:
			return nil, []error{errPattern}
		}
	}
}

// patternParser looks one token ahead.
type patternParser struct {
	rest string
	kind tokenKind
	text string // of the token, without its quotes
}

type tokenKind int

const (
	tokenEnd     tokenKind = iota
	tokenMark              // one of [ ] ( ) and the comma, or an operator of signs
	tokenWord              // a keyword, an object path or a number
	tokenLiteral           // text in quotes
	tokenBroken
)

// observation reads one pair of brackets and what stands in it.
func (p *patternParser) observation() (found []comparison, bad []error, err error) {
	if p.take("(") {
		return nil, nil, unsupported("parentheses around observations")
	}
	if !p.take("[") {
		return nil, nil, errPattern
	}
	and := false
	for depth := 0; ; {
		for p.take("(") {
			depth++
		}
		comparisons, reason, err := p.comparison()
		if err != nil {
			return nil, nil, err
		}
		found = append(found, comparisons...)
		if reason != nil {
			bad = append(bad, reason)
		}
		for depth > 0 && p.take(")") {
			depth--
		}
		switch {
		case depth == 0 && p.take("]"):
			if and {
				return nil, []error{unsupported("AND")}, nil
			}
			return found, bad, nil
		case p.keyword() == "AND":
			and = true
		case p.keyword() != "OR":
			return nil, nil, errPattern
		}
		p.advance()
	}
}

// comparison reads a path, an operator and a value, or a set of values. reason is why a well-formed
// one cannot be used.
func (p *patternParser) comparison() (found []comparison, reason, err error) {
	if word := p.keyword(); word == "NOT" || word == "EXISTS" {
		return nil, nil, unsupported(word)
	}
	path := p.text
	if p.kind != tokenWord || !strings.Contains(path, ":") {
		return nil, nil, errPattern
	}
	p.advance()
	operator := p.text
	if p.kind == tokenWord {
		operator = p.keyword()
	}
	p.advance()
	switch operator {
	case "=", "==", "ISSUBSET":
		value, err := p.value()
		if err != nil {
			return nil, nil, err
		}
		return []comparison{{path: path, subset: operator == "ISSUBSET", value: value}}, nil, nil
	case "IN":
		found, err = p.set(path)
		return found, nil, err
	case "NOT":
		return nil, nil, unsupported("NOT")
	case "!=", "<>", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUPERSET":
		_, err := p.value()
		return nil, unsupported(operator), err
	}
	return nil, nil, errPattern
}

// set reads ('a', 'b').
func (p *patternParser) set(path string) (found []comparison, err error) {
	if !p.take("(") {
		return nil, errPattern
	}
	for {
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		found = append(found, comparison{path: path, value: value})
		if p.take(")") {
			return found, nil
		}
		if !p.take(",") {
			return nil, errPattern
		}
	}
}

// value reads a literal or a number.
func (p *patternParser) value() (string, error) {
	if p.kind != tokenLiteral && p.kind != tokenWord {
		return "", errPattern
	}
	text := p.text
	p.advance()
	return text, nil
}

// keyword returns the word that is next in upper case; "" when what is next is no word.
func (p *patternParser) keyword() string {
	if p.kind != tokenWord {
		return ""
	}
	return strings.ToUpper(p.text)
}

// take goes past a mark when it is next.
func (p *patternParser) take(mark string) bool {
	if p.kind != tokenMark || p.text != mark {
		return false
	}
	p.advance()
	return true
}

// patternMarks are the tokens that are made of signs, longer ones first.
var patternMarks = []string{"==", "!=", "<>", "<=", ">=", "=", "<", ">", "[", "]", "(", ")", ","}

// advance reads the next token.
func (p *patternParser) advance() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n\v\f")
	p.text = ""
	if p.rest == "" {
		p.kind = tokenEnd
		return
	}
	if p.rest[0] == '\'' {
		p.kind = tokenLiteral
		p.unquote()
		return
	}
	if i := slices.IndexFunc(patternMarks, func(m string) bool { return strings.HasPrefix(p.rest, m) }); i >= 0 {
		p.kind, p.text = tokenMark, patternMarks[i]
		p.rest = p.rest[len(p.text):]
		return
	}
	p.kind = tokenWord
	p.word()
}

// word reads a keyword, a number or an object path. A path may have steps in quotes, which are
// taken off, and indexes in brackets.
func (p *patternParser) word() {
	var b strings.Builder
	for p.rest != "" && p.kind == tokenWord {
		switch c := p.rest[0]; {
		case strings.IndexByte(" \t\r\n\v\f(),=<>!]", c) >= 0:
			p.text = b.String()
			return
		case c == '\'':
			if !strings.HasSuffix(b.String(), ".") {
				p.kind = tokenBroken
				return
			}
			p.unquote()
			b.WriteString(p.text)
		case c == '[':
			end := strings.IndexByte(p.rest, ']')
			if end < 0 || !strings.Contains(b.String(), ":") {
				p.kind = tokenBroken
				return
			}
			b.WriteString(p.rest[:end+1])
			p.rest = p.rest[end+1:]
		default:
			b.WriteByte(c)
			p.rest = p.rest[1:]
		}
	}
	p.text = b.String()
}

// unquote reads text in quotes, in which a backslash stands before a quote or a backslash.
func (p *patternParser) unquote() {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\'':
			p.text, p.rest = b.String(), p.rest[i+1:]
			return
		case c == '\\' && i+1 < len(p.rest) && (p.rest[i+1] == '\'' || p.rest[i+1] == '\\'):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.kind = tokenBroken
}
