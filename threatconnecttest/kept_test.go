package threatconnecttest

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever a record says, the server shows it afterwards, or refuses it and is as before.
func TestRecordsAreKeptOrRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		require.NoError(t, s.Seed(everything()...))
		records := everything()
		r := records[rapid.IntRange(0, len(records)-1).Draw(t, "record")]
		verb := s.Update
		if rapid.Bool().Draw(t, "again") && s.Delete(r) == nil {
			verb = s.Seed
			if id := reflect.ValueOf(r).Elem().FieldByName("ID"); id.Kind() == reflect.Int64 {
				id.SetInt(0)
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			change(t, reflect.ValueOf(r).Elem())
		}
		wanted, before := given(r), s.Data()
		err := verb(r)
		require.NoError(t, s.Check())
		if err != nil {
			assert.Equal(t, before, s.Data(), err)
			return
		}
		if shown := readBack(s, r); shown != nil {
			w := reflect.ValueOf(&wanted).Elem().Elem()
			kept := reflect.New(w.Type()).Elem()
			kept.Set(w)
			for _, name := range []string{"Summary", "Fields", "Indicators", "Overdue", "Version", "LastModified"} { // canonical, or moved by the server
				if f := kept.FieldByName(name); f.IsValid() {
					f.SetZero()
				}
			}
			require.NoError(t, checkKept(kept.Interface(), shown))
		}
	})
}

// change sets a field of a record, or of a part of it, to something that may be wrong.
func change(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == timeType {
			times := []time.Time{{}, time.Unix(0, 0), seedDay.Add(1500 * time.Millisecond), time.Date(9999, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))}
			v.Set(reflect.ValueOf(rapid.SampledFrom(times).Draw(t, "time")))
			return
		}
		n := rapid.IntRange(0, v.NumField()-1).Draw(t, "field")
		if name := v.Type().Field(n).Name; name != "ID" && v.Type().Field(n).IsExported() {
			change(t, v.Field(n))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "nil") {
			v.SetZero()
			return
		}
		p := reflect.New(v.Type().Elem())
		change(t, p.Elem())
		v.Set(p)
	case reflect.Slice:
		switch n := v.Len(); {
		case v.Type().Elem().Kind() == reflect.Uint8:
			v.SetBytes([]byte(rapid.SampledFrom([]string{"", "{}", `{"a":2}`, "\xff"}).Draw(t, "bytes")))
		case n > 0 && rapid.Bool().Draw(t, "inside"):
			change(t, v.Index(rapid.IntRange(0, n-1).Draw(t, "at")))
		case n > 0 && rapid.Bool().Draw(t, "shorter"):
			v.Set(v.Slice(0, n-1))
		default:
			e := reflect.New(v.Type().Elem()).Elem()
			change(t, e)
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		key := rapid.SampledFrom([]string{"city", "asn", "status", "eventDate", "firstSeen", "x"}).Draw(t, "key")
		v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(rapid.SampledFrom([]string{"", "1", "Open", "2026-01-02"}).Draw(t, "value")))
	case reflect.String:
		texts := []string{"", "x", " ", "\xff", "www.example.com", "192.0.2.9", "Host", "Incident", "x1", "x2", "Phishing", "TLP:RED", "Own", "Description",
			"ana", "Example Source", "Sum", "Daily", "00ff00", "Host: www.example.com", "Ünïcode", strings.Repeat("A", 32), strings.Repeat("x", 200)}
		v.SetString(rapid.SampledFrom(texts).Draw(t, "text"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.SampledFrom([]int64{-1, 0, 1, 5, 100, 101, 5020, 5021, 1 << 30}).Draw(t, "number"))
	case reflect.Float64:
		v.SetFloat(rapid.SampledFrom([]float64{-1, 0, 0.25, 0.255, 5, 5.01, 100, math.NaN(), math.Inf(1)}).Draw(t, "score"))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	}
}
