package threatconnect

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Loopback is the address that is dialed, whatever a name resolves to.
func TestThreatOnlyLoopbackIsDialedInClear(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("http://localhost:9/api")
	require.NoError(t, err)
	cfg := config{base: base}
	tr := cfg.newTransport()
	for address, other := range map[string]bool{
		"127.0.0.1:9": false, "[::1]:9": false, "localhost:9": false,
		"192.0.2.1:9": true, "0.0.0.0:9": true, "255.255.255.255:9": true,
	} {
		_, err := tr.DialContext(t.Context(), "tcp", address)
		require.Error(t, err, "nobody listens")
		assert.Equal(t, other, errors.Is(err, errNotLoopback), "%s: %v", address, err)
	}
	for address, other := range map[string]bool{"[::ffff:127.0.0.1]:80": false, "[2001:db8::1]:80": true, "[fe80::1%eth0]:80": true, "": true} {
		assert.Equal(t, other, dialLoopback("tcp", address, nil) != nil, address)
	}
}
