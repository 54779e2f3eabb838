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
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// maxLine is the longest line of standard input in bytes, with its end.
const maxLine = 64 << 10

// maxAhead is the maximum number of values to read ahead of their results.
const maxAhead = 1000

// errLineTooLong refuses a line.
var errLineTooLong = fmt.Errorf("the line is longer than %s bytes, and no indicator is: look for a missing line break", cli.Number(maxLine))

// input is a value to look up.
type input struct {
	value string
	line  int    // of standard input; 0 for an argument
	place string // where the value is, as in "line 3" or "value 1"
	err   error  // the line is refused, and value is empty
}

func arguments(values []string) iter.Seq2[input, error] {
	return func(yield func(input, error) bool) {
		for n, v := range values {
			if !yield(input{value: v, place: "value " + cli.Number(int64(n+1))}, nil) {
				return
			}
		}
	}
}

// lines returns an iterator over the lines of r that have a value, without the white space around it.
// If comments is true, lines that begin with # are skipped. Lines that are too long are refused and are not
// held in memory. If a read fails, the iterator yields the error and stops, without the incomplete line.
func lines(r io.Reader, comments bool) iter.Seq2[input, error] {
	return func(yield func(input, error) bool) {
		br := bufio.NewReaderSize(r, maxLine)
		for n := 1; ; n++ {
			line, err := br.ReadSlice('\n')
			in := input{line: n, place: "line " + cli.Number(int64(n))}
			for errors.Is(err, bufio.ErrBufferFull) {
				in.err = errLineTooLong
				_, err = br.ReadSlice('\n')
			}
			if err != nil && err != io.EOF {
				yield(input{}, fmt.Errorf("read standard input: %w", err))
				return
			}
			if in.err == nil {
				in.value = string(line)
				if n == 1 {
					in.value = strings.TrimPrefix(in.value, "\ufeff")
				}
				in.value = strings.TrimSpace(in.value)
			}
			wanted := in.err != nil || in.value != "" && !(comments && in.value[0] == '#')
			if wanted && !yield(in, nil) || err == io.EOF {
				return
			}
		}
	}
}

// arrival is an input, or the error that ends them.
type arrival struct {
	input
	err error
}

// find looks values up and calls found with the result of each, in order. Values that arrive slowly, for
// example from a terminal, are looked up as they arrive. find stops at the first error that does not concern
// a single value, even while it waits for the next value. The goroutine that reads the values then stops at
// its next value.
func find(ctx context.Context, client *threatconnect.Client, opts *threatconnect.LookupOptions, inputs iter.Seq2[input, error],
	found func(input, threatconnect.LookupResult) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	arrived := make(chan arrival, maxAhead)
	go func() {
		defer close(arrived)
		for in, err := range inputs {
			select {
			case arrived <- arrival{in, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case first, more := <-arrived:
			if !more {
				return nil
			}
			if err := findArrived(ctx, client, opts, first, arrived, found); err != nil {
				return err
			}
		}
	}
}

// findArrived looks up a value and those that have arrived after it.
func findArrived(ctx context.Context, client *threatconnect.Client, opts *threatconnect.LookupOptions, next arrival, arrived <-chan arrival,
	found func(input, threatconnect.LookupResult) error,
) error {
	var waiting []input // for their results
	var readErr error
	values := func(yield func(string) bool) {
		for more := true; more; {
			if readErr = next.err; readErr != nil {
				return
			}
			waiting = append(waiting, next.input)
			if next.input.err == nil && !yield(plain(opts.Type, next.value)) || len(waiting) == maxAhead {
				return
			}
			select {
			case next, more = <-arrived:
			default:
				return
			}
		}
	}
	refuse := func() error { // reports the refused lines before the next result
		for len(waiting) > 0 && waiting[0].err != nil {
			if err := found(waiting[0], threatconnect.LookupResult{Err: waiting[0].err}); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		return nil
	}
	for result, err := range client.Indicators.Lookup(ctx, values, opts) {
		if err != nil {
			return err
		}
		if err := refuse(); err != nil {
			return err
		}
		if err := found(waiting[0], result); err != nil {
			return err
		}
		waiting = waiting[1:]
	}
	if err := refuse(); err != nil {
		return err
	}
	return readErr
}

// plain refangs a value of a type that can be defanged. Values of unknown types are refanged when they
// are recognized; those of the other types are free text.
func plain(t threatconnect.IndicatorType, value string) string {
	switch t {
	case threatconnect.TypeAddress, threatconnect.TypeASN, threatconnect.TypeCIDR, threatconnect.TypeEmailAddress,
		threatconnect.TypeFile, threatconnect.TypeHost, threatconnect.TypeURL:
		return ioc.Refang(value)
	}
	return value
}
