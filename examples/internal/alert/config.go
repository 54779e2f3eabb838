package alert

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const name = "alert"

// nothingStored is the exit code of -fail-on-none.
const nothingStored = 3

// usage is the help.
func usage() string {
	return `alert takes an alert, looks up what ThreatConnect knows about the indicators in it, decides whether that
is a reason to go on, and then stores them for review and notifies the users.

  alert -owner NAME [flags] < ALERT.json
  alert -owner NAME -listen ADDRESS [flags]

An alert is a JSON object. Without TC_BASE_URL a test server in this process decides, and without an
alert on standard input it gets one to decide about.

Where things are stored
  -owner NAME         the owner to store in; required. Take one of its own: what is stored is only
                      suspicious and must not stand among indicators that are known to be malicious.
                      TC_OWNER is not used, because it is often just such an owner
  -rating N           threat rating of what is stored, 0 to 5; 1 (suspicious) if not given
  -confidence N       confidence in what is stored, 0 to 100; 50 (possible) if not given
  -tag NAME           a tag for the event and the indicators; may be repeated. Use bare words
  -notify WHO         organization (default), none, or user names with commas between them
  -priority LEVEL     of the notification: low, medium (default) or high

What is read from an alert
  -field PATH         where indicators are, as in source.ip or files.hash.sha256; may be repeated, and
                      replaces the usual names. Lists on the way are walked through. The values of a list
                      "indicators" are always read: texts, or objects with a value and a type
  -id-field PATH      what tells one alert from another; id if not given, and a hash of the alert where there
                      is none. The name of the event holds it: with a part of its hash when it is longer than
                      50 characters, or has parentheses, commas or other than ASCII characters
  -title-field PATH   what the event is called; title if not given, else the usual names
  -time-field PATH    when it happened; timestamp if not given, else the usual names

When an indicator matters: one of these is reached, in any owner but -owner
  -min-score N        ThreatAssess score, 0 to 1000; 500 if not given
  -min-rating N       rating of an owner, 0 to 5; 3 (moderate) if not given
  -store-unknown      store also what no owner knows
Never stored are
  private, loopback, link-local, shared, multicast and reserved addresses, IPv6 addresses that stand for such
    IPv4 addresses, blocks wider than /16 (IPv6: /32), host names and AS numbers that are not public, and
    hashes of files that everybody has, such as empty ones
  values in the file of -exclude FILE, one per line: a host includes its subdomains, a block its addresses
  URLs and email addresses with such a host, and values that cannot be checked
  what was reported as a false positive -max-false-positives N times or more; 3 if not given
  values that the platform refuses; the users are notified of them if there was a reason to store them

How it runs
  -dry-run            look up and decide, and write nothing
  -json               print the decision as JSON
  -fail-on-none       exit with 3 when nothing was stored
  -listen ADDRESS     take alerts as POST requests of application/json, one alert each, and answer each
                      with the decision; 127.0.0.1:8080 for this machine only. Ends on an interrupt,
                      after the alerts that have come in. Status 200 says that the users were notified,
                      if there was a reason to; after a status of 500 or more, send the alert again
  -max-body BYTES     size of an alert; 1048576 if not given
  -tls-cert FILE, -tls-key FILE   serve HTTPS
` + command.Usage(`  ALERT_USER, ALERT_PASSWORD   what -listen asks of its callers as basic authentication
`) + `
An alert that is sent again finds its event by its title and id, and changes nothing that is there already.
If its body has changed, the users are notified again and the event gets another description.

Exit codes: 0 decided, 1 something went wrong, 3 see -fail-on-none.
`
}

// config is what the flags and the environment say.
type config struct {
	command.Instance
	owner          string
	rating         float64
	confidence     int
	tags           command.Texts
	notify         string
	priority       string
	fields         fields
	minScore       int
	minRating      float64
	storeUnknown   bool
	falsePositives int
	excludeFile    string
	dryRun         bool
	json           bool
	failOnNone     bool
	listen         string
	maxBody        int64
	tlsCert        string
	tlsKey         string
	user, password string
}

func parse(e *command.Env) (*config, error) {
	c := &config{user: e.Getenv("ALERT_USER"), password: e.Getenv("ALERT_PASSWORD")}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(e, fs)
	fs.StringVar(&c.owner, "owner", "", "")
	fs.Float64Var(&c.rating, "rating", 1, "")
	fs.IntVar(&c.confidence, "confidence", 50, "")
	fs.Var(&c.tags, "tag", "")
	fs.StringVar(&c.notify, "notify", "organization", "")
	fs.StringVar(&c.priority, "priority", "medium", "")
	fs.Var(&c.fields.indicators, "field", "")
	fs.StringVar(&c.fields.id, "id-field", "", "")
	fs.StringVar(&c.fields.title, "title-field", "", "")
	fs.StringVar(&c.fields.time, "time-field", "", "")
	fs.IntVar(&c.minScore, "min-score", 500, "")
	fs.Float64Var(&c.minRating, "min-rating", 3, "")
	fs.BoolVar(&c.storeUnknown, "store-unknown", false, "")
	fs.IntVar(&c.falsePositives, "max-false-positives", 3, "")
	fs.StringVar(&c.excludeFile, "exclude", "", "")
	fs.BoolVar(&c.dryRun, "dry-run", false, "")
	fs.BoolVar(&c.json, "json", false, "")
	fs.BoolVar(&c.failOnNone, "fail-on-none", false, "")
	fs.StringVar(&c.listen, "listen", "", "")
	fs.Int64Var(&c.maxBody, "max-body", 1<<20, "")
	fs.StringVar(&c.tlsCert, "tls-cert", "", "")
	fs.StringVar(&c.tlsKey, "tls-key", "", "")
	rest, err := e.Parse(fs, usage())
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%q is no flag: an alert comes on standard input, or with -listen", rest[0])
	}
	if c.owner == "" && c.InProcess() {
		c.owner = demoOwner
	}
	return c, c.check()
}

func (c *config) check() error {
	for i, t := range c.tags {
		tag, err := ioc.CanonicalTag(t)
		if err != nil {
			return fmt.Errorf("-tag: %s", command.Plain(err))
		}
		c.tags[i] = tag
	}
	c.priority = strings.ToLower(c.priority)
	switch {
	case c.owner == "":
		return errors.New("-owner is not set: name the owner that suspicious indicators are kept in, one of its own")
	case !(c.rating >= 0 && c.rating <= 5):
		return errors.New("-rating: want 0 to 5")
	case c.confidence < 0 || c.confidence > 100:
		return errors.New("-confidence: want 0 to 100")
	case c.minScore < 0 || c.minScore > 1000:
		return errors.New("-min-score: want 0 to 1000")
	case !(c.minRating >= 0 && c.minRating <= 5):
		return errors.New("-min-rating: want 0 to 5")
	case c.falsePositives < 1:
		return errors.New("-max-false-positives: want 1 or more")
	case c.priority != "low" && c.priority != "medium" && c.priority != "high":
		return errors.New("-priority: want low, medium or high")
	case strings.TrimSpace(c.notify) == "":
		return errors.New("-notify: want organization, none, or user names")
	case c.maxBody < 1:
		return errors.New("-max-body: want a number of bytes")
	case (c.tlsCert == "") != (c.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key belong together")
	case (c.user == "") != (c.password == ""):
		return errors.New("ALERT_USER and ALERT_PASSWORD belong together")
	}
	return nil
}
