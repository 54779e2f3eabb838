package threatconnect

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Version is the version of this package, as sent in the User-Agent header.
const Version = "0.1.0"

// Client talks to one ThreatConnect instance as one API user.
//
// Make one with [NewClient] and keep it: it holds the connection pool. Its services are the fields
// below. A Client and its services are safe for concurrent use and never change. Services are values
// that may be copied; the zero Client and the zero value of a service return an error from every call.
// Printing a Client shows its base URL and default owner, never a credential.
type Client struct {
	// Indicators reads and writes addresses, hosts, URLs, files and the other indicator types.
	Indicators IndicatorsService
	// Batch imports indicators, groups and associations in any number.
	Batch BatchService
	// Groups reads and writes incidents, reports, adversaries and the other group types.
	Groups GroupsService
	// Owners lists the organizations, communities and sources that the API user sees.
	Owners OwnersService
	// Tags reads and writes tags, puts them on resources and takes them off.
	Tags TagsService
	// Associations links resources and reads what is linked.
	Associations AssociationsService
	// Attributes reads and writes the attributes of resources.
	Attributes AttributesService
	// FileOccurrences reads and writes where files were found.
	FileOccurrences FileOccurrencesService
	// SecurityLabels applies security labels to resources and their attributes.
	SecurityLabels SecurityLabelsService
	// Tasks reads and writes tasks, their assignees and escalatees.
	Tasks TasksService
	// Victims reads and writes victims.
	Victims VictimsService
	// VictimAssets reads and writes the addresses, accounts and numbers of victims.
	VictimAssets VictimAssetsService
	// AdversaryAssets reads and writes the handles, numbers and URLs of adversaries.
	AdversaryAssets AdversaryAssetsService
	// Types lists the instance's types of indicators, attributes and associations.
	Types TypesService
	// Bulk reads the daily reports of all indicators of a community or source.
	Bulk BulkService
	// Playbooks lists, exports, imports and switches playbooks.
	Playbooks PlaybooksService
	// DataStore sends single requests to the DataStore; DataStoreOf is the typed way.
	DataStore DataStoreService
	// Logs sends an app's log to the platform.
	Logs LogsService
	// Metrics keeps custom metrics for dashboards.
	Metrics MetricsService
	// Notifications sends messages to users of the platform.
	Notifications NotificationsService

	*core                // shared by all copies
	owner    string      // the default owner; empty means the API user's organization
	defaults CallOptions // for calls whose own options say nothing
	err      error       // why every call fails: the copy was asked for with something invalid
}

// core is what a client and its copies share.
type core struct {
	cfg     config
	offset  atomic.Int64 // server clock minus ours in nanoseconds, 0 while ours is right
	buffers sync.Pool    // of *bytes.Buffer, for answers
	seed    maphash.Seed // of the fingerprints of pages
	types   typeTable    // the instance's own indicator types
}

// service is what every service is: a client to send with.
type service struct{ c *Client }

// NewClient makes a client for the instance at baseURL. It sends nothing.
//
// The base URL is the one under which the platform serves its API, with the path that belongs to
// it: https://app.threatconnect.com/api, or https://tc.example.com/api for an instance of your
// own. White space around it, slashes at its end and a pasted /v2 are taken off; nothing is added
// and nothing is guessed. It must be https unless the host is a loopback address or
// [WithPlainHTTP] is given. See [Credentials] for how to make them.
//
// Every error is a [*ValidationError] that names the argument or option and never shows its value.
func NewClient(baseURL string, credentials Credentials, options ...Option) (*Client, error) {
	cfg := config{
		retry:        RetryPolicy{}.withDefaults(),
		now:          time.Now,
		correctClock: true,
		maxBody:      defaultMaxBody,
		stall:        defaultStall,
	}
	for _, o := range options {
		if o == nil {
			return nil, &ValidationError{Field: "option", Rule: "is nil"}
		}
		if err := o(&cfg); err != nil {
			return nil, err
		}
	}
	base, err := parseBaseURL(baseURL, cfg.plainHTTP)
	if err != nil {
		return nil, err
	}
	cfg.base = base
	if credentials == nil {
		return nil, &ValidationError{Field: "credentials", Rule: "are missing", Fix: "make them with HMAC, Token or TokenFunc"}
	}
	if err := credentials.check(); err != nil {
		return nil, err
	}
	cfg.credentials = credentials
	if cfg.httpClient, err = cfg.buildHTTPClient(); err != nil {
		return nil, err
	}
	if cfg.logger != nil {
		cfg.observers = append(cfg.observers, logObserver(cfg.logger))
	}
	cfg.proxy, cfg.tls = nil, nil // the HTTP client has them; a proxy's password stands nowhere else
	cfg.userAgent = strings.TrimLeft(cfg.product+" threatconnect-go/"+Version, " ")

	return newClient(&core{cfg: cfg, seed: maphash.MakeSeed(), types: newTypeTable()}, cfg.owner, CallOptions{}, nil), nil
}

