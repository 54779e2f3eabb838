package cli

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestOpenStore(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	withToken := srv.ClientAs(threatconnect.Token(srv.Token()))
	for _, name := range []string{filepath.Join(t.TempDir(), "state"), "datastore:local/feed/state", "datastore:local/feed/a/b"} {
		store, err := OpenStore(withToken, name)
		require.NoError(t, err, name)
		assert.NotNil(t, store)
	}
	for name, want := range map[string]string{
		filepath.Join(t.TempDir(), "none", "state"): "no such file or directory",
		"datastore:local/feed":                      "--state must be datastore:DOMAIN/TYPE/ID",
		"datastore:local//state":                    "--state must be datastore:DOMAIN/TYPE/ID",
		"datastore:elsewhere/feed/state":            "--state: ",
	} {
		_, err := OpenStore(withToken, name)
		require.ErrorContains(t, err, want, name)
	}
	_, err := OpenStore(srv.Client(), "datastore:local/feed/state") // a token is required
	require.ErrorContains(t, err, "--state: ")
	assert.Empty(t, srv.Requests())
}
