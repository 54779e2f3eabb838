package threatconnect_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestAheadIsNotSent(t *testing.T) {
	t.Parallel()
	p := &hostPages{answer: func(start, limit int) (int, []int) { return 95, span(start, limit, 95) }}
	got, err := hosts(t, p, threatconnect.ListOptions{Limit: 10, Ahead: 4})
	require.NoError(t, err)
	require.Len(t, got, 95)
	for i, h := range got {
		assert.Equal(t, fmt.Sprintf("h%d.example", i), h.HostName)
	}
	assert.Equal(t, "0+10", p.asked[0])
	var want []string
	for start := 0; start < 95; start += 10 {
		want = append(want, fmt.Sprintf("%d+10", start))
	}
	assert.ElementsMatch(t, want, p.asked)
	for _, ahead := range []int{-1, 33} {
		_, err := hosts(t, p, threatconnect.ListOptions{Ahead: ahead})
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
	assert.Len(t, p.asked, 10)
	for _, query := range p.queries {
		assert.False(t, query.Has("Ahead") || query.Has("ahead"))
	}
}

func TestListOptionsOutOfRange(t *testing.T) {
	t.Parallel()
	p := &hostPages{}
	c := clientOf(t, p)
	for _, o := range []threatconnect.ListOptions{{Start: -1}, {Limit: -1}, {Limit: 10_001}} {
		_, err := hosts(t, p, o)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		_, err = c.Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: o})
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		_, err = c.Groups.Incidents.List(t.Context(), &threatconnect.GroupListOptions{ListOptions: o})
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
	assert.Empty(t, p.asked)
}

// List and All request pages of the same size in every service.
func TestTheDefaultLimitIsTheSameForListAndAll(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	ctx := t.Context()
	for name, call := range map[string]func() (any, error){
		"indicators":           func() (any, error) { return c.Indicators.List(ctx, nil) },
		"all indicators":       func() (any, error) { return threatconnect.Collect(c.Indicators.All(ctx, nil)) },
		"hosts":                func() (any, error) { return c.Indicators.Hosts.List(ctx, nil) },
		"groups":               func() (any, error) { return c.Groups.List(ctx, nil) },
		"incidents":            func() (any, error) { return c.Groups.Incidents.List(ctx, nil) },
		"tasks":                func() (any, error) { return c.Tasks.List(ctx, nil) },
		"victims":              func() (any, error) { return c.Victims.List(ctx, nil) },
		"tags":                 func() (any, error) { return c.Tags.List(ctx, nil) },
		"all tags":             func() (any, error) { return threatconnect.Collect(c.Tags.All(ctx, nil)) },
		"labels":               func() (any, error) { return c.SecurityLabels.List(ctx, nil) },
		"owners":               func() (any, error) { return c.Owners.List(ctx, nil) },
		"all owners":           func() (any, error) { return threatconnect.Collect(c.Owners.All(ctx, nil)) },
		"owner metrics":        func() (any, error) { return threatconnect.Collect(c.Owners.Metrics(ctx, 7, nil)) },
		"metrics":              func() (any, error) { return c.Metrics.List(ctx, nil) },
		"all metrics":          func() (any, error) { return threatconnect.Collect(c.Metrics.All(ctx, nil)) },
		"all playbooks":        func() (any, error) { return threatconnect.Collect(c.Playbooks.All(ctx, nil)) },
		"playbooks of a name":  func() (any, error) { return c.Playbooks.List(ctx, &threatconnect.PlaybookListOptions{Name: "a"}) },
		"types of indicators":  func() (any, error) { return threatconnect.Collect(c.Types.Indicators(ctx, nil)) },
		"types of attributes":  func() (any, error) { return threatconnect.Collect(c.Types.Attributes(ctx, nil)) },
		"types of association": func() (any, error) { return threatconnect.Collect(c.Types.Associations(ctx, nil)) },
	} {
		s.Sent = nil
		_, err := call()
		require.NoError(t, err, name)
		require.Len(t, s.Sent, 1, name)
		assert.Equal(t, "500", s.Sent[0].URL.Query().Get("resultLimit"), name)
		assert.False(t, s.Sent[0].URL.Query().Has("resultStart"), name)
	}
	// Options are copied: changes after the call have no effect.
	opts := &threatconnect.TagListOptions{Filters: threatconnect.Filters{threatconnect.ByName.Is("a")}}
	all := c.Tags.All(ctx, opts)
	opts.Filters[0] = threatconnect.ByName.Is("b")
	s.Sent = nil
	_, err := threatconnect.Collect(all)
	require.NoError(t, err)
	assert.Equal(t, "name=a", s.Sent[0].URL.Query().Get("filters"))
}

func TestRejectedLimitIsReported(t *testing.T) {
	t.Parallel()
	const old = "The resultStart and resultLimit query parameters must be integers and the maximum value for resultLimit is 500"
	s := &wiretest.Steps{Do: steps{wiretest.Answer(400, `{"status":"Failure","message":"`+old+`"}`)}}
	c := clientOf(t, s)
	for _, opts := range []threatconnect.ListOptions{{Limit: 10_000}, {Limit: 10_000, Ahead: 4}} {
		_, err := threatconnect.Collect(c.Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: opts}))
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
		assert.ErrorContains(t, err, old)
	}
	assert.Equal(t, 2, s.Count(), "the limit is not reduced automatically")

	// Pages that the platform cuts without an error are followed.
	p := &hostPages{answer: func(start, limit int) (int, []int) { return 1200, span(start, min(limit, 500), 1200) }}
	got, err := hosts(t, p, threatconnect.ListOptions{Limit: 10_000})
	require.NoError(t, err)
	assert.Len(t, got, 1200)
}

func TestListReturnsOnePage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer       func(start, limit int) (int, []int)
		start, limit int
		items        int
		total        int64
		more         bool
	}{
		"the first of three":         {func(s, l int) (int, []int) { return 25, span(s, l, 25) }, 0, 10, 10, 25, true},
		"the last of three":          {func(s, l int) (int, []int) { return 25, span(s, l, 25) }, 20, 10, 5, 25, false},
		"the last, without a count":  {func(s, l int) (int, []int) { return -1, span(s, l, 25) }, 20, 10, 5, -1, false},
		"a full page without count":  {func(s, l int) (int, []int) { return -1, span(s, l, 25) }, 10, 10, 10, -1, true},
		"the platform's own size":    {func(s, l int) (int, []int) { return -1, span(s, l, 100) }, 0, 0, 100, -1, true},
		"less than the default size": {func(s, l int) (int, []int) { return -1, span(s, l, 99) }, 0, 0, 99, -1, false},
		"a cut page without count":   {func(s, l int) (int, []int) { return -1, span(s, min(l, 500), 950) }, 0, 1000, 500, -1, true},
		"no pages and no count":      {func(_, _ int) (int, []int) { return -1, span(0, 700, 700) }, 0, 500, 700, -1, false},
		"a page cut by the platform": {func(s, l int) (int, []int) { return 25, span(s, 5, 25) }, 0, 10, 5, 25, true},
		"nothing":                    {func(int, int) (int, []int) { return 0, nil }, 0, 10, 0, 0, false},
		"nothing with a count":       {func(int, int) (int, []int) { return 7, nil }, 0, 10, 0, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := clientOf(t, &hostPages{answer: tc.answer}).Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Start: tc.start, Limit: tc.limit}})
			require.NoError(t, err)
			require.NotNil(t, page.Items)
			assert.Len(t, page.Items, tc.items)
			assert.Equal(t, tc.total, page.Total)
			assert.Equal(t, tc.more, page.More)
		})
	}
}
