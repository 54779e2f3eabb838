package threatconnect_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
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
	assert.Equal(t, int64(5_000_000_000), days[0].Indicators, "does not fit into 32 bits")
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
	assert.Equal(t, []threatconnect.Tag{}, tags, "the host exists and has no tags")
	_, err = c.Tags.On(t.Context(), relatedHost)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	_, err = c.Tags.On(t.Context(), relatedHost)
	require.ErrorIs(t, err, threatconnect.ErrForbidden, "whether the host exists is unknown")
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

	// All names are checked before the first request.
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

func TestMetricsAreReadAndWritten(t *testing.T) {
	t.Parallel()
	const metric = `{"id":"3","name":"alerts/day","dataType":"Sum","interval":"Daily","keyedValues":"true","description":"d","x":1}`
	const single = `{"status":"Success","data":{"customMetricConfig":` + metric + `}}`
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics?resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":1,"customMetricConfig":[` + metric + `]}}`},
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics/alerts%2Fday", Answer: single},
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics/3", Answer: single},
		wiretest.Want{Method: "POST", Target: "/v2/customMetrics", Status: http.StatusCreated, Answer: single,
			Body: `{"name":"alerts/day","dataType":"Sum","interval":"Daily","keyedValues":true,"description":"d"}`},
		wiretest.Want{Method: "DELETE", Target: "/v2/customMetrics/alerts%2Fday"},
	)
	want := threatconnect.Metric{ID: 3, Name: "alerts/day", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily, Keyed: true, Description: "d",
		Extra: map[string]json.RawMessage{"x": json.RawMessage(`1`)}}
	all, err := client.Metrics.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Metric{want}, all.Items)
	got, err := client.Metrics.Get(t.Context(), " alerts/day")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = client.Metrics.GetByID(t.Context(), 3)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = client.Metrics.Create(t.Context(), want)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	require.NoError(t, client.Metrics.Delete(t.Context(), "alerts/day"))
}

