package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// value reads any value to the result of encoding/json with UseNumber.
func value(r *Reader) any {
	switch r.Kind() {
	case Object:
		m := map[string]any{}
		for r.Object(); r.NextKey(); {
			k := string(r.Key())
			m[k] = value(r)
		}
		return m
	case Array:
		l := []any{}
		for r.Array(); r.NextElem(); {
			l = append(l, value(r))
		}
		return l
	case String:
		return r.Text()
	case Number:
		return json.Number(r.Text())
	case Bool:
		return r.Bool()
	default:
		r.Skip()
		return nil
	}
}

// depth returns the nesting depth of b outside strings.
func depth(b []byte) int {
	most, now, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case quoted:
		case b[i] == '{' || b[i] == '[':
			now++
			most = max(most, now)
		case b[i] == '}' || b[i] == ']':
			now--
		}
	}
	return most
}

// texts are the seeds of the fuzz tests.
var texts = []string{
	``, ` `, `null`, `true`, `fals`, `nul`, `0`, `-0`, `-`, `01`, `1.`, `1.5e`, `1e+5`, `-1.25E-3`, `1e400`, `+1`, `.5`, `NaN`,
	`""`, `"a`, `"\u00e9\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83dx"`, `"\ud83d\u0041"`, `"\x"`, `"\u12g4"`, `"\`, `"\u00`, "\"\xff\xfe\"", "\"\xe2\x82\"", "\"a\x01\"", "\"é漢\U0001f600\u2028\"",
	`"\b\f\n\r\t\/\\\""`, `"1234567"`, `"12345678"`, "\"12\x0145678\"", "\"12\x1f45678\"", "\"12\\x45678\"", `"!#[]^_` + "`{}~\"", `"1234567\n"`, "\"1234567\x7f\"", "\"12345678é1234567890\"",
	`[]`, `[ ]`, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `[1`, `{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a" : [ { } , null ] , "b" : "c" }`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:2}`, `{"a":1 "b":2}`,
	`{"a":1,"a":2}`, `{"a\u0062":1}`, "{\"\xff\":1}", `{"a":1}}`, `1 2`, "1\x00", "\t\r\n 1 \t\r\n", "\f1", "\u00a01", "\xef\xbb\xbf1", `{"status":"Success","data":{"resultCount":1,"indicator":[{"id":"1"},{"id":2}]}}`,
	strings.Repeat("[", 512) + strings.Repeat("]", 512), strings.Repeat("[", 513) + strings.Repeat("]", 513), strings.Repeat(`{"a":`, 512) + "1" + strings.Repeat("}", 512),
	strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000),
}

func FuzzReaderMatchesEncodingJSON(f *testing.F) {
	for _, s := range texts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		plain := bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		valid := json.Valid(plain) && depth(plain) <= maxDepth

		r := NewReader(b)
		r.Skip()
		r.End()
		require.Equal(t, valid, r.Err() == nil, "Skip: %v", r.Err())
		skipped := r.Err()

		r.Reset(b)
		raw := r.Raw()
		r.End()
		if valid {
			require.Equal(t, string(bytes.Trim(plain, " \t\r\n")), string(raw))
		}

		r.Reset(b)
		got := value(r)
		r.End()
		require.Equal(t, valid, r.Err() == nil, "read: %v", r.Err())
		require.Equal(t, before, b, "the input was changed")
		if !valid {
			require.Equal(t, skipped, r.Err(), "Skip and reading return different errors")
			require.Equal(t, None, r.Kind())
			require.False(t, r.NextKey())
			require.False(t, r.NextElem())
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(plain))
		d.UseNumber()
		require.NoError(t, d.Decode(&want))
		require.Equal(t, want, got)
	})
}

func TestReaderReportsDuplicateKeysInOrder(t *testing.T) {
	t.Parallel()
	r := NewReader([]byte(`{"a":1,"b":2,"a":3}`))
	var keys []string
	var values []int
	for r.Object(); r.NextKey(); {
		keys = append(keys, string(r.Key()))
		values = append(values, r.Int())
	}
	r.End()
	require.NoError(t, r.Err())
	assert.Equal(t, []string{"a", "b", "a"}, keys)
	assert.Equal(t, []int{1, 2, 3}, values)
}

func TestReaderArrayAcceptsSingleValueAndNull(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[{"n":"a"},{"n":"b"}]`: {"a", "b"},
		`{"n":"a"}`:             {"a"},
		`null`:                  nil,
		`[]`:                    nil,
		`[null]`:                {""},
	} {
		r := NewReader([]byte(`{"l":` + text + `,"after":true}`))
		var got []string
		after := false
		for r.Object(); r.NextKey(); {
			switch string(r.Key()) {
			case "l":
				for r.Array(); r.NextElem(); {
					name := ""
					for r.Object(); r.NextKey(); {
						name = r.Text()
					}
					got = append(got, name)
				}
			case "after":
				after = r.Bool()
			}
		}
		r.End()
		require.NoError(t, r.Err(), text)
		assert.Equal(t, want, got, text)
		assert.True(t, after, text)
	}
}

