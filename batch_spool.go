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
	ErrSpool       = journal.ErrStore  // the spool cannot be read or written
	ErrSpoolRecord = journal.ErrRecord // a record is damaged, missing, or of another version
	ErrSpoolOther  = importer.ErrOther // the spool contains a different import
	ErrSpoolLost   = journal.ErrLost   // another writer or process has taken over the import
)

// Spool stores the records of an import outside the process. [DirSpool] stores them in a directory. Use
// threatconnecttest.TestSpool to test an implementation.
//
// A [BatchWriter] creates and removes records and never changes one. A writer that opens a spool takes over
// the import by creating the next record. The previous writer then finds that record and stops with
// ErrSpoolLost. So the spool needs no locks, and two processes cannot import the same items.
//
// The writer retries Names, Read and Remove up to 3 times within about 2 seconds. It retries a failed Create
// once, if the record does not exist.
//
// An implementation must be safe for concurrent use. Names of records have 1 to 64 lower-case letters, digits
// and hyphens.
type Spool interface {
	// Create stores a record, the concatenation of parts. If a record of that name exists, it changes nothing
	// and returns an error that matches fs.ErrExist. At most one of several calls with the same name
	// succeeds. A record is durable once Create has returned nil: it survives failures of the process and the
	// machine. After any other error, the record is either complete or absent.
	Create(ctx context.Context, name string, parts [][]byte) error
	// Names returns the names of all records, in any order.
	Names(ctx context.Context) ([]string, error)
	// Read returns a record. The caller may modify the slice. If the record does not exist, the error matches
	// fs.ErrNotExist.
	Read(ctx context.Context, name string) ([]byte, error)
	// Remove removes a record. If it does not exist, Remove returns nil. A failure of the machine may undo a
	// removal.
	Remove(ctx context.Context, name string) error
}

// DirSpool is a [Spool] in a directory, with one file per record that only the user of the process can read.
// It is safe for concurrent use by any number of goroutines and processes.
//
// Create writes and syncs a temporary file, links it to the name of the record, and syncs the directory. The
// first use also syncs the parents of the directory. Temporary files of processes that died are removed after
// an hour. DirSpool does not touch other files, and does not follow symbolic links in place of records.
//
// A user who can write to the directory controls what is imported. So on Unix, a directory or record is an
// error if it belongs to another user or if others can write to it. So is a symbolic link of another user in
// the path. On Kubernetes volumes with an fsGroup, set fsGroupChangePolicy to OnRootMismatch: otherwise each
// start makes all files writable by the group.
//
// The file system must support hard links. FAT, exFAT and some network file systems do not, and Create
// returns an error there. Windows cannot sync directories: the file system decides when the name of a record
// becomes durable.
type DirSpool struct{ dir *durable.Dir }

// NewDirSpool returns the spool in a directory, which holds one import. Create makes the directory and its
// parents if they do not exist. A relative path is resolved against the current directory of this call.
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

// Names implements [Spool]. It omits files that cannot be records.
func (s *DirSpool) Names(ctx context.Context) ([]string, error) { return s.dir.Names(ctx) }

// Read implements [Spool].
func (s *DirSpool) Read(ctx context.Context, name string) ([]byte, error) {
	return s.dir.Read(ctx, name)
}

// Remove implements [Spool].
func (s *DirSpool) Remove(ctx context.Context, name string) error { return s.dir.Remove(ctx, name) }
