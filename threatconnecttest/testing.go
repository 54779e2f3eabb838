package threatconnecttest

import (
	"context"
	"net"
	"net/http/httptest"
	"testing"
)

// Listen serves on a free port of the loopback interface until the test ends, and returns the base
// URL of its clients, "http://127.0.0.1:PORT/api". It cannot be called in a bubble of
// [testing/synctest].
func (s *Server) Listen(tb testing.TB) (baseURL string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	port := httptest.NewUnstartedServer(s)
	port.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	port.Start()
	tb.Cleanup(func() {
		cancel()                      // ends delays, and
		port.CloseClientConnections() // answers without end that nobody reads: Close waits for both
		port.Close()
	})
	return port.URL + basePath
}
