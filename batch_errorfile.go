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
	"net/url"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// BatchResultOptions selects errors of a job. Nil and the zero value select all.
type BatchResultOptions struct {
	CallOptions
	Code     BatchCode // one code; empty means any
	Contains string    // text in the reason or the message; empty means any
	Severity string    // info, warn or error; empty means any
}

// query returns the query of Results.
func (o *BatchResultOptions) query() url.Values {
	q := url.Values{}
	for key, v := range map[string]string{"code": string(o.Code), "contains": o.Contains, "severity": o.Severity} {
		if v != "" {
			q.Set(key, v)
		}
	}
	return q
}

// Errors returns an iterator over the error file of a completed job. The file may be missing for some seconds
// after the end of the job; a job without errors has none. In both cases the iterator is empty. Seq is -1 in
// all elements.
//
// It costs one request, and the response is read while the loop runs. If the request fails, the iterator
// yields the error and stops.
//
//	API: GET /v2/batch/{id}/errors
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Errors(ctx context.Context, jobID int64) iter.Seq2[BatchItemError, error] {
	return s.errorSeq(ctx, jobID, "errors", nil)
}

// Results returns an iterator over the errors of a completed job with their severity and cause. Older
// instances do not support it. Seq is -1 in all elements.
//
// It costs one request, and the response is read while the loop runs. If the request fails, the iterator
// yields the error and stops.
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

// errorSeq returns an iterator over a list of errors. A missing list is empty.
func (s BatchService) errorSeq(ctx context.Context, jobID int64, what string, o *BatchResultOptions) iter.Seq2[BatchItemError, error] {
	return func(yield func(BatchItemError, error) bool) {
		left, used := false, 0
		err := s.readErrors(ctx, jobID, what, o, &used, func(e *attribute.Entry) bool {
			left = !yield(batchItemError(e.Failure(jobID)), nil)
			return !left
		})
		if err != nil && !left && !errors.Is(err, ErrNotFound) {
			yield(BatchItemError{}, err)
		}
	}
}

// readErrors reads one of the lists of errors of a job and calls use for each, until use returns false. A retry of an
// interrupted list skips the errors that use has got, which used counts.
func (s BatchService) readErrors(ctx context.Context, jobID int64, what string, o *BatchResultOptions, used *int, use func(*attribute.Entry) bool) error {
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
					err = fmt.Errorf("%w: the list of errors of %s: %w", ErrBadResponse, deliver.JobName(jobID), err)
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

// capped reads up to a number of bytes, and then returns an error instead of io.EOF.
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

// refusedAnswer reports whether a response that should be the list of errors is an error: some instances send one with
// the status code of a success.
func refusedAnswer(text []byte) bool {
	a, err := readBatchAnswer(text)
	return err == nil && a.refused()
}

// readJobError reads an entry. The two lists differ in the meaning of errorReason: if there is an errorMessage, that is
// the text for people, and errorReason is the exception.
func readJobError(text []byte) attribute.Entry {
	var e attribute.Entry
	var reason, message string
	words := func(r *wire.Reader) string {
		all := r.Text()
		kept := cutText(all, maxItemText)
		e.Cut = e.Cut || len(kept) < len(all)
		return kept
	}
	r := wire.NewReader(text)
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "code":
			e.Code = r.Text()
		case "severity":
			e.Severity = cutText(r.Text(), maxItemText)
		case "errorReason":
			reason = words(r)
		case "errorMessage":
			message = words(r)
		case "errorSource":
			e.Source = readSource(r)
		default:
			r.Skip()
		}
	}
	e.Reason = message
	if message == "" {
		e.Reason = reason
	} else {
		e.Cause = reason
	}
	if e.Code == "" {
		e.Code, e.Reason = codeIn(e.Reason)
	}
	if e.Code == "" {
		e.Code, e.Cause = codeIn(e.Cause)
	}
	e.Code = tidyCode(e.Code)
	return e
}

// readSource reads the source of an error: an item or a text.
func readSource(r *wire.Reader) attribute.Source {
	var s attribute.Source
	if r.Kind() != wire.Object {
		if t := r.Text(); t != "" {
			s.Refs = []string{t}
		}
		return s
	}
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); key {
		case "type":
			s.Type = cutText(r.Text(), maxItemText)
		case "xid":
			s.XID = r.Text()
		case "summary", "ip", "address", "hostName", "text", "md5", "sha1", "sha256", "name", "AS Number", "Block", "Mutex", "User Agent String", "Subject", "Hashtag", "ref_1":
			if t := r.Text(); t != "" {
				s.Refs = append(s.Refs, t)
			}
		default:
			r.Skip()
		}
	}
	return s
}

// codeIn cuts the code from the start of a text such as "Error (0x1005): words".
func codeIn(s string) (code, rest string) {
	before, rest, ok := strings.Cut(s, "(0x")
	if !ok || len(before) > 16 {
		return "", s
	}
	digits, rest, ok := strings.Cut(rest, ")")
	if !ok || len(digits) > 8 || !canon.IsHex(digits) {
		return "", s
	}
	return "0x" + digits, strings.TrimLeft(rest, ": ")
}

// tidyCode returns a code as the constants spell it, or "" if it is none.
func tidyCode(c string) string {
	if len(c) > 2 && len(c) <= 10 && (c[:2] == "0x" || c[:2] == "0X") && canon.IsHex(c[2:]) {
		return "0x" + strings.ToUpper(c[2:])
	}
	return ""
}

// maxItemText is the largest number of bytes of a text of the platform that a [BatchItemError] keeps.
const maxItemText = 1 << 10

// cutText returns up to n bytes of a text, without a partial rune at the end.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
