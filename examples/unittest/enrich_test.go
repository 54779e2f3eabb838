// Package unittest is the unit test of an integration that survives an outage of the platform. It needs
// no instance: the test server runs in the process, and ten minutes of retries take milliseconds.
package unittest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// block is the code under test. It reports whether a firewall should block a host: one with a rating of 4 or more. It
// does not block unknown hosts, and returns errors.
func block(ctx context.Context, client *threatconnect.Client, host string) (bool, error) {
	h, err := client.Indicators.Hosts.Get(ctx, host, nil)
	if errors.Is(err, threatconnect.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return h.Rating != nil && *h.Rating >= 4, nil
}

func newServer(t *testing.T) *threatconnecttest.Server {
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: "evil.example", Rating: new(5.0)}))
	return srv
}

func TestBlock(t *testing.T) {
	t.Parallel()
	client := newServer(t).Client()
	for host, want := range map[string]bool{"evil.example": true, "www.example.org": false} {
		got, err := block(t.Context(), client, host)
		require.NoError(t, err)
		assert.Equal(t, want, got, host)
	}
}

// The platform refuses three requests, each with a Retry-After of 20 seconds. In a synctest bubble, time jumps ahead
// when all goroutines wait, so the test takes milliseconds.
func TestBlockRetries(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 503, Times: 3, Header: map[string][]string{"Retry-After": {"20"}}}))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got, err := block(t.Context(), srv.Client(), "evil.example")
		require.NoError(t, err)
		assert.True(t, got)
		assert.GreaterOrEqual(t, time.Since(start), time.Minute)
	})
	assert.Len(t, srv.Requests(), 4)
}

// An outage is an error, not an unknown host.
func TestBlockReportsAnOutage(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Times: -1}))
	synctest.Test(t, func(t *testing.T) {
		_, err := block(t.Context(), srv.Client(), "evil.example")
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "evil.example", "errors do not contain values")
	})
}
