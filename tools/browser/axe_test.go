package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// If a registry serves another package as axe-core, it is refused before any of its code runs.
func TestThreatWrongNpmPackageIsRejected(t *testing.T) {
	bin, work := t.TempDir(), t.TempDir()
	npm := "#!/bin/sh\nfor arg; do [ \"$arg\" != --ignore-scripts ] || ignored=yes; done\n[ \"$ignored\" = yes ] || exit 1\necho other >axe.tgz\necho axe.tgz\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "npm"), []byte(npm), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := axeSource(t.Context(), "", work)
	require.ErrorContains(t, err, "npm brought another axe-core@")
	assert.FileExists(t, filepath.Join(work, "axe.tgz"))
}
