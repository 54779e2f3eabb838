package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// skewed is a platform whose clock is ahead of the local one. It accepts timestamps up to 5 minutes off.
type skewed struct {
	ahead  time.Duration
	noDate bool
	stuck  bool // refuses every timestamp
	count  int
}

func (p *skewed) RoundTrip(req *http.Request) (*http.Response, error) {
	p.count++
	now := time.Now().Add(p.ahead)
	header := []string{"Date", now.UTC().Format(http.TimeFormat)}
	if p.noDate {
		header = nil
	}
	var unix int64
	if _, err := fmt.Sscan(req.Header.Get("Timestamp"), &unix); err != nil {
		return nil, err
	}
	if off := now.Sub(time.Unix(unix, 0)).Abs(); off > 5*time.Minute || p.stuck {
		return wiretest.Reply(401, `{"status":"Failure","message":"Timestamp out of acceptable time range"}`, header...), nil
	}
	return wiretest.Reply(200, `{"status":"Success","data":{"user":{},"host":{"id":1}}}`, header...), nil
}

func TestClockSkewIsCorrectedOnce(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{6 * time.Minute, -6 * time.Minute, 10 * time.Minute, -10 * time.Minute, 23 * time.Hour, -23 * time.Hour} {
		for name, call := range calls {
			t.Run(name+" "+ahead.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var log bytes.Buffer
					p := &skewed{ahead: ahead}
					c := clientOf(t, p, threatconnect.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
					require.NoError(t, call(t.Context(), c))
					assert.Equal(t, 2, p.count, "the request was not processed, so any method can be retried")
					require.NoError(t, call(t.Context(), c))
					require.NoError(t, call(t.Context(), c))
					assert.Equal(t, 4, p.count, "the offset is kept")
					assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
					assert.Contains(t, log.String(), "offset="+ahead.String())

					// The local clock is corrected. The response that shows this resets the offset.
					p.ahead = 0
					require.NoError(t, call(t.Context(), c))
					assert.Equal(t, 6, p.count)
					require.NoError(t, call(t.Context(), c))
					assert.Equal(t, 7, p.count)
				})
			})
		}
	}
}

func TestClockOffsetFollowsEveryResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &skewed{ahead: 10 * time.Minute}
		c := clientOf(t, p)
		require.NoError(t, calls["GET"](t.Context(), c))
		for range 20 { // the clock drifts by three minutes per call
			p.ahead += 3 * time.Minute
			require.NoError(t, calls["GET"](t.Context(), c))
		}
		assert.Equal(t, 22, p.count)
	})
}

func TestUncorrectableClockReturnsErrClockSkew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		platform skewed
		opts     []threatconnect.Option
		count    int
		says     string
	}{
		"correction is off":          {skewed{ahead: 10 * time.Minute}, []threatconnect.Option{threatconnect.WithoutClockCorrection()}, 1, "clock is about 10m0s behind the platform's"},
		"off, ahead":                 {skewed{ahead: -10 * time.Minute}, []threatconnect.Option{threatconnect.WithoutClockCorrection()}, 1, "clock is about 10m0s ahead of the platform's"},
		"no date":                    {skewed{ahead: 10 * time.Minute, noDate: true}, nil, 1, "no usable Date"},
		"more than a day":            {skewed{ahead: 25 * time.Hour}, nil, 1, "more than a day off"},
		"rejected nevertheless":      {skewed{ahead: 10 * time.Minute, stuck: true}, nil, 2, "clock is about 10m0s behind"},
		"rejected without an offset": {skewed{stuck: true}, nil, 1, "clock is about 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := tc.platform
				_, err := clientOf(t, &p, tc.opts...).Owners.Whoami(t.Context())
				require.ErrorIs(t, err, threatconnect.ErrClockSkew)
				require.ErrorIs(t, err, threatconnect.ErrUnauthorized)
				assert.ErrorContains(t, err, tc.says)
				assert.Equal(t, tc.count, p.count)
			})
		})
	}
}

