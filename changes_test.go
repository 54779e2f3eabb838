package threatconnect_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// changesSince returns all changes as "+value" and "-value", and the next cursor after a round trip through JSON.
func changesSince(t *testing.T, c *threatconnect.Client, cursor threatconnect.Cursor, opts *threatconnect.ChangeOptions) ([]string, threatconnect.Cursor) {
	t.Helper()
	changes := c.Changes(t.Context(), cursor, opts)
	got := []string{}
	for change, err := range changes.All() {
		require.NoError(t, err)
		assert.Equal(t, change.Deleted, change.Indicator == nil)
		got = append(got, map[bool]string{true: "-", false: "+"}[change.Deleted]+change.Ref.Value)
	}
	b, err := json.Marshal(changes.Cursor())
	require.NoError(t, err)
	var next threatconnect.Cursor
	require.NoError(t, json.Unmarshal(b, &next))
	assert.False(t, next.IsZero())
	return got, next
}

func TestChangesAcrossRuns(t *testing.T) {
	t.Parallel()
	for name, odd := range relatedOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
				c, ctx := srv.Client(), t.Context()
				hosts := c.Indicators.Hosts
				create := func(names ...string) {
					for _, name := range names {
						_, err := hosts.Create(ctx, threatconnect.NewHost(name))
						require.NoError(t, err)
					}
				}
				var cursor threatconnect.Cursor
				next := func(want ...string) {
					t.Helper()
					var got []string
					got, cursor = changesSince(t, c, cursor, nil)
					assert.ElementsMatch(t, want, got)
				}
				next() // an owner without indicators
				create("gone.example")
				require.NoError(t, hosts.Delete(ctx, "gone.example"))
				create("a.example", "b.example", "c.example")
				next("+a.example", "+b.example", "+c.example")
				next()

				time.Sleep(time.Minute) // within the overlap
				require.NoError(t, hosts.Delete(ctx, "a.example"))
				require.NoError(t, hosts.Delete(ctx, "b.example"))
				create("b.example", "d.example")
				next("-a.example", "-b.example", "+b.example", "+d.example")
				next()

				time.Sleep(time.Hour)
				create("e.example")
				next("+e.example")
				time.Sleep(time.Hour)
				next()
				create("a.example")
				next("+a.example")
				next()
			})
		})
	}
}

// Changes must include one from the same second as the last run, one that becomes visible late, and
// an inactive indicator.
func TestChangesIncludeLateAndInactiveIndicators(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		c := srv.Client()
		rate := func(rating float64) {
			host := threatconnect.NewHost("a.example")
			host.Rating = &rating
			_, err := c.Indicators.Hosts.Create(t.Context(), host)
			require.NoError(t, err)
		}
		rate(1)
		got, cursor := changesSince(t, c, threatconnect.Cursor{}, nil)
		assert.Equal(t, []string{"+a.example"}, got)
		rate(2)
		got, cursor = changesSince(t, c, cursor, nil)
		assert.Equal(t, []string{"+a.example"}, got)

		time.Sleep(time.Hour)
		rate(3)
		_, cursor = changesSince(t, c, cursor, nil)
		seedIndicators(t, srv,
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "late.example", LastModified: time.Now().Add(-9 * time.Minute)},
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "inactive.example", Inactive: true})
		got, cursor = changesSince(t, c, cursor, nil)
		assert.ElementsMatch(t, []string{"+late.example", "+inactive.example"}, got)
		got, _ = changesSince(t, c, cursor, nil)
		assert.Empty(t, got)
	})
}

// The cursor must advance only after the loop has received all changes.
func TestInterruptedChangesKeepCursor(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for i := range 30 {
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("h%d.example", i)})
	}
	c := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	_, cursor := changesSince(t, c, threatconnect.Cursor{}, nil)
	seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "new.example"})
	opts := &threatconnect.ChangeOptions{Limit: 10}
	changes := c.Changes(t.Context(), cursor, opts)
	assert.Equal(t, cursor, changes.Cursor())
	for _, err := range changes.All() {
		require.NoError(t, err)
		break
	}
	assert.Equal(t, cursor, changes.Cursor())
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/indicators", Skip: 2, Status: http.StatusServiceUnavailable}))
	require.ErrorIs(t, relatedErr(changes.All()), threatconnect.ErrUnavailable)
	assert.Equal(t, cursor, changes.Cursor())
	var got []string
	for change, err := range changes.All() { // again, from the start of the run
		require.NoError(t, err)
		assert.Equal(t, cursor, changes.Cursor())
		got = append(got, change.Ref.Value)
	}
	assert.Equal(t, []string{"new.example"}, got)
	assert.NotEqual(t, cursor, changes.Cursor())
}

