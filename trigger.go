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

// PlaybookTrigger starts a playbook through its HTTP trigger. It is made by [NewPlaybookTrigger] and is safe for
// concurrent use.
//
// A trigger is not a part of the API: it has an address of its own and takes no signature. A
// PlaybookTrigger knows no API credentials and can send none. Whoever knows its address can start the
// playbook. Errors therefore never show the path and the query of the address; they can show its host.
type PlaybookTrigger struct {
	hidden
	send    func(context.Context, []byte) (*http.Response, error)
	call    func() *call // what errors are cleared of
	retry   RetryPolicy
	maxBody int64
}

// PlaybookTriggerOptions says how a trigger is fired. Nil and the zero value fire it without credentials of
// its own, over https only.
type PlaybookTriggerOptions struct {
	// Username and Password are those that the trigger asks for (basic authentication); both empty
	// sends none.
	Username, Password string
	// Header holds further headers. Authorization is set by Username and Password only.
	Header http.Header
	// HTTPClient is sent with: its transport, timeout and cookie jar. Its transport is held to the rules
	// of WithTransport. Nil makes one that takes the proxy from the environment.
	HTTPClient *http.Client
	// Retry says how often and how patiently to connect; see [PlaybookTrigger.Fire].
	Retry RetryPolicy
	// MaxBody is the largest answer that is read, in bytes; 0 means 1 MiB.
	MaxBody int64
	// PlainHTTP takes an http:// address of another machine, and a proxy on another machine for an
	// http:// address. Everybody on the way can then read the address, the password and the payload.
	PlainHTTP bool
}

// PlaybookTriggerResponse is what a playbook answers.
type PlaybookTriggerResponse struct {
	StatusCode int
	Header     http.Header
	Body       []byte
}

const triggerRoute = "(playbook trigger)" // what stands for the address in errors

// NewPlaybookTrigger returns the trigger at rawURL, as the playbook shows it. It sends nothing. Its errors
// never hold the path or the query of the address.
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

// call stands for the trigger in errors. The parts of the address are credentials as the password is.
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

// triggerURL checks the address of a trigger.
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

// Fire posts a payload to the playbook and returns its answer. A []byte and a [json.RawMessage] are
// sent as they are; everything else is encoded with [encoding/json]; nil sends an empty object.
//
// A playbook may act on every request, so that one is sent again only when the connection was never
// made, as often as the options' retry policy says. A redirect is not followed. An answer of 300 or
// more is returned together with an [*APIError]; an answer over the size limit is an error that
// matches [ErrResponseTooLarge]. Nothing but ctx ends the wait for a slow playbook: give it a deadline.
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

// answer reads what the playbook answered.
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