func TestClockIsReadForEveryAttempt(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 24 * 365 * time.Hour} {
		at := time.Unix(1700000000, 0)
		synctest.Test(t, func(t *testing.T) {
			s := &wiretest.Steps{Do: steps{
				func(*http.Request) (*http.Response, error) {
					at = at.Add(jump)
					return wiretest.Reply(503, "", "Retry-After", "7"), nil
				},
				wiretest.Answer(200, whoami),
			}}
			began := time.Now()
			_, err := clientOf(t, s, threatconnect.WithClock(func() time.Time { return at })).Owners.Whoami(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "1700000000", s.Sent[0].Header.Get("Timestamp"))
			assert.Equal(t, fmt.Sprint(1700000000+int64(jump.Seconds())), s.Sent[1].Header.Get("Timestamp"))
			assert.Less(t, time.Since(began), 9*time.Second, "the wait is not measured by that clock")
		})
	}
}

func TestOneShotBodyIsNotResentAfterClockSkew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &wiretest.Steps{Do: steps{(&skewed{ahead: time.Hour}).RoundTrip}}
		pipe := struct{ io.Reader }{strings.NewReader("example")}
		err := clientOf(t, s).Groups.Documents.Upload(t.Context(), 1, threatconnect.ReaderContent(pipe, -1), nil)
		require.ErrorIs(t, err, threatconnect.ErrClockSkew)
		require.Equal(t, 1, s.Count())
		assert.Nil(t, s.Sent[0].GetBody, "package net/http must not send half of it again")
	})
}

// TestThreatClockCorrectionIsLimited has a platform whose Date headers jump, after and before an offset was
// measured, with signatures and with a token that expires.
func TestThreatClockCorrectionIsLimited(t *testing.T) {
	t.Parallel()
	for jump, believed := range map[time.Duration]bool{
		24 * time.Hour: true, -24 * time.Hour: true, 23 * time.Hour: true,
		24*time.Hour + time.Second: false, -24*time.Hour - time.Second: false, 48 * time.Hour: false, -48 * time.Hour: false, 50 * 365 * 24 * time.Hour: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			const ahead = time.Hour
			p := &skewed{ahead: ahead}
			date := func(*http.Request) (*http.Response, error) {
				return wiretest.Reply(200, whoami, "Date", time.Now().Add(jump).UTC().Format(http.TimeFormat)), nil
			}
			s := &wiretest.Steps{Do: steps{p.RoundTrip, p.RoundTrip, date, wiretest.Answer(200, whoami)}}
			c := clientOf(t, s)
			for range 3 {
				_, err := c.Owners.Whoami(t.Context())
				require.NoError(t, err)
			}
			require.Equal(t, 4, s.Count())
			want := ahead
			if believed {
				want = jump
			}
			assert.Equal(t, strconv.FormatInt(time.Now().Add(want).Unix(), 10), s.Sent[3].Header.Get("Timestamp"), "an offset of %s", jump)
		})
		synctest.Test(t, func(t *testing.T) {
			refuse := func(*http.Request) (*http.Response, error) {
				return wiretest.Reply(401, `{"status":"Failure","message":"Timestamp out of acceptable time range"}`, "Date", time.Now().Add(jump).UTC().Format(http.TimeFormat)), nil
			}
			s := &wiretest.Steps{Do: steps{refuse, wiretest.Answer(200, whoami)}}
			_, err := clientOf(t, s).Owners.Whoami(t.Context())
			assert.Equal(t, believed, err == nil, "%s: %v", jump, err)
			if !believed {
				require.ErrorIs(t, err, threatconnect.ErrClockSkew)
				require.Equal(t, 1, s.Count())
			}
		})
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			source := func(context.Context) (string, time.Time, error) {
				asked++
				return "APIV2:t0k3n", time.Now().Add(12 * time.Hour), nil // the lifetime of the token
			}
			s := &wiretest.Steps{Do: steps{func(*http.Request) (*http.Response, error) {
				return wiretest.Reply(200, whoami, "Date", time.Now().Add(jump).UTC().Format(http.TimeFormat)), nil
			}}}
			c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.TokenFunc(source), threatconnect.WithTransport(s))
			require.NoError(t, err)
			for range 2 {
				_, err := c.Owners.Whoami(t.Context())
				require.NoError(t, err)
			}
			assert.Equal(t, believed && jump > 0, asked == 2, "a token expires by the platform's clock: %s", jump)
		})
	}
}

