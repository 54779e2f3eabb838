package wire

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lenient is a text and the result of a scalar method. A nil want means an error.
type lenient struct {
	text string
	want any
}

// checkLenient runs read on each text, alone and within an object with further members.
func checkLenient(t *testing.T, read func(r *Reader) any, cases []lenient) {
	t.Helper()
	for _, c := range cases {
		r := NewReader([]byte(c.text))
		got := read(r)
		r.End()
		if c.want == nil {
			var e *Error
			require.ErrorAs(t, r.Err(), &e, c.text)
			continue
		}
		require.NoError(t, r.Err(), c.text)
		assert.Equal(t, c.want, got, c.text)

		r = NewReader([]byte(`{ "v" : ` + c.text + ` , "after" : 7 }`))
		r.Object()
		require.True(t, r.NextKey())
		assert.Equal(t, c.want, read(r), c.text)
		require.True(t, r.NextKey(), c.text)
		assert.Equal(t, 7, r.Int())
		require.False(t, r.NextKey())
		r.End()
		require.NoError(t, r.Err(), c.text)
	}
}

func TestTextTakesEveryScalar(t *testing.T) {
	t.Parallel()
	checkLenient(t, func(r *Reader) any { return r.Text() }, []lenient{
		{`"a b"`, "a b"}, {`""`, ""}, {`null`, ""}, {`12`, "12"}, {`-1.50e2`, "-1.50e2"}, {`true`, "true"}, {`false`, "false"},
		{`"\u0041\n\/"`, "A\n/"}, {`"null"`, "null"}, {"\"\xff\xffé\"", "\ufffd\ufffdé"}, {`"\ud800\ud800\udc00"`, "\ufffd\U00010000"},
		{`{}`, nil}, {`[]`, nil}, {`["a"]`, nil}, {``, nil}, {`nil`, nil}, {`tru`, nil}, {`'a'`, nil},
	})
}

func TestTextIntern(t *testing.T) {
	t.Parallel()
	checkLenient(t, func(r *Reader) any { return r.TextIntern("Example Source") }, []lenient{
		{`"Example Source"`, "Example Source"}, {`"Other"`, "Other"}, {`null`, ""}, {`""`, ""}, {`5`, "5"}, {`{}`, nil},
	})
}

// integers are cases for all methods that read a 64-bit integer.
var integers = []lenient{
	{`12`, int64(12)}, {`"12"`, int64(12)}, {`12.0`, int64(12)}, {`"12.00"`, int64(12)}, {`1.2e1`, int64(12)}, {`120e-1`, int64(12)}, {`0.12E+2`, int64(12)},
	{`-7`, int64(-7)}, {`"-7"`, int64(-7)}, {`0`, int64(0)}, {`-0`, int64(0)}, {`0.000`, int64(0)}, {`0e99999999999999999999`, int64(0)}, {`0e-99999999999999999999`, int64(0)},
	{`999999999999999999`, int64(999999999999999999)}, {`9223372036854775807`, int64(math.MaxInt64)}, {`"-9223372036854775808"`, int64(math.MinInt64)},
	{`9223372036854775807.0`, int64(math.MaxInt64)}, {`922337203685477580.7e1`, int64(math.MaxInt64)}, {`9.2e18`, int64(9200000000000000000)},
	{`10000000000000000000000e-20`, int64(100)}, {`0.00000000000000000000000001e26`, int64(1)}, {`12345678901234567`, int64(12345678901234567)},
	{`9223372036854775808`, nil}, {`-9223372036854775809`, nil}, {`18446744073709551616`, nil}, {`92233720368547758070`, nil}, {`1e19`, nil}, {`1e99999999999999999999`, nil}, {`1e18446744073709551617`, nil}, {`10e-18446744073709551617`, nil}, {`1e4294967297`, nil},
	{`12.5`, nil}, {`"12.5"`, nil}, {`1e-1`, nil}, {`1e-99999999999999999999`, nil}, {`0.1`, nil}, {`10.01`, nil},
	{`true`, nil}, {`"true"`, nil}, {`" 12"`, nil}, {`"012"`, nil}, {`"+12"`, nil}, {`"0x12"`, nil}, {`"1_2"`, nil}, {`"-"`, nil}, {`"."`, nil}, {`"1e"`, nil}, {`"1.e1"`, nil}, {`"12a"`, nil}, {`"NaN"`, nil},
	{`01`, nil}, {`{}`, nil}, {`[]`, nil}, {`[12]`, nil}, {``, nil},
}