// newClient returns a client over a core, with its services.
func newClient(shared *core, owner string, defaults CallOptions, err error) *Client {
	c := &Client{core: shared, owner: owner, defaults: defaults, err: err}
	s := service{c}
	c.Indicators = newIndicatorsService(s)
	c.Batch = BatchService{s}
	c.Groups = newGroupsService(s)
	c.Owners = OwnersService{s}
	c.Tags = TagsService{s}
	c.Associations = AssociationsService{s}
	c.Attributes = AttributesService{s}
	c.FileOccurrences = FileOccurrencesService{s}
	c.SecurityLabels = SecurityLabelsService{s}
	c.Tasks = newTasksService(s)
	c.Victims = VictimsService{s}
	c.VictimAssets = VictimAssetsService{s}
	c.AdversaryAssets = AdversaryAssetsService{s}
	c.Metrics = MetricsService{s}
	c.Notifications = NotificationsService{s}
	c.Types = TypesService{s}
	c.Bulk = BulkService{s}
	c.Playbooks = PlaybooksService{s}
	c.DataStore = DataStoreService{s}
	c.Logs = LogsService{s}
	return c
}

// NewClientFromEnv makes a client from the environment. It sends nothing.
//
//   - TC_BASE_URL is the base URL, as for [NewClient]; required.
//   - TC_ACCESS_ID and TC_SECRET_KEY are an API user's credentials, or
//   - TC_TOKEN is an API token. Giving both kinds is an error: the platform would let the token
//     win even when it has expired.
//   - TC_OWNER is the default owner; optional.
//
// The environment is read once. Options come after it and win.
func NewClientFromEnv(options ...Option) (*Client, error) {
	base, id, key, token := os.Getenv("TC_BASE_URL"), os.Getenv("TC_ACCESS_ID"), os.Getenv("TC_SECRET_KEY"), os.Getenv("TC_TOKEN")
	if base == "" {
		return nil, &ValidationError{Field: "TC_BASE_URL", Rule: "is not set", Fix: "set it to the instance's API, as in https://app.threatconnect.com/api"}
	}
	var credentials Credentials
	switch {
	case token != "" && (id != "" || key != ""):
		return nil, &ValidationError{Field: "TC_TOKEN", Rule: "is set together with TC_ACCESS_ID or TC_SECRET_KEY", Fix: "unset one kind of credentials"}
	case token != "":
		credentials = Token(token)
	case id == "":
		return nil, &ValidationError{Field: "TC_ACCESS_ID", Rule: "is not set", Fix: "set TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN"}
	case key == "":
		return nil, &ValidationError{Field: "TC_SECRET_KEY", Rule: "is not set", Fix: "set it in single quotes, so that the shell leaves $ and ! alone"}
	default:
		credentials = HMAC(id, key)
	}
	if owner := os.Getenv("TC_OWNER"); owner != "" {
		options = append([]Option{WithOwner(owner)}, options...)
	}
	return NewClient(base, credentials, options...)
}

// InOwner returns a copy of the client with another default owner: the name of an organization,
// community or source. With "" the platform uses the API user's organization. The copy shares the
// connections, the clock and the settings of the client; making one costs nothing and sends nothing.
// If name cannot be sent, every call of the copy returns a [*ValidationError].
//
//	err := client.InOwner("Example Source").Indicators.Hosts.Delete(ctx, "evil.example")
func (c *Client) InOwner(name string) *Client {
	if err := c.usable(); err != nil {
		return newClient(nil, "", CallOptions{}, err)
	}
	var err error
	if name != "" {
		err = checkVerbatim("owner", name)
	}
	return newClient(c.core, name, c.defaults, err)
}

// With returns a copy of the client whose calls use o where their own options say nothing. It is the
// way to give call options to methods that take no options, as Create and Add. The copy shares the
// connections, the clock and the settings of the client; making one costs nothing and sends nothing.
// If o is invalid, every call of the copy returns a [*ValidationError].
func (c *Client) With(o CallOptions) *Client {
	if err := c.usable(); err != nil {
		return newClient(nil, "", CallOptions{}, err)
	}
	return newClient(c.core, c.owner, o.over(c.defaults), o.check())
}

// with is With for the options of one call: it needs no services.
func (c *Client) with(o CallOptions) *Client {
	if c == nil || c.core == nil || c.err != nil || o.isZero() {
		return c
	}
	return &Client{core: c.core, owner: c.owner, defaults: o.over(c.defaults), err: o.check()}
}

