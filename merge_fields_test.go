package threatconnect

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/merge"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// filler fills every field of a struct, with a different value if the type allows.
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
				require.Equal(t, "asRead", v.Type().Field(i).Name, "filler does not know this unexported field")
				field = reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
			}
			f.fill(t, field)
		}
	default:
		require.Fail(t, "filler does not know this kind", v.Kind().String())
	}
}

// leaves calls visit with the path of each field that can be cleared.
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

// keepRules replaces the values of a filled item that the rules of batch files forbid.
func keepRules(in BatchItem) {
	labels := func(all []SecurityLabel) {
		for i := range all {
			all[i].Color = fmt.Sprintf("00ff%02d", i)
		}
	}
	attributes := func(all []Attribute) {
		all[0].Type = "Description" // has more fields than others
		for i := range all {
			labels(all[i].SecurityLabels)
		}
	}
	switch in := in.(type) {
	case Indicator:
		if v, ok := map[IndicatorType][3]string{
			TypeAddress: {"192.0.2.1"}, TypeEmailAddress: {"a@b.example"}, TypeHost: {"a.example"}, TypeURL: {"https://a.example/x"},
			TypeFile: {strings.Repeat("1", 32), strings.Repeat("2", 40), strings.Repeat("3", 64)}, TypeASN: {"ASN64496"}, TypeCIDR: {"192.0.2.0/24"},
			TypeRegistryKey: {`HKEY_LOCAL_MACHINE\a`, "v", "REG_SZ"},
		}[in.Type()]; ok {
			in.setValues(v)
		}
		m := in.Meta()
		m.Rating, m.Confidence, m.Associated = new(2.5), new(50), nil
		switch in.Type() {
		case TypeAddress, TypeEmailAddress, TypeFile, TypeHost, TypeURL:
		default:
			m.Private = new(false)
		}
		if f, ok := in.(*File); ok {
			f.Size = new(int64(12))
		}
		labels(m.SecurityLabels)
		attributes(m.Attributes)
	case Group:
		m := in.Meta()
		for i := range m.Associated {
			m.Associated[i] = IndicatorRef{Type: TypeMutex, Value: fmt.Sprint("mutex ", i)}
		}
		labels(m.SecurityLabels)
		attributes(m.Attributes)
		switch g := in.(type) {
		case *Event:
			g.Status = EventEscalated
		case *Incident:
			g.Status = IncidentOpen
		}
	case *Association:
		in.From = AssociationEnd{Indicator: TypeMutex, Summary: "m"}
		in.To = AssociationEnd{Indicator: TypeMutex, Summary: "n"}
	}
}

func TestEveryFieldSurvivesAMerge(t *testing.T) {
	t.Parallel()
	for _, in := range oneOfEachType() {
		t.Run(strings.TrimPrefix(fmt.Sprintf("%T", in), "*threatconnect."), func(t *testing.T) {
			t.Parallel()
			requireSurvives(t, in) // empty
			filled := reflect.ValueOf(in).Elem()
			new(filler).fill(t, filled)
			requireSurvives(t, in)
			keepRules(in)
			if _, unknown := in.(*UnknownGroup); !unknown {
				require.NoError(t, writtenOf(t, in, BatchCreate).err)
			}
			requireSurvives(t, in)
			requireMerges(t, in)
			var paths []string
			leaves(filled, "", func(path string, _ reflect.Value) { paths = append(paths, path) })
			require.NotEmpty(t, paths)
			for n := 0; n < len(paths); n += scaletest.Stride() { // clear each field in turn
				i := 0
				leaves(filled, "", func(path string, v reflect.Value) {
					if i == n {
						was := reflect.New(v.Type()).Elem()
						was.Set(v)
						v.SetZero()
						requireSurvives(t, in)
						v.Set(was)
					}
					i++
				})
			}
		})
	}
}

// requireSurvives requires that merging only in does not change it.
func requireSurvives(t *testing.T, in BatchItem) {
	t.Helper()
	for got, err := range MergeItems(t.Context(), sequence([]BatchItem{in}, nil), nil) {
		require.NoError(t, err)
		requireItem(t, in, got)
	}
}

// requireMerges merges an item with itself, with its merged form and with its bare form.
func requireMerges(t *testing.T, in BatchItem) {
	t.Helper()
	got, _, _ := mergedOf(t, MergeOptions{}, in)
	require.Len(t, got, 1)
	if writtenOf(t, in, BatchCreate).err == nil {
		got, _, _ = mergedOf(t, MergeOptions{}, in, got[0], bare(in), in)
		require.Len(t, got, 1)
	}
	requireItem(t, in, got[0])
}

