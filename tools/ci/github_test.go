package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const github = "../../.github"

// Workflows pin actions by hash, because a tag can be moved, and have a read-only token.
func TestWorkflowsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(github, "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		uses := regexp.MustCompile(`uses: (.*)`).FindAllStringSubmatch(string(text), -1)
		assert.NotEmpty(t, uses, file)
		for _, action := range uses {
			assert.Regexp(t, `^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`, action[1], file)
		}
		assert.Contains(t, string(text), "\npermissions:\n  contents: read\n", file)
		for _, script := range regexp.MustCompile(`run: (\.ci/\w+)`).FindAllStringSubmatch(string(text), -1) {
			assert.FileExists(t, filepath.Join("../..", script[1]))
		}
	}
}

func TestDependabotConfigListsEveryModule(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile(filepath.Join(github, "dependabot.yml"))
	require.NoError(t, err)
	list := regexp.MustCompile(`directories: \[(.*)\]`).FindSubmatch(config)
	require.NotNil(t, list)
	watched := strings.Split(string(list[1]), ", ")

	files, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files", "*go.mod", ":!.ci").Output()
	require.NoError(t, err)
	var modules []string
	for file := range strings.FieldsSeq(string(files)) {
		modules = append(modules, filepath.ToSlash(filepath.Join("/", filepath.Dir(file))))
	}
	slices.Sort(modules)
	assert.Equal(t, modules, watched)
	assert.Contains(t, string(config), "directory: /.ci\n")
}
