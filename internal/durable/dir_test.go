package durable

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onBoth runs a test on the operating system's file system and on the one in memory. Each call of open
// returns a new Dir of the same directory.
func onBoth(t *testing.T, test func(t *testing.T, open func() *Dir)) {
	t.Helper()
	t.Run("os", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "a", "b")
		test(t, func() *Dir { return NewDir(OS{}, path) })
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		m := NewMem()
		test(t, func() *Dir { return NewDir(m, memPath) })
	})
}

func TestDirKeepsRecords(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func() *Dir) {
		ctx, d := t.Context(), open()
		names, err := d.Names(ctx)
		require.NoError(t, err)
		assert.Empty(t, names)
		_, err = d.Read(ctx, "a")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, d.Remove(ctx, "a"), "the directory does not exist")

		parts, want := content("a")
		require.NoError(t, d.Create(ctx, "a", parts))
		require.NoError(t, d.Create(ctx, "empty", nil))
		require.ErrorIs(t, d.Create(ctx, "a", [][]byte{[]byte("other")}), fs.ErrExist)
		require.ErrorIs(t, open().Create(ctx, "empty", nil), fs.ErrExist)
		for _, d := range []*Dir{d, open()} {
			names, err = d.Names(ctx)
			require.NoError(t, err)
			assert.ElementsMatch(t, []string{"a", "empty"}, names)
			got, err := d.Read(ctx, "a")
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
			got, err = d.Read(ctx, "empty")
			require.NoError(t, err)
			assert.Empty(t, got)
		}
		require.NoError(t, d.Remove(ctx, "a"))
		require.NoError(t, d.Remove(ctx, "a"))
		_, err = d.Read(ctx, "a")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, d.Create(ctx, "a", nil))
	})
}

func TestDirCreateIsExclusive(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func() *Dir) {
		names := []string{"a", "b", "c", "d", "e", "f"}
		var wg sync.WaitGroup
		won := make([][]string, 4)
		for i := range won {
			wg.Go(func() {
				d := open()
				for _, name := range names {
					err := d.Create(t.Context(), name, [][]byte{{byte('0' + i)}})
					if err == nil {
						won[i] = append(won[i], name)
					} else {
						assert.ErrorIs(t, err, fs.ErrExist)
					}
				}
			})
		}
		wg.Wait()
		assert.ElementsMatch(t, names, slices.Concat(won...))
		for i := range won {
			for _, name := range won[i] {
				got, err := open().Read(t.Context(), name)
				require.NoError(t, err)
				assert.Equal(t, string(rune('0'+i)), string(got))
			}
		}
	})
}

func TestDirRejectsInvalidNames(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", maxName)
	d := NewDir(NewMem(), memPath)
	require.NoError(t, d.Create(t.Context(), longest, nil))
	require.NoError(t, d.Create(t.Context(), "-0-9-a-z-", nil))
	for _, name := range []string{"", longest + "a", "A", "a.b", "../a", "a/b", `a\b`, "ä", "a\x00", "a ", "."} {
		_, err := d.Read(t.Context(), name)
		for _, err := range []error{err, d.Create(t.Context(), name, nil), d.Remove(t.Context(), name)} {
			require.ErrorContains(t, err, "must have 1 to 64 lower-case letters, digits and hyphens", "%q", name)
		}
	}
	require.ErrorContains(t, NewDir(NewMem(), "").Create(t.Context(), "a", nil), "is empty")
}

// endsAfter is a context that is canceled after n calls of Err.
type endsAfter struct {
	context.Context
	n int
}

func (c *endsAfter) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

func TestDirStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	m := NewMem()
	d, parts := NewDir(m, memPath), [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	for n := range len(parts) + 1 {
		require.ErrorIs(t, d.Create(&endsAfter{t.Context(), n}, "a", parts), context.Canceled)
	}
	names, err := d.Names(t.Context())
	require.NoError(t, err)
	assert.Empty(t, names)
	assert.Empty(t, leftOver(t, m))
	require.NoError(t, d.Create(&endsAfter{t.Context(), len(parts) + 1}, "a", parts))
	ended := &endsAfter{t.Context(), 0}
	_, err = d.Names(ended)
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.Read(ended, "a")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, d.Remove(ended, "a"), context.Canceled)
}

// The order makes records durable, and each sync costs a disk write.
func TestDirSyncsInOrder(t *testing.T) {
	t.Parallel()
	m, done := NewMem(), 0
	d := NewDir(m, "a/b")
	temp := regexp.MustCompile(`[A-Z2-7]{26}\.tmp`)
	ops := func() []string {
		all := m.Ops()
		var ops []string
		for _, op := range all[done:] {
			ops = append(ops, temp.ReplaceAllString(op, "TEMP"))
		}
		done = len(all)
		return ops
	}
	first := []string{
		"open a/b", "mkdir a", "open .", "syncdir .", "mkdir a/b", "open a", "syncdir a", "open a/b", "syncdir a/b",
		"stat r1", "create TEMP", "stat TEMP", "list a/b", "write TEMP", "sync TEMP", "close TEMP",
		"link TEMP r1", "remove TEMP", "syncdir a/b",
	}
	create := func(name string) []string {
		return []string{"open a/b", "stat " + name, "create TEMP", "write TEMP", "sync TEMP", "close TEMP", "link TEMP " + name, "remove TEMP", "syncdir a/b"}
	}
	parts := [][]byte{[]byte("x")}
	ctx := t.Context()
	for _, step := range []struct {
		do   func() error
		want []string
	}{
		{func() error { return d.Create(ctx, "r1", parts) }, first},
		{func() error { return d.Create(ctx, "r2", parts) }, create("r2")},
		{func() error { return d.Remove(ctx, "r1") }, []string{"open a/b", "remove r1"}},
		{func() error { return d.Create(ctx, "r3", parts) }, create("r3")},
		{func() error { return d.Remove(ctx, "r2") }, []string{"open a/b", "remove r2"}},
		{func() error { return d.Remove(ctx, "r3") }, []string{"open a/b", "remove r3"}},
	} {
		require.NoError(t, step.do())
		assert.Equal(t, step.want, ops())
	}
	for i, op := range first {
		m := NewMem()
		m.FailAt(i+1, syscall.EIO, true)
		err := NewDir(m, "a/b").Create(t.Context(), "r1", parts)
		switch op {
		case "stat r1", "stat TEMP", "list a/b", "remove TEMP":
			require.NoError(t, err, op)
		default:
			require.ErrorIs(t, err, syscall.EIO, op)
		}
	}
}

