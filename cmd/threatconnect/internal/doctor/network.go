package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// soonExpired is the time before the end of a certificate from which the doctor warns.
const soonExpired = 14 * 24 * time.Hour

// windowsRefused is ECONNREFUSED on Windows, where the constant of package syscall has another value.
const windowsRefused = syscall.Errno(10061)

// baseURL checks the shape of the base URL and makes the client.
func (e *exam) baseURL(context.Context) check {
	plain, err := e.inst.Client(e.log) // checks the proxy of the environment, too
	if err != nil {
		return fail(cli.Explain(err), "check TC_BASE_URL and the other variables of the environment")
	}
	if e.url, err = url.Parse(plain.BaseURL()); err != nil {
		return fail("the base URL is not a URL", "write it as in https://app.threatconnect.com/api")
	}
	if e.proxyURL, err = e.proxy(e.url); err != nil {
		return fail("the URL of the proxy is not one", "check HTTPS_PROXY")
	}
	if e.transport == nil {
		e.transport = newTransport(e.proxy, e.roots)
	}
	e.rec = &recorder{base: e.transport, now: e.now}
	e.client, err = e.newClient(e.inst)
	if err != nil {
		return fail(cli.Explain(err), "check TC_BASE_URL and the other variables of the environment")
	}
	ending := "its path ends in /api"
	if !e.endsInAPI() {
		ending = "its path does not end in /api"
	}
	return pass("%s, and %s", e.url.Scheme, ending).with(e.url.String())
}

func (e *exam) endsInAPI() bool { return strings.HasSuffix(e.url.Path, "/api") }

// target returns the host and port that this machine connects to, and the variable that names it.
func (e *exam) target() (host, port, variable string) {
	u, variable := e.url, "TC_BASE_URL"
	if e.proxyURL != nil {
		u, variable = e.proxyURL, "HTTPS_PROXY"
	}
	port = u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return u.Hostname(), port, variable
}

func (e *exam) dns(ctx context.Context) check {
	host, _, variable := e.target()
	if _, err := netip.ParseAddr(host); err == nil {
		return pass("%s has an address, so there is no name to resolve", variable)
	}
	ctx, cancel := context.WithTimeout(ctx, e.limits.connect)
	defer cancel()
	addresses, err := e.lookup(ctx, host)
	if dnsErr, ok := errors.AsType[*net.DNSError](err); ok && dnsErr.IsNotFound {
		return fail("the host name does not exist", "check the host in "+variable).with(host)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fail(fmt.Sprintf("the name server does not respond within %s", e.limits.connect), "check the network and the DNS settings of this machine").with(host)
	case err != nil:
		return fail("the name server reports an error", "check the network and the DNS settings of this machine").with(err.Error())
	case len(addresses) == 0:
		return fail("the host name has no address", "check the host in "+variable).with(host)
	}
	v4 := 0
	for _, a := range addresses {
		if a.Unmap().Is4() {
			v4++
		}
	}
	return pass("the host name has %d IPv4 and %d IPv6 addresses", v4, len(addresses)-v4)
}

func (e *exam) tcp(ctx context.Context) check {
	host, port, variable := e.target()
	ctx, cancel := context.WithTimeout(ctx, e.limits.connect)
	defer cancel()
	began := e.now()
	conn, err := e.dial(ctx, "tcp", net.JoinHostPort(host, port))
	switch {
	case err == nil:
		took := e.now().Sub(began)
		_ = conn.Close() // nothing was sent
		return pass("connected in %d ms", took.Milliseconds())
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, windowsRefused):
		return fail("the connection is refused: nothing listens on the port", "check the port in "+variable).with(err.Error())
	case ctx.Err() != nil:
		return fail(fmt.Sprintf("there is no connection within %s", e.limits.connect), "check the host in "+variable+", and whether a firewall is in the way").with(net.JoinHostPort(host, port))
	}
	return fail("the connection fails", "check the network and the host in "+variable).with(err.Error())
}

// firstCall sends the first request, which reads the owners. Several checks use it.
func (e *exam) firstCall(ctx context.Context) *exchange {
	if e.first == nil {
		ctx, cancel := context.WithTimeout(ctx, e.limits.first)
		defer cancel()
		e.owners, e.firstErr = threatconnect.Collect(e.client.Owners.All(ctx, nil))
		if all := e.rec.all(); len(all) > 0 {
			e.first = all[len(all)-1]
		} else {
			e.first = &exchange{err: e.firstErr} // the request was not made
		}
	}
	return e.first
}

func (e *exam) tunnel(ctx context.Context) check {
	if e.proxyURL == nil {
		return pass("none is used")
	}
	x := e.firstCall(ctx)
	refusal, refused := errors.AsType[*proxyRefusal](x.err)
	switch {
	case refused && refusal.status == http.StatusProxyAuthRequired:
		return fail("the proxy wants a user name and a password (status 407)", "give them in HTTPS_PROXY, percent-encoded")
	case refused:
		return fail(fmt.Sprintf("the proxy does not connect to the instance: it responds with status %d", refusal.status), "ask the administrator of the proxy to allow the host of TC_BASE_URL, or name the host in NO_PROXY")
	case !x.tunneled:
		return fail("the proxy does not connect to the instance", "check HTTPS_PROXY, or name the host of TC_BASE_URL in NO_PROXY").with(cli.Plain(x.err))
	}
	return pass("a proxy of the environment is used (%s)", e.proxyURL.Scheme)
}

