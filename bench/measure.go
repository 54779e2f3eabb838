package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// used contains the resources used by one run of a process.
type used struct {
	wall, cpu time.Duration
	peak      int64 // of its memory, in bytes
}

// side is one of the two things that a row compares.
type side struct {
	name    string // of the task
	n, page int
	mode    string // prefix of the path of the API
}

// bench runs the measured processes.
type bench struct {
	self    string         // this program
	address string         // of the server
	files   map[int]string // directories of ready-made files, by the number of items in them
	profile string         // directory for CPU profiles; empty makes none
	runs    map[string]int // number of runs of each task
}

// run runs one side in a process of its own. Wall time is that of the task, without the start of the
// process; processor time and memory are those of the whole process.
func (b *bench) run(s side) (used, error) {
	args := []string{"-task", s.name, "-base", "http://" + b.address + s.mode + "/api", "-n", strconv.Itoa(s.n), "-page", strconv.Itoa(s.page), "-dir", b.files[s.n]}
	if b.profile != "" {
		b.runs[s.name]++
		args = append(args, "-cpuprofile", filepath.Join(b.profile, fmt.Sprintf("%s-%d-%d.prof", strings.ReplaceAll(s.name, " ", "-"), s.n, b.runs[s.name])))
	}
	cmd := exec.Command(b.self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return used{}, fmt.Errorf("%s: %w", s.name, err)
	}
	wall, err := time.ParseDuration(strings.TrimSpace(string(out)))
	if err != nil {
		return used{}, err
	}
	rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return used{}, errors.New("this system does not report the resources of a process")
	}
	return used{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: rusage.Maxrss << 10}, nil
}

// work does one task in this process and prints its duration.
func work(name string, t task, profile string) error {
	do, ok := tasks[name]
	if !ok {
		return fmt.Errorf("no task %q", name)
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	began := time.Now()
	if err := do(context.Background(), t); err != nil {
		return err
	}
	fmt.Println(time.Since(began))
	return nil
}

// startServer starts the server in a process of its own. It ends when stop is called, or with this
// program.
func (b *bench) startServer(keep string) (stop func() error, err error) {
	cmd := exec.Command(b.self, "-serve", "-dir", keep)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	b.address = strings.TrimSpace(line)
	return func() error {
		_ = in.Close()
		return cmd.Wait()
	}, nil
}

// prepare makes the ready-made files, which are the uploads of an import of n indicators.
func (b *bench) prepare(n int, dir string) error {
	dir = filepath.Join(dir, strconv.Itoa(n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	stop, err := b.startServer(dir)
	if err != nil {
		return err
	}
	_, err = b.run(side{name: "import", n: n})
	b.files[n] = dir
	return errors.Join(err, stop())
}
