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

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/errorlist"
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

// readErrors calls use for each error in a list of a job, until use returns false. used counts the errors
// passed to use, so that a retry of an interrupted list skips them.
func (s BatchService) readErrors(ctx context.Context, jobID int64, what string, o *BatchResultOptions, used *int, use func(*attribute.Entry) bool) error {
	r, err := jobRoute(jobID)
	if err != nil {
		return err
	}
	call := &call{method: http.MethodGet, route: r.under(what)}
	if what == "errors" {
		call.header = anyType() // a file with any content type
	}
	if o != nil {
		call.query = o.query()
	}
	return s.c.do(ctx, call, func(resp *http.Response) error {
		body := bufio.NewReaderSize(resp.Body, 32<<10)
		if magic, _ := body.Peek(2); string(magic) == "\x1f\x8b" {
			z, err := gzip.NewReader(body)
			if err != nil {
				return fmt.Errorf("%w: it starts like gzip but is not: %w", ErrBadResponse, err)
			}
			body = bufio.NewReaderSize(&capped{z, s.c.cfg.maxBody}, 32<<10)
		}
		d, n := errorlist.NewScanner(body), 0
		for {
			text, err := d.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				if !errors.Is(err, ErrBadResponse) && !errors.Is(err, ErrResponseTooLarge) && ctx.Err() == nil {
					err = fmt.Errorf("%w: the list of errors of %s: %w", ErrBadResponse, deliver.JobName(jobID), err)
				}
				return err
			}
			if n++; n == 1 && !d.InList() && isRefusal(text) {
				return newAPIError(call, resp, text)
			}
			if n <= *used {
				continue
			}
			*used++
			e := errorlist.Parse(text)
			if !use(&e) {
				return nil
			}
		}
	})
}

// capped is a reader that returns an error after left bytes, instead of io.EOF.
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

// isRefusal reports whether a response to a request for errors is an error itself. Some instances send one
// with a status code of success.
func isRefusal(text []byte) bool {
	a, err := readBatchAnswer(text)
	return err == nil && a.refused()
}
