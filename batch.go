package threatconnect

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/sentence"
)

// BatchService imports indicators, groups and associations in batch jobs. It is safe for concurrent use.
//
// To import items, use [BatchService.Import], or [BatchService.NewWriter] if they arrive one at a time. The
// other methods are single operations of the platform. Use them for files that you encode yourself and for
// jobs of other clients.
type BatchService struct{ service }

const octetStream = "application/octet-stream"

func jobRoute(jobID int64) (route, error) {
	if jobID <= 0 {
		return route{}, &ValidationError{Field: "batch job id", Rule: "must be a positive number"}
	}
	return at("v2", "batch", id(jobID)), nil
}

// Create creates a batch job, which then waits for its file, and returns its ID. It costs one request. The
// request is retried, because a job without a file does nothing.
//
//	API: POST /v2/batch
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Create(ctx context.Context, job BatchJob) (int64, error) {
	job, err := job.withDefaults()
	if err != nil {
		return 0, err
	}
	return s.create(ctx, job.body())
}

func (s BatchService) create(ctx context.Context, body []byte) (int64, error) {
	st, err := s.c.batch(ctx, &call{method: http.MethodPost, route: at("v2", "batch"), body: jsonBody(body), idempotentPOST: true})
	if err != nil {
		return 0, addRoleHint(err)
	}
	if st.ID <= 0 {
		return 0, &RequestError{Method: http.MethodPost, Route: "/v2/batch", Attempts: 1, Err: fmt.Errorf("%w: it has no job id", ErrBadResponse)}
	}
	return st.ID, nil
}

// Upload uploads the file of a job, from the current offset of content to its end, which starts the job. It
// costs one request and is never retried. If the outcome is unknown after an error, call Status: a job in the
// state JobCreated has no file yet.
//
//	API: POST /v2/batch/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Upload(ctx context.Context, jobID int64, content io.ReadSeeker) (*BatchStatus, error) {
	body, err := seekerPayload(content)
	if err != nil {
		return nil, err
	}
	return s.upload(ctx, jobID, body)
}

func (s BatchService) upload(ctx context.Context, jobID int64, body payload) (*BatchStatus, error) {
	r, err := jobRoute(jobID)
	if err != nil {
		return nil, err
	}
	return s.c.batch(ctx, &call{method: http.MethodPost, route: r, body: body})
}

// seekerPayload returns a request body that is read from the current offset of content.
func seekerPayload(content io.ReadSeeker) (payload, error) {
	if isNil(content) {
		return payload{}, &ValidationError{Field: "batch content", Rule: "is nil"}
	}
	to := int64(0)
	from, err := content.Seek(0, io.SeekCurrent)
	if err == nil {
		to, err = content.Seek(0, io.SeekEnd)
	}
	if err == nil {
		_, err = content.Seek(from, io.SeekStart)
	}
	if err != nil {
		return payload{}, fmt.Errorf("threatconnect: find the size of the batch file: %w", err)
	}
	if to <= from {
		return payload{}, &ValidationError{Field: "batch content", Rule: "is empty"}
	}
	return payload{
		contentType: octetStream,
		size:        to - from,
		oneShot:     true,
		open:        func() (io.ReadCloser, error) { return io.NopCloser(content), nil },
	}, nil
}

// Status returns the state of a job and the counts of its items by kind. It costs one request.
//
//	API: GET /v2/batch/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Status(ctx context.Context, jobID int64) (*BatchStatus, error) {
	r, err := jobRoute(jobID)
	if err != nil {
		return nil, err
	}
	st, err := s.c.batch(ctx, &call{method: http.MethodGet, route: r, query: url.Values{"includeAdditional": {"true"}}})
	if err == nil && st.ID == 0 {
		st.ID = jobID
	}
	return st, err
}

// Wait polls a job until it is completed or ctx ends. It polls at once, after 250 ms, and then with a backoff
// of up to 20 seconds. Each poll costs one request. A completed job can have errors: check the counts.
//
//	API: GET /v2/batch/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) Wait(ctx context.Context, jobID int64) (*BatchStatus, error) {
	for p := (pause{}); ; {
		st, err := s.Status(ctx, jobID)
		if err != nil || st.State == JobCompleted {
			return st, err
		}
		if err := sleep(ctx, p.next()); err != nil {
			return st, fmt.Errorf("threatconnect: waiting for batch job %d: %w", jobID, err)
		}
	}
}

// CreateAndUpload creates a job and uploads its file in one request. The action BatchDelete is not supported.
// If the platform processes a small job at once, the returned status is complete and has no ID, so the errors
// of the job cannot be read.
//
// It costs one request and is never retried, because the platform could process the job twice. [BatchWriter]
// does not use it for that reason.
//
//	API: POST /v2/batch/createAndUpload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/batch_api/batch_api.html
func (s BatchService) CreateAndUpload(ctx context.Context, job BatchJob, content io.ReadSeeker) (*BatchStatus, error) {
	job, err := job.withDefaults()
	if err != nil {
		return nil, err
	}
	if job.Action == BatchDelete {
		return nil, &ValidationError{Field: "batch action", Rule: "cannot be Delete in one request", Fix: "use Create and Upload"}
	}
	file, err := seekerPayload(content)
	if err != nil {
		return nil, err
	}
	boundary := rand.Text() // random, so content cannot contain it
	head := []byte("--" + boundary + "\r\nContent-Disposition: form-data; name=\"config\"; filename=\"config\"\r\n\r\n" + string(job.body()) +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n")
	tail := []byte("\r\n--" + boundary + "--\r\n")
	body := payload{
		contentType: "multipart/form-data; boundary=" + boundary,
		size:        int64(len(head)) + file.size + int64(len(tail)),
		oneShot:     true,
		open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(head), content, bytes.NewReader(tail))), nil
		},
	}
	st, err := s.c.batch(ctx, &call{
		method: http.MethodPost,
		route:  at("v2", "batch", "createAndUpload"),
		query:  url.Values{"includeAdditional": {"true"}},
		body:   body,
	})
	return st, addRoleHint(err)
}

// addRoleHint adds a hint about permissions to a 401 error without a known sentence.
func addRoleHint(err error) error {
	if api, ok := errors.AsType[*APIError](err); ok && api.Hint == "" && api.StatusCode == http.StatusUnauthorized {
		api.Hint = sentence.HintBatchRole
	}
	return err
}

// BatchItems converts a sequence of items of one type into a sequence for [BatchService.Import], for example
// BatchItems(slices.Values(hosts)).
func BatchItems[T BatchItem](items iter.Seq[T]) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		for item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// pause is the backoff between polls of a job.
type pause struct{ last time.Duration }

const (
	minPause = 250 * time.Millisecond
	maxPause = 20 * time.Second
)

// next returns the wait before the next poll, which is 1.5 times the previous one.
func (p *pause) next() time.Duration {
	p.last = min(max(p.last+p.last/2, minPause), maxPause)
	return p.last
}
