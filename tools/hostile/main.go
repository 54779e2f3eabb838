// Command hostile runs every method of every service of the client, and workflows of several methods, against a
// platform that changes, cuts, repeats, delays and swaps its responses. It fails if a method panics or does not return
// after its context has ended, if an error or a log contains a part of a credential, if a request goes to another
// host, if memory use is not bounded, if a goroutine leaks, or if a result contradicts itself.
//
//	go -C tools run ./hostile -for 1h
//	go -C tools run ./hostile -for 5m -only '^Batch\.' -seed 7
//
// A seed determines the behavior of the platform. Failed attempts are saved as files, which the test of this package
// repeats. Time is virtual: an hour of waiting takes no time.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	workIfTold()
	r := runner{out: os.Stdout, keep: filepath.Join("hostile", "testdata", "failures"), methods: map[string]int{}}
	flag.DurationVar(&r.plan.For, "for", 5*time.Minute, "`time` to run")
	flag.Uint64Var(&r.plan.First, "seed", rand.Uint64()>>32, "first `seed`")
	flag.StringVar(&r.plan.Only, "only", "", "`pattern` of the methods and workflows to run")
	flag.StringVar(&r.keep, "keep", r.keep, "`directory` of the attempts that failed")
	flag.IntVar(&r.workers, "p", 2, "`number` of workers")
	flag.Parse()
	if err := r.run(); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// stuck is the time limit of an attempt in real time. An attempt takes seconds, but on a busy machine a process with a
// low priority may run less than a hundredth of the time.
const stuck = 30 * time.Minute

// runner runs workers. They are processes, because a panic in a goroutine of the client, or a lack of memory, ends a
// process.
type runner struct {
	plan    plan
	workers int
	keep    string
	out     io.Writer

	mu       sync.Mutex
	methods  map[string]int
	attempts int
	errors   int // attempts in which the method returned an error
	requests int
	peak     uint64
	slowest  outcome
	failures int
}

// run makes attempts until the time is over.
func (r *runner) run() error {
	start := time.Now()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	errs := make(chan error, r.workers)
	for i := range r.workers {
		p := r.plan
		p.First, p.Step = p.First+uint64(i), uint64(r.workers)
		go func() { errs <- r.worker(p, start.Add(r.plan.For)) }()
	}
	minutes := time.NewTicker(time.Minute)
	defer minutes.Stop()
	var err error
	for left := r.workers; left > 0; {
		select {
		case e := <-errs:
			left, err = left-1, errors.Join(err, e)
		case <-minutes.C:
			fmt.Fprintf(r.out, "%v: %s\n", time.Since(start).Round(time.Second), r.progress())
		case <-stop:
			return errors.New("interrupted: " + r.progress())
		}
	}
	fmt.Fprintf(r.out, "%s, in %v from seed %d\n", r.progress(), time.Since(start).Round(time.Second), r.plan.First)
	if err == nil && r.failures > 0 {
		err = fmt.Errorf("%d attempts failed and are in %s", r.failures, r.keep)
	}
	return err
}

func (r *runner) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d attempts at %d methods and workflows, %d requests, %d errors returned, %d failures, heap of %d MiB at most, slowest %v (%s %d)",
		r.attempts, len(r.methods), r.requests, r.errors, r.failures, r.peak>>20, r.slowest.Took.Round(time.Millisecond), r.slowest.Method, r.slowest.Seed)
}

// worker runs worker processes until the time is over, and starts a new one when one has died.
func (r *runner) worker(p plan, end time.Time) error {
	for time.Now().Before(end) {
		p.For = time.Until(end)
		last, stderr, err := r.process(p)
		if err == nil {
			continue
		}
		if last == nil {
			return fmt.Errorf("%w\n%s", err, stderr)
		}
		out := outcome{attempt: *last, Problems: []string{"the process died: " + err.Error(), stderr}}
		if err := r.done(out); err != nil {
			return err
		}
		p.First = last.Seed + p.Step
	}
	return nil
}

// process runs a worker process. If it ends with an error, last is the attempt that it made.
func (r *runner) process(p plan) (last *attempt, stderr string, err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self)
	cmd.Env = append(measured(), workerPlan+"="+string(text), "GOTRACEBACK=all")
	var said bytes.Buffer
	cmd.Stderr = &said
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	timer := time.AfterFunc(stuck, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) }) // it prints its stacks
	defer timer.Stop()
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var out outcome
		if err := json.Unmarshal(lines.Bytes(), &out); err != nil {
			continue // output of package testing
		}
		timer.Reset(stuck)
		if out.Took == 0 {
			last = &out.attempt
			continue
		}
		last = nil
		if err := r.done(out); err != nil {
			_ = cmd.Process.Kill()
			return nil, "", err
		}
	}
	err = cmd.Wait()
	return last, ours(said.String()), err
}

// ours returns the parts of a crash that concern this repository.
func ours(crash string) string {
	parts := strings.Split(crash, "\n\n")
	kept := slices.DeleteFunc(parts[1:], func(part string) bool { return !strings.Contains(part, "threatconnect") })
	text := strings.Join(append(parts[:1], kept...), "\n\n")
	return text[:min(len(text), 50_000)]
}

// done counts an attempt, and keeps it if it failed.
func (r *runner) done(out outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	r.methods[out.Method]++
	r.requests += out.Requests
	r.peak = max(r.peak, out.Heap)
	if out.Failed {
		r.errors++
	}
	if out.Took > r.slowest.Took {
		r.slowest = out
	}
	if len(out.Problems) == 0 {
		return nil
	}
	r.failures++
	name := regexp.MustCompile(`\W+`).ReplaceAllString(strings.ToLower(out.Method), "_")
	path := filepath.Join(r.keep, fmt.Sprintf("%s_%d.json", name, out.Seed))
	fmt.Fprintf(r.out, "%s: %s\n", path, strings.Join(out.Problems, "\n\t"))
	b, err := json.MarshalIndent(out, "", "\t")
	if err == nil {
		err = os.MkdirAll(r.keep, 0o750)
	}
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o600)
	}
	return err
}
