package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestCustomTypes(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{Name: "MAC Address", Branch: "macAddresses", Entity: "macAddress", Fields: []string{"MAC"}}))
	client := srv.Client()

	var out strings.Builder
	require.NoError(t, list(t.Context(), client, &out))
	assert.Contains(t, out.String(), "MAC Address: MAC\n")
	assert.NotContains(t, out.String(), "Host")

	out.Reset()
	require.NoError(t, add(t.Context(), client, &out, "Example Source", "MAC Address", "00-00-5e-00-53-01"))
	assert.Equal(t, "MAC Address 00-00-5e-00-53-01 in Example Source, rating 3\n", out.String())

	require.ErrorContains(t, add(t.Context(), client, &out, "Example Source", "No Type", "x"), "type")
}
