package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// result is the outcome of a check.
type result string

const (
	passed     result = "ok"
	warned     result = "warning"
	failed     result = "failed"
	unknown    result = "unknown"     // needs writes, or data that the instance does not have
	notChecked result = "not checked" // depends on a check that failed or was not made
)

// check is one check and its outcome. Seen and Fix contain no value of the instance.
type check struct {
	Name   string `json:"name"`
	Result result `json:"result"`
	Seen   string `json:"seen"`          // observation
	Fix    string `json:"fix,omitempty"` // how to fix it
	// Details are lines for the user. They can contain values of the instance, so the report omits them.
	Details []string `json:"-"`
}

func pass(format string, args ...any) check {
	return check{Result: passed, Seen: fmt.Sprintf(format, args...)}
}

func warn(seen, fix string) check { return check{Result: warned, Seen: seen, Fix: fix} }
func fail(seen, fix string) check { return check{Result: failed, Seen: seen, Fix: fix} }

func unsure(format string, args ...any) check {
	return check{Result: unknown, Seen: fmt.Sprintf(format, args...)}
}

// with adds lines for the user.
func (c check) with(details ...string) check {
	c.Details = append(c.Details, details...)
	return c
}

// cause describes an error of a request without a value of the instance.
func cause(err error) string {
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		switch {
		case api.HTML:
			return fmt.Sprintf("the response is an HTML page with status %d", api.StatusCode)
		case api.Message != "":
			return fmt.Sprintf("status %d: %s", api.StatusCode, api.Message)
		}
		return strings.TrimSpace(fmt.Sprintf("status %d %s", api.StatusCode, http.StatusText(api.StatusCode)))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "there is no response in time"
	case errors.Is(err, threatconnect.ErrResponseTooLarge):
		return "the response is too large"
	case errors.Is(err, threatconnect.ErrBadResponse):
		return "the response cannot be read"
	}
	return "there is no response"
}

// unread returns the check of something that cannot be read.
func unread(what string, err error) check {
	return fail(what+" cannot be read: "+cause(err), "check the role of the API user, and try again").with(cli.Plain(err))
}

// report is attached to issues. It contains counts and shapes, and no value of the instance.
type report struct {
	SDK      string              `json:"sdk"`
	System   string              `json:"system"`
	Writes   bool                `json:"writes"` // whether --write was given
	Checks   []check             `json:"checks"`
	Oddities []finding           `json:"oddities"`
	Shapes   map[string][]string `json:"shapes"` // kinds of members, by route and status
}

// finding is an oddity and whether the instance has it.
type finding struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`
	Presence presence `json:"presence"`
	Writes   bool     `json:"needsWrite"` // known only with --write
}

// newReport returns the report of the checks and exchanges.
func newReport(writes bool, checks []check, all []*exchange) *report {
	r := &report{
		SDK: threatconnect.Version, System: runtime.GOOS + "/" + runtime.GOARCH,
		Writes: writes, Checks: checks, Shapes: shapes(all),
	}
	for _, o := range oddities {
		r.Oddities = append(r.Oddities, finding{
			Name: o.set.String(), About: o.set.Description(), Presence: o.detect(all), Writes: o.writes,
		})
	}
	return r
}

// failures returns the number of checks that failed.
func (r *report) failures() (n int) {
	for _, c := range r.Checks {
		if c.Result == failed {
			n++
		}
	}
	return n
}

// printer prints checks for people.
type printer struct {
	w     io.Writer
	width int // 0 does not wrap
	color bool
	err   error // the first error of w
}

// Columns of the name and of the result.
const (
	nameColumn   = 18
	resultColumn = 13
)

var resultColors = map[result]text.Color{passed: text.FgGreen, warned: text.FgYellow, failed: text.FgRed}

func (p *printer) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format, args...); p.err == nil {
		p.err = err
	}
}

// check prints a check: name, result and observation, and below them the fix and the details.
func (p *printer) check(c check) {
	shown := fmt.Sprintf("%-*s", resultColumn, c.Result)
	if color, ok := resultColors[c.Result]; ok && p.color {
		shown = color.Sprint(shown)
	}
	lines := p.wrap(cli.Clean(c.Seen))
	if c.Fix != "" {
		lines = append(lines, p.wrap("Fix: "+c.Fix)...)
	}
	for _, d := range c.Details {
		lines = append(lines, p.wrap(cli.Clean(d))...) // it can contain text of the instance
	}
	p.printf("%-*s%s%s\n", nameColumn, c.Name, shown, lines[0])
	for _, line := range lines[1:] {
		p.printf("%*s%s\n", nameColumn+resultColumn, "", line)
	}
}

// wrap returns the lines of a text in the last column.
func (p *printer) wrap(s string) []string {
	if p.width > nameColumn+resultColumn+20 {
		s = cli.Wrap(s, p.width-nameColumn-resultColumn)
	}
	return strings.Split(s, "\n")
}

// summary prints the oddities that were seen and the number of checks.
func (p *printer) summary(r *report) {
	count := map[presence]int{}
	for _, f := range r.Oddities {
		count[f.Presence]++
	}
	p.printf("\nOddities of docs/wire.md: %d seen, %d not seen, %d unknown\n", count[seen], count[absent], count[unclear])
	for _, f := range r.Oddities {
		if f.Presence == seen {
			p.printf("  %-22s%s\n", f.Name, f.About)
		}
	}
	results := map[result]int{}
	for _, c := range r.Checks {
		results[c.Result]++
	}
	p.printf("\n%d ok, %s, %d failed, %d unknown, %d not checked\n", results[passed], cli.Count(int64(results[warned]), "warning"),
		results[failed], results[unknown], results[notChecked])
}
