package item

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// TestSumsOfDistinctSequencesDiffer checks that similar sequences have different checksums.
func TestSumsOfDistinctSequencesDiffer(t *testing.T) {
	t.Parallel()
	g := func(json string, refs []string, listed ...string) *Encoded {
		e := &Encoded{Section: Groups, JSON: []byte(json), Refs: refs}
		for i := 0; i+1 < len(listed); i += 2 {
			e.Listed = append(e.Listed, Listed{End: End{listed[i], listed[i+1]}})
		}
		return e
	}
	i := func(json string, refs ...string) *Encoded {
		return &Encoded{Section: Indicators, JSON: []byte(json), Refs: refs}
	}
	sequences := [][]*Encoded{
		{},
		{nil},
		{nil, nil},
		{i("a")},
		{i("a"), nil},
		{nil, i("a")},
		{i("a"), i("b")},
		{i("b"), i("a")},
		{i("ab")},
		{i("a"), i("a")},
		{i("")},
		{i(""), i("")},
		{g("a", nil)},
		{{Section: Associations, JSON: []byte("a")}},
		{i("a", "b")},
		{i("a", "")},
		{i("a", "", "")},
		{i("a", "b", "c")},
		{i("a", "c", "b")},
		{i("a", "bc")},
		{i("ab", "c")},
		{g("a", []string{"b"})},
		{g("a", []string{"b", "c"})},
		{g("a", nil, "b", "c")},
		{g("a", nil, "c", "b")},
		{g("a", nil, "bc", "")},
		{g("a", nil, "b", "c", "d", "e")},
		{g("a", []string{"b", "c"}, "d", "e")},
		{g("a", []string{"b", "c", "d", "e"})},
		{g("a", []string{"b"}, "c", "d")},
		{g("a", []string{"b"}, "c", "")},
		{g("a", []string{"b", "", "c"})},
		{g("a", []string{"b", "c", ""})},
		{g("a", nil, "", "b", "c", "")},
	}
	var s Summer
	seen := make(map[Sum]string)
	for _, sequence := range sequences {
		var sum Sum
		for _, e := range sequence {
			sum = s.Next(sum, e)
		}
		text := ""
		for _, e := range sequence {
			text += fmt.Sprintf("%+v;", e)
		}
		require.Empty(t, seen[sum], "the same sum as %s", text)
		seen[sum] = text + "."

		var again Sum // a new Summer per item, as in a resumed process
		for _, e := range sequence {
			again = new(Summer).Next(again, e)
		}
		require.Equal(t, sum, again)
	}
}

// TestSumsHave64Bits would find about 20 collisions if only 32 bits depended on the item.
func TestSumsHave64Bits(t *testing.T) {
	t.Parallel()
	var s Summer
	seen := make(map[Sum]bool)
	e := Encoded{Section: Groups}
	for n := range scaletest.N(400_000) {
		e.JSON = strconv.AppendInt(e.JSON[:0], int64(n)*int64(n)*7_919, 36)
		sum := s.Next(Sum{}, &e)
		require.False(t, seen[sum], n)
		seen[sum] = true
	}
}

func TestSumIgnoresDeliveryFields(t *testing.T) {
	t.Parallel()
	e := Encoded{Section: Groups, JSON: []byte(`{}`), Refs: []string{"x"}, Listed: []Listed{{End: End{"Host", "a"}}}}
	var s Summer
	want := s.Next(Sum{}, &e)
	e.Listed[0].Excluded, e.Key, e.Content = "a reason", "k", &Content{Open: 1}
	require.Equal(t, want, s.Next(Sum{}, &e))
	require.NotEqual(t, want, s.Next(Sum{1}, &e), "the sum depends on earlier items")
}
