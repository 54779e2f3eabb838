package threatconnect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// BatchState is the state of a job. There is no state for failure: every job ends as JobCompleted.
type BatchState string

// The states of batch jobs. The platform may send others.
const (
	JobCreated   BatchState = "Created" // waits for its file
	JobQueued    BatchState = "Queued"
	JobRunning   BatchState = "Running"
	JobCompleted BatchState = "Completed"
)

// known returns the state for an error text, which must not contain unknown words of the platform.
func (s BatchState) known() string {
	switch s {
	case JobCreated, JobQueued, JobRunning, JobCompleted:
		return string(s)
	}
	return "in an unknown state"
}

// BatchStatus is the state of a batch job with its counts. Counts that the platform omits are 0. If a count
// is below 0 or above 2147483647, the error matches [ErrBadResponse].
type BatchStatus struct {
	ID          int64      `json:"id,omitzero"` // 0 if createAndUpload has completed the job at once
	State       BatchState `json:"status"`
	Success     int        `json:"successCount"`
	Errors      int        `json:"errorCount"`
	Unprocessed int        `json:"unprocessCount"` // items that a halted job did not process

	SuccessIndicators   int `json:"successIndicatorCount"`
	ErrorIndicators     int `json:"errorIndicatorCount"`
	SuccessGroups       int `json:"successGroupCount"`
	ErrorGroups         int `json:"errorGroupCount"`
	SuccessAssociations int `json:"successAssociationCount"`
	ErrorAssociations   int `json:"errorAssociationCount"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// maxCount is the largest valid count. No file has that many items, and a sum of a few such counts fits in an
// int64.
const maxCount = 1<<31 - 1

// readCount reads a count of items. An invalid count fails the response, because the writer relies on it to
// find unprocessed items.
func readCount(r *wire.Reader) int {
	n := r.Int64()
	if n < 0 || n > maxCount {
		r.Fail("want a count from 0 to 2147483647")
		return 0
	}
	return int(n)
}

// errors returns the larger of the count of errors and the sum of its parts, because some versions omit
// errors of associations from the count.
func (s *BatchStatus) errors() int {
	apart := int64(s.ErrorIndicators) + int64(s.ErrorGroups) + int64(s.ErrorAssociations)
	return max(s.Errors, int(min(apart, maxCount)))
}

// successes returns the larger of the count of successes and the sum of its parts.
func (s *BatchStatus) successes() int {
	apart := int64(s.SuccessIndicators) + int64(s.SuccessGroups) + int64(s.SuccessAssociations)
	return max(s.Success, int(min(apart, maxCount)))
}

// read reads the value of a key of a status.
func (s *BatchStatus) read(key []byte, r *wire.Reader) {
	switch string(key) {
	case "id", "batchId":
		s.ID = r.Int64()
	case "status":
		s.State = BatchState(r.Text())
	case "successCount":
		s.Success = readCount(r)
	case "errorCount":
		s.Errors = readCount(r)
	case "unprocessCount", "unprocessedCount":
		s.Unprocessed = readCount(r)
	case "successIndicatorCount":
		s.SuccessIndicators = readCount(r)
	case "errorIndicatorCount":
		s.ErrorIndicators = readCount(r)
	case "successGroupCount":
		s.SuccessGroups = readCount(r)
	case "errorGroupCount":
		s.ErrorGroups = readCount(r)
	case "successAssociationCount":
		s.SuccessAssociations = readCount(r)
	case "errorAssociationCount":
		s.ErrorAssociations = readCount(r)
	default:
		keepExtra(&s.Extra, r)
	}
}

// batchAnswer is a response about a job. It is either an envelope or the bare status. A bare status has the
// state of the job under "status", where an envelope has the result of the call.
type batchAnswer struct {
	BatchStatus
	word string // "status" of the outermost object
}

func readBatchAnswer(text []byte) (batchAnswer, error) {
	var a batchAnswer
	inner := func(r *wire.Reader) {
		for r.Object(); r.NextKey(); {
			a.read(r.Key(), r)
		}
	}
	r := wire.NewReader(text)
	r.Limit(int64(2*len(text)) + 64<<10) // room for the entries of unknown members
	if r.Kind() != wire.Object {
		r.Fail("want an object")
		return a, r.Err()
	}
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "status":
			a.word = r.Text()
		case "batchStatus":
			inner(r)
		case "data":
			for r.Object(); r.NextKey(); {
				if string(r.Key()) == "batchStatus" {
					inner(r)
				} else {
					a.read(r.Key(), r)
				}
			}
		default:
			a.read(r.Key(), r)
		}
	}
	r.End()
	if a.State == "" && a.word != "Success" {
		a.State = BatchState(a.word)
	}
	return a, r.Err()
}

// refused reports whether the response is an error.
func (a *batchAnswer) refused() bool {
	switch a.word {
	case "Failure", "Error", "Invalid", "Not Authorized":
		return true
	}
	return false
}

// batch sends a call about a job. A response with neither a state nor an ID is invalid.
func (c *Client) batch(ctx context.Context, call *call) (*BatchStatus, error) {
	var a batchAnswer
	err := c.do(ctx, call, func(resp *http.Response) error {
		buf := c.buffer()
		defer c.release(buf)
		const most = 1 << 20 // such responses have a few hundred bytes
		if _, err := buf.ReadFrom(io.LimitReader(resp.Body, most)); err != nil {
			return err
		}
		var err error
		switch a, err = readBatchAnswer(buf.Bytes()); {
		case err != nil && isHTML(resp, buf.Bytes()):
			return errPage
		case err != nil:
			return fmt.Errorf("%w: %w (content type %s)", ErrBadResponse, err, contentType(resp))
		case a.refused():
			return newAPIError(call, resp, buf.Bytes())
		case a.State == "" && a.ID == 0:
			return fmt.Errorf("%w: it has neither a state nor an id of the job", ErrBadResponse)
		case a.ID != 0 && !call.route.names(a.ID):
			return errWrongID
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &a.BatchStatus, nil
}

// errPage is the error for an HTML page in place of a response.
var errPage = fmt.Errorf("%w: an HTML page came instead of the API's answer: is /api missing from the base URL, or is a proxy or login page in between?", ErrBadResponse)
