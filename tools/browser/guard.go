package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// markup contains values with an effect if a page treats them as HTML.
var markup = struct{ mutex, tag, group, header string }{
	mutex:  `<script>alert("mutex")</script>`,
	tag:    `<svg onload=alert("tag")>`,
	group:  `"><img src=x onerror=alert("group")>`,
	header: `</td><iframe srcdoc="<script>alert('header')</script>">`,
}

// intact reports whether the page has only elements of its own.
const intact = `() => document.querySelectorAll("iframe, [onload], [onerror], img").length === 0 &&
	![...document.scripts].some(s => s.text.startsWith("alert("))`

func markupIsText(ctx context.Context, s *sandbox, t *tab) error {
	g := threatconnect.NewThreat(markup.group)
	g.XID = "markup"
	m := threatconnect.NewMutex(markup.mutex)
	m.Tags, m.GroupXIDs = []threatconnect.Tag{{Name: markup.tag}}, []string{"markup"}
	m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: markup.header, Displayed: new(true)}}
	if err := s.load(ctx, g, m); err != nil {
		return err
	}
	if _, _, err := s.request(ctx, http.MethodGet, "/api/v2/owners?x="+strings.ReplaceAll(markup.header, " ", "%20"), "", func(r *http.Request) {
		r.Header.Set("X-Probe", markup.header)
	}); err != nil {
		return err
	}
	for _, look := range []struct{ kind, text string }{{"indicators", markup.mutex}, {"groups", markup.group}} {
		if err := browse(t, look.kind, ""); err != nil {
			return err
		}
		if err := t.shows("#browse [data-record]", look.text); err != nil {
			return err
		}
		if err := t.click("#browse [data-record] button"); err != nil {
			return err
		}
		for _, text := range map[string][]string{"indicators": {markup.mutex, markup.tag, markup.header}, "groups": {markup.group, markup.mutex}}[look.kind] {
			if err := t.shows("#details", text); err != nil {
				return err
			}
		}
		if err := t.until("the markup is shown as text", intact); err != nil {
			return err
		}
		if err := t.click("#details-close"); err != nil {
			return err
		}
	}
	if err := t.click(`#requests [data-request][data-verified=false] button`); err != nil {
		return err
	}
	if err := t.shows("#details", markup.header); err != nil {
		return err
	}
	return t.until("the markup is shown as text", intact)
}

// browse fills the form of the browser for [source].
func browse(t *tab, kind, text string) error {
	for _, f := range [][2]string{{"#browse-owner", source}, {"#browse-kind", kind}, {"#browse-text", text}} {
		if err := t.fill(f[0], f[1]); err != nil {
			return err
		}
	}
	return t.click("#browse-form button")
}

// writes are requests that change something.
var writes = []struct{ method, path, body string }{
	{http.MethodPost, "/__sandbox/reset", ""},
	{http.MethodPost, "/__sandbox/faults", `{"kind":"status","status":503}`},
	{http.MethodDelete, "/__sandbox/data", ""},
	{http.MethodPut, "/__sandbox/clock", `{"offset":"1h"}`},
}

// reads are requests that change nothing.
var reads = []string{"/", "/__sandbox/data", "/__sandbox/requests", "/__sandbox/faults", "/__sandbox/events"}

