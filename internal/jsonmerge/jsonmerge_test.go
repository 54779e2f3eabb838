package jsonmerge

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

func last(_, more []byte) []byte { return more }

// rules contains one rule of each kind, and nested lists.
func rules() Rules {
	first := Rule{Choose: func(have, _ []byte) []byte { return have }}
	labels := Rule{List: &List{Keys: []string{"name"}, Rules: Rules{"color": first}}}
	return Rules{
		"first": first, "last": {Choose: last}, "tag": {List: new(List)},
		"note": {Others: &Others{Key: "attribute", Make: func(text []byte) []byte {
			return fmt.Appendf(nil, `{"type":"Note","value":%s}`, text)
		}}},
		"attribute": {List: &List{Keys: []string{"type", "value"}, Rules: Rules{"source": first, "label": labels}}},
		"kept":      {List: &List{Keys: []string{"id"}}},
	}
}

// mergedOf merges objects.
func mergedOf(t *testing.T, o *Object, objects ...string) string {
	t.Helper()
	o.Begin(rules())
	for _, text := range objects {
		require.NoError(t, o.Add([]byte(text)))
	}
	var w wire.Writer
	o.Write(&w)
	require.NoError(t, w.Err())
	return string(w.Buf)
}

func TestMergeRules(t *testing.T) {
	t.Parallel()
	var o Object // used again for each
	for _, c := range []struct {
		name string
		in   []string
		want string
	}{
		{name: "nothing", in: nil, want: `{}`},
		{name: "one", in: []string{`{"b":1,"a":{"x":[1,2]}}`}, want: `{"b":1,"a":{"x":[1,2]}}`},
		{name: "a key without a rule", in: []string{`{"a":1}`, `{"b":2,"a":[3]}`, `{}`}, want: `{"a":[3],"b":2}`},
		{name: "a choice", in: []string{`{"first":1,"last":1}`, `{"last":2,"first":2}`}, want: `{"first":1,"last":2}`},
		{name: "a list", in: []string{`{"tag":["a","b","a"]}`, `{"tag":["c","b"]}`}, want: `{"tag":["a","b","c"]}`},
		{name: "a key after a list", in: []string{`{"tag":["a"],"b":1}`, `{"tag":["b"],"b":2}`}, want: `{"tag":["a","b"],"b":2}`},
		{name: "members by their keys", in: []string{
			`{"attribute":[{"type":"A","value":"x"},{"type":"A","value":"y","source":"s","other":1}]}`,
			`{"attribute":[{"value":"x","type":"A","source":"t"},{"type":"A","value":"y","source":"u","other":2},{"type":"B","value":"x"}]}`,
		}, want: `{"attribute":[{"type":"A","value":"x","source":"t"},{"type":"A","value":"y","source":"s","other":2},{"type":"B","value":"x"}]}`},
		{name: "a member that changes back", in: []string{
			`{"attribute":[{"type":"A","value":"x","other":1}]}`, `{"attribute":[{"type":"A","value":"x","other":2}]}`, `{"attribute":[{"type":"A","value":"x","other":1}]}`,
		}, want: `{"attribute":[{"type":"A","value":"x","other":1}]}`},
		{name: "lists in members of lists", in: []string{
			`{"attribute":[{"type":"A","value":"x","label":[{"name":"l","color":"1"}]}]}`,
			`{"attribute":[{"type":"A","value":"x","label":[{"name":"m"},{"name":"l","color":"2"}]},{"type":"A","value":"x","label":[{"name":"m","color":"3"}]}]}`,
		}, want: `{"attribute":[{"type":"A","value":"x","label":[{"name":"l","color":"1"},{"name":"m","color":"3"}]}]}`},
		{
			name: "members without rules: the first",
			in:   []string{`{"kept":[{"id":1,"a":1}]}`, `{"kept":[{"id":1,"a":2},{"id":2}]}`},
			want: `{"kept":[{"id":1,"a":1},{"id":2}]}`,
		},
		{name: "other texts", in: []string{`{"note":"a"}`, `{"note":"b"}`, `{"note":"a"}`, `{"note":" \t"}`, `{"note":"b","attribute":[{"type":"Note","value":"b"}]}`},
			want: `{"note":"a","attribute":[{"type":"Note","value":"b"}]}`},
		{name: "another text that is a member with lists", in: []string{`{"note":"a","attribute":[{"type":"Note","value":"b","label":[{"name":"l"}]}]}`, `{"note":"b"}`},
			want: `{"note":"a","attribute":[{"type":"Note","value":"b","label":[{"name":"l"}]}]}`},
	} {
		require.Equal(t, c.want, mergedOf(t, &o, c.in...), c.name)
	}
}

func TestSetKeepsKeyOrder(t *testing.T) {
	t.Parallel()
	var o Object
	o.Begin(nil)
	require.NoError(t, o.Add([]byte(`{"a":1,"b":2}`)))
	require.True(t, o.Has("a"))
	require.False(t, o.Has("c"))
	o.Set("a", []byte("3"))
	o.Set("c", []byte("4"))
	var w wire.Writer
	o.Write(&w)
	require.Equal(t, `{"a":3,"b":2,"c":4}`, string(w.Buf))
}

func TestAddRejectsInvalidObjects(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `[]`, `{`, `{"a"}`, `{"tag":[1,]}`, `{"attribute":[1]}`, `{"attribute":[1,{"type":"A"}]}`,
		`{"attribute":[{"type":"A","value":"x","label":[1]},{"type":"A","value":"x"}]}`, `{"attribute":[{"type":"A","value":"x"},{"type":"A","value":"x","label":[1]},{"type":"A","value":"x","label":[2]}]}`,
	} {
		var o Object
		o.Begin(rules())
		require.Error(t, o.Add([]byte(text)), text)
	}
	var o Object
	o.Begin(rules())
	require.NoError(t, o.Add([]byte(`{"note":"a"}`)))
	require.Error(t, o.Add([]byte(`{"note":{}}`)))
	o.Begin(rules())
	require.NoError(t, o.Add([]byte(`{"note":"a"}`)))
	require.Error(t, o.Add([]byte(`{"attribute":[1],"note":"b"}`)), "an error before a valid text")
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	var d Distinct[int]
	for round := range 2 {
		for i := range 5 * Few {
			n, known := d.Add(i * 7)
			require.Equal(t, i, n)
			require.Equal(t, round > 0, known)
		}
	}
	require.Len(t, d.All, 5*Few)
	d.Reset()
	n, known := d.Add(7)
	require.Zero(t, n)
	require.False(t, known)
}
