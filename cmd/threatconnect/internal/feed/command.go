// Package feed is the command that imports a threat feed into an owner, as a job that runs unattended
// every day.
package feed

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// config is the command line on top of the environment.
type config struct {
	instance cli.Instance
	log      cli.Log
	owner    string
	outDir   string // of message.tc

	input      string // file, "-", or URL; empty is the sample
	format     feeds.Format
	columns    string
	csv        *feeds.CSV // of columns
	feed       string     // name of the feed; empty is that of the input
	rawXIDs    bool
	headerFile string
	maxSize    int64 // of a download; 0 is the default of feeds.Fetcher
	transport  http.RoundTripper

	tags               []threatconnect.Tag
	rating             float64
	confidence         int
	attributes         threatconnect.WriteType
	merge              bool
	exclude            []string // files
	allowDocumentation bool

	state       string
	full        bool
	spool       string
	removeStale bool
	maxShare    float64
	maxInvalid  limit
	retryFor    time.Duration
	maxBytes    int
	dryRun      bool
	json        bool
	showLines   bool
}

// memoryLimit is the limit for the garbage collector in bytes. It keeps the process below 64 MiB for feeds of any
// size.
const memoryLimit = 44 << 20

// Command returns the command "feed". Running it changes the process: its memory is limited, and SIGPIPE is ignored.
func Command(env *cli.Env) *cobra.Command {
	cmd := command(env, nil)
	cmd.PreRun = func(*cobra.Command, []string) {
		signal.Ignore(syscall.SIGPIPE) // a closed pipe becomes a write error
		if env.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(memoryLimit)
		}
	}
	return cmd
}

// command returns the command. transport, if not nil, downloads feeds.
func command(env *cli.Env, transport http.RoundTripper) *cobra.Command {
	c := &config{transport: transport, attributes: threatconnect.WriteSingleton, maxInvalid: limit{percent: 1, isShare: true}, owner: env.Getenv("TC_OWNER")}
	cmd := &cobra.Command{
		Use:   "feed",
		Short: "Import a threat feed into an owner",
		Long:  longHelp,
		Example: `  threatconnect feed --input hosts.txt --owner "Example Source" --dry-run
  threatconnect feed --input https://feed.example/urls.csv \
      --owner "Example Source" --state urls.state`,
		Args: func(cmd *cobra.Command, args []string) error {
			return c.refuse(cli.NoArgs(cmd, args))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(env); err != nil {
				return c.refuse(err)
			}
			return run(cmd.Context(), env, c)
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return c.refuse(cmd.Parent().FlagErrorFunc()(cmd, err))
	})
	c.register(env, cmd)
	return cmd
}

// refuse writes message.tc for an error of the command line, and returns the error.
func (c *config) refuse(err error) error {
	if !cli.IsUsage(err) {
		return err
	}
	return c.withMessage(err)
}

// withMessage writes message.tc for an error that comes before the import, if the directory is known, and returns
// the error.
func (c *config) withMessage(err error) error {
	return errors.Join(err, cli.WriteMessage(c.outDir, cli.Message("Nothing was imported: "+cli.Explain(err))))
}

const longHelp = `
feed reads a feed, checks it, and imports it in batch jobs. Without TC_BASE_URL, it imports into a test server in this process, which is discarded afterwards. If --input is missing too, it imports a small sample.

Each entry of the feed has one outcome, and the summary counts all of them:
  imported      confirmed by the platform
  unchanged     the same as in the last run, and not sent (--state)
  merged        combined with an earlier entry (--merge)
  skipped       valid, but not imported: of an unsupported kind, reserved (as a
                private address is), or on a list of --exclude
  invalid       breaks a rule, and was not sent
  failed        refused by the platform, or saved only in part
  unprocessed   not reached before the import ended
  unknown       sent, with an unknown outcome

Associations are counted separately. If the platform refuses one, its entry is imported, and is listed as unlinked.

Exit codes: 0 if the import is complete, 3 if a part of the feed or an association was not imported, 1 if nothing was. Skipped entries have no effect on the exit code. Invalid entries have none up to --max-invalid, a number of entries or a percentage of all entries.

A feed changes only its own groups. The xid of a group is derived from the owner, the name of the feed (--feed), and the ID of the group in the feed. So --feed must be the same in every run, and feeds with the same name share their groups. There is no default for standard input, or if the name of the input contains a date. Indicators belong to the owner: if two feeds have the same owner, both change them, so give each feed an owner of its own.

--state sends only the changes since the last run, which FILE records. To keep the state in the platform's DataStore, which needs TC_TOKEN, write datastore:DOMAIN/TYPE/ID, as in datastore:local/feed/state. The state does not detect changes that others make in the owner: use --full from time to time. It also records the version of a feed from an https:// URL. After a successful run, the feed is downloaded again only if it, the flags or a list of --exclude have changed.

--remove-stale is for an owner that contains only this feed. It compares indicators of the types that the feed contains. It deletes nothing if the feed was not read to its end, or has more invalid entries than --max-invalid allows.

--spool makes the import survive a crash of the process or the machine. The feed is saved in DIR before it is imported. After a crash, the same command line first finishes the interrupted import from the saved copy, each item once. It then imports the current feed if that has changed.
` + cli.EnvironmentHelp + `
  TC_OWNER         owner, as --owner`

