package threatconnect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// batchPlatform implements deliver.Platform with a BatchService.
type batchPlatform struct {
	s           BatchService
	owner       string
	body        []byte // of the request that creates a job
	openContent func(t GroupType, xid string) (Content, error)
}

func (p *batchPlatform) Create(ctx context.Context) (int64, error) { return p.s.create(ctx, p.body) }

func (p *batchPlatform) Upload(ctx context.Context, job int64, file [][]byte) error {
	size := int64(0)
	for _, part := range file {
		size += int64(len(part))
	}
	_, err := p.s.upload(ctx, job, payload{
		contentType: octetStream,
		size:        size,
		oneShot:     true, // the state of the job decides whether to send it again
		open:        func() (io.ReadCloser, error) { return io.NopCloser(partsReader(file)), nil },
	})
	return err
}

func (p *batchPlatform) Status(ctx context.Context, job int64) (deliver.Status, error) {
	st, err := p.s.Status(ctx, job)
	if err != nil {
		return deliver.Status{}, err
	}
	out := deliver.Status{Name: st.State.known(), Counts: attribute.Counts{Success: st.successes(), Errors: st.errors(), Unprocessed: st.Unprocessed}}
	if apart := [...]int{item.Groups: st.SuccessGroups, item.Indicators: st.SuccessIndicators, item.Associations: st.SuccessAssociations}; apart[0]+apart[1]+apart[2] == out.Counts.Success {
		out.Counts.Apart = &apart
	}
	switch st.State {
	case JobCreated:
		out.State = deliver.Waiting
	case JobCompleted:
		out.State = deliver.Completed
	}
	return out, nil
}

func (p *batchPlatform) Errors(ctx context.Context, job int64, list string, skip int, use func(attribute.Entry)) error {
	return p.s.readErrors(ctx, job, list, nil, &skip, func(e *attribute.Entry) bool {
		use(*e)
		return true
	})
}

func (p *batchPlatform) Attach(ctx context.Context, c item.Content) (again bool, err error) {
	t := GroupType(c.Type)
	content, ok := c.Open.(Content)
	if !ok {
		if p.openContent == nil {
			return false, &ValidationError{Field: "group content", Rule: "was added by an earlier process and cannot be opened again", Fix: "set BatchConfig.OpenContent"}
		}
		if content, err = p.openContent(t, c.XID); err != nil {
			return false, fmt.Errorf("threatconnect: open a group's content again: %w", err)
		}
		if content.Open == nil || content.Size < -1 {
			return false, errNoContent
		}
	}
	open := content.Open
	content.Open = func() (io.ReadCloser, error) {
		rc, err := open()
		if err != nil {
			err = fmt.Errorf("%w: its content could not be opened: %w", errUnsent, err) // waiting does not help
		}
		return rc, err
	}
	err = p.s.c.upload(ctx, targetOfXID(groupDefOf(t), c.XID, p.owner), content, UploadOptions{Malware: c.Malware})
	return !content.OneShot, err
}

// Classify returns the meaning of an error for an import.
func (p *batchPlatform) Classify(err error) deliver.Fault {
	f := deliver.Fault{
		Temporary: temporary(err),
		Foreign:   errors.Is(err, errPage),
		Unsent:    errors.Is(err, errUnsent) || neverConnected(err),
		NotFound:  errors.Is(err, ErrNotFound),
		TooLarge:  errors.Is(err, ErrRequestTooLarge),
	}
	f.NotReady = f.NotFound || errors.Is(err, ErrBadRequest)
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return f
	}
	bad := errors.Is(err, ErrBadResponse)
	f.Foreign = f.Foreign || api.StatusCode < 500 && bad
	f.Refused = api.StatusCode >= 400 && api.StatusCode < 500 && api.StatusCode != http.StatusRequestTimeout &&
		api.StatusCode != http.StatusTooManyRequests && !bad
	f.RetryAfter = api.RetryAfter
	if f.TooLarge {
		f.Limit = allowedSize(api.Message)
	}
	return f
}

// temporary reports whether an error may go away with time: an outage, an overload, or a response from
// another server.
func temporary(err error) bool {
	if errors.Is(err, ErrNotLicensed) || errors.Is(err, ErrBatchDisabled) || errors.Is(err, ErrValidation) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClockSkew) {
		return false
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.StatusCode >= 500 || errors.Is(err, ErrBadResponse) || api.StatusCode == http.StatusTooManyRequests || api.StatusCode == http.StatusRequestTimeout
	}
	return errors.Is(err, ErrBadResponse) || !errors.Is(err, errUnsent) && !permanent(err)
}

// allowedSize returns the number in "File size greater than allowable limit of 2000000", or 0 if there is
// none.
func allowedSize(message string) int64 {
	_, rest, _ := strings.Cut(message, "limit of ")
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	n, _ := strconv.ParseInt(digits, 10, 64)
	return max(n, 0)
}

// Problem returns the parts of an item's error that a spool stores: the fields of a [*ValidationError], or
// the text.
func (*batchPlatform) Problem(err error) item.Problem {
	if v, ok := errors.AsType[*ValidationError](err); ok {
		return item.Problem{Field: v.Field, Rule: v.Rule, Fix: v.Fix}
	}
	return item.Problem{Text: err.Error()}
}

// Error is the inverse of Problem.
func (*batchPlatform) Error(p item.Problem) error {
	if p.Field != "" {
		return &ValidationError{Field: p.Field, Rule: p.Rule, Fix: p.Fix}
	}
	return errors.New(p.Text)
}

// partsReader returns a reader of the concatenation of parts.
func partsReader(parts [][]byte) io.Reader {
	readers := make([]io.Reader, len(parts))
	for i, part := range parts {
		readers[i] = bytes.NewReader(part)
	}
	return io.MultiReader(readers...)
}
