package lookup

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// labelWidth is the width of the labels of details.
const labelWidth = 15 // of "False positives"

// maxGroups is the number of groups that details show.
const maxGroups = 20

// line is a labeled line of details.
type line struct{ label, text string }

// writeDetails writes a value and what each owner knows about it.
func (o *output) writeDetails(e *element) error {
	title := o.paint(e.shown(), text.Bold)
	if e.Type != "" {
		title += " (" + cli.Clean(string(e.Type)) + ")"
	}
	switch {
	case e.Error != "" && !e.Found:
		title += " (refused)"
	case !e.Found:
		title += " (not found)"
	}
	if o.values > 1 {
		title = "\n" + title
	}
	if err := o.writeLines(title, o.assessment(e.Owners)); err != nil {
		return err
	}
	for n := range e.Owners {
		if err := o.writeLines("\n"+o.paint(cli.Clean(e.Owners[n].Owner), text.Bold), o.ownerLines(&e.Owners[n])); err != nil {
			return err
		}
	}
	return nil
}

// assessment returns the lines about all owners together, which the platform sends with each of them.
func (o *output) assessment(records []record) []line {
	var lines []line
	for _, r := range records {
		if r.ThreatAssessScore == nil {
			continue
		}
		lines = []line{{"ThreatAssess", fmt.Sprintf("score %s of 1,000, rating %s of 5, confidence %s of 100",
			o.score(r.ThreatAssessScore), cli.Decimal(r.ThreatAssessRating, "-"), cli.Decimal(r.ThreatAssessConfidence, "-"))}}
		if r.CALScore != nil {
			lines = append(lines, line{"CAL", "score " + cli.Number(int64(*r.CALScore))})
		}
		break
	}
	return lines
}

// ownerLines returns the lines about one owner.
func (o *output) ownerLines(r *record) []line {
	status := ""
	if r.Active != nil {
		status = map[bool]string{true: "active", false: "inactive"}[*r.Active]
	}
	lines := []line{
		{"Rating", o.rating(r.Rating) + " of 5"},
		{"Confidence", cli.Integer(r.Confidence, "-") + " of 100"},
		{"Status", status},
		{"Added", date(r.DateAdded)},
		{"Modified", date(r.LastModified)},
		{"Observations", times(r.Observations, r.LastObserved)},
		{"False positives", times(r.FalsePositives, r.LastFalsePositive)},
	}
	add := func(label string, texts ...string) {
		for _, s := range texts {
			lines = append(lines, line{label, cli.Clean(s)})
			label = ""
		}
	}
	if strings.Contains(r.Indicator, " : ") {
		add("All values", strings.Split(r.Indicator, " : ")...)
	}
	add("Tags", strings.Join(r.Tags, ", "))
	add("Security labels", strings.Join(r.SecurityLabels, ", "))
	add("Description", r.Description)
	add("Source", r.Source)
	var attributes, groups []string
	for _, a := range r.Attributes {
		if (a.Type != "Description" || a.Value != r.Description) && (a.Type != "Source" || a.Value != r.Source) {
			attributes = append(attributes, a.Type+": "+a.Value)
		}
	}
	for n, g := range r.Groups {
		if n == maxGroups {
			groups = append(groups, cli.Number(int64(len(r.Groups)-n))+" more; --json lists all")
			break
		}
		groups = append(groups, string(g.Type)+": "+g.Name)
	}
	add("Attributes", attributes...)
	add("Groups", groups...)
	add("Link", r.WebLink)
	return lines
}

// writeLines writes a title and the lines that have a text, wrapped to the terminal.
func (o *output) writeLines(title string, lines []line) error {
	if _, err := io.WriteString(o.env.Stdout, title+"\n"); err != nil {
		return err
	}
	t := cli.NewTable()
	t.ResetHeaders()
	t.Style().Box.PaddingRight = " "
	config := []table.ColumnConfig{{Number: 1, WidthMin: labelWidth}, {Number: 2, WidthMaxEnforcer: wrap}}
	if o.width > 0 {
		config[1].WidthMax = max(o.width-labelWidth-1, 20)
	}
	t.SetColumnConfigs(config)
	for _, l := range lines {
		if l.text != "" {
			t.AppendRow(table.Row{l.label, l.text})
		}
	}
	if t.Length() == 0 {
		return nil
	}
	return cli.WriteTable(o.env.Stdout, t)
}

// wrap wraps a text at words. It keeps links whole, so that they can be copied from the terminal.
func wrap(s string, width int) string {
	if strings.HasPrefix(s, "https://") && !strings.Contains(s, " ") {
		return s
	}
	return cli.Wrap(s, width)
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// times writes how often something happened, and when last.
func times(n *int64, last time.Time) string {
	if n == nil {
		return ""
	}
	if last.IsZero() {
		return cli.Number(*n)
	}
	return cli.Number(*n) + ", the last one on " + date(last)
}