// bare returns an item with only its identifying fields.
func bare(in BatchItem) BatchItem {
	out := reflect.New(reflect.TypeOf(in).Elem()).Interface().(BatchItem)
	switch out := out.(type) {
	case Indicator:
		if c, ok := out.(*CustomIndicator); ok {
			c.TypeName = in.(*CustomIndicator).TypeName
		}
		out.setValues(in.(Indicator).values())
	case Group:
		reflect.ValueOf(out).Elem().Set(reflect.ValueOf(in).Elem())
		*out.Meta() = GroupMeta{Name: out.Meta().Name, XID: out.Meta().XID}
	case *Association:
		*out = *in.(*Association)
	}
	return out
}

func TestMergeKeepsFieldsMissingInLastItem(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	got, _, _ := mergedOf(t, MergeOptions{},
		&Report{FileName: "old.pdf", GroupMeta: GroupMeta{Name: "old", XID: "x"}, PublishDate: day},
		&Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new", XID: "x"}})
	require.Len(t, got, 1)
	requireItem(t, &Report{FileName: "new.pdf", GroupMeta: GroupMeta{Name: "new", XID: "x"}, PublishDate: day}, got[0])
}

func TestTruncatedMergedItemIsMalformed(t *testing.T) {
	t.Parallel()
	g := NewThreat("t")
	g.XID, g.GroupXIDs, g.Associated = "x", []string{"y", "z"}, []IndicatorRef{{Type: TypeMutex, Value: "m"}}
	for _, in := range []BatchItem{NewHost("a.example"), g, NewHost("no host")} {
		e := encoder{action: BatchCreate}
		enc, err := e.encode(in)
		text := string(merge.AppendItem(nil, e.typ, enc))
		json := len(text) - len(enc.JSON)
		if refused, ok := errors.AsType[*ValidationError](err); ok {
			text = string(merge.AppendRefused(nil, e.out.Section, e.typ, e.name, item.Problem{Field: refused.Field, Rule: refused.Rule, Fix: refused.Fix}))
			json = len(text) - 1
		}
		for n := range json + 1 {
			_, err := e.encode(&mergedItem{text: text[:n]})
			require.ErrorIs(t, err, merge.ErrMalformed, "%d of %d bytes", n, len(text))
		}
	}
}

// repeated is a feed of n/4 hosts and files that repeats three times, with rating, confidence, tags and
// an attribute. Files have different hashes each time.
func repeated(n int) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		for i := range n {
			k, turn := i%(n/4), i/(n/4)
			var ind Indicator
			if k%2 == 0 {
				ind = NewHost("node-" + strconv.Itoa(k) + ".feed.example")
			} else {
				f := new(File)
				if turn%3 != 0 {
					f.MD5 = fmt.Sprintf("%032X", k)
				}
				if turn%3 != 1 {
					f.SHA1 = fmt.Sprintf("%040X", k)
				}
				if turn%3 != 2 {
					f.SHA256 = fmt.Sprintf("%064X", k)
				}
				ind = f
			}
			m := ind.Meta()
			m.Rating, m.Confidence = new(float64(i%6)), new(i%101)
			m.Tags = []Tag{{Name: "Nightly feed"}, {Name: "Campaign " + strconv.Itoa(i%50)}}
			m.Attributes = []Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number " + strconv.Itoa(k) + ", with traffic to two more places"}}
			if !yield(ind, nil) {
				return
			}
		}
	}
}

// BenchmarkMergeItems reports the peak heap, which does not grow with the number of items.
func BenchmarkMergeItems(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			runtime.GC()
			stop, peak := make(chan struct{}), make(chan uint64)
			go func() { peak <- watchHeap(stop) }()
			for b.Loop() {
				left := 0
				for _, err := range MergeItems(b.Context(), repeated(n), &MergeOptions{Dir: b.TempDir()}) {
					if err != nil {
						b.Fatal(err)
					}
					left++
				}
				if left != n/4 {
					b.Fatalf("%d are left of %d", left, n)
				}
			}
			close(stop)
			b.ReportMetric(float64(<-peak)/(1<<20), "peak-heap-MiB")
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// watchHeap returns the peak size of the heap, including garbage, until stop is closed.
func watchHeap(stop <-chan struct{}) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for t := time.NewTicker(time.Millisecond); ; {
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64())
		select {
		case <-stop:
			t.Stop()
			return peak
		case <-t.C:
		}
	}
}
