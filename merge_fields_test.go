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

// oneOfEachType returns an empty item of each type that can be written to a file.
func oneOfEachType() []BatchItem {
	items := []BatchItem{new(CustomIndicator), new(UnknownGroup), new(Association)}
	for i := range indicatorDefs {
		items = append(items, indicatorDefs[i].new())
	}
	for i := range groupDefs {
		items = append(items, groupDefs[i].new())
	}
	return items
}

func TestEveryFieldSurvivesAMerge(t *testing.T) {
	t.Parallel()
	for _, item := range oneOfEachType() {
		t.Run(strings.TrimPrefix(fmt.Sprintf("%T", item), "*threatconnect."), func(t *testing.T) {
			t.Parallel()
			requireSurvives(t, item) // empty
			filled := reflect.ValueOf(item).Elem()
			new(filler).fill(t, filled)
			requireSurvives(t, item)
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
						requireSurvives(t, item)
						v.Set(was)
					}
					i++
				})
			}
		})
	}
}

// requireSurvives merges an item with nothing else.
func requireSurvives(t *testing.T, item BatchItem) {
	t.Helper()
	n := 0
	for got, err := range MergeItems(t.Context(), sequence([]BatchItem{item}, nil), &MergeOptions{MaxBytes: mergeBytes}) {
		require.NoError(t, err)
		require.Equal(t, item, got)
		n++
	}
	require.Equal(t, 1, n)
}

func TestAMergeTellsEmptyFromUnsetAndKeepsMoments(t *testing.T) {
	t.Parallel()
	h := &Host{HostName: "not a host, so that nothing is merged"}
	h.Tags, h.GroupXIDs, h.Rating, h.Active = []Tag{}, []string{""}, new(0.0), new(false)
	h.Extra = map[string]json.RawMessage{"": nil, "a": {}, "b": json.RawMessage("1")}
	h.Additional = new(IndicatorAdditional)
	requireSurvives(t, h)
	h.FirstSeen = time.Date(2026, 3, 1, 1, 2, 3, 4, time.FixedZone("", 5*3600))
	h.LastSeen = time.Date(-290, 1, 1, 0, 0, 0, 0, time.UTC)
	h.ExternalDateAdded = time.Date(290_000, 1, 1, 0, 0, 0, 999_999_999, time.UTC)
	all, _, _ := mergedOf(t, MergeOptions{}, h)
	got := all[0].(*Host)
	assert.True(t, h.FirstSeen.Equal(got.FirstSeen))
	assert.Equal(t, h.LastSeen, got.LastSeen)
	assert.Equal(t, h.ExternalDateAdded, got.ExternalDateAdded)
}

func TestAMergeKeepsFieldsThatTheLastItemLeavesOut(t *testing.T) {
	t.Parallel()
	got, _, _ := mergedOf(t, MergeOptions{},
		&Report{FileName: "old.pdf", GroupMeta: GroupMeta{Name: "old", XID: "x"}, Status: "s"},
		&Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new", XID: "x"}})
	require.Equal(t, []BatchItem{&Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new", XID: "x"}, Status: "s"}}, got)
}
