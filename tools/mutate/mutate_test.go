package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runOn runs the program on testdata/p and returns its output.
func runOn(t *testing.T, accepted string, timeout time.Duration) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "accepted.txt")
	require.NoError(t, os.WriteFile(file, []byte(accepted), 0o600))
	out := &bytes.Buffer{}
	c := config{root: "testdata", accepted: file, n: 100, seed: 1, timeout: timeout, parallel: 2, out: out}
	err := c.run([]string{"./p"})
	return out.String(), err
}

func TestUntestedLineSurvives(t *testing.T) {
	t.Parallel()
	out, err := runOn(t, "# Comment.\np Untested: zero: return n -> return 0\tReason.\n", time.Minute)
	require.ErrorContains(t, err, "3 of 7 mutants survived")
	assert.Contains(t, out, filepath.Join("p", "p.go")+":9 survived\n\tp Untested: delete: n = 7 ->\n")
	assert.NotContains(t, out, "p Tested:", "tests fail")
	assert.NotContains(t, out, "zero", "accepted")
	assert.Contains(t, out, "4 killed, 0 timed out, 3 survived, 0 did not build; 1 accepted\n")
}

func TestRunErrors(t *testing.T) {
	t.Parallel()
	_, err := runOn(t, "p Untested: zero: return n -> return 0\n", time.Minute)
	assert.ErrorContains(t, err, "add a tab and a reason to this line: p Untested: zero")
	_, err = runOn(t, "p Gone: delete: n = 7 ->\tReason.\n", time.Minute)
	assert.ErrorContains(t, err, "remove this line, which matches no mutant: p Gone: delete")
	c := config{root: "testdata", accepted: os.DevNull, n: 1, seed: 1, timeout: 100 * time.Millisecond, parallel: 1, out: io.Discard}
	err = c.run([]string{"./slow"})
	assert.ErrorContains(t, err, "the tests do not pass without a mutant: timed out")
}

func TestAcceptedMutantsExist(t *testing.T) {
	t.Parallel()
	const file = "accepted.txt"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	folders := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			folder, _, _ := strings.Cut(line, " ")
			folders["./"+strings.TrimSuffix(folder, ":")] = true
		}
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	all, err := load(root, slices.Sorted(maps.Keys(folders)))
	require.NoError(t, err)
	_, err = withoutAccepted(all, file)
	require.NoError(t, err)
}

func TestMutants(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("testdata")
	require.NoError(t, err)
	all, err := load(root, []string{"./kinds"})
	require.NoError(t, err)
	got := ""
	for _, m := range all {
		if m.compiles() {
			got += m.key + "\n"
		}
	}
	want, err := os.ReadFile(filepath.Join(root, "kinds", "kinds.want"))
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}
