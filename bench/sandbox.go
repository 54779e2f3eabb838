package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readers  = 4               // clients of the sandbox that send GETs at once
	readFor  = 5 * time.Second // duration of the reads
	imported = 1_000_000       // indicators that are imported into the sandbox
)

// sandboxRun is the result of a sandbox under one load.
type sandboxRun struct {
	done  float64       // GETs, or indicators
	wall  time.Duration // of the load
	cpu   time.Duration // of the sandbox
	peak  int64         // of its memory, in bytes
	ticks int64         // events that a page got
}

// sandbox measures the command: signed GETs by clients of this package, and an import, each with and
// without a page that listens to the sandbox's events. Clients, page and sandbox share the machine.
func sandbox(rounds int, tmp string) error {
	binary := filepath.Join(tmp, "threatconnect")
	build := exec.Command("go", "build", "-C", filepath.Join("..", "cmd", "threatconnect"), "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build of the command (this program runs in its own folder, see go -C): %w", err)
	}
	fmt.Println("\n| sandbox | page | per second | CPU s of the sandbox | peak MiB of the sandbox | events to the page | target |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, load := range []struct {
		name, target string
		do           func(context.Context, task) (float64, time.Duration, error)
	}{
		{fmt.Sprintf("signed GETs of a host, %d at a time", readers), "5,000 per second", readSandbox},
		{fmt.Sprintf("import of %d indicators", imported), "", importSandbox},
	} {
		for _, page := range []bool{false, true} {
			var speed, cpu, peak, ticks []float64
			for range rounds {
				r, err := underLoad(binary, page, load.do)
				if err != nil {
					return fmt.Errorf("sandbox, %s: %w", load.name, err)
				}
				speed, cpu = append(speed, r.done/r.wall.Seconds()), append(cpu, r.cpu.Seconds())
				peak, ticks = append(peak, float64(r.peak)/(1<<20)), append(ticks, float64(r.ticks))
			}
			fmt.Printf("| %s | %s | **%s** | %s | %s | %s | %s |\n", load.name, map[bool]string{true: "connected", false: "none"}[page],
				text(speed, 0), text(cpu, 1), text(peak, 0), text(ticks, 0), load.target)
		}
	}
	return nil
}

// underLoad starts a sandbox, and a page if there is to be one, and measures the load.
func underLoad(binary string, page bool, load func(context.Context, task) (float64, time.Duration, error)) (r sandboxRun, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.Command(binary, "sandbox", "--addr", "127.0.0.1:0", "--access-id", accessID, "--secret-key", secretKey)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	base, err := bufio.NewReader(out).ReadString('\n')
	t := task{base: strings.TrimSpace(base), n: imported}
	listening := make(chan error, 1)
	var ticks atomic.Int64
	if err == nil && page {
		go func() { listening <- listen(ctx, strings.TrimSuffix(t.base, "/api")+"/__sandbox/events", &ticks) }()
	}
	if err == nil {
		r.done, r.wall, err = load(ctx, t)
		r.ticks = ticks.Load()
	}
	cancel()
	if err == nil && page {
		err = <-listening
	}
	if err := errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		return r, err
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return r, errors.New("this system does not report the resources of a process")
	}
	r.cpu, r.peak = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), used.Maxrss<<10
	return r, nil
}

// listen reads the events of a sandbox as its page does, and counts them, until ctx ends.
func listen(ctx context.Context, url string, ticks *atomic.Int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("events of the page: %s", resp.Status)
	}
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadSlice('\n')
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("events of the page: %w", err)
		case strings.HasPrefix(string(line), "data:"):
			ticks.Add(1)
		}
	}
}

// readSandbox creates hosts and gets them one after another, with several clients at once.
func readSandbox(ctx context.Context, t task) (float64, time.Duration, error) {
	t.n = 10_000
	if err := importHosts(ctx, t); err != nil {
		return 0, 0, err
	}
	c, err := t.client()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	var read atomic.Int64
	ended := make(chan error, readers)
	for range readers {
		go func() {
			for time.Since(began) < readFor {
				if _, err := c.Indicators.Hosts.Get(ctx, hostName(int(read.Add(1))%t.n), nil); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for range readers {
		err = errors.Join(err, <-ended)
	}
	return float64(read.Load()), time.Since(began), err
}

// importSandbox imports the feed of the other rows.
func importSandbox(ctx context.Context, t task) (float64, time.Duration, error) {
	began := time.Now()
	err := importFeed(ctx, t)
	return float64(t.n), time.Since(began), err
}
