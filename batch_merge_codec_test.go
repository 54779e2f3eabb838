package threatconnect

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filler gives every field of a struct a value that no other field has.
type filler struct{ n int }

func (f *filler) fill(t *testing.T, v reflect.Value) {
	t.Helper()
	f.n++
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(int64(f.n)*86_400, int64(f.n)).UTC()
		return
	case *json.RawMessage:
		*p = json.RawMessage(fmt.Sprintf(`{"n":%d}`, f.n))
		return
	case **indicatorDef:
		*p = customDef(&IndicatorTypeInfo{Name: "Wallet", Branch: "wallets", Entity: "wallet", Values: []ValueInfo{{Key: "a"}, {Label: "b"}}})
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.n) * (1 - 2*int64(f.n%2))) // of both signs
	case reflect.Float64:
		v.SetFloat(float64(f.n) / 3)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(t, v.Index(0))
		f.fill(t, v.Index(1))
	case reflect.Array:
		for i := range v.Len() {
			f.fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, key)
			f.fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			if !field.CanSet() {
				require.Equal(t, "asRead", v.Type().Field(i).Name, "a field that is not exported needs a thought")
				field = reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
			}
			f.fill(t, field)
		}
	default:
		require.Fail(t, "a kind that has no values yet", v.Kind().String())
	}
}

// leaves calls visit with the path of every field that holds a value of its own.
func leaves(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Interface().(type) {
	case time.Time, json.RawMessage:
		visit(path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				leaves(v.Field(i), path+"."+f.Name, visit)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
		if v.Kind() == reflect.Slice {
			visit(path, v)
		}
	case reflect.Pointer:
		leaves(v.Elem(), path, visit)
		visit(path, v)
	default:
		visit(path, v)
	}
}

func TestItemsSurviveTheCodecWithEveryField(t *testing.T) {
	t.Parallel()
	c := newItemCodec()
	require.Len(t, c.types, len(indicatorDefs)+len(groupDefs)+3)
	for _, make := range c.types {
		item := make()
		t.Run(strings.TrimPrefix(fmt.Sprintf("%T", item), "*threatconnect."), func(t *testing.T) {
			requireRoundTrip(t, c, item) // empty
			filled := reflect.ValueOf(item).Elem()
			new(filler).fill(t, filled)
			requireRoundTrip(t, c, item)
			var paths []string
			leaves(filled, "", func(path string, _ reflect.Value) { paths = append(paths, path) })
			require.NotEmpty(t, paths)
			for n := range paths { // without each of them
				i := 0
				leaves(filled, "", func(path string, v reflect.Value) {
					if i == n {
						was := reflect.New(v.Type()).Elem()
						was.Set(v)
						v.SetZero()
						requireRoundTrip(t, c, item)
						v.Set(was)
					}
					i++
				})
			}
		})
	}
}

func requireRoundTrip(t *testing.T, c *itemCodec, item BatchItem) {
	t.Helper()
	b := append([]byte(nil), c.encode(item)...)
	got, err := c.decode(b)
	require.NoError(t, err)
	require.Equal(t, item, got)
	require.Equal(t, b, c.encode(got))
	for _, cut := range []int{0, 1, len(b) / 2, len(b) - 1} {
		if _, err := c.decode(b[:cut]); err == nil {
			require.LessOrEqual(t, cut, 1, "a part of an item is none")
		}
	}
	_, err = c.decode(append(b, 0))
	require.ErrorIs(t, err, errCodec, "more than an item is none")
}

func TestCodecTellsEmptyFromUnsetAndKeepsMoments(t *testing.T) {
	t.Parallel()
	c := newItemCodec()
	h := &Host{HostName: "a.example"}
	h.Tags, h.GroupXIDs, h.Rating, h.Active = []Tag{}, []string{""}, new(0.0), new(false)
	h.Extra = map[string]json.RawMessage{"": nil, "a": {}, "b": json.RawMessage("1")}
	h.Additional = new(IndicatorAdditional)
	requireRoundTrip(t, c, h)
	h.FirstSeen = time.Date(2026, 3, 1, 1, 2, 3, 4, time.FixedZone("", 5*3600))
	h.LastSeen = time.Date(-290, 1, 1, 0, 0, 0, 0, time.UTC)
	h.ExternalDateAdded = time.Date(290_000, 1, 1, 0, 0, 0, 999_999_999, time.UTC)
	got, err := c.decode(c.encode(h))
	require.NoError(t, err)
	assert.True(t, h.FirstSeen.Equal(got.(*Host).FirstSeen))
	assert.Equal(t, h.LastSeen, got.(*Host).LastSeen)
	assert.Equal(t, h.ExternalDateAdded, got.(*Host).ExternalDateAdded)
}

func TestCodecKeepsThePlaceOfWhatIsNoItem(t *testing.T) {
	t.Parallel()
	type embedding struct{ *Host }
	c := newItemCodec()
	for _, item := range []BatchItem{nil, (*Host)(nil), (*Association)(nil)} {
		got, err := c.decode(c.encode(item))
		require.NoError(t, err)
		require.Nil(t, got)
	}
	got, err := c.decode(c.encode(embedding{NewHost("a.example")}))
	require.NoError(t, err)
	require.Equal(t, foreignItem{}, got)
}

func TestCodecSetsOverWhatIsThere(t *testing.T) {
	t.Parallel()
	c := newItemCodec()
	have := &Report{FileName: "old.pdf", GroupMeta: GroupMeta{Name: "old", XID: "x"}}
	require.NoError(t, c.decodeOver(have, c.encode(&Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new"}})))
	require.Equal(t, &Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new", XID: "x"}}, have)
}

func FuzzItemCodec(f *testing.F) {
	c := newItemCodec()
	for _, make := range c.types {
		item := make()
		new(filler).fill(new(testing.T), reflect.ValueOf(item).Elem())
		f.Add(append([]byte(nil), c.encode(item)...))
	}
	f.Add([]byte{codecNil})
	f.Add([]byte{codecForeign})
	f.Add([]byte("\n!\x02\x01\t000000000\x00\x02\t000000000\x00\x00")) // extra members, one of which has an empty name
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newItemCodec()
		item, err := c.decode(b)
		if err != nil {
			require.ErrorIs(t, err, errCodec)
			return
		}
		again, err := c.decode(append([]byte(nil), c.encode(item)...))
		require.NoError(t, err)
		once := append([]byte(nil), c.encode(item)...)
		require.Equal(t, once, c.encode(again))
	})
}
