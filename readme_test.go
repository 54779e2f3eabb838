package threatconnect_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The quick start is compiled and run as it is printed, in a module that is set up as the README
// says.
func TestTheQuickStartOfTheReadmeRuns(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, blocks, 1)
	program := blocks[0][1]
	require.LessOrEqual(t, strings.Count(program, "\n"), 15, "lines of the quick start")

	here, err := os.Getwd()
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^(require|replace) .*$`).FindAllString(string(readme), -1)
	require.Len(t, lines, 2, "require and replace")
	mod := "module quickstart\n\ngo 1.26.0\n\n" + strings.Join(lines, "\n") + "\n"
	mod = strings.Replace(mod, "=> ../threatconnect", "=> "+here, 1)

	sums, err := os.ReadFile("go.sum") // it verifies the dependencies that the module gets
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	for _, args := range [][]string{{"mod", "tidy"}, {"run", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v: %s", args, out)
		if args[0] == "run" {
			require.Equal(t, "xn--bcher-kva.example is in Example Organization\n", string(out))
		}
	}
}
