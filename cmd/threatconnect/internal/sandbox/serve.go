package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// runSandbox listens and serves until ctx ends.
func runSandbox(ctx context.Context, env *cli.Env, o options) error {
	srv, setUp, err := newServer(env, o)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	c := newControl(srv, setUp, o.addr, ctx.Done())
	host := reachable(l.Addr())
	a := announcement{
		Base: "http://" + host + "/api", AccessID: srv.AccessID(), SecretKey: srv.SecretKey(), Token: srv.Token(),
		SandboxToken: c.guard.token, Page: "http://" + host + "/#token=" + c.guard.token,
	}
	c.about = aboutOf(a, o.key == "")
	if err := a.write(env.Stdout, srv.Owners(), o); err != nil {
		l.Close()
		return err
	}
	if err := serve(ctx, l, c.handler()); err != nil {
		return err
	}
	if !o.strict {
		return nil
	}
	for _, lapse := range srv.Lapses() {
		err = cli.ExitCode(cli.Failure)
		env.Printf("threatconnect sandbox: --strict: %v", lapse)
	}
	return err
}

// serve serves until ctx ends, and then waits for the current requests.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	var silent sync.Map // connections without a request, which browsers open in advance
	s := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			silent.Store(c, nil)
		} else {
			silent.Delete(c)
		}
	}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	silent.Range(func(c, _ any) bool { // Shutdown would wait for them
		_ = c.(net.Conn).Close()
		return true
	})
	if err := s.Shutdown(grace); err != nil {
		s.Close()
	}
	return nil
}

// announcement contains addresses and credentials for clients, in the format of --json.
type announcement struct {
	Base         string `json:"base"`
	AccessID     string `json:"accessId"`
	SecretKey    string `json:"secretKey"`
	Token        string `json:"token"`
	SandboxToken string `json:"sandboxToken"`
	Page         string `json:"page"`
}

// write prints the announcement in one write.
func (a announcement) write(w io.Writer, owners []threatconnecttest.Owner, o options) error {
	if o.json {
		return encode(w, a)
	}
	var names []string
	for _, o := range owners {
		names = append(names, strconv.Quote(o.Name))
	}
	_, err := fmt.Fprintf(w, `%s
This is a test server, not ThreatConnect. It loses all data when it ends.
Owners: %s
Page: %s
Paste these lines into a shell:
%sexport TC_SANDBOX_TOKEN=%s
`, a.Base, strings.Join(names, ", "), a.Page, a.environment(o.key == ""), quoteShell(a.SandboxToken))
	return err
}

// environment returns the lines for a shell that set the variables of clients of the API.
func (a announcement) environment(showKey bool) string {
	key := "export TC_SECRET_KEY=" + quoteShell(a.SecretKey)
	if !showKey {
		key = "# TC_SECRET_KEY is the value of --secret-key"
	}
	return fmt.Sprintf("export TC_BASE_URL=%s\nexport TC_ACCESS_ID=%s\n%s\n", quoteShell(a.Base), quoteShell(a.AccessID), key)
}

// quoteShell quotes s for a POSIX shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// reachable returns the address under which clients of this machine find a listener.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}
