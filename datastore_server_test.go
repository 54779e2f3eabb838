package threatconnect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

type sighting struct {
	Host  string `json:"host"`
	Count int    `json:"count"`
}

func TestDataStoreAgainstTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client := srv.ClientAs(threatconnect.Token(srv.Token()))
	store, err := threatconnect.DataStoreOf[sighting](client, threatconnect.DataStoreOrganization, "sightings")
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "a")
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	require.NoError(t, store.SetMappings(t.Context(), map[string]bool{"dynamic": false}))
	require.NoError(t, store.Put(t.Context(), "a/1", sighting{"www.example.com", 1}))
	require.NoError(t, store.Put(t.Context(), "a/1", sighting{"www.example.com", 2}))
	got, err := store.Get(t.Context(), "a/1")
	require.NoError(t, err)
	assert.Equal(t, threatconnect.DataRecord[sighting]{ID: "a/1", Version: 2, Value: sighting{"www.example.com", 2}}, got)
	id, err := store.Create(t.Context(), sighting{"www.example.net", 1})
	require.NoError(t, err)
	list, err := store.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list.Items, 2)
	found, err := store.Search(t.Context(), map[string]any{"query": map[string]any{"match": map[string]any{"host": "www.example.net"}}, "size": 1})
	require.NoError(t, err)
	require.Len(t, found.Items, 1)
	assert.Equal(t, id, found.Items[0].ID)
	require.NoError(t, store.Delete(t.Context(), id))
	require.ErrorIs(t, store.Delete(t.Context(), id), threatconnect.ErrNotFound)
	assert.Equal(t, map[string]string{"a/1": `{"host":"www.example.com","count":2}`}, srv.DataStore("organization", "sightings"))

	plain := threatconnecttest.NewT(t, threatconnecttest.WithPlainDataStoreErrors())
	store, err = threatconnect.DataStoreOf[sighting](plain.ClientAs(threatconnect.Token(plain.Token())), threatconnect.DataStoreLocal, "sightings")
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "a")
	require.ErrorIs(t, err, threatconnect.ErrBadResponse, "called JSON, and is none")
}

func TestDataStoreGivesAnswersAsTheyCome(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	store := srv.ClientAs(threatconnect.Token(srv.Token())).DataStore
	for _, c := range []struct {
		request threatconnect.DataStoreRequest
		want    string // a part of the answer
	}{
		{threatconnect.DataStoreRequest{Method: "PUT", ID: "a", Body: []byte(`{"host":"www.example.com"}`)}, `"result":"created"`},
		{threatconnect.DataStoreRequest{Method: "GET", ID: "a"}, `"_source":{"host":"www.example.com"}`},
		{threatconnect.DataStoreRequest{Method: "POST", Body: []byte(`{"host":"www.example.net"}`)}, `"result":"created"`},
		{threatconnect.DataStoreRequest{Method: "PUT", ID: "_mappings", Body: []byte(`{"dynamic":false}`)}, `"acknowledged":true`},
		{threatconnect.DataStoreRequest{Method: "GET", ID: "_search", Body: []byte(`{"size":1}`)}, `"hits"`},
		{threatconnect.DataStoreRequest{Method: "GET"}, `"hits"`},
		{threatconnect.DataStoreRequest{Method: "DELETE", ID: "a"}, `"result":"deleted"`},
	} {
		c.request.Domain, c.request.Type = threatconnect.DataStoreLocal, "example"
		answer, err := store.Do(t.Context(), c.request)
		require.NoError(t, err, "%s %s", c.request.Method, c.request.ID)
		assert.Contains(t, string(answer), c.want, "%s %s", c.request.Method, c.request.ID)
	}
}
