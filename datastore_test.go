package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type watched struct {
	Name string `json:"name"`
	Hits int    `json:"hits,omitempty"`
}

func mockedStore(t *testing.T) (*DataStore[watched], *httpmock.MockTransport) {
	t.Helper()
	c, mock := contentClientAs(t, Token("an example token"))
	d, err := DataStoreOf[watched](c, DataStoreLocal, "watch list")
	require.NoError(t, err)
	return d, mock
}

func TestDataStoreSearchKnowsItsLastPage(t *testing.T) {
	t.Parallel()
	one, none := `"hits":[{"_id":"1","_source":{}}]`, `"hits":[]`
	for name, tc := range map[string]struct {
		query  any
		answer string
		total  int64
		more   bool
	}{
		"the first of many":        {map[string]any{"size": 1}, `"total":150,` + one, 150, true},
		"the last of many":         {map[string]any{"from": 149, "size": 100}, `"total":150,` + one, 150, false},
		"one before the last":      {map[string]any{"size": 1, "from": 148}, `"total":150,` + one, 150, true},
		"behind the last":          {map[string]any{"from": 150}, `"total":150,` + none, 150, false},
		"far behind the last":      {map[string]any{"from": 1000}, `"total":150,` + none, 150, false},
		"an empty page in between": {map[string]any{"from": 10}, `"total":150,` + none, 150, false},
		"from in a raw query":      {json.RawMessage(`{"query":{"from":1},"from":149}`), `"total":150,` + one, 150, false},
		"no total":                 {map[string]any{"from": 3}, one, -1, true},
		"no total, nothing more":   {map[string]any{"from": 4}, none, -1, false},
		"counted up to 10,000":     {map[string]any{"from": 9_999}, `"total":{"value":10000,"relation":"gte"},` + one, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterResponder("POST", contentBase+"/v2/exchange/db/local/watch%20list/_search", jsonReply(200, `{"hits":{`+tc.answer+`}}`))
			p, err := d.Search(t.Context(), tc.query)
			require.NoError(t, err)
			assert.Equal(t, tc.total, p.Total)
			assert.Equal(t, tc.more, p.More)
		})
	}
}

func TestDataStoreIsAlwaysAPost(t *testing.T) {
	t.Parallel()
	const base = contentBase + "/v2/exchange/db/local/watch%20list"
	written := `{"_index":"$local.example","_type":"watch list","_id":"a/b","_version":4,"result":"updated","_shards":{"total":2},"_seq_no":45,"_primary_term":1}`
	for name, tc := range map[string]struct {
		path, operation, body, answer string
		call                          func(*DataStore[watched]) (any, error)
		want                          any
	}{
		"get": {"/a%2Fb", "GET", "", `{"_id":"a/b","_version":"3","found":true,"_source":{"name":"x","hits":2}}`,
			func(d *DataStore[watched]) (any, error) { return d.Get(t.Context(), "a/b") }, DataRecord[watched]{ID: "a/b", Version: 3, Value: watched{"x", 2}}},
		"put": {"/a%2Fb", "PUT", `{"name":"x"}`, written,
			func(d *DataStore[watched]) (any, error) { return nil, d.Put(t.Context(), "a/b", watched{Name: "x"}) }, nil},
		"create": {"/", "POST", `{"name":"x"}`, written,
			func(d *DataStore[watched]) (any, error) { return d.Create(t.Context(), watched{Name: "x"}) }, "a/b"},
		"delete": {"/a%2Fb", "DELETE", "", written,
			func(d *DataStore[watched]) (any, error) { return nil, d.Delete(t.Context(), "a/b") }, nil},
		"list": {"/", "GET", "", `{"took":1,"hits":{"total":2,"max_score":1,"hits":[{"_id":"1","_source":{"name":"x"}},{"_id":"2","_source":{"name":"y"}}]}}`,
			func(d *DataStore[watched]) (any, error) { return d.List(t.Context()) },
			&Page[DataRecord[watched]]{Items: []DataRecord[watched]{{ID: "1", Value: watched{Name: "x"}}, {ID: "2", Value: watched{Name: "y"}}}, Total: 2}},
		"search": {"/_search", "GET", `{"query":{"match_all":{}},"size":1}`, `{"hits":{"total":{"value":9,"relation":"eq"},"hits":[{"_id":"1","_source":{"name":"x"}}]}}`,
			func(d *DataStore[watched]) (any, error) {
				return d.Search(t.Context(), map[string]any{"query": map[string]any{"match_all": map[string]any{}}, "size": 1})
			},
			&Page[DataRecord[watched]]{Items: []DataRecord[watched]{{ID: "1", Value: watched{Name: "x"}}}, Total: 9, More: true}},
		"nothing found": {"/_search", "GET", `{}`, `{"hits":{"total":0,"hits":[]}}`,
			func(d *DataStore[watched]) (any, error) { return d.Search(t.Context(), struct{}{}) }, &Page[DataRecord[watched]]{Items: []DataRecord[watched]{}}},
		"mappings": {"/_mappings", "PUT", `{"dynamic":false}`, `{"acknowledged":true}`,
			func(d *DataStore[watched]) (any, error) {
				return nil, d.SetMappings(t.Context(), map[string]bool{"dynamic": false})
			}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			var got []sentContent
			mock.RegisterResponder("POST", base+tc.path, recording(&got, jsonReply(200, tc.answer)))
			out, err := tc.call(d)
			require.NoError(t, err)
			assert.Equal(t, tc.want, out)
			require.Len(t, got, 1)
			assert.Equal(t, tc.operation, got[0].header.Get("DB-Method"))
			assert.Equal(t, tc.body, got[0].body)
			assert.Equal(t, jsonType, got[0].contentType)
			assert.Equal(t, "TC-Token an example token", got[0].header.Get("Authorization"))
		})
	}
}

