package lint

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each promise in SECURITY.md is a table row with its test and the test's directory. The names of
// exactly these tests, in all modules, start with TestThreat or FuzzThreat.
func TestSecurityPromisesHaveTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../SECURITY.md")
	require.NoError(t, err)
	_, promises, found := strings.Cut(string(page), "\n## Promises\n")
	require.True(t, found)
	promises, _, _ = strings.Cut(promises, "\n## ")
	listed := map[string]string{} // directory by test name
	for line := range strings.Lines(promises) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 2 || cells[1] == " promise " || strings.HasPrefix(cells[1], "---") {
			continue
		}
		require.Len(t, cells, 5, line)
		promise, name, dir := strings.TrimSpace(cells[1]), strings.Trim(cells[2], " `"), strings.Trim(cells[3], " `")
		assert.NotEmpty(t, promise, line)
		assert.Regexp(t, `^(Test|Fuzz)Threat[A-Z]\w*$`, name)
		assert.NotContains(t, listed, name, "one test for several promises")
		listed[name] = dir
	}
	assert.Greater(t, len(listed), 30)
	for name, dir := range threatTests(t) {
		want, found := listed[name]
		if assert.True(t, found, "%s in %s is in no row of SECURITY.md", name, dir) {
			assert.Equal(t, want, dir, "the directory of %s", name)
		}
		delete(listed, name)
	}
	assert.Empty(t, listed, "tests in SECURITY.md that do not exist")
}

// threatTests returns the directories of all threat tests in all modules, by test name.
func threatTests(t *testing.T) map[string]string {
	t.Helper()
	threat := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)Threat\w*)\(`)
	dirs := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("Threat")) {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		for _, match := range threat.FindAllStringSubmatch(string(text), -1) {
			assert.NotContains(t, dirs, match[1], "a second test of this name, in %s", dir)
			dirs[match[1]] = filepath.ToSlash(dir)
		}
		return err
	}))
	return dirs
}
