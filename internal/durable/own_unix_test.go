//go:build unix

package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ownedBy is a file that has another owner in Lstat.
type ownedBy struct {
	fs.FileInfo
	uid uint32
}

func (o ownedBy) Sys() any {
	stat := *o.FileInfo.Sys().(*syscall.Stat_t)
	stat.Uid = o.uid
	return &stat
}

// other is the ID of a user who is neither root nor the user of the process.
const other = 64_123

func TestCheckOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for mode, want := range map[fs.FileMode]error{0o600: nil, 0o644: nil, 0o444: nil, 0o620: errWritable, 0o602: errWritable, 0o666: errWritable} {
		require.NoError(t, os.Chmod(path, mode))
		info, err := os.Lstat(path)
		require.NoError(t, err)
		assert.Equal(t, want, CheckOwn(info), mode)
		assert.Equal(t, errOther, CheckOwn(ownedBy{info, other}), mode)
	}
}

// Links of other users are neither followed nor resolved, anywhere in a path. Links of the user and of
// root may be in the middle of a path, but not at its end.
func TestThreatSymlinksOfOthersAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(path("real/deep"), 0o700))
	require.NoError(t, os.WriteFile(path("real/victim"), []byte("untouched"), 0o600))
	for name, target := range map[string]string{
		"real/link": "victim", "dir": "real", "absolute": path("real"), "twice": "dir/deep", "loop": "loop", "nowhere": "absent/x", "back": "real/deep/..",
	} {
		require.NoError(t, os.Symlink(target, path(name)))
	}
	for _, test := range []struct {
		path   string
		others string // name of a link owned by another user
		want   error
	}{
		{path: "real/victim", others: "", want: nil},
		{path: "real/new", others: "", want: nil},
		{path: "absent/new", others: "", want: nil},
		{path: "dir/victim", others: "", want: nil},
		{path: "absolute/victim", others: "", want: nil},
		{path: "twice/new", others: "", want: nil},
		{path: "back/victim", others: "", want: nil},
		{path: "loop/x", others: "", want: errManyLinks},
		{path: "nowhere/x", others: "", want: nil},
		{path: "dir/victim", others: "dir", want: errOtherLink},
		{path: "absolute/new", others: "absolute", want: errOtherLink},
		{path: "twice/new", others: "dir", want: errOtherLink}, // behind a link of the user
		{path: "twice/../victim", others: "twice", want: errOtherLink},
		{path: "real/../dir/victim", others: "dir", want: errOtherLink},
		{path: "real/victim", others: "dir", want: nil},
	} {
		name := fmt.Sprintf("%s with %q", test.path, test.others)
		asOther := func(p string) (fs.FileInfo, error) {
			info, err := os.Lstat(p)
			if test.others != "" && p == path(test.others) {
				return ownedBy{info, other}, err
			}
			return info, err
		}
		assert.Equal(t, test.want, follow(dir+"/"+test.path, asOther), name)
	}
	for name, write := range map[string]func(path string) error{
		"append": func(path string) error {
			_, err := OpenAppend(path)
			return err
		},
		"replace": func(path string) error {
			_, err := NewReplacement(path, 0o600)
			return err
		},
	} {
		assert.Equal(t, errLink, write(path("real/link")), name)
		assert.Equal(t, errLink, write(path("nowhere")), name)
	}
	content, err := os.ReadFile(path("real/victim"))
	require.NoError(t, err)
	assert.Equal(t, "untouched", string(content))
	names, err := os.ReadDir(path("real"))
	require.NoError(t, err)
	assert.Len(t, names, 3, "nothing is left over")
}

// A relative path starts at the working directory. Links that led there are not checked.
func TestRelativePathsStartAtWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o700))
	for name, target := range map[string]string{"current": "real", "real/up": "..", "real/link": "deep"} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	t.Chdir(filepath.Join(dir, "current"))
	t.Setenv("PWD", filepath.Join(dir, "current"))
	asOther := func(p string) (fs.FileInfo, error) {
		info, err := os.Lstat(p)
		if err == nil && info.Mode().Type() == fs.ModeSymlink && info.Name() != "up" {
			return ownedBy{info, other}, nil
		}
		return info, err
	}
	for path, want := range map[string]error{
		"new": nil, "./deep/new": nil, "../real/new": nil, "deep/../../real/deep/new": nil, "up/real/new": nil,
		"link/new": errOtherLink, "deep/../link/new": errOtherLink, "../current/new": errOtherLink, "up/current/new": errOtherLink, "../../" + filepath.Base(dir) + "/current/new": errOtherLink,
	} {
		assert.Equal(t, want, follow(path, asOther), path)
	}
}

func TestOpenAppend(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	for range 2 {
		f, err := OpenAppend(path)
		require.NoError(t, err)
		_, err = f.WriteString("line\n")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "line\nline\n", string(content))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	_, err = OpenAppend(filepath.Join(dir, "pipe")) // no reader
	require.Error(t, err)
	_, err = OpenAppend(dir)
	require.Error(t, err)
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "list.txt")
	replace := func(content string, commit bool) {
		r, err := NewReplacement(path, 0o640)
		require.NoError(t, err)
		defer r.Abort()
		_, err = r.WriteString(content)
		require.NoError(t, err)
		if commit {
			require.NoError(t, r.Commit())
		}
	}
	read := func() string {
		content, err := os.ReadFile(path)
		if err != nil {
			return "none"
		}
		return string(content)
	}
	replace("aborted", false)
	assert.Equal(t, "none", read())
	replace("first", true)
	replace("aborted", false)
	assert.Equal(t, "first", read())
	for _, mode := range []fs.FileMode{0o600, 0o666, 0o400} {
		require.NoError(t, os.Chmod(path, mode))
		replace(strings.Repeat("second", 1000), true)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), "the permissions of the replaced file")
	}
	_, err := NewReplacement(dir, 0o600)
	require.ErrorIs(t, err, errNotRegular)
	_, err = NewReplacement(filepath.Join(dir, "absent", "list.txt"), 0o600)
	require.ErrorIs(t, err, fs.ErrNotExist)
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, names, 1)
}

func TestReplacementRemovesFilesOfDeadProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "list.txt")
	dead, err := NewReplacement(path, 0o600) // neither committed nor aborted
	require.NoError(t, err)
	require.NoError(t, dead.temp.Close())
	other, err := NewReplacement(filepath.Join(dir, "other.txt"), 0o600)
	require.NoError(t, err)
	require.NoError(t, other.temp.Close())
	for _, name := range []string{".list.txt.tmp", ".list.txt.new", "." + filepath.Base(other.temp.Name())} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	names := func() int {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		return len(entries)
	}
	age := func(by time.Duration) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			require.NoError(t, os.Chtimes(filepath.Join(dir, e.Name()), time.Time{}, time.Now().Add(-by)))
		}
	}
	for _, test := range []struct {
		age  time.Duration
		left int
	}{{tempAge - time.Minute, 5}, {tempAge + time.Minute, 4}} {
		age(test.age)
		r, err := NewReplacement(path, 0o600)
		require.NoError(t, err)
		r.Abort()
		assert.Equal(t, test.left, names(), test.age)
	}
}
