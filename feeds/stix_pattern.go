package feeds

import (
	"errors"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// comparison is a comparison of a STIX pattern that can become an indicator.
type comparison struct {
	path   string // for example domain-name:value, without quotes
	subset bool   // the operator is ISSUBSET, not =
	value  string
}

// errPattern is the error of a pattern that does not follow the grammar.
var errPattern = errors.New("has a malformed pattern")

// unsupported returns the error of a pattern that single indicators cannot express.
func unsupported(what string) error {
	return skipped("has a pattern with " + what + ", which is not supported: only comparisons with = and IN, joined by OR, become indicators")
}

// parsePattern returns the comparisons of a pattern that are joined by OR, inside of brackets or between them, and
// the errors of the parts that cannot be used.
//
// The other operators describe several things together (AND, FOLLOWEDBY, WITHIN, REPEATS, START) or several values
// (NOT, LIKE, MATCHES, <). Indicators cannot express that, and a part of an AND would match too much.
func parsePattern(pattern string) (found []comparison, refusals []error) {
	p := &patternParser{rest: pattern}
	p.advance()
	for depth := 0; ; {
		for p.take("(") {
			depth++
		}
		comparisons, reasons, err := p.observation()
		if err != nil {
			return nil, []error{err}
		}
		found, refusals = append(found, comparisons...), append(refusals, reasons...)
		for depth > 0 && p.take(")") {
			depth--
		}
		switch word := p.keyword(); word {
		case "OR":
			p.advance()
		case "AND", "FOLLOWEDBY", "WITHIN", "REPEATS", "START":
			return nil, []error{unsupported(word)}
		default:
			if p.kind != tokenEnd || depth > 0 {
				return nil, []error{errPattern}
			}
			return found, refusals
		}
	}
}

// observation reads a pair of brackets with comparisons.
func (p *patternParser) observation() (found []comparison, refusals []error, err error) {
	if !p.take("[") {
		return nil, nil, errPattern
	}
	and := false
	for depth := 0; ; p.advance() {
		for p.take("(") {
			depth++
		}
		comparisons, refusal, err := p.comparison()
		if err != nil {
			return nil, nil, err
		}
		found = append(found, comparisons...)
		if refusal != nil {
			refusals = append(refusals, refusal)
		}
		for depth > 0 && p.take(")") {
			depth--
		}
		switch word := p.keyword(); {
		case depth == 0 && p.take("]"):
			if and {
				return nil, []error{unsupported("AND")}, nil
			}
			return found, refusals, nil
		case word == "AND":
			and = true
		case word != "OR":
			return nil, nil, errPattern
		}
	}
}

// comparison reads a path, an operator, and one or more values. refusal is the error of a well-formed comparison that
// cannot be used.
func (p *patternParser) comparison() (found []comparison, refusal, err error) {
	exists := p.keyword() == "EXISTS"
	if exists {
		p.advance()
	}
	path := p.text
	if p.kind != tokenWord || !strings.Contains(path, ":") {
		return nil, nil, errPattern
	}
	p.advance()
	if exists {
		return nil, unsupported("EXISTS"), nil
	}
	if p.keyword() == "NOT" {
		p.advance()
		refusal = unsupported("NOT")
	}
	operator := strings.ToUpper(p.text)
	if p.kind == tokenLiteral {
		return nil, nil, errPattern
	}
	p.advance()
	switch operator {
	case "=", "==", "IN", "ISSUBSET":
	case "!=", "<>", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUPERSET":
		refusal = unsupported(operator)
	default:
		return nil, nil, errPattern
	}
	set := operator == "IN"
	if set && !p.take("(") {
		return nil, nil, errPattern
	}
	for more := true; more; more = set && p.take(",") {
		switch {
		case p.kind == tokenTyped:
			refusal = unsupported("a value in a binary form or a timestamp")
		case p.kind != tokenLiteral && !p.isNumber():
			return nil, nil, errPattern
		}
		found = append(found, comparison{path: path, subset: operator == "ISSUBSET", value: p.text})
		p.advance()
	}
	if set && !p.take(")") {
		return nil, nil, errPattern
	}
	if refusal != nil {
		found = nil
	}
	return found, refusal, nil
}

// patternParser parses a pattern with one token of lookahead.
type patternParser struct {
	rest string
	kind tokenKind
	text string // of the token, without quotes
}

type tokenKind int

const (
	tokenEnd     tokenKind = iota
	tokenMark              // a bracket, a parenthesis, a comma, or an operator that is not a word
	tokenWord              // a keyword, an object path, a number or a boolean
	tokenLiteral           // text in quotes
	tokenTyped             // text in quotes after one of the letters t, h and b
	tokenBroken
)

// keyword returns the next token in upper case if it is a word, or "".
func (p *patternParser) keyword() string {
	if p.kind != tokenWord {
		return ""
	}
	return strings.ToUpper(p.text)
}

// isNumber reports whether the next token is a number or a boolean.
func (p *patternParser) isNumber() bool {
	return p.kind == tokenWord && (strings.Trim(p.text, "+-.0123456789eE") == "" || p.text == "true" || p.text == "false")
}

// take consumes the next token if it is the mark.
func (p *patternParser) take(mark string) bool {
	if p.kind != tokenMark || p.text != mark {
		return false
	}
	p.advance()
	return true
}

// advance reads the next token.
func (p *patternParser) advance() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n\v\f")
	p.kind, p.text = tokenEnd, ""
	if p.rest == "" {
		return
	}
	if p.rest[0] == '\'' {
		p.kind = tokenLiteral
		p.unquote()
		return
	}
	for _, mark := range [...]string{"==", "!=", "<>", "<=", ">=", "=", "<", ">", "[", "]", "(", ")", ","} {
		if strings.HasPrefix(p.rest, mark) {
			p.kind, p.text, p.rest = tokenMark, mark, p.rest[len(mark):]
			return
		}
	}
	p.word()
}