func TestAddMetricPoints(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 12, 30, 0, 0, time.FixedZone("", 2*60*60))
	const add = "/v2/customMetrics/alerts/data"
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: add, Body: `{"name":"k","value":0,"date":"2026-03-04T10:30:00Z","weight":2}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add, Body: `{}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"value":4.5,"date":"2026-03-04T10:00:00Z"}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"status":"Success","data":{"date":"2026-03-04T10:00:00","value":"4"}}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"status":"Failure","message":"no","value":3}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"value":"many"}`},
	)
	require.NoError(t, client.Metrics.Add(t.Context(), "alerts", threatconnect.MetricPoint{Key: " k", Value: new(int64(0)), Date: at, Weight: 2}))
	require.NoError(t, client.Metrics.Add(t.Context(), "alerts", threatconnect.MetricPoint{}))
	two := threatconnect.MetricPoint{Value: new(int64(2))}
	got, err := client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.NoError(t, err)
	hour := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	assert.Equal(t, threatconnect.MetricReading{Value: 4.5, Date: hour}, got)
	got, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.MetricReading{Value: 4, Date: hour}, got)
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.ErrorIs(t, err, threatconnect.ErrBadResponse, "no reading is not a reading of 0")
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	var refusal *threatconnect.APIError
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "no", string(refusal.Foreign))
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.ErrorIs(t, err, threatconnect.ErrBadResponse)
}

func TestInvalidMetricIsRejected(t *testing.T) {
	t.Parallel()
	s := scripted(t).Metrics
	good := threatconnect.Metric{Name: strings.Repeat("\u00fc", 45), DataType: threatconnect.MetricCount, Interval: threatconnect.MetricHourly}
	for name, c := range map[string]struct {
		change func(*threatconnect.Metric)
		field  string
	}{
		"no name":               {func(m *threatconnect.Metric) { m.Name = "" }, "metric name"},
		"46 characters":         {func(m *threatconnect.Metric) { m.Name += "x" }, "metric name"},
		"no data type":          {func(m *threatconnect.Metric) { m.DataType = "" }, "metric data type"},
		"an unknown data type":  {func(m *threatconnect.Metric) { m.DataType = "Median" }, "metric data type"},
		"no interval":           {func(m *threatconnect.Metric) { m.Interval = "" }, "metric interval"},
		"an unknown interval":   {func(m *threatconnect.Metric) { m.Interval = "daily" }, "metric interval"},
		"501 characters":        {func(m *threatconnect.Metric) { m.Description = strings.Repeat("x", 501) }, "metric description"},
		"a text that is binary": {func(m *threatconnect.Metric) { m.Description = "\xff" }, "metric description"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := good
			c.change(&m)
			_, err := s.Create(t.Context(), m)
			peopleRefused(t, err, c.field, "\u00fc")
		})
	}
	for name, c := range map[string]struct {
		metric string
		point  threatconnect.MetricPoint
		field  string
	}{
		"no name":                 {"", threatconnect.MetricPoint{}, "metric name"},
		"a name that is too long": {good.Name + "x", threatconnect.MetricPoint{}, "metric name"},
		"a blank key":             {"m", threatconnect.MetricPoint{Key: " "}, "metric key"},
		"a negative weight":       {"m", threatconnect.MetricPoint{Weight: -1}, "metric weight"},
		"a year of five digits":   {"m", threatconnect.MetricPoint{Date: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "metric date"},
	} {
		t.Run(name+" to add to", func(t *testing.T) {
			t.Parallel()
			peopleRefused(t, s.Add(t.Context(), c.metric, c.point), c.field, "")
			_, err := s.AddAndRead(t.Context(), c.metric, c.point)
			peopleRefused(t, err, c.field, "")
		})
	}
	_, err := s.Get(t.Context(), "")
	peopleRefused(t, err, "metric name", "")
	_, err = s.GetByID(t.Context(), 0)
	peopleRefused(t, err, "metric id", "")
	peopleRefused(t, s.Delete(t.Context(), ""), "metric name", "")
}

func TestMetricLifecycle(t *testing.T) {
	t.Parallel()
	for name, odd := range peopleOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx := srv.Client(), t.Context()
			none, err := client.Metrics.List(ctx, nil)
			require.NoError(t, err)
			assert.Empty(t, none.Items)
			made, err := client.Metrics.Create(ctx, threatconnect.Metric{Name: "Alerts / day", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily, Keyed: true})
			require.NoError(t, err)
			_, err = client.Metrics.Create(ctx, made)
			require.ErrorIs(t, err, threatconnect.ErrExists)
			byID, err := client.Metrics.GetByID(ctx, made.ID)
			require.NoError(t, err)
			byName, err := client.Metrics.Get(ctx, made.Name)
			require.NoError(t, err)
			assert.Equal(t, made, byID)
			assert.Equal(t, made, byName)

			point := threatconnect.MetricPoint{Value: new(int64(2)), Key: "mail", Date: time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)}
			require.NoError(t, client.Metrics.Add(ctx, made.Name, point))
			got, err := client.Metrics.AddAndRead(ctx, made.Name, point)
			require.NoError(t, err)
			assert.InDelta(t, 4, got.Value, 0)
			assert.Equal(t, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), got.Date)
			require.ErrorIs(t, client.Metrics.Add(ctx, made.Name, threatconnect.MetricPoint{Value: new(int64(2))}), threatconnect.ErrBadRequest)

			asked, all := peopleRoutes(srv, "/v2/customMetrics")
			assert.NotContains(t, asked, "DELETE /v2/customMetrics/{metricId}")
			require.NoError(t, client.Metrics.Delete(ctx, made.Name))
			require.ErrorIs(t, client.Metrics.Delete(ctx, made.Name), threatconnect.ErrNotFound)
			asked, _ = peopleRoutes(srv, "/v2/customMetrics")
			assert.Equal(t, all, asked)
			assert.Len(t, all, 5)
		})
	}
}

func TestNotificationAudiences(t *testing.T) {
	t.Parallel()
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: "/v2/notifications",
			Body: `{"notificationType":"Alert","priority":"High","message":"**Look**\n","recipients":"a@example.com,b@example.com"}`},
		wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"Alert","priority":"Low","message":"m","isOrganization":true}`},
		wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"Alert","priority":"Medium","message":"m","ownerId":0}`},
	)
	for _, n := range []threatconnect.Notification{
		{Type: " Alert ", Priority: "hIGH", Message: "**Look**\n", Recipients: []string{"a@example.com", " b@example.com"}},
		{Type: "Alert", Priority: threatconnect.PriorityLow, Message: "m", Organization: true},
		{Type: "Alert", Priority: threatconnect.PriorityMedium, Message: "m", OwnerID: new(int64(0))},
	} {
		require.NoError(t, client.Notifications.Send(t.Context(), n))
	}
}

func TestInvalidNotificationIsRejected(t *testing.T) {
	t.Parallel()
	s := scripted(t).Notifications
	good := threatconnect.Notification{Type: strings.Repeat("\u00fc", 50), Priority: "low", Message: strings.Repeat("m", 64<<10), Organization: true}
	for name, c := range map[string]struct {
		change func(*threatconnect.Notification)
		field  string
	}{
		"no type":             {func(n *threatconnect.Notification) { n.Type = "" }, "notification type"},
		"51 characters":       {func(n *threatconnect.Notification) { n.Type += "x" }, "notification type"},
		"the type System":     {func(n *threatconnect.Notification) { n.Type = " system" }, "notification type"},
		"no priority":         {func(n *threatconnect.Notification) { n.Priority = "" }, "notification priority"},
		"an unknown priority": {func(n *threatconnect.Notification) { n.Priority = "Urgent" }, "notification priority"},
		"no message":          {func(n *threatconnect.Notification) { n.Message = "\n" }, "notification message"},
		"a byte too much":     {func(n *threatconnect.Notification) { n.Message += "m" }, "notification message"},
		"binary":              {func(n *threatconnect.Notification) { n.Message = "\xff" }, "notification message"},
		"no audience":         {func(n *threatconnect.Notification) { n.Organization = false }, "notification audience"},
		"two audiences":       {func(n *threatconnect.Notification) { n.OwnerID = new(int64(1)) }, "notification audience"},
		"three audiences": {func(n *threatconnect.Notification) { n.OwnerID, n.Recipients = new(int64(1)), []string{"a"} },
			"notification audience"},
		"a negative owner": {func(n *threatconnect.Notification) { n.Organization, n.OwnerID = false, new(int64(-1)) }, "notification owner id"},
		"a blank recipient": {func(n *threatconnect.Notification) { n.Organization, n.Recipients = false, []string{"secret", ""} },
			"notification recipient"},
		"a comma in a recipient": {func(n *threatconnect.Notification) { n.Organization, n.Recipients = false, []string{"secret,b"} },
			"notification recipient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := good
			c.change(&n)
			peopleRefused(t, s.Send(t.Context(), n), c.field, "secret")
		})
	}
}

func TestFailedNotificationIsNotRetriedOrLeaked(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"A","priority":"Low","message":"look","recipients":"jo@example.com"}`,
		Status: http.StatusBadGateway, Answer: `{"status":"Failure","message":"could not send look to jo@example.com"}`})
	err := client.Notifications.Send(t.Context(), threatconnect.Notification{Type: "A", Priority: "Low", Message: "look", Recipients: []string{"jo@example.com"}})
	require.ErrorIs(t, err, threatconnect.ErrServer)
	assert.NotContains(t, err.Error(), "jo@example.com")
	assert.NotContains(t, err.Error(), "look")
}

func TestNotificationsReachTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client, ctx := srv.Client(), t.Context()
	n := threatconnect.Notification{Type: "Alert", Priority: threatconnect.PriorityHigh, Message: "look", Recipients: []string{peopleAnalyst, srv.AccessID()}}
	require.NoError(t, client.Notifications.Send(ctx, n))
	n.Recipients = append(n.Recipients, "nobody")
	require.ErrorIs(t, client.Notifications.Send(ctx, n), threatconnect.ErrBadRequest)
	n.Recipients, n.OwnerID = nil, new(srv.Owners()[2].ID)
	require.NoError(t, client.Notifications.Send(ctx, n))
	n.OwnerID = new(int64(99))
	require.ErrorIs(t, client.Notifications.Send(ctx, n), threatconnect.ErrBadRequest)
	assert.Equal(t, []threatconnecttest.NotificationRecord{
		{Type: "Alert", Priority: "High", Message: "look", Recipients: []string{peopleAnalyst, srv.AccessID()}},
		{Type: "Alert", Priority: "High", Message: "look", Owner: "Example Source"},
	}, srv.Notifications())
}
