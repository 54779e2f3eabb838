// Package lookup is the subcommand that looks up indicators.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const description = `
A value is an address, a block of addresses, a host, a URL, an email address, a file (by a hash), an AS number or a registry key. It can be defanged, as in hxxps://evil[.]example. Without arguments, lookup reads values from the lines of standard input. Blank lines and lines that begin with # are skipped. Lines of more than 65,536 bytes are refused.

One argument shows details, and several values show a table. RATING (0 to 5) and CONF. (0 to 100) are set by the owner. SCORE (0 to 1,000), TA RATING and TA CONF. are calculated by ThreatAssess over all owners; the last two are left out if the table does not fit the terminal. Long values are shortened. A dash means that the platform sent nothing. Scores from 201 (ratings from 2) are yellow, from 501 (3) red, and from 801 (5) bold red. NO_COLOR switches colors off.

The table is held in memory and written at the end. --json writes each value as soon as its result is known.

Without TC_BASE_URL, lookup uses a test server in this process, with sample values.
` + cli.EnvironmentHelp + `
  TC_OWNER         owner to search, if there is no --owner

Exit codes:
  0  all values were found
  1  a value was refused or could not be looked up, or nothing was done
  3  some values were not found
`

// command contains the flags.
type command struct {
	env      *cli.Env
	name     string
	instance cli.Instance
	log      cli.Log

	typ        string
	owners     []string
	allOwners  bool
	listOwners bool
	details    bool
	json       bool
	parallel   int
}

// Command returns the subcommand lookup.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env: env}
	cmd := &cobra.Command{
		Use:   "lookup [flags] [VALUE...]",
		Short: "Look up indicators and their scores",
		Long:  description,
		Example: `  threatconnect lookup evil.example                # details of one value
  threatconnect extract report.txt | threatconnect lookup --json`,
	}
	flags := cmd.Flags()
	flags.StringVar(&c.typ, "type", "", "`TYPE` of all values: "+cli.IndicatorTypeNames+", or a custom type of the instance (default: recognized for each value)")
	flags.StringArrayVar(&c.owners, "owner", nil, "search this `OWNER`; repeatable")
	flags.BoolVar(&c.allOwners, "all-owners", false, "search all owners that the API user sees; the default unless --owner or TC_OWNER names one")
	flags.BoolVar(&c.listOwners, "owners", false, "list the owners that the API user sees")
	flags.BoolVar(&c.details, "details", false, "show attributes, groups, labels and dates; the default for a single argument")
	flags.BoolVar(&c.json, "json", false, "write a JSON array with a line per value")
	flags.IntVar(&c.parallel, "parallel", 16, "number `N` of parallel requests, 1 to 64")
	cli.MainFlags(cmd, "type", "owner", "all-owners", "owners", "details", "json")
	c.instance.Register(env, flags, "lookup")
	c.log.Register(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.name = cmd.CommandPath()
		if !flags.Changed("details") {
			c.details = len(args) == 1
		}
		return c.run(cmd.Context(), args)
	}
	return cmd
}

func (c *command) run(ctx context.Context, args []string) (err error) {
	switch {
	case c.parallel < 1 || c.parallel > 64:
		return cli.UsageError("--parallel must be 1 to 64")
	case c.allOwners && len(c.owners) > 0:
		return cli.UsageError("--all-owners and --owner cannot be used together")
	case c.listOwners && len(args) > 0:
		return cli.UsageError("--owners takes no values")
	}
	if owner := c.env.Getenv("TC_OWNER"); owner != "" && len(c.owners) == 0 && !c.allOwners {
		c.owners = []string{owner}
	}
	log, logFile, err := c.log.Open(c.env.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	var client *threatconnect.Client
	if c.instance.InProcess() {
		client, err = c.instance.TestServer(c.env, log, fill)
	} else {
		client, err = c.instance.Client(log)
	}
	if err != nil {
		return err
	}
	owners, err := cli.CheckOwners(ctx, client, c.owners...)
	switch {
	case err != nil:
		return err
	case c.listOwners:
		return c.writeOwners(owners)
	}
	opts := &threatconnect.LookupOptions{
		Owners: c.owners, AllOwners: len(c.owners) == 0, Parallel: c.parallel,
		Include: threatconnect.Include{Tags: true, Attributes: c.details, Labels: c.details},
	}
	if opts.Type, err = c.indicatorType(ctx, client); err != nil {
		return err
	}
	stdout := c.env.Stdout
	out := &output{command: c, client: client, width: c.env.Width(stdout), color: c.env.Color(stdout), array: cli.NewJSONArray(stdout)}
	err = find(ctx, client, opts, c.inputs(args), func(in input, r threatconnect.LookupResult) error { return out.add(ctx, in, r) })
	if endErr := out.end(); err == nil {
		err = endErr
	}
	if err != nil {
		return err
	}
	return out.exit()
}

// inputs returns the values to look up. For a test server, the default is sample values.
func (c *command) inputs(args []string) func(yield func(input, error) bool) {
	var sample []string
	if c.instance.InProcess() {
		sample = sampleValues()
	}
	if cli.IsTerminal(c.env.Stdin) && len(args) == 0 {
		if sample == nil {
			c.env.Printf("Reading values from standard input, one per line. End them with Ctrl-D.")
		}
		args = sample
	}
	if len(args) > 0 {
		return arguments(args)
	}
	return func(yield func(input, error) bool) {
		empty := true
		for in, err := range lines(c.env.Stdin, c.typ == "") {
			empty = false
			if !yield(in, err) {
				return
			}
		}
		if empty {
			arguments(sample)(yield)
		}
	}
}

// indicatorType returns the type that --type names, and empty if it is to be recognized.
func (c *command) indicatorType(ctx context.Context, client *threatconnect.Client) (threatconnect.IndicatorType, error) {
	if c.typ == "" {
		return "", nil
	}
	if t, ok := cli.IndicatorType(c.typ); ok && t != ioc.TypeVulnerability {
		return threatconnect.IndicatorType(t), nil
	}
	var names []string
	for t, err := range client.Types.Indicators(ctx, nil) {
		switch {
		case err != nil:
			return "", err
		case t.Branch == "": // a type without calls of its own
		case cli.PlainName(string(t.Name)) == cli.PlainName(c.typ):
			return t.Name, nil
		default:
			names = append(names, fmt.Sprintf("%q", t.Name))
		}
	}
	return "", fmt.Errorf("--type: the instance has no such indicator type; it has %s", strings.Join(names, ", "))
}

// owner is an owner in JSON.
type owner struct {
	ID   int64                   `json:"id"`
	Name string                  `json:"name"`
	Type threatconnect.OwnerType `json:"type"`
}

func (c *command) writeOwners(owners []threatconnect.Owner) error {
	if c.json {
		array := cli.NewJSONArray(c.env.Stdout)
		for _, o := range owners {
			if err := array.Add(owner{o.ID, o.Name, o.Type}); err != nil {
				return err
			}
		}
		return array.End()
	}
	t := cli.NewTable("OWNER", "TYPE")
	for _, o := range owners {
		t.AppendRow([]any{cli.Clean(o.Name), cli.Clean(string(o.Type))})
	}
	return cli.WriteTable(c.env.Stdout, t)
}
