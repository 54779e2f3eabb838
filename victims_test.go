package threatconnect_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestVictimKeepsRequestedOwner(t *testing.T) {
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

func TestVictimCreateAndUpdate(t *testing.T) {
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

func TestInvalidVictimIsRejected(t *testing.T) {
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

func TestVictimErrorsOmitItsData(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/victims", Body: `{"name":"Jo Example","org":"Example Inc"}`,
		Status: http.StatusBadRequest, Answer: `{"status":"Failure","message":"Jo Example of Example Inc is no victim"}`})
	_, err := client.Victims.Create(t.Context(), &threatconnect.Victim{Name: "Jo Example", Org: "Example Inc"})
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.NotContains(t, err.Error(), "Jo Example")
	assert.NotContains(t, err.Error(), "Example Inc")
}

// victimAssetKinds has the five kinds of assets and their forms on the wire.
var victimAssetKinds = []struct {
	asset                threatconnect.VictimAsset // without ID
	branch, entity, body string
}{
	{&threatconnect.VictimEmailAddress{Address: "jo@example.com", AddressType: "Work"}, "emailAddresses", "victimEmailAddress", `{"address":"jo@example.com","addressType":"Work"}`},
	{&threatconnect.VictimNetworkAccount{Account: "jo", Network: "AD"}, "networkAccounts", "victimNetworkAccount", `{"account":"jo","network":"AD"}`},
	{&threatconnect.VictimPhone{Number: "555-0100"}, "phoneNumbers", "victimPhone", `{"phoneType":"555-0100"}`},
	{&threatconnect.VictimSocialNetwork{Account: "@jo", Network: "Example"}, "socialNetworks", "victimSocialNetwork", `{"account":"@jo","network":"Example"}`},
	{&threatconnect.VictimWebSite{URL: "https://example.com/jo"}, "webSites", "victimWebSite", `{"webSite":"https://example.com/jo"}`},
}

// assetUpdate returns an update that sets every field of an asset to its current value.
func assetUpdate(asset threatconnect.VictimAsset) threatconnect.VictimAssetUpdate {
	switch a := asset.(type) {
	case *threatconnect.VictimEmailAddress:
		return threatconnect.VictimAssetUpdate{Address: &a.Address, AddressType: &a.AddressType}
	case *threatconnect.VictimNetworkAccount:
		return threatconnect.VictimAssetUpdate{Account: &a.Account, Network: &a.Network}
	case *threatconnect.VictimPhone:
		return threatconnect.VictimAssetUpdate{Number: &a.Number}
	case *threatconnect.VictimSocialNetwork:
		return threatconnect.VictimAssetUpdate{Account: &a.Account, Network: &a.Network}
	case *threatconnect.VictimWebSite:
		return threatconnect.VictimAssetUpdate{URL: &a.URL}
	}
	return threatconnect.VictimAssetUpdate{}
}

func TestVictimAssetsOfEveryKindAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for _, k := range victimAssetKinds {
		t.Run(string(k.asset.Type()), func(t *testing.T) {
			t.Parallel()
			typ := k.asset.Type()
			at := "/v2/victims/41/victimAssets/" + k.branch
			single := `{"status":"Success","data":{"` + k.entity + `":{"id":"7","type":"` + string(typ) + `","webLink":"w",` + k.body[1:] + `}}`
			client := scripted(t,
				wiretest.Want{Method: "POST", Target: at + "?owner=Example", Status: http.StatusCreated, Body: k.body, Answer: single},
				wiretest.Want{Method: "PUT", Target: at + "/7?owner=Example", Body: k.body, Answer: single},
				wiretest.Want{Method: "GET", Target: at + "/7?owner=Example", Answer: single},
				wiretest.Want{Method: "GET", Target: at + "?owner=Example&resultLimit=500",
					Answer: `{"status":"Success","data":{"resultCount":1,"victimAsset":[{"id":"7","name":"` + k.asset.Summary() + `","type":"` + string(typ) + `","webLink":"w"}]}}`},
				wiretest.Want{Method: "GET", Target: at + "?owner=Example&resultLimit=500", Answer: `{"status":"Success","data":{"` + k.entity + `":[{"id":7,` + k.body[1:] + `]}}`},
				wiretest.Want{Method: "DELETE", Target: at + "/7?owner=Example"},
			)
			victim := threatconnect.VictimRef{ID: 41, Owner: "Example"}
			made, err := client.VictimAssets.Add(t.Context(), victim, k.asset)
			require.NoError(t, err)
			assert.Equal(t, threatconnect.VictimAssetMeta{ID: 7, WebLink: "w"}, *made.Meta())
			changed, err := client.VictimAssets.Update(t.Context(), victim, typ, 7, assetUpdate(made))
			require.NoError(t, err)
			assert.Equal(t, made, changed)
			got, err := client.VictimAssets.Get(t.Context(), victim, typ, 7)
			require.NoError(t, err)
			assert.Equal(t, made, got)
			assert.Equal(t, typ, got.Type())

			short, err := client.VictimAssets.OfType(t.Context(), victim, typ)
			require.NoError(t, err)
			require.Len(t, short, 1)
			assert.Equal(t, k.asset.Summary(), short[0].Summary())
			assert.IsType(t, k.asset, short[0])
			long, err := client.VictimAssets.OfType(t.Context(), victim, typ)
			require.NoError(t, err)
			made.Meta().WebLink = ""
			assert.Equal(t, []threatconnect.VictimAsset{made}, long)
			require.NoError(t, client.VictimAssets.Remove(t.Context(), victim, typ, 7))
		})
	}
}