// word reads a word. Steps of an object path can be in quotes, which are removed, and have an index in brackets.
func (p *patternParser) word() {
	p.kind = tokenWord
	path := false // there was a colon
	var b strings.Builder
	for p.rest != "" && p.kind == tokenWord {
		switch c := p.rest[0]; {
		case strings.IndexByte(" \t\r\n\v\f(),=<>!]", c) >= 0:
			p.text = b.String()
			return
		case c == '\'' && path && strings.HasSuffix(b.String(), "."):
			p.unquote()
			b.WriteString(p.text)
		case c == '\'' && slices.Contains([]string{"t", "h", "b"}, b.String()):
			p.kind = tokenTyped
			p.unquote()
			return
		case c == '[' && path && strings.Contains(p.rest, "]"):
			end := strings.IndexByte(p.rest, ']')
			b.WriteString(p.rest[:end+1])
			p.rest = p.rest[end+1:]
		case c == '\'' || c == '[':
			p.kind = tokenBroken
		default:
			path = path || c == ':'
			b.WriteByte(c)
			p.rest = p.rest[1:]
		}
	}
	p.text = b.String()
}

// unquote reads text in quotes, in which a backslash escapes a quote or a backslash.
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

// indicator returns the indicator that the comparison becomes.
func (c *comparison) indicator() (threatconnect.Indicator, error) {
	t := c.indicatorType()
	switch {
	case t == "":
		return nil, c.unsupportedPath()
	case t == threatconnect.TypeFile && !c.subset:
		return c.file()
	case t == threatconnect.TypeAddress && strings.Contains(c.value, "/"):
		t = threatconnect.TypeCIDR // in STIX, a block is the value of an address
	case c.subset && t == threatconnect.TypeAddress:
		return nil, errors.New("has a pattern with ISSUBSET of a value that is not a block of addresses")
	case c.subset:
		return nil, unsupported("ISSUBSET of something other than an address")
	}
	return indicatorOf(t, c.value)
}

// indicatorType returns the indicator type of a path, or "".
func (c *comparison) indicatorType() threatconnect.IndicatorType {
	switch c.path {
	case "domain-name:value":
		return threatconnect.TypeHost
	case "ipv4-addr:value", "ipv6-addr:value":
		return threatconnect.TypeAddress
	case "url:value":
		return threatconnect.TypeURL
	case "email-addr:value", "email-message:from_ref.value", "email-message:sender_ref.value":
		return threatconnect.TypeEmailAddress
	case "email-message:subject":
		return threatconnect.TypeEmailSubject
	case "autonomous-system:number":
		return threatconnect.TypeASN
	case "mutex:name":
		return threatconnect.TypeMutex
	}
	if strings.HasPrefix(c.path, "file:hashes.") {
		return threatconnect.TypeFile
	}
	return ""
}

// unsupportedPath returns the error of a path without an indicator type. It names only well-known paths and objects,
// because others could contain anything.
func (c *comparison) unsupportedPath() error {
	object, _, _ := strings.Cut(c.path, ":")
	switch c.path {
	case "file:name", "file:path", "file:size", "file:parent_directory_ref.path", "directory:path", "process:name", "process:command_line",
		"network-traffic:dst_port", "network-traffic:src_port", "network-traffic:dst_ref.value", "network-traffic:src_ref.value",
		"windows-registry-key:key", "windows-registry-key:values", "user-account:user_id", "user-account:account_login", "software:name",
		"artifact:payload_bin", "x509-certificate:serial_number", "x509-certificate:issuer", "x509-certificate:subject",
		"email-message:body", "mac-addr:value", "configuration-profile:id", "app:id":
		object = c.path
	}
	switch kind, _, _ := strings.Cut(object, ":"); kind {
	case "file", "directory", "process", "network-traffic", "windows-registry-key", "user-account", "software",
		"artifact", "x509-certificate", "email-message", "mac-addr", "configuration-profile", "app":
		return skipped("has a pattern on " + object + ", which is not supported: it has no indicator type")
	}
	return skipped("has a pattern on an object that is not supported: it has no indicator type")
}

// file returns the file of a hash.
func (c *comparison) file() (threatconnect.Indicator, error) {
	name := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(c.path, "file:hashes."), "-", ""))
	length := map[string]int{"MD5": 32, "SHA1": 40, "SHA256": 64}[name]
	if length == 0 {
		return nil, skipped("has a pattern on a hash other than MD5, SHA-1 and SHA-256, which ThreatConnect does not have")
	}
	hash, err := ioc.Canonical(ioc.TypeFile, c.value)
	if err != nil {
		return nil, err
	}
	if len(hash) != length {
		return nil, errors.New("has a pattern on a hash whose length does not fit its name")
	}
	return threatconnect.NewFile(hash), nil
}