// The tests must run in the time zone that TZ names. Go uses UTC for an unknown zone, and a run in UTC
// would prove nothing.
func TestLocalZoneIsTZ(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation(os.Getenv("TZ"))
	require.NoError(t, err)
	if os.Getenv("TZ") == "" {
		zone = time.Local
	}
	for _, month := range []time.Month{time.January, time.July} {
		at := time.Date(2026, month, 1, 12, 0, 0, 0, time.UTC)
		_, want := at.In(zone).Zone()
		_, have := at.Local().Zone()
		assert.Equal(t, want, have)
	}
}

// A date of any time zone must be sent in UTC and decoded in UTC.
func TestDatesOnTheWireAreInUTC(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 3, 8, 23, 45, 6, 0, time.UTC) // another day in Kolkata
	const want = "2026-03-08T23:45:06Z"
	ctx := t.Context()
	for _, at := range []time.Time{moment, moment.Local(), moment.In(time.FixedZone("", 5*3600+1800)), moment.In(time.FixedZone("", -5*3600))} {
		for name, call := range map[string]func(c *threatconnect.Client) error{
			"a filter": func(c *threatconnect.Client) error {
				_, err := c.Indicators.List(ctx, &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByDateAdded.After(at)}})
				return err
			},
			"modified since": func(c *threatconnect.Client) error {
				_, err := c.Indicators.List(ctx, &threatconnect.IndicatorListOptions{ModifiedSince: at})
				return err
			},
			"deleted since": func(c *threatconnect.Client) error {
				_, err := threatconnect.Collect(c.Indicators.Deleted(ctx, &threatconnect.DeletedOptions{Since: at}))
				return err
			},
			"an event's date": func(c *threatconnect.Client) error {
				_, err := c.Groups.Incidents.Create(ctx, threatconnect.NewIncident("x", at))
				return err
			},
			"a task's date": func(c *threatconnect.Client) error {
				_, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: "x", DueDate: at})
				return err
			},
			"a metric's date": func(c *threatconnect.Client) error {
				return c.Metrics.Add(ctx, "m", threatconnect.MetricPoint{Value: new(int64(1)), Date: at})
			},
			"an observation's": func(c *threatconnect.Client) error {
				return c.Indicators.Observe(ctx, threatconnect.NewHost("a.example"), threatconnect.Observation{Count: 1, Date: at})
			},
			"a file occurrence's": func(c *threatconnect.Client) error {
				_, err := c.FileOccurrences.Add(ctx, threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e"), threatconnect.FileOccurrence{FileName: "x", Date: at})
				return err
			},
			"a batch item's dates": func(c *threatconnect.Client) error { return importDate(t, c, at) },
		} {
			var sent strings.Builder
			c := clientOf(t, wiretest.Func(func(r *http.Request) (*http.Response, error) {
				sent.WriteString(strings.ReplaceAll(r.URL.RawQuery, "%3A", ":"))
				if r.Body != nil {
					if _, err := io.Copy(&sent, r.Body); err != nil {
						return nil, err
					}
				}
				if r.URL.Path == "/api/v2/batch" {
					return wiretest.Reply(201, `{"status":"Success","data":{"batchId":"1"}}`), nil
				}
				return wiretest.Reply(400, ""), nil
			}))
			require.Error(t, call(c), name)
			assert.Contains(t, sent.String(), want, "%s in %s", name, at.Location())
		}
	}
	for _, text := range []string{want, "2026-03-08T23:45:06", "2026-03-09T05:15:06+05:30", "2026-03-08T18:45:06-05:00Z"} {
		c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"incident":{"id":1,"eventDate":"`+text+`"}}}`)}})
		got, err := c.Groups.Incidents.Get(ctx, 1, nil)
		require.NoError(t, err)
		assert.Equal(t, moment, got.EventDate, text)
	}
}

// importDate imports an item with a date, and returns the error of the upload.
func importDate(t *testing.T, c *threatconnect.Client, at time.Time) error {
	t.Helper()
	h := threatconnect.NewHost("a.example")
	h.FirstSeen = at
	w, err := c.Batch.NewWriter(t.Context(), threatconnect.BatchConfig{Owner: "Example Source", Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteAppend})
	require.NoError(t, err)
	require.NoError(t, w.Add(t.Context(), h))
	return w.Close(t.Context())
}