// A process cannot sync a parent directory that it may write but not read.
func TestDirToleratesParentsThatCannotBeSynced(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		op, path string
		err      error
		exists   bool
		want     error
	}{
		"unreadable":           {op: "open", path: "state", err: syscall.EACCES, exists: true, want: nil},
		"no sync":              {op: "syncdir", path: "state", err: syscall.EINVAL, exists: true, want: nil},
		"not supported":        {op: "syncdir", path: "state", err: syscall.ENOTSUP, exists: true, want: nil},
		"input/output error":   {op: "syncdir", path: "state", err: syscall.EIO, exists: true, want: syscall.EIO},
		"unreadable and new":   {op: "open", path: "state", err: syscall.EACCES, exists: false, want: syscall.EACCES},
		"no sync and new":      {op: "syncdir", path: "state", err: syscall.EINVAL, exists: false, want: syscall.EINVAL},
		"directory itself":     {op: "syncdir", path: memPath, err: syscall.EINVAL, exists: true, want: syscall.EINVAL},
		"directory unreadable": {op: "open", path: memPath, err: syscall.EACCES, exists: true, want: syscall.EACCES},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func() *Mem {
				m := NewMem()
				if test.exists {
					require.NoError(t, NewDir(m, memPath).Create(t.Context(), "a", nil))
				}
				return m
			}
			m := prepare()
			before := len(m.Ops())
			require.NoError(t, NewDir(m, memPath).Create(t.Context(), "b", nil))
			ops := m.Ops()[before:]
			m = prepare()
			i := slices.Index(ops, test.op+" "+test.path)
			require.GreaterOrEqual(t, i, 0, ops)
			m.FailAt(before+i+1, test.err, false)
			require.ErrorIs(t, NewDir(m, memPath).Create(t.Context(), "b", nil), test.want)
		})
	}
}

func TestDirReportsMissingHardLinks(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{syscall.EPERM, syscall.ENOTSUP} {
		m := NewMem()
		m.FailAt(len(writeOnce(t)), fault, false)
		err := NewDir(m, memPath).Create(t.Context(), "a", nil)
		require.ErrorIs(t, err, fault)
		require.ErrorContains(t, err, "use a directory on a file system that has hard links")
		assert.Empty(t, leftOver(t, m))
	}
}

// The directory can be removed while the process runs.
func TestDirRecreatesDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool")
	d := NewDir(OS{}, path)
	require.NoError(t, d.Create(t.Context(), "a", nil))
	require.NoError(t, os.RemoveAll(path))
	names, err := d.Names(t.Context())
	require.NoError(t, err)
	assert.Empty(t, names)
	require.NoError(t, d.Create(t.Context(), "a", nil))
}

func TestDirPermissions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // Windows has no such modes; the directory inherits those of its parent
	}
	top := t.TempDir()
	require.NoError(t, NewDir(OS{}, filepath.Join(top, "state", "spool")).Create(t.Context(), "a", nil))
	for name, mode := range map[string]fs.FileMode{"state": 0o700, "state/spool": 0o700, "state/spool/a": 0o600} {
		info, err := os.Stat(filepath.Join(top, name))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), name)
	}
}

func TestDirIgnoresOtherFiles(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	others := []string{"notes.txt", "x.tmp", strings.Repeat("A", tempName) + ".old", strings.Repeat("a", tempName) + tempEnd}
	old := NewMem().now
	for _, name := range append([]string{outside}, others...) {
		if name != outside {
			name = filepath.Join(dir, name)
		}
		require.NoError(t, os.WriteFile(name, []byte("mine"), 0o600))
		require.NoError(t, os.Chtimes(name, old, old))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	d := NewDir(OS{}, dir)
	require.NoError(t, d.Create(t.Context(), "a", nil))
	names, err := d.Names(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, names)
	for _, name := range []string{"link", "folder"} {
		require.ErrorIs(t, d.Create(t.Context(), name, nil), fs.ErrExist)
		_, err = d.Read(t.Context(), name)
		require.ErrorContains(t, err, "not a regular file")
		require.NotErrorIs(t, err, fs.ErrNotExist)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	assert.ElementsMatch(t, append([]string{"a", "folder", "link"}, others...), left)
	text, err := os.ReadFile(outside)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(text))
}

func TestDirectoryPathIsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, filepath.Join(file, "spool")} {
		require.Error(t, NewDir(OS{}, path).Create(t.Context(), "a", nil))
		_, err := NewDir(OS{}, path).Names(t.Context())
		require.Error(t, err)
	}
}

func TestSyncDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, SyncDir(dir))
	require.ErrorIs(t, SyncDir(filepath.Join(dir, "none")), fs.ErrNotExist)
}
