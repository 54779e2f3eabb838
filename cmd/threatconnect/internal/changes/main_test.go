package changes

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is the exit code and output of a run.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	var stdout bytes.Buffer
	code, stderr := runTo(t, &stdout, env, args...)
	return result{code, stdout.String(), stderr}
}

// runTo runs a command line that writes its output to stdout.
func runTo(t *testing.T, stdout io.Writer, env map[string]string, args ...string) (code int, stderr string) {
	t.Helper()
	var b bytes.Buffer
	e := &cli.Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: &b, Getenv: func(name string) string { return env[name] }}
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(Command(e))
	code = cli.Run(t.Context(), root, e, append([]string{"changes"}, args...))
	return code, b.String()
}

// instance is a test server on a port, with the environment to reach it.
type instance struct {
	*threatconnecttest.Server
	env    map[string]string
	client *threatconnect.Client // in the sample owner
	dir    string
	during atomic.Pointer[func()] // called once, after the next run has read the changes
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	srv := threatconnecttest.NewT(t)
	i := &instance{Server: srv, client: srv.Client().InOwner(sampleOwner), dir: t.TempDir()}
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/v2/indicators") {
			if during := i.during.Swap(nil); during != nil {
				(*during)()
			}
		}
	}))
	t.Cleanup(port.Close)
	i.env = map[string]string{
		"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey(), "TC_OWNER": sampleOwner,
	}
	return i
}

func (i *instance) path(name string) string { return filepath.Join(i.dir, name) }

// add adds an indicator that was last changed some time ago.
func (i *instance) add(t *testing.T, typ, value string, rating float64, ago time.Duration) {
	t.Helper()
	require.NoError(t, i.Seed(&threatconnecttest.IndicatorRecord{Owner: sampleOwner, Type: typ, Summary: value, Rating: &rating, DateAdded: time.Now().Add(-ago)}))
}

func (i *instance) deleteHost(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, i.client.Indicators.Hosts.Delete(t.Context(), name))
}

// changes runs the command and returns its rows as "action indicator".
func (i *instance) changes(t *testing.T, args ...string) []string {
	t.Helper()
	r := run(t, i.env, append([]string{"--format", "jsonl", "--state", i.path("state")}, args...)...)
	require.Equal(t, cli.Success, r.code, r.stderr)
	return rows(t, r.stdout)
}

func rows(t *testing.T, lines string) []string {
	t.Helper()
	all := []string{}
	for line := range strings.Lines(lines) {
		var r row
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r.Action+" "+r.Indicator)
	}
	return all
}
