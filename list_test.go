package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// hostPages is a platform with a list of hosts.
type hostPages struct {
	mu     sync.Mutex
	asked  []string                            // resultStart+resultLimit
	answer func(start, limit int) (int, []int) // resultCount or -1, and the numbers of the hosts

	queries []url.Values
}

func (p *hostPages) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	q := req.URL.Query()
	start, _ := strconv.Atoi(q.Get("resultStart"))
	limit, err := strconv.Atoi(q.Get("resultLimit"))
	if err != nil {
		limit = 100
	}
	p.queries = append(p.queries, q)
	p.asked = append(p.asked, fmt.Sprintf("%d+%d", start, limit))
	count, numbers := p.answer(start, limit)
	var b strings.Builder
	b.WriteString(`{"status":"Success","data":{`)
	if count >= 0 {
		fmt.Fprintf(&b, `"resultCount":%d,`, count)
	}
	b.WriteString(`"host":[`)
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"hostName":"h%d.example"}`, n+1, n)
	}
	b.WriteString("]}}")
	return wiretest.Reply(200, b.String()), nil
}

// span returns up to limit numbers from start in a list of n.
func span(start, limit, n int) []int {
	var s []int
	for i := start; i < min(start+limit, n); i++ {
		s = append(s, i)
	}
	return s
}

func hosts(t *testing.T, p *hostPages, o threatconnect.ListOptions) ([]*threatconnect.Host, error) {
	t.Helper()
	return untilError(clientOf(t, p).Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: o}))
}

func TestListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(start, limit int) (int, []int)
		start  int
		want   int // how many hosts
		asked  string
	}{
		"a count on every page":        {func(s, l int) (int, []int) { return 25, span(s, l, 25) }, 0, 25, "0+10 10+10 20+10"},
		"a count on the first page":    {func(s, l int) (int, []int) { return map[bool]int{true: 25, false: -1}[s == 0], span(s, l, 25) }, 0, 25, "0+10 10+10 20+10"},
		"a count that is met exactly":  {func(s, l int) (int, []int) { return 20, span(s, l, 20) }, 0, 20, "0+10 10+10"},
		"no count":                     {func(s, l int) (int, []int) { return -1, span(s, l, 25) }, 0, 25, "0+10 10+10 20+10"},
		"no count, met exactly":        {func(s, l int) (int, []int) { return -1, span(s, l, 20) }, 0, 20, "0+10 10+10 20+10"},
		"a start":                      {func(s, l int) (int, []int) { return -1, span(s, l, 25) }, 7, 18, "7+10 17+10"},
		"a start behind the end":       {func(s, l int) (int, []int) { return -1, span(s, l, 25) }, 99, 0, "99+10"},
		"an empty list":                {func(int, int) (int, []int) { return 0, nil }, 0, 0, "0+10"},
		"pages shorter than asked for": {func(s, l int) (int, []int) { return 25, span(s, 6, 25) }, 0, 25, "0+10 6+10 12+10 18+10 24+10"},
		"a list that grows":            {func(s, l int) (int, []int) { return min(35, 15+s), span(s, l, min(35, 15+s)) }, 0, 35, "0+10 10+10 20+10 30+10"},
		"a list that grows in silence": {func(s, l int) (int, []int) {
			return map[bool]int{true: 15, false: -1}[s == 0], span(s, l, min(30, 15+s))
		}, 0, 30, "0+10 10+10 20+10 30+10"},
		"a list that shrinks":           {func(s, l int) (int, []int) { return 30 - s, span(s, l, 30-s) }, 0, 20, "0+10 10+10 20+10"},
		"a count that is far too small": {func(s, l int) (int, []int) { return 3, span(s, l, 25) }, 0, 25, "0+10 10+10 20+10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &hostPages{answer: tc.answer}
			got, err := hosts(t, p, threatconnect.ListOptions{Start: tc.start, Limit: 10})
			require.NoError(t, err)
			assert.Equal(t, tc.asked, strings.Join(p.asked, " "))
			require.Len(t, got, tc.want)
			for i, h := range got {
				assert.Equal(t, fmt.Sprintf("h%d.example", tc.start+i), h.HostName)
			}
		})
	}
}

// TestListsWithoutTotalCount checks lists without a count. A page shorter than the limit may not be
// the last one: the platform may have cut it.
func TestListsWithoutTotalCount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(start, limit int) []int
		limit  int
		want   int
		asked  string
	}{
		"pages are cut to 500": {func(s, l int) []int { return span(s, min(l, 500), 950) }, 1000, 950, "0+1000 500+1000 950+1000"},
		"pages are cut to 100": {func(s, l int) []int { return span(s, min(l, 100), 250) }, 0, 250, "0+500 100+500 200+500"},
		"a short list":         {func(s, l int) []int { return span(s, l, 99) }, 0, 99, "0+500"},
		"a list of 100":        {func(s, l int) []int { return span(s, l, 100) }, 0, 100, "0+500 100+500"},
		"more than was asked for, because there are no pages":      {func(_, _ int) []int { return span(0, 700, 700) }, 0, 700, "0+500"},
		"as much as was asked for, because there are no pages":     {func(_, _ int) []int { return span(0, 500, 500) }, 0, 500, "0+500 500+500 0+499"},
		"less than was asked for, because there are no pages":      {func(_, _ int) []int { return span(0, 300, 300) }, 0, 300, "0+500 300+500 0+299"},
		"less than a server would cut, because there are no pages": {func(_, _ int) []int { return span(0, 30, 30) }, 0, 30, "0+500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &hostPages{answer: func(start, limit int) (int, []int) { return -1, tc.answer(start, limit) }}
			got, err := hosts(t, p, threatconnect.ListOptions{Limit: tc.limit})
			require.NoError(t, err)
			assert.Equal(t, tc.asked, strings.Join(p.asked, " "))
			require.Len(t, got, tc.want)
			for i, h := range got {
				assert.Equal(t, fmt.Sprintf("h%d.example", i), h.HostName)
			}
			p = &hostPages{answer: p.answer}
			got, err = hosts(t, p, threatconnect.ListOptions{Limit: tc.limit, Ahead: 4})
			require.NoError(t, err)
			assert.Len(t, got, tc.want)
		})
	}
}

// TestEmptyPageDoesNotEndList checks that an empty page is requested again, and then is an error,
// as long as the count says that more items follow.
func TestEmptyPageDoesNotEndList(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(n, start, limit int) (int, []int) // n counts the requests
		want   int
		asked  string
		fails  bool
	}{
		"at the first page": {func(_, _, _ int) (int, []int) { return 7, nil }, 0, "0+10 0+1 0+10 0+1 0+10 0+1 0+10", true},
		"at the second page": {func(_, s, l int) (int, []int) { return map[bool]int{true: 25, false: -1}[s == 0], span(s, l, 10) }, 10,
			"0+10 10+10 0+1 10+10 0+1 10+10 0+1 10+10", true},
		"less than a page before the end": {func(_, s, l int) (int, []int) { return map[bool]int{true: 12, false: -1}[s == 0], span(s, l, 10) }, 10,
			"0+10 10+10 0+1 10+10 0+1 10+10 0+1 10+10", true},
		"of a list that no longer says how long it is": {func(n, s, l int) (int, []int) { return map[bool]int{true: 25, false: -1}[n == 0], span(s, l, 10) }, 10,
			"0+10 10+10 0+1 10+10 0+1 10+10 0+1 10+10", true},
		"once": {func(n, s, l int) (int, []int) {
			if n == 1 {
				return -1, nil
			}
			return 25, span(s, l, 25)
		}, 25, "0+10 10+10 0+1 10+10 20+10", false},
		"because the list has become shorter": {func(n, s, l int) (int, []int) {
			if n == 0 {
				return 25, span(s, l, 25)
			}
			return map[bool]int{true: 10, false: -1}[s == 0], span(s, l, 10)
		}, 10, "0+10 10+10 0+1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p *hostPages
			p = &hostPages{answer: func(start, limit int) (int, []int) { return tc.answer(len(p.asked)-1, start, limit) }}
			got, err := hosts(t, p, threatconnect.ListOptions{Limit: 10})
			assert.Equal(t, tc.asked, strings.Join(p.asked, " "))
			assert.Len(t, got, tc.want, "the items before the empty page")
			if !tc.fails {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.ErrorContains(t, err, "by its resultCount the list goes on")
		})
	}
}

// foreignAnswers are responses from a proxy or gateway, or from the platform about something else. None of
// them ends a list.
var foreignAnswers = map[string]func(*http.Request) (*http.Response, error){
	"the text of an ingress":                  wiretest.Answer(404, "default backend - 404", "Content-Type", "text/plain"),
	"the JSON of a gateway":                   wiretest.Answer(404, `{"message":"no Route matched with those values"}`),
	"the JSON of a proxy":                     wiretest.Answer(404, `{"error":"route_not_found"}`),
	"the JSON of a framework":                 wiretest.Answer(404, `{"timestamp":"2026-11-28T00:00:00Z","status":404,"error":"Not Found","path":"/api/v2"}`),
	"a page":                                  wiretest.Answer(404, "<html>not found</html>", "Content-Type", "text/html"),
	"nothing":                                 wiretest.Answer(404, ""),
	"a message without a status in a success": wiretest.Answer(200, `{"message":"ok"}`),
}

func TestForeignResponsesDoNotEndList(t *testing.T) {
	t.Parallel()
	for name, step := range foreignAnswers {
		for _, ahead := range []int{0, 4} {
			t.Run(fmt.Sprintf("%s, ahead %d", name, ahead), func(t *testing.T) {
				t.Parallel()
				p := &hostPages{answer: func(s, l int) (int, []int) { return map[bool]int{true: 10_000, false: -1}[s == 0], span(s, l, 10_000) }}
				rt := wiretest.Func(func(r *http.Request) (*http.Response, error) {
					if start, _ := strconv.Atoi(r.URL.Query().Get("resultStart")); start >= 1000 {
						return step(r)
					}
					return p.RoundTrip(r)
				})
				got, err := untilError(clientOf(t, rt, quick).Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Ahead: ahead}}))
				require.Error(t, err)
				assert.Len(t, got, 1000)
			})
		}
		t.Run(name+" from the start", func(t *testing.T) {
			t.Parallel()
			c := clientOf(t, &wiretest.Steps{Do: steps{step}}, quick)
			host := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "a.example"}
			for what, list := range map[string]func() error{
				"indicators": func() error { _, err := untilError(c.Indicators.All(t.Context(), nil)); return err },
				"a page":     func() error { _, err := c.Groups.List(t.Context(), nil); return err },
				"owners":     func() error { _, err := c.Owners.List(t.Context(), nil); return err },
				"tags":       func() error { _, err := c.Tags.On(t.Context(), host); return err },
				"groups of an indicator": func() error {
					_, err := untilError(c.Associations.Groups(t.Context(), host, nil))
					return err
				},
				"playbooks":       func() error { _, err := c.Playbooks.List(t.Context(), nil); return err },
				"found playbooks": func() error { _, err := untilError(c.Playbooks.All(t.Context(), nil)); return err },
			} {
				require.Error(t, list(), what)
			}
		})
	}
}

// TestNotFoundDoesNotEndList checks that "not found" is an error if it is the response for a later page.
func TestNotFoundDoesNotEndList(t *testing.T) {
	t.Parallel()
	const missing = `{"status":"Failure","message":"The requested resource was not found"}`
	host := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "a.example"}
	for name, read := range map[string]func(c *threatconnect.Client) (int, error){
		"hosts": func(c *threatconnect.Client) (int, error) {
			got, err := untilError(c.Indicators.Hosts.All(t.Context(), nil))
			return len(got), err
		},
		"below an indicator": func(c *threatconnect.Client) (int, error) {
			got, err := untilError(c.Associations.Indicators(t.Context(), host, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
			return len(got), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &hostPages{answer: func(s, l int) (int, []int) { return -1, span(s, l, 500) }}
			rt := wiretest.Func(func(r *http.Request) (*http.Response, error) {
				if start, _ := strconv.Atoi(r.URL.Query().Get("resultStart")); start > 0 {
					return wiretest.Reply(404, missing), nil
				}
				return p.RoundTrip(r)
			})
			n, err := read(clientOf(t, rt))
			require.ErrorIs(t, err, threatconnect.ErrNotFound)
			assert.Equal(t, 500, n)
		})
	}
}

// TestRepeatedPageIsDetectedDespiteChangingFields checks that a repeated page is detected even if the scores of its
// items change. The platform ignores resultStart.
func TestRepeatedPageIsDetectedDespiteChangingFields(t *testing.T) {
	t.Parallel()
	n := 0
	rt := wiretest.Func(func(r *http.Request) (*http.Response, error) {
		n++
		limit, _ := strconv.Atoi(r.URL.Query().Get("resultLimit"))
		var items []string
		for i := range limit {
			items = append(items, fmt.Sprintf(`{"threatAssessScore":%d,"id":%d,"hostName":"h%d.example"}`, n, i+1, i))
		}
		return wiretest.Reply(200, fmt.Sprintf(`{"status":"Success","took":%d,"data":{"host":[%s]}}`, n, strings.Join(items, ","))), nil
	})
	got, err := untilError(clientOf(t, rt).Indicators.Hosts.All(t.Context(), nil))
	require.ErrorIs(t, err, threatconnect.ErrBadResponse)
	assert.Len(t, got, 500)
	assert.LessOrEqual(t, n, 3)
}

func TestRepeatedPageReturnsErrBadResponse(t *testing.T) {
	t.Parallel()
	for count, asked := range map[int]string{-1: "0+10 10+10 0+9", 1000: "0+10 10+10"} {
		p := &hostPages{answer: func(_, l int) (int, []int) { return count, span(0, l, 10) }}
		got, err := hosts(t, p, threatconnect.ListOptions{Limit: 10})
		require.ErrorIs(t, err, threatconnect.ErrBadResponse)
		assert.ErrorContains(t, err, "the same page twice")
		assert.Len(t, got, 10)
		assert.Equal(t, asked, strings.Join(p.asked, " "))
	}
}

// TestLaterRepeatedPageReturnsErrBadResponse checks that a repeated page is an error after different pages,
// too. The platform ignores the limit and advances only once.
func TestLaterRepeatedPageReturnsErrBadResponse(t *testing.T) {
	t.Parallel()
	p := &hostPages{answer: func(start, _ int) (int, []int) { return -1, span(min(start, 10), 10, 100) }}
	got, err := hosts(t, p, threatconnect.ListOptions{Limit: 10})
	require.ErrorIs(t, err, threatconnect.ErrBadResponse)
	assert.Len(t, got, 20)
	assert.Equal(t, "0+10 10+10 20+10", strings.Join(p.asked, " "))
}

func TestNothingFoundIsAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(*http.Request) (*http.Response, error){
		"404":             wiretest.Answer(404, `{"status":"Failure","message":"The requested resource was not found"}`),
		"404 and Error":   wiretest.Answer(404, `{"status":"Error","message":"The requested resource was not found"}`),
		"404 as a text":   wiretest.Answer(404, "The requested resource was not found", "Content-Type", "text/plain"),
		"200 and Failure": wiretest.Answer(200, `{"status":"Failure","message":"The requested resource was not found"}`),
		"no key":          wiretest.Answer(200, `{"status":"Success","data":{}}`),
		"no data":         wiretest.Answer(200, successes),
		"null":            wiretest.Answer(200, `{"status":"Success","data":{"indicator":null}}`),
		"an empty list":   wiretest.Answer(200, `{"status":"Success","data":{"indicator":[]}}`),
	} {
		got, err := threatconnect.Collect(clientOf(t, &wiretest.Steps{Do: steps{step}}).Indicators.All(t.Context(), nil))
		require.NoError(t, err, name)
		assert.NotNil(t, got)
		assert.Empty(t, got)
	}
	// A page that is not from the API, and the list of a missing resource, are not empty lists.
	_, err := threatconnect.Collect(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(404, "<html>")}}).Indicators.All(t.Context(), nil))
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	_, err = threatconnect.Collect(clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(404, `{"message":"The requested resource was not found"}`)}}).Owners.Metrics(t.Context(), 7, nil))
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

func TestRetryDiscardsItemsOfFailedAttempt(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"indicator":[{"type":"Host","summary":"a.example"},{"ty`), wiretest.Answer(200, `{"status":"Success","data":{}}`)}}
	got, err := threatconnect.Collect(clientOf(t, s, quick).Indicators.All(t.Context(), nil))
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Equal(t, 2, s.Count())
}

