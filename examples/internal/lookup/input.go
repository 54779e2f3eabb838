package lookup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/lines"
	"github.com/threatconnect-go/threatconnect/examples/internal/value"
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
		read := readValues(e.Stdin, c.typ == "")
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

// longLine is the number of a line of standard input that is too long to be a value.
type longLine int

// Error says what is wrong with the line and how to find the cause.
func (l longLine) Error() string {
	return fmt.Sprintf("is longer than %d bytes, and no indicator is: look for a missing line break", maxLine)
}

// readValues yields the lines that are not blank, and not comments where there can be some. A line
// that is too long is a [longLine], and reading continues after it. Any other error ends the sequence.
func readValues(r io.Reader, comments bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		l := lines.New(bufio.NewReader(r), maxLine)
		for {
			b, err := l.Next()
			switch {
			case err == io.EOF:
				return
			case err == lines.ErrTooLong:
				if !yield("", longLine(l.Number())) {
					return
				}
				continue
			case err != nil:
				yield("", fmt.Errorf("read standard input: %w", err))
				return
			}
			line := string(b)
			if l.Number() == 1 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			line = strings.TrimSpace(line)
			if line == "" || comments && line[0] == '#' {
				continue
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

// reading names the indicator that a value stands for.
type reading func(value string) (threatconnect.IndicatorRef, error)

// readWith names what read makes of a value.
func readWith(read value.Reader) reading {
	return func(v string) (threatconnect.IndicatorRef, error) {
		ind, err := read(v)
		if err != nil {
			return threatconnect.IndicatorRef{}, err
		}
		return threatconnect.IndicatorRef{Type: ind.Type(), Value: ind.Summary()}, nil
	}
}

// recognize tells the type by the value.
func recognize(v string) (threatconnect.Indicator, error) {
	ind, err := value.Recognize(v)
	if bad, ok := errors.AsType[*threatconnect.ValidationError](err); ok && bad.Field == "indicator" {
		err = &threatconnect.ValidationError{Field: bad.Field, Rule: bad.Rule, Fix: "name its type with -type if it has one"}
	}
	return ind, err
}

// typeOf returns how values are read: as the named type, or each as what it looks like when there is
// no name. A name that is none of the platform's own types is looked for in the instance.
func typeOf(ctx context.Context, client *threatconnect.Client, named string) (reading, error) {
	if named == "" {
		return readWith(recognize), nil
	}
	if _, read, ok := value.As(named); ok {
		return readWith(read), nil
	}
	names := value.Names()
	for t, err := range client.Types.Indicators(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if !t.Custom || t.Branch == "" {
			continue
		}
		if value.PlainName(string(t.Name)) == value.PlainName(named) {
			return func(v string) (threatconnect.IndicatorRef, error) {
				return threatconnect.IndicatorRef{Type: t.Name, Value: v}, nil
			}, nil
		}
		if _, _, ok := value.As(string(t.Name)); !ok {
			names = append(names, string(t.Name))
		}
	}
	return nil, fmt.Errorf("-type: the instance has no indicator type %q that can be looked up; want one of %s", named, strings.Join(names, ", "))
}
