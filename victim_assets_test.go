package threatconnect_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// victimAssetKinds are the five kinds as they stand on the wire.
var victimAssetKinds = []struct {
	asset                threatconnect.VictimAsset // without id
	branch, entity, body string
}{
	{&threatconnect.VictimEmailAddress{Address: "jo@example.com", AddressType: "Work"}, "emailAddresses", "victimEmailAddress", `{"address":"jo@example.com","addressType":"Work"}`},
	{&threatconnect.VictimNetworkAccount{Account: "jo", Network: "AD"}, "networkAccounts", "victimNetworkAccount", `{"account":"jo","network":"AD"}`},
	{&threatconnect.VictimPhone{Number: "555-0100"}, "phoneNumbers", "victimPhone", `{"phoneType":"555-0100"}`},
	{&threatconnect.VictimSocialNetwork{Account: "@jo", Network: "Example"}, "socialNetworks", "victimSocialNetwork", `{"account":"@jo","network":"Example"}`},
	{&threatconnect.VictimWebSite{URL: "https://example.com/jo"}, "webSites", "victimWebSite", `{"webSite":"https://example.com/jo"}`},
}

// assetUpdate returns an update that sets every field of an asset to what it is.
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

func TestVictimAssetsOfAllKindsAreToldApartByTheirType(t *testing.T) {
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

func TestVictimAssetThatThePlatformWouldRefuseIsNotSent(t *testing.T) {
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

func TestNothingOfAVictimAssetStandsInAnError(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/victims/41/victimAssets/networkAccounts", Body: `{"account":"jo.example","network":"CORP"}`,
		Status: http.StatusBadRequest, Answer: `{"status":"Failure","message":"jo.example in CORP: no"}`})
	_, err := client.VictimAssets.Add(t.Context(), threatconnect.VictimRef{ID: 41}, &threatconnect.VictimNetworkAccount{Account: "jo.example", Network: "CORP"})
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.NotContains(t, err.Error(), "jo.example")
	assert.NotContains(t, err.Error(), "CORP")
}
