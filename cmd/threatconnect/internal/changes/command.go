// Package changes is the subcommand changes: it writes the indicators that were added, changed or
// deleted in an instance since the last run.
package changes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const long = `
changes writes the indicators that were added, changed or deleted in an owner since the last run. Without TC_BASE_URL, it shows two runs against a test server in this process.

--format csv and jsonl write a row per change, in the order in which to apply them:
  changed     added or changed; a new tag or attribute alone is not a change
  deleted     deleted in ThreatConnect
  withdrawn   still there, but now inactive or below a minimum
A deletion or withdrawal can name an indicator that was never written.

Spreadsheets run a cell that begins with = + - @ or a tab as a formula, and some split cells at a comma, semicolon, tab, line break or vertical bar. Therefore --format csv puts an apostrophe before such a character at the beginning of a cell and after a separator. For programs, --raw leaves it out.

--format blocklist writes addresses, networks, hosts, URLs, email addresses, AS numbers and all hashes of files, one per line. A file contains the complete list, sorted, and each run updates it. Standard output gets only the changes, with removals as "# removed: VALUE".

Each line of a block list is a valid value in the canonical form of its type. The following values are left out, counted, and removed from an existing list:
  - values that are not valid
  - addresses, names and AS numbers that are private, reserved or for
    documentation, blocks wider than /16 (IPv6: /32), URLs and email addresses
    with such a host, and common files; --allow-reserved includes them
  - values in a file of --exclude: a host excludes its subdomains, and a block
    its addresses. --reset restores values that are no longer excluded
A run that would remove more than --max-share of the lines of a file fails, and changes neither the file nor the state.

--state names the place where a run saves its position in each owner. The name of the owner is appended, as in FILE.Example+Source:
  FILE                       a file for each owner
  datastore:DOMAIN/TYPE/ID   a record of the DataStore, which needs TC_TOKEN;
                             DOMAIN is local, organization or system
  none                       not saved: every run reads everything
The state is saved after the output is complete and durable, so every change is written at least once. If two runs use one state at the same time, one of them fails, and the next run reads everything.

The platform remembers deletions for a number of days that its administrator sets. Use --reset after a longer pause.

Exit codes: 0 done, 1 failed. After a failure, the next run reads the same changes again. The file of --output is replaced in one step, and only when it is complete.
` + cli.EnvironmentHelp + `
  TC_OWNER         owner to read, if there is no --owner`

// config is a command line.
type config struct {
	cli.Instance
	cli.Log
	selection
	owners  []string // sorted
	types   []string
	stateAt string
	reset   bool
	format  string
	output  string // - is standard output
	raw     bool
	exclude []string // files
	// allowReserved also lists values that ioc.Exclusions excludes without lists.
	allowReserved bool
	maxShare      float64
	liner         *liner
	ownerEnv      string
}

// Command returns the subcommand.
func Command(env *cli.Env) *cobra.Command {
	c := &config{ownerEnv: env.Getenv("TC_OWNER")}
	cmd := &cobra.Command{
		Use:   "changes --owner NAME --state STATE [flags]",
		Short: "Write what was added, changed or deleted since the last run",
		Long:  long,
		Example: `  threatconnect changes --owner "Example Source" --state seen --output new.csv
  threatconnect changes --owner "Example Source" --state list.state \
      --format blocklist --min-rating 3 --output list.txt`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			return c.start(cmd.Context(), env)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&c.owners, "owner", nil, "`NAME` of an owner to read; repeatable; TC_OWNER")
	flags.StringVar(&c.stateAt, "state", "", "`STATE` of the last run: FILE, datastore:DOMAIN/TYPE/ID, or none")
	flags.BoolVar(&c.reset, "reset", false, "forget the last run and read everything")
	flags.StringVar(&c.format, "format", formatCSV, "`FORMAT` of the output: csv, jsonl or blocklist")
	flags.StringVar(&c.output, "output", "-", "`FILE` to write or replace; - is standard output")
	flags.StringSliceVar(&c.types, "type", nil, "only indicators of this `TYPE`, as in host or address,url; repeatable")
	flags.Float64Var(&c.minRating, "min-rating", 0, "only indicators with a rating of at least `N`, up to 5")
	flags.IntVar(&c.minConfidence, "min-confidence", 0, "only indicators with a confidence of at least `N`, up to 100")
	flags.IntVar(&c.minScore, "min-score", 0, "only indicators with a ThreatAssess score of at least `N`, up to 1000")
	flags.StringArrayVar(&c.exclude, "exclude", nil, "`FILE` with values to leave out of a block list, one per line; repeatable")
	flags.BoolVar(&c.allowReserved, "allow-reserved", false, "include values that are private, reserved or for documentation, and blocks of any width")
	flags.Float64Var(&c.maxShare, "max-share", 0.2, "largest `SHARE` of the lines of a block list that a run may remove, above 0 and up to 1")
	flags.BoolVar(&c.raw, "raw", false, "write csv for programs, without protection against formulas")
	c.Instance.Register(env, flags, "changes")
	c.Log.Register(flags)
	cli.MainFlags(cmd, "owner", "state", "reset", "format", "output", "type", "min-rating")
	return cmd
}

