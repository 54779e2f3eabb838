package threatconnect

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/secret"
)

// Version is the version of this package, as sent in the User-Agent header.
const Version = "0.1.0"

// Client is a client for one ThreatConnect instance and one API user. Its fields are services, each for
// one part of the API.
//
// Create a Client with [NewClient] and reuse it, because it contains the connection pool. A Client and
// its services are immutable and safe for concurrent use. Services may be copied. Every call of a zero
// Client or a zero service returns an error. A Client prints as its base URL and default owner, without
// credentials.
type Client struct {
	// Indicators reads and writes addresses, hosts, URLs, files and the other indicator types.
	Indicators IndicatorsService
	// Batch imports any number of indicators, groups and associations.
	Batch BatchService
	// Groups reads and writes incidents, reports, adversaries and the other group types.
	Groups GroupsService
	// Owners lists the organizations, communities and sources that are visible to the API user.
	Owners OwnersService
	// Tags reads and writes tags, and adds them to resources and removes them.
	Tags TagsService
	// Associations links resources and lists linked resources.
	Associations AssociationsService
	// Attributes reads and writes the attributes of resources.
	Attributes AttributesService
	// FileOccurrences reads and writes the names and paths under which files were found.
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
	// Types lists the indicator, attribute and association types of the instance.
	Types TypesService
	// Bulk reads the daily report of all indicators of a community or source.
	Bulk BulkService
	// Playbooks lists, exports, imports, activates and deactivates playbooks.
	Playbooks PlaybooksService
	// DataStore sends single requests to the DataStore; DataStoreOf returns a typed store.
	DataStore DataStoreService
	// Logs sends the log of an app to the platform.
	Logs LogsService
	// Metrics reads and writes custom metrics for dashboards.
	Metrics MetricsService
	// Notifications sends messages to users of the platform.
	Notifications NotificationsService

	*core                // shared by all copies
	owner    string      // the default owner; empty means the API user's organization
	defaults CallOptions // for calls that do not set these options
	err      error       // the error of every call of an invalid copy
}

// core is the part of a client that its copies share.
type core struct {
	cfg     config
	offset  atomic.Int64 // server clock minus local clock in nanoseconds; 0 while the local clock is right
	buffers sync.Pool    // of *bytes.Buffer, for responses
	seed    maphash.Seed // for the fingerprints of pages
	types   typeTable    // the custom indicator types of the instance
}

// service is embedded in every service.
type service struct{ c *Client }

// NewClient returns a client for the instance at baseURL. It sends nothing.
//
// The base URL is the address of the API, including its path: https://app.threatconnect.com/api, or
// https://tc.example.com/api for a self-hosted instance. Surrounding white space, trailing slashes and a
// trailing /v2 are removed; nothing is added. The URL must use https unless its host is a loopback
// address or [WithPlainHTTP] is given. See [Credentials] for the kinds of credentials.
//
// Every error is a [*ValidationError] that names the argument or option and does not contain its value.
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
	cfg.proxy, cfg.tls = nil, nil // the HTTP client has them; nothing else may contain a password of the proxy
	cfg.userAgent = strings.TrimLeft(cfg.product+" threatconnect-go/"+Version, " ")

	return newClient(&core{cfg: cfg, seed: maphash.MakeSeed(), types: newTypeTable()}, cfg.owner, CallOptions{}, nil), nil
}

// newClient returns a client with all services.
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

