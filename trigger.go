package threatconnect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
)

// PlaybookTrigger starts a playbook through its HTTP trigger. Create one with [NewPlaybookTrigger]. It is safe for
// concurrent use.
//
// A trigger is not part of the API: it has its own URL, and requests have no signature. A PlaybookTrigger has no API
// credentials and never sends any. Anyone who knows the URL can start the playbook, so errors never contain its path or
// query; they can contain its host.
type PlaybookTrigger struct {
	hidden
	send    func(context.Context, []byte) (*http.Response, error)
	call    func() *call // has the secrets to remove from errors
	retry   RetryPolicy
	maxBody int64
}

// PlaybookTriggerOptions configures a [PlaybookTrigger]. Nil and the zero value send no credentials and require https.
type PlaybookTriggerOptions struct {
	// Username and Password are the credentials for basic authentication. If both are empty, none are sent.
	Username, Password string
	// Header has additional headers. Authorization is an error: set Username and Password instead.
	Header http.Header
	// HTTPClient sends the requests, with its transport, timeout and cookie jar. The rules of WithTransport apply to
	// its transport. Nil means a client that uses the proxy of the environment.
	HTTPClient *http.Client
	// Retry is the policy for failed connections; see PlaybookTrigger.Fire.
	Retry RetryPolicy
	// MaxBody is the maximum size of a response in bytes; 0 means 1 MiB.
	MaxBody int64
	// PlainHTTP allows an http:// URL of another machine, and a proxy on another machine for an http:// URL. Everyone
	// on the network path can then read the URL, the password and the payload.
	PlainHTTP bool
}

// PlaybookTriggerResponse is the response of a playbook.
type PlaybookTriggerResponse struct {
	StatusCode int
	Header     http.Header
	Body       []byte
}

const triggerRoute = "(playbook trigger)" // replaces the URL in errors

// NewPlaybookTrigger returns the trigger at rawURL, which the playbook shows. It sends nothing. Its errors never contain
// the path or the query of the URL.
func NewPlaybookTrigger(rawURL string, opts *PlaybookTriggerOptions) (*PlaybookTrigger, error) {
	o := copyOf(opts)
	u, err := triggerURL(rawURL, o.PlainHTTP)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	cfg := config{httpClient: o.HTTPClient, base: u, plainHTTP: o.PlainHTTP}
	client, err := cfg.buildHTTPClient()
	if err != nil {
		return nil, err
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for name, v := range map[string]string{"Content-Type": jsonType, "Accept": "*/*", "User-Agent": "threatconnect-go/" + Version} {
		if header.Get(name) == "" {
			header.Set(name, v)
		}
	}
	t := &PlaybookTrigger{retry: o.Retry.withDefaults(), maxBody: o.MaxBody, call: func() *call { return o.call(u) }}
	if t.maxBody == 0 {
		t.maxBody = 1 << 20
	}
	t.send = func(ctx context.Context, body []byte) (*http.Response, error) {
		req, err := http.NewRequestWithContext(context.WithValue(ctx, routeKey{}, t.call()), http.MethodPost, u.String(), bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("%w: the address cannot be used", errUnsent)
		}
		req.Header = header.Clone()
		if o.Username != "" || o.Password != "" {
			req.SetBasicAuth(o.Username, o.Password)
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, withContextErr(ctx, t.call().transportError(ctx, plainTransportError(err)))
		}
		resp.Request = req
		return resp, nil
	}
	return t, nil
}

// call returns the call that errors describe. The parts of the URL are secrets in the same way as the password.
func (o *PlaybookTriggerOptions) call(u *url.URL) *call {
	basic := base64.StdEncoding.EncodeToString([]byte(o.Username + ":" + o.Password))
	secrets := []string{o.Password, basic, o.Header.Get("Authorization")}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part != "playbook" {
			secrets = append(secrets, part)
		}
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return &call{method: http.MethodPost, route: route{template: triggerRoute}, secrets: secrets}
}

func (o *PlaybookTriggerOptions) check() error {
	switch {
	case o.MaxBody < 0:
		return &ValidationError{Field: "trigger body limit", Rule: "is negative"}
	case strings.Contains(o.Username, ":"):
		return &ValidationError{Field: "trigger user name", Rule: "holds a colon, which ends the user name in basic authentication"}
	}
	if err := checkHeader("trigger header", o.Header); err != nil {
		return err
	}
	if headerHas(o.Header, "Authorization") {
		return &ValidationError{Field: "trigger header", Rule: "has Authorization, which Username and Password set"}
	}
	return o.Retry.check()
}

// triggerURL parses and checks the URL of a trigger.
func triggerURL(s string, plainHTTP bool) (*url.URL, error) {
	bad := func(rule, fix string) error { return &ValidationError{Field: "trigger URL", Rule: rule, Fix: fix} }
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, bad("is not a URL with a host", "copy it from the playbook's HTTP trigger")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("has no https:// scheme", "copy it from the playbook's HTTP trigger")
	case u.User != nil:
		return nil, bad("holds a user name or password", "give them in the options")
	case u.Fragment != "":
		return nil, bad("holds a fragment", "end it before the #")
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		return nil, bad("is http:// to another machine, which shows it to everybody on the way", "use https://, or set PlainHTTP")
	}
	return u, nil
}

