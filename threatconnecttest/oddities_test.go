package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOddities(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		odd    Oddity
		path   string
		status int
		match  string // regular expression that matches only with the oddity
	}{
		{name: "IDs are strings", odd: OddityStringIDs, path: "/v2/indicators", status: 200, match: `"id":"\d+"`},
		{name: "dates have no zone", odd: OddityZonelessDates, path: "/v2/groups", status: 200, match: `"dateAdded":"[-0-9]+T[:0-9]+"`},
		{name: "dates have an offset", odd: OddityOffsetDates, path: "/v2/groups", status: 200, match: `"dateAdded":"[-0-9]+T[:0-9]+-05:00"`},
		{
			name:   "dates of observations are malformed",
			odd:    OddityMalformedDates,
			path:   "/v2/indicators/hosts/www.example.com/observations",
			status: 200,
			match:  `-05:00Z"`,
		},
		{
			name:   "booleans are strings",
			odd:    OddityStringBools,
			path:   "/v2/indicators/hosts/www.example.com?includeAdditional=true",
			status: 200,
			match:  `"active":"true"`,
		},
		{name: "booleans are booleans", odd: OddityRealBools, path: "/v2/indicators/hosts/www.example.com", status: 200, match: `"dnsActive":false`},
		{name: "numbers are strings", odd: OddityStringNumbers, path: "/v2/indicators", status: 200, match: `"rating":"3.0","confidence":"50"`},
		{name: "ratings are integers", odd: OddityIntegerRatings, path: "/v2/indicators", status: 200, match: `"rating":3,`},
		{name: "lists have owner objects", odd: OddityOwnerObjectInLists, path: "/v2/indicators", status: 200, match: `"owner":\{"id":1,`},
		{
			name:   "lists have no count",
			odd:    OddityMissingResultCount,
			path:   "/v2/indicators",
			status: 200,
			match:  `^\{"status":"Success","data":\{"indicator"`,
		},
		{name: "empty lists are missing", odd: OddityEmptyAs404, path: "/v2/groups/threats", status: 404, match: msgNotFound},
		{name: "empty lists have no key", odd: OddityEmptyWithoutKey, path: "/v2/groups/threats", status: 200, match: `"data":\{"resultCount":0\}`},
		{name: "lists of one are objects", odd: OddityLoneObjects, path: "/v2/indicators", status: 200, match: `"indicator":\{`},
		{name: "errors are text", odd: OddityPlainTextErrors, path: "/v2/owners/9", status: 404, match: `^` + msgNotFound + `$`},
		{name: "errors are called Error", odd: OddityErrorWord, path: "/v2/owners/9", status: 404, match: `"status":"Error"`},
		{name: "errors come with 200", odd: OddityFailureWith200, path: "/v2/owners/9", status: 200, match: `"Failure"`},
		{
			name:   "types have another key",
			odd:    OddityAdditionalTypesKey,
			path:   "/v2/types/indicatorTypes?includeAdditional=true",
			status: 200,
			match:  `"indicator":\[`,
		},
		{name: "running jobs are bare", odd: OddityBareStatus, path: "/v2/batch/1", status: 200, match: `^\{"status":"Created"\}$`},
		{name: "counts of zero are missing", odd: OddityMissingCounts, path: "/v2/batch/1", status: 200, match: `"status":"Created"\}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com", Rating: new(3.0), Confidence: new(50)})
			r.seed(&GroupRecord{Type: "Adversary", Name: "x"})
			r.must(200, "POST", "/v2/indicators/hosts/www.example.com/observations", `{"count":1}`)
			r.must(201, "POST", "/v2/batch", config())
			re := regexp.MustCompile(tc.match)
			plain := r.get(tc.path)
			if tc.odd != OddityFailureWith200 {
				assert.NotRegexp(t, re, plain.raw)
			}
			r.srv.SetOddities(tc.odd)
			got := r.get(tc.path)
			assert.Equal(t, tc.status, got.status)
			assert.Regexp(t, re, got.raw)
			r.srv.SetOddities(0)
			assert.Equal(t, plain.raw, r.get(tc.path).raw)
		})
	}
}

func TestOdditiesOfBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOddities(OddityBareBatchID|OddityBareStatus|OddityLateErrors|OddityPlainErrorFile), WithBatchPolls(1))
	assert.JSONEq(t, `{"batchId":"1"}`, r.must(201, "POST", "/v2/batch", config()).raw)
	assert.JSONEq(t, `{"status":"Queued"}`, r.upload(1, `{"indicator":[{"type":"Host","summary":"x"}]}`).raw)
	assert.JSONEq(t, `{"status":"Running"}`, r.get("/v2/batch/1").raw)
	assert.Equal(t, "Completed", r.get("/v2/batch/1").at("data", "batchStatus", "status"))
	r.must(404, "GET", "/v2/batch/1/errors", "")
	file := r.must(200, "GET", "/v2/batch/1/errors", "")
	assert.Contains(t, file.header.Get("Content-Type"), "text/plain")
	assert.True(t, json.Valid([]byte(file.raw)))
}

func TestOdditiesOfCompletedBatches(t *testing.T) {
	t.Parallel()
	const content = `{"group":[{"type":"Threat","name":"x","xid":"x-1","tag":[{"name":""}]}],
		"indicator":[{"type":"File","summary":"D41D8CD98F00B204E9800998ECF8427E : DA39A3EE5E6B4B0D3255BFEF95601890AFD80709","tag":[{"name":""}]}],
		"association":[{"ref_1":"x-1","ref_2":"x-2"}]}`
	r := newRig(t)
	r.batch(config(), content)
	status := func(odd Oddity) string {
		r.srv.SetOddities(odd)
		return r.get("/v2/batch/1?includeAdditional=true").raw
	}
	assert.Contains(t, status(0), `"status":"Completed","errorCount":3,"successCount":0,`)
	assert.Regexp(t, `^\{"status":"Completed","errorCount":3,.*"errorAssociationCount":1\}$`, status(OddityBareCompleted))
	assert.Regexp(t, `"errorCount":2,.*"errorAssociationCount":1\}`, status(OddityAssociationsApart))
	file := func(odd Oddity) string {
		r.srv.SetOddities(odd)
		return r.get("/v2/batch/1/errors").raw
	}
	assert.Contains(t, file(0), `"errorSource":"D41D8CD98F00B204E9800998ECF8427E : DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"`)
	assert.Contains(t, file(OddityDoubledSpaces), `"errorSource":"D41D8CD98F00B204E9800998ECF8427E  :  DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"`)
	objects := file(OddityErrorObjects)
	assert.Contains(t, objects, `"errorSource":{"type":"File","summary":"D41D8CD98F00B204E9800998ECF8427E : `)
	assert.Contains(t, objects, `"errorSource":{"type":"Threat","xid":"x-1"}`)
	assert.Contains(t, objects, `"errorSource":"x-1"`, "an association has a text")
}

func TestTypeNamesOfBatchFiles(t *testing.T) {
	t.Parallel()
	const content = `{"group":[{"type":"event","name":"e","xid":"e1"},
		{"type":"Signature","name":"s","xid":"s1","fileName":"a","fileType":"snort","fileText":"t"}],
		"indicator":[{"type":"Url","summary":"http://c.example.com/"}],
		"association":[{"type_1":"EVENT","ref_1":"e1","type_2":"url","ref_2":"http://c.example.com/"}]}`
	r := newRig(t)
	job := r.batch(config(), content)
	require.Empty(t, job.Problems)
	assert.Equal(t, 4, job.Success)
	s, _ := r.srv.Group("s1")
	assert.Equal(t, "Snort", s.Fields["fileType"])
	byID := fmt.Sprintf(`{"association":[{"type_1":"event","id_1":%d,"type_2":"URL","id_2":%d}]}`, r.srv.Groups(source)[0].ID, r.srv.Indicators(source)[0].ID)
	assert.Equal(t, 1, r.batch(config(), byID).Success)

	strict := newRig(t, WithOddities(OddityExactTypeNames)).batch(config(), content)
	assert.Equal(t, []int{0, 4}, []int{strict.Success, strict.Errors})
	assert.Equal(t, "'event' is not a Group type", strict.Problems[0].Message)
	assert.Contains(t, strict.Problems[1].Message, "The fileType for this Signature is invalid")
	assert.Equal(t, "'Url' is not an Indicator type", strict.Problems[2].Message)
}

func TestOldInstancesForbidBatch(t *testing.T) {
	t.Parallel()
	off := newRig(t, WithBatchOff(), WithOddities(OddityForbiddenBatch)).must(403, "POST", "/v2/batch", config())
	assert.JSONEq(t, `{"status":"Not Authorized","description":"Document storage not enabled for this instance"}`, off.raw)
	forbidding := newRig(t, WithOddities(OddityForbiddenBatch))
	forbidding.seed(&Owner{Name: "Feed", ReadOnly: true})
	denied := forbidding.must(403, "POST", "/v2/batch", config("owner", `"Feed"`))
	assert.JSONEq(t, `{"status":"Not Authorized","description":"Organization not authorized for batch"}`, denied.raw)
}

func TestAllOdditiesReturnValidJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOddities(OddityAll))
	for _, path := range []string{"/v2/owners", "/v2/indicators", "/v2/groups", "/v2/whoami", "/v2/types/attributeTypes", "/v2/owners/1/metrics"} {
		r.get(path) // send checks that JSON is valid
	}
	exists := newRig(t, WithOddities(OddityCreateRefusesExists))
	exists.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
	again := exists.must(400, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
	assert.Contains(t, message(again), "already exists")
}
