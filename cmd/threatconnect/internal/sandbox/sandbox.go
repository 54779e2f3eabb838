// Package sandbox serves the test server of the SDK on a port, for clients in any language.
package sandbox

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const long = `
The sandbox is not ThreatConnect. It follows the documentation of the v2 API, and keeps everything in
memory until it ends, on SIGINT or SIGTERM.

The first line on standard output is the base URL for clients. The URL after Page: shows owners, jobs,
requests and faults in a browser. The lines that begin with export are for a shell: they set
TC_BASE_URL, TC_ACCESS_ID, TC_SECRET_KEY and TC_SANDBOX_TOKEN. A key from --secret-key and the API
token are printed only with --json.

Tests in any language add data, inject faults and read the requests over HTTP, below /__sandbox/.
docs/sandbox.md of the SDK describes these calls. Writes need the sandbox token, which is new in every
run. These calls and the page are available only to clients on this machine.

The default ID, key and token are public constants. They protect nothing: anybody who can reach the
port can use the API.

Bulk reports are on for every owner, in JSON and CSV. A download returns the latest finished report.
With runNow=true, the next download contains all changes made before the call.
`

// options are the flags of the command.
type options struct {
	addr, id, key, token string
	clock                time.Duration
	withoutBatch         bool
	readOnly             []string
	faults               percent
	seed                 string
	strict, json         bool
}

// Command returns the command sandbox.
func Command(env *cli.Env) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "sandbox [flags]",
		Short: "Serve a test server on a port, for clients in any language",
		Long:  long,
		Example: `  threatconnect sandbox                                 # on 127.0.0.1:8080
  threatconnect sandbox --clock-offset 6m --faults 5%   # with faults`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSandbox(cmd.Context(), env, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`HOST:PORT` to listen on; port 0 picks a free port")
	cli.Text(flags, &o.id, "access-id", "access `ID` that the server accepts")
	cli.Text(flags, &o.key, "secret-key", "secret `KEY` that the server accepts. Do not give a key that is used elsewhere: it is visible on the command line, and the server uses plain HTTP")
	cli.Text(flags, &o.token, "token", "API `TOKEN` that the server also accepts")
	flags.DurationVar(&o.clock, "clock-offset", 0, "`TIME` by which the server's clock is ahead, as in 6m; behind if negative")
	flags.BoolVar(&o.withoutBatch, "without-batch", false, "switch the batch API off")
	flags.StringArrayVar(&o.readOnly, "read-only", nil, "add an `OWNER` that the API user can only read; repeatable")
	flags.Var(&o.faults, "faults", "`PERCENT` of the requests that fail: 503, broken connections, damaged and foreign responses")
	flags.StringVar(&o.seed, "seed", "", "`FILE` with initial data, as saved by the page; - is standard input")
	flags.BoolVar(&o.strict, "strict", false, "exit with 1 if a fault was never used, a signature was refused or a route is unknown")
	flags.BoolVar(&o.json, "json", false, "print addresses and credentials as one line of JSON")
	cli.MainFlags(cmd, "addr", "clock-offset", "faults", "json", "seed", "strict")
	return cmd
}

// newServer makes the server that the flags ask for, and returns what sets it up again after a reset.
func newServer(env *cli.Env, o options) (srv *threatconnecttest.Server, setUp func() error, err error) {
	for flag, value := range map[string]string{"--access-id": o.id, "--secret-key": o.key, "--token": o.token} {
		if value != strings.TrimSpace(value) || strings.ContainsAny(value, "\r\n\x00") || flag == "--access-id" && strings.Contains(value, ":") {
			return nil, nil, cli.UsageError("%s has white space around it or a character that cannot be sent", flag)
		}
	}
	set := []threatconnecttest.Option{threatconnecttest.WithCredentials(o.id, o.key, o.token)}
	if o.withoutBatch {
		set = append(set, threatconnecttest.WithBatchOff())
	}
	data, err := readSeed(env, o.seed)
	if err != nil {
		return nil, nil, err
	}
	srv = threatconnecttest.New(set...)
	setUp = func() error { return o.apply(srv, data) }
	return srv, setUp, setUp()
}

// readSeed reads the data of --seed.
func readSeed(env *cli.Env, name string) (data threatconnecttest.Data, err error) {
	var text []byte
	switch name {
	case "":
		return data, nil
	case "-":
		text, err = io.ReadAll(env.Stdin)
	default:
		text, err = os.ReadFile(name)
	}
	if err == nil {
		data, err = parse[threatconnecttest.Data](text)
	}
	if err != nil {
		return data, fmt.Errorf("--seed: %w", err)
	}
	return data, nil
}

// apply sets up a server that has nothing in it yet.
func (o options) apply(srv *threatconnecttest.Server, data threatconnecttest.Data) error {
	srv.SetClockOffset(o.clock)
	for _, name := range o.readOnly {
		taken := slices.ContainsFunc(srv.Owners(), func(owner threatconnecttest.Owner) bool { return owner.Name == name })
		if taken || srv.Seed(&threatconnecttest.Owner{Name: name, Type: "Source", ReadOnly: true}) != nil {
			return cli.UsageError("--read-only: the owner cannot be added: give a name that no owner of the sandbox has")
		}
	}
	if err := srv.Seed(data.Records()...); err != nil {
		return fmt.Errorf("--seed: %w", err)
	}
	for _, owner := range srv.Owners() {
		if err := enableBulk(srv, owner.Name); err != nil {
			return err
		}
	}
	if o.faults == 0 {
		return nil
	}
	return srv.Inject(threatconnecttest.FaultMix(1, float64(o.faults)/100, threatconnecttest.FaultStatus, threatconnecttest.FaultReset,
		threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody, threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML,
		threatconnecttest.FaultGarbage, threatconnecttest.FaultEmpty, threatconnecttest.FaultLateStatus))
}

// enableBulk switches the bulk reports of an owner on.
func enableBulk(srv *threatconnecttest.Server, owner string) error {
	return srv.SetBulkReports(owner, threatconnecttest.BulkReports{JSON: true, CSV: true})
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