func TestVictimAssetsAreDistinguishedByType(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "GET", Target: "/v2/victims/41/victimAssets?resultLimit=500", Answer: `{"status":"Success","data":{"victimAsset":[
		{"id":"1","name":"jo@example.com","type":"EmailAddress"},{"id":2,"name":"jo","type":"NetworkAccount"},{"id":3,"name":"555-0100","type":"Phone Number"},
		{"id":4,"name":"555-0101","type":"phone"},{"id":5,"name":"@jo","type":"Social Network"},{"id":6,"name":"https://example.com","type":"Website"},
		{"id":7,"name":"K1ABC","type":"Callsign","band":"20m"}]}}`})
	all, err := client.VictimAssets.On(t.Context(), &threatconnect.Victim{ID: 41})
	require.NoError(t, err)
	meta := func(id int64) threatconnect.VictimAssetMeta { return threatconnect.VictimAssetMeta{ID: id} }
	require.Len(t, all, 7)
	assert.Equal(t, []threatconnect.VictimAsset{
		&threatconnect.VictimEmailAddress{VictimAssetMeta: meta(1), Address: "jo@example.com"},
		&threatconnect.VictimNetworkAccount{VictimAssetMeta: meta(2), Account: "jo"},
		&threatconnect.VictimPhone{VictimAssetMeta: meta(3), Number: "555-0100"},
		&threatconnect.VictimPhone{VictimAssetMeta: meta(4), Number: "555-0101"},
		&threatconnect.VictimSocialNetwork{VictimAssetMeta: meta(5), Account: "@jo"},
		&threatconnect.VictimWebSite{VictimAssetMeta: meta(6), URL: "https://example.com"},
	}, all[:6])
	unknown, ok := all[6].(*threatconnect.UnknownVictimAsset)
	require.True(t, ok)
	assert.Equal(t, threatconnect.VictimAssetType("Callsign"), unknown.Type())
	assert.Equal(t, "K1ABC", unknown.Summary())
	assert.Equal(t, `"20m"`, string(unknown.Extra["band"]))
}

