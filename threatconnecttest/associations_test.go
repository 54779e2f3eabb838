package threatconnecttest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAssociationsAreRefusedAsThePlatformRefusesThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOwner(Owner{Name: "Library", ReadOnly: true}))
	ids := map[string]int64{}
	for _, owner := range []string{"Example Organization", "Example Source", "Library"} {
		g, err := r.srv.AddGroup(GroupRecord{Owner: owner, Type: "Threat", Name: "Gang"})
		require.NoError(t, err)
		ids[owner] = g.ID
		_, err = r.srv.AddIndicator(IndicatorRecord{Owner: owner, Type: "Host", Summary: "www.example.com"})
		require.NoError(t, err)
	}
	bare, err := r.srv.AddVictim(VictimRecord{Name: "Alex"})
	require.NoError(t, err)
	foreign, err := r.srv.AddVictim(VictimRecord{Owner: "Example Source", Name: "Kim", Assets: []AssetRecord{{Type: "Phone", Values: []string{"555-0100"}}}})
	require.NoError(t, err)
	own := fmt.Sprintf("/v2/groups/threats/%d", ids["Example Organization"])

	assert.Equal(t, msgOwners, message(r.must(403, "POST", fmt.Sprintf("%s/groups/threats/%d", own, ids["Example Source"]), "")))
	assert.Equal(t, msgOwners, message(r.must(403, "POST", fmt.Sprintf("%s/victims/%d", own, foreign.ID), "")))
	assert.Equal(t, msgNoAsset, message(r.must(400, "POST", fmt.Sprintf("%s/victims/%d", own, bare.ID), "")))
	r.must(404, "DELETE", fmt.Sprintf("%s/victims/%d", own, bare.ID), "")
	r.must(400, "POST", fmt.Sprintf("%s/groups/threats/%d", own, ids["Example Organization"]), "")
	r.must(404, "POST", own+"/groups/threats/1", "")
	r.must(404, "POST", own+"/groups/rumors/1", "")
	r.must(404, "POST", own+"/indicators/hosts/other.example.com", "")
	r.must(401, "POST", fmt.Sprintf("/v2/groups/threats/%d/indicators/hosts/www.example.com?owner=Library", ids["Library"]), "")
	r.must(405, "POST", "/v2/indicators/hosts/www.example.com/indicators/hosts/www.example.com", "")
	r.must(400, "POST", "/v2/indicators/hosts/www.example.com/associations/asnToCidr/indicators/hosts/www.example.com", "")
	r.must(404, "GET", "/v2/indicators/hosts/www.example.com/associations/nothing/indicators", "")
	r.must(404, "GET", own+"/groups/rumors", "")
	r.must(404, "GET", own+"/indicators/rumors", "")
	r.must(404, "GET", own+"/victimAssets/pets", "")
	r.must(404, "GET", own+"/victimAssets/phoneNumbers/1", "")
	r.must(201, "POST", own+"/indicators/hosts/www.example.com", "")
	assert.Equal(t, []string{"id", "ownerName", "type"}, keysOf(t, r.get(own+"/indicators").raw, "indicator")[:3])
	assert.Equal(t, []string{"id", "ownerName", "dateAdded"}, keysOf(t, r.get(own+"/indicators/hosts").raw, "host")[:3])
}

func TestTagsAndLabelsAreRefusedAsThePlatformRefusesThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOwner(Owner{Name: "Library", ReadOnly: true}))
	r.must(201, "POST", "/v2/tags", `{"name":"One","description":"x"}`)
	r.must(201, "POST", "/v2/tags", `{"name":"Two"}`)
	assert.Equal(t, msgTag, message(r.must(400, "POST", "/v2/tags", `{"description":"x"}`)))
	assert.Equal(t, msgTag, message(r.must(400, "PUT", "/v2/tags/One", `{"name":""}`)))
	assert.Contains(t, message(r.must(400, "PUT", "/v2/tags/One", `{"name":"Two"}`)), "already exists")
	r.must(400, "PUT", "/v2/tags/One", `[]`)
	r.must(401, "POST", "/v2/tags?owner=Library", `{"name":"One"}`)
	r.must(403, "GET", "/v2/tags?owner=Nobody", "")
	r.must(400, "GET", "/v2/tags?filters=rating%3E1", "")
	r.must(404, "GET", "/v2/tags/Three/groups", "")
	assert.Equal(t, []string{"name", "webLink"}, keysOf(t, r.get("/v2/tags").raw, "tag"))
	assert.Equal(t, []string{"name", "webLink", "description"}, keysOf(t, r.get("/v2/tags?detailed=true").raw, "tag"))
	r.must(401, "DELETE", "/v2/securityLabels/TLP%3ARED?owner=Library", "")
	r.must(404, "DELETE", "/v2/securityLabels/TLP%3APINK", "")
	r.must(404, "GET", "/v2/securityLabels/TLP%3ARED/indicators/hosts/www.example.com", "")
	r.must(405, "POST", "/v2/securityLabels", `{"name":"x"}`)
}
