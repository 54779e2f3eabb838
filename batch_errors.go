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
	ErrBatchHalted = importer.ErrEnded                                   // an earlier error has ended the import; it is wrapped as well
	ErrBatchWait   = deliver.ErrWait                                     // a job did not end within WaitFor
	ErrBatchLost   = deliver.ErrLost                                     // the platform no longer knows the job, and whether it was processed is unknown
)

// BatchCode is the code of an error in a batch job, as in 0x1005.
type BatchCode string

// The codes that the platform is known to use.
const (
	CodeGeneral        BatchCode = "0x1001"
	CodePermission     BatchCode = "0x1002"
	CodeSyntax         BatchCode = "0x1003"
	CodeInternal       BatchCode = "0x1004"
	CodeIndicator      BatchCode = "0x1005"
	CodeGroup          BatchCode = "0x1006"
	CodeNotFound       BatchCode = "0x1007"
	CodeIndicatorLimit BatchCode = "0x1008"
	CodeAssociation    BatchCode = "0x1009"
	CodeDuplicate      BatchCode = "0x100A"
	CodeFileIO         BatchCode = "0x100B"
	CodeIndicatorLoss  BatchCode = "0x2001"
	CodeGroupLoss      BatchCode = "0x2002"
	CodeHashMerge      BatchCode = "0x2003"
	CodeHashMergeToo   BatchCode = "0x3001"
)

// String says what the code means, as in "0x1005 invalid indicator".
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

// Partial reports whether the item was saved and only a part of it lost.
func (c BatchCode) Partial() bool { return attribute.Partial(string(c)) }

// BatchItemError is the error of an item that was not imported, or only in part.
//
// Its text, its JSON and the output of fmt and slog contain neither the item nor the platform's words, which repeat
// the item. The fields do.
type BatchItemError struct {
	// Seq is the number of items that were added before the item. It is -1 if the item is not known: in errors
	// from BatchService.Errors, and if the platform does not name exactly one item of the job.
	Seq int64
	// Type and Ref name the item: the type and summary of an indicator, the type and xid of a group, or
	// "Association" and nothing. They are empty if the item is not known.
	Type, Ref string
	Code      BatchCode // empty if there is none
	Severity  string    // Error or Warning; empty if the platform omits it
	Reason    string    // the platform's words, up to 1 KiB
	Cause     string    // the exception, if the platform names one, up to 1 KiB
	JobID     int64     // the job on the platform; 0 if there was none
	// Unprocessed says that the platform did not process the item, because an earlier error ended the job or the
	// import. The item can be added to another import as it is.
	Unprocessed bool
	// Content says that the item was imported without its content, for the reason in Err; see [GroupContent].
	Content bool
	// Err is why the item was not sent, as a *ValidationError, or why its content or a record of a spool is
	// missing. It is nil if the platform refused the item. If an earlier process kept it in a spool, it is a
	// *ValidationError or only its text.
	Err error
}

// Error names the code, the item's place and the job.
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

// Format prints the text for every verb, so that no verb shows the item or the platform's words.
func (e BatchItemError) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), e.Error())
}

// MarshalJSON writes the text and the numbers. It omits what names the item; write those fields yourself if you want
// them.
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

// Unwrap returns why the item was not sent.
func (e *BatchItemError) Unwrap() error { return e.Err }

// Fatal reports whether the error ended the job, so that items after it were not processed.
func (e *BatchItemError) Fatal() bool {
	return attribute.Fatal(e.Reason, e.Cause) || attribute.Full(string(e.Code), e.Reason, e.Cause)
}

// batchItemError returns a failure as a BatchItemError.
func batchItemError(f item.Failure) BatchItemError {
	return BatchItemError{Seq: f.Seq, Type: f.Type, Ref: f.Name, Code: BatchCode(f.Code), Severity: f.Severity, Reason: f.Reason, Cause: f.Cause,
		JobID: f.Job, Unprocessed: f.Unprocessed, Content: f.Content, Err: f.Err}
}

// BatchError is the error of an import that did not succeed as a whole. It unwraps to Err and not to the errors of
// items, so that [errors.As] does not find one of many by chance; range over Items instead.
type BatchError struct {
	Stats BatchStats
	// Items are the first 1,000 errors of items, in the order in which they became known.
	// BatchConfig.OnError gets more.
	Items []BatchItemError
	More  int // number of further errors of items
	// Jobs are the ids of jobs with an unknown outcome that were uploaded, or may have been. Check them with
	// client.Batch.Wait and client.Batch.Errors.
	Jobs []int64
	Err  error // why the import ended early; nil if it did not
	Kept bool  // whether the rest of the import is in the spool, so that the next writer of the run resumes it
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

// Unwrap returns what ended the import early.
func (e *BatchError) Unwrap() error { return e.Err }
