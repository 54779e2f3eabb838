package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drain returns the elements of e.
func drain(e *Elements) []string {
	list := []string{}
	for e.Next() {
		list = append(list, string(e.Bytes()))
	}
	return list
}

// readers return a text in pieces of different sizes, with EOF in the last piece or after it.
var readers = map[string]func(string) io.Reader{
	"whole":              func(s string) io.Reader { return strings.NewReader(s) },
	"byte by byte":       func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
	"by halves":          func(s string) io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
	"end with last byte": func(s string) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(s))) },
}

func TestElementsFindsTheList(t *testing.T) {
	t.Parallel()
	keys := []string{"indicator", "indicatorType"}
	for _, c := range []struct {
		name, text string
		want       []string
		found      bool
	}{
		{name: "at the top", text: `{"indicator":[{"id":1}, {"id":2}]}`, want: []string{`{"id":1}`, `{"id":2}`}, found: true},
		{
			name:  "in data",
			text:  `{"status":"Success","data":{"resultCount":2,"indicator":[1,"a",null,[]]}}`,
			want:  []string{`1`, `"a"`, `null`, `[]`},
			found: true,
		},
		{name: "under the second key", text: `{"data":{"indicatorType":[{}]}}`, want: []string{`{}`}, found: true},
		{name: "under an escaped key", text: `{"d\u0061ta":{"indicat\u006fr":[1]}}`, want: []string{`1`}, found: true},
		{name: "as the text itself", text: ` [ 1 , 23 ] `, want: []string{`1`, `23`}, found: true},
		{name: "an object instead of a list", text: `{"data":{"indicator":{"id":[1]},"x":1}}`, want: []string{`{"id":[1]}`}, found: true},
		{name: "null instead of a list", text: `{"data":{"indicator":null}}`, want: []string{}, found: true},
		{name: "empty", text: `{"data":{"indicator":[ ]}}`, want: []string{}, found: true},
		{name: "absent", text: `{"status":"Success","data":{"resultCount":0}}`, want: []string{}},
		{name: "no data", text: `{"status":"Success"}`, want: []string{}},
		{name: "data is null", text: `{"data":null}`, want: []string{}},
		{name: "data is a list", text: `{"data":[1]}`, want: []string{}},
		{name: "null", text: `null`, want: []string{}},
		{
			name:  "only the first list counts",
			text:  `{"indicator":[1],"data":{"indicator":[2]},"indicatorType":[3]}`,
			want:  []string{`1`},
			found: true,
		},
		{name: "a scalar is not a list", text: `{"indicator":"x","data":{"indicator":[2]}}`, want: []string{`2`}, found: true},
		{name: "not below data", text: `{"data":{"data":{"indicator":[1]},"x":{"indicator":[2]}},"y":[{"indicator":[3]}]}`, want: []string{}},
		{name: "after a byte order mark", text: "\xef\xbb\xbf[1]", want: []string{`1`}, found: true},
		{
			name:  "among much else",
			text:  `{"a":[[],{},[1,{"b":[null,true]}]],"indicator":[1],"c":{"d":{"e":{}}},"f":"g"}`,
			want:  []string{`1`},
			found: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for name, read := range readers {
				e := NewElements(read(c.text), keys, 0)
				assert.Equal(t, c.want, drain(e), name)
				require.NoError(t, e.Err(), name)
				assert.Equal(t, c.found, e.Found(), name)
				assert.False(t, e.Next(), "Next after the end")
				assert.Nil(t, e.Bytes())
			}
		})
	}
	e := NewElements(strings.NewReader(`{"data":[1,2]}`), []string{"data"}, 0)
	assert.Equal(t, []string{"1", "2"}, drain(e), "a list under the key data")
	e = NewElements(strings.NewReader(`[1,2]`), nil, 0)
	assert.Equal(t, []string{"1", "2"}, drain(e), "a bare list without keys")
	require.NoError(t, e.Err())
}

func TestElementsKeepsStatusAndMessage(t *testing.T) {
	t.Parallel()
	e := NewElements(strings.NewReader(`{"status":"Fail\u0075re","message":404,"data":{"status":"x","a":[1]}}`), []string{"a"}, 0)
	require.True(t, e.Next())
	assert.Equal(t, "Failure", e.Status())
	assert.Equal(t, "404", e.Message())
	require.False(t, e.Next())
	assert.Equal(t, "Failure", e.Status())

	e = NewElements(strings.NewReader(`{"status":["x"],"message":{"y":1}}`), nil, 0)
	assert.Empty(t, drain(e))
	require.NoError(t, e.Err())
	assert.Empty(t, e.Status()+e.Message())
}