func TestChangesRejectInvalidArguments(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	ctx := t.Context()
	_, cursor := changesSince(t, threatconnecttest.NewT(t).Client(), threatconnect.Cursor{}, nil)
	var none context.Context
	for name, changes := range map[string]*threatconnect.Changes{
		"cursor is of another owner": c.Changes(ctx, cursor, nil),
		"cursor has a source":        c.Changes(ctx, threatconnect.Cursor{Source: strings.Repeat("a", 4097)}, nil),
		"cursor is of another ":      c.InOwner("B").Changes(ctx, threatconnect.Cursor{Source: "https://tc.example/api/v2/indicators?owner=A"}, nil),
		"change overlap ":            c.Changes(ctx, threatconnect.Cursor{}, &threatconnect.ChangeOptions{Overlap: 25 * time.Hour}),
		"change limit ":              c.Changes(ctx, threatconnect.Cursor{}, &threatconnect.ChangeOptions{Limit: 1}),
		"header":                     c.Changes(ctx, threatconnect.Cursor{}, &threatconnect.ChangeOptions{CallOptions: threatconnect.CallOptions{Header: http.Header{"Timestamp": {"1"}}}}),
		"context ":                   c.Changes(none, threatconnect.Cursor{}, nil),
		"client ":                    new(threatconnect.Client).Changes(ctx, threatconnect.Cursor{}, nil),
		"client was":                 (*threatconnect.Client)(nil).Changes(ctx, threatconnect.Cursor{}, nil),
		"client was not":             new(threatconnect.Changes),
	} {
		err := relatedErr(changes.All())
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.ErrorContains(t, err, "threatconnect: "+name)
	}
	assert.Empty(t, s.Sent)
}

// Writers create, rate, delete and recreate indicators while changes are read page by page. A replica
// made only from the changes must end equal to the owner, and no change may be delivered twice.
func TestNoChangeIsLostWhileOthersWrite(t *testing.T) {
	t.Parallel()
	for seed := range uint64(scaletest.Size(8)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { followWriters(t, seed) })
		})
	}
}

func followWriters(t *testing.T, seed uint64) {
	srv := threatconnecttest.NewT(t)
	c := srv.Client()
	if seed%2 == 1 { // a wrong clock that no signature reveals
		c = srv.ClientAs(threatconnect.Token(srv.Token()), threatconnect.WithClock(func() time.Time { return time.Now().Add(time.Hour) }))
	}
	var record sync.Mutex
	for i := range 150 {
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("h%d.example", i), Rating: new(float64(i % 6)), LastModified: time.Now().Add(-time.Duration(i) * time.Hour)})
	}
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Method: http.MethodGet, Delay: 900 * time.Millisecond, Times: -1}))
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, w))
		writers.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(time.Duration(1+random.IntN(2000)) * time.Millisecond)
				record.Lock()
				host := threatconnect.NewHost(fmt.Sprintf("h%d.example", random.IntN(200)))
				host.Rating = new(float64(random.IntN(6)))
				var err error
				if random.IntN(3) > 0 {
					if err = c.Indicators.Delete(t.Context(), host); errors.Is(err, threatconnect.ErrNotFound) {
						err = nil
					}
				} else {
					_, err = c.Indicators.Hosts.Create(t.Context(), host)
				}
				assert.NoError(t, err)
				record.Unlock()
			}
		})
	}
	replica := map[string]float64{}
	delivered := map[string]bool{}
	var cursor threatconnect.Cursor
	follow := func() {
		changes := c.Changes(t.Context(), cursor, &threatconnect.ChangeOptions{Limit: 10, Overlap: 2 * time.Second})
		gone := map[string]bool{}
		for change, err := range changes.All() {
			require.NoError(t, err)
			value := change.Ref.Value
			if change.Deleted {
				delete(replica, value)
				gone[value] = true
				continue
			}
			m := change.Indicator.Meta()
			what := fmt.Sprint(value, m.ID, m.LastModified, *m.Rating)
			assert.False(t, delivered[what] && !gone[value], "%s was delivered twice", what)
			delivered[what] = true
			replica[value] = *m.Rating
		}
		cursor = changes.Cursor()
	}
	for range 6 {
		follow()
		time.Sleep(20 * time.Second)
	}
	stop()
	writers.Wait()
	follow()
	want := map[string]float64{}
	for _, i := range srv.Indicators("Example Organization") {
		want[i.Summary] = *i.Rating
	}
	assert.Equal(t, want, replica)
	assert.LessOrEqual(t, len(cursor.Seen), 500)
	assert.True(t, slices.IsSorted(cursor.Seen))
}

func TestCursorJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cursor threatconnect.Cursor
		json   string
	}{
		"the beginning": {threatconnect.Cursor{}, `{"version":1}`},
		"of changes": {threatconnect.Cursor{Source: "https://tc.example/api", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seen: []uint64{7, 1 << 63}},
			`{"version":1,"source":"https://tc.example/api","time":"2026-01-02T03:04:05Z","seen":"AAAAAAAAAAeAAAAAAAAAAA=="}`},
		"of a feed": {threatconnect.Cursor{Source: "https://feed.example/", Position: `W/"é"`}, `{"version":1,"source":"https://feed.example/","position":"W/\"é\""}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal(test.cursor)
			require.NoError(t, err)
			assert.Equal(t, test.json, string(b))
			var back threatconnect.Cursor
			require.NoError(t, json.Unmarshal(b, &back))
			assert.Equal(t, test.cursor, back)
			assert.Equal(t, name == "the beginning", back.IsZero())
		})
	}
	b, err := json.Marshal(threatconnect.Cursor{Seen: []uint64{9, 7, 9}, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))})
	require.NoError(t, err)
	assert.JSONEq(t, `{"version":1,"time":"2026-01-02T02:04:05Z","seen":"AAAAAAAAAAcAAAAAAAAACQ=="}`, string(b))
}

func TestInvalidCursorIsRejected(t *testing.T) {
	t.Parallel()
	many := base64.StdEncoding.EncodeToString(make([]byte, 8*100_001))
	for name, text := range map[string]string{
		"null":                  `null`,
		"nothing":               `{}`,
		"a list":                `[]`,
		"a later version":       `{"version":2,"source":"a"}`,
		"a version as text":     `{"version":"1"}`,
		"an unknown member":     `{"version":1,"offset":3}`,
		"a time without a zone": `{"version":1,"time":"2026-01-02T03:04:05"}`,
		"broken base64":         `{"version":1,"seen":"AAAA!AAAAAc="}`,
		"half a hash":           `{"version":1,"seen":"AAAAAAA="}`,
		"a hash twice":          `{"version":1,"seen":"AAAAAAAAAAcAAAAAAAAABw=="}`,
		"too many hashes":       `{"version":1,"seen":"` + many + `"}`,
		"a long source":         `{"version":1,"source":"` + strings.Repeat("a", 4097) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := threatconnect.Cursor{Source: "before"}
			got := want
			err := json.Unmarshal([]byte(text), &got)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.Contains(t, err.Error(), "threatconnect: cursor ")
			assert.Equal(t, want, got)
			if name == "a later version" {
				assert.Contains(t, err.Error(), "has version 2")
			}
		})
	}
	for name, c := range map[string]threatconnect.Cursor{
		"a long position": {Position: strings.Repeat("a", 4097)},
		"no UTF-8":        {Position: "\xff"},
		"too many hashes": {Seen: make([]uint64, 100_001)},
		"a far time":      {Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := json.Marshal(c)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
}

// A decoded cursor must encode to bounded JSON that decodes to the same cursor.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{`{"version":1}`, `{"version":1,"source":"a","position":"b","time":"2026-01-02T03:04:05.123456789+01:00","seen":"AAAAAAAAAAcAAAAAAAAACQ=="}`,
		`{"version":1,"time":"0000-01-01T00:00:00+14:00"}`, `{"VERSION":1,"version":2}`, `null`, `{"version":1}{}`, "{\"version\":1,\"source\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c threatconnect.Cursor
		if err := c.UnmarshalJSON(b); err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			require.True(t, c.IsZero())
			return
		}
		require.True(t, slices.IsSorted(c.Seen))
		again, err := c.MarshalJSON()
		require.NoError(t, err)
		require.Less(t, len(again), 1_200_000)
		var back threatconnect.Cursor
		require.NoError(t, back.UnmarshalJSON(again))
		require.Equal(t, c, back)
	})
}
