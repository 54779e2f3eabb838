package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// run runs the command until ctx ends and returns its exit code.
func run(ctx context.Context, stdout, stderr io.Writer, args ...string) int {
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Getenv: func(string) string { return "" }}
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(Command(env))
	return cli.Run(ctx, root, env, append([]string{"sandbox"}, args...))
}

// start runs the command on a free port until the test ends and returns the base URL and the lines after it.
func start(t *testing.T, args ...string) (base, rest string) {
	t.Helper()
	base, rest, stop := startUntil(t, args...)
	t.Cleanup(stop)
	return base, rest
}

// startUntil is start for a test that stops the sandbox.
func startUntil(t *testing.T, args ...string) (base, rest string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, w, io.Discard, append([]string{"--addr", "127.0.0.1:0"}, args...)...)
		w.Close()
	}()
	b := make([]byte, 4096)
	n, err := r.Read(b) // the command writes it all at once
	require.NoError(t, err)
	base, rest, _ = strings.Cut(string(b[:n]), "\n")
	return base, rest, func() {
		cancel()
		assert.Equal(t, 0, <-exit, "stopping the sandbox is not a failure")
	}
}

// client returns a client of a sandbox that keeps no idle connections.
func client(t *testing.T, base, id, key string, options ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	c, err := threatconnect.NewClient(base, threatconnect.HMAC(id, key), append(options, threatconnect.WithTransport(tr))...)
	require.NoError(t, err)
	return c
}

func TestServe(t *testing.T) {
	t.Parallel()
	base, rest := start(t, "--access-id", "4711", "--secret-key", "sec$ret", "--read-only", "Feed")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/api$`, base)
	assert.Contains(t, rest, "not ThreatConnect")
	assert.Contains(t, rest, `"Example Source", "Feed"`)
	assert.NotContains(t, rest, "sec$ret")

	c := client(t, base, "4711", "sec$ret", threatconnect.WithOwner("Example Source"))
	_, err := c.Indicators.Hosts.Create(t.Context(), threatconnect.NewHost("www.example.com"))
	require.NoError(t, err)
	h, err := c.Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
	require.NoError(t, err)
	assert.Equal(t, "www.example.com", h.HostName)
	_, err = c.InOwner("Feed").Indicators.Hosts.Create(t.Context(), threatconnect.NewHost("www.example.com"))
	require.ErrorIs(t, err, threatconnect.ErrUnauthorized)
	_, err = client(t, base, "4711", "wrong").Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrSignature)
}

// TestFaultFlags tests the flags that simulate problems.
func TestFaultFlags(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	base, _ := start(t, "--clock-offset", "6m", "--without-batch")
	c := client(t, base, srv.AccessID(), srv.SecretKey(), threatconnect.WithoutClockCorrection())
	_, err := c.Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrClockSkew)
	c = client(t, base, srv.AccessID(), srv.SecretKey())
	_, err = c.Batch.Create(t.Context(), threatconnect.BatchJob{Owner: "Example Source", Attributes: threatconnect.WriteAppend})
	require.ErrorIs(t, err, threatconnect.ErrBatchDisabled)

	base, _ = start(t, "--faults", "100%")
	c = client(t, base, srv.AccessID(), srv.SecretKey(), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	for range 20 {
		_, err = c.Owners.Whoami(t.Context())
		require.Error(t, err)
	}
	base, _ = start(t, "--faults", "0")
	_, err = client(t, base, srv.AccessID(), srv.SecretKey()).Owners.Whoami(t.Context())
	require.NoError(t, err)
}

func TestBulkReports(t *testing.T) {
	t.Parallel()
	base, _ := start(t, "--access-id", "4711", "--secret-key", "sec$ret")
	for name, owner := range map[string]string{"no owner": "", "organization": "Example Organization", "community": "Example Community", "source": "Example Source"} {
		t.Run(name, func(t *testing.T) {
			for path, tc := range map[string]struct{ contentType, body string }{
				"":      {"application/json", `"csvEnabled":true,"jsonEnabled":true`},
				"/json": {"application/json", `{"indicator":[`},
				"/csv":  {"text/csv", "Type,Value,Rating,Confidence"},
			} {
				status, contentType, body := get(t, base, "/v2/indicators/bulk"+path+"?owner="+strings.ReplaceAll(owner, " ", "%20"), owner == "")
				assert.Equal(t, 200, status, body)
				assert.Equal(t, tc.contentType, contentType)
				assert.Contains(t, body, tc.body)
			}
		})
	}
}

// get sends a signed request without the SDK, as clients in other languages do.
func get(t *testing.T, base, target string, withoutQuery bool) (status int, contentType, body string) {
	t.Helper()
	if withoutQuery {
		target, _, _ = strings.Cut(target, "?")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+target, nil)
	require.NoError(t, err)
	now := time.Now()
	req.Close = true
	req.Header.Set("Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Authorization", "TC 4711:"+threatconnect.Sign("sec$ret", http.MethodGet, "/api"+target, now))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

// TestExportLines evaluates the lines that the command prints for shells.
func TestExportLines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		require.Equal(t, "windows", runtime.GOOS, "every other system has a shell")
		return
	}
	srv := threatconnecttest.NewT(t)
	require.Contains(t, srv.SecretKey(), "'", "the default key tests the quotes")
	for _, tc := range []struct {
		name    string
		args    []string
		id, key string
	}{
		{"defaults", nil, srv.AccessID(), srv.SecretKey()},
		{"quotes in the access id", []string{"--access-id", "a'b\"c`d$HOME\\!'"}, "a'b\"c`d$HOME\\!'", srv.SecretKey()},
		{"own key", []string{"--secret-key", "sec$ret"}, srv.AccessID(), "unset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, rest := start(t, tc.args...)
			_, lines, found := strings.Cut(rest, "export ")
			require.True(t, found, rest)
			for _, shell := range []string{"sh", "bash"} {
				if _, err := exec.LookPath(shell); err != nil {
					continue // sh was found
				}
				cmd := exec.CommandContext(t.Context(), shell, "-c", `eval "$1"; sh -c 'printf "%s\n" "$TC_BASE_URL" "$TC_ACCESS_ID" "${TC_SECRET_KEY-unset}"'`, shell, "export "+lines)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s: %s", shell, out)
				assert.Equal(t, []string{base, tc.id, tc.key, ""}, strings.Split(string(out), "\n"), shell)
			}
		})
	}
}