// register adds the flags.
func (c *config) register(env *cli.Env, cmd *cobra.Command) {
	f := cmd.Flags()
	cli.Text(f, &c.input, "input", "`FILE` to import, - for standard input, or an https:// URL")
	f.Func("format", "`FORMAT` of the feed: list, csv, urlhaus, feodo, threatfox, jsonl or stix (default: detected)", c.setFormat)
	cli.Text(f, &c.columns, "columns", "`MAP` of columns to fields for --format csv, as in url=value:URL,family=group:Malware,tags=tags")
	cli.Text(f, &c.feed, "feed", "`NAME` of the feed, which is part of the xids of its groups (default: name of the file, or host and path of the URL)")
	f.BoolVar(&c.rawXIDs, "raw-xids", false, "use the xids of --format jsonl as they are: the feed can change groups of other feeds and owners")
	cli.Text(f, &c.headerFile, "header-file", "`FILE` with HTTP headers for the URL, one per line, as in Authorization: Bearer KEY")
	f.Func("max-size", "largest `SIZE` of a download, as in 500MB (default 1GiB)", c.setMaxSize)
	cli.FlagGroup(cmd, "Input", "input", "format", "columns", "feed", "raw-xids", "header-file", "max-size")

	cli.Text(f, &c.owner, "owner", "`NAME` of the owner to import into; TC_OWNER")
	f.Func("tag", "`TAG` to add to each item, for example Phishing; repeatable", c.addTag)
	f.Float64Var(&c.rating, "rating", 0, "threat `RATING`, 0 to 5, of indicators without one in the feed")
	f.IntVar(&c.confidence, "confidence", 0, "`CONFIDENCE`, 0 to 100, of indicators without one in the feed")
	f.Func("attributes", "`HOW` to write attributes of an existing item: singleton (replace those of the feed's types and keep others; the default), "+
		"replace (replace all, also those of analysts), append (add the feed's again in each run), or static (change none)", c.setAttributes)
	cli.FlagGroup(cmd, "Destination", "owner", "tag", "rating", "confidence", "attributes")

	f.BoolVar(&c.merge, "merge", false, "merge entries about the same indicator or group")
	f.StringArrayVar(&c.exclude, "exclude", nil, "`FILE` with indicators not to import, one per line; repeatable")
	f.BoolVar(&c.allowDocumentation, "allow-documentation", false, "import addresses and names that are reserved for documentation, such as example.com")
	cli.Text(f, &c.state, "state", "send only changes since the last run, which `FILE` records")
	f.BoolVar(&c.full, "full", false, "send everything, in spite of --state")
	f.BoolVar(&c.removeStale, "remove-stale", false, "delete indicators that are no longer in the feed")
	f.Float64Var(&c.maxShare, "max-share", 0.2, "largest `SHARE` of the owner, and of each type in it, that --remove-stale may delete, above 0 and up to 1")
	f.Var(&c.maxInvalid, "max-invalid", "`NUMBER` or percentage of invalid entries up to which the run is a success and --remove-stale deletes")
	cli.FlagGroup(cmd, "Changes", "merge", "exclude", "allow-documentation", "state", "full", "remove-stale", "max-share", "max-invalid")

	cli.Text(f, &c.spool, "spool", "`DIR` to save the import in, so that it survives a crash")
	f.DurationVar(&c.retryFor, "retry-for", 10*time.Minute, "retry through an outage of the platform of up to this `DURATION`")
	f.IntVar(&c.maxBytes, "max-bytes", 0, "send a batch job when it has this size in `BYTES` (default 2000000)")
	f.BoolVar(&c.dryRun, "dry-run", false, "read and check everything, and send nothing")
	f.BoolVar(&c.json, "json", false, "print one JSON summary on standard output")
	f.BoolVar(&c.showLines, "show-lines", false, "quote the first lines of the feed that break each rule on standard error")
	cli.FlagGroup(cmd, "Execution", "spool", "retry-for", "max-bytes", "dry-run", "json", "show-lines")

	c.instance.Register(env, f, "feed")
	c.log.Register(f)
	cli.PlatformText(f, &c.owner, "tc_owner", "`NAME`, as --owner")
	cli.PlatformText(f, &c.outDir, "tc_out_path", "`DIR` in which to write message.tc")
	cli.MainFlags(cmd, "input", "owner", "tag", "exclude", "state", "spool", "remove-stale", "dry-run", "json")
}

