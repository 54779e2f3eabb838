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
		match  string // a regular expression that the answer has with the oddity and not without
	}{
		{"ids are strings", OddityStringIDs, "/v2/indicators", 200, `"id":"\d+"`},
		{"dates have no zone", OddityZonelessDates, "/v2/groups", 200, `"dateAdded":"[-0-9]+T[:0-9]+"`},
		{"dates have an offset", OddityOffsetDates, "/v2/groups", 200, `"dateAdded":"[-0-9]+T[:0-9]+-05:00"`},
		{"dates of observations are malformed", OddityMalformedDates, "/v2/indicators/hosts/www.example.com/observations", 200, `-05:00Z"`},
		{"booleans are strings", OddityStringBools, "/v2/indicators/hosts/www.example.com?includeAdditional=true", 200, `"active":"true"`},
		{"booleans are booleans", OddityRealBools, "/v2/indicators/hosts/www.example.com", 200, `"dnsActive":false`},
		{"numbers are strings", OddityStringNumbers, "/v2/indicators", 200, `"rating":"3.0","confidence":"50"`},
		{"ratings are integers", OddityIntegerRatings, "/v2/indicators", 200, `"rating":3,`},
		{"lists have owner objects", OddityOwnerObjectInLists, "/v2/indicators", 200, `"owner":\{"id":1,`},
		{"lists have no count", OddityMissingResultCount, "/v2/indicators", 200, `^\{"status":"Success","data":\{"indicator"`},
		{"empty lists are missing", OddityEmptyAs404, "/v2/groups/threats", 404, msgNotFound},
		{"empty lists have no key", OddityEmptyWithoutKey, "/v2/groups/threats", 200, `"data":\{"resultCount":0\}`},
		{"lists of one are objects", OddityLoneObjects, "/v2/indicators", 200, `"indicator":\{`},
		{"errors are text", OddityPlainTextErrors, "/v2/owners/9", 404, `^` + msgNotFound + `$`},
		{"errors are called Error", OddityErrorWord, "/v2/owners/9", 404, `"status":"Error"`},
		{"errors come with 200", OddityFailureWith200, "/v2/owners/9", 200, `"Failure"`},
		{"types have another key", OddityAdditionalTypesKey, "/v2/types/indicatorTypes?includeAdditional=true", 200, `"indicator":\[`},
		{"running jobs are bare", OddityBareStatus, "/v2/batch/1", 200, `^\{"status":"Created"\}$`},
		{"counts of zero are missing", OddityMissingCounts, "/v2/batch/1", 200, `"status":"Created"\}`},
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

func TestOdditiesOfEndedBatches(t *testing.T) {
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
	assert.Contains(t, objects, `"errorSource":"x-1"`, "an association has no object")
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

func TestBatchesThatOlderInstancesRefuse(t *testing.T) {
	t.Parallel()
	off := newRig(t, WithBatchOff(), WithOddities(OddityForbiddenBatch)).must(403, "POST", "/v2/batch", config())
	assert.JSONEq(t, `{"status":"Not Authorized","description":"Document storage not enabled for this instance"}`, off.raw)
	forbidding := newRig(t, WithOddities(OddityForbiddenBatch))
	forbidding.seed(&Owner{Name: "Feed", ReadOnly: true})
	denied := forbidding.must(403, "POST", "/v2/batch", config("owner", `"Feed"`))
	assert.JSONEq(t, `{"status":"Not Authorized","description":"Organization not authorized for batch"}`, denied.raw)
}

func TestAllOdditiesAtOnceStillAnswerJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOddities(OddityAll))
	for _, path := range []string{"/v2/owners", "/v2/indicators", "/v2/groups", "/v2/whoami", "/v2/types/attributeTypes", "/v2/owners/1/metrics"} {
		r.get(path) // send checks that JSON is JSON
	}
	exists := newRig(t, WithOddities(OddityCreateRefusesExists))
	exists.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
	again := exists.must(400, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
	assert.Contains(t, message(again), "already exists")
}
