package doctor

import (
	"bytes"
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// rewrite serves srv and replaces text in the responses to requests whose URL contains part.
func rewrite(srv http.Handler, part, old, with string) http.Handler {
	re := regexp.MustCompile(old)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		if strings.Contains(r.RequestURI, part) {
			body = re.ReplaceAll(body, []byte(with))
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	})
}

// TestUnusualResponses rewrites responses of the test server where no option changes them.
func TestUnusualResponses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		part, old, with string
		check           string
		result          result
		want            string
	}{
		"no owners":         {"/v2/owners", `"resultCount":3,"owner":\[.*\]`, `"resultCount":0,"owner":[]`, "owners", failed, "the API user sees no owner"},
		"other owner types": {"/v2/owners", `"type":"Source"`, `"type":"Hushed"`, "owners", passed, "organizations: 1, communities: 1, sources: 0, others: 1"},
		"no role":           {"/v2/whoami", `,"role":"[^"]*"`, ``, "API user", passed, "does not report the role"},
		"custom type":       {"/v2/types/indicatorTypes", `"name":"Mutex"`, `"name":"Hushed"`, "indicator types", passed, "12 indicator types, 1 of them custom"},
		"short page":        {"resultLimit=10000", `"resultCount":3`, `"resultCount":30000`, "page size", warned, "resultLimit=10000 is accepted, but the page has only 3 items"},
		"no ThreatAssess":   {"/v2/indicators?", `"(threatAssess|cal)`, `"x`, "ThreatAssess", warned, "of 3 indicators, 0 have a score, 0 a rating and 0 a confidence"},
		"ignored filter": {"filters=", `"indicator":\[\]`, `"indicator":[{"id":1,"type":"Host","summary":"hushed.example","ownerName":"Hushed"}]`,
			"missing items", warned, "the filter of a list by summary is ignored"},
		"description":       {"/hosts/threatconnect-doctor", `"first"`, `"hushed"`, "read back", warned, "these are missing or different: the description"},
		"tag":               {"/hosts/threatconnect-doctor", `"name":"threatconnect-doctor-`, `"name":"hushed-`, "read back", warned, "the group, the tag"},
		"Singleton appends": {"/hosts/threatconnect-doctor", `\{[^{}]*"value":"second"[^{}]*\}`, `{"type":"Description","value":"first"},$0`, "write modes", warned, "Singleton leaves 2 attributes of one type"},
		"tags replaced":     {"/hosts/threatconnect-doctor", `"name":"threatconnect-doctor-[0-9a-f]*-2"`, `"name":"hushed"`, "write modes", warned, "a tag is missing after Append"},
		"no errors":         {"/v2/batch/", `"error(Indicator)?Count":1`, `"error${1}Count":0`, "error file", unknown, "the job has no error"},
		"no success":        {"/v2/batch/", `"success([A-Z][a-z]*)?Count":[1-9]`, `"success${1}Count":0`, "batch import", failed, "success 0"},
		"empty error file":  {"/errors", `(?s).*`, `[]`, "error file", failed, "its error file is missing or empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityPlainErrorFile))
			fill(t, srv)
			c := newClinic(serve(t, rewrite(srv, tc.part, tc.old, tc.with)), srv)
			_, r := c.report(t, "--write", "Example Community")
			got := r.named(t, tc.check)
			assert.Equal(t, tc.result, got.Result, got)
			assert.Contains(t, got.Seen, tc.want)
			assert.NotContains(t, strings.ToLower(c.out.String()), "hushed")
			requireUntouched(t, srv)
		})
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for range 40 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: newLabel() + ".example"}))
	}
	_, r := newClinic(serve(t, srv), srv).report(t)
	assert.Contains(t, r.named(t, "compression").Seen, "the instance does not compress responses")
	_, r = newClinic(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, r)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(rec.Body.Bytes())
		_ = z.Close()
		maps.Copy(w.Header(), rec.Header())
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(b.Bytes())
	})), srv).report(t)
	assert.Equal(t, "the instance compresses responses", r.named(t, "compression").Seen)
	assert.NotEmpty(t, r.Shapes["GET /v2/owners 200"], "compressed responses are recorded after decompression")
}
