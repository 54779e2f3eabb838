package importer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
	"github.com/threatconnect-go/threatconnect/examples/internal/job"
)

// summary is what -json prints. Read is Invalid plus Merged plus Unchanged plus Added, unless reading
// ended early; Added is Succeeded plus Failed plus Unprocessed plus Unknown.
type summary struct {
	Message     string  `json:"message"`     // the exit message
	Exit        int     `json:"exit"`        // the exit code
	Cause       string  `json:"cause"`       // what ended the import before its end, as a whole; empty when nothing did
	Input       string  `json:"input"`       // the feed
	Format      string  `json:"format"`      // how it was read
	Owner       string  `json:"owner"`       // where it went
	InProcess   bool    `json:"in_process"`  // whether into the test server of this process
	Read        int64   `json:"read"`        // indicators and groups that were found in the feed
	Invalid     int64   `json:"invalid"`     // of those, the ones that break a rule; not sent
	Merged      int64   `json:"merged"`      // of those, the ones that became a part of an earlier one
	Skipped     int64   `json:"skipped"`     // things in the feed that are neither; not in Read
	Unchanged   int64   `json:"unchanged"`   // as in the last run, and not sent again; needs a state
	Vanished    int64   `json:"vanished"`    // in the last run and not in this one; not in Read
	Full        string  `json:"full"`        // why everything was sent although there is a state; empty when only what has changed was
	Stale       int64   `json:"stale"`       // indicators that the owner has and the feed has not
	Removed     int64   `json:"removed"`     // of those
	StaleShare  float64 `json:"stale_share"` // of what the owner has of these types, 0 to 1
	Added       int64   `json:"added"`       // sent, or to be sent
	Succeeded   int64   `json:"succeeded"`   // went in
	Failed      int64   `json:"failed"`      // refused by the platform, or saved only in part
	Unprocessed int64   `json:"unprocessed"` // not looked at by the platform: the import ended before
	Unknown     int64   `json:"unknown"`     // in jobs whose end was not seen
	Indicators  int64   `json:"indicators"`  // of Added
	Groups      int64   `json:"groups"`      // of Added
	Jobs        int64   `json:"jobs"`        // batch jobs
	Bytes       int64   `json:"bytes"`       // of their files
	Seconds     float64 `json:"seconds"`     // from the start to the end

	RunningJobs []int64      `json:"running_jobs"` // ids of jobs whose end was not seen
	Errors      []entryError `json:"errors"`       // the first hundred
	MoreErrors  int64        `json:"more_errors"`  // how many there are beyond those
	Rules       []ruleCount  `json:"rules"`        // all errors, counted by rule

	links int64 // associations that failed; they are not items
}

// entryError is one entry that did not go in.
type entryError struct {
	Line   int    `json:"line"`             // first is 1; 0 when it is not known
	Object string `json:"object,omitempty"` // id of the STIX object
	Rule   string `json:"rule"`             // which rule it breaks, or what the platform said against it
	Fix    string `json:"fix,omitempty"`    // how to put it right
}

// ruleCount counts the entries that break one rule.
type ruleCount struct {
	Rule      string `json:"rule"`
	Count     int64  `json:"count"`
	FirstLine int    `json:"first_line"`
}

// mostErrors is how many entries are listed one by one.
const mostErrors = 100

// note lists an entry that did not go in. It reports whether the list had room for it.
func (s *summary) note(e entryError) bool {
	i := slices.IndexFunc(s.Rules, func(r ruleCount) bool { return r.Rule == e.Rule })
	if i < 0 {
		s.Rules = append(s.Rules, ruleCount{Rule: e.Rule, FirstLine: e.Line})
		i = len(s.Rules) - 1
	}
	s.Rules[i].Count++
	if len(s.Errors) < mostErrors {
		s.Errors = append(s.Errors, e)
		return true
	}
	s.MoreErrors++
	return false
}

