package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrCrash is the error of all operations of a [Mem] after a crash of the process.
var ErrCrash = errors.New("the process has died")

// Mem is a file system in memory for tests. It records its operations and can fail or crash at any of them.
// It can also enumerate the states of the disk that are possible after a failure of the machine.
//
// It guarantees only what POSIX does: Sync of a file makes its content durable, and Sync of its directory
// makes its name durable. It is safe for concurrent use.
type Mem struct {
	mu     sync.Mutex
	top    *memNode
	ops    []string
	faults map[int]memFault // by number of operation
	dead   bool
	room   int64 // bytes that can still be written; negative means unlimited
	now    time.Time
}

type memFault struct {
	err     error
	applied bool
}

// memNode is a file or a directory.
type memNode struct {
	dir     bool
	mod     time.Time
	data    []byte
	synced  []byte
	names   map[string]*memNode
	durable map[string]*memNode
	changes []memChange // changes of names since the last Sync, in order
}

type memChange struct {
	name string
	node *memNode // nil for a removal
}

func newMemDir() *memNode {
	return &memNode{dir: true, names: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{top: newMemDir(), faults: map[int]memFault{}, room: -1, now: time.Unix(1_700_000_000, 0)}
}

// Ops returns the operations so far, for example "sync name".
func (m *Mem) Ops() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ops)
}

// FailAt makes operation n, counted from 1, return err. If applied is true, the operation takes effect
// nevertheless. If err is [ErrCrash], all later operations return it too.
func (m *Mem) FailAt(n int, err error, applied bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[n] = memFault{err, applied}
}

// Restart ends the failures after ErrCrash, like the start of a new process. No data is lost.
func (m *Mem) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = false
}

// SetRoom limits the number of bytes that can still be written. A write beyond the limit is partial and
// returns ENOSPC. A negative number removes the limit.
func (m *Mem) SetRoom(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room = n
}

// Advance advances the clock, which otherwise stands still.
func (m *Mem) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// do runs an operation.
func (m *Mem) do(op string, apply func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return ErrCrash
	}
	m.ops = append(m.ops, op)
	fault, ok := m.faults[len(m.ops)]
	if !ok {
		return apply()
	}
	m.dead = errors.Is(fault.err, ErrCrash)
	if fault.applied {
		_ = apply() // the fault replaces its result
	}
	return fault.err
}

func pathErr(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// find returns the node at a path, or nil.
func (m *Mem) find(path string) *memNode {
	n := m.top
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		switch {
		case part == "" || part == ".":
		case n == nil || !n.dir:
			return nil
		default:
			n = n.names[part]
		}
	}
	return n
}

func (n *memNode) set(name string, child *memNode) {
	if n.names[name] = child; child == nil {
		delete(n.names, name)
	}
	n.changes = append(n.changes, memChange{name, child})
}

// Mkdir implements [FS].
func (m *Mem) Mkdir(path string) (made bool, err error) {
	err = m.do("mkdir "+path, func() error {
		parent := m.find(filepath.Dir(path))
		switch {
		case m.find(path) != nil:
			return nil
		case parent == nil:
			return pathErr("mkdir", path, fs.ErrNotExist)
		case !parent.dir:
			return pathErr("mkdir", path, syscall.ENOTDIR)
		}
		parent.set(filepath.Base(path), newMemDir())
		made = true
		return nil
	})
	return made && err == nil, err
}

// OpenRoot implements [FS].
func (m *Mem) OpenRoot(path string) (Root, error) {
	var n *memNode
	err := m.do("open "+path, func() error {
		switch n = m.find(path); {
		case n == nil:
			return pathErr("open", path, fs.ErrNotExist)
		case !n.dir:
			return pathErr("open", path, syscall.ENOTDIR)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &memRoot{m, n, path}, nil
}

type memRoot struct {
	m    *Mem
	n    *memNode
	path string
}

func (r *memRoot) Create(name string) (File, error) {
	n := &memNode{}
	err := r.m.do("create "+name, func() error {
		if r.n.names[name] != nil {
			return pathErr("create", name, fs.ErrExist)
		}
		n.mod = r.m.now
		r.n.set(name, n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &memFile{r.m, n, name}, nil
}

// file runs an operation on an existing file. second is a second name to record, if any.
func (r *memRoot) file(op, name, second string, apply func(*memNode) error) error {
	return r.m.do(strings.TrimRight(op+" "+name+" "+second, " "), func() error {
		if n := r.n.names[name]; n != nil {
			return apply(n)
		}
		return pathErr(op, name, fs.ErrNotExist)
	})
}

func (r *memRoot) Link(name, second string) error {
	return r.file("link", name, second, func(n *memNode) error {
		if r.n.names[second] != nil {
			return pathErr("link", second, fs.ErrExist)
		}
		r.n.set(second, n)
		return nil
	})
}

func (r *memRoot) Remove(name string) error {
	return r.file("remove", name, "", func(*memNode) error {
		r.n.set(name, nil)
		return nil
	})
}

func (r *memRoot) ReadDir() (entries []fs.DirEntry, err error) {
	err = r.m.do("list "+r.path, func() error {
		for name, n := range r.n.names {
			entries = append(entries, fs.FileInfoToDirEntry(memInfo{name, *n}))
		}
		return nil
	})
	return entries, err
}

// Info implements [Root]. It is not a recorded operation.
func (r *memRoot) Info() (fs.FileInfo, error) { return memInfo{".", *r.n}, nil }

func (r *memRoot) Lstat(name string) (info fs.FileInfo, err error) {
	err = r.file("stat", name, "", func(n *memNode) error {
		info = memInfo{name, *n}
		return nil
	})
	return info, err
}

func (r *memRoot) ReadFile(name string) (data []byte, err error) {
	err = r.file("read", name, "", func(n *memNode) error {
		data = bytes.Clone(n.data)
		return nil
	})
	return data, err
}

func (r *memRoot) Sync() error {
	return r.m.do("syncdir "+r.path, func() error {
		for _, c := range r.n.changes {
			if r.n.durable[c.name] = c.node; c.node == nil {
				delete(r.n.durable, c.name)
			}
		}
		r.n.changes = nil
		return nil
	})
}

func (r *memRoot) Close() error { return nil }

type memFile struct {
	m    *Mem
	n    *memNode
	name string
}

func (f *memFile) Write(p []byte) (written int, err error) {
	err = f.m.do("write "+f.name, func() error {
		fits := p
		if f.m.room >= 0 {
			fits = p[:min(int64(len(p)), f.m.room)]
			f.m.room -= int64(len(fits))
		}
		f.n.data = append(f.n.data, fits...)
		f.n.mod = f.m.now
		written = len(fits)
		if written < len(p) {
			return pathErr("write", f.name, syscall.ENOSPC)
		}
		return nil
	})
	return written, err
}

func (f *memFile) Sync() error {
	return f.m.do("sync "+f.name, func() error {
		f.n.synced = bytes.Clone(f.n.data)
		return nil
	})
}

func (f *memFile) Close() error {
	return f.m.do("close "+f.name, func() error { return nil })
}

// memInfo is a snapshot of a file or directory.
type memInfo struct {
	name string
	memNode
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return int64(len(i.data)) }
func (i memInfo) ModTime() time.Time { return i.mod }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
