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

// ClientAs is [Server.Client] with other credentials, as with the API token, or with a wrong key to
// see what happens.
func (s *Server) ClientAs(credentials threatconnect.Credentials, opts ...threatconnect.Option) *threatconnect.Client {
	wired := append([]threatconnect.Option{threatconnect.WithTransport(http.RoundTripper(s))}, opts...)
	c, err := threatconnect.NewClient(s.BaseURL(), credentials, wired...)
	if err != nil {
		panic(err)
	}
	return c
}
