package main

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// stores are functions that create an empty store and return a function that opens it.
var stores = map[string]func(t *testing.T) func() threatconnect.Spool{
	"bucket": func(t *testing.T) func() threatconnect.Spool {
		bucket := closed(t, memblob.OpenBucket(nil))
		return func() threatconnect.Spool { return Spool{bucket} }
	},
	"bucket with a prefix": func(t *testing.T) func() threatconnect.Spool {
		bucket := closed(t, blob.PrefixedBucket(memblob.OpenBucket(nil), "spools/today/"))
		return func() threatconnect.Spool { return Spool{bucket} }
	},
}

// closed returns bucket, which is closed at the end of the test.
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

// Two writers compete for the same names, as the journals of two processes do. Each name goes to one of them.
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

func TestForeignObjectsAndStoreErrors(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	require.NoError(t, bucket.WriteAll(t.Context(), "notes.txt", []byte("mine"), nil))
	spool := Spool{bucket}
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
			assert.NotErrorIs(t, err, other)
		}
	}
}

// A run that ends early is finished by the next run, which reads the bucket.
func TestImportResumesFromBucket(t *testing.T) {
	t.Parallel()
	const hosts = "a.example\nb.example\nc.example\n"
	srv := threatconnecttest.NewT(t)
	bucket := closed(t, memblob.OpenBucket(nil))
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Method: "POST", Route: "/v2/batch/{id}", Times: -1}))
	stopped := srv.Client(threatconnect.WithObserver(threatconnect.Observer{
		AttemptEnd: func(_ context.Context, a threatconnect.Attempt) {
			if a.Err != nil {
				cancel() // the process ends during the outage
			}
		},
	}))
	_, err := load(ctx, stopped, bucket, "Example Source", "day 1", strings.NewReader(hosts))
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, srv.Counts("Example Source").Indicators)

	srv.ClearFaults()
	stats, err := load(t.Context(), srv.Client(), bucket, "Example Source", "day 1", strings.NewReader(hosts))
	require.NoError(t, err)
	assert.EqualValues(t, 3, stats.Total().Succeeded)
	assert.Equal(t, 3, srv.Counts("Example Source").Indicators)
}
