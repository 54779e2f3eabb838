package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is the time limit for an expected change of the page.
const patience = 15 * time.Second

// browser is a running Chromium.
type browser struct {
	ctx   context.Context
	close context.CancelFunc
}

// startBrowser starts Chromium, without its sandbox if the user is root, which it does not support. The name
// rebound.example resolves to this machine, as in a DNS rebinding attack.
func startBrowser(ctx context.Context, path string) (*browser, error) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.Flag("host-resolver-rules", "MAP rebound.example 127.0.0.1"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, closeAll := chromedp.NewExecAllocator(ctx, options...)
	ctx, _ = chromedp.NewContext(ctx) // closeAll cancels it
	if err := chromedp.Do(ctx); err != nil {
		closeAll()
		return nil, fmt.Errorf("chromium does not start: %w", err)
	}
	return &browser{ctx, closeAll}, nil
}

// tab is a page in the browser.
type tab struct {
	browser *browser
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	problems []string // errors on its console
}

// watch runs before the scripts of a page. It reports violations on the console, and blocks clicks on anything
// except window.aim, because the page can move between aiming and clicking.
const watch = `
for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"]) addEventListener(type, e => {
	if (!window.aim) return;
	if (!aim.contains(e.target)) { e.preventDefault(); e.stopImmediatePropagation(); }
	else if (type === "click") window.hit = true;
}, true);
for (const name of ["alert", "confirm", "prompt"]) window[name] = () => console.error(name + " was called");
addEventListener("securitypolicyviolation", e => console.error("the policy refused", e.effectiveDirective, e.blockedURI, e.sample));
window.longTasks = [];
new PerformanceObserver(list => { for (const e of list.getEntries()) longTasks.push(e.duration); }).observe({type: "longtask"});`

// open shows a URL in a new tab, 1280 by 800 pixels and light.
func (b *browser) open(ctx context.Context, url string) (*tab, error) {
	t := &tab{browser: b}
	t.ctx, t.cancel = chromedp.NewContext(b.ctx)
	stop := context.AfterFunc(ctx, t.cancel)
	context.AfterFunc(t.ctx, func() { stop() })
	if err := chromedp.Listen(t.ctx, t.listen); err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(t.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		return nil, err
	}
	if err := t.view(1280, 800, "light"); err != nil {
		return nil, err
	}
	return t, t.navigate(url)
}

// listen collects errors of the console.
func (t *tab) listen(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != "error" && e.Type != "assert" {
			return
		}
		for _, a := range e.Args {
			problem += " " + string(a.Value) + a.Description
		}
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			problem += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != "error" {
			return
		}
		problem = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = append(t.problems, strings.TrimSpace(problem))
}

// forgive drops the errors of the console that contain one of the texts.
func (t *tab) forgive(texts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = slices.DeleteFunc(t.problems, func(p string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(p, text) })
	})
}

// close closes the tab. It returns the errors of its console.
func (t *tab) close() error {
	// The events before the answer have been seen.
	_, err := eval[int](t, `() => 1`)
	t.cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.problems {
		err = errors.Join(err, fmt.Errorf("on the console: %s", p))
	}
	return err
}

// ready waits until a page of the sandbox is connected and its forms are enabled.
func (t *tab) ready() error {
	return t.until("the page is connected", `() => document.documentElement.dataset.live === "on" && document.querySelectorAll("#owners [data-owner]").length > 0 &&
		document.querySelector("#fault-kind").options.length > 0`)
}

func (t *tab) navigate(url string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, chromedp.Navigate(url))
}

// view sets the size of the viewport and the color scheme: light or dark.
func (t *tab) view(width, height int64, scheme string) error {
	if err := chromedp.Do(t.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		return err
	}
	_, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	return err
}