// check returns an error for an invalid combination of flags.
func (c *config) check(env *cli.Env) error {
	if err := c.instance.Check(); err != nil {
		return err
	}
	inProcess := c.instance.InProcess()
	switch {
	case c.input == "" && !inProcess:
		return cli.UsageError("--input is missing: name the feed with --input FILE, - for standard input, or an https:// URL")
	case inProcess && (c.state != "" || c.spool != "" || c.removeStale):
		return cli.UsageError("--state, --spool and --remove-stale need an instance: set TC_BASE_URL")
	case c.owner == "" && !inProcess:
		return cli.UsageError("--owner is missing: name the owner to import into with --owner or TC_OWNER, preferably a source of its own")
	case strings.HasPrefix(c.input, "http://"):
		return cli.UsageError("--input: use https://, which protects the feed from changes on its way")
	case !c.fromURL() && (c.headerFile != "" || c.maxSize > 0):
		return cli.UsageError("--header-file and --max-size are for an --input of https://")
	case !(c.rating >= 0 && c.rating <= 5):
		return cli.UsageError("--rating must be 0 to 5")
	case c.confidence < 0 || c.confidence > 100:
		return cli.UsageError("--confidence must be 0 to 100")
	case c.maxBytes != 0 && (c.maxBytes < 1<<10 || c.maxBytes > 1<<30):
		return cli.UsageError("--max-bytes must be 1024 to 1073741824")
	case c.retryFor <= 0:
		return cli.UsageError("--retry-for must be longer than 0, as in 10m")
	case !(c.maxShare > 0 && c.maxShare <= 1):
		return cli.UsageError("--max-share must be above 0 and up to 1")
	case c.full && c.state == "":
		return cli.UsageError("--full is for --state; without --state, everything is sent")
	case c.columns != "" && c.format != feeds.FormatCSV:
		return cli.UsageError("--columns is for --format csv")
	case c.format == feeds.FormatCSV && c.columns == "":
		return cli.UsageError("--columns is missing: --format csv needs a map, as in url=value:URL,tags=tags")
	}
	if inProcess {
		c.allowDocumentation = true // the sample consists of it
		if c.owner == "" {
			c.owner = "Example Source"
		}
	}
	if c.columns != "" {
		var err error
		if c.csv, err = feeds.ParseColumns(c.columns); err != nil {
			return cli.UsageError("--columns: %s", cli.Plain(err))
		}
	}
	for _, t := range c.tags {
		switch {
		case strings.EqualFold(t.Name, c.owner):
			return cli.UsageError("--tag repeats the name of the owner, which the platform shows anyway: tag the kind of threat instead")
		case len(t.Name) > len(c.owner) && strings.EqualFold(t.Name[:len(c.owner)], c.owner):
			env.Printf("The tag %q begins with the name of the owner: a tag of the kind of threat alone can be searched in all owners.", t.Name)
		}
	}
	return nil
}

// dated matches names that differ from run to run.
var dated = regexp.MustCompile(`20\d\d[-_./]?[01]\d|\d\d[-_.]\d\d[-_.]\d\d|\d{10}`)

// feedName returns the name of the feed in xids. It is empty if there is none that is the same in every run.
func (c *config) feedName() string {
	name, varies := "", ""
	switch kind := c.inputKind(); {
	case c.feed != "":
		return c.feed
	case kind == "sample":
		return kind
	case kind == "url":
		if u, err := url.Parse(c.input); err == nil {
			name, varies = u.Host+u.Path, u.Path // the address of a host can look like a date
		}
	case kind == "file":
		name = filepath.Base(c.input)
		varies = name
	}
	if dated.MatchString(varies) {
		return ""
	}
	return name
}

func (c *config) fromURL() bool { return strings.HasPrefix(c.input, "https://") }

func (c *config) setFormat(s string) error {
	c.format = feeds.Format(strings.ToLower(s))
	if !slices.Contains(feeds.Formats(), c.format) {
		return fmt.Errorf("must be one of %v", feeds.Formats())
	}
	return nil
}

func (c *config) setMaxSize(s string) error {
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > 1<<60 {
		return errors.New("must be a size, as in 500MB")
	}
	c.maxSize = int64(n)
	return nil
}

func (c *config) addTag(s string) error {
	name, err := ioc.CanonicalTag(s)
	if err != nil {
		return errors.New(cli.Plain(err))
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
	return errors.New("must be singleton, replace, append or static")
}

// limit is a number of entries, or a percentage of them.
type limit struct {
	number  int64
	percent float64
	isShare bool
}

// Set implements [pflag.Value].
func (l *limit) Set(s string) error {
	var err error
	digits, isShare := strings.CutSuffix(s, "%")
	*l = limit{isShare: isShare}
	if isShare {
		l.percent, err = strconv.ParseFloat(digits, 64)
	} else {
		l.number, err = strconv.ParseInt(digits, 10, 64)
	}
	if err != nil || l.number < 0 || !(l.percent >= 0 && l.percent <= 100) {
		return errors.New("must be a number, as in 50, or a percentage, as in 1%")
	}
	return nil
}

// String implements [pflag.Value].
func (l *limit) String() string {
	if l.isShare {
		return strconv.FormatFloat(l.percent, 'f', -1, 64) + "%"
	}
	return strconv.FormatInt(l.number, 10)
}

// Type implements [pflag.Value].
func (l *limit) Type() string { return "limit" }

// exceeded reports whether n of all entries are more than the limit allows.
func (l *limit) exceeded(n, all int64) bool {
	if l.isShare {
		return float64(n)*100 > l.percent*float64(all)
	}
	return n > l.number
}
