// Package blobspool keeps the spool of an import in a bucket of an object store, for programs without
// a disk that outlives them, such as functions and jobs in containers.
package blobspool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/threatconnect-go/threatconnect"
)

// Spool is a [threatconnect.Spool] in a bucket. It is safe for concurrent use.
//
// S3 (s3blob), Google Cloud Storage (gcsblob) and Azure (azureblob) decide which of several writers
// creates a record, and memblob does for the users of one bucket. A store that imitates S3 must honor
// If-None-Match. fileblob v0.47.0 checks and then renames, so a Spool on it creates one record at a time,
// and all writers must share the Spool. It does not sync, either: it is for tests only. Use
// threatconnect.DirSpool for a directory.
type Spool struct {
	bucket   *blob.Bucket
	fileblob bool
	mu       sync.Mutex // makes Create atomic on fileblob
}

var _ threatconnect.Spool = (*Spool)(nil)

// New returns the spool in a bucket, which holds one import. It does not close the bucket. Use
// [blob.PrefixedBucket] to keep several spools in one bucket. A rule of the store that expires objects
// must spare them.
func New(bucket *blob.Bucket) *Spool {
	var info fs.FileInfo // only fileblob describes its bucket by one
	return &Spool{bucket: bucket, fileblob: bucket.As(&info)}
}

// Create keeps a record in one conditional upload, which the store does completely or not at all.
func (s *Spool) Create(ctx context.Context, name string, parts [][]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fileblob {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	readers := make([]io.Reader, len(parts))
	for i, p := range parts {
		readers[i] = bytes.NewReader(p)
	}
	err := s.bucket.Upload(ctx, name, io.MultiReader(readers...), &blob.WriterOptions{
		ContentType: "application/octet-stream",
		IfNotExist:  true,
	})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition { // also of a bucket that is closed
		if exists, _ := s.bucket.Exists(ctx, name); exists {
			return fmt.Errorf("%w: %w", fs.ErrExist, err)
		}
	}
	return withContext(ctx, err)
}

// Names lists the records. Objects that cannot be records are not among them. It lists again, up to 10
// times, if fileblob meets a file that is removed in that moment.
func (s *Spool) Names(ctx context.Context) (names []string, err error) {
	for range 10 {
		names, err = s.list(ctx)
		if gcerrors.Code(err) != gcerrors.NotFound {
			break
		}
	}
	return names, withContext(ctx, err)
}

func (s *Spool) list(ctx context.Context) (names []string, err error) {
	for list := s.bucket.List(nil); ctx.Err() == nil; {
		object, err := list.Next(ctx)
		if err == io.EOF {
			return names, nil
		} else if err != nil {
			return nil, err
		}
		if strings.Trim(object.Key, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			names = append(names, object.Key)
		}
	}
	return nil, ctx.Err()
}

// Read returns the content of a record.
func (s *Spool) Read(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	content, err := s.bucket.ReadAll(ctx, name)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return content, withContext(ctx, err)
}

// Remove removes a record.
func (s *Spool) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.bucket.Delete(ctx, name)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return withContext(ctx, err)
}

// withContext adds the error of the context, which drivers do not always keep, to the error of a call.
func withContext(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, ctx.Err())
}
