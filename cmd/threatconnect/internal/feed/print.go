package feed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// print prints the refused entries on standard error, and the summary on standard output.
func (im *importer) print() error {
	s := im.sum
	s.refusals.print(im.env)
	if im.cfg.json {
		if err := cli.WriteJSON(im.env.Stdout, s); err != nil {
			return fmt.Errorf("the summary cannot be written: %w", err)
		}
		im.env.Printf("%s", s.Message)
		return nil
	}
	if err := im.printText(); err != nil {
		return fmt.Errorf("the summary cannot be written: %w", err)
	}
	return nil
}

func (im *importer) printText() error {
	s, out := im.sum, im.env.Stdout
	if len(s.Types) > 0 {
		if err := cli.WriteTable(out, s.table()); err != nil {
			return err
		}
		speed := fmt.Sprintf("%.1f seconds", s.Seconds)
		if s.Imported > 0 && s.Seconds >= 0.1 {
			speed += fmt.Sprintf(", %s per second", cli.Count(int64(float64(s.Imported)/s.Seconds), "item"))
		}
		if _, err := fmt.Fprintf(out, "%s\n\n", speed); err != nil {
			return err
		}
	}
	if im.cfg.inputKind() == "sample" && s.Imported > 0 {
		if err := im.printSample(); err != nil {
			return err
		}
	}
	message := s.Message
	if width := im.env.Width(out); width > 0 {
		message = cli.Wrap(message, width)
	}
	_, err := fmt.Fprintln(out, message)
	return err
}

// table returns a row for each type. The first number is that of imported entries, or of sent ones if outcomes are not
// known for every type.
func (s *summary) table() table.Writer {
	failures := int64(0)
	for _, k := range s.Types {
		failures += k.Failed
	}
	title, exact := "IMPORTED", s.Unprocessed+s.Unknown == 0 && failures == s.Failed
	switch {
	case s.DryRun:
		title = "TO IMPORT"
	case !exact:
		title = "SENT"
	}
	columns := []struct {
		title string
		count func(*kindCount) int64
	}{
		{title, func(k *kindCount) int64 {
			if exact {
				return k.Sent - k.Failed
			}
			return k.Sent
		}},
		{"UNCHANGED", func(k *kindCount) int64 { return k.Unchanged }},
		{"FAILED", func(k *kindCount) int64 { return k.Failed }},
		{"SKIPPED", func(k *kindCount) int64 { return k.Skipped }},
	}
	var shown []func(*kindCount) int64
	header := []any{"TYPE"}
	for i, c := range columns {
		// Entries without a type are in the totals only: a column for them would be a list of zeros.
		if i == 0 || slices.ContainsFunc(s.Types, func(k *kindCount) bool { return c.count(k) > 0 }) {
			header = append(header, c.title)
			shown = append(shown, c.count)
		}
	}
	t := cli.NewTable(header...)
	configs := []table.ColumnConfig{}
	for i := range header[1:] {
		configs = append(configs, table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	for _, k := range s.Types {
		row := table.Row{k.Kind}
		for _, count := range shown {
			row = append(row, cli.Number(count(k)))
		}
		t.AppendRow(row)
	}
	return t
}

// printSample shows an indicator of each type as the test server has it.
func (im *importer) printSample() error {
	t := cli.NewTable("INDICATOR", "TYPE", "RATING", "CONFIDENCE", "TAGS")
	shown := map[threatconnect.IndicatorType]bool{}
	ctx := context.Background() // the test server is in this process
	for ind, err := range im.client.InOwner(im.cfg.owner).Indicators.All(ctx, &threatconnect.IndicatorListOptions{Include: threatconnect.Include{Tags: true}}) {
		if err != nil {
			return err
		}
		m := ind.Meta()
		if shown[ind.Type()] || m.Rating == nil || m.Confidence == nil {
			continue
		}
		shown[ind.Type()] = true
		tags := make([]string, len(m.Tags))
		for i, tag := range m.Tags {
			tags[i] = tag.Name
		}
		t.AppendRow(table.Row{shorten(ind.Summary(), 28), ind.Type(), *m.Rating, *m.Confidence, strings.Join(tags, ", ")})
	}
	if err := cli.WriteTable(im.env.Stdout, t); err != nil {
		return err
	}
	_, err := fmt.Fprintln(im.env.Stdout)
	return err
}

// shorten cuts a text to a number of characters.
func shorten(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}
