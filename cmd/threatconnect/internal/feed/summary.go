package feed

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// summary is the output of --json. If an interrupted import was finished first, the counts are those of both feeds.
type summary struct {
	Message     string `json:"message"` // the exit message
	Exit        int    `json:"exit"`    // the exit code
	Cause       string `json:"cause"`   // why the import ended early; empty if it did not
	Input       string `json:"input"`   // file, stdin, url or sample
	Format      string `json:"format"`
	Owner       string `json:"owner"`
	InProcess   bool   `json:"inProcess"` // whether the feed was imported into a test server
	DryRun      bool   `json:"dryRun"`
	NotModified bool   `json:"notModified"` // whether the download has not changed since the last run
	Resumed     int    `json:"resumed"`     // interrupted imports of earlier runs that this one continued

	counts
	Types      []*kindCount `json:"types"`
	Full       string       `json:"full"`       // why everything was sent in spite of --state; empty otherwise
	Stale      int64        `json:"stale"`      // indicators of the owner that are not in the feed
	Removed    int64        `json:"removed"`    // of those
	StaleShare float64      `json:"staleShare"` // of the owner's indicators of these types, 0 to 1
	Indicators int64        `json:"indicators"` // that were imported
	Groups     int64        `json:"groups"`     // that were imported
	LinksLost  int64        `json:"linksLost"`  // associations that were not made; they are not entries
	Jobs       int64        `json:"jobs"`
	Bytes      int64        `json:"bytes"` // of the files of the jobs
	Seconds    float64      `json:"seconds"`

	RunningJobs []int64      `json:"runningJobs"` // IDs of jobs with an unknown outcome
	Errors      []refusal    `json:"errors"`      // the first hundred entries that failed, are invalid, or lack an association
	MoreErrors  int64        `json:"moreErrors"`  // number of further ones
	Rules       []*ruleCount `json:"rules"`       // all of those, and the skipped entries

	refusals       refusals
	tooManyInvalid bool
	maxInvalid     string
}

func newSummary(c *config) *summary {
	return &summary{
		Input: c.inputKind(), Format: string(c.format), Owner: c.owner, InProcess: c.instance.InProcess(), DryRun: c.dryRun,
		maxInvalid: c.maxInvalid.String(), RunningJobs: []int64{},
	}
}

// add adds the other counts of an import.
func (s *summary) add(stats threatconnect.BatchStats) {
	s.Indicators += stats.Indicators.Succeeded
	s.Groups += stats.Groups.Succeeded
	s.LinksLost += stats.Links.Added - stats.Links.Succeeded - stats.Links.Excluded
	s.Jobs += stats.Jobs
	s.Bytes += stats.Bytes
}

// finish sets the exit code and the message. cause is the reason why the import ended early, or empty.
func (s *summary) finish(cause string) {
	s.refusals.sort()
	s.sortKinds()
	s.Errors, s.MoreErrors, s.Rules, s.Types = append([]refusal{}, s.refusals.errors...), s.refusals.more, append([]*ruleCount{}, s.refusals.rules...), append([]*kindCount{}, s.kinds...)
	if cause == "" && s.Read == 0 && !s.NotModified {
		cause = "the feed is empty: check whether the download worked"
	}
	s.Cause = cause
	where := s.Owner
	if s.InProcess {
		where += " of the test server in this process"
	}
	got := s.Imported + s.Unchanged + s.ToImport
	complete := cause == "" && !s.tooManyInvalid && s.Failed+s.Unprocessed+s.Unknown+s.LinksLost == 0
	switch {
	case s.DryRun && got > 0:
		s.Message = fmt.Sprintf("Nothing was sent: %s would be imported into %s%s", cli.Count(s.ToImport, "item"), where, s.others())
		if complete {
			s.Message += "."
		} else {
			s.Exit = cli.Partial
			s.Message += s.shortfall()
		}
	case !complete && got == 0:
		s.Exit = cli.Failure
		s.Message = fmt.Sprintf("Nothing was imported into %s%s", where, s.shortfall())
	case !complete:
		s.Exit = cli.Partial
		s.Message = fmt.Sprintf("Imported %s of %s into %s%s", cli.Number(s.Imported), cli.Count(s.Read-s.Merged-s.Skipped-s.Unchanged, "item"), where, s.others()+s.shortfall())
	case s.Imported > 0:
		s.Message = fmt.Sprintf("Imported %s into %s: %s%s.", cli.Count(s.Imported, "item"), where, s.parts(), s.others())
	case s.NotModified && s.Read == 0:
		s.Message = fmt.Sprintf("Nothing to import into %s: the feed has not changed since the last run.", where)
	default:
		s.Message = fmt.Sprintf("Nothing to import into %s%s.", where, s.others())
	}
	s.Message = cli.Message(s.Message)
}

// parts returns the numbers of indicators, groups and jobs.
func (s *summary) parts() string {
	var parts []string
	if s.Indicators > 0 {
		parts = append(parts, cli.Count(s.Indicators, "indicator"))
	}
	if s.Groups > 0 {
		parts = append(parts, cli.Count(s.Groups, "group"))
	}
	return strings.Join(parts, " and ") + " in " + cli.Count(s.Jobs, "job")
}

// others lists the other outcomes of a complete import, and the number of removed indicators.
func (s *summary) others() string {
	text := ""
	for _, n := range []struct {
		count int64
		name  string
	}{{s.Unchanged, "unchanged"}, {s.Merged, "merged"}, {s.Skipped, "skipped"}, {s.Removed, "stale removed"}} {
		if n.count > 0 {
			text += ", " + cli.Number(n.count) + " " + n.name
		}
	}
	if !s.tooManyInvalid && s.Invalid > 0 {
		text += ", " + cli.Number(s.Invalid) + " invalid"
	}
	return text
}

// shortfall returns the reasons why the import is incomplete.
func (s *summary) shortfall() string {
	text := ""
	for _, n := range []struct {
		count int64
		name  string
	}{{s.Failed, "failed"}, {s.LinksLost, "associations missing"}, {s.Unprocessed, "not processed"}, {s.Unknown, "with an unknown outcome"}} {
		if n.count > 0 {
			text += ", " + cli.Number(n.count) + " " + n.name
		}
	}
	if s.tooManyInvalid {
		text += fmt.Sprintf(", %s invalid (--max-invalid is %s)", cli.Number(s.Invalid), s.maxInvalid)
	}
	if len(s.RunningJobs) > 0 {
		text += "; left running: job " + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.RunningJobs[:min(len(s.RunningJobs), 10)]), " ", ", "), "[]")
	}
	switch {
	case s.Cause != "":
		text += ": " + s.Cause
	case (s.Failed+s.LinksLost > 0 || s.tooManyInvalid) && len(s.Rules) > 0 && s.Rules[0].Outcome != skipped:
		text += ": " + s.Rules[0].Rule + s.Rules[0].where()
	}
	return text
}

// attrs are the counts for the log.
func (s *summary) attrs() []any {
	attrs := []any{"exit", s.Exit, "read", s.Read, "imported", s.Imported, "unchanged", s.Unchanged, "merged", s.Merged, "skipped", s.Skipped,
		"invalid", s.Invalid, "failed", s.Failed, "unprocessed", s.Unprocessed, "unknown", s.Unknown, "removed", s.Removed, "jobs", s.Jobs, "seconds", s.Seconds}
	if s.Cause != "" {
		attrs = append(attrs, slog.String("error", s.Cause))
	}
	return attrs
}
