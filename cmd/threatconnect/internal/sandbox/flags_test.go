package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

const oneHost = `{"owners":[{"name":"Mine"}],"indicators":[{"owner":"Example Source","type":"Host","summary":"www.example.com"}]}`

func TestJSON(t *testing.T) {
	t.Parallel()
	line, rest := start(t, "--json", "--secret-key", "sec<ret", "--token", "to:ken")
	assert.Empty(t, rest)
	var a announcement
	require.NoError(t, json.Unmarshal([]byte(line), &a), line)
	assert.Equal(t, "sec<ret", a.SecretKey)
	assert.Equal(t, "to:ken", a.Token)
	assert.Equal(t, strings.TrimSuffix(a.Base, "/api")+"/#token="+a.SandboxToken, a.Page)
	_, err := client(t, a.Base, a.AccessID, a.SecretKey).Owners.Whoami(t.Context())
	require.NoError(t, err)
}

// Each run has its own token for the control API, and the printed URL of the page contains it.
func TestSandboxToken(t *testing.T) {
	t.Parallel()
	_, one := start(t)
	_, two := start(t)
	tokens := map[string]bool{}
	for _, lines := range []string{one, two} {
		_, token, _ := strings.Cut(lines, "export TC_SANDBOX_TOKEN='")
		token, _, _ = strings.Cut(token, "'")
		assert.Len(t, token, 26)
		assert.Contains(t, lines, "/#token="+token+"\n")
		tokens[token] = true
	}
	assert.Len(t, tokens, 2)
}

func TestSeed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(file, []byte(oneHost), 0o600))
	base, rest := start(t, "--seed", file, "--access-id", "4711", "--secret-key", "sec$ret")
	assert.Contains(t, rest, `"Mine"`)
	for _, owner := range []string{"Example Source", "Mine"} {
		status, _, body := get(t, base, "/v2/indicators/bulk/json?owner="+url.QueryEscape(owner), false)
		assert.Equal(t, 200, status, body)
	}
	_, err := client(t, base, "4711", "sec$ret", threatconnect.WithOwner("Example Source")).Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
	require.NoError(t, err)

	for want, text := range map[string]string{
		`--seed: "indicator" is not a field`: `{"indicator":[]}`,
		"--seed: not JSON":                   `]`,
		"there is no owner":                  strings.Replace(oneHost, "Example", "No", 1),
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		var stderr strings.Builder
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		assert.Equal(t, 1, run(ctx, io.Discard, &stderr, "--addr", "127.0.0.1:0", "--seed", file))
		stop()
		assert.Contains(t, stderr.String(), want)
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		path string
		code int
		want string
	}{
		"nothing happened":          {[]string{"--strict"}, "/", 0, ""},
		"unknown route":             {[]string{"--strict"}, "/api/v2/onwers", 1, "--strict: request 1, GET /api/v2/onwers, has no endpoint"},
		"refused signature":         {[]string{"--strict"}, "/api/v2/owners", 1, "request 1, GET /api/v2/owners, was refused"},
		"faults are left to chance": {[]string{"--strict", "--faults", "5%"}, "/", 0, ""},
		"without the flag":          {nil, "/api/v2/onwers", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			r, w := io.Pipe()
			var stderr strings.Builder
			exit := make(chan int, 1)
			go func() {
				exit <- run(ctx, w, &stderr, append([]string{"--addr", "127.0.0.1:0"}, tc.args...)...)
				w.Close()
			}()
			base, err := bufio.NewReader(r).ReadString('\n')
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(base, "/api\n")+tc.path, nil)
			require.NoError(t, err)
			req.Close = true
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
			stop()
			assert.Equal(t, tc.code, <-exit)
			assert.Contains(t, stderr.String(), tc.want)
		})
	}
}
