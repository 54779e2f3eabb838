package cli

import (
	"context"
	"io"
)

// Interruptible returns a reader of r that fails when ctx ends, even while r blocks, as a pipe or a terminal can. Close
// it after the last read. The goroutine that reads r can outlive Close and ctx until its current read returns.
func Interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err) // it returns nil
	}()
	detach := context.AfterFunc(ctx, func() { _ = in.CloseWithError(context.Cause(ctx)) }) // it returns nil
	return &interruptible{out, detach}
}

type interruptible struct {
	*io.PipeReader
	detach func() bool
}

func (r *interruptible) Close() error {
	r.detach()
	return r.PipeReader.Close()
}
