// Command blobspool imports a list of hosts with the state of the import in a bucket of an object store,
// for jobs in containers, whose disks do not outlive them. After a crash, the next run with the same
// name finishes the import, each item exactly once.
//
//	go run ./blobspool 's3://acme-spools?prefix=hosts/' 'Example Source' 2026-01-02 < hosts.txt
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // mem://; import s3blob, gcsblob or azureblob for a store of your cloud
	"gocloud.dev/gcerrors"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 4 {
		log.Fatal("usage: blobspool BUCKET-URL OWNER RUN < HOSTS")
	}
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-hosts/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	bucket, err := blob.OpenBucket(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	stats, err := load(ctx, client, bucket, os.Args[2], os.Args[3], os.Stdin)
	fmt.Println(stats)
	if err != nil {
		log.Fatal(err)
	}
}

// load imports a host per line.
func load(ctx context.Context, client *threatconnect.Client, bucket *blob.Bucket, owner, run string, r io.Reader) (threatconnect.BatchStats, error) {
	return client.Batch.Import(ctx, threatconnect.BatchConfig{
		Owner: owner, Attributes: threatconnect.WriteSingleton, Spool: Spool{bucket}, Run: run,
	}, func(yield func(threatconnect.BatchItem, error) bool) {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if !yield(threatconnect.NewHost(lines.Text()), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
		}
	})
}

// Spool is a [threatconnect.Spool] in a bucket. It is safe for concurrent use.
//
// S3 (s3blob), Google Cloud Storage (gcsblob) and Azure (azureblob) decide which of several writers
// creates a record, and memblob does for the users of one bucket. A store that imitates S3 must honor
// If-None-Match. fileblob does not decide, and does not sync: use threatconnect.DirSpool for a directory.
// A rule of the store that expires objects must spare those of the spool.
type Spool struct{ bucket *blob.Bucket }

var _ threatconnect.Spool = Spool{}

// Create keeps a record in one conditional upload, which the store does completely or not at all.
func (s Spool) Create(ctx context.Context, name string, parts [][]byte) error {
	if err := ctx.Err(); err != nil {
		return err
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

// Names lists the records. Objects that cannot be records are not among them.
func (s Spool) Names(ctx context.Context) (names []string, err error) {
	for list := s.bucket.List(nil); ctx.Err() == nil; {
		object, err := list.Next(ctx)
		if err == io.EOF {
			return names, nil
		} else if err != nil {
			return nil, withContext(ctx, err)
		}
		if strings.Trim(object.Key, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			names = append(names, object.Key)
		}
	}
	return nil, ctx.Err()
}

// Read returns the content of a record.
func (s Spool) Read(ctx context.Context, name string) ([]byte, error) {
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
func (s Spool) Remove(ctx context.Context, name string) error {
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