func TestDataStoreAnswersOfOtherKinds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		err    error
	}{
		"a record that is not there":         {jsonReply(200, `{"_id":"a","found":false}`), ErrNotFound},
		"the same with status 404":           {jsonReply(404, `{"_id":"a","found":false}`), ErrNotFound},
		"a data type that is not there":      {jsonReply(200, `{"error":{"type":"index_not_found_exception","reason":"no such index"},"status":404}`), ErrNotFound},
		"another error of Elasticsearch":     {jsonReply(200, `{"error":{"type":"parsing_exception"},"status":400}`), ErrBadResponse},
		"an error in words":                  {jsonReply(200, `{"error":"oops"}`), ErrBadResponse},
		"no JSON although it says so":        {jsonReply(200, `no such index`), ErrBadResponse},
		"a record without a value":           {jsonReply(200, `{"_id":"a","found":true}`), ErrBadResponse},
		"nothing":                            {jsonReply(200, ``), ErrBadResponse},
		"a login page":                       {httpmock.NewStringResponder(200, "<html>").HeaderSet(http.Header{"Content-Type": {"text/html"}}), ErrBadResponse},
		"a failure of the platform with 200": {jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`), ErrNotFound},
		"an expired token":                   {jsonReply(401, `{"status":"Failure","message":"Unauthorized"}`), ErrTokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterNoResponder(tc.answer)
			_, err := d.Get(t.Context(), "a")
			require.ErrorIs(t, err, tc.err)
			if api, ok := errors.AsType[*APIError](err); ok && api.StatusCode == 404 {
				assert.NotContains(t, err.Error(), "base URL")
			}
		})
	}
	d, mock := mockedStore(t)
	mock.RegisterNoResponder(jsonReply(200, `no such index`))
	raw, err := d.s.Do(t.Context(), DataStoreRequest{Method: "GET", Domain: DataStoreSystem, Type: "x", ID: "y"})
	require.NoError(t, err)
	assert.Equal(t, "no such index", string(raw), "Do gives what came")
	mock.RegisterNoResponder(jsonReply(200, `{"_id":"a","found":true,"_source":{"name":5}}`))
	_, err = d.Get(t.Context(), "a")
	require.ErrorContains(t, err, "does not fit")
	_, err = d.Create(t.Context(), watched{})
	require.NoError(t, err)
	mock.RegisterNoResponder(jsonReply(200, `{}`))
	_, err = d.Create(t.Context(), watched{})
	require.ErrorIs(t, err, ErrBadResponse, "an id that nobody knows")
}

func TestDataStoreRepeatsWhatDoesNoHarm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call func(*DataStore[watched]) error
		sent int
	}{
		"put":    {func(d *DataStore[watched]) error { return d.Put(t.Context(), "a", watched{}) }, 3},
		"delete": {func(d *DataStore[watched]) error { return d.Delete(t.Context(), "a") }, 3},
		"get":    {func(d *DataStore[watched]) error { _, err := d.Get(t.Context(), "a"); return err }, 3},
		"create": {func(d *DataStore[watched]) error { _, err := d.Create(t.Context(), watched{}); return err }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterNoResponder(httpmock.NewStringResponder(502, ""))
			require.ErrorIs(t, tc.call(d), ErrServer)
			assert.Equal(t, tc.sent, mock.GetTotalCallCount())
		})
	}
}

func TestDataStoreRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	signing, mock := contentClient(t)
	_, err := DataStoreOf[watched](signing, DataStoreLocal, "x")
	require.ErrorIs(t, err, errDataStoreNeedsToken)
	_, err = signing.DataStore.Do(t.Context(), DataStoreRequest{Method: "GET", Domain: DataStoreLocal, Type: "x"})
	require.ErrorIs(t, err, errDataStoreNeedsToken)
	assert.Zero(t, mock.GetTotalCallCount())

	renewing, err := NewClient(contentBase, TokenFunc(func(context.Context) (string, time.Time, error) { return "t", time.Time{}, nil }))
	require.NoError(t, err)
	_, err = DataStoreOf[watched](renewing, DataStoreSystem, "x")
	require.NoError(t, err)

	d, mock := mockedStore(t)
	_, get := d.Get(t.Context(), "")
	_, search := d.Get(t.Context(), "_search")
	_, domain := DataStoreOf[watched](renewing, "global", "x")
	_, typ := DataStoreOf[watched](renewing, DataStoreLocal, "")
	_, all := DataStoreOf[watched](renewing, DataStoreLocal, "_all")
	_, none := DataStoreOf[watched](nil, DataStoreLocal, "x")
	_, method := d.s.Do(t.Context(), DataStoreRequest{Method: "PATCH", Domain: DataStoreLocal, Type: "x"})
	for _, err := range []error{get, search, domain, typ, all, none, method, d.Put(t.Context(), "", watched{}), d.Delete(t.Context(), "_mappings")} {
		require.ErrorIs(t, err, ErrValidation)
	}
	assert.Zero(t, mock.GetTotalCallCount())
}

func FuzzReadDataAnswer(f *testing.F) {
	for _, s := range []string{`{"_id":"a","found":true,"_source":{}}`, `{"hits":{"total":{"value":1},"hits":[{"_id":1,"_source":null}]}}`, `{"error":{"type":1},"status":404}`, `no`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readDataAnswer(b, 0)
		require.NotNil(t, a)
		if err == nil {
			_, _ = recordOf[any](a)
		}
	})
}
