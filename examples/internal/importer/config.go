// Package importer imports a threat feed into an owner of a ThreatConnect instance, as a job that
// runs unattended every day.
package importer

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
	"github.com/threatconnect-go/threatconnect/examples/internal/job"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// sample is the feed that is imported into the test server of the process when none is named.
//
//go:embed sample.csv
var sample string

// config is what the flags and the environment say.
type config struct {
	job.Params
	input      string // file name or "-"; empty for the sample, in the test server of the process only
	format     feeds.Format
	tags       []threatconnect.Tag
	rating     float64
	confidence int
	attributes threatconnect.WriteType
	maxBytes   int
	merge      bool
	json       bool
	state      string
	full       bool
	sweep      bool
	lenient    bool
	maxShare   float64
}

// inProcessBytes is the default of -max-bytes for the test server in the process, which keeps its own
// copy of every file that comes in.
const inProcessBytes = 1 << 20

const usage = `feed imports a threat feed into an owner of ThreatConnect.

  feed [-input FILE|-] [flags]

Without TC_BASE_URL it imports into a test server that runs in this process and is gone afterwards:
nothing leaves the machine. Only then can -input be left out: it imports a small sample.

  -input FILE|-       the feed; - reads standard input. Required with TC_BASE_URL
  -format FORMAT      hosts, urlhaus, feodo, stix or jsonl; guessed from the beginning when not given.
                      stix can be several bundles, one after the other, which are read as one
  -owner NAME         the owner that everything goes into, best a source of its own
  -tag NAME           a tag for every indicator and group; may be repeated. Use bare words: the owner
                      already says which source an indicator comes from
  -rating N           threat rating, 0 to 5, of indicators whose feed gives none; 0 (unknown) if not given
  -confidence N       confidence, 0 to 100, of indicators whose feed gives none; 0 (unknown) if not given
  -attributes TYPE    what happens to the attributes that an indicator or group already has:
                        singleton  those of the types that the feed brings are replaced, others stay (default)
                        replace    all are removed, also what analysts added
                        append     all stay, and every run adds the feed's again
                        static     all stay, and the feed's are ignored
                      singleton can be repeated daily without harm. An old instance may not know it:
                      use replace there, with an owner that no analyst writes to
  -max-bytes N        size at which a job's file is closed; if not given 4194304, and 1048576 for the
                      test server in this process
  -merge              make one of what is in the feed several times, before it is sent: an indicator
                      then has the highest rating and confidence, and all tags, attributes and groups.
                      The feed is read to its end first; it does not have to fit into memory
  -state FILE         send only what has changed since the last run with this state, which the run
                      then brings up to date. datastore:DOMAIN/TYPE/ID keeps it in the platform's
                      DataStore instead, as in datastore:local/feed/state; that needs TC_TOKEN. A state
                      that is lost, damaged or another import's means that everything is sent. What
                      others have changed or removed in the owner is not noticed: use -full now and then.
                      If FILE is a symbolic link that another user could have made or changed, nothing is
                      imported
  -full               send everything, whatever the state says
  -remove-stale       remove from the owner the indicators that the feed does not hold any more, of
                      the types that it holds. Only for a feed that has the owner for itself
  -max-share N        the largest share of the owner, and of each type of indicators in it, that
                      -remove-stale may remove, 0 to 1; 0.2 if not given. If more is stale,
                      nothing is removed
  -lenient            let -remove-stale remove although lines of the feed are invalid
  -json               print one JSON summary on standard output and nothing else
  -log-level LEVEL    debug, info, warn (default) or error; on debug, one record a request
` + job.Usage

// parse reads the command line on top of the environment. The error of -help is flag.ErrHelp.
func parse(args []string, getenv func(string) string) (*config, error) {
	c := &config{Params: job.FromEnv(getenv), attributes: threatconnect.WriteSingleton}
	fs := flag.NewFlagSet("feed", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Register(fs)
	fs.StringVar(&c.input, "input", "", "")
	fs.Func("format", "", c.setFormat)
	fs.Func("tag", "", c.addTag)
	fs.Float64Var(&c.rating, "rating", 0, "")
	fs.IntVar(&c.confidence, "confidence", 0, "")
	fs.Func("attributes", "", c.setAttributes)
	fs.IntVar(&c.maxBytes, "max-bytes", 0, "")
	fs.BoolVar(&c.merge, "merge", false, "")
	fs.BoolVar(&c.json, "json", false, "")
	fs.StringVar(&c.state, "state", "", "")
	fs.BoolVar(&c.full, "full", false, "")
	fs.BoolVar(&c.sweep, "remove-stale", false, "")
	fs.Float64Var(&c.maxShare, "max-share", 0, "")
	fs.BoolVar(&c.lenient, "lenient", false, "")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	switch {
	case fs.NArg() > 0:
		return c, fmt.Errorf("%q is no flag: give the feed with -input", fs.Arg(0))
	case !(c.rating >= 0 && c.rating <= 5):
		return c, errors.New("-rating: want 0 to 5")
	case c.confidence < 0 || c.confidence > 100:
		return c, errors.New("-confidence: want 0 to 100")
	case c.maxBytes < 0:
		return c, errors.New("-max-bytes: want a number of bytes")
	case !(c.maxShare >= 0 && c.maxShare <= 1):
		return c, errors.New("-max-share: want 0 to 1")
	case c.full && c.state == "":
		return c, errors.New("-full is for -state, and everything is sent without it anyway")
	case !c.sweep && (c.lenient || c.maxShare > 0):
		return c, errors.New("-max-share and -lenient are for -remove-stale")
	}
	if err := c.CheckInstance(); err != nil {
		return c, err
	}
	if c.input == "" && !c.InProcess() {
		return c, errors.New("-input is not given: name the feed with -input FILE, or - for standard input; there is no sample for an instance")
	}
	if c.InProcess() {
		if c.state != "" || c.sweep {
			return c, errors.New("-state and -remove-stale need an instance that is still there after the run: set TC_BASE_URL")
		}
		if c.Owner == "" {
			c.Owner = "Example Source"
		}
		if c.maxBytes == 0 {
			c.maxBytes = inProcessBytes
		}
	}
	if c.Owner == "" {
		return c, errors.New("there is no owner to import into: set TC_OWNER or -owner, best to a source of its own")
	}
	return c, nil
}

func (c *config) setFormat(s string) error {
	c.format = feeds.Format(strings.ToLower(s))
	if !slices.Contains(feeds.Formats(), c.format) {
		return fmt.Errorf("want one of %v", feeds.Formats())
	}
	return nil
}

func (c *config) addTag(s string) error {
	name, err := ioc.CanonicalTag(s)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(c.tags, func(t threatconnect.Tag) bool { return t.Name == name }) {
		c.tags = append(c.tags, threatconnect.Tag{Name: name})
	}
	return nil
}

func (c *config) setAttributes(s string) error {
	for _, t := range []threatconnect.WriteType{threatconnect.WriteSingleton, threatconnect.WriteReplace, threatconnect.WriteAppend, threatconnect.WriteStatic} {
		if strings.EqualFold(s, string(t)) {
			c.attributes = t
			return nil
		}
	}
	return errors.New("want singleton, replace, append or static")
}

// inputName is how messages call the feed; empty if there is none.
func (c *config) inputName() string {
	switch {
	case c.input == "" && c.InProcess():
		return "the sample feed"
	case c.input == "-":
		return "standard input"
	}
	return c.input
}