func (e *exam) secure(ctx context.Context) check {
	if e.url.Scheme == "http" {
		return pass("not used: the base URL is http:// on this machine")
	}
	x := e.firstCall(ctx)
	if !x.secured {
		return e.insecure(x)
	}
	leaf := x.tls.PeerCertificates[0]
	left := leaf.NotAfter.Sub(e.now())
	details := []string{"issuer: " + leaf.Issuer.String(), "valid until " + leaf.NotAfter.UTC().Format(time.DateOnly)}
	saw := fmt.Sprintf("%s, with a certificate that this machine trusts for %d days more", tls.VersionName(x.tls.Version), left/(24*time.Hour))
	if left < soonExpired {
		return warn(saw, "renew the certificate of the instance").with(details...)
	}
	return pass("%s", saw).with(details...)
}

// insecure returns the check of a TLS connection that failed.
func (e *exam) insecure(x *exchange) check {
	if c, ok := errors.AsType[*tls.CertificateVerificationError](x.err); ok && len(c.UnverifiedCertificates) > 0 {
		return e.untrusted(c, c.UnverifiedCertificates[0])
	}
	_, notTLS := errors.AsType[tls.RecordHeaderError](x.err)
	switch {
	case notTLS:
		return fail("the port does not speak TLS", "check the port in TC_BASE_URL: is it one for http://?")
	case x.err != nil && strings.Contains(x.err.Error(), "protocol version"): // crypto/tls has no error value for it
		return fail("the server has no TLS version from 1.2 on", "ask the administrator of the instance to switch TLS 1.2 or 1.3 on")
	case errors.Is(x.err, context.DeadlineExceeded):
		return fail(fmt.Sprintf("the server does not finish the TLS handshake within %s", e.limits.first), "check the port in TC_BASE_URL")
	}
	return fail("the TLS handshake fails", "check the host and the port in TC_BASE_URL, and whether a firewall is in the way").with(cli.Plain(e.firstErr))
}

// untrusted returns the check of a certificate that is not trusted.
func (e *exam) untrusted(err error, leaf *x509.Certificate) check {
	details := []string{"issuer: " + leaf.Issuer.String(), fmt.Sprintf("valid from %s until %s", leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly))}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	switch {
	case e.now().After(leaf.NotAfter):
		return fail("the certificate has expired", "renew the certificate of the instance; if it is valid, set the clock of this machine").with(details...)
	case e.now().Before(leaf.NotBefore):
		return fail("the certificate is not valid yet", "set the clock of this machine").with(details...)
	case name:
		return fail("the certificate is for another host name", "check the host in TC_BASE_URL").with(details...)
	case authority:
		return fail("the certificate is signed by an authority that this machine does not trust", "if it is a private authority of yours or of a proxy, save its certificate in a file and name the file in SSL_CERT_FILE (on Windows and macOS, add it to the certificates of the system)").with(details...)
	}
	return fail("the certificate is not valid", "replace the certificate of the instance").with(details...)
}

func (e *exam) api(ctx context.Context) check {
	x := e.firstCall(ctx)
	err := e.firstErr
	api, answered := errors.AsType[*threatconnect.APIError](err)
	const askAdmin = "ask the administrator of the instance"
	switch {
	case err == nil:
		return pass("the v2 API responds")
	case errors.Is(err, threatconnect.ErrNotLicensed):
		return fail("the instance has no license for the API", askAdmin+" to license it")
	case errors.Is(err, threatconnect.ErrRateLimited):
		return fail("the instance limits the rate of requests (status 429)", "try again later, and ask for a higher limit if it stays").with(cli.Plain(err))
	case errors.Is(err, threatconnect.ErrRedirect):
		return e.elsewhere(ctx, fmt.Sprintf("the server redirects to another URL (status %d)", x.status)).with("Location: " + x.header.Get("Location"))
	case answered && api.HTML || x.isHTML():
		return e.elsewhere(ctx, fmt.Sprintf("the response is an HTML page, such as a login page or a page of a proxy (status %d)", x.status))
	case answered && strings.HasPrefix(api.Message, "Could not find resource"):
		return e.elsewhere(ctx, "the platform has no API at the path of the base URL")
	case errors.Is(err, threatconnect.ErrServer):
		return fail("the server fails: "+cause(err), "try again later, and ask the administrator if it stays").with(cli.Plain(err))
	case answered && (api.Message != "" || x.isJSON() && (x.status == http.StatusUnauthorized || x.status == http.StatusForbidden)):
		return pass("the v2 API responds")
	case answered:
		return e.elsewhere(ctx, fmt.Sprintf("the response is not from the API (status %d)", x.status))
	case errors.Is(err, context.DeadlineExceeded) && (x.err == nil || errors.Is(x.err, context.DeadlineExceeded)):
		return fail(fmt.Sprintf("there is no complete response within %s", e.limits.first), "check the host and the port in TC_BASE_URL, and try again later")
	case x.err != nil:
		return fail("the server ends the connection without a response", "check the host and the port in TC_BASE_URL").with(cli.Plain(err))
	}
	return e.elsewhere(ctx, "the response is not from the API")
}

// elsewhere returns the check of a base URL without an API. It tries the URL with /api at its end.
func (e *exam) elsewhere(ctx context.Context, saw string) check {
	fix := "check TC_BASE_URL: open it in a browser, and find out whether a proxy answers instead of the instance"
	if e.endsInAPI() {
		return fail(saw, fix)
	}
	inst := e.inst
	inst.BaseURL = e.url.String() + "/api"
	client, err := e.newClient(inst)
	if err != nil {
		return fail(saw, fix)
	}
	ctx, cancel := context.WithTimeout(ctx, e.limits.connect)
	defer cancel()
	_, err = client.Owners.Whoami(ctx)
	api, answered := errors.AsType[*threatconnect.APIError](err)
	if err == nil || answered && api.Message != "" {
		return fail(saw, "add /api to TC_BASE_URL: the API responds there")
	}
	return fail(saw, fix+"; it usually ends in /api, but there is no API there, either")
}
