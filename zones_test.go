package threatconnect_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// The zone that TZ names is the one that the tests run in: a zone that cannot be found would be UTC,
// and a run with it would prove nothing.
func TestTheZoneOfTZIsTheLocalOne(t *testing.T) {
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

// Whatever zone a date is in, it goes out in UTC and comes back in UTC.
func TestDatesOnTheWireAreInUTC(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 3, 8, 23, 45, 6, 0, time.UTC) // another day in Kolkata
	const want = "2026-03-08T23:45:06Z"
	ctx := t.Context()
	for _, at := range []time.Time{moment, moment.Local(), moment.In(time.FixedZone("", 5*3600+1800)), moment.In(time.FixedZone("", -5*3600))} {
		for name, call := range map[string]func(c *tc.Client) error{
			"a filter": func(c *tc.Client) error {
				_, err := c.Indicators.List(ctx, &tc.IndicatorListOptions{Filters: tc.Filters{tc.ByDateAdded.After(at)}})
				return err
			},
			"modified since": func(c *tc.Client) error {
				_, err := c.Indicators.List(ctx, &tc.IndicatorListOptions{ModifiedSince: at})
				return err
			},
			"deleted since": func(c *tc.Client) error {
				_, err := tc.Collect(c.Indicators.Deleted(ctx, &tc.DeletedOptions{Since: at}))
				return err
			},
			"an event's date": func(c *tc.Client) error {
				_, err := c.Groups.Incidents.Create(ctx, tc.NewIncident("x", at))
				return err
			},
			"a task's date": func(c *tc.Client) error { _, err := c.Tasks.Create(ctx, &tc.Task{Name: "x", DueDate: at}); return err },
			"a metric's date": func(c *tc.Client) error {
				return c.Metrics.Add(ctx, "m", tc.MetricPoint{Value: new(int64(1)), Date: at})
			},
			"an observation's": func(c *tc.Client) error {
				return c.Indicators.Observe(ctx, tc.NewHost("a.example"), tc.Observation{Count: 1, Date: at})
			},
			"a file occurrence's": func(c *tc.Client) error {
				_, err := c.FileOccurrences.Add(ctx, tc.NewFile("d41d8cd98f00b204e9800998ecf8427e"), tc.FileOccurrence{FileName: "x", Date: at})
				return err
			},
			"a batch item's dates": func(c *tc.Client) error { return importDate(t, c, at) },
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
func importDate(t *testing.T, c *tc.Client, at time.Time) error {
	t.Helper()
	h := tc.NewHost("a.example")
	h.FirstSeen = at
	w, err := c.Batch.NewWriter(t.Context(), tc.BatchConfig{Owner: "Example Source", Action: tc.BatchCreate, Attributes: tc.WriteAppend})
	require.NoError(t, err)
	require.NoError(t, w.Add(t.Context(), h))
	return w.Close(t.Context())
}