func readsOnly(ctx context.Context, s *sandbox, t *tab) error {
	if err := t.until("the token is out of the address bar", `() => location.hash === "" && document.documentElement.dataset.mode === "write"`); err != nil {
		return err
	}
	if err := s.load(ctx, threatconnect.NewHost("a.malware-feed.net")); err != nil {
		return err
	}
	reader, err := t.browser.open(ctx, s.root()+"/")
	if err != nil {
		return err
	}
	err = reader.until("the page is read-only and shows the reason", `() => document.documentElement.dataset.mode === "read" && document.querySelector("#token-hint").checkVisibility()`)
	if err == nil {
		err = reader.until("it shows the data", `() => (`+size+`)() === 1`)
	}
	if err == nil {
		err = reader.until("it lets nothing be written", `() => ["#reset", "#fault-form button", "#owner-form button", "#oddities input", "#clock-offset", "#batch-duration", "#snapshot-create", "#expire-token"]
			.every(s => document.querySelector(s)?.matches(":disabled"))`)
	}
	if err := errors.Join(err, reader.close()); err != nil {
		return err
	}
	for _, w := range writes {
		for _, token := range []string{"", "wrong", s.SandboxToken + "x"} {
			status, body, err := s.request(ctx, w.method, w.path, w.body, func(r *http.Request) {
				if token != "" {
					r.Header.Set("Sandbox-Token", token)
				}
			})
			if err != nil {
				return err
			}
			if status != http.StatusForbidden && status != http.StatusUnauthorized {
				return fmt.Errorf("%s %s with the token %q was not refused: %d %s", w.method, w.path, token, status, body)
			}
		}
	}
	return t.until("nothing has changed", `() => (`+size+`)() === 1`)
}

func foreignersRefused(ctx context.Context, s *sandbox, t *tab) error {
	foreign := map[string]func(*http.Request){
		"Host":        func(r *http.Request) { r.Host = "rebound.example:" + r.URL.Port() },
		"Origin":      func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"null Origin": func(r *http.Request) { r.Header.Set("Origin", "null") },
		"site":        func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	}
	for what, change := range foreign {
		for _, w := range writes {
			if err := s.refuses(ctx, w.method, w.path, w.body, what, change); err != nil {
				return err
			}
		}
		for _, path := range reads {
			if path == "/" && what != "Host" {
				continue // a link on another page may lead to it
			}
			if err := s.refuses(ctx, http.MethodGet, path, "", what, change); err != nil {
				return err
			}
		}
	}
	// The same with the browser: a page of another origin, and one whose name was rebound to this machine.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
	}))
	defer other.Close()
	stranger, err := t.browser.open(ctx, other.URL)
	if err != nil {
		return err
	}
	defer stranger.cancel()
	for _, w := range writes {
		for _, mode := range []string{"cors", "no-cors"} {
			got, err := eval[string](stranger, `(url, method, body, mode, token) =>
				fetch(url, {method: mode === "cors" ? method : "POST", mode, body: body || undefined, headers: mode === "cors" ? {"Sandbox-Token": token} : {}})
					.then(r => r.type === "opaque" ? "" : "an answer that can be read: " + r.status, () => "")`, s.root()+w.path, w.method, w.body, mode, s.SandboxToken)
			if err != nil {
				return err
			}
			if got != "" {
				return fmt.Errorf("another origin gets %s from %s %s", got, w.method, w.path)
			}
		}
	}
	if err := stranger.navigate(strings.Replace(s.root(), "127.0.0.1", "rebound.example", 1) + "/"); err != nil {
		return err
	}
	if own, err := eval[bool](stranger, `() => document.querySelector("#requests") !== null`); err != nil || own {
		return fmt.Errorf("a name that was rebound shows the page: %v %w", own, err)
	}
	return t.until("no fault came in", `() => document.documentElement.dataset.live === "on" && document.querySelectorAll("#faults [data-fault]").length === 0`)
}

// refuses returns an error unless a request with the token is refused because of a change.
func (s *sandbox) refuses(ctx context.Context, method, path, body, what string, change func(*http.Request)) error {
	status, got, err := s.request(ctx, method, path, body, func(r *http.Request) {
		r.Header.Set("Sandbox-Token", s.SandboxToken)
		change(r)
	})
	if err == nil && status != http.StatusForbidden && status != http.StatusMisdirectedRequest {
		err = fmt.Errorf("%s %s with a foreign %s was not refused: %d %.200s", method, path, what, status, got)
	}
	return err
}
