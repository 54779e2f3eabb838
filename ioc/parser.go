package ioc

import (
	"regexp"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// Parser recognizes values and returns their canonical forms. The zero Parser and a nil *Parser
// behave like [Parse] and [Canonical]. Its methods are safe for concurrent use if its fields do not
// change.
type Parser struct {
	// Strict also rejects unambiguous values that the platform is known to reject: hosts with an
	// underscore or an unusual top-level domain, such as a.travelersinsurance or setup.exe; URLs
	// whose host is an IPv6 address, or whose path, query or fragment violates RFC 3986; and email
	// addresses that are quoted or not ASCII before the @. It never changes the canonical form.
	Strict bool

	// Patterns contains the regular expressions of an instance by type, as returned by
	// IndicatorTypeInfo.Patterns of package threatconnect. If a type has expressions, one of them
	// must match the whole canonical value. The hashes of a file are matched separately. Types
	// without expressions are not restricted.
	Patterns map[Type][]*regexp.Regexp

	// SplitPort accepts a port after an address or a host, such as 192.0.2.1:443, [2001:db8::1]:443
	// and example.com:8080, and returns it in Indicator.Port. Ports range from 1 to 65535.
	SplitPort bool

	// AssumeScheme accepts URLs without a scheme, such as example.com/login and 192.0.2.1:8080/x,
	// and adds this scheme: http, https, ftp or sftp. It also sets Indicator.AssumedScheme. If
	// AssumeScheme is empty, such URLs are rejected.
	//
	// A host without a path, query and fragment remains a host. An address followed by a slash and
	// digits is a block. Values with an @ before the path are rejected because they can be email
	// addresses. Values that start with a file name, such as index.php?x, are also rejected.
	AssumeScheme string

	// MaskBlock accepts blocks with host bits, such as 192.0.2.1/24. Indicator.Value is the block,
	// 192.0.2.0/24, and Indicator.Address the address.
	MaskBlock bool
}

// Parse is like the function [Parse] with the options of p.
func (p *Parser) Parse(s string) (Indicator, error) {
	if p == nil {
		p = new(Parser)
	}
	v, err := p.parse(s)
	if err == nil {
		err = p.check(v.Type, v.Value)
	}
	if err != nil {
		return Indicator{}, public(err)
	}
	return v, nil
}

func (p *Parser) parse(s string) (v Indicator, err error) {
	s, v.Defanged = canon.Undefang(s)
	if p.AssumeScheme != "" && canon.IsSchemeless(s) {
		v.Type, v.AssumedScheme = TypeURL, true
		v.Value, err = canon.AssumeScheme(p.AssumeScheme, s)
		return v, err
	}
	if p.SplitPort {
		if s, v.Port, err = canon.SplitPort(s); err != nil {
			return v, err
		}
	}
	if p.MaskBlock {
		if block, address, ok := canon.MaskBlock(s); ok {
			s, v.Address = block, address
		}
	}
	t, values, err := canon.Parse(s)
	if err != nil {
		return v, err
	}
	v.Type = Type(t)
	v.Value, err = canon.Summary(t, values)
	return v, err
}

// check applies the options that reject canonical values.
func (p *Parser) check(t Type, value string) error {
	if p.Strict {
		if err := canon.CheckStrict(string(t), value); err != nil {
			return err
		}
	}
	patterns := p.Patterns[t]
	if len(patterns) == 0 {
		return nil
	}
	if t != TypeFile {
		return matchAny(patterns, t, value)
	}
	for hash := range strings.SplitSeq(value, canon.ValueSeparator) {
		if err := matchAny(patterns, t, hash); err != nil {
			return err
		}
	}
	return nil
}

// matchAny returns an error if none of the expressions matches the whole value.
func matchAny(patterns []*regexp.Regexp, t Type, value string) error {
	for _, pattern := range patterns {
		longest := *pattern // a shorter alternative must not win
		longest.Longest()
		if match := longest.FindStringIndex(value); match != nil && match[0] == 0 && match[1] == len(value) {
			return nil
		}
	}
	return &canon.Error{Field: string(t), Rule: "is matched by none of the regular expressions of its type",
		Fix: "correct it, or change the Patterns of the ioc.Parser"}
}

// Canonical is like the function [Canonical] and also applies Strict and Patterns. It ignores
// SplitPort, AssumeScheme and MaskBlock.
func (p *Parser) Canonical(t Type, value string) (string, error) {
	if p == nil {
		p = new(Parser)
	}
	v, err := canonical(t, value)
	if err == nil {
		err = p.check(t, v)
	}
	if err != nil {
		return "", public(err)
	}
	return v, nil
}