func TestInt64TakesWholeNumbersOnly(t *testing.T) {
	t.Parallel()
	checkLenient(t, func(r *Reader) any { return r.Int64() },
		append([]lenient{{`null`, int64(0)}, {`""`, int64(0)}}, integers...))
	checkLenient(t, func(r *Reader) any { return r.Int64Ptr() }, []lenient{{`null`, (*int64)(nil)}, {`""`, (*int64)(nil)}})
	checkLenient(t, func(r *Reader) any {
		if p := r.Int64Ptr(); p != nil {
			return *p
		}
		return nil
	}, integers)
}

func TestIntAcceptsWholeNumbersThatFit(t *testing.T) {
	t.Parallel()
	cases := []lenient{{`20`, 20}, {`"20"`, 20}, {`20.0`, 20}, {`0`, 0}, {`2147483647`, math.MaxInt32}, {`-2147483648`, math.MinInt32},
		{`20.5`, nil}, {`true`, nil}, {`"x"`, nil}, {`{}`, nil}, {`9223372036854775808`, nil}}
	if strconv.IntSize == 32 {
		cases = append(cases, lenient{`2147483648`, nil})
	}
	checkLenient(t, func(r *Reader) any { return r.Int() }, append([]lenient{{`null`, 0}, {`""`, 0}}, cases...))
	checkLenient(t, func(r *Reader) any { return r.IntPtr() }, []lenient{{`null`, (*int)(nil)}, {`""`, (*int)(nil)}})
	checkLenient(t, func(r *Reader) any {
		if p := r.IntPtr(); p != nil {
			return *p
		}
		return nil
	}, cases)
}

func TestFloat64TakesEveryFiniteNumber(t *testing.T) {
	t.Parallel()
	cases := []lenient{
		{`5.0`, 5.0}, {`"5.0"`, 5.0}, {`5`, 5.0}, {`4.00`, 4.0}, {`18.33`, 18.33}, {`-2.5`, -2.5}, {`0`, 0.0}, {`0.1`, 0.1}, {`0.30000000000000004`, 0.30000000000000004},
		{`999999999999999`, 999999999999999.0}, {`9007199254740993`, 9007199254740992.0}, {`9999999999999999`, 1e16}, {`1.00000000000003`, 1.00000000000003}, {`99999999.9999999`, 99999999.9999999}, {`0.00000000000001`, 1e-14}, {`123456789012345.6`, 123456789012345.6},
		{`1e308`, 1e308}, {`5e-324`, 5e-324}, {`1e-400`, 0.0}, {`1.5E+2`, 150.0},
		{`1e400`, nil}, {`-1e400`, nil}, {`"NaN"`, nil}, {`"Infinity"`, nil}, {`"-Inf"`, nil}, {`NaN`, nil}, {`true`, nil}, {`"5,0"`, nil}, {`"5."`, nil}, {`".5"`, nil}, {`"05"`, nil}, {`"0x5"`, nil}, {`"5.0.0"`, nil}, {`" 5"`, nil}, {`"high"`, nil}, {`{}`, nil}, {`[]`, nil}, {`5.`, nil}, {``, nil},
	}
	checkLenient(t, func(r *Reader) any { return r.Float64() }, append([]lenient{{`null`, 0.0}, {`""`, 0.0}}, cases...))
	checkLenient(t, func(r *Reader) any { return r.Float64Ptr() }, []lenient{{`null`, (*float64)(nil)}, {`""`, (*float64)(nil)}})
	checkLenient(t, func(r *Reader) any {
		if p := r.Float64Ptr(); p != nil {
			return *p
		}
		return nil
	}, cases)
}

