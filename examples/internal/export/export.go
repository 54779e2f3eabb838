// Package export takes the indicators of owners out of an instance of ThreatConnect: what has
// changed since the last run, and what was deleted.
package export

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

const name = "export"

// usage is the help.
func usage() string {
	return `export takes indicators out of ThreatConnect: those that were added or changed since the last run, and
those that were deleted.

  export -owner NAME -state STATE [-out FILE] [flags]

Without TC_BASE_URL it exports from a test server in this process: everything at first, then what was
changed and deleted in between.

  -owner NAME         the owner to export from; may be repeated. TC_OWNER if not given
  -state STATE        where the run is remembered, so that the next one goes on from there:
                        FILE                         a file, replaced in one step
                        datastore:DOMAIN/TYPE/ID     a record of the platform's DataStore, which needs an
                                                     API token; DOMAIN is local, organization or system
                        none                         nowhere: every run exports everything
                      it is written only after everything else has worked
  -reset              forget the last run and export everything
  -overlap DURATION   how far before the end of the last run to begin, 0s to 24h; 10m if not given. What
                      the last run has already exported is not exported again
  -format FORMAT      csv (default), jsonl or blocklist
  -out FILE           where the export goes; a file is replaced in one step when everything has worked.
                      - is standard output, and is used if not given. For FILE and STATE, a symbolic
                      link is followed only if no other user can have made or changed it
  -types TYPES        only indicators of these types, with commas between them: address, cidr,
                      emailaddress, file, host, url, asn, mutex, registrykey, useragent ...
  -min-rating N       only indicators that the owner rates N or more, 0 to 5
  -min-confidence N   only indicators of which the owner is this sure, 0 to 100
  -min-score N        only indicators with this ThreatAssess score, 0 to 1000
  -raw                do not protect spreadsheets; see below
` + command.Usage(`  TC_OWNER         the owner when -owner is not given
`) + `
csv and jsonl hold what has happened since the last run, one row a change, in the order in which it is
to be applied. The action is one of
  changed    added or changed; tags and attributes alone do not count as a change
  deleted    deleted in ThreatConnect
  withdrawn  still there, but inactive now or below what the -min flags ask for

In csv, a text that begins with = + - @ or a tab gets a ' in front, because spreadsheets would run it
as a formula. A program that reads the file can ask for -raw, or read jsonl.

blocklist is one value a line, sorted, of one owner: addresses, blocks, hosts, URLs, e-mail addresses,
AS numbers, and every hash of a file. A file is kept complete: what was added goes in, what was deleted
or withdrawn goes out. On standard output there are the changes only, removals as "# removed: VALUE".

The platform remembers deleted indicators for some days only, and lists move while they are read:
run with -reset now and then.

Exit codes: 0 exported, 1 something went wrong; then STATE is as it was, so that the next run begins
where this one began, and so is FILE unless it was only STATE that could not be written.
`
}

// config is what the flags and the environment say.
type config struct {
	command.Instance
	owners  command.Texts
	state   string
	reset   bool
	overlap time.Duration
	format  string
	out     string
	filter  filter
	raw     bool
}

func parse(e *command.Env) (*config, error) {
	c := &config{filter: filter{minRating: -1, minConfidence: -1, minScore: -1}}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(e, fs)
	fs.Var(&c.owners, "owner", "")
	fs.StringVar(&c.state, "state", "", "")
	fs.BoolVar(&c.reset, "reset", false, "")
	fs.DurationVar(&c.overlap, "overlap", 10*time.Minute, "")
	fs.StringVar(&c.format, "format", "csv", "")
	fs.StringVar(&c.out, "out", "-", "")
	fs.Func("types", "", c.filter.setTypes)
	fs.Float64Var(&c.filter.minRating, "min-rating", -1, "")
	fs.IntVar(&c.filter.minConfidence, "min-confidence", -1, "")
	fs.IntVar(&c.filter.minScore, "min-score", -1, "")
	fs.BoolVar(&c.raw, "raw", false, "")
	rest, err := e.Parse(fs, usage())
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%q is no flag", rest[0])
	}
	if owner := e.Getenv("TC_OWNER"); owner != "" && len(c.owners) == 0 {
		c.owners = command.Texts{owner}
	}
	if c.InProcess() && len(c.owners) == 0 {
		c.owners = command.Texts{"Example Source"}
	}
	return c, c.check(fs)
}

func (c *config) check(fs *flag.FlagSet) error {
	slices.Sort(c.owners)
	c.owners = slices.Compact(c.owners)
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case c.overlap < 0 || c.overlap > 24*time.Hour:
		return errors.New("-overlap: want 0s to 24h")
	case !slices.Contains([]string{"csv", "jsonl", "blocklist"}, c.format):
		return errors.New("-format: want csv, jsonl or blocklist")
	case c.out == "":
		return errors.New("-out: is empty; use - for standard output")
	case given["min-rating"] && !(c.filter.minRating >= 0 && c.filter.minRating <= 5):
		return errors.New("-min-rating: want 0 to 5")
	case given["min-confidence"] && (c.filter.minConfidence < 0 || c.filter.minConfidence > 100):
		return errors.New("-min-confidence: want 0 to 100")
	case given["min-score"] && (c.filter.minScore < 0 || c.filter.minScore > 1000):
		return errors.New("-min-score: want 0 to 1000")
	case len(c.owners) == 0:
		return errors.New("there is no owner to export from: set -owner or TC_OWNER")
	case c.format == "blocklist" && len(c.owners) > 1:
		return errors.New("-format blocklist: a list is of one owner, because a value that one owner deletes may still be another's; run once an owner")
	case c.state == "" && !c.InProcess():
		return errors.New("nothing says where the run is remembered: set -state to a file, or to none to export everything every time")
	case c.reset && (c.state == "" || c.state == "none"):
		return errors.New("-reset forgets what -state remembers, and there is no -state")
	}
	return nil
}

// selection is what decides which indicators and which form an export has. Two runs that differ in
// it cannot go on from one another.
func (c *config) selection() string {
	out := "file"
	if c.out == "-" {
		out = "output"
	}
	s := c.filter.String()
	if c.format == "blocklist" {
		s = strings.TrimSpace(s + " blocklist to " + out)
	}
	return s
}

// Run exports and returns the exit code.
func Run(ctx context.Context, e *command.Env) int {
	c, err := parse(e)
	if err != nil {
		return e.FailUsage(name, err)
	}
	if c.InProcess() {
		err = c.demo(ctx, e)
	} else {
		var client *threatconnect.Client
		if client, err = c.Client(e, name); err == nil {
			err = c.export(ctx, e, client)
		}
	}
	if err != nil {
		return e.Fail(name, err)
	}
	return command.OK
}

func (c *config) export(ctx context.Context, e *command.Env, client *threatconnect.Client) error {
	store, err := openStore(client, c.state)
	if err != nil {
		return err
	}
	return c.run(ctx, e, client, store)
}
