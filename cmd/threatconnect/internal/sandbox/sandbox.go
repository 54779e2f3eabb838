// Package sandbox serves the test server of the SDK on a port, for clients in any language.
package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const long = `
The sandbox is not ThreatConnect: it follows the documentation of the v2 API, keeps everything in
memory, and loses it when it ends. It ends on SIGINT or SIGTERM.

The first line on standard output is the base URL for clients. The lines that begin with export can be
pasted into a shell: they set TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY. A key that is given by
--secret-key is not printed, and the token never is.

The default id, key and token are public constants, the same in every sandbox. They keep nobody out
who can reach the port.

Bulk reports are on for every owner, in JSON and CSV. A download returns the latest finished report:
with runNow=true, changes made before the call are in the next download.`

// requestsKept is the number of requests that the server remembers.
const requestsKept = 1000

// options are the flags of the command.
type options struct {
	addr, id, key, token string
	clock                time.Duration
	withoutBatch         bool
	readOnly             []string
	faults               percent
}

// Command returns the command sandbox.
func Command(env *cli.Env) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "sandbox [flags]",
		Short: "Serve a test server on a port, for clients in any language",
		Long:  long,
		Example: `  threatconnect sandbox                                 # on 127.0.0.1:8080
  threatconnect sandbox --clock-offset 6m --faults 5%   # with trouble`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			srv, err := newServer(o)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), srv, o.addr, o.key == "", env.Stdout)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`HOST:PORT` to listen on; port 0 picks a free port")
	cli.Text(flags, &o.id, "access-id", "access `ID` that the server accepts")
	cli.Text(flags, &o.key, "secret-key", "secret `KEY` that the server accepts. Do not give a key that is used elsewhere: it is visible on the command line, and the server uses plain HTTP")
	cli.Text(flags, &o.token, "token", "API `TOKEN` that the server accepts as well")
	flags.DurationVar(&o.clock, "clock-offset", 0, "`TIME` that the server's clock is ahead, as in 6m; it is behind if negative")
	flags.BoolVar(&o.withoutBatch, "without-batch", false, "switch the batch API off")
	flags.StringArrayVar(&o.readOnly, "read-only", nil, "add an `OWNER` that the API user can only read; repeatable")
	flags.Var(&o.faults, "faults", "`PERCENT` of the requests that fail: 503, broken connections, damaged and foreign responses")
	cli.MainFlags(cmd, "addr", "clock-offset", "without-batch", "read-only", "faults")
	return cmd
}

// newServer makes the server that the flags ask for.
func newServer(o options) (*threatconnecttest.Server, error) {
	for flag, value := range map[string]string{"--access-id": o.id, "--secret-key": o.key, "--token": o.token} {
		if value != strings.TrimSpace(value) || strings.ContainsAny(value, "\r\n\x00") || flag == "--access-id" && strings.Contains(value, ":") {
			return nil, cli.UsageError("%s has white space around it or a character that cannot be sent", flag)
		}
	}
	set := []threatconnecttest.Option{
		threatconnecttest.WithCredentials(o.id, o.key, o.token), threatconnecttest.WithRequestLog(requestsKept),
	}
	if o.withoutBatch {
		set = append(set, threatconnecttest.WithBatchOff())
	}
	srv := threatconnecttest.New(set...)
	srv.SetClockOffset(o.clock)
	for _, name := range o.readOnly {
		taken := slices.ContainsFunc(srv.Owners(), func(owner threatconnecttest.Owner) bool { return owner.Name == name })
		if taken || srv.Seed(&threatconnecttest.Owner{Name: name, Type: "Source", ReadOnly: true}) != nil {
			return nil, cli.UsageError("--read-only: the owner cannot be added: give a name that no owner of the sandbox has")
		}
	}
	for _, owner := range srv.Owners() {
		if err := srv.SetBulkReports(owner.Name, threatconnecttest.BulkReports{JSON: true, CSV: true}); err != nil {
			return nil, err
		}
	}
	if o.faults > 0 {
		return srv, srv.Inject(threatconnecttest.FaultMix(1, float64(o.faults)/100, threatconnecttest.FaultStatus, threatconnecttest.FaultReset,
			threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody, threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML,
			threatconnecttest.FaultGarbage, threatconnecttest.FaultEmpty, threatconnecttest.FaultLateStatus))
	}
	return srv, nil
}

// percent is the value of a flag: a number from 0 to 100, with or without a percent sign.
type percent float64

func (p *percent) String() string { return "" }
func (p *percent) Type() string   { return "percent" }

func (p *percent) Set(s string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return fmt.Errorf("must be a percentage from 0 to 100, as in 5%%")
	}
	*p = percent(n)
	return nil
}

// serve listens and answers until ctx ends, and then lets the requests that are under way end.
func serve(ctx context.Context, srv *threatconnecttest.Server, addr string, showKey bool, stdout io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
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

// announce prints the base URL, the owners and the credentials.
func announce(srv *threatconnecttest.Server, addr net.Addr, showKey bool, w io.Writer) error {
	base := "http://" + reachable(addr) + "/api"
	key := "export TC_SECRET_KEY=" + quoteShell(srv.SecretKey())
	if !showKey {
		key = "# TC_SECRET_KEY is the value of --secret-key"
	}
	var names []string
	for _, o := range srv.Owners() {
		names = append(names, strconv.Quote(o.Name))
	}
	_, err := fmt.Fprintf(w, `%s
This is a test server and not ThreatConnect: it loses everything when it ends.
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
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}
