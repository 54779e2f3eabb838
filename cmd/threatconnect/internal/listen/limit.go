package listen

import (
	"net"
	"net/netip"
	"sync"
)

// Peer returns the network of a client: its IPv4 address, or the /64 of its IPv6 address, in which a machine can use
// any address. It returns the zero value for other addresses.
func Peer(remoteAddr string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	return netip.PrefixFrom(ip, min(ip.BitLen(), 64)).Masked()
}

// Limit returns a listener that accepts up to n connections of a peer at a time. It closes further ones, and calls
// refused for each.
func Limit(l net.Listener, n int, refused func(peer netip.Prefix)) net.Listener {
	return &limitedListener{Listener: l, n: n, refused: refused, open: map[netip.Prefix]int{}}
}

type limitedListener struct {
	net.Listener
	n       int
	refused func(netip.Prefix)

	mu   sync.Mutex
	open map[netip.Prefix]int // connections of each peer that has any
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := Peer(c.RemoteAddr().String())
		if l.add(peer) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.remove(peer) })}, nil
		}
		_ = c.Close()
		l.refused(peer)
	}
}

func (l *limitedListener) add(peer netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer] >= l.n {
		return false
	}
	l.open[peer]++
	return true
}

func (l *limitedListener) remove(peer netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer]--; l.open[peer] == 0 {
		delete(l.open, peer)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