// NewClientFromEnv returns a client that is configured by environment variables. It sends nothing.
//
//   - TC_BASE_URL is the base URL; see [NewClient]. It is required.
//   - TC_ACCESS_ID and TC_SECRET_KEY are the credentials of an API user.
//   - TC_TOKEN is an API token, as an alternative. Setting both kinds is an error, because the platform
//     would use the token even if it has expired.
//   - TC_SECRET_KEY_FILE and TC_TOKEN_FILE name files with the secret key or the token, up to 64 KiB. They
//     replace TC_SECRET_KEY and TC_TOKEN. A line break at the end is removed.
//   - TC_OWNER is the default owner. It is optional.
//
// The variables and files are read once. Options override them.
func NewClientFromEnv(options ...Option) (*Client, error) {
	base, id := os.Getenv("TC_BASE_URL"), os.Getenv("TC_ACCESS_ID")
	if base == "" {
		return nil, &ValidationError{Field: "TC_BASE_URL", Rule: "is not set", Fix: "set it to the instance's API, for example https://app.threatconnect.com/api"}
	}
	key, keyFrom, err := secret.Lookup(os.Getenv, "TC_SECRET_KEY")
	token, tokenFrom := "", ""
	if err == nil {
		token, tokenFrom, err = secret.Lookup(os.Getenv, "TC_TOKEN")
	}
	if e, ok := errors.AsType[*secret.Error](err); ok {
		return nil, &ValidationError{Field: e.Variable, Rule: e.Rule, Fix: e.Fix}
	}
	var credentials Credentials
	switch {
	case token != "" && (id != "" || key != ""):
		return nil, &ValidationError{Field: tokenFrom, Rule: "is set together with " + cmp.Or(keyFrom, "TC_ACCESS_ID"), Fix: "unset one kind of credentials"}
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

// InOwner returns a copy of the client with a different default owner, the name of an organization,
// community or source. If name is empty, the platform uses the API user's organization. The copy shares
// the connections, the clock offset and the settings of the client. InOwner is cheap and sends nothing.
// If name is invalid, every call of the copy returns a [*ValidationError].
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

// With returns a copy of the client that uses o as the default for calls that do not set these options.
// Use it to pass call options to methods without an options struct, for example Create and Add. The copy
// shares the connections, the clock offset and the settings of the client. With is cheap and sends
// nothing. If o is invalid, every call of the copy returns a [*ValidationError].
func (c *Client) With(o CallOptions) *Client {
	if err := c.usable(); err != nil {
		return newClient(nil, "", CallOptions{}, err)
	}
	return newClient(c.core, c.owner, o.over(c.defaults), o.check())
}

// with is With for a single call. The copy has no services.
func (c *Client) with(o CallOptions) *Client {
	if c == nil || c.core == nil || c.err != nil || o.isZero() {
		return c
	}
	return &Client{core: c.core, owner: c.owner, defaults: o.over(c.defaults), err: o.check()}
}

// usable returns an error if the client was not made by [NewClient] or is an invalid copy.
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

// BaseURL returns the normalized base URL, or "" for a zero Client.
func (c *Client) BaseURL() string {
	if c.usable() != nil {
		return ""
	}
	return c.cfg.base.String()
}

// Owner returns the default owner that was set by [WithOwner] or [Client.InOwner], or "" if the platform
// uses the API user's organization.
func (c *Client) Owner() string { return c.ownerOr("") }

// UserAgent returns the User-Agent header that the client sends, or "" for a zero Client.
func (c *Client) UserAgent() string {
	if c.usable() != nil {
		return ""
	}
	return c.cfg.userAgent
}

// Proxy returns the proxy through which the client would send r, or nil for none: the proxy of
// [WithProxy], of the [http.Transport] of [WithTransport] or [WithHTTPClient], or of the environment; see
// [http.ProxyFromEnvironment]. It sends nothing and uses only the URL of r.
//
// Use it to send other requests of a program through the same proxy:
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
	if err != nil { // its text can contain a password
		return nil, &ValidationError{Field: "proxy", Rule: "cannot be determined", Fix: "set HTTP_PROXY and HTTPS_PROXY, for example to http://user:password@proxy.example:3128, the password percent-encoded"}
	}
	return u, nil
}

// ownerOr returns owner, or the default owner if owner is empty.
func (c *Client) ownerOr(owner string) string {
	if owner != "" || c == nil {
		return owner
	}
	return c.owner
}

// String returns the base URL and the default owner, without credentials.
func (c *Client) String() string {
	if c.usable() != nil {
		return "threatconnect.Client(unusable)"
	}
	return fmt.Sprintf("threatconnect.Client(%s, owner %q)", c.BaseURL(), c.owner)
}

// Format implements [fmt.Formatter]. It writes the result of String for every verb, so that no verb
// reveals the credentials.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// MarshalText returns the result of String, so that a client in a JSON log reveals no credentials.
func (c *Client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// parseBaseURL normalizes a base URL, to which routes are appended: it removes trailing slashes and /v2,
// and keeps the given escapes.
func parseBaseURL(s string, plainHTTP bool) (*url.URL, error) {
	const field = "base URL"
	bad := func(rule, fix string) error { return &ValidationError{Field: field, Rule: rule, Fix: fix} }
	const example = "write it like https://app.threatconnect.com/api"
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