// check completes the command line and refuses combinations that cannot work.
func (c *config) check() error {
	if err := c.setTypes(c.types); err != nil {
		return err
	}
	if len(c.owners) == 0 && c.ownerEnv != "" {
		c.owners = []string{c.ownerEnv}
	}
	if len(c.owners) == 0 && c.InProcess() {
		c.owners = []string{sampleOwner}
	}
	slices.Sort(c.owners)
	c.owners = slices.Compact(c.owners)
	switch {
	case len(c.owners) == 0:
		return cli.UsageError("there is no owner to read: set --owner or TC_OWNER")
	case !slices.Contains([]string{formatCSV, formatJSONLines, formatBlocklist}, c.format):
		return cli.UsageError("--format must be csv, jsonl or blocklist")
	case c.output == "":
		return cli.UsageError("--output is empty; use - for standard output")
	case strings.HasPrefix(c.output, "/dev/"): // a device, or a link to an open file
		return cli.UsageError("--output must be a file; use - for standard output")
	case c.format == formatBlocklist && len(c.owners) > 1:
		return cli.UsageError("--format blocklist must have one --owner, because a value that one owner deletes can still be another's; run once per owner")
	case c.format != formatBlocklist && (len(c.exclude) > 0 || c.allowReserved):
		return cli.UsageError("--exclude and --allow-reserved are for --format blocklist")
	case c.allowReserved && len(c.exclude) > 0:
		return cli.UsageError("--allow-reserved and --exclude cannot be used together")
	case !(c.maxShare > 0 && c.maxShare <= 1):
		return cli.UsageError("--max-share must be above 0 and up to 1")
	case c.InProcess() && c.stateAt != "":
		return cli.UsageError("--state needs an instance: set TC_BASE_URL, or leave --state out")
	case !c.InProcess() && c.stateAt == "":
		return cli.UsageError("--state is missing: name a file, or none to read everything in every run")
	case c.reset && (c.stateAt == "" || c.stateAt == "none"):
		return cli.UsageError("--reset needs a --state to forget")
	}
	return c.selection.check()
}

// settings describes what decides which indicators the output has. A run cannot continue from one with
// other settings.
func (c *config) settings() string {
	s := c.selection.String()
	if c.format == formatBlocklist {
		s += " --format blocklist"
		if c.output != "-" {
			s += " --output " + filepath.Base(c.output) // another list has other values
		}
		if c.allowReserved {
			s += " --allow-reserved"
		}
	}
	return strings.TrimSpace(s)
}

// start opens the log and the client and runs the command, twice for the sample.
func (c *config) start(ctx context.Context, env *cli.Env) (err error) {
	log, closer, err := c.Open(env.Stderr)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			log.InfoContext(ctx, "run failed", "error", cli.Explain(err))
		}
		if cerr := closer.Close(); err == nil {
			err = cerr
		}
	}()
	if c.liner, err = c.newLiner(); err != nil {
		return err
	}
	if c.InProcess() {
		return c.sample(ctx, env, log)
	}
	client, err := c.Client(log)
	if err != nil {
		return err
	}
	state, err := c.openState(client)
	if err != nil {
		return err
	}
	return c.run(ctx, env, client, state, log)
}

// newLiner returns what makes the lines of a block list, with the lists of --exclude.
func (c *config) newLiner() (*liner, error) {
	l := &liner{leftOut: map[string]int64{}}
	if c.allowReserved {
		return l, nil
	}
	l.exclusions = &ioc.Exclusions{AllowDocumentation: c.InProcess()} // the sample consists of it
	for _, name := range c.exclude {
		if err := cli.AddList(l.exclusions, name, name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// run writes the changes of all owners since the state and saves the new state.
func (c *config) run(ctx context.Context, env *cli.Env, client *threatconnect.Client, state *state, log *slog.Logger) error {
	if c.output != "-" {
		if _, err := durable.CheckReplaceable(c.output); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c.outputError(err)
		}
	}
	if _, err := cli.CheckOwners(ctx, client, c.owners...); err != nil {
		return err
	}
	if err := state.load(ctx, c.reset); err != nil {
		return err
	}
	out, err := c.open(env, state.cursors[c.owners[0]].Time.IsZero())
	if err != nil {
		return c.outputError(err)
	}
	defer out.Abort()
	var tallies []*tally
	for _, owner := range c.owners {
		t, err := c.read(ctx, env, client.InOwner(owner), state, out)
		if err != nil {
			return err
		}
		tallies = append(tallies, t)
	}
	if err := out.Commit(); err != nil {
		return c.outputError(err)
	}
	if err := state.save(ctx); err != nil {
		return err
	}
	for _, t := range tallies {
		env.Printf("%v", t)
		log.InfoContext(ctx, "changes written", "owner", t.owner, "changed", t.changed, "deleted", t.deleted, "withdrawn", t.withdrawn, "upTo", t.upTo)
	}
	c.liner.report(env)
	return nil
}

// outputError names the output in an error about it.
func (c *config) outputError(err error) error {
	name := "--output " + c.output
	if c.output == "-" {
		name = "standard output"
	}
	return fmt.Errorf("%s: %w", name, cli.WithoutPath(err))
}

// open returns the sink for the output. isNew says that no earlier run has written to it.
func (c *config) open(env *cli.Env, isNew bool) (sink, error) {
	if c.format == formatBlocklist && c.output != "-" {
		return openBlocklist(c.output, isNew, c.liner, c.maxShare)
	}
	var to target = newStream(env.Stdout)
	if c.output != "-" {
		f, err := durable.NewReplacement(c.output, 0o666)
		if err != nil {
			return nil, err
		}
		to = f
	}
	shown, cell := unchanged, withoutFormulas
	if c.raw {
		cell = unchanged
	}
	if c.output == "-" && cli.IsTerminal(env.Stdout) {
		shown, cell = cli.Clean, cli.Clean
	}
	switch c.format {
	case formatCSV:
		return newCSVSink(to, cell), nil
	case formatJSONLines:
		return &jsonSink{to}, nil
	}
	return &listSink{to, c.liner, shown}, nil
}
