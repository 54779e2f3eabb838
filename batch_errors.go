package threatconnect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Errors that a [BatchWriter] returns.
var (
	ErrBatchClosed = errors.New("threatconnect: batch writer is closed") // Add or Flush after Close
	ErrBatchHalted = importer.ErrEnded                                   // an earlier error has ended the import; the error wraps it
	ErrBatchWait   = deliver.ErrWait                                     // a job did not end within BatchConfig.WaitFor
	ErrBatchLost   = deliver.ErrLost                                     // the platform no longer knows the job, which may have been processed
)

// BatchCode is the code of an error in a batch job, for example "0x1005".
type BatchCode string

// The known codes of the platform.
const (
	CodeGeneral        BatchCode = "0x1001" // general error
	CodePermission     BatchCode = "0x1002" // the API user lacks a permission
	CodeSyntax         BatchCode = "0x1003" // JSON syntax error
	CodeInternal       BatchCode = "0x1004" // internal error
	CodeIndicator      BatchCode = "0x1005" // invalid indicator
	CodeGroup          BatchCode = "0x1006" // invalid group
	CodeNotFound       BatchCode = "0x1007" // item not found
	CodeIndicatorLimit BatchCode = "0x1008" // too many indicators
	CodeAssociation    BatchCode = "0x1009" // invalid association
	CodeDuplicate      BatchCode = "0x100A" // duplicate item
	CodeFileIO         BatchCode = "0x100B" // file I/O error
	CodeIndicatorLoss  BatchCode = "0x2001" // indicator saved in part
	CodeGroupLoss      BatchCode = "0x2002" // group saved in part
	CodeHashMerge      BatchCode = "0x2003" // file hash merge error
	CodeHashMergeToo   BatchCode = "0x3001" // file hash merge error
)

// String returns the code with its meaning, for example "0x1005 invalid indicator".
func (c BatchCode) String() string {
	meaning, known := map[BatchCode]string{
		CodeGeneral:        "general error",
		CodePermission:     "permission error",
		CodeSyntax:         "JSON syntax error",
		CodeInternal:       "internal error",
		CodeIndicator:      "invalid indicator",
		CodeGroup:          "invalid group",
		CodeNotFound:       "item not found",
		CodeIndicatorLimit: "indicator limit",
		CodeAssociation:    "association error",
		CodeDuplicate:      "duplicate item",
		CodeFileIO:         "file I/O error",
		CodeIndicatorLoss:  "indicator saved in part",
		CodeGroupLoss:      "group saved in part",
		CodeHashMerge:      "file hash merge error",
		CodeHashMergeToo:   "file hash merge error",
	}[c]
	switch {
	case c == "":
		return "no code"
	case !known:
		return "unknown code"
	}
	return string(c) + " " + meaning
}

// Partial reports whether the item was saved and only a part of it was lost.
func (c BatchCode) Partial() bool { return attribute.Partial(string(c)) }

// BatchItemError is the error of an item that was not imported, or only in part.
//
// Only its fields contain the item and the platform's message, which may repeat the item. Its text, its JSON,
// and the output of fmt and slog do not.
type BatchItemError struct {
	// Seq is the number of items that were added before the item. It is -1 if the item is unknown: in errors
	// from BatchService.Errors, and if the platform does not name exactly one item of the job.
	Seq int64
	// Type and Ref identify the item: type and summary of an indicator, type and xid of a group, or
	// "Association" and an empty Ref. They are empty if the item is unknown.
	Type, Ref string
	Code      BatchCode // empty if there is none
	Severity  string    // Error or Warning; empty if the platform omits it
	Reason    string    // message of the platform, up to 1 KiB
	Cause     string    // exception in the platform, if reported, up to 1 KiB
	JobID     int64     // ID of the job on the platform; 0 without a job
	// Unprocessed reports that the platform did not process the item, because an earlier error ended the job
	// or the import. The item can be added to another import unchanged.
	Unprocessed bool
	// Content reports that the item was imported without its content, because of Err; see GroupContent.
	Content bool
	// Err is the error that kept the item from being sent (a *ValidationError), the content from being
	// uploaded, or a record of a spool from being read. It is nil if the platform refused the item. In an
	// error from a spool, it is a *ValidationError or an error with the same text.
	Err error
}

