package sandbox

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const docs = "../../../../docs/sandbox.md"

// The programs in the documentation run as printed.
func TestDocs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has no sh
	}
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(sh|python)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		t.Run(block[1], func(t *testing.T) {
			t.Parallel()
			_, rest := start(t)
			_, lines, _ := strings.Cut(rest, "Paste these lines into a shell:\n")
			program := map[string]string{"sh": "set -e\n" + block[2], "python": "python3 - <<'END'\n" + block[2] + "END\n"}[block[1]]
			cmd := exec.CommandContext(t.Context(), "sh", "-c", lines+program)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

// The sandbox accepts the signed curl command that its page offers to copy.
func TestSignedCurl(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has no sh
	}
	_, rest := start(t)
	_, lines, _ := strings.Cut(rest, "Paste these lines into a shell:\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", lines+signedCurl).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "Example Source")
}

// Every endpoint is documented.
func TestDocumentedEndpoints(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	for _, e := range newDesk(t, options{}).endpoints() {
		assert.Regexp(t, "`"+e.Method+" "+regexp.QuoteMeta(e.Path)+"[`?]", string(text))
	}
}
