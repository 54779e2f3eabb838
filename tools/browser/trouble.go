package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// restart ends the sandbox, calls down, and starts another sandbox on the same port.
func (s *sandbox) restart(ctx context.Context, down func() error) error {
	if err := errors.Join(s.stop(), down()); err != nil {
		return err
	}
	next, err := startSandbox(ctx, s.cmd.Path, strings.TrimPrefix(s.root(), "http://"))
	if err != nil {
		return err
	}
	*s = *next
	return nil
}

// restartShows restarts the sandbox of an open page, which must report it and show the new sandbox.
func restartShows(ctx context.Context, s *sandbox, t *tab) error {
	if err := s.load(ctx, threatconnect.NewHost("a.malware-feed.net")); err != nil {
		return err
	}
	if err := browse(t, "indicators", ""); err != nil {
		return err
	}
	if err := t.shows("#browse [data-record]", "a.malware-feed.net"); err != nil {
		return err
	}
	err := s.restart(ctx, func() error { return t.shows("#live", "connection lost") })
	if err != nil {
		return err
	}
	for _, e := range [][2]string{{"#message", "started again"}, {"#browse-count", "None found"}, {"#live", "live"}} {
		if err := t.shows(e[0], e[1]); err != nil {
			return err
		}
	}
	// The token of the page was that of the other one.
	if err := t.click("#expire-token"); err != nil {
		return err
	}
	if err := t.shows("#error", "Open the URL"); err != nil {
		return err
	}
	t.forgive("ERR_", "401")
	return t.until("the page only reads", `() => document.documentElement.dataset.mode === "read"`)
}

