package threatconnecttest

import (
	"net/http"

	"github.com/threatconnect-go/threatconnect"
)

// Client returns an SDK client that is connected to the server in process and signs with its
// credentials. opts are applied last and can override both.
//
// Client panics if [threatconnect.NewClient] refuses an option, because that is a mistake in the
// test.
func (s *Server) Client(opts ...threatconnect.Option) *threatconnect.Client {
	return s.ClientAs(threatconnect.HMAC(s.AccessID(), s.SecretKey()), opts...)
}

// ClientAs is like [Server.Client] with other credentials, such as the API token or a wrong key.
func (s *Server) ClientAs(credentials threatconnect.Credentials, opts ...threatconnect.Option) *threatconnect.Client {
	wired := append([]threatconnect.Option{threatconnect.WithTransport(http.RoundTripper(s))}, opts...)
	c, err := threatconnect.NewClient(s.BaseURL(), credentials, wired...)
	if err != nil {
		panic(err)
	}
	return c
}