func TestReaderReportsMisuse(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(r *Reader){
		"a value is left unread before the next key": func(r *Reader) {
			r.Object()
			r.NextKey()
			r.NextKey()
		},
		"a value is read twice":             func(r *Reader) { r.Object(); r.NextKey(); r.Skip(); r.Skip() },
		"a value is read before the key":    func(r *Reader) { r.Object(); r.Text() },
		"a key is read in a list":           func(r *Reader) { r.Object(); r.NextKey(); r.Array(); r.NextKey() },
		"an element is read in an object":   func(r *Reader) { r.Object(); r.NextElem() },
		"an element is left unread":         func(r *Reader) { r.Object(); r.NextKey(); r.Array(); r.NextElem(); r.NextElem() },
		"a key is read before the object":   func(r *Reader) { r.NextKey() },
		"a key is read after the text":      func(r *Reader) { r.Skip(); r.NextKey() },
		"an element is read after the text": func(r *Reader) { r.Skip(); r.NextElem() },
		"End is called in the middle":       func(r *Reader) { r.Object(); r.NextKey(); r.Skip(); r.End() },
		"End is called at the start":        func(r *Reader) { r.End() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReader([]byte(`{"a":[1,2],"b":3}`))
			use(r)
			var e *Error
			require.ErrorAs(t, r.Err(), &e)
			first := r.Err()
			assert.Equal(t, None, r.Kind())
			assert.Empty(t, r.Text())
			assert.Zero(t, r.Int64())
			assert.Nil(t, r.Raw())
			assert.Nil(t, r.Strings())
			r.Object()
			r.Array()
			assert.False(t, r.NextKey())
			assert.False(t, r.NextElem())
			r.End()
			assert.Equal(t, first, r.Err(), "the first error is kept")
		})
	}
}

func TestReaderErrorsHaveOffsetAndNoContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, want string
		offset     int64
		cut        bool
	}{
		{text: `{"secret":tru}`, want: whatLiteral, offset: 13},
		{text: `{"secret":"evil`, want: whatEnd, offset: 15, cut: true},
		{text: `{"secret" "evil"}`, want: whatColon, offset: 10},
		{text: `{"secret":1`, want: whatEnd, offset: 11, cut: true},
		{text: `{"secret":1;`, want: whatObject, offset: 11},
		{text: `<html>secret`, want: whatValue},
		{text: "{\"secret\":\"\x1b\"}", want: whatControl, offset: 11},
		{text: `{"secret":1} evil`, want: whatAfter, offset: 13},
	} {
		r := NewReader([]byte(c.text))
		r.Skip()
		r.End()
		var e *Error
		require.ErrorAs(t, r.Err(), &e, c.text)
		assert.Equal(t, Error{Offset: c.offset, What: c.want}, *e, c.text)
		assert.Equal(t, c.cut, errors.Is(e, io.ErrUnexpectedEOF), c.text)
		assert.NotContains(t, e.Error(), "secret")
		assert.NotContains(t, e.Error(), "evil")
	}
	r := NewReader([]byte(` 7`))
	r.Int()
	r.Fail("want a smaller number")
	r.Fail("not this")
	assert.EqualError(t, r.Err(), "JSON at byte 2: want a smaller number")
}

