package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// fullServer returns a server that has processed all exchanges and has a waiting job.
func fullServer(t *testing.T) *Server {
	t.Helper()
	s := newRecorded(t)
	files, err := filepath.Glob(filepath.Join(exchangeFolder, "*.json"))
	require.NoError(t, err)
	slices.SortFunc(files, func(a, b string) int { // the seed first
		return strings.Compare(strings.Replace(a, "seed", "", 1), strings.Replace(b, "seed", "", 1))
	})
	for _, file := range files {
		for _, x := range readExchanges(t, file) {
			s.SetClockOffset(time.Until(x.Clock))
			s.SetOddities(x.Oddities)
			for _, u := range x.Turns {
				if u.Method != "DELETE" {
					answerInProcess(t, s, onWire("127.0.0.1", u.Method, u.Target, u.Fields, u.Body))
				}
			}
		}
	}
	s.SetOddities(0)
	s.SetClockOffset(0)
	s.SetBatchDuration(time.Hour)
	rig{t, s}.quickBatch(hosts(0, 2, ""))
	deleted := &IndicatorRecord{Type: "Host", Summary: "deleted.example.com"}
	require.NoError(t, s.Seed(deleted))
	require.NoError(t, s.Delete(deleted))
	require.NoError(t, s.Seed(
		&Owner{Name: "Full", Members: []User{{UserName: "u"}}, Denied: []string{"GET /v2/tags"}},
		&IndicatorRecord{Type: "Host", Summary: "full.example.com", Assessed: &ThreatAssess{Score: 5},
			Resolutions: []Resolution{{Date: time.Unix(0, 0), Addresses: []string{"192.0.2.1"}}}},
		&IndicatorRecord{Type: "Address", Summary: "192.0.2.99", Location: map[string]string{"city": "x"}, FalsePositives: []time.Time{time.Unix(0, 0)}},
		&AttributeType{Name: "Full", Types: []string{"Host"}},
		&Playbook{Name: "full", Labels: []string{"l"}},
	))
	a, v := s.owners[0].groups[0], s.victims[0]
	if len(v.assets) == 0 {
		v.assets = append(v.assets, &asset{id: s.nextID(), kind: victimAssetKinds[4], values: []string{"http://example.com/"}})
	}
	associate(a, v, "")
	associatedAs(a, v, "").removeAsset(v.assets[0])
	s.owners[0].present[presence(s.types[0], "192.0.2.1")] = struct{}{}
	require.NoError(t, s.Check())
	return s
}

// A snapshot copies all mutable data. The test includes fields that are added later.
func TestSnapshotCopiesAllMutableData(t *testing.T) {
	t.Parallel()
	s := fullServer(t)
	snapshot := s.Snapshot()
	require.NoError(t, snapshot.world.check())
	c := comparison{TestingT: t, apart: true, seen: map[[2]any]bool{}, set: map[string]bool{}}
	c.equal("world", reflect.ValueOf(s.world), reflect.ValueOf(snapshot.world))
	for field, set := range c.set {
		assert.True(t, set, "%s is never set: fill it in fullServer", field)
	}
}

// Requests change neither a snapshot nor data restored from it earlier.
func TestSnapshotsDoNotChange(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(20)) {
		m := newModel(t, rand.NewPCG(seed, 3))
		steps := func() {
			for range 40 {
				m.step(t)
			}
		}
		steps()
		first, second := m.srv.Snapshot(), m.srv.Snapshot()
		same := func() {
			t.Helper()
			c := comparison{TestingT: t, seen: map[[2]any]bool{}, set: map[string]bool{}}
			c.equal("world", reflect.ValueOf(first.world), reflect.ValueOf(second.world))
		}
		steps()
		same()
		m.srv.Restore(first)
		require.NoError(t, m.srv.check())
		c := comparison{TestingT: t, apart: true, seen: map[[2]any]bool{}, set: map[string]bool{}}
		c.equal("world", reflect.ValueOf(first.world), reflect.ValueOf(m.srv.world))
		steps()
		same()
		require.NoError(t, first.world.check())
	}
}