// eval calls a JavaScript function with arguments and returns its result, for which it waits.
func eval[T any](t *tab, function string, args ...any) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, 2*patience)
	defer cancel()
	list := make([]string, len(args))
	for i, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			var zero T
			return zero, err
		}
		list[i] = string(b)
	}
	return chromedp.Run(ctx, chromedp.Evaluate[T]("("+function+")("+strings.Join(list, ", ")+")", chromedp.EvalAwaitPromise))
}

// until waits until a JavaScript function returns true.
func (t *tab) until(what, function string, args ...any) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ok, err := eval[bool](t, function, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			shown, _ := eval[string](t, `() => JSON.stringify({focus: document.activeElement.outerHTML.slice(0, 200), details: document.querySelector("dialog[open]")?.innerText.slice(0, 500), error: document.querySelector("#error")?.textContent})`)
			return fmt.Errorf("%s: not within %v: the page has %s", what, patience, shown)
		}
	}
}

// shows waits until an element has a text in it, whatever the page aligns it with.
func (t *tab) shows(selector, text string) error {
	err := t.until(fmt.Sprintf("%s shows %q", selector, text), `(s, want) => document.querySelector(s)?.textContent.replaceAll("\u00a0", "").includes(want) ?? false`, selector, text)
	if err != nil {
		got, _ := eval[*string](t, `s => document.querySelector(s)?.textContent ?? null`, selector)
		if got == nil {
			return fmt.Errorf("%w: there is no such element", err)
		}
		return fmt.Errorf("%w: it shows %.500q", err, *got)
	}
	return nil
}

// click clicks the middle of an element with the mouse. What covers the element is an error.
func (t *tab) click(selector string) error {
	type point struct {
		X   float64 `json:"x"`
		Y   float64 `json:"y"`
		Why string  `json:"why"`
	}
	why := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		at, err := eval[point](t, `s => {
			const e = document.querySelector(s);
			if (!e) return {why: "there is no such element"};
			if (e.disabled) return {why: "it is disabled"};
			e.scrollIntoView({block: "center", behavior: "instant"});
			const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
			if (!e.contains(top)) return {why: "it is covered by " + (top?.outerHTML.slice(0, 200) ?? "nothing: it is not in the viewport")};
			window.aim = e;
			window.hit = false;
			return {x, y};
		}`, selector)
		if err != nil {
			return fmt.Errorf("click on %s: %w", selector, err)
		}
		if why = at.Why; why != "" {
			continue
		}
		if err := chromedp.Do(t.ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			return fmt.Errorf("click on %s: %w", selector, err)
		}
		hit, err := eval[bool](t, `() => { window.aim = null; return hit; }`)
		if err != nil || hit {
			return err
		}
		why = "it moves"
	}
	return fmt.Errorf("click on %s: %s", selector, why)
}

// fill enters a value into a field as typing does, or chooses it in a list.
func (t *tab) fill(selector, value string) error {
	kind, err := eval[string](t, `(s, value) => {
		const e = document.querySelector(s);
		if (!e) return "there is no such element";
		if (e.disabled) return "it is disabled";
		if (e.tagName !== "SELECT") { e.focus(); e.select(); return ""; }
		if (![...e.options].some(o => o.value === value)) return "it has only the options " + [...e.options].map(o => o.value).join(", ");
		e.value = value;
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return "select";
	}`, selector, value)
	switch {
	case err != nil:
	case kind == "":
		_, err = chromedp.Call(t.ctx, input.InsertText, input.InsertTextParams{Text: value})
	case kind != "select":
		err = errors.New(kind)
	}
	if err != nil {
		return fmt.Errorf("fill %s with %q: %w", selector, value, err)
	}
	return nil
}

// press presses a key.
func (t *tab) press(key string) error { return chromedp.Do(t.ctx, chromedp.KeyEvent(key)) }

// shoot writes a screenshot of the viewport to a file, or one of the whole page.
func (t *tab) shoot(file string, whole bool) error {
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(t.ctx, take)
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o600)
}
