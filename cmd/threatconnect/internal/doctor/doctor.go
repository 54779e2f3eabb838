// Package doctor checks an instance of ThreatConnect step by step, and reports how it differs from the
// documentation.
package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

const long = `
doctor checks an instance step by step: base URL, network, proxy, TLS, clock, credentials, API user,
owners, types, page sizes, ThreatAssess, bulk reports. Each check reports its result and how to fix a
problem. A check is left out if it depends on one that failed. A wrong host or port fails within 15
seconds.

doctor sends about 20 requests and changes nothing. Some results need writes, and are otherwise shown
as unknown: whether the batch API is on, whether the API user may import, and how batch jobs treat
attributes. With --write OWNER, doctor imports a host, two files, a threat and two tags with random
names into that owner by two batch jobs, and creates an incident by a single request. It reads them and
removes them, also after errors and Ctrl-C. The host is below .example, which cannot exist. The jobs
stay in the list of jobs of the instance.

doctor also detects the oddities in docs/wire.md, which are known differences between instances.
--report and --json write a report in JSON that you can attach to an issue. It contains counts,
sentences of doctor, and the names and formats of members of responses. It contains no host name, no
name of an owner or user, no indicator and no credential. The text on standard output can contain
names, for example of owners.

Exit codes: 0 if nothing failed, 1 if something failed.
` + cli.EnvironmentHelp + `
  HTTPS_PROXY      URL of the proxy
  NO_PROXY         hosts to reach without the proxy`

// limits are the timeouts of the network checks. A wrong host or port fails within 15 seconds.
type limits struct {
	connect time.Duration // for the name server, and for a connection
	first   time.Duration // for the first response
	pause   time.Duration // between two requests for an error file that is not there yet
}

// exam is one run of the doctor.
type exam struct {
	env     *cli.Env
	inst    cli.Instance
	log     *slog.Logger
	owner   string // of --owner
	writeTo string // of --write

	limits limits
	now    func() time.Time
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	proxy  func(*url.URL) (*url.URL, error)
	roots  *x509.CertPool // nil for those of the system

	transport http.RoundTripper // nil connects to the instance

	label      string // random name of scratch items, and of items that do not exist
	url        *url.URL
	proxyURL   *url.URL // nil for none
	rec        *recorder
	client     *threatconnect.Client
	retries    atomic.Int64
	first      *exchange // the last of the first call
	firstErr   error
	owners     []threatconnect.Owner
	sampled    *threatconnect.Client // in the owner that indicators is from
	indicators []threatconnect.Indicator
	scratch    *scratch // nil if nothing was created
	imported   *threatconnect.BatchStatus
}

// step is one check.
type step struct {
	name   string
	needs  string // the check that must not have failed
	run    func(*exam, context.Context) check
	writes bool // made with --write only
}

// steps are all checks in their order. The clean-up follows them.
var steps = []step{
	{name: "base URL", run: (*exam).baseURL},
	{name: "DNS", needs: "base URL", run: (*exam).dns},
	{name: "TCP", needs: "DNS", run: (*exam).tcp},
	{name: "proxy", needs: "TCP", run: (*exam).tunnel},
	{name: "TLS", needs: "proxy", run: (*exam).secure},
	{name: "API", needs: "TLS", run: (*exam).api},
	{name: "clock", needs: "API", run: (*exam).clock},
	{name: "credentials", needs: "API", run: (*exam).credentials},
	{name: "API user", needs: "credentials", run: (*exam).user},
	{name: "owners", needs: "credentials", run: (*exam).seeOwners},
	{name: "indicator types", needs: "credentials", run: (*exam).indicatorTypes},
	{name: "attribute types", needs: "credentials", run: (*exam).attributeTypes},
	{name: "owner", needs: "owners", run: (*exam).samples},
	{name: "page size", needs: "owner", run: (*exam).pageSize},
	{name: "ThreatAssess", needs: "owner", run: (*exam).threatAssess},
	{name: "missing items", needs: "owner", run: (*exam).absent},
	{name: "bulk reports", needs: "owners", run: (*exam).bulk},
	{name: "batch job", needs: "owners", run: (*exam).batchJob, writes: true},
	{name: "batch import", needs: "batch job", run: (*exam).batchImport, writes: true},
	{name: "error file", needs: "batch import", run: (*exam).errorFile, writes: true},
	{name: "read back", needs: "batch import", run: (*exam).readBack, writes: true},
	{name: "write modes", needs: "read back", run: (*exam).writeModes, writes: true},
	{name: "create existing", needs: "read back", run: (*exam).existing, writes: true},
	{name: "disputed rules", needs: "read back", run: (*exam).disputed, writes: true},
	{name: "compression", needs: "credentials", run: (*exam).compression},
	{name: "requests", needs: "credentials", run: (*exam).requests},
}

// Command returns the command doctor.
func Command(env *cli.Env) *cobra.Command { return newExam(env).command() }

