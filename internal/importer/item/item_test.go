package item

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindsOfItems(t *testing.T) {
	t.Parallel()
	for _, seq := range []int64{0, 7} {
		require.Equal(t, Group, KindOf(Groups, seq))
		require.Equal(t, Indicator, KindOf(Indicators, seq))
		require.Equal(t, Association, KindOf(Associations, seq))
		require.Equal(t, Link, KindOf(Associations, ^seq))
	}
}

func TestNamesOfItems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Name{
		`{"type":"Host","summary":"a.example","xid":"i-1","description":"d"}`:                                  {Type: "Host", Ref: "a.example", XID: "i-1"},
		`{"type":"Host","rating":3,"summary":"a.example"}`:                                                     {Type: "Host", Ref: "a.example"},
		`{"type":"File","summary":"AA : BB : CC","xid":"i-1"}`:                                                 {Type: "File", Ref: "AA : BB : CC", XID: "i-1", Hashes: []string{"AA", "BB", "CC"}},
		`{"type":"Host","summary":"AA : BB"}`:                                                                  {Type: "Host", Ref: "AA : BB"},
		`{"other":"no","type":"Key","summary":"S"}`:                                                            {Type: "Key", Ref: "S"},
		`{"type":"File","summary":"AA"}`:                                                                       {Type: "File", Ref: "AA"},
		`{"type":"Mutex","summary":"a : b"}`:                                                                   {Type: "Mutex", Ref: "a : b"},
		`{"type":"Mutex","summary":"Gl\"\u00e9"}`:                                                              {Type: "Mutex", Ref: `Gl"é`},
		`{"name":"n","type":"Threat","xid":"x-1","eventDate":"e"}`:                                             {Type: "Threat", Ref: "x-1", Title: "n"},
		`{"type_1":"Host","ref_1":"a","type_2":"URL","ref_2":"u","associationType":"URL Host"}`:                {Type: "Host", Ref: "a", Hashes: []string{"u"}},
		`{"ref_1":"x-1","ref_2":"x-2"}`:                                                                        {Ref: "x-1", Hashes: []string{"x-2"}},
		`{"type":"Coin","Net":"btc","Wallet":"1","xid":"c-1","note":"n"}`:                                      {Type: "Coin", Ref: "btc : 1", XID: "c-1", Values: []string{"btc", "1"}},
		`{"type":"Coin","value1":"v","description":"d","value2":"w"}`:                                          {Type: "Coin", Ref: "v", Values: []string{"v"}},
		`{"type":"Coin","value1":"v","rating":3,"value2":"w"}`:                                                 {Type: "Coin", Ref: "v", Values: []string{"v"}},
		`{"type":"Coin","name":"v"}`:                                                                           {Type: "Coin", Ref: "v", Values: []string{"v"}},
		`{"type":"Coin","source":"s","firstSeen":"f","lastSeen":"l"}`:                                          {Type: "Coin"},
		`{"type":"Coin","externalDateAdded":"s","externalDateExpires":"f","externalLastModified":"l","x":"y"}`: {Type: "Coin"},
		`{}`:      {},
		`nothing`: {},
	} {
		require.Equal(t, want, NameOf([]byte(text)), text)
	}
}

func TestKeysOfLinks(t *testing.T) {
	t.Parallel()
	a, b := End{"Host", "a"}, End{"", "x"}
	require.Equal(t, LinkKey(a, b, ""), LinkKey(b, a, ""), "in either direction")
	require.Equal(t, LinkKey(End{"Host", "a"}, End{"Host", "b"}, "k"), LinkKey(End{"Host", "b"}, End{"Host", "a"}, "k"))
	seen := make(map[string]bool)
	for _, ends := range [][2]End{{a, b}, {a, a}, {b, b}, {a, {"", "y"}}, {{"Mutex", "a"}, b}, {{"a", "Host"}, b}, {{"", "a"}, {"Host", "x"}}} {
		for _, kind := range []string{"", "k", "K"} {
			key := LinkKey(ends[0], ends[1], kind)
			require.False(t, seen[key], key)
			seen[key] = true
			require.ElementsMatch(t, ends, LinkEnds(key))
		}
	}
}

func TestOutcomesAddUp(t *testing.T) {
	t.Parallel()
	var c Counts
	for v, n := range map[Verdict]int64{Succeeded: 1, Failed: 20, Unprocessed: 300, Unknown: 4000, 77: 50000} {
		c.Add(v, n)
	}
	require.Equal(t, Counts{Succeeded: 1, Failed: 20, Unprocessed: 300, Unknown: 54000}, c)
	require.EqualValues(t, 54321, c.Total())
	c.Plus(c)
	require.Equal(t, Counts{Succeeded: 2, Failed: 40, Unprocessed: 600, Unknown: 108000}, c)

	a := Outcome{Kinds: [Kinds]Counts{{Succeeded: 1}, {Failed: 2}, {Unknown: 3}, {Unprocessed: 4}}, Contents: Counts{Failed: 5}, Jobs: 6, Bytes: 7, More: 8, Lost: []int64{9}}
	a.Failures = make([]Failure, MaxFailures-1)
	b := a
	b.Failures = []Failure{{Seq: 1}, {Seq: 2}}
	a.Plus(&b)
	require.Equal(t, [Kinds]Counts{{Succeeded: 2}, {Failed: 4}, {Unknown: 6}, {Unprocessed: 8}}, a.Kinds)
	require.Equal(t, Counts{Failed: 10}, a.Contents)
	require.Equal(t, []int64{12, 14, 17}, []int64{a.Jobs, a.Bytes, a.More}, "one failure exceeds the limit")
	require.Equal(t, []int64{9, 9}, a.Lost)
	require.Len(t, a.Failures, MaxFailures)
	require.EqualValues(t, 1, a.Failures[MaxFailures-1].Seq, "the first are kept")
	require.Equal(t, Counts{Succeeded: 2, Failed: 4, Unknown: 6}, a.Total(), "links are not items")
}

func TestExcludeCombinesFurtherReasons(t *testing.T) {
	t.Parallel()
	var total Totals
	for n := range MaxReasons + 5 {
		total.Exclude(Group, strconv.Itoa(n))
		total.Exclude(Link, "0")
	}
	require.Len(t, total.Reasons, MaxReasons+1, "all other reasons share one count")
	require.EqualValues(t, MaxReasons+6, total.Reasons["0"])
	require.EqualValues(t, 1, total.Reasons[strconv.Itoa(MaxReasons-1)])
	require.EqualValues(t, 5, total.Reasons[OtherReasons])
	require.Equal(t, [Kinds]int64{Group: MaxReasons + 5, Link: MaxReasons + 5}, total.Excluded)

	c := total.Clone()
	total.Exclude(Link, "0")
	require.EqualValues(t, MaxReasons+6, c.Reasons["0"], "the clone shares nothing")
	require.EqualValues(t, MaxReasons+5, c.Excluded[Link])
	require.Nil(t, new(Totals).Clone().Reasons)
}
