package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestBlocklist(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client := srv.Client().InOwner("Example Source")
	path := filepath.Join(t.TempDir(), "list.txt")
	add := func(typ, value string, rating float64) {
		t.Helper()
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: typ, Summary: value, Rating: &rating}))
	}
	list := func() string {
		t.Helper()
		require.NoError(t, update(t.Context(), client, path))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(b)
	}
	add("Host", "deleted.example", 5)
	add("Host", "falling.example", 4)
	add("Host", "inactive.example", 4)
	add("Host", "rising.example", 2)
	add("Address", "203.0.113.42", 3)
	add("URL", "https://www.example.com/", 5)
	assert.Equal(t, "203.0.113.42\ndeleted.example\nfalling.example\ninactive.example\n", list())

	hosts := client.Indicators.Hosts
	require.NoError(t, hosts.Delete(t.Context(), "deleted.example"))
	for name, change := range map[string]threatconnect.IndicatorUpdate{
		"falling.example":  {Rating: new(1.0)},
		"inactive.example": {Rating: new(4.0), Active: new(false)},
		"rising.example":   {Rating: new(3.0)},
	} {
		_, err := hosts.Update(t.Context(), name, change)
		require.NoError(t, err)
	}
	const want = "203.0.113.42\nrising.example\n"
	assert.Equal(t, want, list())

	add("Host", "new.example", 5)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/indicators", Status: http.StatusForbidden}))
	require.Error(t, update(t.Context(), client, path))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(b), "after an error")
	assert.Equal(t, "203.0.113.42\nnew.example\nrising.example\n", list(), "the change of the failed run")

	require.ErrorIs(t, update(t.Context(), client.InOwner("Nobody"), filepath.Join(t.TempDir(), "list.txt")), threatconnect.ErrOwnerRefused)
	require.NoError(t, os.Remove(path))
	assert.Equal(t, "203.0.113.42\nnew.example\nrising.example\n", list(), "a list that was lost")
	require.NoError(t, os.WriteFile(path+".cursor", []byte("{}"), 0o600))
	require.ErrorContains(t, update(t.Context(), client, path), "is damaged")
}