func TestInvalidVictimAssetIsRejected(t *testing.T) {
	t.Parallel()
	s := scripted(t).VictimAssets
	victim := threatconnect.VictimRef{ID: 41}
	var none *threatconnect.VictimPhone
	for name, c := range map[string]struct {
		victim threatconnect.Resource
		asset  threatconnect.VictimAsset
		field  string
	}{
		"nil":                                  {victim, nil, "victim asset"},
		"a nil phone":                          {victim, none, "victim asset"},
		"no number":                            {victim, &threatconnect.VictimPhone{}, "victim asset number"},
		"a blank account":                      {victim, &threatconnect.VictimNetworkAccount{Account: " ", Network: "secret"}, "victim asset account"},
		"a network not UTF-8":                  {victim, &threatconnect.VictimSocialNetwork{Account: "secret", Network: "\xff"}, "victim asset"},
		"an unknown kind":                      {victim, &threatconnect.UnknownVictimAsset{TypeName: "Callsign", Name: "secret"}, "victim asset type"},
		"no victim":                            {nil, &threatconnect.VictimPhone{Number: "secret"}, "resource"},
		"something else":                       {threatconnect.TaskRef{ID: 1}, &threatconnect.VictimPhone{Number: "secret"}, "resource"},
		"a kind that is unknown by its struct": {victim, &threatconnect.UnknownVictimAsset{TypeName: threatconnect.VictimAssetPhone}, "victim asset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Add(t.Context(), c.victim, c.asset)
			peopleRefused(t, err, c.field, "secret")
		})
	}
	for name, c := range map[string]struct {
		typ    threatconnect.VictimAssetType
		id     int64
		update threatconnect.VictimAssetUpdate
		field  string
	}{
		"no id":                  {threatconnect.VictimAssetPhone, 0, threatconnect.VictimAssetUpdate{Number: new("secret")}, "victim asset id"},
		"an unknown type":        {"Callsign", 7, threatconnect.VictimAssetUpdate{Number: new("secret")}, "victim asset type"},
		"nothing":                {threatconnect.VictimAssetPhone, 7, threatconnect.VictimAssetUpdate{}, "VictimAssetUpdate"},
		"no main value":          {threatconnect.VictimAssetSocialNetwork, 7, threatconnect.VictimAssetUpdate{Network: new("secret")}, "VictimAssetUpdate.Account"},
		"a blank main value":     {threatconnect.VictimAssetPhone, 7, threatconnect.VictimAssetUpdate{Number: new(" ")}, "VictimAssetUpdate.Number"},
		"a field of other types": {threatconnect.VictimAssetEmailAddress, 7, threatconnect.VictimAssetUpdate{Address: new("a"), Network: new("secret")}, "VictimAssetUpdate.Network"},
		"not UTF-8":              {threatconnect.VictimAssetEmailAddress, 7, threatconnect.VictimAssetUpdate{Address: new("a"), AddressType: new("secret\xff")}, "VictimAssetUpdate"},
	} {
		t.Run("updating "+name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Update(t.Context(), victim, c.typ, c.id, c.update)
			peopleRefused(t, err, c.field, "secret")
		})
	}
	_, err := s.Update(t.Context(), victim, threatconnect.VictimAssetEmailAddress, 7, threatconnect.VictimAssetUpdate{AddressType: new("Work")})
	require.EqualError(t, err, "threatconnect: VictimAssetUpdate.Address is missing, and the platform requires it in every update of the type EmailAddress; "+
		"set it too, to its present value if it does not change")
	_, err = s.Get(t.Context(), victim, threatconnect.VictimAssetPhone, 0)
	peopleRefused(t, err, "victim asset id", "")
	_, err = s.Get(t.Context(), victim, "Callsign", 1)
	peopleRefused(t, err, "victim asset type", "")
	_, err = s.OfType(t.Context(), victim, "")
	peopleRefused(t, err, "victim asset type", "")
	_, err = s.On(t.Context(), threatconnect.VictimRef{})
	peopleRefused(t, err, "victim id", "")
	peopleRefused(t, s.Remove(t.Context(), victim, threatconnect.VictimAssetPhone, 0), "victim asset id", "")
	peopleRefused(t, s.Remove(t.Context(), victim, "Callsign", 1), "victim asset type", "")
}

