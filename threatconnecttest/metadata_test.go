package threatconnecttest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parents returns the paths of a group and an indicator, which have attributes, tags and labels.
func parents(r rig) map[string]string {
	g := &GroupRecord{Type: "Threat", Name: "x"}
	require.NoError(r, r.srv.Seed(g))
	require.NoError(r, r.srv.Seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com"}))
	return map[string]string{"group": fmt.Sprintf("/v2/groups/threats/%d", g.ID), "indicator": "/v2/indicators/hosts/www.example.com"}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for kind, parent := range parents(r) {
		made := r.must(201, "POST", parent+"/attributes", `{"type":"Description","value":"one","displayed":true,"source":"me"}`)
		assert.Equal(t, []string{"id", "type", "dateAdded", "lastModified", "displayed", "value", "source"}, keysOf(t, made.raw, "attribute"), kind)
		one := fmt.Sprintf("%s/attributes/%.0f", parent, made.at("data", "attribute", "id"))
		r.must(201, "POST", parent+"/attributes", `{"type":"Description","value":"two","displayed":true}`)
		list := r.get(parent + "/attributes")
		assert.InDelta(t, 2, list.at("data", "resultCount"), 0)
		assert.Equal(t, false, list.at("data", "attribute", 0, "displayed"), "only one may be displayed")
		r.must(201, "POST", parent+"/attributes", `{"type":"Aliases","value":"x","displayed":true}`)
		assert.Equal(t, false, r.get(parent+"/attributes").at("data", "attribute", 2, "displayed"), "only Description and Source are displayed")

		assert.Equal(t, "three", r.must(200, "PUT", one, `{"value":"three","type":"Source"}`).at("data", "attribute", "value"))
		assert.Equal(t, "Description", r.get(one).at("data", "attribute", "type"))
		assert.NotNil(t, r.get(one+"?includes=additional").at("data", "attribute", "xid"))
		r.must(400, "PUT", one, `{"displayed":true}`)
		for body, want := range map[string]string{
			`{"type":"Nothing","value":"x"}`:                                msgAttributeType,
			`{"type":"Adversary Type","value":"x"}`:                         msgAttributeType,
			`{"type":"Aliases","value":""}`:                                 msgNoValue,
			`{"type":"Aliases"}`:                                            msgNoValue,
			`{"type":"Aliases","value":"` + strings.Repeat("x", 501) + `"}`: "between 1-500 characters",
			`[]`: msgMalformed,
		} {
			got := r.do("POST", parent+"/attributes", body)
			assert.Contains(t, message(got), want, body)
			assert.GreaterOrEqual(t, got.status, 400)
		}
		label := one + "/securityLabels/TLP%3AAMBER%2BSTRICT"
		r.must(201, "POST", label, "")
		assert.Equal(t, "TLP:AMBER+STRICT", r.get(one+"/securityLabels").at("data", "securityLabel", 0, "name"))
		r.must(200, "DELETE", label, "")
		r.must(404, "DELETE", label, "")
		r.must(404, "POST", one+"/securityLabels/Unknown", "")
		r.must(200, "DELETE", one, "")
		r.must(404, "GET", one, "")
	}
}

func TestTagsAndLabels(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for kind, parent := range parents(r) {
		r.must(201, "POST", parent+"/tags/Nation%20State%2Fx", "")
		r.must(201, "POST", parent+"/tags/Nation%20State%2Fx", "")
		tags := r.get(parent + "/tags")
		assert.InDelta(t, 1, tags.at("data", "resultCount"), 0)
		assert.Equal(t, "Nation State/x", tags.at("data", "tag", 0, "name"), kind)
		assert.Contains(t, tags.at("data", "tag", 0, "webLink"), "&owner=Example+Organization")
		r.must(201, "POST", parent+"/tags/"+strings.Repeat("%C3%A9", 128), "")
		r.must(400, "POST", parent+"/tags/"+strings.Repeat("x", 129), "")
		r.must(200, "DELETE", parent+"/tags/Nation%20State%2Fx", "")
		r.must(404, "DELETE", parent+"/tags/Nation%20State%2Fx", "")

		r.must(201, "POST", parent+"/securityLabels/TLP%3AGREEN", "")
		r.must(404, "POST", parent+"/securityLabels/Unknown", "")
		labels := r.get(parent + "/securityLabels")
		assert.Equal(t, []string{"name", "description", "dateAdded"}, keysOf(t, labels.raw, "securityLabel"))
		r.must(200, "DELETE", parent+"/securityLabels/TLP%3AGREEN", "")
		r.must(404, "DELETE", parent+"/securityLabels/TLP%3AGREEN", "")
		r.must(404, "GET", parent+"0/tags", "")
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&IndicatorType{Name: "Bank Card", Branch: "bankCards", Entity: "bankCard", Fields: []string{"Number", "Bank"}},
		&AttributeType{Name: "Own", MaxLength: 5, AllowMarkdown: true})
	list := r.get("/v2/types/indicatorTypes")
	assert.InDelta(t, 13, list.at("data", "resultCount"), 0)
	assert.Equal(t, []string{"name", "custom", "parsable", "apiBranch", "apiEntity"}, keysOf(t, list.raw, "indicatorType"))
	assert.Equal(t, map[string]any{"name": "ASN", "custom": "true", "parsable": "true", "apiBranch": "asns", "apiEntity": "asn",
		"casePreference": "upper", "value1Label": "AS Number", "value1Type": "text", "value2Label": ""}, list.at("data", "indicatorType", 5))
	key := r.get("/v2/types/indicatorTypes/registryKey?includeAdditional=true")
	assert.Equal(t, "selectone", key.at("data", "indicatorType", "value3Type"))
	assert.Equal(t, map[string]any{"key1": "Key Name", "key2": "Value Name", "key3": "Value Type"}, key.at("data", "indicatorType", "keys"))
	assert.Len(t, r.get("/v2/types/indicatorTypes/file?includes=additional").at("data", "indicatorType", "regexes"), 3)
	r.must(404, "GET", "/v2/types/indicatorTypes/files", "")

	r.must(201, "POST", "/v2/indicators/bankCards", `{"Number":"1","Bank":"Example"}`)
	assert.Equal(t, "Example", r.get("/v2/indicators/bankCards/1%20%3A%20Example").at("data", "bankCard", "Bank"))
	require.Error(t, r.srv.Seed(&IndicatorType{Name: "Host", Branch: "x", Entity: "y", Fields: []string{"z"}}))
	require.Error(t, r.srv.Seed(&IndicatorType{Name: "Empty", Branch: "x", Entity: "y"}))

	own := r.get("/v2/types/attributeTypes/Own?includes=validationRule")
	assert.Equal(t, []string{"name", "system", "allowMarkdown", "maxLength", "validationRule"}, keysOf(t, own.raw, "attributeType"))
	assert.InDelta(t, 1, r.get("/v2/types/attributeTypes?system=false").at("data", "resultCount"), 0)
	assert.InDelta(t, 1, r.get("/v2/types/attributeTypes?filters=maxLength%3D2").at("data", "resultCount"), 0)
	r.must(404, "GET", "/v2/types/attributeTypes/Nothing", "")
	association := r.get("/v2/types/associationTypes/Adversary/")
	assert.Equal(t, map[string]any{"name": "Adversary", "custom": "false", "fileAction": "false", "apiBranch": "adversaries"}, association.at("data", "associationType"))
	assert.NotNil(t, r.get("/v2/types/associationTypes").at("data", "associationType", 0, "name"))
	r.must(404, "GET", "/v2/types/associationTypes/Nothing", "")
}

func TestTagWeightCountsUses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, host := range []string{"a.example.com", "b.example.com"} {
		r.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"`+host+`"}`)
		r.must(201, "POST", "/v2/indicators/hosts/"+host+"/tags/heavy", "")
	}
	heavier := func(than string) any { return r.get("/v2/tags?filters=weight%3E"+than).at("data", "resultCount") }
	assert.InDelta(t, 1, heavier("1"), 0)
	r.must(200, "DELETE", "/v2/indicators/hosts/a.example.com", "")
	assert.InDelta(t, 0, heavier("1"), 0, "a deleted indicator has no tags")
	assert.InDelta(t, 1, heavier("0"), 0)
	r.must(200, "DELETE", "/v2/indicators/hosts/b.example.com/tags/heavy", "")
	assert.InDelta(t, 0, heavier("0"), 0)
}
