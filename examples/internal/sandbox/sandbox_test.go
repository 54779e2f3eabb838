package sandbox

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
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
