package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repository is a clone of this repository.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t, filepath.Join(t.TempDir(), "clone")}
	top, err := filepath.Abs("../..")
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--no-tags", top, r.dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	r.git("config", "user.name", "Releaser")
	r.git("config", "user.email", "releaser@example.com")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir}, args...)...).CombinedOutput()
	require.NoError(r.t, err, "%s", out)
	return string(out)
}

// replace replaces the first occurrence of from in a file, and commits.
func (r *repository) replace(file, from, to string) {
	r.t.Helper()
	path := filepath.Join(r.dir, file)
	text, err := os.ReadFile(path)
	require.NoError(r.t, err)
	require.Contains(r.t, string(text), from, file)
	require.NoError(r.t, os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644))
	r.git("commit", "--quiet", "--all", "--message", "Change "+file)
}

func (r *repository) release(args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), "bash", append([]string{filepath.Join(r.dir, ".ci", "release")}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestReleaseTagsAllModulesOnOneCommit(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.replace("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n## [0.987.9] - 2026-12-01\n\n### Added\n\n- a note of this release\n\n## [0.987.8] - 2026-11-30\n\n- a note of another one\n")
	r.replace("threatconnect.go", "const Version = ", "const Version = \"0.987.9\"\n\nconst _ = ")
	before := r.git("rev-parse", "HEAD")

	out, err := r.release("v0.987.9", "--dry-run")
	require.NoError(t, err, out)
	for _, want := range []string{
		"Require v0.987.9 of the root module\n", "tag:    v0.987.9\n", "tag:    cmd/threatconnect/v0.987.9\n", "tag:    otel/v0.987.9\n",
		"\n### Added\n\n- a note of this release\n",
		"github.com/threatconnect-go/threatconnect v0.987.9 h1:", "github.com/threatconnect-go/threatconnect/otel v0.987.9 h1:",
		"github.com/threatconnect-go/threatconnect/cmd/threatconnect v0.987.9 h1:", "nothing was changed",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "a note of another one")
	assert.Equal(t, before, r.git("rev-parse", "HEAD"))
	assert.Empty(t, r.git("tag"))
	assert.Empty(t, r.git("status", "--porcelain"))

	r.git("tag", "otel/v0.987.7")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no version":        {nil, "usage: .ci/release vX.Y.Z [--dry-run]"},
		"not a version":     {[]string{"0.987.9", "--dry-run"}, "usage: "},
		"an unknown option": {[]string{"v0.987.9", "--dry"}, "usage: "},
		"another version":   {[]string{"v0.987.10", "--dry-run"}, "Version in threatconnect.go is not 0.987.10"},
		"an existing tag":   {[]string{"v0.987.7", "--dry-run"}, "the tag otel/v0.987.7 exists"},
	} {
		out, err := r.release(tc.args...)
		require.Error(t, err, name)
		assert.Contains(t, out, tc.want, name)
	}

	r.replace("CHANGELOG.md", "## [0.987.9]", "## [0.987.10]")
	out, err = r.release("v0.987.9", "--dry-run")
	require.Error(t, err)
	assert.Contains(t, out, "CHANGELOG.md has no section for 0.987.9")

	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "new"), nil, 0o644))
	out, err = r.release("v0.987.9", "--dry-run")
	require.Error(t, err)
	assert.Contains(t, out, "the working tree has changes")
}