// Error returns a text with the code, the position of the item, and the job.
func (e *BatchItemError) Error() string {
	var b strings.Builder
	b.WriteString("threatconnect: batch item")
	if e.Seq >= 0 {
		b.WriteString(" " + strconv.FormatInt(e.Seq, 10))
	}
	if e.JobID > 0 {
		b.WriteString(" in job " + strconv.FormatInt(e.JobID, 10))
	}
	if e.Content {
		b.WriteString(": its content")
	}
	switch {
	case e.Err != nil:
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), "threatconnect: "))
	case e.Unprocessed:
		b.WriteString(": not processed")
	default:
		b.WriteString(": " + e.Code.String())
	}
	return b.String()
}

// Format prints the text for every verb, so that no verb prints the item or the platform's message.
func (e BatchItemError) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), e.Error())
}

// MarshalJSON returns an object with the text and the numbers. It omits the fields that identify the item;
// write them yourself if you need them.
func (e BatchItemError) MarshalJSON() ([]byte, error) {
	var w wire.Writer
	w.BeginObject()
	w.Key("error")
	w.Text(e.Error())
	w.Key("seq")
	w.Int64(e.Seq)
	w.Key("code")
	w.Text(string(e.Code))
	w.Key("jobId")
	w.Int64(e.JobID)
	w.Key("unprocessed")
	w.Bool(e.Unprocessed)
	w.Key("content")
	w.Bool(e.Content)
	w.EndObject()
	return w.Buf, w.Err()
}

// Unwrap returns Err.
func (e *BatchItemError) Unwrap() error { return e.Err }

// Fatal reports whether the error ended the job, so that later items were not processed.
func (e *BatchItemError) Fatal() bool {
	return attribute.Fatal(e.Reason, e.Cause) || attribute.Full(string(e.Code), e.Reason, e.Cause)
}

// batchItemError converts a failure.
func batchItemError(f item.Failure) BatchItemError {
	return BatchItemError{Seq: f.Seq, Type: f.Type, Ref: f.Name, Code: BatchCode(f.Code), Severity: f.Severity, Reason: f.Reason, Cause: f.Cause,
		JobID: f.Job, Unprocessed: f.Unprocessed, Content: f.Content, Err: f.Err}
}

// BatchError is the error of an import in which an item failed or which ended early. It unwraps to Err and
// not to the errors of items, so [errors.As] never finds an arbitrary one of them. Range over Items instead.
type BatchError struct {
	Stats BatchStats
	// Items are the first 1,000 errors of items, in the order in which they became known. BatchConfig.OnError
	// gets more.
	Items []BatchItemError
	More  int // number of further errors of items
	// Jobs are the IDs of jobs that were uploaded, or may have been, and have an unknown outcome. Check them
	// with client.Batch.Wait and client.Batch.Errors.
	Jobs []int64
	Err  error // the error that ended the import early, or nil
	Kept bool  // whether the rest of the import is in the spool; the next writer with the same Run resumes it
}

// Error returns the counts and the first reason. It contains no indicator values.
func (e *BatchError) Error() string {
	var b strings.Builder
	t := e.Stats.Total()
	fmt.Fprintf(&b, "threatconnect: batch import: %d of %d items failed", t.Failed+e.Stats.Invalid, t.Added+e.Stats.Invalid)
	for _, text := range tallies(
		tally{e.Stats.Links.Failed, "references failed"}, tally{t.Unprocessed, "were not processed"}, tally{t.Unknown, "have an unknown outcome"},
		tally{t.Excluded, "were excluded"}, tally{e.Stats.Contents.Failed + e.Stats.Contents.Unprocessed, "contents were not uploaded"},
	) {
		b.WriteString(", " + text)
	}
	if len(e.Jobs) > 0 {
		fmt.Fprintf(&b, " (look at jobs %v)", e.Jobs)
	}
	if e.Err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), "threatconnect: "))
	} else if len(e.Items) > 0 {
		b.WriteString("; the first: " + strings.TrimPrefix(e.Items[0].Error(), "threatconnect: "))
	}
	if e.Kept {
		b.WriteString("; what is left is in the spool: run the import again")
	}
	return b.String()
}

// Unwrap returns Err.
func (e *BatchError) Unwrap() error { return e.Err }
