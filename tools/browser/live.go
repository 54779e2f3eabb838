package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

// size is the number of indicators that the page shows for [source].
const size = `() => Number(document.querySelector('#owners tr[data-owner="Example Source"] [data-field=indicators]')?.textContent.replace(/\D/g, "") ?? -1)`

// feedShows imports a feed of n lines in jobs of two seconds each and watches jobs and sizes change.
func feedShows(n int) func(context.Context, *sandbox, *tab) error {
	return func(ctx context.Context, s *sandbox, t *tab) error {
		if err := t.fill("#batch-duration", "2s"); err != nil {
			return err
		}
		if err := t.shows("#message", "jobs take this time"); err != nil {
			return err
		}
		wait, err := s.feed(ctx, n, "--max-bytes", strconv.Itoa(n*30)) // about three jobs
		if err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() {
			_, err := wait()
			ended <- err
		}()
		var sizes []int
		states := map[string]bool{}
		for running := true; running; time.Sleep(50 * time.Millisecond) {
			select {
			case err := <-ended:
				if err != nil {
					return err
				}
				running = false
			default:
			}
			now, err := eval[int](t, size)
			if err != nil {
				return err
			}
			if !slices.Contains(sizes, now) {
				sizes = append(sizes, now)
			}
			found, err := eval[[]string](t, `() => [...document.querySelectorAll("#jobs [data-job] [data-field=status]")].map(e => e.textContent.trim())`)
			if err != nil {
				return err
			}
			for _, f := range found {
				states[f] = true
			}
		}
		if err := t.until(fmt.Sprintf("the owner has %d indicators", n), `n => (`+size+`)() === n`, n); err != nil {
			return err
		}
		if err := t.until("all jobs are completed, with all items", `n => {
			const number = e => Number(e.textContent.replace(/\D/g, "")), rows = [...document.querySelectorAll("#jobs [data-job]")];
			return rows.every(r => r.querySelector("[data-field=status]").textContent.includes("Completed")) &&
				rows.reduce((sum, r) => sum + number(r.querySelector("[data-field=ok]")), 0) === n;
		}`, n); err != nil {
			return err
		}
		delete(states, "Completed")
		if len(sizes) < 3 || len(states) == 0 {
			return fmt.Errorf("the page did not show the import while it ran: sizes %v, states of unfinished jobs %v", sizes, states)
		}
		return nil
	}
}

// addFault adds a fault with the form: every GET of the owners is answered with 503.
func addFault(t *tab) error {
	for _, f := range [][2]string{
		{"#fault-kind", "status"}, {"#fault-method", "GET"}, {"#fault-route", "/v2/owners"}, {"#fault-often", "always"}, {"#fault-status", "503"},
	} {
		if err := t.fill(f[0], f[1]); err != nil {
			return err
		}
	}
	if err := t.click("#fault-form button"); err != nil {
		return err
	}
	return t.until("the fault is in the list", `() => document.querySelectorAll("#faults [data-fault]").length === 1`)
}

// faultStrikes switches a fault on and off as a person does.
func faultStrikes(ctx context.Context, s *sandbox, t *tab) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := c.Owners.List(ctx, nil); err != nil {
			return fmt.Errorf("without a fault: %w", err)
		}
		if err := addFault(t); err != nil {
			return err
		}
		for range 3 {
			if _, err := c.Owners.List(ctx, nil); !errors.Is(err, threatconnect.ErrUnavailable) {
				return fmt.Errorf("the fault did not strike: want status 503, got %v", err)
			}
		}
		if err := t.shows("#faults [data-field=struck]", "3"); err != nil {
			return err
		}
		if err := t.until("the request is marked", `() => document.querySelectorAll('#requests [data-request][data-fault=status]').length > 0`); err != nil {
			return err
		}
		if err := t.click("#faults [data-remove]"); err != nil {
			return err
		}
		if err := t.until("the fault is gone", `() => document.querySelectorAll("#faults [data-fault]").length === 0`); err != nil {
			return err
		}
	}
	return nil
}

