package threatconnect

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// BatchResultOptions selects errors of a job. Nil and the zero value select all.
type BatchResultOptions struct {
	CallOptions
	Code     BatchCode // one code; empty means any
	Contains string    // words that the reason or the message has; empty means any
	Severity string    // info, warn or error; empty means any
}

// Errors reads the error file of a completed job, which may not be there yet for some seconds after
// the job has ended. A job without errors has none. It costs one request and reads as it is ranged
// over; the error of the sequence, if any, is its last element. Seq is -1 in all of them.
//
//	API: GET /v2/batch/{id}/errors
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Errors(ctx context.Context, jobID int64) iter.Seq2[BatchItemError, error] {
	return s.errorSeq(ctx, jobID, "errors", nil)
}

// Results reads the errors of a completed job with their severity and cause, which newer instances
// have. A job without errors has none. It costs one request and reads as it is ranged over; the
// error of the sequence, if any, is its last element. Seq is -1 in all of them.
//
//	API: GET /v2/batch/{id}/results
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Results(ctx context.Context, jobID int64, opts *BatchResultOptions) iter.Seq2[BatchItemError, error] {
	o := copyOf(opts)
	if o.Code != "" && !strings.HasPrefix(string(o.Code), "0x") {
		return func(yield func(BatchItemError, error) bool) {
			yield(BatchItemError{}, &ValidationError{Field: "batch code", Rule: "must begin with 0x"})
		}
	}
	return BatchService{service{s.c.with(o.CallOptions)}}.errorSeq(ctx, jobID, "results", &o)
}

// errorSeq reads a list of errors. No list is an empty one.
func (s BatchService) errorSeq(ctx context.Context, jobID int64, what string, o *BatchResultOptions) iter.Seq2[BatchItemError, error] {
	return func(yield func(BatchItemError, error) bool) {
		left, used := false, 0
		err := s.readErrors(ctx, jobID, what, o, &used, func(e *jobError) bool {
			left = !yield(e.item(jobID), nil)
			return !left
		})
		if err != nil && !left && !errors.Is(err, ErrNotFound) {
			yield(BatchItemError{}, err)
		}
	}
}

// readErrors reads one of the lists of errors of a job and gives each to use, until use returns
// false. A list that breaks off is asked for again and goes on where it was: used counts the errors
// that were given.
func (s BatchService) readErrors(ctx context.Context, jobID int64, what string, o *BatchResultOptions, used *int, use func(*jobError) bool) error {
	r, err := jobRoute(jobID)
	if err != nil {
		return err
	}
	call := &call{method: http.MethodGet, route: r.under(what)}
	if what == "errors" {
		call.header = anyType() // a file, whatever it is labelled as
	}
	if o != nil {
		call.query = o.query()
	}
	return s.c.do(ctx, call, func(resp *http.Response) error {
		body := bufio.NewReaderSize(resp.Body, 32<<10)
		if magic, _ := body.Peek(2); string(magic) == "\x1f\x8b" {
			z, err := gzip.NewReader(body)
			if err != nil {
				return fmt.Errorf("%w: it begins like gzip and is not: %w", ErrBadResponse, err)
			}
			body = bufio.NewReaderSize(&capped{z, s.c.cfg.maxBody}, 32<<10)
		}
		d, n := objectScanner{src: body}, 0
		for {
			text, err := d.next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				if !errors.Is(err, ErrBadResponse) && !errors.Is(err, ErrResponseTooLarge) && ctx.Err() == nil {
					err = fmt.Errorf("%w: the list of errors of %s: %w", ErrBadResponse, jobName(jobID), err)
				}
				return err
			}
			if n++; n == 1 && !d.list && refusedAnswer(text) {
				return newAPIError(call, resp, text)
			}
			if n <= *used {
				continue
			}
			*used++
			e := readJobError(text)
			if !use(&e) {
				return nil
			}
		}
	})
}

