// Package deliver delivers batch files to the platform. It uploads each file exactly once, waits until the
// platform has processed it, and determines the outcome of its items.
package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Platform contains the requests of a delivery. Methods whose requests are safe to repeat may retry them.
type Platform interface {
	// Create creates a job that waits for its file.
	Create(ctx context.Context) (job int64, err error)
	// Upload uploads the file of a job. It does not retry.
	Upload(ctx context.Context, job int64, file [][]byte) error
	// Status returns the state of a job.
	Status(ctx context.Context, job int64) (Status, error)
	// Errors calls use for each error of a completed job, without the first skip errors. list is "errors" or
	// "results".
	Errors(ctx context.Context, job int64, list string, skip int, use func(attribute.Entry)) error
	// Attach uploads the content of a group. After an error, again reports whether the upload can be
	// repeated.
	Attach(ctx context.Context, c item.Content) (again bool, err error)
	// Classify returns the meaning of an error of these methods.
	Classify(err error) Fault
}

// Status is the state of a job with its counts.
type Status struct {
	State  State
	Name   string // the platform's name of the state
	Counts attribute.Counts
}

// State is the state of a job.
type State uint8

// The states.
const (
	Working State = iota // has its file
	Waiting              // waits for its file
	Completed
)

// Fault is the meaning of an error.
type Fault struct {
	Temporary  bool          // the error may go away with time
	Foreign    bool          // another server has answered
	Refused    bool          // the platform did not accept the request
	Unsent     bool          // the request did not reach the platform
	NotFound   bool          // the job, list or group does not exist
	NotReady   bool          // the list does not exist yet
	TooLarge   bool          // the file exceeds the limit of the instance
	Limit      int64         // that limit in bytes; 0 if unknown
	RetryAfter time.Duration // wait that the platform asks for
}

// Errors that end an import.
var (
	ErrWait   = errors.New("threatconnect: batch job takes too long")
	ErrLost   = errors.New("threatconnect: batch job is gone")
	ErrHalted = errors.New("threatconnect: the platform refused an item and HaltOnError is set")
)

// Phase is a step in the delivery of a file.
type Phase uint8

// The phases.
const (
	Queued Phase = iota
	Created
	Uploaded
	Running
	Settled
	Split    // the file is cut into smaller parts
	Attached // the content of a group is on the platform
)

// Event reports a step in the delivery of a file.
type Event struct {
	Phase     Phase
	File, Job int64
	Items     int
	Bytes     int64
	XID       string // xid of the group whose content was uploaded
}
