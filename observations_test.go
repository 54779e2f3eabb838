package threatconnect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestObservationsOnTheWire(t *testing.T) {
	t.Parallel()
	const at = "/v2/indicators/hosts/www.example.com"
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := owned(t,
		wiretest.Want{Method: "POST", Target: at + "/observations?owner=Example%20Source", Body: `{"count":2,"dateObserved":"2026-01-02T03:04:05Z"}`},
		wiretest.Want{Target: at + "/observations?owner=Example%20Source&resultLimit=500", Answer: `{"data":{"observation":[{"count":"2","dateObserved":"2026-01-02T03:04:05Z"}]}}`},
		wiretest.Want{Target: at + "/observationCount?owner=Example%20Source", Answer: `{"data":{"observationCount":{"count":9,"lastObserved":"2026-01-02T03:04:05Z","yourCount":2}}}`},
		wiretest.Want{Method: "POST", Target: at + "/falsePositive?owner=Example%20Source", Answer: `{"data":{"falsePositive":{"count":1,"lastReported":"2026-01-02T03:04:05Z"}}}`},
		wiretest.Want{Target: "/v2/indicators/observed?dateObserved=2026-01-01&owner=Another%20Source", Answer: `{"data":{"indicator":[{"summary":"www.example.com","observationCount":3,"lastObserved":"2026-01-02T03:04:05Z","userObservedList":{"userName":"ada","count":1}}]}}`},
		wiretest.Want{Target: "/v2/indicators/deleted?deletedSince=2026-01-02T03%3A04%3A05Z&owner=Example%20Source&resultLimit=500", Answer: `{"data":{"resultCount":1,"indicator":[{"type":"Host","summary":"www.example.com","ownerName":"Example Source","dateAdded":"2026-01-02T03:04:05"}]}}`},
		wiretest.Want{Target: "/v2/indicators/hosts/deleted?owner=Another%20Source&resultLimit=500", Answer: `{"data":{"host":[]}}`},
	)
	require.NoError(t, c.Indicators.Observe(t.Context(), relatedHost, threatconnect.Observation{Count: 2, Date: day}))
	seen, err := c.Indicators.Observations(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Observation{{Count: 2, Date: day}}, seen)
	count, err := c.Indicators.ObservationCount(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.ObservationCount{Count: 9, LastObserved: day, YourCount: 2}, count)
	false1, err := c.Indicators.ReportFalsePositive(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.FalsePositives{Count: 1, LastReported: day}, false1)
	// The day is that of the time's own zone, whatever it is in UTC.
	observed, err := c.InOwner("Another Source").Indicators.Observed(t.Context(), day.In(time.FixedZone("", -5*3600)))
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.ObservedIndicator{{Summary: "www.example.com", Count: 3, LastObserved: day, ByUser: []threatconnect.ObservedBy{{UserName: "ada", Count: 1}}}}, observed)
	gone, err := threatconnect.Collect(c.Indicators.Deleted(t.Context(), &threatconnect.DeletedOptions{Since: day}))
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.DeletedIndicator{{Type: threatconnect.TypeHost, Summary: "www.example.com", Owner: "Example Source", DateAdded: day}}, gone)
	gone, err = threatconnect.Collect(c.InOwner("Another Source").Indicators.Hosts.Deleted(t.Context(), nil))
	require.NoError(t, err)
	assert.Empty(t, gone)

	for _, bad := range []threatconnect.Observation{{}, {Count: -1}, {Count: 1, Date: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		require.ErrorIs(t, c.Indicators.Observe(t.Context(), relatedHost, bad), threatconnect.ErrValidation)
	}
	require.ErrorIs(t, c.Indicators.Observe(t.Context(), relatedIncident, threatconnect.Observation{Count: 1}), threatconnect.ErrValidation)
}

func TestIndicatorTypesOnTheWire(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/types/indicatorTypes?includeAdditional=true&resultLimit=500", Answer: `{"data":{"resultCount":2,"indicator":[
			{"name":"Registry Key","custom":"true","parsable":"false","apiBranch":"registryKeys","apiEntity":"registryKey","casePreference":"sensitive","value1Label":"Key Name","value1Type":"text","value2Label":"Value Name",
			 "value3Label":"Value Type","value3Type":"selectone","value3Option":"REG_SZ;REG_DWORD","regexes":["a","b"]},
			{"name":"Host","custom":"false","parsable":"true","apiBranch":"hosts","apiEntity":"host","keys":{"key1":"hostName"},"regexes":"x"}]}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes/userAgent?includeAdditional=true", Answer: `{"data":{"indicatorType":{"name":"User Agent"}}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes?includeAdditional=true&resultLimit=500", Answer: `{"data":{"resultCount":1,"indicatorType":[{"name":"Crypto Wallet","custom":"true","apiBranch":"wallets","apiEntity":"wallet","value1Label":"Chain"}]}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes/wallet?includeAdditional=true", Answer: `{"data":{"indicatorType":{"name":"Crypto Wallet"}}}`},
	)
	got, err := threatconnect.Collect(c.Types.Indicators(t.Context(), nil))
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, []string{"Key Name", "Value Name", "Value Type"}, got[0].Labels())
	assert.True(t, got[0].Custom)
	assert.Equal(t, "REG_SZ;REG_DWORD", got[0].Values[2].Option)
	assert.Equal(t, []string{"a", "b"}, got[0].Regexes)
	assert.Equal(t, []any{[]string{"hostName"}, true, false, []string{"x"}}, []any{got[1].Labels(), got[1].Parsable, got[1].Custom, got[1].Regexes})
	one, err := c.Types.Indicator(t.Context(), threatconnect.TypeUserAgent)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.TypeUserAgent, one.Name)
	one, err = c.Types.Indicator(t.Context(), "Crypto Wallet")
	require.NoError(t, err)
	assert.EqualValues(t, "Crypto Wallet", one.Name)
	_, err = c.Types.Indicator(t.Context(), "")
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}
