package journal

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Store stores records by name.
type Store interface {
	// Create stores a record. The error matches fs.ErrExist if the name exists.
	Create(ctx context.Context, name string, parts [][]byte) error
	Names(ctx context.Context) ([]string, error)
	// Read returns a record. The error matches fs.ErrNotExist if the name does not exist.
	Read(ctx context.Context, name string) ([]byte, error)
	Remove(ctx context.Context, name string) error
}

// retryStore is a Store that retries idempotent calls. Remote stores have transient errors.
type retryStore struct{ Store }

func (p retryStore) Names(ctx context.Context) (names []string, err error) {
	err = retry(ctx, func() error { names, err = p.Store.Names(ctx); return err })
	return names, err
}

func (p retryStore) Read(ctx context.Context, name string) (text []byte, err error) {
	err = retry(ctx, func() error { text, err = p.Store.Read(ctx, name); return err })
	return text, err
}

func (p retryStore) Remove(ctx context.Context, name string) error {
	return retry(ctx, func() error { return p.Store.Remove(ctx, name) })
}

// retry makes a call up to 4 times within about 2 seconds, until it succeeds or ctx ends. It does not retry
// fs.ErrNotExist.
func retry(ctx context.Context, call func() error) error {
	for wait := 100 * time.Millisecond; ; wait *= 4 {
		err := call()
		if err == nil || errors.Is(err, fs.ErrNotExist) || wait > 2*time.Second {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