func TestVictimAssetErrorsOmitItsData(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/victims/41/victimAssets/networkAccounts", Body: `{"account":"jo.example","network":"CORP"}`,
		Status: http.StatusBadRequest, Answer: `{"status":"Failure","message":"jo.example in CORP: no"}`})
	_, err := client.VictimAssets.Add(t.Context(), threatconnect.VictimRef{ID: 41}, &threatconnect.VictimNetworkAccount{Account: "jo.example", Network: "CORP"})
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.NotContains(t, err.Error(), "jo.example")
	assert.NotContains(t, err.Error(), "CORP")
}

func TestAdversaryAssetsOfEveryKindAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		typ                         threatconnect.AdversaryAssetType
		branch, entity, body, value string
	}{
		{threatconnect.AdversaryAssetHandle, "handles", "adversaryHandle", `{"handle":"badguy"}`, "badguy"},
		{threatconnect.AdversaryAssetPhoneNumber, "phoneNumbers", "adversaryPhoneNumber", `{"phoneNumber":"555-0100"}`, "555-0100"},
		{threatconnect.AdversaryAssetURL, "urls", "adversaryUrl", `{"url":"http://example.com/?a=b"}`, "http://example.com/?a=b"},
	} {
		t.Run(string(k.typ), func(t *testing.T) {
			t.Parallel()
			at := "/v2/groups/adversaries/51/adversaryAssets/" + k.branch
			single := `{"status":"Success","data":{"` + k.entity + `":{"id":9,"type":"` + string(k.typ) + `","webLink":"w",` + k.body[1:] + `}}`
			client := scripted(t,
				wiretest.Want{Method: "POST", Target: at + "?owner=Example", Status: http.StatusCreated, Body: k.body, Answer: single},
				wiretest.Want{Method: "PUT", Target: at + "/9?owner=Example", Body: k.body, Answer: single},
				wiretest.Want{Method: "GET", Target: at + "/9?owner=Example", Answer: single},
				wiretest.Want{Method: "GET", Target: at + "?owner=Example&resultLimit=500", Answer: `{"status":"Success","data":{"` + k.entity + `":[{"id":9,` + k.body[1:] + `]}}`},
				wiretest.Want{Method: "GET", Target: at + "?owner=Example&resultLimit=500", Answer: `{"status":"Success","data":{"bucketAsset":{"id":9,"name":"` + k.value + `"}}}`},
				wiretest.Want{Method: "DELETE", Target: at + "/9?owner=Example"},
			)
			adversary := threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: 51, Owner: "Example"}
			want := threatconnect.AdversaryAsset{ID: 9, Type: k.typ, Value: k.value, WebLink: "w"}
			made, err := client.AdversaryAssets.Add(t.Context(), adversary, threatconnect.AdversaryAsset{Type: k.typ, Value: " " + k.value})
			require.NoError(t, err)
			assert.Equal(t, want, made)
			made, err = client.AdversaryAssets.Update(t.Context(), adversary, k.typ, 9, threatconnect.AdversaryAssetUpdate{Value: new(k.value + " ")})
			require.NoError(t, err)
			assert.Equal(t, want, made)
			made, err = client.AdversaryAssets.Get(t.Context(), adversary, k.typ, 9)
			require.NoError(t, err)
			assert.Equal(t, want, made)
			want.WebLink = ""
			for range 2 {
				list, err := client.AdversaryAssets.OfType(t.Context(), adversary, k.typ)
				require.NoError(t, err)
				assert.Equal(t, []threatconnect.AdversaryAsset{want}, list)
			}
			require.NoError(t, client.AdversaryAssets.Remove(t.Context(), adversary, k.typ, 9))
		})
	}
}

