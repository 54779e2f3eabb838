package sandbox

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestClientsCanUseTheSandboxUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- Main(ctx, []string{"-addr", "127.0.0.1:0", "-access-id", "4711", "-secret-key", "sec$ret"}, w, io.Discard)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	require.True(t, lines.Scan())
	base := lines.Text()
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/api$`, base, "the first line is the base URL and nothing else")
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), "not ThreatConnect")
	go func() {
		for lines.Scan() {
			assert.NotContains(t, lines.Text(), "sec$ret", "a key that was given is not shown")
		}
	}()

	client, err := threatconnect.NewClient(base, threatconnect.HMAC("4711", "sec$ret"), threatconnect.WithOwner("Example Source"))
	require.NoError(t, err)
	_, err = client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("www.example.com"))
	require.NoError(t, err)
	h, err := client.Indicators.Hosts.Get(ctx, "www.example.com", nil)
	require.NoError(t, err)
	assert.Equal(t, "www.example.com", h.HostName)
	wrong, err := threatconnect.NewClient(base, threatconnect.HMAC("4711", "wrong"))
	require.NoError(t, err)
	_, err = wrong.Indicators.Hosts.Get(ctx, "www.example.com", nil)
	require.ErrorIs(t, err, threatconnect.ErrSignature)

	stop()
	select {
	case code := <-exit:
		assert.Equal(t, 0, code)
	case <-time.After(10 * time.Second):
		t.Fatal("the sandbox does not stop")
	}
}

// start runs the command until the test ends and returns what it prints.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- Main(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w, io.Discard)
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		assert.Equal(t, 0, <-exit)
	})
	b := make([]byte, 4096)
	n, err := r.Read(b) // it is one write
	require.NoError(t, err)
	return string(b[:n])
}

// get sends a request that is signed by hand, as clients in other languages do it.
func get(t *testing.T, base, id, key, path string) (status int, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
	require.NoError(t, err)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, "/api"+path+":GET:"+stamp)
	req.Close = true
	req.Header.Set("Timestamp", stamp)
	req.Header.Set("Authorization", "TC "+id+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

func TestBulkReportsAreOnInEveryOwner(t *testing.T) {
	t.Parallel()
	base, _, _ := strings.Cut(start(t, "-access-id", "4711", "-secret-key", "sec$ret"), "\n")
	for name, query := range map[string]string{"no owner named": "", "Organization": "owner=Example%20Organization",
		"Community": "owner=Example%20Community", "Source": "owner=Example%20Source"} {
		t.Run(name, func(t *testing.T) {
			for _, tc := range []struct{ path, contentType, body string }{
				{"/v2/indicators/bulk?", "application/json", `"csvEnabled":true,"jsonEnabled":true`},
				{"/v2/indicators/bulk/json?runNow=true&", "application/json", `{"indicator":[`},
				{"/v2/indicators/bulk/csv?runNow=true&", "text/csv", "Type,Value,Rating,Confidence"},
			} {
				status, contentType, body := get(t, base, "4711", "sec$ret", strings.TrimRight(tc.path+query, "?&"))
				assert.Equal(t, 200, status, body)
				assert.Equal(t, tc.contentType, contentType)
				assert.Contains(t, body, tc.body)
			}
		})
	}
}

func TestTheCredentialsCanBePastedIntoAShell(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		require.Equal(t, "windows", runtime.GOOS, "every other system has a shell")
		return
	}
	srv := threatconnecttest.New()
	require.Contains(t, srv.SecretKey(), "'", "the default key tests the quotes")
	for _, tc := range []struct {
		name    string
		args    []string
		id, key string
	}{
		{"the defaults", nil, srv.AccessID(), srv.SecretKey()},
		{"an access id with every kind of quote", []string{"-access-id", "a'b\"c`d$HOME\\!'"}, "a'b\"c`d$HOME\\!'", srv.SecretKey()},
		{"a key that is given is not printed", []string{"-secret-key", "sec$ret"}, srv.AccessID(), "unset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, rest, _ := strings.Cut(start(t, tc.args...), "\n")
			_, lines, found := strings.Cut(rest, "export ")
			require.True(t, found, rest)
			assert.NotContains(t, rest, "sec$ret")
			for _, shell := range []string{"sh", "bash"} {
				if _, err := exec.LookPath(shell); err != nil {
					continue // sh is there
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

func TestTheSandboxSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for want, args := range map[string][]string{
		"address already in use": {"-addr", taken.Addr().String()},
		"not defined":            {"-bogus"},
		"is no flag":             {"extra"},
		"-access-id":             {"-access-id", "a:b"},
		"-secret-key":            {"-secret-key", " a"},
	} {
		var stdout, stderr strings.Builder
		assert.Equal(t, 1, Main(t.Context(), args, &stdout, &stderr))
		assert.Contains(t, stderr.String(), want)
		assert.Empty(t, stdout.String())
	}
	var help strings.Builder
	assert.Equal(t, 0, Main(t.Context(), []string{"-help"}, &help, io.Discard))
	assert.Contains(t, help.String(), "It is not ThreatConnect")
	assert.Equal(t, 1, Main(t.Context(), []string{"-addr", "127.0.0.1:0"}, brokenWriter{}, io.Discard))
}

func TestTheBaseURLCanBeReached(t *testing.T) {
	t.Parallel()
	for want, addr := range map[string]string{"127.0.0.1:80": "0.0.0.0:80", "[::1]:80": "[::1]:80", "192.0.2.1:80": "192.0.2.1:80"} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		assert.Equal(t, want, reachable(a))
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
