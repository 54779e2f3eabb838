package alert

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// report is the result for an alert.
type report struct {
	Alert        string             `json:"alert"` // the name of its event
	Owner        string             `json:"owner"`
	DryRun       bool               `json:"dryRun"`
	Succeeded    int                `json:"succeeded"` // values that were decided about and, if they had to be, stored
	Failed       int                `json:"failed"`    // values that were not, because of an error
	Indicators   []*verdict         `json:"indicators"`
	Event        *eventReport       `json:"event"` // null if nothing was stored
	Notification notificationReport `json:"notification"`
	Error        string             `json:"error,omitempty"`
}

// eventReport is about the event of an alert.
type eventReport struct {
	ID      int64 `json:"id"`
	Existed bool  `json:"existed"` // whether the alert was sent before
	Linked  int   `json:"linked"`  // number of associated indicators
}

// notificationReport describes the notification of the users.
type notificationReport struct {
	Outcome  string `json:"outcome"`  // sent, sent before, not sent, or unknown
	Repeated bool   `json:"repeated"` // an earlier notification of this alert had an unknown outcome
	To       string `json:"to,omitempty"`
}

// The other outcomes of a notification; see the states of a note.
const (
	sentBefore = "sent before"
	unknown    = "unknown"
)

// matters reports whether there is a reason to store the alert.
func (r *report) matters() bool { return slices.ContainsFunc(r.Indicators, (*verdict).matters) }

// isReason reports whether the notification lists the value: it matters, or its lookup failed.
func (v *verdict) isReason() bool { return v.matters() || v.Decision == failed }

// count returns the number of values that meet a condition.
func (r *report) count(condition func(*verdict) bool) int {
	n := 0
	for _, v := range r.Indicators {
		if condition(v) {
			n++
		}
	}
	return n
}

// failure returns the first error about a single value, or nil.
func (r *report) failure() error {
	failures := slices.DeleteFunc(slices.Clone(r.Indicators), func(v *verdict) bool { return v.err == nil })
	switch len(failures) {
	case 0:
		return nil
	case 1:
		return failures[0].err
	}
	return fmt.Errorf("%w; %s failed", failures[0].err, cli.Count(int64(len(failures)-1), "more value"))
}

// close completes the report with the counts and the error of the run.
func (r *report) close(err error) {
	if err != nil {
		r.Error = cli.Explain(err)
	}
	r.Failed = r.count(func(v *verdict) bool {
		return v.err != nil || v.Decision == failed || v.Decision == store && !v.created && !r.DryRun
	})
	r.Succeeded = len(r.Indicators) - r.Failed
}

// writeText writes the report as a table of up to width columns and sentences. Width 0 is unlimited.
func (r *report) writeText(w io.Writer, width int) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", cli.Clean(r.Alert)); err != nil {
		return err
	}
	if len(r.Indicators) > 0 {
		if err := cli.WriteTable(w, r.table(width)); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	for _, line := range r.lines() {
		if width > 0 {
			line = cli.Wrap(line, width)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) table(width int) table.Writer {
	t := cli.NewTable("DECISION", "INDICATOR", "FROM", "REASON")
	field := 0
	for _, v := range r.Indicators {
		field = max(field, text.RuneWidthWithoutEscSequences(v.Field))
		t.AppendRow(table.Row{v.Decision, cli.Clean(cmp.Or(v.Indicator, v.Value)), cli.Clean(v.Field), cli.Clean(v.Reason)})
	}
	if width > 0 {
		const decision, gaps = len("DECISION"), 3 * len("  ")
		field = min(field, 18)
		left := max(30, width-decision-gaps-field)
		t.SetColumnConfigs([]table.ColumnConfig{
			{Number: 2, WidthMax: left / 2, WidthMaxEnforcer: text.WrapHard},
			{Number: 3, WidthMax: field, WidthMaxEnforcer: text.WrapHard},
			{Number: 4, WidthMax: left - left/2, WidthMaxEnforcer: cli.Wrap},
		})
	}
	return t
}

// lines returns sentences about the result.
func (r *report) lines() []string {
	switch {
	case len(r.Indicators) == 0:
		return []string{"This alert contains no indicators. Nothing was stored."}
	case !r.matters() && r.Error != "":
		return []string{cli.Count(int64(r.Failed), "value") + " could not be looked up. Nothing was stored."}
	case !r.matters():
		return []string{"There is no reason to store this alert. Nothing was stored."}
	case r.DryRun:
		return []string{fmt.Sprintf("Dry run: nothing was stored in %q, and no users were notified.", r.Owner)}
	}
	var lines []string
	if e := r.Event; e != nil {
		what := "was created"
		if e.Existed {
			what = "existed already"
		}
		lines = append(lines, fmt.Sprintf("Event %d %s in %q, with %s.", e.ID, what, r.Owner, cli.Count(int64(e.Linked), "indicator")))
	}
	switch r.Notification.Outcome {
	case sent:
		lines = append(lines, fmt.Sprintf("The users were notified (%s).", cli.Clean(r.Notification.To)))
	case sentBefore:
		lines = append(lines, "The users were notified before.")
	case unknown:
		lines = append(lines, "It is unknown whether the users were notified. Send the alert again.")
	default:
		lines = append(lines, "No users were notified.")
	}
	if r.Notification.Repeated {
		lines = append(lines, "The outcome of an earlier notification was unknown: the users may have received two.")
	}
	return lines
}

// log writes a record about the alert, without its values. Failures are of level failure.
func (r *report) log(ctx context.Context, log *slog.Logger, a *alert, failure slog.Level) {
	decisions := map[string]int{}
	for _, v := range r.Indicators {
		decisions[v.Decision]++
	}
	attributes := []any{"alert", a.digest[:digestPart]}
	for _, decision := range []string{store, keep, ignore, refuse, failed} {
		attributes = append(attributes, decision, decisions[decision])
	}
	if r.Event != nil {
		attributes = append(attributes, "event", r.Event.ID, "linked", r.Event.Linked)
	}
	attributes = append(attributes, "notification", r.Notification.Outcome)
	if r.DryRun {
		attributes = append(attributes, "dryRun", true)
	}
	if r.Error != "" {
		log.Log(ctx, failure, "alert failed", append(attributes, "error", r.Error)...)
		return
	}
	log.InfoContext(ctx, "alert handled", attributes...)
}