// capped reads what is unpacked up to a size; what is larger is an error and not an end.
type capped struct {
	src  io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, ErrResponseTooLarge
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// refusedAnswer reports whether what should be the list of errors says that there is none: some
// instances do so with the status of a success.
func refusedAnswer(text []byte) bool {
	a, err := readBatchAnswer(text)
	return err == nil && a.refused()
}

// jobError is an entry of a list of errors.
type jobError struct {
	code     BatchCode
	severity string
	reason   string // the words for people
	cause    string // the exception
	cut      bool   // whether words are missing
	source   sourceRef
}

// links reports whether an error can be about an association.
func (e *jobError) links() bool { return e.code == CodeAssociation || e.code == CodeNotFound }

// about reports whether the code of an error allows that it is about an item of a list. One about an
// association may also be about the item that refers.
func (e *jobError) about(s section) bool {
	switch e.code {
	case CodeIndicator, CodeIndicatorLoss, CodeHashMerge, CodeHashMergeToo:
		return s == inIndicators
	case CodeGroup, CodeGroupLoss:
		return s == inGroups
	}
	return true
}

// sourceRef is what an entry says about the item that it is about.
type sourceRef struct {
	typ, xid string
	refs     []string // summaries, hashes, names
}

func (s *sourceRef) named() bool { return s.xid != "" || len(s.refs) > 0 }

// item returns the error as callers see it, without the place of the item.
func (e *jobError) item(jobID int64) BatchItemError {
	ref := e.source.xid
	if ref == "" && len(e.source.refs) > 0 {
		ref = e.source.refs[0]
	}
	return BatchItemError{Seq: -1, Type: e.source.typ, Ref: cutText(ref, maxItemText), Code: e.code, Severity: e.severity, Reason: e.reason, Cause: e.cause, JobID: jobID}
}

// readJobError reads an entry. The two lists use errorReason for different things: where there is
// an errorMessage, that is the one for people.
func readJobError(text []byte) jobError {
	var e jobError
	var reason, message string
	words := func(r *wire.Reader) string {
		all := r.Text()
		kept := cutText(all, maxItemText)
		e.cut = e.cut || len(kept) < len(all)
		return kept
	}
	r := wire.NewReader(text)
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "code":
			e.code = BatchCode(r.Text())
		case "severity":
			e.severity = cutText(r.Text(), maxItemText)
		case "errorReason":
			reason = words(r)
		case "errorMessage":
			message = words(r)
		case "errorSource":
			e.source = readSource(r)
		default:
			r.Skip()
		}
	}
	e.reason = message
	if message == "" {
		e.reason = reason
	} else {
		e.cause = reason
	}
	if e.code == "" {
		e.code, e.reason = codeIn(e.reason)
	}
	if e.code == "" {
		e.code, e.cause = codeIn(e.cause)
	}
	e.code = tidyCode(e.code)
	return e
}

// readSource reads what an error is about: an item, or just a text.
func readSource(r *wire.Reader) sourceRef {
	var s sourceRef
	if r.Kind() != wire.Object {
		if t := r.Text(); t != "" {
			s.refs = []string{t}
		}
		return s
	}
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); key {
		case "type":
			s.typ = cutText(r.Text(), maxItemText)
		case "xid":
			s.xid = r.Text()
		case "summary", "ip", "address", "hostName", "text", "md5", "sha1", "sha256", "name", "AS Number", "Block", "Mutex", "User Agent String", "Subject", "Hashtag", "ref_1":
			if t := r.Text(); t != "" {
				s.refs = append(s.refs, t)
			}
		default:
			r.Skip()
		}
	}
	return s
}

// codeIn takes the code off the front of a text such as "Error (0x1005): words".
func codeIn(s string) (BatchCode, string) {
	before, rest, ok := strings.Cut(s, "(0x")
	if !ok || len(before) > 16 {
		return "", s
	}
	digits, rest, ok := strings.Cut(rest, ")")
	if !ok || len(digits) > 8 || !canon.IsHex(digits) {
		return "", s
	}
	return BatchCode("0x" + digits), strings.TrimLeft(rest, ": ")
}

// tidyCode writes a code as the constants have it.
func tidyCode(c BatchCode) BatchCode {
	if len(c) > 2 && len(c) <= 10 && (c[:2] == "0x" || c[:2] == "0X") && canon.IsHex(string(c[2:])) {
		return BatchCode("0x" + strings.ToUpper(string(c[2:])))
	}
	return ""
}

// maxItemText is how much of a text of the platform a [BatchItemError] keeps.
const maxItemText = 1 << 10

// cutText keeps at most n bytes of a text, and whole runes.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
