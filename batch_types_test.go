package threatconnect_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// everyIndicator has an indicator of each type.
func everyIndicator() []threatconnect.Indicator {
	file := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	file.Size = new(int64(12))
	file.Occurrences = []threatconnect.FileOccurrence{{FileName: "a.exe", Path: `C:\temp`, Date: batchDay}}
	host := threatconnect.NewHost("www.example.com")
	host.DNSActive, host.WhoisActive = new(true), new(true)
	return []threatconnect.Indicator{
		threatconnect.NewAddress("192.0.2.1"), threatconnect.NewEmailAddress("a@example.com"), file, host,
		threatconnect.NewURL("http://example.com/a?b=c"), threatconnect.NewASN("64500"), threatconnect.NewCIDR("2001:db8::/32"),
		threatconnect.NewMutex("Global\\m"), threatconnect.NewRegistryKey(`HKLM\Software\x`, "", "REG_SZ"), threatconnect.NewUserAgent("curl/8"),
		threatconnect.NewEmailSubject("Invoice : 12"), threatconnect.NewHashtag("#tag"),
		threatconnect.NewCustomIndicator("Wallet", "w : 1", "main"),
	}
}

// everyGroup has a group of each type.
func everyGroup() []threatconnect.Group {
	return []threatconnect.Group{
		threatconnect.NewAdversary("g"), threatconnect.NewAttackPattern("g"), threatconnect.NewCampaign("g"), threatconnect.NewCourseOfAction("g"),
		threatconnect.NewDocument("g", "a.txt"), threatconnect.NewEmail("g", "s", "h", "b"), threatconnect.NewEvent("g", batchDay),
		threatconnect.NewIncident("g", batchDay), threatconnect.NewIntrusionSet("g"), threatconnect.NewMalware("g"), threatconnect.NewReport("g", "r.pdf"),
		threatconnect.NewSignature("g", "a.yar", threatconnect.SignatureYARA, "rule a {}"), threatconnect.NewTactic("g"), threatconnect.NewThreat("g"),
		threatconnect.NewTool("g"), threatconnect.NewVulnerability("g"),
	}
}

func TestEveryTypeArrivesWithWhatItCarries(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"},
	}))
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	groups, indicators := everyGroup(), everyIndicator()
	xid := func(n int) string { return threatconnect.XID("every", fmt.Sprint(n)) }
	for n, g := range groups {
		m := g.Meta()
		m.XID = xid(n)
		m.Tags = []threatconnect.Tag{{Name: "on a group"}}
		m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "group", Displayed: new(true), Pinned: new(true)}}
		m.SecurityLabels = []threatconnect.SecurityLabel{{Name: "TLP:AMBER"}}
		m.GroupXIDs = []string{xid((n + 1) % len(groups))}
		m.Associated = []threatconnect.IndicatorRef{{Type: indicators[n%13].Type(), Value: indicators[n%13].Summary()}}
		if n%13 == 12 {
			m.Associated = nil // a reference by summary cannot tell the two values of this one apart
		}
		addAll(t, w, g)
	}
	for n, ind := range indicators {
		m := ind.Meta()
		m.Rating, m.Confidence, m.Active, m.XID = new(4.5), new(77), new(false), fmt.Sprint("i-", n)
		m.Tags = []threatconnect.Tag{{Name: "on an indicator"}}
		m.Description = "described"
		m.SecurityLabels = []threatconnect.SecurityLabel{{Name: "New Label", Description: "made by the import", Color: "00ff00"}}
		m.GroupXIDs = []string{xid(n)}
		addAll(t, w, ind)
	}
	addAll(t, w,
		&threatconnect.Association{From: threatconnect.IndicatorEnd(indicators[4]), To: threatconnect.IndicatorEnd(threatconnect.NewHost("example.com")), Type: "URL Host"},
		threatconnect.NewHost("example.com"),
	)
	err = w.Close(t.Context())
	require.NoError(t, err, "%+v", failuresOrNone(t, err))
	assert.EqualValues(t, len(groups), w.Stats().Groups.Succeeded)

	all := srv.Indicators(batchOwner)
	require.Len(t, all, len(indicators)+1)
	for n, ind := range indicators {
		got := all[n]
		assert.Equal(t, string(ind.Type()), got.Type)
		assert.Equal(t, []string{"on an indicator"}, got.Tags, got.Type)
		assert.Equal(t, []string{"New Label"}, got.Labels, got.Type)
		assert.Equal(t, 4.5, *got.Rating, got.Type)
		assert.Equal(t, 77, *got.Confidence, got.Type)
		assert.True(t, got.Inactive, got.Type)
		assert.Contains(t, got.Groups, xid(n), got.Type)
		require.Len(t, got.Attributes, 1, got.Type)
		assert.Equal(t, "described", got.Attributes[0].Value)
	}
	assert.EqualValues(t, 12, all[2].Size)
	assert.Equal(t, []threatconnecttest.Occurrence{{FileName: "a.exe", Path: `C:\temp`, Date: batchDay}}, all[2].Occurrences)
	assert.True(t, all[3].DNSActive && all[3].WhoisActive)
	assert.Equal(t, []string{"Host: example.com"}, all[4].Associated)
	assert.Equal(t, "w : 1 : main", all[12].Summary)
	for n, g := range groups {
		got, ok := srv.Group(xid(n))
		require.True(t, ok)
		assert.Equal(t, string(g.Type()), got.Type)
		assert.Equal(t, []string{"on a group"}, got.Tags, got.Type)
		assert.Equal(t, []string{"TLP:AMBER"}, got.Labels, got.Type)
		assert.ElementsMatch(t, []string{xid((n + 1) % 16), xid((n + 15) % 16)}, got.Groups, got.Type)
		if n%13 != 12 {
			assert.NotEmpty(t, got.Indicators, got.Type)
		}
	}
}

func failuresOrNone(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	return failures(t, err)
}