// pauseKeeps pauses the list of requests, which must show the missed requests later.
func pauseKeeps(ctx context.Context, s *sandbox, t *tab) error {
	ask := func() error {
		_, _, err := s.request(ctx, http.MethodGet, "/api/v2/owners", "", nil)
		return err
	}
	lists := func(n int) error {
		return t.until(fmt.Sprintf("%d requests are listed", n), `n => document.querySelectorAll("#requests [data-request]").length === n`, n)
	}
	for _, step := range []func() error{
		ask, func() error { return lists(1) },
		func() error { return t.click("#pause") }, ask, func() error { return t.shows("#shown", "Paused: 1 more") }, func() error { return lists(1) },
		func() error { return t.click("#pause") }, func() error { return lists(2) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// snapshotComesBack takes a snapshot, restores and deletes it as a person does.
func snapshotComesBack(ctx context.Context, s *sandbox, t *tab) error {
	if err := s.load(ctx, threatconnect.NewHost("a.malware-feed.net")); err != nil {
		return err
	}
	if err := t.fill("#snapshot-name", "before / the test"); err != nil {
		return err
	}
	if err := t.click("#snapshot-create"); err != nil {
		return err
	}
	if err := t.shows("#snapshots", "before / the test"); err != nil {
		return err
	}
	if err := s.load(ctx, threatconnect.NewHost("b.malware-feed.net")); err != nil {
		return err
	}
	if err := t.shows("#browse", "b.malware-feed.net"); err != nil { // without a click
		return err
	}
	if err := t.click("#snapshots [data-restore]"); err != nil {
		return err
	}
	if err := t.until("the record of later is gone", `() => { const text = document.querySelector("#browse").textContent; return text.includes("a.malware") && !text.includes("b.malware"); }`); err != nil {
		return err
	}
	if err := t.click("#snapshots [data-delete]"); err != nil {
		return err
	}
	return t.until("the snapshot is gone", `() => document.querySelectorAll("#snapshots [data-snapshot]").length === 0 && !document.querySelector("#no-snapshots").hidden`)
}

// messagesShow uses controls at the end of a page that is higher than the screen, and in the details. The messages
// must be visible.
func messagesShow(ctx context.Context, s *sandbox, t *tab) error {
	if err := t.view(390, 844, "light"); err != nil {
		return err
	}
	seen := func(text string) error {
		return t.until(fmt.Sprintf("%q is in sight", text), `text => [...document.querySelectorAll("[role=status], [role=alert]")].some(e => {
			const r = e.getBoundingClientRect();
			return e.textContent.includes(text) && r.height > 0 && e.contains(document.elementFromPoint(r.x + 5, r.y + 5));
		})`, text)
	}
	if err := t.click("#expire-token"); err != nil {
		return err
	}
	if err := seen("API token is refused"); err != nil {
		return err
	}
	// No probability is no fault, and not one that always strikes.
	for _, f := range [][2]string{{"#fault-often", "rate"}, {"#fault-number", "0"}} {
		if err := t.fill(f[0], f[1]); err != nil {
			return err
		}
	}
	if err := t.click("#fault-form button"); err != nil {
		return err
	}
	if err := seen("more than 0"); err != nil {
		return err
	}
	threat, host := threatconnect.NewThreat("Threat"), threatconnect.NewHost("a.malware-feed.net")
	threat.XID, host.GroupXIDs = "threat", []string{"threat"}
	if err := s.load(ctx, threat, host); err != nil {
		return err
	}
	if err := browse(t, "indicators", ""); err != nil {
		return err
	}
	if err := t.click("#browse [data-record] button"); err != nil {
		return err
	}
	status, answer, err := s.request(ctx, http.MethodPost, "/__sandbox/delete", `{"groups":[{"xid":"threat"}]}`, func(r *http.Request) { r.Header.Set("Sandbox-Token", s.SandboxToken) })
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("delete: %d %s: %w", status, answer, err)
	}
	if err := t.click("#details-body li button"); err != nil {
		return err
	}
	if err := seen("there is no group"); err != nil {
		return err
	}
	t.forgive("404")
	return nil
}

// difference looks at a refused signature on a telephone.
func difference(ctx context.Context, s *sandbox, t *tab) error {
	if err := t.view(390, 844, "light"); err != nil {
		return err
	}
	if err := refuse(ctx, s); err != nil {
		return err
	}
	if err := openRefusal(t); err != nil {
		return err
	}
	inside := `(outer, inner) => { const o = document.querySelector(outer).getBoundingClientRect(), i = document.querySelector(inner).getBoundingClientRect(); return i.left >= o.left && i.left < o.right - 20; }`
	if err := t.until("the difference is in sight", inside, "#refusal .scroll", "#refusal mark"); err != nil {
		return err
	}
	if err := t.until("the strings are distinguished", inside, "#refusal .scroll", "#refusal .scroll .soft"); err != nil {
		return err
	}
	return t.until("the button holds its text", `() => { const b = document.querySelector("#details-close"); return b.scrollWidth <= b.clientWidth; }`)
}

// manyTabs opens more tabs than connections that a browser makes to a host. Only one is in sight.
func manyTabs(ctx context.Context, s *sandbox, t *tab) (err error) {
	conceal := `hidden => { Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true}); document.dispatchEvent(new Event("visibilitychange")); return true; }`
	ask := func() error {
		_, _, err := s.request(ctx, http.MethodGet, "/api/v2/owners", "", nil)
		return err
	}
	lists := func(n int) error {
		return t.until(fmt.Sprintf("%d requests are listed", n), `n => [...document.querySelectorAll("#requests [data-request]")].map(e => Number(e.dataset.request)).join() === [3, 2, 1].slice(3 - n).join()`, n)
	}
	if err := errors.Join(ask(), lists(1)); err != nil {
		return err
	}
	if _, err := eval[bool](t, conceal, true); err != nil {
		return err
	}
	for range 7 {
		other, err := t.browser.open(ctx, s.Page)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, other.close()) }()
		if err := other.ready(); err != nil {
			return err
		}
		if _, err := eval[bool](other, conceal, true); err != nil {
			return err
		}
	}
	if err := ask(); err != nil {
		return err
	}
	if _, err := eval[bool](t, conceal, false); err != nil {
		return err
	}
	if err := t.shows("#live", "live"); err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	return lists(3) // each once
}