func TestAdversaryAssetsOfAllKindsAreListed(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "GET", Target: "/v2/groups/adversaries/51/adversaryAssets?owner=Example&resultLimit=500",
		Answer: `{"status":"Success","data":{"resultCount":4,"bucketAsset":[{"id":"1","name":"badguy","type":"Handle","webLink":"w"},
		{"id":"2","name":"555-0100","type":"Phone Number"},{"id":"3","name":"555-0101","type":"Phone"},{"id":"4","name":"K1ABC","type":"Callsign","band":20}]}}`})
	adversary := &threatconnect.Adversary{GroupMeta: threatconnect.GroupMeta{ID: 51, Owner: threatconnect.Owner{Name: "Example"}}}
	list, err := client.AdversaryAssets.On(t.Context(), adversary)
	require.NoError(t, err)
	require.Len(t, list, 4)
	assert.Equal(t, []threatconnect.AdversaryAsset{
		{ID: 1, Type: threatconnect.AdversaryAssetHandle, Value: "badguy", WebLink: "w"},
		{ID: 2, Type: threatconnect.AdversaryAssetPhoneNumber, Value: "555-0100"},
		{ID: 3, Type: threatconnect.AdversaryAssetPhoneNumber, Value: "555-0101"},
	}, list[:3])
	assert.Equal(t, threatconnect.AdversaryAssetType("Callsign"), list[3].Type)
	assert.Equal(t, "20", string(list[3].Extra["band"]))
}

func TestInvalidAdversaryAssetIsRejected(t *testing.T) {
	t.Parallel()
	s := scripted(t).AdversaryAssets
	adversary := threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: 51}
	handle := threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetHandle, Value: "secret"}
	for name, c := range map[string]struct {
		on    threatconnect.Resource
		asset threatconnect.AdversaryAsset
		field string
	}{
		"no kind":             {adversary, threatconnect.AdversaryAsset{Value: "secret"}, "adversary asset type"},
		"an unknown kind":     {adversary, threatconnect.AdversaryAsset{Type: "Callsign", Value: "secret"}, "adversary asset type"},
		"no value":            {adversary, threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetURL}, "adversary asset url"},
		"a control character": {adversary, threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetHandle, Value: "secret\n\x01"}, "adversary asset handle"},
		"no adversary":        {nil, handle, "resource"},
		"another group":       {threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1}, handle, "resource"},
		"a victim":            {threatconnect.VictimRef{ID: 1}, handle, "resource"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Add(t.Context(), c.on, c.asset)
			peopleRefused(t, err, c.field, "secret")
		})
	}
	value := threatconnect.AdversaryAssetUpdate{Value: new("secret")}
	_, err := s.Update(t.Context(), adversary, threatconnect.AdversaryAssetHandle, 0, value)
	peopleRefused(t, err, "adversary asset id", "secret")
	_, err = s.Update(t.Context(), adversary, "Callsign", 9, value)
	peopleRefused(t, err, "adversary asset type", "secret")
	_, err = s.Update(t.Context(), adversary, threatconnect.AdversaryAssetHandle, 9, threatconnect.AdversaryAssetUpdate{})
	peopleRefused(t, err, "AdversaryAssetUpdate", "")
	_, err = s.Update(t.Context(), adversary, threatconnect.AdversaryAssetHandle, 9, threatconnect.AdversaryAssetUpdate{Value: new(" ")})
	peopleRefused(t, err, "adversary asset handle", "")
	_, err = s.Get(t.Context(), adversary, threatconnect.AdversaryAssetHandle, 0)
	peopleRefused(t, err, "adversary asset id", "")
	_, err = s.Get(t.Context(), adversary, "Callsign", 1)
	peopleRefused(t, err, "adversary asset type", "")
	_, err = s.OfType(t.Context(), adversary, "")
	peopleRefused(t, err, "adversary asset type", "")
	_, err = s.On(t.Context(), nil)
	peopleRefused(t, err, "resource", "")
	peopleRefused(t, s.Remove(t.Context(), adversary, "Callsign", 1), "adversary asset type", "")
	peopleRefused(t, s.Remove(t.Context(), adversary, threatconnect.AdversaryAssetHandle, -1), "adversary asset id", "")
}
