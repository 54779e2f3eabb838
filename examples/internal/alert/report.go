package alert

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/table"
)

// report says what was decided about an alert and what was done.
type report struct {
	Alert        string       `json:"alert"` // the name of its event
	Owner        string       `json:"owner"`
	DryRun       bool         `json:"dryRun"`
	Indicators   []*verdict   `json:"indicators"`
	Event        *eventReport `json:"event"` // null when nothing was stored
	Notification string       `json:"notification,omitempty"`
	Error        string       `json:"error,omitempty"`
}

// eventReport says which event stands for the alert.
type eventReport struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Existed bool   `json:"existed"` // whether the alert had come before
	Linked  int    `json:"linked"`  // how many indicators are associated with it

	finished bool // whether it says that the users know of this very alert
}

// matters reports whether there is a reason to go on.
func (r *report) matters() bool { return slices.ContainsFunc(r.Indicators, (*verdict).matters) }

// count returns how many values a condition holds for.
func (r *report) count(condition func(*verdict) bool) int {
	n := 0
	for _, v := range r.Indicators {
		if condition(v) {
			n++
		}
	}
	return n
}

// failure returns the first error about one value, or nil.
func (r *report) failure() error {
	i := slices.IndexFunc(r.Indicators, hasFailed)
	if i < 0 {
		return nil
	}
	err := r.Indicators[i].err
	if more := r.count(hasFailed) - 1; more > 0 {
		err = fmt.Errorf("%w; %d more values failed", err, more)
	}
	return err
}

func hasFailed(v *verdict) bool { return v.err != nil }

// fail notes an error and returns it.
func (r *report) fail(err error) error {
	r.Error = command.Plain(err)
	return err
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeText prints the report in at most width columns; 0 means as many as it needs.
func (r *report) writeText(w io.Writer, width int) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", table.Clean(r.Alert)); err != nil {
		return err
	}
	t := table.Table{Columns: []table.Column{
		{Title: "DECISION"}, {Title: "INDICATOR", Wraps: true}, {Title: "TYPE"}, {Title: "FROM", Wraps: true},
		{Title: "RATING", Right: true}, {Title: "TA SCORE", Right: true}, {Title: "BECAUSE", Wraps: true},
	}}
	for _, v := range r.Indicators {
		shown := v.Indicator
		if shown == "" {
			shown = v.Value
		}
		rating, score := "", ""
		if v.Rating != nil {
			rating = strconv.FormatFloat(*v.Rating, 'f', -1, 64)
		}
		if v.ThreatAssessScore != nil {
			score = strconv.Itoa(*v.ThreatAssessScore)
		}
		t.Add(v.Decision, shown, string(v.Type), v.Field, rating, score, v.Because)
	}
	if t.Len() > 0 {
		if err := t.Write(w, width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n"+strings.Join(r.lines(), "\n")+"\n")
	return err
}

// lines says in words what was done.
func (r *report) lines() []string {
	switch {
	case len(r.Indicators) == 0:
		return []string{"There is no value in this alert that could be an indicator. Nothing was stored."}
	case !r.matters() && r.failure() != nil:
		return []string{fmt.Sprintf("%d of the values could not be looked up. Nothing was stored.", r.count(hasFailed))}
	case !r.matters():
		return []string{"There is no reason to go on with this alert. Nothing was stored."}
	case r.DryRun:
		return []string{fmt.Sprintf("This was a dry run. Nothing was stored in %q, and nobody was notified.", r.Owner)}
	}
	var lines []string
	if e := r.Event; e != nil {
		what := "was created"
		if e.Existed {
			what = "was there already"
		}
		lines = append(lines, fmt.Sprintf("Event %d %s in %q; associated with it: %s.", e.ID, what, r.Owner, indicators(e.Linked)))
	}
	if r.Notification != "" {
		lines = append(lines, "A notification was sent to "+r.Notification+".")
	} else if r.Error == "" {
		lines = append(lines, "Nobody was notified.")
	}
	return lines
}

func indicators(n int) string {
	if n == 1 {
		return "1 indicator"
	}
	return strconv.Itoa(n) + " indicators"
}

// line sums the report up for the log of a listener, without values of indicators.
func (r *report) line() string {
	n := map[string]int{}
	for _, v := range r.Indicators {
		n[v.Decision]++
	}
	s := fmt.Sprintf("%q: %d to store, %d to keep, %d ignored, %d refused", r.Alert, n[store], n[keep], n[ignore], n[refuse])
	if r.DryRun {
		s += " (dry run)"
	}
	return s
}
