package blobspool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/blobspool"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// stores makes an empty store for each driver, and returns a function that opens it. The records of memblob
// are in the bucket; the writers on fileblob share the spool.
var stores = map[string]func(t *testing.T) func() threatconnect.Spool{
	"memblob": func(t *testing.T) func() threatconnect.Spool {
		bucket := closed(t, memblob.OpenBucket(nil))
		return func() threatconnect.Spool { return blobspool.New(bucket) }
	},
	"memblob with a prefix": func(t *testing.T) func() threatconnect.Spool {
		bucket := closed(t, blob.PrefixedBucket(memblob.OpenBucket(nil), "spools/today/"))
		return func() threatconnect.Spool { return blobspool.New(bucket) }
	},
	"fileblob": func(t *testing.T) func() threatconnect.Spool {
		bucket, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true})
		require.NoError(t, err)
		spool := blobspool.New(closed(t, blob.PrefixedBucket(bucket, "today-")))
		return func() threatconnect.Spool { return spool }
	},
}

// closed closes a bucket at the end of the test.
func closed(t *testing.T, bucket *blob.Bucket) *blob.Bucket {
	t.Cleanup(func() { assert.NoError(t, bucket.Close()) })
	return bucket
}

func TestSpool(t *testing.T) {
	t.Parallel()
	for driver, newStore := range stores {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			threatconnecttest.TestSpool(t, newStore)
		})
	}
}

// Two writers take the next free slot again and again, as the journals of two processes do.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	const slots = 200
	for driver, newStore := range stores {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			open := newStore(t)
			var wg sync.WaitGroup
			var won [2][]string
			for writer := range won {
				spool := open()
				wg.Go(func() {
					for i := range slots {
						name := fmt.Sprintf("slot-%08d", i)
						err := spool.Create(t.Context(), name, [][]byte{[]byte("writer "), fmt.Append(nil, writer)})
						if err == nil {
							won[writer] = append(won[writer], name)
						} else if !assert.ErrorIs(t, err, fs.ErrExist) {
							return
						}
					}
				})
			}
			wg.Wait()
			assert.Len(t, slices.Concat(won[:]...), slots)
			spool := open()
			names, err := spool.Names(t.Context())
			require.NoError(t, err)
			assert.ElementsMatch(t, names, slices.Concat(won[:]...))
			for writer := range won {
				for _, name := range won[writer] {
					text, err := spool.Read(t.Context(), name)
					require.NoError(t, err)
					assert.Equal(t, fmt.Sprint("writer ", writer), string(text))
				}
			}
		})
	}
}

func TestOtherObjectsAndErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bucket, err := fileblob.OpenBucket(dir, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600))
	spool := blobspool.New(bucket)
	require.NoError(t, spool.Create(t.Context(), "a", nil))
	names, err := spool.Names(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, names)

	require.NoError(t, bucket.Close())
	_, namesErr := spool.Names(t.Context())
	_, readErr := spool.Read(t.Context(), "a")
	for _, err := range []error{namesErr, readErr, spool.Create(t.Context(), "a", nil), spool.Remove(t.Context(), "a")} {
		require.Error(t, err)
		for _, other := range []error{fs.ErrExist, fs.ErrNotExist, context.Canceled} {
			assert.False(t, errors.Is(err, other), err)
		}
	}
}
