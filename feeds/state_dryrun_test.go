package feeds

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestDryRunChangesNoState(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	dry := func(o *StateOptions) { o.DryRun = true }
	choose := func(items ...threatconnect.BatchItem) (*State, []int) {
		s := openState(t, store, dry)
		sent, _, err := imports(s, fate{}, items...)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		return s, sent
	}
	s, sent := choose(hosts(0, 2)...)
	assert.Equal(t, "there is no state yet", s.Reason())
	assert.Equal(t, []int{0, 1}, sent)
	assert.NoFileExists(t, store.path)
	assert.NoFileExists(t, store.marker())

	run(t, store, hosts(0, 2)...)
	before, err := os.ReadFile(store.path)
	require.NoError(t, err)
	s, sent = choose(host(1, 1), host(2, 1))
	assert.Empty(t, s.Reason())
	assert.Equal(t, []int{1}, sent)
	unchanged, vanished := s.Counts()
	assert.Equal(t, []int64{1, 1}, []int64{unchanged, vanished})
	after, err := os.ReadFile(store.path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.NoFileExists(t, store.marker())

	running := openState(t, store, named("today"))
	_, _, err = imports(running, fate{}, hosts(0, 3)...)
	require.NoError(t, err)
	s, _ = choose(hosts(0, 2)...)
	assert.Contains(t, s.Reason(), "another one is in progress")
	require.NoError(t, running.Save(t.Context(), threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 1, Succeeded: 1}}, nil), "the dry run did not take over the state")
}
