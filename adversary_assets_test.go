package threatconnect_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

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

func TestAdversaryAssetThatThePlatformWouldRefuseIsNotSent(t *testing.T) {
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
