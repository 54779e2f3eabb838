package threatconnect_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestBulkReportsAgainstTheServer(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"as usual": 0, "with every oddity": threatconnecttest.OddityAll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
				client := srv.Client()
				add := func(summary string, rating *float64) {
					t.Helper()
					require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: summary, Rating: rating, Tags: []string{"Example"}}))
				}
				three := 3.0
				add("www.example.com", &three)
				_, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrNotFound, "not switched on")
				require.NoError(t, srv.SetBulkReports("Example Source", threatconnecttest.BulkReports{JSON: true, CSV: true, Duration: 10 * time.Minute}))

				before, err := client.InOwner("Example Source").Bulk.Status(t.Context())
				require.NoError(t, err)
				assert.True(t, before.JSONEnabled && before.CSVEnabled)
				add("www.example.net", nil)
				time.Sleep(time.Hour)
				require.NoError(t, client.InOwner("Example Source").Bulk.Run(t.Context(), threatconnect.BulkJSON))
				old, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.NoError(t, err)
				assert.Len(t, old, 1, "the latest finished report is the old one")

				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				now, err := client.InOwner("Example Source").Bulk.Wait(ctx, before)
				require.NoError(t, err)
				assert.True(t, now.LastRun.After(before.LastRun))
				all, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.NoError(t, err)
				require.Len(t, all, 2)
				assert.Equal(t, "Example", all[0].Meta().Tags[0].Name)
				rows, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.CSV(t.Context()))
				require.NoError(t, err)
				assert.Equal(t, []threatconnect.BulkRow{{Type: threatconnect.TypeHost, Value: "www.example.com", Rating: &three}, {Type: threatconnect.TypeHost, Value: "www.example.net"}}, rows)

				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultTruncate, Route: "/v2/indicators/bulk/{format}"}))
				_, err = threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrBadResponse)
				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultCutBody, Route: "/v2/indicators/bulk/{format}", Times: -1}))
				_, err = threatconnect.Collect(client.InOwner("Example Source").Bulk.CSV(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrBadResponse)
				srv.ClearFaults()

				require.NoError(t, srv.SetBulkReports("Example Source", threatconnecttest.BulkReports{JSON: true, Duration: time.Minute, Fail: true}))
				require.NoError(t, client.InOwner("Example Source").Bulk.Run(t.Context(), threatconnect.BulkJSON))
				_, err = client.InOwner("Example Source").Bulk.Wait(ctx, now)
				require.ErrorIs(t, err, threatconnect.ErrBulkFailed)
			})
		})
	}
}