func TestReaderStringsAreCopies(t *testing.T) {
	t.Parallel()
	b := []byte(`["abc",["def"],"ghi","j\nl"]`)
	r := NewReader(b)
	r.Array()
	r.NextElem()
	text := r.Text()
	r.NextElem()
	list := r.Strings()
	r.NextElem()
	same := r.TextIntern("ghi")
	r.NextElem()
	decoded := r.Text()
	require.False(t, r.NextElem())
	for i := range b {
		b[i] = 'x'
	}
	assert.Equal(t, []string{"abc", "def", "ghi", "j\nl"}, []string{text, list[0], same, decoded})
}

func TestReaderAllocatesOnceForAText(t *testing.T) {
	var r Reader
	b := []byte(`"threatconnect"`)
	prev := "threatconnect"
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		r.Reset(b)
		prev = r.TextIntern(prev)
	}))
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		r.Reset(b)
		prev = r.Text()
	}), 1.0)
}

func TestReaderLimit(t *testing.T) {
	t.Parallel()
	texts := []byte("[" + strings.Repeat(`"",`, 99) + `""]`)
	var r Reader
	r.Limit(99 * 36)
	for range 2 { // Reset keeps the limit
		r.Reset(texts)
		assert.Nil(t, r.Strings())
		require.ErrorIs(t, r.Err(), ErrTooLarge)
	}
	r.Limit(100 * 36)
	for range 2 { // and clears the spent memory
		r.Reset(texts)
		assert.Len(t, r.Strings(), 100)
		r.End()
		require.NoError(t, r.Err())
	}
	r.Reset(texts)
	r.Spend(1)
	r.Skip()
	require.NoError(t, r.Err(), "skipped values need no memory")
	r.Limit(0)
	r.Spend(DefaultLimit)
	require.NoError(t, r.Err())
	r.Spend(1)
	require.ErrorIs(t, r.Err(), ErrTooLarge)
}

func TestReaderChargesTextsAndCopies(t *testing.T) {
	t.Parallel()
	for text, size := range map[string]int64{
		`"` + strings.Repeat("x", 1000) + `"`:      1000,
		`"\n` + strings.Repeat("x", 999) + `"`:     1001 + 1000, // counted again while it is decoded
		`"` + strings.Repeat("\xff", 1000) + `"`:   3000 + 3000,
		`"` + strings.Repeat(`\u0041`, 1000) + `"`: 6000 + 1000,
	} {
		for _, enough := range []bool{true, false} {
			payer := NewReader(nil)
			r := NewReader([]byte(text))
			if payer.Limit(size); !enough {
				payer.Limit(size - 1)
			}
			r.Charge(payer)
			r.Text()
			assert.Equal(t, enough, r.Err() == nil)
			assert.Equal(t, enough, payer.Err() == nil)
		}
	}
	r := NewReader([]byte(`[{"a":1}]`))
	r.Limit(8)
	assert.Nil(t, r.RawCopy())
	require.ErrorIs(t, r.Err(), ErrTooLarge)
}

func TestReaderResetClearsError(t *testing.T) {
	t.Parallel()
	var r Reader
	assert.Equal(t, None, r.Kind())
	r.Skip()
	require.Error(t, r.Err())
	r.Reset([]byte("\xef\xbb\xbf{}"))
	assert.Equal(t, Object, r.Kind())
	r.Skip()
	r.End()
	require.NoError(t, r.Err())
	r.Reset(nil)
	assert.Equal(t, None, r.Kind())
	r.End()
	require.NoError(t, r.Err(), "nothing is left of an empty text")
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	r := NewReader([]byte(`{"object":{},"array":[],"string":"","number":-1,"boolean":true,"null":null}`))
	n := 0
	for r.Object(); r.NextKey(); n++ {
		assert.Equal(t, string(r.Key()), r.Kind().String())
		r.Skip()
	}
	require.NoError(t, r.Err())
	assert.Equal(t, 6, n)
	assert.Equal(t, "none", r.Kind().String())
}

func TestReaderLimitsDepth(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxDepth, maxDepth + 1, 100_000} {
		r := NewReader([]byte(strings.Repeat("[", n) + strings.Repeat("]", n)))
		for range n {
			r.Array()
			if !r.NextElem() {
				break
			}
		}
		if n <= maxDepth {
			require.NoError(t, r.Err())
			continue
		}
		require.Equal(t, &Error{Offset: maxDepth, What: whatDepth}, r.Err())
	}
}
