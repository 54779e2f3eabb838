// Command bench compares the package with programs that do without it: the same bytes over bare net/http, the same
// JSON through encoding/json.
//
// Each side runs in a process of its own, against a server in a third process on the loopback interface. The sides
// alternate, and a ratio compares neighboring runs. Linux is required, for the memory accounting of processes.
//
//	go -C bench run .                 all rows
//	go -C bench run . -only import    rows with a matching name
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

func main() {
	var (
		rounds  = flag.Int("rounds", 5, "`number` of runs of each row")
		only    = flag.String("only", "", "run only rows with a name that matches this `expression`")
		profile = flag.String("profile", "", "write a CPU profile of every run into this `directory`")

		// The other flags are for the processes that this program starts.
		serves     = flag.Bool("serve", false, "be the server")
		name       = flag.String("task", "", "do this `task`, print its duration, and exit")
		base       = flag.String("base", "", "base `URL` for the task")
		n          = flag.Int("n", 0, "`number` of items of the task")
		page       = flag.Int("page", 0, "`items` per page")
		dir        = flag.String("dir", "", "`directory` of the ready-made files")
		cpuprofile = flag.String("cpuprofile", "", "`file` for a CPU profile of the task")
	)
	flag.Parse()
	var err error
	switch {
	case *serves:
		err = serve(*dir)
	case *name != "":
		err = work(*name, task{base: *base, n: *n, page: *page, dir: *dir}, *cpuprofile)
	default:
		err = compare(*rounds, *only, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// compare runs the rows and prints the table.
func compare(rounds int, only, profile string) error {
	match, err := regexp.Compile("(?i)" + only)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	b := &bench{self: self, profile: profile, files: map[int]string{}, runs: map[string]int{}}
	var chosen []row
	for _, r := range rows {
		if match.MatchString(r.name) {
			chosen = append(chosen, r)
		}
	}
	for _, r := range chosen {
		if strings.HasPrefix(r.bare.name, "post") && b.files[r.bare.n] == "" {
			if err := b.prepare(r.bare.n, tmp); err != nil {
				return err
			}
		}
	}
	stop, err := b.startServer("")
	if err != nil {
		return err
	}
	defer func() { _ = stop() }()
	printHead()
	for i := range chosen {
		if err := chosen[i].measure(b, rounds); err != nil {
			return err
		}
		chosen[i].print()
	}
	if match.MatchString("sorting") {
		if err := sorting(); err != nil {
			return err
		}
	}
	if match.MatchString("signing") {
		if err := signing(rounds); err != nil {
			return err
		}
	}
	if match.MatchString("polling") {
		if err := polling(); err != nil {
			return err
		}
	}
	if match.MatchString("sandbox") {
		return sandbox(rounds, tmp)
	}
	return nil
}

// polling runs the test that measures polling, and prints its rows. Virtual time needs a test.
func polling() error {
	cmd := exec.Command("go", "test", "-v", "-run", "^TestImportTimeAgainstPlatform$", ".")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	fmt.Println()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			fmt.Println(line)
		}
	}
	if err != nil {
		return fmt.Errorf("the test of polling: %w\n%s", err, out)
	}
	return nil
}