func newExam(env *cli.Env) *exam {
	return &exam{
		env: env, now: time.Now, label: newLabel(), proxy: proxyOf(env), dial: new(net.Dialer).DialContext,
		limits: limits{connect: 4 * time.Second, first: 6 * time.Second, pause: time.Second},
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
}

func (e *exam) command() *cobra.Command {
	var log cli.Log
	var reportFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Check an instance step by step",
		Long:  long,
		Example: `  threatconnect doctor                        # reads only
  threatconnect doctor --write "Example Source" --report report.json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			logger, closer, err := log.Open(e.env.Stderr)
			if err != nil {
				return err
			}
			defer func() {
				if closeErr := closer.Close(); err == nil {
					err = closeErr
				}
			}()
			e.log = logger
			return e.examine(cmd.Context(), reportFile, asJSON)
		},
	}
	flags := cmd.Flags()
	cli.Text(flags, &e.owner, "owner", "read the indicators of this `OWNER` (default: the first owner that has some)")
	cli.Text(flags, &e.writeTo, "write", "create, read and remove scratch items in this `OWNER`")
	cli.Text(flags, &reportFile, "report", "write the report to this `FILE`")
	flags.BoolVar(&asJSON, "json", false, "print the report instead of text")
	e.inst.Register(e.env, flags, "doctor")
	log.Register(flags)
	log.Level = slog.LevelError // the checks report what the client would log as warnings
	cli.MainFlags(cmd, "base-url", "owner", "write", "report", "json")
	return cmd
}

// examine makes all checks and writes their results.
func (e *exam) examine(ctx context.Context, reportFile string, asJSON bool) error {
	if err := e.inst.Check(); err != nil {
		return err
	}
	if e.inst.InProcess() {
		return cli.UsageError("there is no instance to check: set TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, for example to those that %q prints", "threatconnect sandbox")
	}
	out := &printer{w: e.env.Stdout, width: e.env.Width(e.env.Stdout), color: e.env.Color(e.env.Stdout)}
	show := out.check
	if asJSON {
		show = func(check) {}
	}
	checks := e.checks(ctx, show)
	var all []*exchange
	if e.rec != nil {
		all = e.rec.all()
		(&http.Client{Transport: e.transport}).CloseIdleConnections()
	}
	r := newReport(e.writeTo != "", checks, all)
	if asJSON {
		out.err = cli.WriteJSON(out.w, r)
	} else {
		out.summary(r)
	}
	if reportFile != "" {
		if err := writeReport(reportFile, r); err != nil {
			return err
		}
		e.env.Printf("The report is in %s. It contains no names and no values. Read it before you share it.", reportFile)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case out.err != nil:
		return fmt.Errorf("write the results: %w", out.err)
	case r.failures() > 0:
		return cli.ExitCode(cli.Failure)
	}
	return nil
}

// checks makes all checks and shows each when it is made.
func (e *exam) checks(ctx context.Context, show func(check)) []check {
	var made []check
	blocked := map[string]bool{} // checks that failed, or that need one
	add := func(name string, c check) {
		c.Name = name
		made = append(made, c)
		show(c)
	}
	for _, s := range steps {
		if s.writes && e.writeTo == "" {
			continue
		}
		c := check{Result: notChecked, Seen: fmt.Sprintf("needs the check %q", s.needs)}
		switch {
		case ctx.Err() != nil:
			c.Seen = "stopped"
		case !blocked[s.needs]:
			if c = s.run(e, ctx); ctx.Err() != nil {
				c = check{Result: notChecked, Seen: "stopped"} // an interrupted check has not failed
			}
		}
		blocked[s.name] = c.Result == failed || c.Result == notChecked
		add(s.name, c)
	}
	if e.scratch != nil {
		add("clean-up", e.cleanUp(ctx))
	}
	if e.writeTo == "" {
		add("batch import", check{Result: unknown, Seen: "needs writes: whether the batch API is on, whether the API user may import, how errors are reported, and how jobs treat existing attributes and tags", Fix: "name a scratch owner with --write"})
	}
	return made
}

// newClient returns a client that is recorded.
func (e *exam) newClient(inst cli.Instance) (*threatconnect.Client, error) {
	return inst.Client(e.log, threatconnect.WithTransport(e.rec), threatconnect.WithClock(e.now),
		threatconnect.WithObserver(threatconnect.Observer{Wait: func(context.Context, threatconnect.Wait) { e.retries.Add(1) }}))
}

// proxyOf returns the function that finds the proxy of a URL in the environment, as the client does.
func proxyOf(env *cli.Env) func(*url.URL) (*url.URL, error) {
	get := func(name, lower string) string {
		if v := env.Getenv(name); v != "" {
			return v
		}
		return env.Getenv(lower)
	}
	return func(u *url.URL) (*url.URL, error) {
		c := httpproxy.Config{
			HTTPProxy: get("HTTP_PROXY", "http_proxy"), HTTPSProxy: get("HTTPS_PROXY", "https_proxy"),
			NoProxy: get("NO_PROXY", "no_proxy"), CGI: env.Getenv("REQUEST_METHOD") != "",
		}
		return c.ProxyFunc()(u)
	}
}

// writeReport writes a report to a file.
func writeReport(name string, r *report) error {
	err := cli.ReplaceFile(name, func(w io.Writer) error { return cli.WriteJSON(w, r) })
	if err != nil {
		return fmt.Errorf("--report: %w", cli.WithoutPath(err))
	}
	return nil
}
