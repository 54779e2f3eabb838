// Package alert is the command that decides about alerts with the knowledge of an instance, and stores
// those that need a review.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const long = `
alert reads an alert, a JSON object, from standard input, or receives alerts over HTTP with --listen.
It looks up the indicators of the alert in all owners and decides about each of them. If one matters,
it creates an event in --owner, stores the indicators that matter, associates them with the event, and
notifies the users. Without TC_BASE_URL, it uses a test server in this process, and without input a
sample alert.

An indicator matters if it reaches --min-score, --min-cal-score or --min-rating in any owner except
--owner. The following are never stored:
  - addresses, names and AS numbers that are not public, blocks wider than /16
    (IPv6: /32), and hashes of common files, such as the empty file
  - values in a file of --exclude: a host excludes its subdomains, and a block
    its addresses
  - URLs and email addresses with such a host
  - indicators with too many reports as a false positive
  - values that the platform refuses; the notification lists them if they
    matter
An indicator that is already in --owner does not change.

Delivery: if an alert is sent again, its event is found by title and id, and nothing in it changes. An
attribute of the event records whether the users were notified. They are notified at least once if the
sender repeats the alert until it succeeds, even if this command is killed. They are notified again
only if the outcome of a notification is unknown, which is logged as a warning, or if the body of the
alert has changed. Several processes can handle the same alerts: each waits up to 35 seconds for the
notification of another.

--listen answers a POST of application/json with the decision, and GET /healthz with status 200. Up to
64 alerts wait in a queue. Senders must send an alert again after a lost connection, after status 408,
and after a status of 500 or more; 503 has a Retry-After header. After SIGINT or SIGTERM, the command
handles the alerts that it has received, and exits.

Senders need a user name and a password (basic authentication). Without ALERT_USER and ALERT_PASSWORD,
the command generates and prints them. The Host header of a request must be an address, localhost, the
host of --listen or a --host. Requests from web pages are refused. A sender has 5 seconds to send a
body, and an address can open 64 connections. The log has one line per minute about the refused
requests of an address. After 10 wrong passwords from an address, the responses to further ones are
delayed; a request without a password does not count.

