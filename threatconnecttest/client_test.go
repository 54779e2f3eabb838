package threatconnecttest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// The client reads all shapes of responses.
func TestClientReadsEveryOddity(t *testing.T) {
	t.Parallel()
	sets := map[string]threatconnecttest.Oddity{"none": 0, "all": threatconnecttest.OddityAll &^
		(threatconnecttest.OddityCreateRefusesExists | threatconnecttest.OddityEmptyAs404)}
	for bit := threatconnecttest.Oddity(1); bit < threatconnecttest.OddityAll; bit <<= 1 {
		sets[fmt.Sprintf("bit %d", bit)] = bit
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(set))
			client, ctx := srv.Client(), t.Context()
			made := []threatconnect.Indicator{
				threatconnect.NewAddress("2001:db8::1"), threatconnect.NewEmailAddress("Bad@example.com"),
				threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e"), threatconnect.NewHost("WWW.example.com"),
				threatconnect.NewURL("http://example.com/A[b]?x=%2F"), threatconnect.NewASN("64496"), threatconnect.NewCIDR("2001:db8::/32"),
				threatconnect.NewMutex(`Global\x`), threatconnect.NewRegistryKey(`HKLM\Software`, "", "REG_SZ"), threatconnect.NewUserAgent("Example/1.0"),
			}
			for _, in := range made {
				_, err := client.Indicators.Create(ctx, in)
				require.NoError(t, err, "%T", in)
				require.NoError(t, client.Tags.Add(ctx, in, "A/B"), "%T", in)
			}
			all, err := threatconnect.Collect(client.Indicators.All(ctx, &threatconnect.IndicatorListOptions{
				Include: threatconnect.Include{Tags: true}}))
			require.NoError(t, err)
			assert.Len(t, all, len(made))
			host := threatconnect.NewHost("www.example.com")
			require.NoError(t, client.Indicators.Observe(ctx, host, threatconnect.Observation{Count: 2}))
			seen, err := client.Indicators.Observations(ctx, host)
			require.NoError(t, err)
			assert.Len(t, seen, 1)
			owners, err := client.Indicators.Owners(ctx, host)
			require.NoError(t, err)
			assert.Len(t, owners, 1)

			g, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("x", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
			require.NoError(t, err)
			assert.NotZero(t, g.ID)
			groups, err := threatconnect.Collect(client.Groups.All(ctx, nil))
			require.NoError(t, err)
			assert.Len(t, groups, 1)
			everyone, err := threatconnect.Collect(client.Owners.All(ctx, nil))
			require.NoError(t, err)
			assert.Len(t, everyone, 3)
			_, err = client.Groups.Threats.Get(ctx, 99, nil)
			assert.ErrorIs(t, err, threatconnect.ErrNotFound)
		})
	}
}

// Coverage tests find only routes that are spelled as in this list. It contains the operations of the
// v2 API that are documented or that TcEx uses.
func TestRoutesMatchEndpointList(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../testdata/endpoints.txt")
	require.NoError(t, err)
	known := strings.Split(string(list), "\n")
	patterns := threatconnecttest.Routes()
	assert.Greater(t, len(patterns), 70)
	known = append(known, "GET /appAuth", "POST /v2/indicators/{type}/{indicator}/indicators/{associatedIndicatorType}/{associatedIndicator}")
	for _, p := range patterns {
		assert.Contains(t, known, p)
	}
}
