// Package attribute determines the outcome of each item of a batch file. It consists of pure functions of a
// file, the counts of its job, and the entries of the job's list of errors.
package attribute

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Codes that restrict the items that an error can concern.
const (
	CodeSyntax        = "0x1003"
	CodeIndicator     = "0x1005"
	CodeGroup         = "0x1006"
	CodeNotFound      = "0x1007"
	CodeLimit         = "0x1008"
	CodeAssociation   = "0x1009"
	CodeIndicatorLoss = "0x2001"
	CodeGroupLoss     = "0x2002"
	CodeHashMerge     = "0x2003"
	CodeHashMergeToo  = "0x3001"
)

// Entry is an entry of a list of errors.
type Entry struct {
	Code     string
	Severity string
	Reason   string // message for people
	Cause    string // the exception
	Cut      bool   // the message was shortened
	Source   Source
}

// Source identifies the item that an entry concerns.
type Source struct {
	Type, XID string
	Refs      []string // summaries, hashes, names
}

func (s *Source) named() bool { return s.XID != "" || len(s.Refs) > 0 }

// Failure returns the entry as a failure whose item is unknown.
func (e *Entry) Failure(job int64) item.Failure {
	name := e.Source.XID
	if name == "" && len(e.Source.Refs) > 0 {
		name = e.Source.Refs[0]
	}
	return item.Failure{Seq: -1, Type: e.Source.Type, Name: name, Code: e.Code, Severity: e.Severity, Reason: e.Reason, Cause: e.Cause, Job: job}
}

// links reports whether the error can concern an association.
func (e *Entry) links() bool { return e.Code == CodeAssociation || e.Code == CodeNotFound }

// about reports whether the code of the error allows an item of a section. An error of an association may
// concern the item that refers.
func (e *Entry) about(s item.Section) bool {
	switch e.Code {
	case CodeIndicator, CodeIndicatorLoss, CodeHashMerge, CodeHashMergeToo:
		return s == item.Indicators
	case CodeGroup, CodeGroupLoss:
		return s == item.Groups
	}
	return true
}

// Partial reports whether the item was saved and only a part of it was lost.
func Partial(code string) bool { return strings.HasPrefix(code, "0x2") || code == CodeHashMergeToo }

// Messages of errors that end a job.
const (
	fatalException = "encountered an unexpected exception while processing batch job"
	fatalLimit     = "would exceed the number of allowed indicators"
)

// Fatal reports whether an item made the platform abort the job.
func Fatal(reason, cause string) bool { return mentions(fatalException, reason, cause) }

// Full reports whether the owner accepts no more indicators.
func Full(code, reason, cause string) bool {
	return code == CodeLimit || mentions(fatalLimit, reason, cause)
}

func mentions(words string, texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), words) {
			return true
		}
	}
	return false
}
