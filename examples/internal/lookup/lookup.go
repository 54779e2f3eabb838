// Package lookup finds what an instance of ThreatConnect knows about indicators.
package lookup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/table"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const name = "lookup"

// someNotFound is the exit code when there was no error but a value that no owner has.
const someNotFound = 3

// usage is the help.
func usage() string {
	return `lookup finds what ThreatConnect knows about indicators.

  lookup [flags] VALUE...
  lookup [flags] < FILE

A value is an address, a block of addresses, a host, a URL, an e-mail address, a hash, an AS number
or a registry key, as it is or defanged (hxxps://evil[.]example). Without values on the command line
they are read from standard input, one a line; blank lines and lines that begin with # are skipped. A
line of more than 65,536 bytes is refused by its number.
Without TC_BASE_URL values are looked up in a test server in this process, which comes with some.

  -type TYPE          take every value for one of this type, for types that cannot be told by their
                      value: mutex, user-agent, or a type of the instance's own
  -owner NAME         look in this owner; may be repeated. TC_OWNER if not given
  -all-owners         look in all owners that the API user can see, also when TC_OWNER is set; that is
                      the default when no owner is named
  -owners             list the owners that the API user can see, and look nothing up
  -json               print a JSON array with an element a value, each on a line of its own as soon as
                      it is known, in place of the table
  -parallel N         look up so many values at a time, 1 to 32; 4 if not given
` + command.Usage(`  TC_OWNER         the owner to look in when -owner is not given
`) + `
RATING (0 to 5) and CONF (0 to 100) are what the owner says. The columns that begin with TA are what
ThreatAssess makes of all owners together: rating (0 to 5), confidence (0 to 100), score (0 to 1000).
A dash is what the platform did not say.

Exit codes: 0 all values were found, 3 some were not, 1 something went wrong.
`
}

// config is what the flags and the environment say.
type config struct {
	command.Instance
	typ        string
	owners     command.Texts
	allOwners  bool
	listOwners bool
	json       bool
	parallel   int
	values     []string
}

func parse(e *command.Env) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(e, fs)
	fs.StringVar(&c.typ, "type", "", "")
	fs.Var(&c.owners, "owner", "")
	fs.BoolVar(&c.allOwners, "all-owners", false, "")
	fs.BoolVar(&c.listOwners, "owners", false, "")
	fs.BoolVar(&c.json, "json", false, "")
	fs.IntVar(&c.parallel, "parallel", 4, "")
	var err error
	if c.values, err = e.Parse(fs, usage()); err != nil {
		return nil, err
	}
	switch {
	case c.parallel < 1 || c.parallel > 32:
		return nil, errors.New("-parallel: want 1 to 32")
	case c.allOwners && len(c.owners) > 0:
		return nil, errors.New("-all-owners and -owner exclude each other")
	}
	if owner := e.Getenv("TC_OWNER"); owner != "" && len(c.owners) == 0 && !c.allOwners {
		c.owners = command.Texts{owner}
	}
	return c, nil
}

// Run looks indicators up and returns the exit code.
func Run(ctx context.Context, e *command.Env) int {
	c, err := parse(e)
	if err != nil {
		return e.FailUsage(name, err)
	}
	var client *threatconnect.Client
	if c.InProcess() {
		client, _, err = c.Demo(e, name, func(srv *threatconnecttest.Server) error { return fillDemo(srv) })
	} else {
		client, err = c.Client(e, name)
	}
	if err != nil {
		return e.Fail(name, err)
	}
	if c.listOwners {
		if err := listOwners(ctx, e, client, c.json); err != nil {
			return e.Fail(name, err)
		}
		return command.OK
	}
	code, err := c.run(ctx, e, client)
	if err != nil {
		return e.Fail(name, err)
	}
	return code
}

func (c *config) run(ctx context.Context, e *command.Env, client *threatconnect.Client) (int, error) {
	if err := checkOwners(ctx, client, c.owners); err != nil {
		return 0, err
	}
	typ, err := typeOf(ctx, client, c.typ)
	if err != nil {
		return 0, err
	}
	in, err := c.input(e)
	if err != nil {
		return 0, err
	}
	out := &output{env: e, json: c.json}
	f := &finder{client: client, owners: c.owners, parallel: c.parallel}
	err = f.find(ctx, typ, in, out.add)
	if bad := out.end(); err == nil {
		err = bad
	}
	if err == nil && out.values == 0 {
		err = errors.New("there is nothing to look up: give values as arguments, or as lines on standard input")
	}
	return out.code(), err
}

// checkOwners refuses names that are no owner's and says which owners there are.
func checkOwners(ctx context.Context, client *threatconnect.Client, names []string) error {
	if len(names) == 0 {
		return nil
	}
	owners, err := threatconnect.Collect(client.Owners.All(ctx, nil))
	if err != nil {
		return err
	}
	known := make([]string, len(owners))
	for i, o := range owners {
		known[i] = fmt.Sprintf("%q", o.Name)
	}
	for _, n := range names {
		if !slices.ContainsFunc(owners, func(o threatconnect.Owner) bool { return o.Name == n }) {
			return fmt.Errorf("the API user sees no owner %q; the owners it sees are %s", n, strings.Join(known, ", "))
		}
	}
	return nil
}

func listOwners(ctx context.Context, e *command.Env, client *threatconnect.Client, asJSON bool) error {
	owners, err := threatconnect.Collect(client.Owners.All(ctx, nil))
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(e.Stdout, owners)
	}
	t := table.Table{Columns: []table.Column{{Title: "OWNER", Wraps: true}, {Title: "TYPE"}}}
	for _, o := range owners {
		t.Add(o.Name, string(o.Type))
	}
	return t.Write(e.Stdout, e.Width(e.Stdout))
}