// Fire posts a payload to the playbook and returns its response. It sends a []byte or a [json.RawMessage] as it is, an
// empty object for nil, and encodes other values with [encoding/json].
//
// A playbook may act on every request, so Fire retries only if no connection was established;
// PlaybookTriggerOptions.Retry is the policy. It does not follow redirects. A response with status 300 or higher is
// returned together with an [*APIError]. If the response exceeds the size limit, the error matches
// [ErrResponseTooLarge]. Fire waits for a slow playbook until ctx ends: give ctx a deadline.
func (t *PlaybookTrigger) Fire(ctx context.Context, payload any) (*PlaybookTriggerResponse, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	body, err := triggerBody(payload)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, &RequestError{Method: http.MethodPost, Route: triggerRoute, Err: contextErr(ctx)}
	}
	for attempt := 1; ; attempt++ {
		resp, err := t.send(ctx, body)
		if err == nil {
			return t.answer(ctx, resp, attempt)
		}
		failed := &RequestError{Method: http.MethodPost, Route: triggerRoute, Attempts: attempt, Err: err, OutcomeUnknown: mayHaveReached(t.call(), nil, err)}
		if attempt >= t.retry.MaxAttempts || ctx.Err() != nil || !neverConnected(err) || permanent(err) {
			return nil, failed
		}
		if err := sleep(ctx, t.retry.backoff(attempt)); err != nil {
			return nil, &RequestError{Method: http.MethodPost, Route: triggerRoute, Attempts: attempt, Err: err, Last: failed.Err}
		}
	}
}

func triggerBody(payload any) ([]byte, error) {
	switch p := payload.(type) {
	case nil:
		return []byte("{}"), nil
	case []byte:
		return p, nil
	case json.RawMessage:
		return p, nil
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("threatconnect: the trigger's payload cannot be encoded: %w", err)
	}
	return b, nil
}

// answer reads the response of the playbook.
func (t *PlaybookTrigger) answer(ctx context.Context, resp *http.Response, attempt int) (*PlaybookTriggerResponse, error) {
	defer resp.Body.Close()
	fail := func(err error) error {
		return &RequestError{Method: http.MethodPost, Route: triggerRoute, Attempts: attempt, Err: err, OutcomeUnknown: true}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, min(t.maxBody, math.MaxInt64-1)+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fail(withContextErr(ctx, t.call().transportError(ctx, err)))
	case err != nil:
		return nil, fail(fmt.Errorf("%w: the body broke off: %w", ErrBadResponse, t.call().transportError(ctx, err)))
	case int64(len(text)) > t.maxBody:
		return nil, fail(ErrResponseTooLarge)
	}
	out := &PlaybookTriggerResponse{StatusCode: resp.StatusCode, Header: resp.Header, Body: text}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return out, nil
	}
	e := newAPIError(t.call(), resp, text)
	e.Attempts, e.Hint = attempt, ""
	switch {
	case resp.StatusCode < 400:
		e.Hint = "redirects are not followed: give the trigger the address that the playbook shows"
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		e.Hint = "does the trigger ask for a user name and password?"
	case resp.StatusCode == http.StatusNotFound:
		e.Hint = "is the playbook active, and the address still the one that it shows?"
	}
	return out, e
}
