package threatconnect_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestDirSpool(t *testing.T) {
	t.Parallel()
	threatconnecttest.TestSpool(t, func(t *testing.T) func() threatconnect.Spool {
		dir := filepath.Join(t.TempDir(), "state", "spool")
		return func() threatconnect.Spool { return threatconnect.NewDirSpool(dir) }
	})
}

func TestDirSpoolKeepsItsDirectory(t *testing.T) {
	top := t.TempDir()
	t.Chdir(top)
	spool := threatconnect.NewDirSpool("spool")
	t.Chdir(t.TempDir())
	require.NoError(t, spool.Create(t.Context(), "a", nil))
	require.FileExists(t, filepath.Join(top, "spool", "a"))
	require.ErrorContains(t, threatconnect.NewDirSpool("").Create(t.Context(), "a", nil), "is empty")
}

// createdDir tells a process of this test binary to create records in a directory.
const createdDir = "THREATCONNECT_TEST_CREATED_DIR"

// TestDirSpoolInManyProcesses lets several processes create the same records at a time.
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
