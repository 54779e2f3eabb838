package threatconnect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestOwnersOnTheWire(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/owners?resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":2,"owner":[{"id":0,"name":"Example Org","type":"Organization"},{"id":"3","name":"Example Source","type":"Source"}]}}`},
		wiretest.Want{Target: "/v2/owners/0", Answer: `{"status":"Success","data":{"resultCount":1,"owner":{"id":0,"name":"Example Org","type":"Organization"}}}`},
		wiretest.Want{Target: "/v2/owners/mine", Answer: `{"status":"Success","data":{"resultCount":1,"owner":{"id":1,"name":"Example Org","type":"Organization"}}}`},
		wiretest.Want{Target: "/v2/owners/mine/members?resultLimit=500", Answer: `{"status":"Success","data":{"user":[{"userName":"ada","firstName":"Ada","lastName":"E"}]}}`},
		wiretest.Want{Target: "/v2/owners/mine/members?resultLimit=500", Answer: `{"anonymous":true,"members":[{"pseudonym":"wolf"},{"pseudonym":"fox"}]}`},
		wiretest.Want{Target: "/v2/owners/3/metrics?resultLimit=500", Answer: `{"status":"Success","data":{"ownerMetric":[{"metricDate":"2026-01-02","totalIndicator":"5000000000","averageIndicatorRating":2.5,"totalFuture":1}]}}`},
		wiretest.Want{Target: "/v2/owners/metrics?resultLimit=500", Answer: `{"status":"Success","data":{"ownerMetric":{"owner":{"id":3,"name":"Example Source"},"metricDate":"2026-01-02T00:00:00Z","totalHost":7}}}`},
		wiretest.Want{Target: "/v2/whoami", Answer: whoami},
	)
	owners, err := c.Owners.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Owner{{Name: "Example Org", Type: threatconnect.OwnerOrganization}, {ID: 3, Name: "Example Source", Type: threatconnect.OwnerSource}}, owners.Items)
	o, err := c.Owners.Get(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, "Example Org", o.Name)
	_, err = c.Owners.Mine(t.Context())
	require.NoError(t, err)
	m, err := c.Owners.Members(t.Context())
	require.NoError(t, err)
	assert.Equal(t, threatconnect.Members{Users: []threatconnect.User{{UserName: "ada", FirstName: "Ada", LastName: "E"}}}, m)
	m, err = c.Owners.Members(t.Context())
	require.NoError(t, err)
	assert.Equal(t, threatconnect.Members{Anonymous: true, Users: []threatconnect.User{{Pseudonym: "wolf"}, {Pseudonym: "fox"}}}, m)
	days, err := threatconnect.Collect(c.Owners.Metrics(t.Context(), 3, nil))
	require.NoError(t, err)
	require.Len(t, days, 1)
	assert.Equal(t, int64(5_000_000_000), days[0].Indicators, "more than 32 bits hold")
	assert.InDelta(t, 2.5, days[0].AverageIndicatorRating, 0)
	assert.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), days[0].Date)
	assert.Equal(t, "1", string(days[0].Extra["totalFuture"]))
	days, err = threatconnect.Collect(c.Owners.AllMetrics(t.Context(), nil))
	require.NoError(t, err)
	assert.Equal(t, []any{"Example Source", int64(7)}, []any{days[0].Owner.Name, days[0].Hosts})
	u, err := c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, threatconnect.User{UserName: "access", FirstName: "Ada", LastName: "Example", Pseudonym: "ada", Role: "Api User"}, u)

	_, err = c.Owners.Get(t.Context(), -1)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	_, err = threatconnect.Collect(c.Owners.Metrics(t.Context(), -1, nil))
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestTagsAttributesAndLabelsOnTheWire(t *testing.T) {
	t.Parallel()
	const at = "/v2/indicators/hosts/www.example.com"
	const attribute = `{"status":"Success","data":{"attribute":{"id":"5","type":"Description","value":"v","displayed":true,"dateAdded":"2026-01-02T03:04:05Z"}}}`
	c := owned(t,
		wiretest.Want{Method: "POST", Target: at + "/tags/Nation%20State?owner=Example%20Source"},
		wiretest.Want{Method: "POST", Target: at + "/tags/a%2Fb%5E%25?owner=Example%20Source"},
		wiretest.Want{Method: "DELETE", Target: at + "/tags/Phishing?owner=Example%20Source"},
		wiretest.Want{Target: at + "/tags?owner=Example%20Source&resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":1,"tag":[{"name":"Phishing","webLink":"w"}]}}`},
		wiretest.Want{Target: at + "/tags?owner=Example%20Source&resultLimit=500", Status: 404, Answer: relatedMissing},
		wiretest.Want{Target: at + "?owner=Example%20Source", Answer: `{"status":"Success","data":{"host":{"id":1}}}`},
		wiretest.Want{Target: at + "/tags?owner=Example%20Source&resultLimit=500", Status: 404, Answer: relatedMissing},
		wiretest.Want{Target: at + "?owner=Example%20Source", Status: 404, Answer: relatedMissing},
		wiretest.Want{Target: at + "/tags?owner=Example%20Source&resultLimit=500", Status: 404, Answer: relatedMissing},
		wiretest.Want{Target: at + "?owner=Example%20Source", Status: 403, Answer: `{"message":"Access Denied"}`},
		wiretest.Want{Method: "POST", Target: at + "/securityLabels/TLP%3AAMBER%2BSTRICT?owner=Example%20Source"},
		wiretest.Want{Method: "DELETE", Target: "/v2/groups/incidents/54321/attributes/5/securityLabels/TLP%3ARED?owner=Example%20Source"},
		wiretest.Want{Target: "/v2/groups/incidents/54321/securityLabels?owner=Example%20Source&resultLimit=500", Answer: `{"data":{"securityLabel":{"name":"TLP:RED","color":"FF0000","dateAdded":"2026-01-02T03:04:05Z"}}}`},
		wiretest.Want{Method: "POST", Target: at + "/attributes?owner=Example%20Source", Body: `{"type":"Description","value":"v","displayed":true,"source":"me"}`, Status: 201, Answer: attribute},
		wiretest.Want{Method: "POST", Target: at + "/attributes?owner=Example%20Source", Body: `{"type":"External Date Created","value":"v"}`, Status: 201, Answer: attribute},
		wiretest.Want{Method: "PUT", Target: at + "/attributes/5?owner=Example%20Source", Body: `{"value":"w"}`, Answer: attribute},
		wiretest.Want{Method: "PUT", Target: at + "/attributes/5?owner=Example%20Source", Body: `{"value":"w","displayed":false,"source":""}`, Answer: attribute},
		wiretest.Want{Method: "DELETE", Target: at + "/attributes/5?owner=Example%20Source"},
	)
	require.NoError(t, c.Tags.Add(t.Context(), relatedHost, " Nation State", "a/b^%"))
	require.NoError(t, c.Tags.Remove(t.Context(), relatedHost, "Phishing"))
	tags, err := c.Tags.On(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Tag{{Name: "Phishing", WebLink: "w"}}, tags)
	tags, err = c.Tags.On(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Tag{}, tags, "the host is there, and nothing hangs on it")
	_, err = c.Tags.On(t.Context(), relatedHost)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	_, err = c.Tags.On(t.Context(), relatedHost)
	require.ErrorIs(t, err, threatconnect.ErrForbidden, "whether the host is there cannot be said")
	require.NotErrorIs(t, err, threatconnect.ErrNotFound)
	require.NoError(t, c.SecurityLabels.Add(t.Context(), relatedHost, "TLP:AMBER+STRICT"))
	require.NoError(t, c.SecurityLabels.Remove(t.Context(), threatconnect.AttributeRef{On: relatedIncident, ID: 5}, "TLP:RED"))
	labels, err := c.SecurityLabels.On(t.Context(), relatedIncident)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.SecurityLabel{{Name: "TLP:RED", Color: "FF0000", DateAdded: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}, labels)
	a, err := c.Attributes.Add(t.Context(), relatedHost, threatconnect.Attribute{Type: "Description", Value: "v", Displayed: new(true), Source: "me"})
	require.NoError(t, err)
	assert.Equal(t, int64(5), a.ID)
	_, err = c.Attributes.Add(t.Context(), relatedHost, threatconnect.Attribute{Type: "External Date Created", Value: "v", Displayed: new(true)})
	require.NoError(t, err)
	_, err = c.Attributes.Update(t.Context(), relatedHost, 5, threatconnect.AttributeUpdate{Value: new("w")})
	require.NoError(t, err)
	_, err = c.Attributes.Update(t.Context(), relatedHost, 5, threatconnect.AttributeUpdate{Value: new("w"), Displayed: new(false), Source: new("")})
	require.NoError(t, err)
	require.NoError(t, c.Attributes.Remove(t.Context(), relatedHost, 5))

	// All names are checked before the first is sent.
	for _, bad := range []string{"", " ", ".", "..", "\x00"} {
		require.ErrorIs(t, c.Tags.Add(t.Context(), relatedHost, "good", bad, "better"), threatconnect.ErrValidation, "%q", bad)
		require.ErrorIs(t, c.Tags.Remove(t.Context(), relatedHost, "good", bad, "better"), threatconnect.ErrValidation, "%q", bad)
		require.ErrorIs(t, c.SecurityLabels.Add(t.Context(), relatedHost, "good", bad, "better"), threatconnect.ErrValidation, "%q", bad)
		require.ErrorIs(t, c.SecurityLabels.Remove(t.Context(), relatedHost, "good", bad, "better"), threatconnect.ErrValidation, "%q", bad)
	}
	require.ErrorIs(t, c.SecurityLabels.Add(t.Context(), nil, "x"), threatconnect.ErrValidation)
	require.ErrorIs(t, c.SecurityLabels.Add(t.Context(), threatconnect.AttributeRef{ID: 1}, "x"), threatconnect.ErrValidation)
	for _, bad := range []threatconnect.Attribute{{}, {Type: "Description"}, {Value: "v"}, {Type: "T", Value: "\xff"}, {Type: "T", Value: "v", Pinned: new(true)}} {
		_, err := c.Attributes.Add(t.Context(), relatedHost, bad)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
	_, err = c.Attributes.Update(t.Context(), relatedHost, 0, threatconnect.AttributeUpdate{Value: new("v")})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	for want, bad := range map[string]threatconnect.AttributeUpdate{
		"AttributeUpdate has no field set":                {},
		"AttributeUpdate.Value is missing":                {Source: new("me")},
		"AttributeUpdate.Value is empty":                  {Value: new(" ")},
		"AttributeUpdate has a field that cannot be sent": {Value: new("\xff")},
	} {
		_, err = c.Attributes.Update(t.Context(), relatedHost, 5, bad)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		require.ErrorContains(t, err, want)
	}
}
