// Command browser tests the page of threatconnect sandbox in a real browser: headless Chromium. It builds
// the command, starts a sandbox for each check, uses it as clients and people do, and inspects the page. Errors
// on the console and violations of the Content-Security-Policy are failures.
//
//	go -C tools run ./browser                             every check, with short imports
//	go -C tools run ./browser -only markup                checks with a matching name
//	go -C tools run ./browser -large                      imports of 134,210 and 1,000,000 indicators
//	go -C tools run ./browser -screenshots /tmp/pages     pictures of the page: wide, narrow, light, dark
//	go -C tools run ./browser -screenshot ../docs/sandbox.png
//
// It needs chromium (the Debian package) and npm, which downloads axe-core for the accessibility check; -axe
// names a file to use instead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only        *regexp.Regexp
	large       bool
	command     string // file; empty builds it
	axe         string // file; empty downloads it
	screenshots string // directory
	screenshot  string // file, for the README
}

// check is a test of the page. It gets a sandbox of its own and a tab that shows its page.
type check struct {
	name string
	run  func(ctx context.Context, s *sandbox, t *tab) error
}

func main() {
	var o options
	only := flag.String("only", "", "run the checks whose name matches this `expression`")
	flag.BoolVar(&o.large, "large", false, "import 134,210 and 1,000,000 indicators instead of 20,000 and 100,000")
	flag.StringVar(&o.command, "command", "", "`file` of the command; it is built otherwise")
	flag.StringVar(&o.axe, "axe", "", "`file` axe.js or axe.min.js; npm downloads it otherwise")
	flag.StringVar(&o.screenshots, "screenshots", "", "write screenshots into this `directory`")
	flag.StringVar(&o.screenshot, "screenshot", "", "write the screenshot of the README to this `file`, and check nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errors.New("there are no arguments, only flags")
	if flag.NArg() == 0 {
		o.only, err = regexp.Compile("(?i)" + *only)
	}
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

// run runs the checks and prints their results.
func run(ctx context.Context, o options) (err error) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return errors.New("chromium is not in PATH: install the package chromium (on Debian: apt-get install chromium)")
	}
	work, err := os.MkdirTemp("", "browser")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if o.command == "" {
		o.command = filepath.Join(work, "threatconnect")
		if out, err := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("..", "cmd", "threatconnect"), "-o", o.command, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("go build of the command (this program runs in the folder tools, see go -C): %w\n%s", err, out)
		}
	}
	b, err := startBrowser(ctx, chromium)
	if err != nil {
		return err
	}
	defer b.close()

	checks := []check{{"screenshot for the README", picture(o.screenshot)}}
	if o.screenshot == "" {
		rules, err := axeSource(ctx, o.axe, work)
		if err != nil {
			return err
		}
		checks = allChecks(o, rules)
	}
	failed, ran := 0, 0
	for _, c := range checks {
		if !o.only.MatchString(c.name) {
			continue
		}
		ran++
		began := time.Now()
		if err := runCheck(ctx, c, o.command, b); err != nil {
			failed++
			fmt.Printf("FAIL  %s: %v\n", c.name, err)
			continue
		}
		fmt.Printf("ok    %s (%.1f s)\n", c.name, time.Since(began).Seconds())
	}
	if ran == 0 {
		return fmt.Errorf("no check matches %s", o.only)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, ran)
	}
	return ctx.Err()
}

// allChecks returns the checks in the order in which they run.
func allChecks(o options, axe string) []check {
	feed, load := 20_000, 100_000
	if o.large {
		feed, load = 134_210, 1_000_000
	}
	checks := []check{
		{"a feed shows while it runs", feedShows(feed)},
		{"a fault of the form strikes", faultStrikes},
		{"a refused signature shows both strings", refusalShows},
		{"markup in values shows as text", markupIsText},
		{"without the token the page only reads", readsOnly},
		{"foreign hosts and origins are refused", foreignersRefused},
		{"the keyboard reaches everything", keyboard},
		{"390 pixels are wide enough", narrow},
		{"dark and light differ", schemes},
		{"a reload restores the page", reloadRestores},
		{"a sandbox that is started again shows", restartShows},
		{"a pause loses no request", pauseKeeps},
		{"a snapshot comes back", snapshotComesBack},
		{"messages are in sight", messagesShow},
		{"390 pixels show the difference of a signature", difference},
		{"many tabs are live", manyTabs},
		{"the page stays live during an import", staysLive(load)},
		{"axe-core finds nothing serious", accessible(axe)},
	}
	if o.screenshots != "" {
		checks = append(checks, check{"screenshots", pictures(o.screenshots)})
	}
	return checks
}

// runCheck runs a check. An error on the console of its tab fails it.
func runCheck(ctx context.Context, c check, binary string, b *browser) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	s, err := startSandbox(ctx, binary, "127.0.0.1:0")
	if err != nil {
		return err
	}
	t, err := b.open(ctx, s.Page)
	if err == nil {
		if err = t.ready(); err == nil {
			err = c.run(ctx, s, t)
		}
		err = errors.Join(err, t.close())
	}
	return errors.Join(err, s.stop())
}
