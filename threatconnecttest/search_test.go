package threatconnecttest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := New()
	for n := range 5 {
		require.NoError(t, s.Seed(&IndicatorRecord{Owner: source, Type: "Host", Summary: fmt.Sprintf("h%d.example.com", n)},
			&IndicatorRecord{Owner: source, Type: "Mutex", Summary: fmt.Sprintf("Ünix-%d", n)},
			&GroupRecord{Owner: source, Type: "Threat", Name: fmt.Sprintf("Bad Guy %d", n)}))
	}
	require.NoError(t, s.Seed(&IndicatorRecord{Type: "Host", Summary: "own.example.com"}, &TaskRecord{Owner: source, Name: "t", Tags: []string{"A"}},
		&VictimRecord{Owner: source, Name: "v"}))
	for n := range 3 {
		require.NoError(t, s.Seed(&IndicatorRecord{Owner: "Example Community", Type: "Host", Summary: fmt.Sprintf("%d.example.com", n)}))
	}
	require.NoError(t, s.Delete(&IndicatorRecord{Owner: source, Type: "Host", Summary: "h0.example.com"}))
	for name, c := range map[string]struct {
		query Query
		want  []string
		total int
	}{
		"all":                     {Query{Owner: source, Limit: 3}, []string{"Ünix-0", "h1.example.com", "Ünix-1"}, 9},
		"of a type":               {Query{Owner: source, Type: "Host", Limit: 2}, []string{"h1.example.com", "h2.example.com"}, 4},
		"the second page":         {Query{Owner: source, Type: "Host", Start: 2, Limit: 3}, []string{"h3.example.com", "h4.example.com"}, 4},
		"after the end":           {Query{Owner: source, Type: "Host", Start: 4}, nil, 4},
		"in another case":         {Query{Owner: source, Text: "EXAMPLE", Limit: 1}, []string{"h1.example.com"}, 4},
		"beyond ASCII":            {Query{Owner: source, Text: "üNIX-4"}, []string{"Ünix-4"}, 1},
		"groups":                  {Query{Owner: source, Groups: true, Text: "guy 3"}, []string{"Bad Guy 3"}, 1},
		"groups of a type":        {Query{Owner: source, Groups: true, Type: "Incident"}, nil, 0},
		"an unknown type":         {Query{Owner: source, Type: "Hots"}, nil, 0},
		"an unknown owner":        {Query{Owner: "Nobody"}, nil, 0},
		"everything after one":    {Query{Owner: "Example Community", Start: 1, Limit: 1}, []string{"1.example.com"}, 3},
		"nothing after the end":   {Query{Owner: "Example Community", Start: 9}, nil, 3},
		"the user's organization": {Query{}, []string{"own.example.com"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := s.Search(c.query)
			var got []string
			for _, i := range f.Indicators {
				got = append(got, i.Summary)
			}
			for _, g := range f.Groups {
				got = append(got, g.Name)
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.total, f.Total)
		})
	}
	assert.Equal(t, Counts{Indicators: 9, Groups: 5, Tags: 1, Tasks: 1, Victims: 1}, s.Counts(source))
}

func BenchmarkSearchIn1000000Hosts(b *testing.B) {
	s := New()
	for n := range 1_000_000 {
		require.NoError(b, s.Seed(&IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("host-%d.example.com", n)}))
	}
	for name, q := range map[string]Query{"all": {Start: 500_000}, "text": {Text: "-999999.EX"}, "nothing": {Type: "Host", Text: "no such"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Search(q)
			}
		})
	}
}

func BenchmarkSeed(b *testing.B) {
	s := New()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		require.NoError(b, s.Seed(&IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("host-%d.example.com", n), Rating: new(3.0), Tags: []string{"A"}}))
	}
}
