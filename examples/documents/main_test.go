package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client := srv.Client().InOwner("Example Source")
	path := filepath.Join(t.TempDir(), "report.txt")
	require.NoError(t, os.WriteFile(path, []byte("seen on www.example.com\n"), 0o600))

	id, err := upload(t.Context(), client, path)
	require.NoError(t, err)
	require.NoError(t, check(t.Context(), client, id, path))
	groups := srv.Groups("Example Source")
	require.Len(t, groups, 2)
	assert.Equal(t, "Report report.txt", groups[0].Name)

	require.NoError(t, os.WriteFile(path, []byte("something else\n"), 0o600))
	require.ErrorContains(t, check(t.Context(), client, id, path), "differs")
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := upload(t.Context(), threatconnecttest.NewT(t).Client(), filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
