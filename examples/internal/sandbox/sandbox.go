// Package sandbox serves the test server of the SDK on a port, for clients in any language.
package sandbox

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/examples/internal/job"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const usage = `sandbox serves the test server of the Go SDK on a port, for clients in any language.
It is not ThreatConnect: it follows the documentation of the v2 API, keeps everything in memory, and
loses it when it ends.

  sandbox [-addr HOST:PORT] [-access-id ID] [-secret-key KEY] [-token TOKEN]

  -addr HOST:PORT     the address to listen on; 127.0.0.1:8080 by default. Port 0 picks a free port
  -access-id ID       the access id that the server accepts
  -secret-key KEY     the secret key that the server accepts. Do not give a key that is used elsewhere:
                      it is visible on the command line, and the server uses plain HTTP
  -token TOKEN        the API token that the server accepts as well, for clients that send tokens

The default id, key and token are public constants, the same in every sandbox. They keep nobody out
who can reach the port.

The first line on standard output is the base URL for clients. The lines that begin with export can be
pasted into a shell: they set TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY. A key that is given by
-secret-key is not printed, and the token never is.

Bulk reports are on for every owner, in JSON and CSV. A download returns the latest finished report:
with runNow=true, changes made before the call are in the next download.

The command ends on SIGINT or SIGTERM.
`

// requestsKept is how many requests the server remembers.
const requestsKept = 1000

// Main serves until ctx ends and returns the exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	addr := fs.String("addr", "127.0.0.1:8080", "")
	id := fs.String("access-id", "", "")
	key := fs.String("secret-key", "", "")
	token := fs.String("token", "", "")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := io.WriteString(stdout, usage); err != nil {
			return job.Failure
		}
		return job.Success
	}
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("%q is no flag", fs.Arg(0))
	}
	if err == nil {
		err = checkCredential("-access-id", *id)
	}
	if err == nil {
		err = checkCredential("-secret-key", *key)
	}
	if err == nil {
		err = checkCredential("-token", *token)
	}
	if err != nil {
		fmt.Fprintf(stderr, "sandbox: %v (see sandbox -help)\n", err)
		return job.Failure
	}
	srv := threatconnecttest.New(threatconnecttest.WithCredentials(*id, *key, *token), threatconnecttest.WithRequestLog(requestsKept))
	for _, o := range srv.Owners() {
		if err := srv.SetBulkReports(o.Name, threatconnecttest.BulkReports{JSON: true, CSV: true}); err != nil {
			fmt.Fprintf(stderr, "sandbox: %v\n", err)
			return job.Failure
		}
	}
	if err := serve(ctx, srv, *addr, *key == "", stdout); err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return job.Failure
	}
	return job.Success
}

// checkCredential refuses what no client could send.
func checkCredential(name, s string) error {
	if s != strings.TrimSpace(s) || strings.ContainsAny(s, "\r\n\x00") || name == "-access-id" && strings.Contains(s, ":") {
		return errors.New(name + ": has white space around it or a character that cannot be sent")
	}
	return nil
}

// serve listens and answers until ctx ends, then lets the requests that are under way end.
func serve(ctx context.Context, srv *threatconnecttest.Server, addr string, showKey bool, stdout io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if err := announce(srv, l.Addr(), showKey, stdout); err != nil {
		l.Close()
		return err
	}
	s := &http.Server{Handler: srv, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(grace); err != nil {
		s.Close()
	}
	return nil
}

// announce prints the base URL, and then the owners and the credentials for people.
func announce(srv *threatconnecttest.Server, addr net.Addr, showKey bool, w io.Writer) error {
	base := "http://" + reachable(addr) + "/api"
	key := "export TC_SECRET_KEY=" + quoteShell(srv.SecretKey())
	if !showKey {
		key = "# TC_SECRET_KEY is the value of -secret-key"
	}
	names := make([]string, 0, 3)
	for _, o := range srv.Owners() {
		names = append(names, fmt.Sprintf("%q", o.Name))
	}
	_, err := fmt.Fprintf(w, `%s
This is a test server and not ThreatConnect: everything in it is in memory and gone when it ends.
Owners: %s
Paste these lines into a shell:
export TC_BASE_URL=%s
export TC_ACCESS_ID=%s
%s
`, base, strings.Join(names, ", "), quoteShell(base), quoteShell(srv.AccessID()), key)
	return err
}

// quoteShell quotes s for a POSIX shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// reachable returns the address under which clients of this machine find a listener.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