// lineOf lists an entry of the feed that cannot be used.
func (s *summary) lineOf(e *feeds.LineError) bool {
	return s.note(entryError{Line: e.Line, Object: e.Object, Rule: e.Rule, Fix: e.Fix})
}

// count takes over what the writer counted.
func (s *summary) count(st threatconnect.BatchStats) {
	t := st.Total()
	s.Added, s.Succeeded, s.Failed, s.Unprocessed, s.Unknown = t.Added, t.Succeeded, t.Failed, t.Unprocessed, t.Unknown
	s.Indicators, s.Groups = st.Indicators.Added, st.Groups.Added
	s.Jobs, s.Bytes = st.Jobs, st.Bytes
	s.links = st.Links.Added - st.Links.Succeeded
}

// finish decides the exit code and writes the message. cause is what ended the import before its
// end, in words, or empty.
func (s *summary) finish(cause string) {
	slices.SortStableFunc(s.Rules, func(a, b ruleCount) int { return cmp.Compare(b.Count, a.Count) })
	where := s.Owner
	if s.InProcess {
		where += " of the test server in this process"
	}
	complete := cause == "" && s.Invalid+s.Failed+s.Unprocessed+s.Unknown+s.links == 0
	switch {
	case complete && s.Succeeded > 0:
		s.Exit = job.Success
		s.Message = fmt.Sprintf("Imported %s into %s: %s and %s in %s", count(s.Succeeded, "item"), where,
			count(s.Indicators, "indicator"), count(s.Groups, "group"), count(s.Jobs, "job")) + s.difference() + "."
	case complete && s.Unchanged > 0:
		s.Exit = job.Success
		s.Message = fmt.Sprintf("Nothing to import into %s", where) + s.difference() + "."
	case s.Succeeded+s.Unchanged > 0:
		s.Exit = job.Partial
		s.Message = fmt.Sprintf("Imported %d of %s into %s", s.Succeeded, count(max(s.Read-s.Merged, s.Succeeded), "item"), where) + s.difference() + s.shortfall(cause)
	default:
		s.Exit = job.Failure
		s.Message = "Nothing was imported"
		if cause == "" && s.Read == 0 {
			cause = "the feed is empty: look whether the download worked"
		}
		s.Message += s.shortfall(cause)
	}
	s.Message = job.Message(s.Message)
}

// difference says in words how the feed and the owner differ from the last run.
func (s *summary) difference() string {
	text := ""
	if s.Unchanged > 0 {
		text += fmt.Sprintf(", %d unchanged", s.Unchanged)
	}
	if s.Removed > 0 {
		text += fmt.Sprintf(", %d stale removed", s.Removed)
	}
	return text
}

// shortfall says in words why not everything went in.
func (s *summary) shortfall(cause string) string {
	text := ""
	add := func(n int64, what string) {
		if n > 0 {
			text += fmt.Sprintf(", %d %s", n, what)
		}
	}
	add(s.Invalid, "invalid")
	add(s.Failed, "refused")
	add(s.links, "associations missing")
	add(s.Unprocessed, "not processed")
	add(s.Unknown, "of unknown end")
	if len(s.RunningJobs) > 0 {
		text += fmt.Sprintf("; left running: job %s", list(s.RunningJobs))
	}
	if cause != "" {
		return text + ": " + cause
	}
	if len(s.Rules) > 0 {
		r := s.Rules[0]
		text += fmt.Sprintf(": %s (%d times, first on line %d)", r.Rule, r.Count, r.FirstLine)
	}
	return text
}

// count writes a number with its noun.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list writes ids with commas, the first ten of them.
func list(ids []int64) string {
	text := ""
	for i, id := range ids {
		if i == 10 {
			return text + " and more"
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(id)
	}
	return text
}

// writeJSON prints the summary. Lists are never null.
func (s *summary) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	c := *s
	c.RunningJobs = append([]int64{}, s.RunningJobs...)
	c.Errors = append([]entryError{}, s.Errors...)
	c.Rules = append([]ruleCount{}, s.Rules...)
	return enc.Encode(&c)
}
