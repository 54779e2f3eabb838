package threatconnecttest

import (
	"net/http"

	"github.com/threatconnect-go/threatconnect"
)

// Client returns a client of the SDK that is wired to the server in the process and signs with its
// credentials. Options come after that wiring and win.
//
// It panics on an option that [threatconnect.NewClient] refuses, because that is a mistake in the
// test.
func (s *Server) Client(opts ...threatconnect.Option) *threatconnect.Client {
	return s.ClientAs(threatconnect.HMAC(s.AccessID(), s.SecretKey()), opts...)
}

// ClientAs returns a client as [Server.Client] does, but with other credentials, such as the API
// token or a wrong key.
func (s *Server) ClientAs(credentials threatconnect.Credentials, opts ...threatconnect.Option) *threatconnect.Client {
	wired := append([]threatconnect.Option{threatconnect.WithTransport(http.RoundTripper(s))}, opts...)
	c, err := threatconnect.NewClient(s.BaseURL(), credentials, wired...)
	if err != nil {
		panic(err)
	}
	return c
}
