package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"go.mod": {
			"module " + commandModule + "\n\nrequire (\n\texample.com/a v1.0.0\n\t" + rootModule + " v0.1.0\n)\n",
			"module " + commandModule + "\n\nrequire (\n\texample.com/a v1.0.0\n)\n",
		},
		"go.mod with one requirement": {"go 1.26.0\nrequire " + rootModule + " v0.1.0\n", "go 1.26.0\n"},
		"go.sum": {
			"example.com/a v1.0.0 h1:a=\n" + rootModule + " v0.1.0 h1:b=\n" + rootModule + " v0.1.0/go.mod h1:c=\n" + rootModule + "/otel v0.1.0 h1:d=\n",
			"example.com/a v1.0.0 h1:a=\n" + rootModule + "/otel v0.1.0 h1:d=\n",
		},
		"replacement": {"replace " + commandModule + " => ..\n", "replace " + commandModule + " => ..\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, withoutRoot(tc.text))
		})
	}
}

// Checksums of the same files depend only on the version, so they can be compared after a release.
func TestChecksumsOfTheModules(t *testing.T) {
	t.Parallel()
	sums := func(version string) []string {
		var b strings.Builder
		require.NoError(t, printSums(&b, ".", version))
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
	first := sums("v0.2.0")
	require.Len(t, first, 3)
	for i, path := range []string{rootModule, otelModule, commandModule} {
		assert.Regexp(t, "^"+regexp.QuoteMeta(path)+` v0\.2\.0 h1:\S{44}$`, first[i])
	}
	assert.Equal(t, first, sums("v0.2.0"))
	assert.NotEqual(t, first, sums("v0.3.0"))
}

// With -trimpath and -buildvcs=false, builds of two clones have the same bytes, which do not contain the path of the
// clone. Both builds can take packages from the same build cache.
func TestThreatBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	top, err := command(".", nil, "git", "rev-parse", "--show-toplevel")
	require.NoError(t, err)
	build := func() []byte {
		source, binary := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "threatconnect")
		_, err := command(".", nil, "git", "clone", "--quiet", top, source)
		require.NoError(t, err)
		_, err = command(filepath.Join(source, "cmd", "threatconnect"), nil, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, ".")
		require.NoError(t, err)
		b, err := os.ReadFile(binary)
		require.NoError(t, err)
		assert.NotContains(t, string(b), source)
		return b
	}
	assert.True(t, bytes.Equal(build(), build()), "two builds differ")
}
