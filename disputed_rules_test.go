package threatconnect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// disputedRules are the readings of rules that the test server does not follow by default.
const disputedRules = threatconnecttest.OddityEventDateRequired | threatconnecttest.OddityUploadTypeRequired |
	threatconnecttest.OddityDataStoreNeedsToken | threatconnecttest.OddityBareIndicatorLinks | threatconnecttest.OddityIDsOfEveryOwner |
	threatconnecttest.OddityExactTypeNames

// The client works with both readings of every rule about which the documentation and live tests
// disagree.
func TestEitherReadingOfDisputedRules(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"default": 0, "other": disputedRules} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx, at := srv.ClientAs(threatconnect.Token(srv.Token())), t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			for _, owner := range []string{"Example Organization", "Example Community"} {
				in := client.InOwner(owner)
				incident, err := in.Groups.Incidents.Create(ctx, threatconnect.NewIncident("x", at))
				require.NoError(t, err)
				assert.Equal(t, at, incident.EventDate)
				event, err := in.Groups.Events.Create(ctx, threatconnect.NewEvent("x", at))
				require.NoError(t, err)
				assert.Equal(t, at, event.EventDate)
				document, err := in.Groups.Documents.Create(ctx, threatconnect.NewDocument("x", "x.txt"))
				require.NoError(t, err)
				require.NoError(t, in.Groups.Documents.Upload(ctx, document.ID, threatconnect.BytesContent([]byte("x")), nil))
				report, err := in.Groups.Reports.Create(ctx, threatconnect.NewReport("x", "x.txt"))
				require.NoError(t, err)
				require.NoError(t, in.Groups.Reports.Upload(ctx, report.ID, threatconnect.BytesContent([]byte("x")), nil))
			}
			store, err := threatconnect.DataStoreOf[map[string]int](client, threatconnect.DataStoreOrganization, "x")
			require.NoError(t, err)
			require.NoError(t, store.Put(ctx, "a", map[string]int{"a": 1}))
		})
	}
}

// An event or incident without a date is sent without one: the platform sets the date, or refuses it.
func TestTheDateOfAnEventIsLeftToThePlatform(t *testing.T) {
	t.Parallel()
	for _, g := range []threatconnect.Group{threatconnect.NewEvent("x", time.Time{}), threatconnect.NewIncident("x", time.Time{})} {
		srv := threatconnecttest.NewT(t)
		made, err := srv.Client().Groups.Create(t.Context(), g)
		require.NoError(t, err)
		assert.JSONEq(t, `{"name":"x"}`, string(srv.Requests()[0].Body))
		var date time.Time
		switch made := made.(type) {
		case *threatconnect.Event:
			date = made.EventDate
		case *threatconnect.Incident:
			date = made.EventDate
		}
		assert.WithinDuration(t, time.Now(), date, time.Minute)

		srv.SetOddities(threatconnecttest.OddityEventDateRequired)
		_, err = srv.Client().Groups.Create(t.Context(), g)
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	}
}