Exit codes: 0 done, 1 failed, wrong command line, or no reason to store the alert; see --fail-on-error
and --fail-on-no-results. With --listen, the exit code is 1 only if the listener fails.
` + cli.EnvironmentHelp + `
  ALERT_USER       user name of the senders of --listen
  ALERT_PASSWORD   their password
  ALERT_PASSWORD_FILE
                   file that contains the password, instead of the variable`

// config has the values of the flags and of the environment.
type config struct {
	cli.Instance
	logs              cli.Log
	owner             string
	rating            float64
	confidence        int
	tags              []string
	eventStatus       threatconnect.EventStatus
	attributeType     string
	notify            string
	users             []string // of notify
	notificationType  string
	notificationText  string
	priority          threatconnect.NotificationPriority
	fields            fields
	maxBody           int64
	minScore          int
	minCALScore       int
	minRating         float64
	storeUnknown      bool
	maxFalsePositives int
	exclude           []string
	dryRun            bool
	json              bool
	failOnError       bool
	failOnNoResults   bool
	listen            string
	hosts             []string
	tlsCert, tlsKey   string
	noAuth            bool
	user, password    string // of the senders of listen
}

// Command returns the command alert.
func Command(env *cli.Env) *cobra.Command {
	c := &config{}
	cmd := &cobra.Command{
		Use:   "alert [flags] < ALERT.json",
		Short: "Triage alerts: look up indicators, store events, notify users",
		Long:  long,
		Example: `  threatconnect alert                        # a sample and a test server
  threatconnect alert --owner "Example Alerts" --listen 127.0.0.1:8080`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.owner == "" && c.InProcess() {
				c.owner = sampleOwner
			}
			if c.listen != "" {
				var err error
				if c.password, _, err = env.Secret("ALERT_PASSWORD"); err != nil {
					return err
				}
				c.user = env.Getenv("ALERT_USER")
			}
			if err := c.check(); err != nil {
				return err
			}
			if c.listen != "" && !cmd.Flags().Changed("log-level") && !cmd.Flags().Changed("tc_log_level") {
				c.logs.Level = slog.LevelInfo
			}
			return c.run(cmd.Context(), env)
		},
	}
	c.register(env, cmd, cmd.Flags())
	return cmd
}

func (c *config) register(env *cli.Env, cmd *cobra.Command, f *pflag.FlagSet) {
	cli.Text(f, &c.owner, "owner", "`NAME` of an owner for suspicious indicators only, required; TC_OWNER is not used")
	f.Float64Var(&c.rating, "rating", 1, "threat `RATING` of stored indicators, 0 to 5; 1 means suspicious")
	f.IntVar(&c.confidence, "confidence", 50, "confidence `PERCENT` of stored indicators, 0 to 100; 50 means possible")
	f.StringArrayVar(&c.tags, "tag", nil, "`TAG` for the event and the stored indicators; repeatable")
	f.StringVar((*string)(&c.eventStatus), "event-status", string(threatconnect.EventNeedsReview), "`STATUS` of the event: Needs Review, False Positive, No Further Action or Escalated")
	f.StringVar(&c.attributeType, "attribute-type", "Description", "`TYPE` of the attribute of the event that has the reasons")
	cli.FlagGroup(cmd, "Storage", "owner", "rating", "confidence", "tag", "event-status", "attribute-type")

	f.StringVar(&c.notify, "notify", organization, "`WHO` is notified: organization, none, or user names as in ana,bo")
	f.StringVar(&c.notificationType, "notification-type", "Suspicious Alert", "`TYPE` of notification, to which users subscribe")
	cli.Text(f, &c.notificationText, "notification-text", "`TEXT` before the reasons, in Markdown")
	f.StringVar((*string)(&c.priority), "priority", "medium", "`PRIORITY` of the notification: low, medium or high")
	cli.FlagGroup(cmd, "Notification", "notify", "notification-type", "notification-text", "priority")

	f.StringArrayVar(&c.fields.indicators, "field", nil, "`PATH` of indicators in an alert, as in files.hash.sha256, instead of the usual names; repeatable. A list \"indicators\" of values, or of objects with value and type, is always read")
	cli.Text(f, &c.fields.id, "id-field", "`PATH` of the ID, instead of id, alert_id or event.id. An alert without an ID is identified by its hash")
	cli.Text(f, &c.fields.title, "title-field", "`PATH` of the title, instead of the usual names")
	cli.Text(f, &c.fields.time, "time-field", "`PATH` of the time, instead of the usual names")
	f.Int64Var(&c.maxBody, "max-body", 1<<20, "largest size of an alert in `BYTES`")
	cli.FlagGroup(cmd, "Fields of an alert", "field", "id-field", "title-field", "time-field", "max-body")

	f.IntVar(&c.minScore, "min-score", 500, "ThreatAssess `SCORE` that matters, 0 to 1000")
	f.IntVar(&c.minCALScore, "min-cal-score", 500, "CAL `SCORE` that matters, 0 to 1000")
	f.Float64Var(&c.minRating, "min-rating", 3, "threat `RATING` of an owner that matters, 0 to 5")
	f.BoolVar(&c.storeUnknown, "store-unknown", false, "also store indicators that no other owner has")
	f.IntVar(&c.maxFalsePositives, "max-false-positives", 3, "ignore an indicator with at least `N` reports as a false positive")
	f.StringArrayVar(&c.exclude, "exclude", nil, "`FILE` with values that are never stored, one per line; repeatable")
	cli.FlagGroup(cmd, "Decision", "min-score", "min-cal-score", "min-rating", "store-unknown", "max-false-positives", "exclude")

	f.BoolVar(&c.dryRun, "dry-run", false, "decide, but write nothing")
	f.BoolVar(&c.json, "json", false, "print the decision as JSON")
	f.BoolVar(&c.failOnError, "fail-on-error", true, "exit with 1 if an alert fails; if false, only the result has the error")
	f.BoolVar(&c.failOnNoResults, "fail-on-no-results", true, "exit with 1 if there is no reason to store the alert")
	cli.FlagGroup(cmd, "Execution", "dry-run", "json", "fail-on-error", "fail-on-no-results")

	f.StringVar(&c.listen, "listen", "", "`ADDRESS` to receive alerts on, as in 127.0.0.1:8080")
	f.StringArrayVar(&c.hosts, "host", nil, "`NAME` that senders use for this machine, in addition to its addresses, localhost and the host of --listen; repeatable")
	cli.Text(f, &c.tlsCert, "tls-cert", "`FILE` with the certificate of --listen")
	cli.Text(f, &c.tlsKey, "tls-key", "`FILE` with the key of the certificate")
	f.BoolVar(&c.noAuth, "no-auth", false, "accept alerts without a password; responses then have no details")
	cli.FlagGroup(cmd, "HTTP listener", "listen", "host", "tls-cert", "tls-key", "no-auth")

	c.Register(env, f, "alert")
	c.logs.Register(f)
	cli.MainFlags(cmd, "owner", "notify", "min-score", "min-rating", "store-unknown", "dry-run", "json", "listen")
}

// check refuses values of flags that cannot be right.
func (c *config) check() error {
	for i, t := range c.tags {
		tag, err := ioc.CanonicalTag(t)
		if err != nil {
			return cli.UsageError("--tag: %s", cli.Plain(err))
		}
		c.tags[i] = tag
	}
	for user := range strings.SplitSeq(c.notify, ",") {
		if user = strings.TrimSpace(user); user != "" {
			c.users = append(c.users, user)
		}
	}
	for _, n := range []struct {
		flag       string
		value, max float64
	}{
		{"rating", c.rating, 5}, {"confidence", float64(c.confidence), 100}, {"min-rating", c.minRating, 5},
		{"min-score", float64(c.minScore), 1000}, {"min-cal-score", float64(c.minCALScore), 1000},
	} {
		if !(n.value >= 0 && n.value <= n.max) {
			return cli.UsageError("--%s must be 0 to %g", n.flag, n.max)
		}
	}
	switch {
	case c.owner == "":
		return cli.UsageError("--owner is not set: name an owner that has only suspicious indicators")
	case c.maxFalsePositives < 1:
		return cli.UsageError("--max-false-positives must be 1 or more")
	case !slices.Contains([]string{"low", "medium", "high"}, strings.ToLower(string(c.priority))):
		return cli.UsageError("--priority must be low, medium or high")
	case !slices.Contains([]string{"Needs Review", "False Positive", "No Further Action", "Escalated"}, string(c.eventStatus)):
		return cli.UsageError("--event-status must be Needs Review, False Positive, No Further Action or Escalated")
	case len(c.users) == 0:
		return cli.UsageError("--notify must be organization, none, or user names")
	case utf8.RuneCountInString(c.notificationType) > 50 || c.notificationType == "" || strings.EqualFold(c.notificationType, "System"):
		return cli.UsageError("--notification-type must have 1 to 50 characters and not be System")
	case len(c.notificationText) > maxText:
		return cli.UsageError("--notification-text must have at most %s", cli.Count(maxText, "byte"))
	case c.maxBody < 1:
		return cli.UsageError("--max-body must be 1 or more")
	case (c.tlsCert == "") != (c.tlsKey == ""):
		return cli.UsageError("--tls-cert and --tls-key need each other")
	case (c.user == "") != (c.password == ""):
		return cli.UsageError("ALERT_USER and ALERT_PASSWORD need each other")
	case strings.Contains(c.user, ":"):
		return cli.UsageError("ALERT_USER must not have a colon")
	case c.noAuth && c.password != "":
		return cli.UsageError("--no-auth and ALERT_PASSWORD cannot be used together: leave one of them out")
	}
	for _, host := range c.hosts {
		if host == "" || strings.ContainsAny(host, ":/@ ") {
			return cli.UsageError("--host must be a name such as alerts.example.org, without scheme and port")
		}
	}
	return nil
}

// run handles one alert, or the alerts that are sent to --listen.
func (c *config) run(ctx context.Context, env *cli.Env) (err error) {
	log, logFile, err := c.logs.Open(env.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	var client *threatconnect.Client
	if c.InProcess() {
		client, err = c.TestServer(env, log, fillSample)
	} else {
		client, err = c.Client(log)
	}
	if err != nil {
		return err
	}
	h, err := newHandler(c, client, log)
	if err != nil {
		return err
	}
	if err := h.preflight(ctx); err != nil {
		return err
	}
	if c.listen != "" {
		return h.serve(ctx, env)
	}
	return h.once(ctx, env)
}

// preflight checks the owner and the type of the attribute that notes are kept in.
func (h *handler) preflight(ctx context.Context) error {
	if _, err := cli.CheckOwners(ctx, h.client, h.owner); err != nil {
		return err
	}
	t, err := h.client.InOwner(h.owner).Types.Attribute(ctx, h.attributeType)
	switch {
	case errors.Is(err, threatconnect.ErrNotFound) || errors.Is(err, threatconnect.ErrValidation):
		return fmt.Errorf("the instance has no attribute type %q: check --attribute-type", h.attributeType)
	case err != nil:
		return during("read the attribute type", err)
	case t.MaxLength > 0 && t.MaxLength < minDescription:
		return fmt.Errorf("--attribute-type: values of %q have at most %s, and at least %d are needed", h.attributeType, cli.Count(t.MaxLength, "character"), minDescription)
	case t.MaxLength > 0:
		h.maxNote = int(min(t.MaxLength, maxDescription))
	}
	return nil
}

// loadExclusions reads the lists of --exclude.
func loadExclusions(files []string) (*ioc.Exclusions, error) {
	x := &ioc.Exclusions{AllowDocumentation: true} // no real alert has such values, and the sample has no others
	for _, name := range files {
		if err := cli.AddList(x, filepath.Base(name), name); err != nil {
			return nil, err
		}
	}
	return x, nil
}
