package doctor

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// presences runs the doctor against a server with these oddities and returns its findings.
func presences(t *testing.T, set threatconnecttest.Oddity, options ...threatconnecttest.Option) map[string]presence {
	t.Helper()
	m := map[string]presence{}
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, append(options, threatconnecttest.WithOddities(set), threatconnecttest.WithBatchPolls(1))...)
		fill(t, srv)
		observe(t, srv)
		_, r := inProcess(srv, func() {}).report(t, "--write", "Example Source")
		requireUntouched(t, srv)
		for _, f := range r.Oddities {
			m[f.Name] = f.Presence
		}
	})
	return m
}

// TestOddities switches on one oddity of the test server at a time. The doctor must report this one and no other.
func TestOddities(t *testing.T) {
	t.Parallel()
	var covered threatconnecttest.Oddity
	for _, o := range oddities {
		covered |= o.set
		t.Run(o.set.String(), func(t *testing.T) {
			t.Parallel()
			var options []threatconnecttest.Option
			if o.set == threatconnecttest.OddityForbiddenBatch {
				options = append(options, threatconnecttest.WithBatchOff())
			}
			for name, p := range presences(t, o.set, options...) {
				assert.Equal(t, name == o.set.String(), p == seen, name)
			}
			for name, p := range presences(t, 0, options...) {
				want := absent
				if name == "forbiddenBatch" && options == nil {
					want = unclear // no job was refused
				}
				if options == nil || name == o.set.String() {
					assert.Equal(t, want, p, "%s without oddities", name)
				}
			}
		})
	}
	assert.Equal(t, threatconnecttest.OddityAll, covered, "every oddity of the test server has a detector")
}

func TestAllOdditiesAtOnce(t *testing.T) {
	t.Parallel()
	for name, p := range presences(t, threatconnecttest.OddityAll) {
		// Some exclude each other, and the server applies only the first.
		switch name {
		case "offsetDates", "realBools", "emptyWithoutKey", "plainTextErrors", "errorWord", "failureWith200", "forbiddenBatch":
		default:
			assert.Equal(t, seen, p, name)
		}
	}
}

// TestOdditiesInReadOnlyMode requires that only oddities that need writes are unclear without --write.
func TestOdditiesInReadOnlyMode(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	fill(t, srv)
	observe(t, srv)
	_, r := newClinic(serve(t, srv), srv).report(t)
	for _, f := range r.Oddities {
		if f.Writes {
			assert.Equal(t, unclear, f.Presence, f.Name)
		} else {
			assert.Equal(t, absent, f.Presence, f.Name)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	x := &exchange{body: []byte(`{"a":[{"id":7},{"id":"7"}],"b":3.0,"c":3.5,"d":"3.0","e":"-3.5","f":true,"g":"true","h":null,"i":"","j":"x",
		"k":"2026-01-02","l":"2026-01-02T03:04:05Z","m":"2026-01-02T03:04:05.123-05:00","n":"2026-01-02T03:04:05-05:00Z","o":"2026-1-2T03:04:05",
		"some value":{"p":1}}`)}
	got := map[string]kind{}
	for _, f := range x.shape() {
		got[f.path] += f.kind + ";"
	}
	assert.Equal(t, map[string]kind{
		"": "object;", "a": "array;", "a[]": "object;", "a[].id": "integer;integer in a string;", "b": "whole decimal;", "c": "decimal;",
		"d": "whole decimal in a string;", "e": "decimal in a string;", "f": "boolean;", "g": "boolean in a string;", "h": "null;", "i": "empty string;", "j": "string;",
		"k": "date without time;", "l": "date with Z;", "m": "date with offset;", "n": "date with offset and Z;", "o": "date without zone;",
		"(other)": "object;", "(other).p": "integer;",
	}, got)
}

// The shape of a damaged body has the facts up to the damage, and that of a hostile body a limited number of facts.
func TestDamagedBodies(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		``: 0, `<html>`: 0, `{"a":1`: 2, `{"a":1,]`: 2, strings.Repeat("[", 1_000_000): maxDepth + 1,
	} {
		x := &exchange{body: []byte(body)}
		assert.Len(t, x.shape(), want, "%.20s", body)
	}
	many := strings.Builder{}
	many.WriteString(`{"a":0`)
	for n := range 2 * maxFacts {
		many.WriteString(`,"k` + strings.Repeat("x", n%30) + strings.Repeat("y", n/30%30) + strings.Repeat("z", n/900) + `":0`)
	}
	x := &exchange{body: []byte(many.String())}
	assert.LessOrEqual(t, len(x.shape()), maxFacts)
}

// Responses of other servers and damaged responses show no oddity.
func TestUnclearResponses(t *testing.T) {
	t.Parallel()
	text, json := http.Header{"Content-Type": {"text/plain"}}, http.Header{"Content-Type": {"application/json"}}
	for name, x := range map[string]*exchange{
		"gateway":      {route: missingRoute, status: 502, header: text, body: []byte("Bad Gateway")},
		"login page":   {route: missingRoute, status: 200, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("<html>")},
		"cut list":     {route: "GET /v2/indicators", status: 200, header: json, body: []byte(`{"status":"Success","data":{"indicator":[{"id":1},`)},
		"no response":  {route: errorsRoute},
		"second page":  {route: "GET /v2/owners", query: url.Values{"resultStart": {"500"}}, status: 200, header: json, body: []byte(`{"status":"Success","data":{"owner":[]}}`)},
		"refused list": {route: "GET /v2/indicators", query: url.Values{"filters": {"x"}}, status: 403, header: json, body: []byte(`{"status":"Failure"}`)},
	} {
		for _, o := range oddities {
			assert.NotEqual(t, seen, o.detect([]*exchange{x}), "%s: %s", name, o.set.String())
		}
	}
}

// No response makes a detector panic.
func FuzzDetectors(f *testing.F) {
	f.Add("GET /v2/batch/{}", 200, "application/json", `{"status":"Success","data":{"batchStatus":{"status":"Completed","successCount":"7","successAssociationCount":1}}}`)
	f.Add("GET /v2/batch/{}/errors", 404, "text/plain", `[{"errorSource":{"type":"File","summary":"a  :  b"}}]`)
	f.Add("GET /v2/indicators", 200, "text/html; x", `{"data":{"indicator":[{"owner":{"id":1},"rating":3}]}}`)
	f.Fuzz(func(t *testing.T, route string, status int, contentType, body string) {
		x := &exchange{route: route, status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)}
		for _, o := range oddities {
			p := o.detect([]*exchange{x})
			require.Contains(t, []presence{seen, absent, unclear}, p)
		}
		for _, lines := range shapes([]*exchange{x}) {
			for _, line := range lines {
				require.NotContains(t, line, "\n")
			}
		}
	})
}