func TestListSequences(t *testing.T) {
	t.Parallel()
	newPages := func() *hostPages {
		return &hostPages{answer: func(s, l int) (int, []int) { return 25, span(s, l, 25) }}
	}
	t.Run("nothing is asked for before the range", func(t *testing.T) {
		t.Parallel()
		p := newPages()
		clientOf(t, p).Indicators.Hosts.All(t.Context(), nil)
		assert.Empty(t, p.asked)
	})
	t.Run("ranged over twice, and at the same time", func(t *testing.T) {
		t.Parallel()
		opts := &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 10}}
		seq := clientOf(t, newPages()).Indicators.Hosts.All(t.Context(), opts)
		opts.Start, opts.Limit = 20, 1 // changes after the call have no effect
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 2 {
					n := 0
					for h, err := range seq {
						if assert.NoError(t, err) {
							assert.Equal(t, fmt.Sprintf("h%d.example", n), h.HostName)
						}
						n++
					}
					assert.Equal(t, 25, n)
				}
			})
		}
		wg.Wait()
	})
	t.Run("deleted ones at the same time", func(t *testing.T) {
		t.Parallel()
		p := &hostPages{answer: func(s, l int) (int, []int) { return 25, span(s, l, 25) }}
		seq := clientOf(t, p).Indicators.Hosts.Deleted(t.Context(), &threatconnect.DeletedOptions{ListOptions: threatconnect.ListOptions{Limit: 10}})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got, err := threatconnect.Collect(seq)
				assert.NoError(t, err)
				assert.Len(t, got, 25)
			})
		}
		wg.Wait()
	})
	t.Run("left early", func(t *testing.T) {
		t.Parallel()
		p := newPages()
		n := 0
		for range clientOf(t, p).Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 10}}) {
			if n++; n == 10 {
				break
			}
		}
		assert.Equal(t, []string{"0+10"}, p.asked, "a page is requested only after the previous one is used up")
	})
	t.Run("a consumer that panics", func(t *testing.T) {
		t.Parallel()
		p := newPages()
		seq := clientOf(t, p).Indicators.Hosts.All(t.Context(), nil)
		assert.PanicsWithValue(t, "mine", func() {
			for range seq {
				panic("mine")
			}
		})
		got, err := threatconnect.Collect(seq)
		require.NoError(t, err)
		assert.Len(t, got, 25)
	})
	t.Run("cancelled in the middle", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		n := 0
		for _, err := range clientOf(t, newPages()).Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 10}}) {
			if err != nil {
				last = err
				continue // the error ends the sequence although the loop continues
			}
			if n++; n == 3 {
				cancel()
			}
		}
		require.ErrorIs(t, last, context.Canceled)
		assert.Equal(t, 10, n)
	})
}

// untilError returns the items that a sequence yields before an error, and the error.
func untilError[T any](seq iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

func TestCollectReturnsAllItemsOrNone(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	got, err := threatconnect.Collect(func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, boom)
	})
	require.ErrorIs(t, err, boom)
	assert.Nil(t, got, "a partial list must not look complete")
	none, err := threatconnect.Collect(func(func(int, error) bool) {})
	require.NoError(t, err)
	assert.NotNil(t, none)
}
