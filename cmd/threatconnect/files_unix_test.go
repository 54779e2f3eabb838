//go:build linux || darwin

package main

import (
	"context"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// TestMain runs the tests. In child processes, which have the variable TEST_UMASK, it runs the command instead: with
// that umask, and a limit of TEST_FILE_SIZE bytes per file.
func TestMain(m *testing.M) {
	umask, isChild := os.LookupEnv("TEST_UMASK")
	if !isChild {
		os.Exit(m.Run())
	}
	mask, err := strconv.ParseInt(umask, 8, 32)
	if err != nil {
		panic(err)
	}
	syscall.Umask(int(mask))
	if size, err := strconv.ParseUint(os.Getenv("TEST_FILE_SIZE"), 10, 63); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
			panic(err)
		}
	}
	main()
}

// child returns the command as a child process with these environment variables.
func child(ctx context.Context, vars map[string]string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(cmd.Env, "TEST_UMASK=022")
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// serve starts a test server on a port and returns it with the environment variables of a client.
func serve(t *testing.T, options ...threatconnecttest.Option) (*threatconnecttest.Server, map[string]string) {
	t.Helper()
	srv := threatconnecttest.NewT(t, options...)
	port := httptest.NewServer(srv)
	t.Cleanup(port.Close)
	return srv, map[string]string{"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey(), "TC_OWNER": "Example Source"}
}

func TestThreatOutputFilesRespectUmask(t *testing.T) {
	t.Parallel()
	srv, vars := serve(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "evil.org"}))
	for umask, want := range map[string]fs.FileMode{"077": 0o600, "027": 0o640, "022": 0o644} {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		require.NoError(t, os.WriteFile(path("feed.txt"), []byte("new.org\n"), 0o600))
		vars["TEST_UMASK"] = umask
		for _, args := range [][]string{
			{"changes", "--state", path("csv.state"), "--output", path("list.csv")},
			{"changes", "--state", "none", "--format", "jsonl", "--output", path("list.jsonl")},
			{"changes", "--state", "none", "--format", "blocklist", "--output", path("list.txt")},
			{"doctor", "--report", path("report.json"), "--tc_log_path", dir},
			{"feed", "--input", path("feed.txt"), "--tc_out_path", dir, "--state", path("feed.state"), "--spool", path("spool")},
		} {
			out, err := child(t.Context(), vars, args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
		names := map[string]fs.FileMode{}
		require.NoError(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := e.Info()
			require.NoError(t, err)
			names[filepath.Base(name)] = info.Mode().Perm()
			return nil
		}))
		mask, err := strconv.ParseUint(umask, 8, 32)
		require.NoError(t, err)
		for name, mode := range names {
			if name != filepath.Base(dir) {
				assert.Zero(t, mode&fs.FileMode(mask), "%s has permissions %v with umask %s", name, mode, umask)
			}
		}
		for _, name := range []string{"list.csv", "list.jsonl", "list.txt", "report.json", "message.tc"} {
			assert.Equal(t, want, names[name], name)
		}
		assert.Equal(t, fs.FileMode(0o600), names["app.log"])
	}
}

// A truncated log makes the run fail, even if all work is done.
func TestLogWriteErrorFailsRun(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"feed", "changes"} {
		out, err := child(t.Context(), map[string]string{"TEST_FILE_SIZE": "10"}, command, "--tc_log_path", t.TempDir(), "--tc_log_level", "DEBUG").CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "records of the log are lost")
	}
}

// The output file has the old or the complete new content at any time, even if the disk fills up or the process is
// killed.
func TestThreatOutputsAreReplacedAtomically(t *testing.T) {
	t.Parallel()
	srv, vars := serve(t)
	for n := range 400 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "host" + strconv.Itoa(n) + ".org"}))
	}
	for _, format := range []string{"blocklist", "csv", "jsonl"} {
		path := filepath.Join(t.TempDir(), "list")
		args := []string{"changes", "--state", "none", "--format", format, "--output", path, "--max-share", "1"}
		code, _, stderr := runIn(t, vars, args...)
		require.Equal(t, cli.Success, code, stderr)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		whole, old := string(b), strings.Repeat("# of the last run\n", 500)
		isWhole := func() bool {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			got := string(b)
			require.True(t, got == old || got == whole, "neither the old nor the new list: %d bytes", len(got))
			return got == whole
		}
		// The disk is full after size bytes.
		for _, size := range []int{0, 1, 4095, 4096, 4097, len(whole) - 1} {
			require.NoError(t, os.WriteFile(path, []byte(old), 0o600))
			vars["TEST_FILE_SIZE"] = strconv.Itoa(size)
			require.Error(t, child(t.Context(), vars, args...).Run())
			assert.False(t, isWhole(), "%d bytes", size)
		}
		delete(vars, "TEST_FILE_SIZE")
		// The process is killed at different times while others read the list.
		start := time.Now()
		require.NoError(t, child(t.Context(), vars, args...).Run())
		took := time.Since(start)
		require.True(t, isWhole())
		const kills = 12
		for n := range kills {
			require.NoError(t, os.WriteFile(path, []byte(old), 0o600))
			ctx, cancel := context.WithTimeout(t.Context(), took*time.Duration(n+1)/kills)
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = child(ctx, vars, args...).Run() // killed
			}()
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
					isWhole()
				}
			}
			cancel()
		}
	}
}
