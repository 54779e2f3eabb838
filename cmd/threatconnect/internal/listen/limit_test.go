package listen

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPeer(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7/32", "[::ffff:192.0.2.7]:80": "192.0.2.7/32", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64",
	} {
		assert.Equal(t, want, Peer(address).String())
	}
	assert.False(t, Peer("@").IsValid())
}

func TestLimit(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := make(chan netip.Prefix, 10)
	limited := Limit(l, 2, func(peer netip.Prefix) { refused <- peer })
	accepted := make(chan net.Conn, 10)
	go func() {
		defer close(accepted)
		for {
			c, err := limited.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	connect := func() net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	connect()
	connect()
	first, second := <-accepted, <-accepted
	_, err = connect().Read(make([]byte, 1))
	require.Error(t, err)
	assert.Equal(t, "127.0.0.1/32", (<-refused).String())

	require.NoError(t, first.Close())
	require.Error(t, first.Close(), "closing it twice counts once")
	connect()
	third := <-accepted
	_, err = connect().Read(make([]byte, 1))
	require.Error(t, err)
	<-refused
	require.NoError(t, second.Close())
	require.NoError(t, third.Close())
	require.NoError(t, limited.Close())
	<-accepted
	assert.Empty(t, limited.(*limitedListener).open)
}
