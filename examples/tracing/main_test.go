package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestCallAndAttemptsArePrinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 503}))
		var out strings.Builder
		observer, shutdown, err := tracing(&out)
		require.NoError(t, err)

		_, err = srv.Client(threatconnect.WithObserver(observer)).Indicators.Hosts.Get(t.Context(), "hidden.example", nil)
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		require.NoError(t, shutdown(t.Context()))
		assert.Equal(t, 3, strings.Count(out.String(), "GET /v2/indicators/hosts/{} "), "two attempts and their call: %s", out.String())
		assert.NotContains(t, out.String(), "hidden.example")
	})
}
