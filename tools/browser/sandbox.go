package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/threatconnect-go/threatconnect"
)

const source = "Example Source" // an owner of every sandbox

// sandbox is a running threatconnect sandbox.
type sandbox struct {
	Base         string `json:"base"`
	AccessID     string `json:"accessId"`
	SecretKey    string `json:"secretKey"`
	SandboxToken string `json:"sandboxToken"`
	Page         string `json:"page"`

	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// startSandbox starts the command on an address and reads the line with its credentials.
func startSandbox(ctx context.Context, binary, addr string) (*sandbox, error) {
	s := &sandbox{cmd: exec.CommandContext(ctx, binary, "sandbox", "--addr", addr, "--json")}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, s)
	}
	if err == nil && (s.Base == "" || s.Page == "" || s.SandboxToken == "") {
		err = errors.New("its first line names no base, page or sandboxToken")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("threatconnect sandbox --json: %w: %s%s", err, line, s.stderr.String()), s.stop())
	}
	return s, nil
}

// stop ends the sandbox as a user does. It must exit at once and successfully, regardless of connections.
func (s *sandbox) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("threatconnect sandbox did not end well: %w\n%s", err, s.stderr.String())
	}
	return nil
}

// root returns the URL of the sandbox without a path.
func (s *sandbox) root() string { return strings.TrimSuffix(s.Base, "/api") }

// client returns a client of the sandbox that reports the first error.
func (s *sandbox) client() (*threatconnect.Client, error) {
	return threatconnect.NewClient(s.Base, threatconnect.HMAC(s.AccessID, s.SecretKey), threatconnect.WithOwner(source),
		threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
}

// load imports items into [source].
func (s *sandbox) load(ctx context.Context, items ...threatconnect.BatchItem) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	_, err = c.Batch.Import(ctx, threatconnect.BatchConfig{Owner: source, Attributes: threatconnect.WriteReplace}, func(yield func(threatconnect.BatchItem, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	})
	return err
}

// feed starts threatconnect feed with a list of n indicators: addresses, hosts, URLs and hashes in turn.
// wait returns its JSON summary.
func (s *sandbox) feed(ctx context.Context, n int, flags ...string) (wait func() (summary string, err error), err error) {
	list, err := os.CreateTemp("", "feed-*.txt")
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(list)
	for i := range n {
		_, _ = fmt.Fprintln(w, line(i)) // Flush returns the error
	}
	if err := errors.Join(w.Flush(), list.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(list.Name()))
	}
	cmd := exec.CommandContext(ctx, s.cmd.Path, append([]string{"feed", "--input", list.Name(), "--owner", source, "--json"}, flags...)...)
	cmd.Env = append(os.Environ(), "TC_BASE_URL="+s.Base, "TC_ACCESS_ID="+s.AccessID, "TC_SECRET_KEY="+s.SecretKey, "TC_TOKEN=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.Remove(list.Name()))
	}
	return func() (string, error) {
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("threatconnect feed: %w\n%s", err, stderr.String())
		}
		return stdout.String(), errors.Join(err, os.Remove(list.Name()))
	}, nil
}

// line returns the i-th line of a feed. Each is another indicator.
func line(i int) string {
	switch i % 4 {
	case 0:
		return fmt.Sprintf("45.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	case 1:
		return fmt.Sprintf("host-%d.malware-feed.net", i)
	case 2:
		return fmt.Sprintf("https://cdn-%d.malware-feed.net/payload/%d.bin", i%1000, i)
	}
	return fmt.Sprintf("%032X", 0xfeed<<32+i)
}

// request sends a plain HTTP request to the sandbox, with or without the token, and returns the status and the
// body.
func (s *sandbox) request(ctx context.Context, method, path, body string, change func(*http.Request)) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.root()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}
