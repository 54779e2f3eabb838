package threatconnect

import (
	"context"
	"path/filepath"

	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// Errors of a [Spool]. All match ErrSpool.
var (
	ErrSpool       = journal.ErrStore
	ErrSpoolRecord = journal.ErrRecord // a record is damaged, missing, or of another version
	ErrSpoolOther  = importer.ErrOther // the spool holds the import of something else
	ErrSpoolLost   = journal.ErrLost   // another writer or process has taken over the import
)

// Spool keeps the records of an import where they outlive the process. [DirSpool] keeps them in a directory;
// threatconnecttest.TestSpool checks an implementation.
//
// A [BatchWriter] only creates records and removes them; it never changes one. A writer that opens a spool
// takes the import over by creating the next record. The writer before then finds that record and stops with
// ErrSpoolLost, so no locks are needed, and two processes cannot import the same items.
//
// Names, Read and Remove are retried up to 3 times within about 2 seconds; a Create that fails is repeated once, if
// the record is not there.
//
// An implementation must be safe for concurrent use. A name has 1 to 64 lower-case letters, digits and hyphens.
type Spool interface {
	// Create keeps a record that consists of some parts. If there is a record of the name, it changes nothing
	// and returns an error that matches [fs.ErrExist]; of several calls with one name, one succeeds at most.
	// Once Create has returned nil, the record survives the process and the machine. After another
	// error, the complete record is there or nothing is.
	Create(ctx context.Context, name string, parts [][]byte) error
	// Names returns the names of all records, in any order. It includes every record that was not removed and
	// whose Create has returned nil before the call, in any process. Names that are not those of records are
	// ignored.
	Names(ctx context.Context) ([]string, error)
	// Read returns a record, whose memory belongs to the caller. If there is none, the error matches
	// [fs.ErrNotExist].
	Read(ctx context.Context, name string) ([]byte, error)
	// Remove removes a record. If there is none, it returns nil. A removal may be undone by a failure of the
	// machine.
	Remove(ctx context.Context, name string) error
}

// DirSpool is a [Spool] in a directory, with one file per record that only the user of the process can read. It
// is safe for concurrent use by any number of goroutines and processes.
//
// It writes and syncs a temporary file, links it under the name of the record, and syncs the directory. At its
// first use it also syncs the parents of the directory. Temporary files of processes that died are removed after
// an hour. Other files are left alone, and symbolic links in the place of records are not followed.
//
// Whoever can write to the directory decides what is imported. So on Unix, a directory or a record that belongs to
// another user, or that others can write to, is an error, and so is a symbolic link of another user in the path.
// Kubernetes lets the group write to all files of a volume with an fsGroup at each start, unless its
// fsGroupChangePolicy is OnRootMismatch.
//
// The file system must support hard links. FAT, exFAT and some network file systems do not; Create returns an
// error there. On Windows, which cannot sync directories, the file system decides when the name of a record
// becomes durable.
type DirSpool struct{ dir *durable.Dir }

// NewDirSpool returns the spool in a directory. Create makes the directory and its parents if they do not exist.
// A relative path is relative to the current directory of this call. One directory holds one import.
func NewDirSpool(dir string) *DirSpool {
	if dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
	}
	return &DirSpool{durable.NewDir(durable.OS{}, dir)}
}

// Create implements [Spool].
func (s *DirSpool) Create(ctx context.Context, name string, parts [][]byte) error {
	return s.dir.Create(ctx, name, parts)
}

// Names implements [Spool]. Files that cannot be records are not among the names.
func (s *DirSpool) Names(ctx context.Context) ([]string, error) { return s.dir.Names(ctx) }

// Read implements [Spool].
func (s *DirSpool) Read(ctx context.Context, name string) ([]byte, error) {
	return s.dir.Read(ctx, name)
}

// Remove implements [Spool].
func (s *DirSpool) Remove(ctx context.Context, name string) error { return s.dir.Remove(ctx, name) }
