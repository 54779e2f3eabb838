// Command mutate tests the tests of packages. It changes the code in one place at a time and runs the tests, one of
// which should fail. It prints each mutant that survives, and exits with status 1 if one is not listed in
// accepted.txt. Packages are named relative to the root of the repository:
//
//	go -C tools run ./mutate ./internal/wire ./internal/canon
//	go -C tools run ./mutate -n 1000 -seed 7 ./internal/wire
//
// The tests of the mutant's package run first, then those of the other named packages. The files of the repository do
// not change, but a mutant can leave failing cases of rapid in testdata/rapid. The command ulimit of a Unix shell
// limits the memory of tests.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	c := config{root: "..", accepted: filepath.Join("mutate", "accepted.txt"), out: os.Stdout}
	flag.IntVar(&c.n, "n", 300, "`number` of mutants")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().Unix()), "`seed` that chooses the mutants")
	flag.DurationVar(&c.timeout, "timeout", 20*time.Second, "`time` for the tests of a package")
	flag.IntVar(&c.parallel, "p", runtime.GOMAXPROCS(0), "`number` of mutants tested at the same time")
	flag.Parse()
	if err := c.run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

type config struct {
	root     string // folder from which packages are named
	accepted string // file of accepted survivors
	n        int
	seed     uint64
	timeout  time.Duration
	parallel int
	out      io.Writer
	tmp      string
}

// run tests a sample of the mutants of packages. Survivors are an error.
func (c *config) run(patterns []string) (err error) {
	if len(patterns) == 0 {
		return errors.New("no packages: name some from the root of the repository, such as ./internal/wire")
	}
	if c.root, err = filepath.Abs(c.root); err != nil {
		return err
	}
	if c.tmp, err = os.MkdirTemp("", "mutate-*"); err != nil {
		return err
	}
	defer os.RemoveAll(c.tmp)
	all, err := load(c.root, patterns)
	if err != nil {
		return err
	}
	candidates, err := withoutAccepted(all, c.accepted)
	if err != nil {
		return err
	}
	if r, out := c.test("", patterns); r != survived {
		return fmt.Errorf("the tests do not pass without a mutant: %s\n%s", r, out)
	}
	rand.New(rand.NewPCG(c.seed, 0)).Shuffle(len(candidates), func(i, j int) {
		candidates[i], candidates[j] = candidates[j], candidates[i]
	})
	began := time.Now()
	count := map[string]int{}
	tested := 0
	var mu sync.Mutex // of count and c.out
	var workers sync.WaitGroup
	slots := make(chan struct{}, c.parallel)
	for _, m := range candidates {
		if tested == c.n {
			break
		}
		if !m.compiles() {
			continue
		}
		tested++
		name := filepath.Join(c.tmp, fmt.Sprintf("mutant%d", tested))
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			r := c.try(&m, name, patterns)
			mu.Lock()
			defer mu.Unlock()
			if count[r]++; r == survived || r == unbuilt {
				name := strings.TrimPrefix(m.pkg.CompiledGoFiles[m.file], c.root+string(filepath.Separator))
				fmt.Fprintf(c.out, "%s:%d %s\n\t%s\n", name, m.line, r, m.key)
			}
		})
	}
	workers.Wait()
	fmt.Fprintf(c.out, "%d mutants, seed %d, %s: %d killed, %d timed out, %d survived, %d did not build; %d accepted\n", tested, c.seed,
		time.Since(began).Round(time.Second), count[killed], count[timedOut], count[survived], count[unbuilt], len(all)-len(candidates))
	if bad := count[survived] + count[unbuilt]; bad > 0 {
		return fmt.Errorf("%d of %d mutants survived: add tests, or the lines and the reasons to %s", bad, tested, c.accepted)
	}
	return nil
}

// withoutAccepted returns the mutants that are not accepted. A line of the file is empty, begins with #,
// or has the line of a mutant as the program prints it, a tab and the reason.
func withoutAccepted(all []mutant, file string) (rest []mutant, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	unused := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		key, reason, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if key == "" || key[0] == '#' {
			continue
		}
		if reason == "" {
			return nil, fmt.Errorf("%s: add a tab and a reason to this line: %s", file, key)
		}
		unused[key] = true
	}
	folders := map[string]bool{}
	for _, m := range all {
		folder, _, _ := strings.Cut(m.key, " ")
		folders[strings.TrimSuffix(folder, ":")] = true
		if _, accepted := unused[m.key]; accepted {
			unused[m.key] = false
		} else {
			rest = append(rest, m)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unused)) {
		if folder, _, _ := strings.Cut(key, " "); unused[key] && folders[strings.TrimSuffix(folder, ":")] {
			err = errors.Join(err, fmt.Errorf("%s: remove this line, which matches no mutant: %s", file, key))
		}
	}
	return rest, err
}

// Results of the tests of a mutant.
const (
	killed, timedOut  = "killed", "timed out"
	survived, unbuilt = "survived", "did not build"
)

// try tests a mutant, which the go command reads instead of the real file.
func (c *config) try(m *mutant, name string, patterns []string) string {
	file, overlay := name+".go", name+".json"
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{m.pkg.CompiledGoFiles[m.file]: file}})
	if errors.Join(err, os.WriteFile(file, []byte(m.source), 0o600), os.WriteFile(overlay, text, 0o600)) != nil {
		return unbuilt
	}
	r, _ := c.test(overlay, []string{m.pkg.PkgPath})
	if r == survived {
		r, _ = c.test(overlay, patterns)
	}
	return r
}

// test runs the tests of packages. The go command caches results, and skips tests that do not depend on the
// mutant.
func (c *config) test(overlay string, packages []string) (result, output string) {
	const limited = `ulimit -v 4194304; exec "$0" "$@"` // KiB, because a mutant may allocate without end
	args := []string{"-c", limited, "go", "test", "-vet=off", "-failfast", "-timeout", c.timeout.String(), "-overlay", overlay}
	cmd := exec.Command("sh", append(args, packages...)...)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), "TMPDIR="+c.tmp) // tests that end early leave files
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case err == nil:
		return survived, text
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		return unbuilt, text
	case strings.Contains(text, "panic: test timed out"):
		return timedOut, text
	default:
		return killed, text
	}
}
