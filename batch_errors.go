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
	meaning := ""
	switch c {
	case "":
		return "no code"
	case CodeGeneral:
		meaning = "general error"
	case CodePermission:
		meaning = "permission error"
	case CodeSyntax:
		meaning = "JSON syntax error"
	case CodeInternal:
		meaning = "internal error"
	case CodeIndicator:
		meaning = "invalid indicator"
	case CodeGroup:
		meaning = "invalid group"
	case CodeNotFound:
		meaning = "item not found"
	case CodeIndicatorLimit:
		meaning = "indicator limit"
	case CodeAssociation:
		meaning = "association error"
	case CodeDuplicate:
		meaning = "duplicate item"
	case CodeFileIO:
		meaning = "file I/O error"
	case CodeIndicatorLoss:
		meaning = "indicator saved in part"
	case CodeGroupLoss:
		meaning = "group saved in part"
	case CodeHashMerge, CodeHashMergeToo:
		meaning = "file hash merge error"
	default:
		return "unknown code"
	}
	return string(c) + " " + meaning
}

// Partial reports whether the item was saved and only a part of it lost.
func (c BatchCode) Partial() bool { return attribute.Partial(string(c)) }

// BatchItemError is an item of a batch job that did not go in, or not as a whole.
//
// Its text, its JSON and what fmt and slog print of it hold neither the item nor the platform's words,
// which repeat the item; they are in the fields.
type BatchItemError struct {
	// Seq is how many items were added before the item, as BatchWriter.Add and Import count them.
	// It is -1 when the item is not known: in errors from BatchService.Errors, and when the platform
	// does not name the item or several items of the job fit what it says.
	Seq int64
	// Type and Ref name the item: the type and summary of an indicator, the type and xid of a
	// group, "Association" and nothing. They are empty when the item is not known.
	Type, Ref string
	Code      BatchCode // empty when there is none
	Severity  string    // Error or Warning; empty when the platform did not say
	Reason    string    // the platform's words, at most 1 KiB
	Cause     string    // the exception behind it, where the platform names one, at most 1 KiB
	JobID     int64     // the job on the platform; 0 when there was none
	// Unprocessed says that the platform has not looked at the item: an error before it ended the
	// job or the import. It can be added to another import as it is.
	Unprocessed bool
	// Content says that the item is in and its content is not, which Err says why; see
	// [GroupContent].
	Content bool
	// Err is why the item was not sent, as a *ValidationError, or why its content or a record of a
	// spool is not there. It is nil when the platform refused the item. One that an earlier
	// process kept in a spool is a *ValidationError or only its text.
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

// MarshalJSON writes what the text says, with the numbers in members of their own. What names the
// item is left out: write the fields yourself where they are wanted.
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

// batchItemError returns a failure as callers see it.
func batchItemError(f item.Failure) BatchItemError {
	return BatchItemError{Seq: f.Seq, Type: f.Type, Ref: f.Name, Code: BatchCode(f.Code), Severity: f.Severity, Reason: f.Reason, Cause: f.Cause,
		JobID: f.Job, Unprocessed: f.Unprocessed, Content: f.Content, Err: f.Err}
}

// BatchError says that an import did not succeed as a whole. It unwraps to Err, and not to the errors of
// items, so that [errors.As] does not find one of many by chance: range over Items.
type BatchError struct {
	Stats BatchStats
	// Items are the errors of items, the first 1,000 of them in the order in which they became
	// known. BatchConfig.OnError is told all.
	Items []BatchItemError
	More  int // how many errors of items there were beyond those
	// Jobs are the ids of jobs whose end was not seen: they were uploaded, or may have been. Look
	// after them with client.Batch.Wait and client.Batch.Errors.
	Jobs []int64
	Err  error // what ended the import before its end; nil when nothing did
	Kept bool  // whether what is left is in the spool, from where the next writer of the run goes on
}

// Error counts what went wrong and names the first reason. It holds no indicator values.
func (e *BatchError) Error() string {
	var b strings.Builder
	b.WriteString("threatconnect: batch import: ")
	t := e.Stats.Total()
	fmt.Fprintf(&b, "%d of %d items failed", t.Failed+int64(e.Stats.Invalid), t.Added+int64(e.Stats.Invalid))
	if n := e.Stats.Links.Failed; n > 0 {
		fmt.Fprintf(&b, ", %d references failed", n)
	}
	if t.Unprocessed > 0 {
		fmt.Fprintf(&b, ", %d were not processed", t.Unprocessed)
	}
	if t.Unknown > 0 {
		fmt.Fprintf(&b, ", %d have an unknown outcome", t.Unknown)
	}
	if t.Excluded > 0 {
		fmt.Fprintf(&b, ", %d were excluded", t.Excluded)
	}
	if n := e.Stats.Contents.Failed + e.Stats.Contents.Unprocessed; n > 0 {
		fmt.Fprintf(&b, ", %d contents were not uploaded", n)
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
