package setdiff

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	is := func(value string) row { return row{origin: fromCurrent, value: value} }
	has := func(value, summary string, v Verdict) row {
		return row{Row: Row{Type: "Mutex", Summary: summary, Verdict: v}, origin: fromOwner, value: value}
	}
	file := func(summary string, v Verdict) row {
		return row{Row: Row{Type: typeFile, Summary: summary, Verdict: v}, origin: fromOwner}
	}
	for name, c := range map[string]struct {
		rows []row
		cut  bool
		want []Verdict
	}{
		"nothing listed": {rows: []row{is("A"), is("a")}, cut: false, want: []Verdict{}},
		"nothing current": {
			rows: []row{has("A", "A", Stale), has("a", "a", SparedRecent)},
			cut:  false,
			want: []Verdict{Stale, SparedRecent},
		},
		"the same value": {
			rows: []row{is("A"), has("A", "A", Stale), has("A", " A", SparedRecent)},
			cut:  false,
			want: []Verdict{Kept, Kept},
		},
		"another spelling": {
			rows: []row{is("A"), has("A", "A", Stale), has("a", "a", Stale)},
			cut:  false,
			want: []Verdict{Kept, SparedSpelling},
		},
		"the second spelling of the set":   {rows: []row{is("A"), is("a"), has("a", "a", Stale)}, cut: false, want: []Verdict{Kept}},
		"many spellings, nothing current":  {rows: []row{has("A", "A", Stale)}, cut: true, want: []Verdict{Stale}},
		"one file":                         {rows: []row{file("A", Stale)}, cut: false, want: []Verdict{Stale}},
		"two files with the same hash":     {rows: []row{file("A", Stale), file("B", SparedRecent)}, cut: false, want: []Verdict{SparedHash, SparedRecent}},
		"many files with the same hash":    {rows: []row{file("A", Stale)}, cut: true, want: []Verdict{SparedHash}},
		"two files with a hash of the set": {rows: []row{is(""), file("A", Stale), file("B", Stale)}, cut: false, want: []Verdict{Kept, Kept}},
	} {
		got := []Verdict{}
		for _, r := range decide(c.rows, c.cut) {
			got = append(got, r.Verdict)
		}
		assert.Equal(t, c.want, got, name)
	}
}

func file(hashes ...string) Indicator { return Indicator{Type: typeFile, Values: hashes} }

func mutex(name string) Indicator { return Indicator{Type: "Mutex", Values: []string{name}} }

// TestManyRowsOfOneKey has more rows of a key than decide takes at a time.
func TestManyRowsOfOneKey(t *testing.T) {
	t.Parallel()
	const n = 2*maxRows + 1          // the last row is decided alone
	spelling := func(i int) string { // one of many spellings of a word
		word := []byte("abcdefghij")
		for bit := range word {
			word[bit] -= byte(i >> bit & 1 * ('a' - 'A'))
		}
		return string(word)
	}
	for name, c := range map[string]struct {
		current []Indicator
		listed  func(i int) Indicator
		want    map[Verdict]int
	}{
		"files":   {current: nil, listed: func(i int) Indicator { return file("AA", spelling(i)) }, want: map[Verdict]int{SparedHash: n}},
		"mutexes": {current: nil, listed: func(i int) Indicator { return mutex(spelling(i)) }, want: map[Verdict]int{Stale: n}},
		"files of the set": {
			current: []Indicator{file("AA")},
			listed:  func(i int) Indicator { return file("AA", spelling(i)) },
			want:    map[Verdict]int{Kept: n},
		},
		"mutexes of the set": {current: []Indicator{mutex(spelling(7))}, listed: func(i int) Indicator { return mutex(spelling(i)) },
			want: map[Verdict]int{Kept: 1, SparedSpelling: n - 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(t.TempDir(), 1)
			defer s.Close()
			for _, ind := range c.current {
				require.NoError(t, s.AddCurrent(ind))
			}
			for i := range 3 * n { // each indicator three times
				ind := c.listed(i % n)
				require.NoError(t, s.AddListed(ind, strings.Join(ind.Values, " : "), Stale))
			}
			for range 2 {
				got := map[Verdict]int{}
				for r, err := range s.Decisions() {
					require.NoError(t, err)
					got[r.Verdict]++
				}
				assert.Equal(t, c.want, got)
			}
		})
	}
	t.Run("only current rows", func(t *testing.T) {
		t.Parallel()
		s := New(t.TempDir(), 1)
		defer s.Close()
		for i := range n {
			require.NoError(t, s.AddCurrent(mutex(spelling(i))))
		}
		require.NoError(t, s.AddListed(mutex(spelling(n-1)), spelling(n-1), Stale))
		require.NoError(t, s.AddListed(mutex(spelling(n)), spelling(n), Stale))
		require.NoError(t, s.AddListed(mutex("other"), "other", Stale))
		var got []string
		for r, err := range s.Decisions() {
			require.NoError(t, err)
			got = append(got, r.Summary+" "+map[bool]string{true: "stale", false: "not"}[r.Verdict == Stale])
		}
		assert.ElementsMatch(t, []string{spelling(n-1) + " not", spelling(n) + " not", "other stale"}, got)
	})
}

func TestFold(t *testing.T) {
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
			ind := &Indicator{Type: same[0], Custom: same[0] == "Coin"}
			assert.Equal(t, fold(ind, same[1]), fold(ind, value), "%q and %q", same[1], value)
		}
	}
	assert.Equal(t, "%%2", unescape("%%2"))
	assert.Len(t, unescape("%"+strings.Repeat("25", 1<<20)), 1, "unescape takes linear time")
}