// usable returns why the client cannot send: it was not made by [NewClient], or is an invalid copy.
func (c *Client) usable() error {
	switch {
	case c == nil:
		return errNoClient
	case c.err != nil:
		return c.err
	case c.core == nil:
		return errNoClient
	}
	return nil
}

var errNoClient = &ValidationError{Field: "client", Rule: "was not made with NewClient", Fix: "make one with NewClient and use its services"}

// BaseURL returns the base URL as the client uses it.
func (c *Client) BaseURL() string {
	if c.usable() != nil {
		return ""
	}
	return c.cfg.base.String()
}

// Owner returns the default owner that [WithOwner] or [Client.InOwner] set, or "" when the platform
// uses the API user's organization.
func (c *Client) Owner() string { return c.ownerOr("") }

// UserAgent returns the User-Agent header that the client sends.
func (c *Client) UserAgent() string {
	if c.usable() != nil {
		return ""
	}
	return c.cfg.userAgent
}

// Proxy returns the proxy through which the client would send r, or nil for none. It is the proxy of
// [WithProxy], of the [http.Transport] in [WithTransport] or [WithHTTPClient], or else of the environment, as for
// [http.ProxyFromEnvironment]. It sends nothing, and only the URL of r is used.
//
// Use it for the other requests of a program:
//
//	transport := &http.Transport{Proxy: client.Proxy}
func (c *Client) Proxy(r *http.Request) (*url.URL, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	if r == nil || r.URL == nil {
		return nil, &ValidationError{Field: "request", Rule: "has no URL"}
	}
	find := http.ProxyFromEnvironment
	switch t := cmp.Or(c.cfg.httpClient.Transport, http.DefaultTransport).(type) {
	case *http.Transport:
		find = t.Proxy
	case loopbackTransport:
		find = t.Proxy
	}
	if find == nil {
		return nil, nil
	}
	u, err := find(r)
	if err != nil { // its text can show a password
		return nil, &ValidationError{Field: "proxy", Rule: "cannot be determined", Fix: "set HTTP_PROXY and HTTPS_PROXY as in http://user:password@proxy.example:3128, the password percent-encoded"}
	}
	return u, nil
}

// ownerOr returns owner, or the client's default when it is empty.
func (c *Client) ownerOr(owner string) string {
	if owner != "" || c == nil {
		return owner
	}
	return c.owner
}

// createOwner returns the owner in which something is created: the client's. An object that was read from
// another one is refused.
func (c *Client) createOwner(of Owner) (string, error) {
	owner := c.Owner()
	if of.Name != "" && of.Name != owner {
		return "", &ValidationError{
			Field: "owner",
			Rule:  "is not the client's owner, in which things are created",
			Fix:   "create it with client.InOwner, or clear its Owner to create it in the client's owner",
		}
	}
	return owner, nil
}

// String returns the base URL and the default owner.
func (c *Client) String() string {
	if c.usable() != nil {
		return "threatconnect.Client(unusable)"
	}
	return fmt.Sprintf("threatconnect.Client(%s, owner %q)", c.BaseURL(), c.owner)
}

// Format prints the same for every verb, so that no verb reaches the credentials.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// MarshalText returns what String returns, so that a client in a JSON log shows no more.
func (c *Client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// parseBaseURL brings a base URL into the form that routes are appended to: no trailing slash, no
// /v2, escaped as given.
func parseBaseURL(s string, plainHTTP bool) (*url.URL, error) {
	const field = "base URL"
	bad := func(rule, fix string) error { return &ValidationError{Field: field, Rule: rule, Fix: fix} }
	const example = "write it as in https://app.threatconnect.com/api"
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, bad("is empty", example)
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, bad("is not a URL", example)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("has no https:// scheme", example)
	case u.Opaque != "" || u.Hostname() == "":
		return nil, bad("has no host", example)
	case u.User != nil:
		return nil, bad("holds a user name or password", "give credentials to HMAC or Token instead")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, bad("holds a query", "end it before the ?")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, bad("holds a fragment", "end it before the #")
	}
	if err := checkPort(u.Host); err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()) {
		return nil, bad("is http:// to another machine, which the platform refuses and which shows every request", "use https://, or WithPlainHTTP for a proxy that you trust")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if p, ok := strings.CutSuffix(path, "/v2"); ok {
		path = strings.TrimRight(p, "/")
	}
	for seg := range strings.SplitSeq(path, "/") {
		if isStep(seg) {
			return nil, bad("has a . or .. in its path", example)
		}
	}
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return nil, bad("is not a URL", example)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: unescaped, RawPath: path}, nil
}
