// Package deliver brings one file after the other to the platform: each is uploaded exactly once, and waited for until
// the platform has processed it and its errors are known.
package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Platform is what the delivery of a file needs of the platform. Each method makes one request, or several if the
// request is safe to repeat.
type Platform interface {
	// Create creates a job that waits for its file.
	Create(ctx context.Context) (job int64, err error)
	// Upload gives a job its file. It never sends it twice.
	Upload(ctx context.Context, job int64, file [][]byte) error
	// Status returns how far a job is.
	Status(ctx context.Context, job int64) (Status, error)
	// Errors reads the errors of a completed job: the list "errors" or "results". It skips the first ones.
	Errors(ctx context.Context, job int64, list string, skip int, use func(attribute.Entry)) error
	// Attach uploads the content of a group. If it can be repeated, again is true after an error.
	Attach(ctx context.Context, c item.Content) (again bool, err error)
	// Classify says what an error of these methods means.
	Classify(err error) Fault
}

// Status is how far a job is.
type Status struct {
	State  State
	Name   string // the platform's word for the state
	Counts attribute.Counts
}

// State is the state of a job.
type State uint8

// The states.
const (
	Working State = iota // it has its file
	Waiting              // it waits for its file
	Completed
)

// Fault says what an error means.
type Fault struct {
	Passing    bool          // it may go away by waiting
	Foreign    bool          // somebody else has answered in the platform's place
	Refused    bool          // the platform says that it has not taken what was sent
	Unsent     bool          // the request has not reached the platform
	NotFound   bool          // there is no such job, list or group
	Early      bool          // the list is not there yet
	TooLarge   bool          // the file is larger than the instance allows
	Limit      int64         // the largest file in bytes, if the platform says so
	RetryAfter time.Duration // how long the platform asks to wait
}

// Errors that end an import.
var (
	ErrWait   = errors.New("threatconnect: batch job takes too long")
	ErrLost   = errors.New("threatconnect: batch job is gone")
	ErrHalted = errors.New("threatconnect: the platform refused an item and HaltOnError is set")
)

// Phase is a step of a file.
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

// Event is a step of a file.
type Event struct {
	Phase     Phase
	File, Job int64
	Items     int
	Bytes     int64
	XID       string // of the group whose content was uploaded
}
