package threatconnecttest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInvalidAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Library", ReadOnly: true})
	ids := map[string]int64{}
	for _, owner := range []string{"Example Organization", "Example Source", "Library"} {
		g := &GroupRecord{Owner: owner, Type: "Threat", Name: "Gang"}
		r.seed(g)
		ids[owner] = g.ID
		r.seed(&IndicatorRecord{Owner: owner, Type: "Host", Summary: "www.example.com"})
	}
	bare := &VictimRecord{Name: "Alex"}
	r.seed(bare)
	foreign := &VictimRecord{Owner: "Example Source", Name: "Kim", Assets: []AssetRecord{{Type: "Phone", Values: []string{"555-0100"}}}}
	r.seed(foreign)
	own := fmt.Sprintf("/v2/groups/threats/%d", ids["Example Organization"])

	assert.Equal(t, msgOwners, message(r.must(403, "POST", fmt.Sprintf("%s/groups/threats/%d", own, ids["Example Source"]), "")))
	assert.Equal(t, msgOwners, message(r.must(403, "POST", fmt.Sprintf("%s/victims/%d", own, foreign.ID), "")))
	assert.Equal(t, msgNoAsset, message(r.must(400, "POST", fmt.Sprintf("%s/victims/%d", own, bare.ID), "")))
	assert.Equal(t, msgNoAsset, message(r.must(400, "POST", fmt.Sprintf("/v2/victims/%d/groups/threats/%d", bare.ID, ids["Example Organization"]), "")))
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

func TestSelfAssociationIsRejected(t *testing.T) {
	t.Parallel()
	t.Run("a group of a batch file", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		for range 2 { // creates the group, then finds it
			job := r.batch(config(), `{"group":[{"type":"Threat","name":"x","xid":"x","associatedGroupXid":["x","y"]},{"type":"Threat","name":"y","xid":"y"}]}`)
			assert.Equal(t, []int{1, 1}, []int{job.Success, job.Errors})
			require.Len(t, job.Problems, 1)
			p := job.Problems[0]
			assert.Equal(t, []string{"0x1009", "An object cannot be associated with itself", "x"}, []string{p.Code, p.Message, p.Source})
			assert.Contains(t, r.get("/v2/batch/"+strconv.Itoa(len(r.srv.Jobs()))+"/errors").raw, "Error (0x1009): An object cannot be associated with itself")
		}
		x, _ := r.srv.Group("x")
		assert.Equal(t, []string{"y"}, x.Groups, "other associations are kept")
		r.must(200, "DELETE", "/v2/groups/threats/"+itoa(x.ID)+"?owner=Example%20Source", "")
		y, _ := r.srv.Group("y")
		assert.Empty(t, y.Groups)
	})
	t.Run("a seeded group", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.seed(&GroupRecord{Type: "Threat", Name: "y", XID: "y"})
		err := r.srv.Seed(&GroupRecord{Type: "Threat", Name: "x", XID: "x", Groups: []string{"y", "x"}})
		require.ErrorContains(t, err, "a group cannot be associated with itself")
		_, ok := r.srv.Group("x")
		assert.False(t, ok, "a refused record adds nothing")
		left, _ := r.srv.Group("y")
		assert.Empty(t, left.Groups)
	})
	t.Run("two associated files that become one", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		md5, sha1 := strings.Repeat("A", 32), strings.Repeat("B", 40)
		job := r.batch(config(), `{"indicator":[{"type":"File","summary":"`+md5+`"},{"type":"File","summary":"`+sha1+`"}],
			"association":[{"type_1":"File","ref_1":"`+md5+`","type_2":"File","ref_2":"`+sha1+`","associationType":"File Drop"}]}`)
		require.Equal(t, 3, job.Success, job.Problems)
		job = r.batch(config(), `{"indicator":[{"type":"File","summary":"`+md5+` : `+sha1+`"}]}`)
		require.Equal(t, 1, job.Success, job.Problems)
		files := r.srv.Indicators(source)
		require.Len(t, files, 1)
		assert.Empty(t, files[0].Associated)
	})
}

func TestInvalidTagAndLabelRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Library", ReadOnly: true})
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