func TestInvalidCommandLines(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for want, args := range map[string][]string{
		"--addr: listen tcp":               {"--addr", taken.Addr().String()},
		"is not a flag of this command":    {"--bogus"},
		"this command takes flags only":    {"extra"},
		"--access-id has":                  {"--access-id", "a:b"},
		"--secret-key has":                 {"--secret-key", " a"},
		"a percentage":                     {"--faults", "150%"},
		"must be a percentage":             {"--faults", "NaN"},
		"that no owner of the sandbox has": {"--read-only", "Example Source"},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 1, run(t.Context(), &stdout, &stderr, args...), want)
		assert.Contains(t, stderr.String(), want)
		assert.Empty(t, stdout.String())
	}
	assert.Equal(t, 1, run(t.Context(), brokenWriter{}, io.Discard, "--addr", "127.0.0.1:0"))
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for want, addr := range map[string]string{"127.0.0.1:80": "0.0.0.0:80", "[::1]:80": "[::1]:80", "192.0.2.1:80": "192.0.2.1:80"} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		assert.Equal(t, want, reachable(a))
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A connection on which nothing is sent, as browsers open in advance, does not delay the end of the sandbox.
func TestShutdownWithIdleConnection(t *testing.T) {
	t.Parallel()
	base, _, stop := startUntil(t)
	root := strings.TrimSuffix(base, "/api")
	silent, err := net.Dial("tcp", strings.TrimPrefix(root, "http://"))
	require.NoError(t, err)
	defer silent.Close()
	_, err = client(t, base, "a", "b").Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrUnauthorized, "connections are accepted in order, so the silent one has been accepted")
	began := time.Now()
	stop()
	assert.Less(t, time.Since(began), 3*time.Second)
}
