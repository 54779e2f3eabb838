package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for _, r := range []threatconnecttest.IndicatorRecord{
		{Owner: "Example Source", Type: "Address", Summary: "203.0.113.42", Rating: new(4.0), Tags: []string{"Botnet"}},
		{Owner: "Example Community", Type: "Address", Summary: "203.0.113.42"},
	} {
		require.NoError(t, srv.Seed(&r))
	}
	var out strings.Builder
	require.NoError(t, lookup(t.Context(), srv.Client(), []string{"203[.]0[.]113[.]42", "www.example.org", "no value"}, &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, out.String(), "203.0.113.42\tExample Source\trating 4\tThreatAssess score ")
	assert.Contains(t, out.String(), "\t#Botnet\n")
	assert.Contains(t, out.String(), "203.0.113.42\tExample Community\trating -\t")
	assert.Equal(t, "www.example.org\tnot found", lines[2])
	assert.Contains(t, lines[3], "no value\tnot looked up: ")
}

func TestServerErrorEndsLookup(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithoutLicense())
	require.Error(t, lookup(t.Context(), srv.Client(), []string{"203.0.113.42"}, new(strings.Builder)))
}
