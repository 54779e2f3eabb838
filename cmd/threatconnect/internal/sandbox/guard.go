package sandbox

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/listen"
)

// tokenHeader is the header in which writes carry the token that the sandbox prints at its start.
const tokenHeader = "Sandbox-Token"

// guard restricts the page and the control API to clients on this machine that use an address or a known name
// of the sandbox. Pages of other sites are refused by their Origin header, and pages that point their own name
// at this machine (DNS rebinding) by their Host header.
type guard struct {
	names listen.Names
	token string
}

var (
	errRemote = errors.New("the page and /__sandbox/ answer only to clients on the machine of the sandbox: connect over 127.0.0.1, as with ssh -L")
	errProxy  = errors.New("the request came through a proxy: connect to the sandbox itself, as with ssh -L")
	errHost   = errors.New("the Host header is not the sandbox: use the address that it prints at its start")
	errOrigin = errors.New("the request comes from a page of another origin: open the page of the sandbox, or use a client that is not a browser")
	errToken  = errors.New("header " + tokenHeader + ": send the value of TC_SANDBOX_TOKEN, which the sandbox prints at its start")
)

// local refuses clients on other machines, and requests for other hosts. A proxy on this machine is recognized by
// its headers.
func (g guard) local(r *http.Request) error {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return errRemote
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"} {
		if r.Header.Get(name) != "" {
			return errProxy
		}
	}
	if !g.names.Has(r) {
		return errHost
	}
	return nil
}

// mayWrite refuses requests without the token.
func (g guard) mayWrite(r *http.Request) error {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(g.token)) != 1 {
		return errToken
	}
	return nil
}
