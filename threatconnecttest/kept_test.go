package threatconnecttest

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The server returns every seeded record, or refuses it and does not change.
func TestRandomRecordsAreStoredOrRejected(t *testing.T) {
	t.Parallel()
	full := New()
	require.NoError(t, full.Seed(everything()...))
	start := full.Snapshot()
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		s.Restore(start)
		records := everything()
		r := records[rapid.IntRange(0, len(records)-1).Draw(t, "record")]
		verb := s.Update
		switch rapid.SampledFrom([]string{"update", "read and update", "seed", "delete and seed"}).Draw(t, "verb") {
		case "read and update":
			if shown := readBack(s, r); shown != nil {
				p := reflect.New(reflect.TypeOf(shown))
				p.Elem().Set(reflect.ValueOf(shown))
				r = p.Interface().(Record)
			}
		case "seed":
			verb = s.Seed
		case "delete and seed":
			if s.Delete(r) == nil {
				verb = s.Seed
				if id := reflect.ValueOf(r).Elem().FieldByName("ID"); id.Kind() == reflect.Int64 {
					id.SetInt(0)
				}
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			change(t, reflect.ValueOf(r).Elem())
		}
		wanted, before := given(r), s.Snapshot()
		if err := verb(r); err != nil {
			assert.Equal(t, wanted, given(r), "a refused record must not change")
			after := s.Snapshot()
			after.world.lastID = before.world.lastID
			c := comparison{TestingT: t, seen: map[[2]any]bool{}, set: map[string]bool{}}
			c.equal("world", reflect.ValueOf(before.world), reflect.ValueOf(after.world))
			return
		}
		require.NoError(t, s.Check())
		if _, ok := r.(*Association); !ok {
			shown := readBack(s, r)
			require.NotNil(t, shown)
			require.NoError(t, checkKept(keptOf(wanted), shown))
		}
	})
}

// keptOf returns the part of a record that the server must return unchanged: all fields except those
// that it canonicalizes or updates.
func keptOf(record any) any {
	v := reflect.New(reflect.TypeOf(record)).Elem()
	v.Set(reflect.ValueOf(record))
	for _, name := range []string{"Summary", "Fields", "Indicators", "Overdue", "Version", "LastModified"} {
		if f := v.FieldByName(name); f.IsValid() {
			f.SetZero()
		}
	}
	if f := v.FieldByName("Attributes"); f.IsValid() {
		attributes := slices.Clone(f.Interface().([]AttributeRecord))
		for n := range attributes {
			attributes[n].LastModified = time.Time{}
		}
		f.Set(reflect.ValueOf(attributes))
	}
	if r, ok := reflect.TypeAssert[MetricRecord](v); ok {
		r.Points = slices.Clone(r.Points)
		for n, p := range r.Points {
			if !p.Date.IsZero() {
				r.Points[n].Date = startOf(r.Interval, p.Date)
			}
		}
		return r
	}
	return v.Interface()
}

// change sets a field of a record, or of a part of it, to a value that may be invalid.
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
		case n > 0 && rapid.Bool().Draw(t, "twice"):
			v.Set(reflect.Append(v, v.Index(0)))
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