// comparison compares two object graphs, which must be equal.
type comparison struct {
	require.TestingT
	apart bool // the graphs must share no mutable data
	seen  map[[2]any]bool
	set   map[string]bool // by field: whether any value is set
}

// unchanging contains the types whose values never change in place.
var unchanging = []reflect.Type{
	reflect.TypeFor[*groupType](), reflect.TypeFor[*assetKind](), reflect.TypeFor[*indicatorType](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[json.RawMessage](),
}

func (c *comparison) equal(path string, a, b reflect.Value) {
	switch {
	case slices.Contains(unchanging, a.Type()):
		require.Equal(c, a.Pointer(), b.Pointer(), path)
		return
	case a.Type() == reflect.TypeFor[time.Time]():
		require.Equal(c, fmt.Sprint(a), fmt.Sprint(b), path)
		return
	}
	switch a.Kind() {
	case reflect.Interface, reflect.Pointer:
		require.Equal(c, a.IsNil(), b.IsNil(), path)
		if a.IsNil() {
			return
		}
		if a.Kind() == reflect.Pointer {
			pair := [2]any{a.Pointer(), b.Pointer()}
			if c.seen[pair] {
				return
			}
			c.seen[pair] = true
			c.separate(path, a, b)
		}
		c.equal(path, a.Elem(), b.Elem())
	case reflect.Map:
		require.Equal(c, a.Len(), b.Len(), path)
		if a.Len() > 0 {
			c.separate(path, a, b)
		}
		for _, key := range a.MapKeys() {
			other := key
			if key.Kind() == reflect.Pointer { // an owner
				for _, k := range b.MapKeys() {
					if k.Elem().FieldByName("Name").String() == key.Elem().FieldByName("Name").String() {
						other = k
					}
				}
				c.equal(path, key, other)
			}
			require.True(c, b.MapIndex(other).IsValid(), path)
			c.equal(path+"[]", a.MapIndex(key), b.MapIndex(other))
		}
	case reflect.Slice:
		require.Equal(c, a.Len(), b.Len(), path)
		if a.Cap() > 0 && b.Cap() > 0 {
			c.separate(path, a, b)
		}
		for i := range a.Len() {
			c.equal(path+"[]", a.Index(i), b.Index(i))
		}
	case reflect.Struct:
		for i := range a.NumField() {
			field := a.Type().Field(i)
			c.field(a.Type().String()+"."+field.Name, a.Field(i))
			c.equal(path+"."+field.Name, a.Field(i), b.Field(i))
		}
	case reflect.Array:
		for i := range a.Len() {
			c.equal(path+"[]", a.Index(i), b.Index(i))
		}
	case reflect.Func:
	default:
		require.True(c, a.Equal(b), path)
	}
}

func (c *comparison) separate(path string, a, b reflect.Value) {
	if c.apart {
		require.NotEqual(c, a.Pointer(), b.Pointer(), "%s is shared", path)
	}
}

// field records whether a field that can share data is set.
func (c *comparison) field(name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		c.set[name] = c.set[name] || v.Len() > 0
	case reflect.Pointer, reflect.Interface:
		c.set[name] = c.set[name] || !v.IsNil()
	}
}

func BenchmarkSnapshotOfAMillionHosts(b *testing.B) {
	s := New()
	for n := range 40 {
		j := &job{config: batchConfig{version: "V2", owner: s.owners[2], action: "Create", attributes: "Append"},
			content: []byte(hosts(25_000*n, 25_000, "")), counts: batchCounts{success: map[string]int{}, errors: map[string]int{}}}
		s.run(&s.settings, j, s.now())
	}
	require.Equal(b, 1_000_000, s.Counts(source).Indicators)
	b.ReportAllocs()
	for b.Loop() {
		s.Snapshot()
	}
}
