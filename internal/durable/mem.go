package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrCrash is the error of every operation of a [Mem] after the process that uses it died.
var ErrCrash = errors.New("the process has died")

// Mem is a file system in memory for tests. It records its operations, can fail or crash at any of them, and lists the
// states in which a failure of the machine could leave the disk.
//
// It promises no more than POSIX does: a file keeps its content after Sync of the file, and its name
// after Sync of the directory. It is safe for concurrent use.
type Mem struct {
	mu     sync.Mutex
	top    *memNode
	ops    []string
	faults map[int]memFault // by the number of the operation
	dead   bool
	room   int64 // bytes that files may still take; negative means any number
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
	changes []memChange // of names since the last Sync, in order
}

type memChange struct {
	name string
	node *memNode // nil means that the name was removed
}

func newMemDir() *memNode {
	return &memNode{dir: true, names: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{top: newMemDir(), faults: map[int]memFault{}, room: -1, now: time.Unix(1_700_000_000, 0)}
}

// Ops returns the operations so far, each with its kind and names.
func (m *Mem) Ops() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ops)
}

// FailAt makes operation n of this Mem, counted from 1, return an error. If applied is true, the operation takes
// effect. After [ErrCrash], all later operations fail with it.
func (m *Mem) FailAt(n int, err error, applied bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[n] = memFault{err, applied}
}

// Restart starts another process after ErrCrash: the machine did not fail, so nothing is lost.
func (m *Mem) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = false
}

// SetRoom limits the number of bytes that can still be written. A write that does not fit writes what
// fits and fails with ENOSPC. A negative number removes the limit.
func (m *Mem) SetRoom(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room = n
}

// Advance moves the clock, which otherwise stands still.
func (m *Mem) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// do runs one operation.
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
		_ = apply() // the fault hides its result
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

// file runs one operation on a file, which must exist. Its second name, if any, is recorded as well.
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

// Info implements [Root]. It is not one of the recorded operations.
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

// memInfo describes a file or directory as it was when it was read.
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

// Crashes returns the states in which the disk can be if the machine fails now. Each name that was
// changed since the last Sync of its directory has any of the values that it had since then. Each file
// that was written since its last Sync has the old content, a part of the new one, zeros in place of
// all or half of it, or all of it. Of more than most states, it returns the two in which everything
// and nothing is lost, and a sample that depends on the seed. The states have room and no faults.
func (m *Mem) Crashes(most int, seed uint64) []*Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &memChoices{index: map[memChoice]int{}}
	c.collect(m.top)
	total := 1
	for _, n := range c.sizes {
		total = min(total*n, most+1)
	}
	pick := make([]int, len(c.sizes))
	random := rand.New(rand.NewPCG(seed, uint64(len(m.ops))))
	var states []*Mem
	for n := range min(total, most) {
		rest := n
		for i, size := range c.sizes {
			switch {
			case total <= most:
				pick[i], rest = rest%size, rest/size
			case n == 0:
				pick[i] = 0
			case n == 1:
				pick[i] = size - 1
			default:
				pick[i] = random.IntN(size)
			}
		}
		s := NewMem()
		s.top, s.now = c.build(m.top, pick, map[*memNode]*memNode{}), m.now
		states = append(states, s)
	}
	return states
}

// memChoices are the decisions of a crash, each with the number of values that it can have. Value 0 is the
// durable one, and the last is the newest.
type memChoices struct {
	sizes []int
	index map[memChoice]int
}

// memChoice is the content of a file, or the node of a name in a directory.
type memChoice struct {
	node *memNode
	name string // empty means the content
}

func (c *memChoices) add(choice memChoice, size int) {
	if _, seen := c.index[choice]; !seen {
		c.index[choice] = len(c.sizes)
		c.sizes = append(c.sizes, size)
	}
}

func (c *memChoices) collect(n *memNode) {
	if !n.dir {
		if !bytes.Equal(n.data, n.synced) {
			c.add(memChoice{node: n}, len(n.contents()))
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.durable)) {
		c.collect(n.durable[name])
	}
	for _, change := range n.changes {
		if change.node != nil {
			c.collect(change.node)
		}
		c.add(memChoice{n, change.name}, len(n.values(change.name)))
	}
}

// contents returns what a file can hold after a crash.
func (n *memNode) contents() [][]byte {
	half := len(n.data) / 2
	return [][]byte{
		n.synced,
		n.data[:half],
		make([]byte, len(n.data)),
		append(bytes.Clone(n.data[:half]), make([]byte, len(n.data)-half)...),
		n.data,
	}
}

// values returns what a name can stand for after a crash.
func (n *memNode) values(name string) []*memNode {
	values := []*memNode{n.durable[name]}
	for _, c := range n.changes {
		if c.name == name {
			values = append(values, c.node)
		}
	}
	return values
}

func (c *memChoices) build(n *memNode, pick []int, built map[*memNode]*memNode) *memNode {
	if b := built[n]; b != nil {
		return b
	}
	b := &memNode{mod: n.mod}
	built[n] = b
	if !n.dir {
		b.synced = n.synced
		if i, open := c.index[memChoice{node: n}]; open {
			b.synced = n.contents()[pick[i]]
		}
		b.data = b.synced
		return b
	}
	*b = *newMemDir()
	children := maps.Clone(n.durable)
	for _, change := range n.changes {
		children[change.name] = n.values(change.name)[pick[c.index[memChoice{n, change.name}]]]
	}
	for name, child := range children {
		if child != nil {
			b.durable[name] = c.build(child, pick, built)
			b.names[name] = b.durable[name]
		}
	}
	return b
}
