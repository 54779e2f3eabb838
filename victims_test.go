package threatconnect_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestVictimRemembersTheOwnerItWasAskedForIn(t *testing.T) {
	t.Parallel()
	const answer = `{"status":"Success","data":{"victim":{"id":"41","name":"Jo Example","org":"Example Inc","suborg":"","workLocation":"Berlin",
		"nationality":"German","description":"Finance","webLink":"w","xid":"x-1","tag":[{"name":"VIP"}],"attribute":[]}}}`
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/victims/41?includeAttributes=true&includeTags=true&owner=Example%20Source", Answer: answer},
		wiretest.Want{Method: "POST", Target: "/v2/victims/41/tags/VIP?owner=Example%20Source", Status: http.StatusCreated},
		wiretest.Want{Method: "GET", Target: "/v2/victims/41", Answer: answer},
		wiretest.Want{Method: "GET", Target: "/v2/victims?filters=name%5EJo&includeTags=true&orParams=true&owner=Example&resultLimit=1",
			Answer: `{"status":"Success","data":{"resultCount":2,"victim":{"id":41,"name":"Jo"}}}`},
	)
	opts := &threatconnect.VictimGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true}}
	got, err := client.InOwner("Example Source").Victims.Get(t.Context(), 41, opts)
	require.NoError(t, err)
	extra := got.Extra
	got.Extra = nil
	assert.Equal(t, threatconnect.Victim{
		ID: 41, Name: "Jo Example", Org: "Example Inc", WorkLocation: "Berlin", Nationality: "German", Description: "Finance", WebLink: "w",
		Owner: threatconnect.Owner{Name: "Example Source"}, Tags: []threatconnect.Tag{{Name: "VIP"}}, Attributes: []threatconnect.Attribute{},
	}, *got)
	assert.Equal(t, `"x-1"`, string(extra["xid"]))
	require.NoError(t, client.Tags.Add(t.Context(), got, "VIP"))

	got, err = client.Victims.Get(t.Context(), 41, nil)
	require.NoError(t, err)
	assert.Empty(t, got.Owner)

	p, err := client.InOwner("Example").Victims.List(t.Context(), &threatconnect.VictimListOptions{
		ListOptions: threatconnect.ListOptions{Limit: 1}, Any: true, Include: threatconnect.Include{Tags: true},
		Filters: threatconnect.Filters{threatconnect.ByName.StartsWith("Jo")},
	})
	require.NoError(t, err)
	assert.True(t, p.More)
	assert.Equal(t, "Example", p.Items[0].Owner.Name)
}

func TestAllVictimsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/victims?resultLimit=1", Answer: `{"status":"Success","data":{"resultCount":2,"victim":[{"id":1}]}}`},
		wiretest.Want{Method: "GET", Target: "/v2/victims?resultLimit=1&resultStart=1", Answer: `{"status":"Success","data":{"victim":[{"id":2}]}}`},
	)
	all, err := threatconnect.Collect(client.Victims.All(t.Context(), &threatconnect.VictimListOptions{ListOptions: threatconnect.ListOptions{Limit: 1}}))
	require.NoError(t, err)
	assert.Len(t, all, 2)
}

