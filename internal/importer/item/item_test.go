package item

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	assert.Equal(t, Group, KindOf(Groups, 0))
	assert.Equal(t, Indicator, KindOf(Indicators, 0))
	assert.Equal(t, Association, KindOf(Associations, 0))
	assert.Equal(t, Link, KindOf(Associations, ^0))
}

func TestLinkKey(t *testing.T) {
	t.Parallel()
	ends := []End{{"", "a"}, {"", "b"}, {"Host", "a"}, {"Host", "b"}, {"File", "a"}}
	keys := map[string][2]End{}
	for _, kind := range []string{"", "uses"} {
		for i, a := range ends {
			for _, b := range ends[i:] {
				key := LinkKey(a, b, kind)
				assert.Equal(t, key, LinkKey(b, a, kind), "the other direction")
				other, known := keys[key]
				assert.False(t, known, "%v has the key of %v", [2]End{a, b}, other)
				keys[key] = [2]End{a, b}
			}
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	host := Encoded{Section: Indicators, JSON: []byte(`{"type":"Host"}`)}
	with := func(change func(*Encoded)) *Encoded {
		e := host
		change(&e)
		return &e
	}
	sequences := map[string][]*Encoded{
		"none":          {},
		"one":           {&host},
		"two":           {&host, &host},
		"refused":       {nil},
		"refused first": {nil, &host},
		"refused last":  {&host, nil},
		"section":       {with(func(e *Encoded) { e.Section = Groups })},
		"text":          {with(func(e *Encoded) { e.JSON = []byte(`{"type":"Hose"}`) })},
		"ref":           {with(func(e *Encoded) { e.Refs = []string{"ab"} })},
		"refs":          {with(func(e *Encoded) { e.Refs = []string{"a", "b"} })},
		"listed":        {with(func(e *Encoded) { e.Listed = []Listed{{End: End{"Host", "a"}}} })},
		"listed type":   {with(func(e *Encoded) { e.Listed = []Listed{{End: End{"File", "a"}}} })},
		"listed name":   {with(func(e *Encoded) { e.Listed = []Listed{{End: End{"Host", "b"}}} })},
	}
	sum := func(s *Summer, items []*Encoded) (sum Sum) {
		for _, e := range items {
			sum = s.Next(sum, e)
		}
		return sum
	}
	var one Summer
	seen := map[Sum]string{}
	for name, items := range sequences {
		got := sum(&one, items)
		assert.Equal(t, sum(&Summer{}, items), got, "%s: the sum depends on earlier sums", name)
		other, known := seen[got]
		assert.False(t, known, "%s has the sum of %s", name, other)
		seen[got] = name
	}
	excluded := with(func(e *Encoded) { e.Listed = []Listed{{End{"Host", "a"}, "a reason"}} })
	assert.Equal(t, sum(&one, sequences["listed"]), sum(&one, []*Encoded{excluded}), "the list of exclusions may change")
}

func TestNameOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		json string
		want Name
	}{
		"host": {
			`{"type":"Host","summary":"a.example","rating":3,"xid":"x","tag":[{"name":"t"}]}`,
			Name{Type: "Host", Ref: "a.example", XID: "x"},
		},
		"file of one hash": {`{"type":"File","summary":"AA"}`, Name{Type: "File", Ref: "AA"}},
		"file": {
			`{"type":"File","summary":"AA : BB"}`,
			Name{Type: "File", Ref: "AA : BB", Hashes: []string{"AA", "BB"}},
		},
		"no file": {`{"type":"Host","summary":"AA : BB"}`, Name{Type: "Host", Ref: "AA : BB"}},
		"custom": {
			`{"type":"Key","Hive":"H","name":"N","rating":1,"later":"no"}`,
			Name{Type: "Key", Ref: "H : N", Values: []string{"H", "N"}},
		},
		"custom with a description": {
			`{"type":"Key","Hive":"H","description":"no","other":"no"}`,
			Name{Type: "Key", Ref: "H", Values: []string{"H"}},
		},
		"a text before the type": {`{"other":"no","type":"Key","summary":"S"}`, Name{Type: "Key", Ref: "S"}},
		"group": {
			`{"name":"N","type":"Adversary","eventDate":"no","xid":"x"}`,
			Name{Type: "Adversary", Ref: "x", Title: "N"},
		},
		"association": {
			`{"type_1":"Host","ref_1":"a","type_2":"Address","ref_2":"b","associationType":"no"}`,
			Name{Type: "Host", Ref: "a", Hashes: []string{"b"}},
		},
		"association of groups": {`{"ref_1":"a","ref_2":"b"}`, Name{Ref: "a", Hashes: []string{"b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, NameOf([]byte(test.json)))
		})
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	var c Counts
	c.Add(Succeeded, 1)
	c.Add(Failed, 2)
	c.Add(Unprocessed, 3)
	c.Add(Unknown, 4)
	require.Equal(t, Counts{Succeeded: 1, Failed: 2, Unprocessed: 3, Unknown: 4}, c)
	require.EqualValues(t, 10, c.Total())
	c.Plus(Counts{10, 20, 30, 40})
	require.Equal(t, Counts{11, 22, 33, 44}, c)
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	o := Outcome{Contents: Counts{Failed: 1}, Jobs: 1, Bytes: 10, More: 1, Lost: []int64{7}}
	o.Kinds[Indicator].Succeeded = 1
	d := Outcome{Contents: Counts{Failed: 2}, Jobs: 2, Bytes: 20, More: 2, Lost: []int64{8}}
	d.Kinds[Indicator].Succeeded, d.Kinds[Group].Failed, d.Kinds[Association].Unknown, d.Kinds[Link].Failed = 1, 2, 4, 8
	for range MaxFailures {
		o.Note(Failure{Seq: 1})
	}
	d.Note(Failure{Seq: 2})
	assert.Len(t, d.Failures, 1)
	o.Plus(&d)
	assert.Equal(t, Counts{Succeeded: 2, Failed: 2, Unknown: 4}, o.Total(), "without links")
	assert.EqualValues(t, 8, o.Kinds[Link].Failed)
	assert.Equal(t, Counts{Failed: 3}, o.Contents)
	assert.EqualValues(t, 3, o.Jobs)
	assert.EqualValues(t, 30, o.Bytes)
	assert.Equal(t, []int64{7, 8}, o.Lost)
	assert.Len(t, o.Failures, MaxFailures)
	assert.EqualValues(t, 4, o.More, "1 + 2 + the failure beyond the limit")
}

func TestReasonsAreLimited(t *testing.T) {
	t.Parallel()
	var totals Totals
	for i := range MaxReasons + 2 {
		totals.Exclude(Indicator, string(rune('A'+i)))
	}
	totals.Exclude(Group, "A")
	assert.Len(t, totals.Reasons, MaxReasons+1)
	assert.EqualValues(t, 2, totals.Reasons[OtherReasons])
	assert.EqualValues(t, 2, totals.Reasons["A"], "a known reason")
	assert.Equal(t, [Kinds]int64{Indicator: MaxReasons + 2, Group: 1}, totals.Excluded)
	clone := totals.Clone()
	clone.Exclude(Indicator, "A")
	assert.EqualValues(t, 2, totals.Reasons["A"], "the clone shares no reasons")
}
