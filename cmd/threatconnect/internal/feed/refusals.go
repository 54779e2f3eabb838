package feed

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Outcomes of entries that were not imported and have a rule, and of those that were imported without an association.
const (
	failed   = "failed"
	unlinked = "unlinked"
	invalid  = "invalid"
	skipped  = "skipped"
)

// refusal is one entry that was not imported, or not with all associations.
type refusal struct {
	Line    int    `json:"line"`             // from 1; 0 if unknown
	Object  string `json:"object,omitempty"` // ID of the STIX object
	Outcome string `json:"outcome"`          // failed, unlinked or invalid
	Rule    string `json:"rule"`
	Fix     string `json:"fix,omitempty"`
}

// ruleCount counts the entries that one rule keeps out.
type ruleCount struct {
	Outcome string `json:"outcome"` // failed, unlinked, invalid or skipped
	Rule    string `json:"rule"`
	Count   int64  `json:"count"`
	Lines   []int  `json:"lines"` // the first of them
	more    bool   // there are others
	fix     string
	quotes  []string // of the lines, for --show-lines
}

// Limits of refusals in memory and in the output.
const (
	maxErrors  = 100
	maxRules   = 100
	ruleLines  = 5
	shownRules = 20
	quoteRunes = 200
)

// refusals are the entries of a run that were not imported. They are not safe for concurrent use.
type refusals struct {
	errors []refusal // the first that failed or are invalid
	more   int64     // number of further ones
	rules  []*ruleCount
}

// add counts a refusal, and keeps it if there is room. It returns the level at which to log it, so that a damaged feed
// does not fill the disk.
func (r *refusals) add(e refusal) slog.Level {
	i := slices.IndexFunc(r.rules, func(c *ruleCount) bool { return c.Outcome == e.Outcome && c.Rule == e.Rule })
	if i < 0 && len(r.rules) >= maxRules {
		e.Rule, e.Fix = "other rules", ""
		i = slices.IndexFunc(r.rules, func(c *ruleCount) bool { return c.Outcome == e.Outcome && c.Rule == e.Rule })
	}
	if i < 0 {
		i = len(r.rules)
		r.rules = append(r.rules, &ruleCount{Outcome: e.Outcome, Rule: e.Rule, fix: cli.InFlagWords(e.Fix), Lines: []int{}})
	}
	c := r.rules[i]
	c.Count++
	switch {
	case slices.Contains(c.Lines, e.Line): // a line can have several entries
	case e.Line > 0 && len(c.Lines) < ruleLines:
		c.Lines = append(c.Lines, e.Line)
	default:
		c.more = true
	}
	switch {
	case e.Outcome == skipped:
	case len(r.errors) < maxErrors:
		e.Fix = cli.InFlagWords(e.Fix)
		r.errors = append(r.errors, e)
		return slog.LevelInfo
	default:
		r.more++
	}
	return slog.LevelDebug
}

// sort puts the rules in the order in which they are shown.
func (r *refusals) sort() {
	outcomes := []string{failed, unlinked, invalid, skipped}
	slices.SortStableFunc(r.rules, func(a, b *ruleCount) int {
		return cmp.Or(cmp.Compare(slices.Index(outcomes, a.Outcome), slices.Index(outcomes, b.Outcome)), cmp.Compare(b.Count, a.Count))
	})
}

// print writes a line per rule, and the quoted lines of the feed below it.
func (r *refusals) print(env *cli.Env) {
	for n, c := range r.rules {
		if n == shownRules {
			env.Printf("%s more; --json lists them.", cli.Count(int64(len(r.rules)-n), "rule"))
			break
		}
		text := fmt.Sprintf("%s %s: %s", cli.Number(c.Count), c.Outcome, c.Rule)
		if c.fix != "" {
			text += "; " + c.fix
		}
		env.Printf("%s", text+c.where())
		for _, quote := range c.quotes {
			_, _ = fmt.Fprintln(env.Stderr, quote)
		}
	}
}

// where returns the numbers of the first lines.
func (c *ruleCount) where() string {
	if len(c.Lines) == 0 {
		return ""
	}
	numbers := make([]string, len(c.Lines))
	for i, line := range c.Lines {
		numbers[i] = strconv.Itoa(line)
	}
	text := " (line "
	if len(numbers) > 1 {
		text = " (lines "
	}
	text += strings.Join(numbers, ", ")
	if c.more {
		text += ", …"
	}
	return text + ")"
}

// quote reads the first lines of each rule from the feed, escaped for terminals. Rules that have quotes are
// those of an earlier feed.
func (r *refusals) quote(feed io.Reader) error {
	wanted := map[int][]*ruleCount{}
	for _, c := range r.rules {
		if len(c.quotes) == 0 {
			for _, line := range c.Lines {
				wanted[line] = append(wanted[line], c)
			}
		}
	}
	in := bufio.NewReaderSize(feed, 64<<10)
	for number := 1; len(wanted) > 0; number++ {
		line, err := in.ReadSlice('\n')
		text := line
		if rules := wanted[number]; rules != nil {
			quote := fmt.Sprintf("  %d: %s", number, escaped(text, err == bufio.ErrBufferFull))
			for _, c := range rules {
				c.quotes = append(c.quotes, quote)
			}
			delete(wanted, number)
		}
		for err == bufio.ErrBufferFull {
			_, err = in.ReadSlice('\n')
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("--show-lines: %w", cli.WithoutPath(err))
		}
	}
	return nil
}

// escaped quotes the beginning of a line for a terminal.
func escaped(line []byte, cut bool) string {
	line = []byte(strings.TrimRight(string(line), "\r\n"))
	end := 0
	for range quoteRunes {
		_, size := utf8.DecodeRune(line[end:])
		end += size
	}
	text := strconv.QuoteToGraphic(string(line[:end]))
	if cut || end < len(line) {
		text += "…"
	}
	return text
}

// refusalOf returns the refusal of an item that the writer got. attributes contains the attribute types of the feed.
// Other text of the platform can contain values, and is not used.
func refusalOf(e threatconnect.BatchItemError, o origin, attributes map[string]bool) refusal {
	r := refusal{Line: o.line, Outcome: failed}
	if e.Type == "Association" { // sent separately from its item
		r.Outcome = unlinked
	}
	switch {
	case e.Err != nil:
		r.Rule = cli.Plain(e.Err)
	case e.Code.Partial():
		r.Rule = "the platform saved only a part of it: " + e.Code.String()
		if i := strings.LastIndex(e.Reason, ": "); i >= 0 && attributes[e.Reason[i+2:]] {
			r.Rule = fmt.Sprintf("the platform saved it without its attribute of the type %q: %s", e.Reason[i+2:], e.Code)
			r.Fix = "have an administrator add the attribute type, or remove it from the feed"
		}
	case r.Outcome == unlinked:
		r.Rule = "the platform refused one of its associations: " + e.Code.String()
	default:
		r.Rule = "the platform refused it: " + e.Code.String()
	}
	return r
}