func TestBoolAcceptsWordsAndBits(t *testing.T) {
	t.Parallel()
	cases := []lenient{
		{`true`, true}, {`"true"`, true}, {`"TRUE"`, true}, {`"True"`, true}, {`1`, true}, {`"1"`, true}, {`1.0`, true},
		{`false`, false}, {`"false"`, false}, {`"FALSE"`, false}, {`0`, false}, {`"0"`, false}, {`-0`, false},
		{`2`, nil}, {`-1`, nil}, {`0.5`, nil}, {`"yes"`, nil}, {`"t"`, nil}, {`" true"`, nil}, {`"null"`, nil}, {`"trueish"`, nil}, {`"falſe"`, nil}, {`{}`, nil}, {`[true]`, nil}, {``, nil},
	}
	checkLenient(t, func(r *Reader) any { return r.Bool() }, append([]lenient{{`null`, false}, {`""`, false}}, cases...))
	checkLenient(t, func(r *Reader) any { return r.BoolPtr() }, []lenient{{`null`, (*bool)(nil)}, {`""`, (*bool)(nil)}})
	checkLenient(t, func(r *Reader) any {
		if p := r.BoolPtr(); p != nil {
			return *p
		}
		return nil
	}, cases)
}

func TestTimeTakesTextAndMilliseconds(t *testing.T) {
	t.Parallel()
	checkLenient(t, func(r *Reader) any { return r.Time() }, []lenient{
		{`"2017-07-13T17:50:17Z"`, time.Date(2017, 7, 13, 17, 50, 17, 0, time.UTC)},
		{`"2017\u002d07-13"`, time.Date(2017, 7, 13, 0, 0, 0, 0, time.UTC)},
		{`1499968217123`, time.Date(2017, 7, 13, 17, 50, 17, 123e6, time.UTC)},
		{`1.499968217e12`, time.Date(2017, 7, 13, 17, 50, 17, 0, time.UTC)},
		{`-1`, time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC)},
		{`0`, time.Unix(0, 0).UTC()}, {`253402300799999`, time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)},
		{`-62167219200000`, time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		{`null`, time.Time{}}, {`""`, time.Time{}},
		{`253402300800000`, nil}, {`-62167219200001`, nil}, {`9223372036854775807`, nil}, {`-9223372036854775808`, nil}, {`1.5`, nil}, {`1e30`, nil}, {`"1499968217123"`, nil}, {`"soon"`, nil}, {`true`, nil}, {`{}`, nil}, {`[]`, nil}, {``, nil},
	})
}

func TestStringsAcceptsListOrSingleValue(t *testing.T) {
	t.Parallel()
	checkLenient(t, func(r *Reader) any { return r.Strings() }, []lenient{
		{`["a","b"]`, []string{"a", "b"}}, {`["a"]`, []string{"a"}}, {`"a"`, []string{"a"}}, {`[1,true,"c",""]`, []string{"1", "true", "c", ""}}, {`7`, []string{"7"}},
		{`[null,"a",null]`, []string{"a"}}, {`[]`, []string(nil)}, {`null`, []string(nil)}, {`""`, []string(nil)},
		{`{}`, nil}, {`[{}]`, nil}, {`["a",["b"]]`, nil}, {`["a"`, nil}, {``, nil},
	})
}

func FuzzNumbersMatchStrconv(f *testing.F) {
	for _, c := range integers {
		f.Add(strings.Trim(c.text, `"`))
	}
	for _, s := range []string{"0.1", "123456789012345.6", "9007199254740993", "4.35", "1e23", "0.000000000000001", "1234567890.12345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		number := json.Valid([]byte(s)) && strings.Trim(s, "0123456789+-.eE") == ""
		got, ok := parseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		require.Equal(t, number && err == nil, ok, s)
		if ok {
			require.Equal(t, math.Float64bits(want), math.Float64bits(got), s)
		}
		n, whole := parseInt([]byte(s))
		if !number {
			require.False(t, whole, s)
			return
		}
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			require.True(t, whole, s)
			require.Equal(t, i, n, s)
		}
		if whole {
			require.InDelta(t, want, float64(n), 0, s)
		} else if err == nil && want == math.Trunc(want) && math.Abs(want) < 1<<53 && !strings.ContainsAny(s, ".-eE") {
			t.Fatalf("%s is whole", s)
		}
	})
}
