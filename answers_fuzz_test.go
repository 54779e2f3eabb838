package threatconnect_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
)

// oddAnswers are answers that fit no call in particular.
var oddAnswers = []string{
	"", " ", "null", "[]", "{}", `{"data":null}`, `{"data":[]}`, `{"status":"Success"}`, `{"status":"Failure","message":"no"}`, "<html>", "\xef\xbb\xbf{}", "\xff", `{"data":{"resultCount":"x"}}`,
	`{"data":{"indicator":[{"type":"Host","summary":"a.example","dnsActive":"true"}]}}`, `{"data":{"indicator":[{"type":"File","summary":" : : ","size":1e3,"x":{}}]}}`, `{"indicator":{"type":"Registry Key","summary":"a : b"}}`,
	`{"data":{"group":[{"type":"Incident","name":"a","eventDate":"x"}]}}`, `{"data":{"group":{"type":"?","name":[]}}}`, `{"data":{"dnsResolution":{"resolutionDate":1767323045000,"addresses":{"ip":"2001:db8::1"}}}}`,
	`{"data":{"dnsResolution":[{"addresses":[[]]}]}}`, `{"data":{"attributeType":[{"validationRule":{"a":[1]},"maxLength":"500"}]}}`, `{"data":[[[[{"id":1}]]]]}`, `{"id":{},"labels":[[]]}`, `[{"id":1,"name":"p"}]`,
	`{"data":{"task":{"assignee":{"userName":["a","b"]},"escalatee":"x","owner":"y","tag":{"name":"t"}}}}`, `{"data":{"victimAsset":{"type":"URL","url":"","name":"n"}}}`, `{"value":1e400,"date":1}`,
	`{"data":{"user":{"userName":"a","userName":"b"}}}`, `{"data":{"owner":[{"id":1},{"id":1.5}]}}`, `{"status":"Success","data":{"batchStatus":{"id":"1","errorCount":-1}}}`,
}

// FuzzThreatNoAnswerPanics gives any body to every call: what comes back is a value that can be used and
// written as JSON, the same each time, or an error that says what was wrong with the answer and is
// fit to be shown. It also looks through the decoders of everything below data.
func FuzzThreatNoAnswerPanics(f *testing.F) {
	names := slices.Sorted(maps.Keys(shapeCalls))
	for i, name := range names {
		body, err := os.ReadFile("testdata/shapes/" + name + ".json")
		require.NoError(f, err)
		f.Add(uint(i), string(body))
		f.Add(uint(i), oddAnswers[i%len(oddAnswers)])
	}
	for i, body := range oddAnswers {
		f.Add(uint(i*7), body)
	}
	f.Fuzz(func(t *testing.T, which uint, body string) {
		name := names[which%uint(len(names))]
		got, err := shapeCalls[name](t.Context(), shapeClient(t, body, tc.WithRetry(tc.RetryPolicy{MaxAttempts: 1})))
		again, errAgain := shapeCalls[name](t.Context(), shapeClient(t, body, tc.WithRetry(tc.RetryPolicy{MaxAttempts: 1})))
		require.Equal(t, err == nil, errAgain == nil, name)
		if err != nil {
			_, refused := errors.AsType[*tc.APIError](err)
			require.True(t, refused || errors.Is(err, tc.ErrBadResponse) || errors.Is(err, tc.ErrNotFound), "%s: %v", name, err)
			require.Less(t, len(err.Error()), 2000, name)
			require.True(t, utf8.ValidString(err.Error()), name)
			return
		}
		require.True(t, reflect.DeepEqual(got, again), "%s: two readings differ", name)
		switch got := got.(type) {
		case json.RawMessage:
			return // what DataStore.Do returns is what came
		case []tc.DNSResolution:
			for _, d := range got {
				require.NotNil(t, d.Addresses)
			}
		}
		_, err = json.Marshal(got)
		require.NoError(t, err, name)
		leaves{}.addGo(reflect.ValueOf(got)) // calls Type and Summary on everything
	})
}
