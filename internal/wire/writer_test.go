package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriterCommas(t *testing.T) {
	t.Parallel()
	var w Writer
	w.BeginObject()
	w.Key("group")
	w.BeginArray()
	w.EndArray()
	w.Key("indicator")
	w.BeginArray()
	w.BeginObject()
	w.EndObject()
	w.BeginObject()
	w.Key("summary")
	w.Text("evil.example:,[{")
	w.Key("rating")
	w.Float64(4)
	w.Key("confidence")
	w.Int64(-20)
	w.Key("active")
	w.Bool(true)
	w.Key("dnsActive")
	w.BoolText(false)
	w.Key("whoisActive")
	w.BoolText(true)
	w.Key("dateAdded")
	w.Time(time.Date(2017, 7, 13, 17, 50, 17, 999, time.FixedZone("", -5*3600)))
	w.Key("raw")
	w.Raw([]byte(`[1]`))
	w.Key("")
	w.Null()
	w.EndObject()
	w.BeginArray()
	w.Text("")
	w.Int64(1)
	w.Null()
	w.BeginArray()
	w.EndArray()
	w.EndArray()
	w.EndArray()
	w.EndObject()
	require.NoError(t, w.Err())
	assert.Equal(t, `{"group":[],"indicator":[{},{"summary":"evil.example:,[{","rating":4,"confidence":-20,"active":true,`+
		`"dnsActive":"false","whoisActive":"true","dateAdded":"2017-07-13T22:50:17Z","raw":[1],"":null},["",1,null,[]]]}`, string(w.Buf))
}

func TestWriterAfterTruncation(t *testing.T) {
	t.Parallel()
	w := Writer{Buf: []byte(`{"indicator":[`)}
	w.Int64(1)
	mark := len(w.Buf)
	w.Text("too long")
	w.Buf = w.Buf[:mark]
	w.Int64(2)
	w.EndArray()
	w.EndObject()
	assert.Equal(t, `{"indicator":[1,2]}`, string(w.Buf))
	w.Reset()
	w.Null()
	assert.Equal(t, `null`, string(w.Buf))
}

func TestWriterRejectsInvalidValues(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(w *Writer){
		"text that is not UTF-8":       func(w *Writer) { w.Text("secret\xff") },
		"text that ends inside a rune": func(w *Writer) { w.Text("secret\xe2\x82") },
		"a surrogate in UTF-8":         func(w *Writer) { w.Text("secret\xed\xa0\x80") },
		"a key that is not UTF-8":      func(w *Writer) { w.Key("secret\x80") },
		"NaN":                          func(w *Writer) { w.Float64(math.NaN()) },
		"infinity":                     func(w *Writer) { w.Float64(math.Inf(-1)) },
		"a year above 9999":            func(w *Writer) { w.Time(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"a year above 9999 in UTC":     func(w *Writer) { w.Time(time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))) },
		"a year below 0":               func(w *Writer) { w.Time(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"nothing as a raw value":       func(w *Writer) { w.Raw(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w Writer
			w.BeginArray()
			write(&w)
			var e *Error
			require.ErrorAs(t, w.Err(), &e)
			assert.NotContains(t, e.Error(), "secret")
			first := w.Err()
			w.Text("\xff")
			w.Float64(math.NaN())
			assert.Same(t, first, w.Err(), "the first error is kept")
			w.Reset()
			require.NoError(t, w.Err())
		})
	}
}

func TestWriterEscapesOnlyRequiredCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<a href='x'>&é漢\U0001f600\x7f\ufffd/": "\"<a href='x'>&é漢\U0001f600\x7f\ufffd/\"",
		"\"\\\n\r\t\b\x00\x1f":                 `"\"\\\n\r\t\u0008\u0000\u001f"`,
		"a\u2028b\u2029c\u2027d":               "\"a\\u2028b\\u2029c\u2027d\"",
		"":                                     `""`,
	} {
		var w Writer
		w.Text(text)
		require.NoError(t, w.Err())
		assert.Equal(t, want, string(w.Buf))
	}
}

func TestWriterWritesShortestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{5: "5", 4.5: "4.5", 18.33: "18.33", 0.1: "0.1", 1e21: "1000000000000000000000", 1e-7: "0.0000001", -2.5: "-2.5"} {
		var w Writer
		w.Float64(v)
		assert.Equal(t, want, string(w.Buf))
	}
	for v, want := range map[int64]string{0: "0", math.MinInt64: "-9223372036854775808", math.MaxInt64: "9223372036854775807"} {
		var w Writer
		w.Int64(v)
		assert.Equal(t, want, string(w.Buf))
	}
}

func FuzzWriterReaderRoundTrip(f *testing.F) {
	f.Add("summary", "evil.example", int64(12), 4.5, true, int64(1499968217))
	f.Add("", "\"\\\b\f\n\u2028\u2029é\U0001f600\x00", int64(math.MinInt64), -0.1, false, int64(-62167219200))
	f.Add("\xff", "\xed\xa0\x80", int64(math.MaxInt64), math.Inf(1), false, int64(253402300800))
	f.Add("k", "12345678\u2029", int64(-1), 5e-324, false, int64(253402300799))
	f.Fuzz(func(t *testing.T, key, text string, n int64, x float64, ok bool, unix int64) {
		at := time.Unix(unix, 0).UTC()
		var w Writer
		w.BeginObject()
		w.Key(key)
		w.BeginArray()
		w.Text(text)
		w.Int64(n)
		w.Float64(x)
		w.Bool(ok)
		w.BoolText(ok)
		w.Time(at)
		w.EndArray()
		w.EndObject()
		writable := utf8.ValidString(key) && utf8.ValidString(text) && !math.IsNaN(x) && !math.IsInf(x, 0) && at.Year() >= 0 && at.Year() <= 9999
		require.Equal(t, writable, w.Err() == nil, "%v", w.Err())
		if !writable {
			return
		}
		require.False(t, bytes.ContainsAny(w.Buf, "\u2028\u2029"))

		var got map[string][]json.RawMessage
		require.NoError(t, json.Unmarshal(w.Buf, &got))
		require.Len(t, got[key], 6)
		var s string
		require.NoError(t, json.Unmarshal(got[key][0], &s))
		require.Equal(t, text, s)

		r := NewReader(w.Buf)
		r.Object()
		require.True(t, r.NextKey())
		require.Equal(t, key, string(r.Key()))
		r.Array()
		require.True(t, r.NextElem())
		require.Equal(t, text, r.Text())
		require.True(t, r.NextElem())
		require.Equal(t, n, r.Int64())
		require.True(t, r.NextElem())
		require.Equal(t, math.Float64bits(x), math.Float64bits(r.Float64()))
		require.True(t, r.NextElem())
		require.Equal(t, ok, r.Bool())
		require.True(t, r.NextElem())
		require.Equal(t, ok, r.Bool())
		require.True(t, r.NextElem())
		require.Equal(t, at, r.Time())
		require.False(t, r.NextElem())
		require.False(t, r.NextKey())
		r.End()
		require.NoError(t, r.Err())
	})
}
