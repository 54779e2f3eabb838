package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// keyboard walks through the page with the tab key and opens and closes details with keys.
func keyboard(ctx context.Context, s *sandbox, t *tab) error {
	if err := furnish(ctx, s, t); err != nil {
		return err
	}
	if err := t.navigate(s.root() + "/"); err != nil { // the first tab starts at the top
		return err
	}
	if err := t.until("the data is there", `() => (`+size+`)() > 0 && document.querySelector("#requests [data-request] button") !== null`); err != nil {
		return err
	}
	want := []string{
		"a.skip", "#reset", "summary", "#jobs button", "#filter-route", "#requests button", "#fault-kind", "#fault-form button",
		"#faults [data-remove]", "#oddities input", "#clock-offset", "#batch-duration", "#snapshot-create", "#browse-text",
	}
	reached := map[string]bool{}
	for range 400 {
		if err := t.press(kb.Tab); err != nil {
			return err
		}
		type focused struct {
			Match   []string `json:"match"`
			Visible bool     `json:"visible"`
			HTML    string   `json:"html"`
		}
		f, err := eval[focused](t, `want => {
			const e = document.activeElement, style = getComputedStyle(e);
			return {match: want.filter(s => e.matches(s)), html: e.outerHTML.slice(0, 200),
				visible: e === document.body || e.checkVisibility() && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none")};
		}`, want)
		if err != nil {
			return err
		}
		if !f.Visible {
			return fmt.Errorf("the focus cannot be seen on %s", f.HTML)
		}
		if len(reached) == 0 && (len(f.Match) == 0 || f.Match[0] != want[0]) {
			return fmt.Errorf("the first stop of the tab key is not the link that skips to the content: %s", f.HTML)
		}
		for _, m := range f.Match {
			reached[m] = true
		}
		if len(reached) == len(want) {
			break
		}
	}
	for _, w := range want {
		if !reached[w] {
			return fmt.Errorf("the tab key does not reach %s in 400 steps", w)
		}
	}
	if _, err := eval[bool](t, `() => { document.querySelector("#requests [data-verified=false] button").focus(); return true; }`); err != nil {
		return err
	}
	if err := t.press(kb.Enter); err != nil {
		return err
	}
	if err := t.until("Enter opens the details, and the focus is in them", `() => document.querySelector("dialog#details").open && document.querySelector("#details").contains(document.activeElement)`); err != nil {
		return err
	}
	if err := t.press(kb.Escape); err != nil {
		return err
	}
	if err := t.until("Escape closes the details, and the focus is back", `() => !document.querySelector("dialog#details").open && document.activeElement.matches("#requests [data-verified=false] button")`); err != nil {
		return err
	}
	if err := t.press("/"); err != nil {
		return err
	}
	return t.until("/ leads to the search", `() => document.activeElement.matches("#browse-text")`)
}

// narrow looks for content that is wider than a telephone, or than a screen.
func narrow(ctx context.Context, s *sandbox, t *tab) error {
	if err := furnish(ctx, s, t); err != nil {
		return err
	}
	for _, width := range []int64{1280, 390} {
		if err := t.view(width, 844, "light"); err != nil {
			return err
		}
		err := eachView(t, func(string) error {
			wide, err := eval[[]string](t, `width => {
				const root = document.querySelector("dialog[open]") ?? document.documentElement;
				if (root.scrollWidth <= root.clientWidth && document.documentElement.scrollWidth <= width) return [];
				return [...root.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > width).map(e => e.outerHTML.slice(0, 120)).slice(0, 5);
			}`, width)
			if err == nil && len(wide) > 0 {
				err = fmt.Errorf("it scrolls sideways at %d pixels because of\n        %s", width, strings.Join(wide, "\n        "))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// schemes compares the background of the page in the two color schemes.
func schemes(_ context.Context, _ *sandbox, t *tab) error {
	light := math.NaN()
	for _, scheme := range []string{"light", "dark"} {
		if err := t.view(1280, 800, scheme); err != nil {
			return err
		}
		rgb, err := eval[[]float64](t, `() => {
			const of = e => getComputedStyle(e).backgroundColor.match(/[\d.]+/g).map(Number), body = of(document.body);
			return body.length === 4 && body[3] === 0 ? of(document.documentElement) : body;
		}`)
		if err != nil {
			return err
		}
		brightness := 0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2]
		if scheme == "light" {
			light = brightness
		} else if light < 200 || brightness > 60 {
			return fmt.Errorf("the brightness of the background is %.0f in light and %.0f in dark, of 255", light, brightness)
		}
	}
	return nil
}

// reloadRestores compares the page before and after a reload.
func reloadRestores(ctx context.Context, s *sandbox, t *tab) error {
	if err := furnish(ctx, s, t); err != nil {
		return err
	}
	state := `() => JSON.stringify({
		mode: document.documentElement.dataset.mode, size: (` + size + `)(),
		jobs: [...document.querySelectorAll("#jobs [data-job]")].map(e => e.dataset.job),
		requests: [...document.querySelectorAll("#requests [data-request]")].map(e => e.dataset.request),
		faults: [...document.querySelectorAll("#faults [data-fault] [data-field=struck]")].map(e => e.textContent),
	})`
	before, err := eval[string](t, state)
	if err != nil {
		return err
	}
	if err := t.navigate(s.root() + "/"); err != nil {
		return err
	}
	if err := t.until("the page is as it was", `before => (`+state+`)() === before`, before); err != nil {
		after, _ := eval[string](t, state)
		return fmt.Errorf("%w: before\n        %s\n        after\n        %s", err, before, after)
	}
	return nil
}

// accessible runs axe-core on every view in both color schemes. It prints lesser findings.
func accessible(axe string) func(context.Context, *sandbox, *tab) error {
	return func(ctx context.Context, s *sandbox, t *tab) error {
		if err := furnish(ctx, s, t); err != nil {
			return err
		}
		var serious error
		for _, scheme := range []string{"light", "dark"} {
			if err := t.view(1280, 800, scheme); err != nil {
				return err
			}
			err := eachView(t, func(name string) error {
				found, err := t.audit(axe)
				for _, v := range found {
					where := fmt.Sprintf("%s, %s: %v", name, scheme, v)
					if v.Impact == "serious" || v.Impact == "critical" {
						serious = errors.Join(serious, errors.New(where))
					} else {
						fmt.Println("      " + where)
					}
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return serious
	}
}