func TestElementsValidatesWholeText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, what string
		offset     int64
		elements   int
	}{
		{text: ``, what: whatEnd},
		{text: `  `, what: whatEnd, offset: 2},
		{text: `{`, what: whatEnd, offset: 1},
		{text: `{"a":[1,2`, what: whatEnd, offset: 9, elements: 1},
		{text: `{"a":[1,2]`, what: whatEnd, offset: 10, elements: 2},
		{text: `{"a":[1,{"b":"secr`, what: whatEnd, offset: 18, elements: 1},
		{text: `{"a":[1,2]} x`, what: whatAfter, offset: 12, elements: 2},
		{text: `[1]]`, what: whatAfter, offset: 3, elements: 1},
		{text: `null null`, what: whatAfter, offset: 5},
		{text: `{"a":[1,]}`, what: whatValue, offset: 8, elements: 1},
		{text: `{"a":[1 2]}`, what: whatArray, offset: 8, elements: 1},
		{text: `{"a":[1],}`, what: whatKey, offset: 9, elements: 1},
		{text: `{"a":[1] "b":2}`, what: whatObject, offset: 9, elements: 1},
		{text: `{"a":[1],"b" 2}`, what: whatColon, offset: 13, elements: 1},
		{text: `{"a":[1],"b":[}`, what: whatValue, offset: 14, elements: 1},
		{text: `{"a":[1],"b":{"c":tru}}`, what: whatLiteral, offset: 21, elements: 1},
		{text: `{"a":[1],"b":{1:2}}`, what: whatKey, offset: 14, elements: 1},
		{text: `{"a":[1,[{"x":01}]]}`, what: whatObject, offset: 15, elements: 1},
		{text: "{\"a\":[1,\x00]}", what: whatValue, offset: 8, elements: 1},
		{text: "[1,2\x00]", what: whatArray, offset: 4, elements: 2},
		{text: "{\"b\":[1\x00]}", what: whatArray, offset: 7},
		{text: `<html>`, what: "want an object or a list"},
		{text: `"text"`, what: "want an object or a list"},
		{text: `nul`, what: whatEnd, offset: 3},
		{text: `{"b":` + strings.Repeat("[", 100_000), what: whatDepth, offset: 516},
		{text: `{"a":` + strings.Repeat("[", 100_000), what: whatDepth, offset: 516},
		{text: strings.Repeat("[", 100_000), what: whatDepth, offset: 512},
	} {
		for name, read := range readers {
			e := NewElements(read(c.text), []string{"a"}, 0)
			got := drain(e)
			shown := c.text[:min(len(c.text), 20)] + " " + name
			require.Equal(t, &Error{Offset: c.offset, What: c.what}, e.Err(), shown)
			assert.Len(t, got, c.elements, shown)
			assert.Nil(t, e.Bytes(), shown)
			assert.False(t, e.Next())
			assert.Equal(t, c.what == whatEnd, errors.Is(e.Err(), io.ErrUnexpectedEOF))
		}
	}
}

func TestElementsLimitsElementSizeOnly(t *testing.T) {
	t.Parallel()
	for _, size := range []int{7, 10, 15, 1000, 100_000} {
		fits := `"` + strings.Repeat("x", size-2) + `"`
		digits := strings.Repeat("7", size)
		for name, read := range readers {
			e := NewElements(read(`{"other":[`+strings.Repeat(`1,`, size)+`2],"a":[`+fits+`,`+digits+`,1]}`), []string{"a"}, size)
			assert.Equal(t, []string{fits, digits, "1"}, drain(e), name)
			require.NoError(t, e.Err(), name)
			for _, long := range []string{`"x` + fits[1:], digits + "7", `[` + fits} {
				e = NewElements(read(`[`+fits+`,`+long+`,1]`), nil, size)
				assert.Equal(t, []string{fits}, drain(e), name)
				assert.Equal(t, &Error{Offset: int64(size + 2), What: whatLarge}, e.Err(), name)
			}
		}
	}
}

// A scan of the whole element for every new byte would take minutes.
func TestElementsDoesNotRescanElement(t *testing.T) {
	t.Parallel()
	element := `["` + strings.Repeat("x", 1<<21) + `"]`
	e := NewElements(iotest.OneByteReader(strings.NewReader(`[`+element+`]`)), nil, 0)
	require.True(t, e.Next())
	assert.Len(t, e.Bytes(), len(element))
	assert.False(t, e.Next())
	require.NoError(t, e.Err())
}

// endless reads as its element, repeated left times.
type endless struct {
	element string
	left    int
	at      int
}

func (r *endless) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && r.left > 0 {
		k := copy(p[n:], r.element[r.at:])
		n += k
		if r.at += k; r.at == len(r.element) {
			r.at = 0
			r.left--
		}
	}
	return n, nil
}

func TestElementsBufferStaysSmall(t *testing.T) {
	t.Parallel()
	const n = 200_000
	element := `{"summary":"evil.example","ownerName":"Example Source"},` + "\n"
	src := io.MultiReader(strings.NewReader(`{"indicator":[`), &endless{element: element, left: n}, strings.NewReader(`{}]}`))
	e := NewElements(src, []string{"indicator"}, 0)
	count := 0
	for e.Next() {
		count++
	}
	require.NoError(t, e.Err())
	assert.Equal(t, n+1, count)
	assert.Equal(t, elementsChunk, cap(e.buf))
}

func TestElementsReturnsReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	e := NewElements(io.MultiReader(strings.NewReader(`[1,2,`), iotest.ErrReader(broken)), nil, 0)
	assert.Equal(t, []string{"1", "2"}, drain(e))
	require.ErrorIs(t, e.Err(), broken)

	e = NewElements(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(`[1,2]`))), nil, 0)
	assert.Empty(t, drain(e))
	require.ErrorIs(t, e.Err(), iotest.ErrTimeout)

	e = NewElements(iotest.ErrReader(broken), nil, 0)
	assert.False(t, e.Next())
	require.ErrorIs(t, e.Err(), broken)

	e = NewElements(readNothing{}, nil, 0)
	assert.False(t, e.Next())
	require.ErrorIs(t, e.Err(), io.ErrNoProgress)

	e = NewElements(io.MultiReader(strings.NewReader(`["a long element`),
		iotest.DataErrReader(io.MultiReader(strings.NewReader(`",2,`), iotest.ErrReader(broken)))), nil, 0)
	assert.Equal(t, []string{`"a long element"`, "2"}, drain(e), "bytes returned with the error")
	require.ErrorIs(t, e.Err(), broken)

	e = NewElements(io.MultiReader(strings.NewReader(`[1] `), iotest.ErrReader(broken)), nil, 0)
	assert.Equal(t, []string{"1"}, drain(e))
	require.ErrorIs(t, e.Err(), broken, "an error after the text")
}

type readNothing struct{}

func (readNothing) Read([]byte) (int, error) { return 0, nil }

// pieces returns a text in pieces whose sizes repeat.
type pieces struct {
	text  []byte
	sizes []byte
	n     int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	size := len(r.text)
	if len(r.sizes) > 0 {
		size = int(r.sizes[r.n%len(r.sizes)])%97 + 1
		r.n++
	}
	n := copy(p, r.text[:min(size, len(r.text))])
	r.text = r.text[n:]
	return n, nil
}

// elementsOf reads the whole text with a Reader. It returns the elements and the error that Elements
// must return.
func elementsOf(b []byte, keys []string) (list []string, err error) {
	list = []string{}
	r := NewReader(b)
	found := false
	take := func() {
		found = true
		if k := r.Kind(); k == Null {
			r.Skip()
			return
		}
		for r.Array(); r.NextElem(); {
			number := r.Kind() == Number
			if raw := r.Raw(); raw != nil && !(number && r.i == len(b)) {
				list = append(list, string(raw))
			}
		}
	}
	var object func(level int)
	object = func(level int) {
		for r.Object(); r.NextKey(); {
			key := string(r.Key())
			wanted := !found && slices.Contains(keys, key)
			switch k := r.Kind(); {
			case wanted && k == Array, wanted && k == Null, wanted && k == Object && !(level == 1 && key == "data"):
				take()
			case level == 1 && key == "data" && k == Object:
				object(2)
			default:
				r.Skip()
			}
		}
	}
	switch r.Kind() {
	case Object:
		object(1)
	case Array:
		take()
	case Null:
		r.Skip()
	default:
		if r.i == len(b) {
			r.Skip()
		}
		r.Fail("want an object or a list")
	}
	r.End()
	return list, r.Err()
}

func FuzzElementsMatchesReader(f *testing.F) {
	for i, s := range texts {
		f.Add([]byte(s), []byte{byte(i), 3, 1}, "indicator")
	}
	f.Add([]byte(`{"indicator":[{"a":[1,2,{"b":"c"}]},-1.5e3,"x\\\""],"z":[[{}]]}`), []byte{1}, "indicator")
	f.Add([]byte(`{"data":{"data":[1]},"x":null}`), []byte{}, "data")
	f.Add([]byte(`{"a":{"b":[1,{}]},"":[1]}`), []byte{7, 2}, "")
	f.Fuzz(func(t *testing.T, b, sizes []byte, key string) {
		want, wantErr := elementsOf(b, []string{key})
		e := NewElements(&pieces{text: bytes.Clone(b), sizes: sizes}, []string{key}, 0)
		got := drain(e)
		require.Equal(t, wantErr == nil, e.Err() == nil, "Reader %v, Elements %v", wantErr, e.Err())
		require.Equal(t, wantErr, e.Err())
		require.Equal(t, want, got)

		one := NewElements(iotest.OneByteReader(bytes.NewReader(b)), []string{key}, 0)
		require.Equal(t, want, drain(one))
		require.Equal(t, wantErr, one.Err())

		const most = 8
		small := NewElements(&pieces{text: bytes.Clone(b), sizes: sizes}, []string{key}, most)
		for i, s := range drain(small) {
			require.Equal(t, want[i], s, strconv.Itoa(i))
			require.LessOrEqual(t, len(s), most)
		}
		if wantErr != nil {
			require.Error(t, small.Err())
		}
	})
}
