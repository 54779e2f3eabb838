package threatconnect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	is := func(value string) row { return row{origin: fromCurrent, value: value} }
	has := func(value, summary string, v verdict) row {
		return row{origin: fromOwner, value: value, listedIndicator: listedIndicator{typ: "Mutex", summary: summary}, verdict: v}
	}
	file := func(summary string, v verdict) row {
		return row{origin: fromOwner, listedIndicator: listedIndicator{typ: TypeFile, summary: summary}, verdict: v}
	}
	for name, c := range map[string]struct {
		rows []row
		cut  bool
		want []verdict
	}{
		"nothing listed":                   {[]row{is("A"), is("a")}, false, []verdict{}},
		"nothing current":                  {[]row{has("A", "A", verdictStale), has("a", "a", sparedRecent)}, false, []verdict{verdictStale, sparedRecent}},
		"the same value":                   {[]row{is("A"), has("A", "A", verdictStale), has("A", " A", sparedRecent)}, false, []verdict{verdictKept, verdictKept}},
		"another spelling":                 {[]row{is("A"), has("A", "A", verdictStale), has("a", "a", verdictStale)}, false, []verdict{verdictKept, sparedSpelling}},
		"the second spelling of the set":   {[]row{is("A"), is("a"), has("a", "a", verdictStale)}, false, []verdict{verdictKept}},
		"many spellings, nothing current":  {[]row{has("A", "A", verdictStale)}, true, []verdict{verdictStale}},
		"one file":                         {[]row{file("A", verdictStale)}, false, []verdict{verdictStale}},
		"two files with the same hash":     {[]row{file("A", verdictStale), file("B", sparedRecent)}, false, []verdict{sparedHash, sparedRecent}},
		"many files with the same hash":    {[]row{file("A", verdictStale)}, true, []verdict{sparedHash}},
		"two files with a hash of the set": {[]row{is(""), file("A", verdictStale), file("B", verdictStale)}, false, []verdict{verdictKept, verdictKept}},
	} {
		got := []verdict{}
		for _, r := range decide(c.rows, c.cut) {
			got = append(got, r.verdict)
		}
		assert.Equal(t, c.want, got, name)
	}
}

// TestManyRowsOfOneKey has more rows of a key than are decided on together.
func TestManyRowsOfOneKey(t *testing.T) {
	t.Parallel()
	const n = 2*mostRows + 1         // so that the last one is decided on alone
	spelling := func(i int) string { // one of many of a word
		word := []byte("abcdefghij")
		for bit := range word {
			word[bit] -= byte(i >> bit & 1 * ('a' - 'A'))
		}
		return string(word)
	}
	for name, c := range map[string]struct {
		current []Indicator
		listed  func(i int) Indicator
		want    map[verdict]int
	}{
		"files":            {nil, func(i int) Indicator { return &File{MD5: "AA", SHA1: spelling(i)} }, map[verdict]int{sparedHash: n}},
		"mutexes":          {nil, func(i int) Indicator { return NewMutex(spelling(i)) }, map[verdict]int{verdictStale: n}},
		"files of the set": {[]Indicator{&File{MD5: "AA"}}, func(i int) Indicator { return &File{MD5: "AA", SHA1: spelling(i)} }, map[verdict]int{verdictKept: n}},
		"mutexes of the set": {[]Indicator{NewMutex(spelling(7))}, func(i int) Indicator { return NewMutex(spelling(i)) },
			map[verdict]int{verdictKept: 1, sparedSpelling: n - 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIndicatorSet(t.TempDir(), 1)
			defer s.close()
			for _, ind := range c.current {
				require.NoError(t, s.addCurrent(ind.Type(), ind.values()))
			}
			for i := range 3 * n { // each three times
				ind := c.listed(i % n)
				require.NoError(t, s.addListed(ind.Type(), ind, verdictStale))
			}
			for range 2 {
				got := map[verdict]int{}
				for r, err := range s.decisions() {
					require.NoError(t, err)
					got[r.verdict]++
				}
				assert.Equal(t, c.want, got)
			}
		})
	}
	t.Run("of the set only", func(t *testing.T) {
		t.Parallel()
		s := newIndicatorSet(t.TempDir(), 1)
		defer s.close()
		for i := range n {
			require.NoError(t, s.addCurrent(TypeMutex, [3]string{spelling(i)}))
		}
		require.NoError(t, s.addListed(TypeMutex, NewMutex(spelling(n-1)), verdictStale))
		require.NoError(t, s.addListed(TypeMutex, NewMutex(spelling(n)), verdictStale))
		require.NoError(t, s.addListed(TypeMutex, NewMutex("other"), verdictStale))
		var got []string
		for r, err := range s.decisions() {
			require.NoError(t, err)
			got = append(got, r.summary+" "+map[bool]string{true: "stale", false: "not"}[r.verdict == verdictStale])
		}
		assert.ElementsMatch(t, []string{spelling(n-1) + " not", spelling(n) + " not", "other stale"}, got)
	})
}

func TestFoldedValue(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"Coin", "btc : Kept", "BTC:kept", "btc : kept : "},
		{"Coin", "btc", "btc : ", "btc :  : "},
		{"Hashtag", "#Tag", "tag"},
		{"EmailAddress", "ſ@e.example", "S@e.example"},
		{"File", strings.Repeat("a", 32), strings.Repeat("A", 32) + " "},
		{"URL", "http://e.example/a b", "http://e.example/A%20b", "http://e.example:80/a%2520b//", "HTTP://e.example/%61%%32%30b"},
		{"URL", "http://[2001:db8::80]", "http://[2001:DB8::80]:80/"},
		{"URL", "ftp://e.example:21", "ftp://e.example"},
		{"URL", "sftp://e.example:22?q", "sftp://e.example/?Q"},
		{"CIDR", "2001:db8:0:0:0:0:0:1/32", "2001:db8::/32"},
	} {
		for _, value := range same[2:] {
			assert.Equal(t, foldedValue(IndicatorType(same[0]), same[1]), foldedValue(IndicatorType(same[0]), value), "%q and %q", same[1], value)
		}
	}
	assert.Equal(t, "%%2", unescaped("%%2"))
	assert.Len(t, unescaped("%"+strings.Repeat("25", 1<<20)), 1, "in linear time")
}
