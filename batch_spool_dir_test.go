package threatconnect_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// files returns the names of the files in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// leftIn interrupts an import with a spool in dir, and returns the names of the files that it leaves.
func leftIn(t *testing.T, dir string) []string {
	t.Helper()
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "today"
	interrupt(t, threatconnecttest.NewT(t), cfg, feed(40), 8)
	names := files(t, dir)
	require.NotEmpty(t, names)
	return names
}

func TestDirSpoolPermissions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	leftIn(t, dir)
	if runtime.GOOS == "windows" {
		return // no such modes; the directory inherits the permissions of its parent
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

func TestDirSpoolKeepsForeignFiles(t *testing.T) {
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
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "today"
	_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
	require.Error(t, err, "the invalid items are errors")
	checkFeed(t, srv, 40)
	left := files(t, dir)
	assert.Subset(t, left, append(foreign, "folder"))
	assert.Len(t, left, len(foreign)+2, "plus the folder and the outcome of the import")
	for _, name := range foreign {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, "mine", string(text))
	}
}

// TestDirSpoolDoesNotFollowSymlinks has symbolic links in place of records and of their temporary files.
func TestDirSpoolDoesNotFollowSymlinks(t *testing.T) {
	t.Parallel()
	for n, name := range leftIn(t, t.TempDir()) {
		if n%damageStride() != 0 {
			continue
		}
		for _, link := range []string{name, name + ".tmp"} {
			t.Run(link, func(t *testing.T) {
				t.Parallel()
				dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
				inside := filepath.Join(dir, "inside")
				for _, path := range []string{outside, inside} {
					require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
				}
				synctest.Test(t, func(t *testing.T) { // spool operations are retried for a while
					srv := threatconnecttest.NewT(t)
					for _, to := range []string{outside, "inside"} {
						_ = os.Remove(filepath.Join(dir, link))
						require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
						cfg := appendConfig()
						cfg.MaxItems, cfg.Spool, cfg.Run = 7, threatconnect.NewDirSpool(dir), "to "+to
						if _, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40))); !errors.Is(err, threatconnect.ErrSpool) {
							failures(t, err) // those of the invalid items
							checkFeed(t, srv, 40)
							srv = threatconnecttest.NewT(t)
						}
						for _, path := range []string{outside, inside} {
							text, err := os.ReadFile(path)
							require.NoError(t, err)
							assert.Equal(t, "mine", string(text))
						}
					}
				})
			})
		}
	}
}

func TestUnusableSpoolDirectoryReturnsErrSpool(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	readOnly := "/proc/self" // not even root can write to it
	if os.Geteuid() != 0 {
		readOnly = t.TempDir()
		require.NoError(t, os.Chmod(readOnly, 0o500))
	}
	for _, dir := range []string{"", file, filepath.Join(file, "spool"), readOnly} {
		synctest.Test(t, func(t *testing.T) { // spool operations are retried for a while
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.Spool, cfg.Run = threatconnect.NewDirSpool(dir), "today"
			_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence([]threatconnect.BatchItem{batchHost(1)}))
			require.ErrorIs(t, err, threatconnect.ErrSpool, dir)
			assert.Empty(t, srv.Requests(), "nothing is sent before it is in the spool")
			assert.NotContains(t, err.Error(), "h1.example")
		})
	}
}

// TestFullDiskEndsImportWithSpoolError runs a real process with a limit on the size of its files.
func TestFullDiskEndsImportWithSpoolError(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		require.Equal(t, "windows", runtime.GOOS, "every other system has a shell")
		return
	}
	srv := threatconnecttest.NewT(t)
	web := httptest.NewServer(&killer{srv: srv, after: -1, down: -outage})
	defer web.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	cmd := exec.Command(sh, "-c", "ulimit -f 1; exec \"$0\"", os.Args[0]) // 512 or 1,024 bytes
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "batch spool: ")
	assert.Contains(t, string(out), "file too large")
	assert.NotContains(t, string(out), "h1.example")
	assert.Empty(t, srv.Jobs(), "nothing is sent before it is in the spool")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Less(t, info.Size(), int64(512), "an incomplete file is removed")
	}

	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "when there is room again: %s", out)
	checkFeed(t, srv, killedHosts)
}