// refuse sends a request whose signature omits the query string, a common mistake of clients.
func refuse(ctx context.Context, s *sandbox) error {
	status, body, err := s.request(ctx, http.MethodGet, "/api/v2/indicators/hosts/a.malware-feed.net?owner=Example%20Source", "", func(r *http.Request) {
		now := time.Now()
		r.Header.Set("Timestamp", strconv.FormatInt(now.Unix(), 10))
		r.Header.Set("Authorization", "TC "+s.AccessID+":"+threatconnect.Sign(s.SecretKey, http.MethodGet, r.URL.EscapedPath(), now))
	})
	if err == nil && status != http.StatusUnauthorized {
		err = fmt.Errorf("a wrong signature was not refused: %d %s", status, body)
	}
	return err
}

// openRefusal opens the details of a request that was refused.
func openRefusal(t *tab) error {
	if err := t.until("the request is marked as unverified", `() => document.querySelector('#requests [data-request][data-verified=false]')?.dataset.status === "401"`); err != nil {
		return err
	}
	if err := t.click(`#requests [data-request][data-verified=false] button`); err != nil {
		return err
	}
	return t.until("the details open", `() => document.querySelector("dialog#details").open`)
}

func refusalShows(ctx context.Context, s *sandbox, t *tab) error {
	if err := refuse(ctx, s); err != nil {
		return err
	}
	if err := openRefusal(t); err != nil {
		return err
	}
	path := "/api/v2/indicators/hosts/a.malware-feed.net"
	if err := t.shows("#refusal [data-field=expected]", path+"?owner=Example%20Source:GET:"); err != nil {
		return err
	}
	if err := t.shows("#refusal [data-field=signed]", path+":GET:"); err != nil {
		return err
	}
	return t.shows("#refusal [data-field=mistake]", "query")
}

// staysLive imports n indicators from this program while the page is open, and measures how often the
// page is updated and how long its scripts keep it busy.
func staysLive(n int) func(context.Context, *sandbox, *tab) error {
	return func(ctx context.Context, s *sandbox, t *tab) error {
		if _, err := eval[bool](t, `() => {
			window.gaps = [];
			let last = performance.now();
			new MutationObserver(() => { const now = performance.now(); gaps.push(now - last); last = now; })
				.observe(document.documentElement, {attributeFilter: ["data-ticks"]});
			longTasks.length = 0;
			return true;
		}`); err != nil {
			return err
		}
		wait, err := s.feed(ctx, n)
		if err != nil {
			return err
		}
		began := time.Now()
		out, err := wait()
		if err != nil {
			return err
		}
		took := time.Since(began)
		if !strings.Contains(out, strconv.Itoa(n)) {
			return fmt.Errorf("the import is incomplete: %s", out)
		}
		if err := t.until(fmt.Sprintf("the owner has %d indicators", n), `n => (`+size+`)() === n`, n); err != nil {
			return err
		}
		type measured struct {
			Gaps []float64 `json:"gaps"`
			Long []float64 `json:"long"`
		}
		m, err := eval[measured](t, `() => ({gaps, long: longTasks})`)
		if err != nil {
			return err
		}
		if len(m.Gaps) == 0 {
			return fmt.Errorf("the page was not updated in %v", took)
		}
		busy := 0.0
		for _, l := range m.Long {
			busy += l
		}
		fmt.Printf("      %d indicators in %.1f s: %d updates, at most %.0f ms apart; %d long tasks, %.0f ms in all, at most %.0f ms\n",
			n, took.Seconds(), len(m.Gaps), slices.Max(m.Gaps), len(m.Long), busy, slices.Max(append(m.Long, 0)))
		if gap := slices.Max(m.Gaps); gap >= 2000 {
			return fmt.Errorf("the page stood still for %.0f ms", gap)
		}
		if long := slices.Max(append(m.Long, 0)); long >= 500 {
			return fmt.Errorf("a script kept the page busy for %.0f ms", long)
		}
		return nil
	}
}
