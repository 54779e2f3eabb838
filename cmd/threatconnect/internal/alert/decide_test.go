package alert

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestThresholds(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{
		Owner: "Example Source", Type: "Host", Summary: "cal.example", Rating: new(2.0),
		Assessed: &threatconnecttest.ThreatAssess{Score: 100, CALScore: 640},
	}))
	const in = `{"id":"1","indicators":["203.0.113.42","cdn.updates.example","https://docs.example.org/manual.pdf","198.51.100.1","www.example.com","cal.example"]}`
	for name, tc := range map[string]struct {
		args []string // override thresholds that no indicator reaches
		want []string // values that matter
	}{
		"nothing":         {nil, nil},
		"score":           {[]string{"--min-score", "800"}, []string{"203.0.113.42"}},
		"CAL score":       {[]string{"--min-cal-score", "640"}, []string{"cal.example"}},
		"higher score":    {[]string{"--min-score", "813", "--min-cal-score", "641"}, nil},
		"rating":          {[]string{"--min-rating", "3"}, []string{"203.0.113.42", "cdn.updates.example"}},
		"low rating":      {[]string{"--min-rating", "1"}, []string{"203.0.113.42", "cdn.updates.example", "https://docs.example.org/manual.pdf", "cal.example"}},
		"score or rating": {[]string{"--min-score", "800", "--min-rating", "3"}, []string{"203.0.113.42", "cdn.updates.example"}},
		"unknown":         {[]string{"--store-unknown"}, []string{"198.51.100.1"}},
		"false positives": {[]string{"--min-score", "700", "--max-false-positives", "4"}, []string{"203.0.113.42", "www.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			args := append([]string{"--min-score", "1000", "--min-cal-score", "1000", "--min-rating", "5", "--dry-run"}, tc.args...)
			for _, v := range decided(t, env, in, args...).Indicators {
				if v.matters() {
					got = append(got, v.Value)
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

// Ratings of owners that have set an indicator inactive do not count.
func TestInactiveIndicators(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{
		Owner: "Example Source", Type: "Host", Summary: "old.example", Rating: new(5.0), Inactive: true,
		Assessed: &threatconnecttest.ThreatAssess{Score: 10},
	}))
	r := decided(t, env, `{"indicators":["old.example"]}`)
	assert.Equal(t, ignore, r.Indicators[0].Decision)
	assert.Nil(t, r.Indicators[0].Rating)
}

func TestCandidateTypes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		typ, value string
		want       threatconnect.IndicatorType // empty if the value is refused
		summary    string
	}{
		{"", "203[.]0[.]113[.]1", threatconnect.TypeAddress, "203.0.113.1"},
		{"", "invoice.exe", "", ""},
		{"host", "invoice.exe", threatconnect.TypeHost, "invoice.exe"},
		{"IP", "evil.example", "", ""},
		{"Registry_Key", `HKLM\Software\Example : Run : REG_SZ`, threatconnect.TypeRegistryKey, `HKEY_LOCAL_MACHINE\Software\Example : Run : REG_SZ`},
		{"sha256", "no hash", "", ""},
		{"file", "00112233445566778899aabbccddeeff", threatconnect.TypeFile, "00112233445566778899AABBCCDDEEFF"},
		{"mutex", `Global\a[.]b`, threatconnect.TypeMutex, `Global\a[.]b`},
		{"user-agent", "curl/8.0", threatconnect.TypeUserAgent, "curl/8.0"},
		{"url", "hxxp://a[.]example/x", threatconnect.TypeURL, "http://a.example/x"},
		{"unheard of", "x", "", ""},
	} {
		t.Run(tc.typ+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			ind, err := candidate{value: tc.value, typ: tc.typ}.indicator()
			if tc.want == "" {
				require.ErrorIs(t, err, threatconnect.ErrValidation)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, ind.Type())
			assert.Equal(t, tc.summary, ind.Summary())
		})
	}
}

// A value of a type that the instance does not have is refused, but the alert does not fail.
func TestUnknownIndicatorTypesAreRejected(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	r := decided(t, env, `{"indicators":[{"type":"CVE","value":"CVE-2020-0001"},{"type":"nonsense","value":"x"},"203.0.113.42"]}`)
	assert.Equal(t, map[string]string{"CVE-2020-0001": refuse, "x": refuse, "203.0.113.42": store}, decisions(r))
}

func TestFailedLookupsStoreNothing(t *testing.T) {
	t.Parallel()
	srv, env := newInstanceBehind(t, func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/indicators/") {
			return http.StatusForbidden
		}
		return 0
	})
	r := run(t, env, sampleAlert, owner()...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, "7 values could not be looked up. Nothing was stored.")
	assert.Contains(t, r.stderr, "look up an indicator: GET")
	assert.Contains(t, r.stderr, "; 6 more values failed")
	assert.Empty(t, srv.Groups(sampleOwner))
}
