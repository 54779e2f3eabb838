package threatconnect_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// files lists what is in a directory, without the lock.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestSpoolsKeepRecords(t *testing.T) {
	t.Parallel()
	for name, spool := range map[string]threatconnect.Spool{
		"directory": threatconnect.NewDirSpool(filepath.Join(t.TempDir(), "a", "b")),
		"memory":    newMemSpool(),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			require.NoError(t, spool.Open(ctx))
			require.ErrorIs(t, spool.Open(ctx), threatconnect.ErrSpoolLocked)
			names, err := spool.Names(ctx)
			require.NoError(t, err)
			assert.Empty(t, names)
			_, err = spool.Read(ctx, "import")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NoError(t, spool.Remove(ctx, "import"), "what is not there is gone")
			require.NoError(t, spool.Write(ctx, "import", [][]byte{[]byte("a"), nil, []byte("bc")}))
			require.NoError(t, spool.Write(ctx, "payload-00000001", [][]byte{[]byte("x")}))
			require.NoError(t, spool.Write(ctx, "import", [][]byte{[]byte("d")}))
			got, err := spool.Read(ctx, "import")
			require.NoError(t, err)
			assert.Equal(t, "d", string(got))
			names, err = spool.Names(ctx)
			require.NoError(t, err)
			assert.ElementsMatch(t, []string{"import", "payload-00000001"}, names)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			require.ErrorIs(t, spool.Write(ended, "import", [][]byte{[]byte("e")}), context.Canceled)
			require.NoError(t, spool.Close())
			require.NoError(t, spool.Close())
			require.NoError(t, spool.Open(ctx))
			got, err = spool.Read(ctx, "import")
			require.NoError(t, err)
			assert.Equal(t, "d", string(got))
			require.NoError(t, spool.Remove(ctx, "import"))
			_, err = spool.Read(ctx, "import")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NoError(t, spool.Close())
		})
	}
}

// leftIn imports a part of a feed into a directory, as a process does that dies, and returns the names of the
// files that it leaves.
func leftIn(t *testing.T, dir string) []string {
	t.Helper()
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "today"
	interrupt(t, threatconnecttest.New(), cfg, feed(40), 8)
	names := files(t, dir)
	require.NotEmpty(t, names)
	return names
}

func TestDirSpoolIsForItsUserOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	leftIn(t, dir)
	if runtime.GOOS == "windows" {
		return // it has no such modes; the directory inherits those of its parent
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
}

func TestDirSpoolLeavesAloneWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign := []string{"notes.txt", ".hidden", "UPPER", "0", "-", "a.bak", "x.tmp"}
	for _, name := range leftIn(t, t.TempDir()) {
		foreign = append(foreign, name+"~", name+".bak", "my-"+name)
	}
	for _, name := range foreign {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	srv := threatconnecttest.New()
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "today"
	_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
	require.Error(t, err, "of the items that break a rule")
	checkFeed(t, srv, 40)
	left := files(t, dir)
	assert.Subset(t, left, append(foreign, "folder"))
	assert.Len(t, left, len(foreign)+2, "and the outcome of the import")
	for _, name := range foreign {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, "mine", string(text))
	}
}

// TestDirSpoolDoesNotFollowLinks has links of somebody else in the place of records, and where they are written.
func TestDirSpoolDoesNotFollowLinks(t *testing.T) {
	t.Parallel()
	for _, name := range leftIn(t, t.TempDir()) {
		for _, link := range []string{name, name + ".tmp"} {
			t.Run(link, func(t *testing.T) {
				t.Parallel()
				dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
				inside := filepath.Join(dir, "inside")
				for _, path := range []string{outside, inside} {
					require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
				}
				srv := threatconnecttest.New()
				for _, to := range []string{outside, "inside"} {
					_ = os.Remove(filepath.Join(dir, link))
					require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
					cfg := appendConfig()
					cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "to "+to
					if _, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40))); !errors.Is(err, threatconnect.ErrSpool) {
						failures(t, err) // of the items that break a rule
						checkFeed(t, srv, 40)
						srv = threatconnecttest.New()
					}
					for _, path := range []string{outside, inside} {
						text, err := os.ReadFile(path)
						require.NoError(t, err)
						assert.Equal(t, "mine", string(text))
					}
				}
			})
		}
	}
}

func TestADirectoryThatCannotBeUsedIsAClearError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	readOnly := "/proc/self" // not even root can write to it
	if os.Geteuid() != 0 {
		readOnly = t.TempDir()
		require.NoError(t, os.Chmod(readOnly, 0o500))
	}
	for _, dir := range []string{"", file, filepath.Join(file, "spool"), readOnly} {
		srv := threatconnecttest.New()
		cfg := appendConfig()
		cfg.Spool = threatconnect.NewDirSpool(dir)
		_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{batchHost(1)}))
		require.ErrorIs(t, err, threatconnect.ErrSpool, dir)
		assert.Empty(t, srv.Requests(), "nothing was sent that is not kept")
		assert.NotContains(t, err.Error(), "h1.example")
	}
}

// TestAFullDiskIsAClearError lets a real process run into the limit of what its files may hold.
func TestAFullDiskIsAClearError(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		require.Equal(t, "windows", runtime.GOOS, "every other system has a shell")
		return
	}
	srv := threatconnecttest.New()
	web := httptest.NewServer(srv)
	defer web.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	cmd := exec.Command(sh, "-c", "ulimit -f 1; exec \"$0\"", os.Args[0]) // 512 or 1,024 bytes
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "batch spool: ")
	assert.Contains(t, string(out), "file too large")
	assert.NotContains(t, string(out), "h1.example")
	assert.Empty(t, srv.Jobs(), "nothing was sent that is not kept")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Less(t, info.Size(), int64(512), "what could not be written is not left behind")
	}

	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "when there is room again: %s", out)
	checkFeed(t, srv, killedHosts)
}

func TestARecordThatCannotBeWrittenLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool := threatconnect.NewDirSpool(dir)
	require.NoError(t, spool.Open(t.Context()))
	defer spool.Close()
	require.NoError(t, spool.Write(t.Context(), "import", [][]byte{[]byte("old")}))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "import.tmp", "in the way"), 0o700))
	require.Error(t, spool.Write(t.Context(), "import", [][]byte{[]byte("new")}))
	got, err := spool.Read(t.Context(), "import")
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
}

func TestAnImportLeavesNoFiles(t *testing.T) {
	t.Parallel()
	for _, run := range []string{"", "today"} {
		srv := threatconnecttest.New()
		dir := t.TempDir()
		cfg := appendConfig()
		cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 8, 3, threatconnect.NewDirSpool(dir), run
		items := slices.DeleteFunc(feed(40), func(item threatconnect.BatchItem) bool {
			h, ok := item.(*threatconnect.Host)
			return ok && strings.Contains(h.HostName, " ")
		})
		stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
		require.NoError(t, err)
		assert.Greater(t, stats.Jobs, int64(5))
		checkFeed(t, srv, 40)
		left := 0
		if run != "" {
			left = 1 // the outcome
		}
		assert.Len(t, files(t, dir), left)
	}
	var closed threatconnect.Spool = threatconnect.NewDirSpool(t.TempDir())
	_, err := closed.Names(t.Context())
	require.Error(t, err, "it was not opened")
	require.False(t, errors.Is(err, fs.ErrNotExist))
}