func TestFinishedImportLeavesOneSpoolFile(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	dir := t.TempDir()
	cfg := appendConfig()
	cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 8, 3, threatconnect.NewDirSpool(dir), "today"
	items := slices.DeleteFunc(feed(40), func(in threatconnect.BatchItem) bool {
		h, ok := in.(*threatconnect.Host)
		return ok && strings.Contains(h.HostName, " ")
	})
	stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.NoError(t, err)
	assert.Greater(t, stats.Jobs, int64(5))
	checkFeed(t, srv, 40)
	assert.Len(t, files(t, dir), 1, "the outcome")
}

func TestDirSpool(t *testing.T) {
	t.Parallel()
	threatconnecttest.TestSpool(t, func(t *testing.T) func() threatconnect.Spool {
		dir := filepath.Join(t.TempDir(), "state", "spool")
		return func() threatconnect.Spool { return threatconnect.NewDirSpool(dir) }
	})
}

func TestDirSpoolIgnoresLaterChdir(t *testing.T) {
	top := t.TempDir()
	t.Chdir(top)
	spool := threatconnect.NewDirSpool("spool")
	t.Chdir(t.TempDir())
	require.NoError(t, spool.Create(t.Context(), "a", nil))
	require.FileExists(t, filepath.Join(top, "spool", "a"))
	require.ErrorContains(t, threatconnect.NewDirSpool("").Create(t.Context(), "a", nil), "is empty")
}

// createdDir is an environment variable that makes a process of this test binary create records in a directory.
const createdDir = "THREATCONNECT_TEST_CREATED_DIR"

// TestDirSpoolInManyProcesses creates the same records in several processes at the same time.
func TestDirSpoolInManyProcesses(t *testing.T) {
	const processes, records = 4, 60
	if dir := os.Getenv(createdDir); dir != "" {
		fmt.Println("ready")
		_, err := io.Copy(io.Discard, os.Stdin) // until all are ready
		require.NoError(t, err)
		spool := threatconnect.NewDirSpool(dir)
		for i := range records {
			err := spool.Create(t.Context(), fmt.Sprintf("slot-%d", i), [][]byte{fmt.Append(nil, "process ", os.Getpid())})
			if err == nil {
				fmt.Println("created", i)
			} else {
				require.ErrorIs(t, err, fs.ErrExist)
			}
		}
		return
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state", "spool")
	var children []*exec.Cmd
	var stdins []io.Closer
	var outs []io.Reader
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v=false")
		cmd.Env = append(os.Environ(), createdDir+"="+dir)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = io.ReadFull(out, make([]byte, len("ready\n")))
		require.NoError(t, err)
		children, stdins, outs = append(children, cmd), append(stdins, stdin), append(outs, out)
	}
	for _, stdin := range stdins {
		require.NoError(t, stdin.Close())
	}
	spool, total := threatconnect.NewDirSpool(dir), 0
	for n, cmd := range children {
		out, err := io.ReadAll(outs[n])
		require.NoError(t, err)
		require.NoError(t, cmd.Wait(), "%s", out)
		for line := range strings.Lines(string(out)) {
			slot, ok := strings.CutPrefix(strings.TrimSpace(line), "created ")
			if !ok {
				continue
			}
			total++
			text, err := spool.Read(t.Context(), "slot-"+slot)
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint("process ", cmd.Process.Pid), string(text))
		}
	}
	assert.Equal(t, records, total, "every record is created once")
	names, err := spool.Names(t.Context())
	require.NoError(t, err)
	assert.Len(t, names, records)
	assert.Len(t, files(t, dir), records, "nothing is left over")
}
