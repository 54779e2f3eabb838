package feeds

import (
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// stores runs f as a subtest for each kind of store.
func stores(t *testing.T, f func(t *testing.T, store Store)) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		f(t, fileStoreIn(t))
	})
	t.Run("DataStore", func(t *testing.T) {
		t.Parallel()
		_, store := inDataStore(t)
		f(t, store)
	})
}

func TestCursorIsSavedAndLoaded(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store Store) {
		c, err := LoadCursor(t.Context(), store)
		require.NoError(t, err)
		assert.True(t, c.Cursor().IsZero())
		for _, position := range []string{"1", "2"} {
			want := threatconnect.Cursor{Source: "changes", Position: position, Seen: []uint64{1, 2}}
			require.NoError(t, c.Save(t.Context(), want))
			assert.Equal(t, want, c.Cursor())
			again, err := LoadCursor(t.Context(), store)
			require.NoError(t, err)
			assert.Equal(t, want, again.Cursor())
		}
		require.Error(t, c.Save(t.Context(), threatconnect.Cursor{Seen: make([]uint64, 200_000)}))
		assert.Equal(t, "2", c.Cursor().Position)
	})
}

func TestConcurrentCursorSaveFails(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store Store) {
		for _, start := range []string{"", "1"} { // before and after the first cursor is saved
			first, err := LoadCursor(t.Context(), store)
			require.NoError(t, err)
			assert.Equal(t, start, first.Cursor().Position)
			second, err := LoadCursor(t.Context(), store)
			require.NoError(t, err)
			require.NoError(t, second.Save(t.Context(), threatconnect.Cursor{Position: "1"}))
			require.ErrorIs(t, first.Save(t.Context(), threatconnect.Cursor{Position: "2"}), ErrConcurrentRun)
			require.NoError(t, second.Save(t.Context(), threatconnect.Cursor{Position: "1"}))
		}
	})
}

// The owner of a store may be writing the same temporary file or records, so another process must not begin to write.
func TestReplaceWithoutOwnershipWritesNothing(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store Store) {
		for _, m := range []*mark{nil, {Token: "another"}, {Token: "mine", Disputed: true}} {
			require.NoError(t, store.swap(t.Context(), func(*mark) *mark { return m }))
			err := store.replace(t.Context(), "mine", func(io.Writer) error {
				t.Error("write was called")
				return nil
			})
			require.Error(t, err)
			assert.Equal(t, m.owns("mine"), err)
		}
	})
}

func TestLoadCursorRejectsInvalidFile(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	c, err := LoadCursor(t.Context(), store)
	require.NoError(t, err)
	require.NoError(t, c.Save(t.Context(), threatconnect.Cursor{Source: "changes", Position: "1"}))
	whole, err := os.ReadFile(store.path)
	require.NoError(t, err)
	assert.True(t, json.Valid(whole))
	for _, text := range []string{"", "x", "{}", "null", `{"format":"threatconnect-go cursor 1"}`, string(whole[:len(whole)/2]), string(make([]byte, maxHeader+1))} {
		require.NoError(t, os.WriteFile(store.path, []byte(text), 0o600))
		_, err := LoadCursor(t.Context(), store)
		require.ErrorIs(t, err, errNotCursor)
		require.ErrorIs(t, c.Save(t.Context(), threatconnect.Cursor{}), errNotCursor)
		b, err := os.ReadFile(store.path)
		require.NoError(t, err)
		assert.Equal(t, text, string(b))
	}
	require.NoError(t, os.Remove(store.path))
	run(t, store, host(0, 1))
	_, err = LoadCursor(t.Context(), store)
	require.ErrorIs(t, err, errNotCursor, "a state is not a cursor")
}

func TestCursorAndStateInOneStore(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	c, err := LoadCursor(t.Context(), store)
	require.NoError(t, err)
	s := openState(t, store)
	require.ErrorIs(t, c.Save(t.Context(), threatconnect.Cursor{Position: "1"}), ErrConcurrentRun)
	runWith(t, s, fate{}, host(0, 1))
	assert.Empty(t, run(t, store, host(0, 1)))
}