func TestVictimIsCreatedAndUpdatedWithItsName(t *testing.T) {
	t.Parallel()
	const answer = `{"status":"Success","data":{"victim":{"id":41,"name":"Jo"}}}`
	const body = `{"name":"Jo","description":"d","org":"o","suborg":"s","workLocation":"w","nationality":"n"}`
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: "/v2/victims?owner=Example", Status: http.StatusCreated, Body: body, Answer: answer},
		wiretest.Want{Method: "PUT", Target: "/v2/victims/41?owner=Example", Body: body, Answer: answer},
		wiretest.Want{Method: "PUT", Target: "/v2/victims/41", Body: `{"name":"Jo","org":""}`, Answer: answer},
		wiretest.Want{Method: "POST", Target: "/v2/victims", Body: `{"name":"Jo"}`, Answer: answer},
		wiretest.Want{Method: "DELETE", Target: "/v2/victims/41"},
	)
	v := &threatconnect.Victim{Name: " Jo ", Description: "d", Org: "o", Suborg: "s", WorkLocation: "w", Nationality: "n",
		Owner: threatconnect.Owner{Name: "Example"}}
	got, err := client.InOwner("Example").Victims.Create(t.Context(), v)
	require.NoError(t, err)
	assert.Equal(t, "Example", got.Owner.Name)
	_, err = client.InOwner("Example").Victims.Update(t.Context(), 41, threatconnect.VictimUpdate{
		Name: &v.Name, Description: &v.Description, Org: &v.Org, Suborg: &v.Suborg, WorkLocation: &v.WorkLocation, Nationality: &v.Nationality,
	})
	require.NoError(t, err)
	_, err = client.Victims.Update(t.Context(), 41, threatconnect.VictimUpdate{Name: new("Jo"), Org: new("")})
	require.NoError(t, err)
	_, err = client.Victims.Create(t.Context(), &threatconnect.Victim{Name: "Jo"})
	require.NoError(t, err)
	require.NoError(t, client.Victims.Delete(t.Context(), 41))
}

func TestVictimThatThePlatformWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	victims := scripted(t).Victims
	for name, c := range map[string]struct {
		victim *threatconnect.Victim
		field  string
	}{
		"nil":        {nil, "victim"},
		"no name":    {&threatconnect.Victim{Org: "secret"}, "victim name"},
		"not UTF-8":  {&threatconnect.Victim{Name: "n", Org: "secret\xff"}, "victim"},
		"tags":       {&threatconnect.Victim{Name: "n", Tags: []threatconnect.Tag{{Name: "secret"}}}, "victim"},
		"attributes": {&threatconnect.Victim{Name: "n", Attributes: []threatconnect.Attribute{{}}}, "victim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := victims.Create(t.Context(), c.victim)
			peopleRefused(t, err, c.field, "secret")
		})
	}
	for name, c := range map[string]struct {
		update threatconnect.VictimUpdate
		field  string
	}{
		"no field":     {threatconnect.VictimUpdate{}, "VictimUpdate"},
		"no name":      {threatconnect.VictimUpdate{Org: new("secret")}, "VictimUpdate.Name"},
		"a blank name": {threatconnect.VictimUpdate{Name: new(" "), Org: new("secret")}, "victim name"},
		"not UTF-8":    {threatconnect.VictimUpdate{Name: new("n"), Org: new("secret\xff")}, "VictimUpdate"},
	} {
		t.Run("an update with "+name, func(t *testing.T) {
			t.Parallel()
			_, err := victims.Update(t.Context(), 1, c.update)
			peopleRefused(t, err, c.field, "secret")
		})
	}
	_, err := victims.Update(t.Context(), 0, threatconnect.VictimUpdate{Name: new("secret")})
	peopleRefused(t, err, "victim id", "secret")
	_, err = victims.Get(t.Context(), 0, nil)
	peopleRefused(t, err, "victim id", "")
	_, err = victims.List(t.Context(), &threatconnect.VictimListOptions{Filters: threatconnect.Filters{threatconnect.ByOverdue.Is(true)}})
	peopleRefused(t, err, "filter on overdue", "")
	_, err = victims.List(t.Context(), &threatconnect.VictimListOptions{ListOptions: threatconnect.ListOptions{Start: -1}})
	peopleRefused(t, err, "list start", "")
	peopleRefused(t, victims.Delete(t.Context(), 0), "victim id", "")
	var none *threatconnect.Victim
	_, err = scripted(t).Tags.On(t.Context(), none)
	peopleRefused(t, err, "resource", "")
}

func TestNothingOfAVictimStandsInAnError(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/victims", Body: `{"name":"Jo Example","org":"Example Inc"}`,
		Status: http.StatusBadRequest, Answer: `{"status":"Failure","message":"Jo Example of Example Inc is no victim"}`})
	_, err := client.Victims.Create(t.Context(), &threatconnect.Victim{Name: "Jo Example", Org: "Example Inc"})
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.NotContains(t, err.Error(), "Jo Example")
	assert.NotContains(t, err.Error(), "Example Inc")
}
