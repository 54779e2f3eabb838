package lookup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

// maxLine is how long a line on standard input may be, in bytes.
const maxLine = 64 << 10

// input returns the values to look up: those on the command line, or the lines of standard input.
// The test server brings its own when there are none.
func (c *config) input(e *command.Env) (iter.Seq2[string, error], error) {
	if len(c.values) > 0 {
		return each(c.values), nil
	}
	if !e.StdinIsTerminal() {
		read := lines(e.Stdin, c.typ == "")
		if !c.InProcess() {
			return read, nil
		}
		return orElse(read, demoValues), nil
	}
	if c.InProcess() {
		return each(demoValues), nil
	}
	return nil, errors.New("there is nothing to look up: give values as arguments, or as lines on standard input")
}

func each(values []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// orElse yields the others when there is none.
func orElse(values iter.Seq2[string, error], others []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		any := false
		for v, err := range values {
			any = true
			if !yield(v, err) {
				return
			}
		}
		if !any {
			each(others)(yield)
		}
	}
}

// lines yields the lines that are not blank, and not comments where there can be some.
func lines(r io.Reader, comments bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxLine)
		for n := 1; s.Scan(); n++ {
			line := strings.TrimSpace(s.Text())
			if n == 1 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			if line == "" || comments && line[0] == '#' {
				continue
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield("", fmt.Errorf("read standard input: %w", err))
		}
	}
}

// reading makes an indicator of a value.
type reading func(value string) (threatconnect.IndicatorRef, error)

// recognize tells the type by the value.
func recognize(value string) (threatconnect.IndicatorRef, error) {
	ind, err := threatconnect.ParseIndicator(value)
	if bad, ok := errors.AsType[*threatconnect.ValidationError](err); ok && bad.Field == "indicator" {
		return threatconnect.IndicatorRef{}, &threatconnect.ValidationError{Field: bad.Field, Rule: bad.Rule, Fix: "name its type with -type if it has one"}
	}
	if err != nil {
		return threatconnect.IndicatorRef{}, err
	}
	return threatconnect.IndicatorRef{Type: ind.Type(), Value: ind.Summary()}, nil
}

// typeName is a name of a type on the command line and the indicators that it stands for.
type typeName struct {
	typ       threatconnect.IndicatorType
	names     []string
	canonical func(string) (string, error)
	defanged  bool // whether values may be defanged
}

func typeNames() []typeName {
	return []typeName{
		{threatconnect.TypeAddress, []string{"address", "ip"}, threatconnect.CanonicalAddress, true},
		{threatconnect.TypeASN, []string{"asn"}, threatconnect.CanonicalASN, true},
		{threatconnect.TypeCIDR, []string{"cidr"}, threatconnect.CanonicalCIDR, true},
		{threatconnect.TypeEmailAddress, []string{"emailaddress", "email"}, threatconnect.CanonicalEmailAddress, true},
		{threatconnect.TypeFile, []string{"file", "hash"}, canonicalFile, true},
		{threatconnect.TypeHost, []string{"host", "domain"}, threatconnect.CanonicalHost, true},
		{threatconnect.TypeMutex, []string{"mutex"}, threatconnect.CanonicalMutex, false},
		{threatconnect.TypeRegistryKey, []string{"registrykey"}, canonicalRegistryKey, false},
		{threatconnect.TypeURL, []string{"url"}, threatconnect.CanonicalURL, true},
		{threatconnect.TypeUserAgent, []string{"useragent"}, threatconnect.CanonicalUserAgent, false},
	}
}

// typeOf returns how values are read: as the named type, or each as what it looks like when there is
// no name. A name that is none of the platform's own types is looked for in the instance.
func typeOf(ctx context.Context, client *threatconnect.Client, named string) (reading, error) {
	if named == "" {
		return recognize, nil
	}
	plain := plainName(named)
	for _, t := range typeNames() {
		if !slices.Contains(t.names, plain) {
			continue
		}
		return func(v string) (threatconnect.IndicatorRef, error) {
			if t.defanged {
				v = threatconnect.Refang(v)
			}
			v, err := t.canonical(v)
			return threatconnect.IndicatorRef{Type: t.typ, Value: v}, err
		}, nil
	}
	types, err := client.Types.Indicators(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range types {
		if plainName(string(t.Name)) == plain && t.Branch != "" {
			return func(v string) (threatconnect.IndicatorRef, error) {
				return threatconnect.IndicatorRef{Type: t.Name, Branch: t.Branch, Value: v}, nil
			}, nil
		}
		names = append(names, string(t.Name))
	}
	return nil, fmt.Errorf("-type: the instance has no indicator type %q; it has %s", named, strings.Join(names, ", "))
}

// plainName is a name without what people write differently.
func plainName(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
}

func canonicalFile(s string) (string, error) {
	md5, sha1, sha256, err := threatconnect.SplitFileSummary(s)
	if err != nil {
		return "", err
	}
	return threatconnect.JoinFileSummary(md5, sha1, sha256), nil
}

func canonicalRegistryKey(s string) (string, error) {
	key, value, typ, err := threatconnect.SplitRegistrySummary(s)
	if err != nil {
		return "", err
	}
	return threatconnect.JoinRegistrySummary(key, value, typ)
}
