package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// newEnv returns an environment with these variables, and the buffer of its standard error.
func newEnv(vars map[string]string) (env *Env, stderr *bytes.Buffer) {
	stderr = new(bytes.Buffer)
	return &Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr, Getenv: func(k string) string { return vars[k] }}, stderr
}

// instance returns the Instance of these variables and flags.
func instance(t *testing.T, vars map[string]string, args ...string) *Instance {
	t.Helper()
	env, _ := newEnv(vars)
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	i := new(Instance)
	i.Register(env, flags, "test")
	require.NoError(t, flags.Parse(args))
	return i
}

func TestInstanceFlagsOverrideEnvironment(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"TC_BASE_URL": "https://a.example/api", "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s"}
	for want, i := range map[Instance]*Instance{
		{BaseURL: "https://a.example/api", AccessID: "1", SecretKey: "s", From: "TC_SECRET_KEY"}: instance(t, vars),
		{BaseURL: "https://b.example/api", AccessID: "2", SecretKey: "z", From: "--api_secret_key"}: instance(t, vars,
			"--tc_api_path", "https://b.example/api", "--api_access_id=2", "--api_secret_key", "z"),
		{BaseURL: "https://c.example/api", Token: "t", From: "TC_TOKEN"}: instance(t, map[string]string{"TC_TOKEN": "t"}, "--base-url", "https://c.example/api"),
	} {
		require.NoError(t, i.Check())
		i.product, i.env = "", nil
		assert.Equal(t, want, *i)
	}
	assert.True(t, instance(t, nil).InProcess())
	assert.False(t, instance(t, vars).InProcess())
}

func TestHelpShowsNoSecret(t *testing.T) {
	t.Parallel()
	env, _ := newEnv(map[string]string{"TC_BASE_URL": "https://user:s3cr3t@a.example/api", "TC_ACCESS_ID": "s3cr3t", "TC_SECRET_KEY": "s3cr3t"})
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(Instance).Register(env, flags, "test")
	assert.NotContains(t, flags.FlagUsages(), "s3cr3t")
}

func TestIncompleteInstances(t *testing.T) {
	t.Parallel()
	for want, i := range map[string]*Instance{
		"there are credentials but no instance": {SecretKey: "s3cr3t"},
		"unset one kind of credentials":         {BaseURL: "b", Token: "s3cr3t", AccessID: "1"},
		"TC_ACCESS_ID is not set":               {BaseURL: "b", SecretKey: "s3cr3t"},
		"TC_SECRET_KEY is not set":              {BaseURL: "b", AccessID: "s3cr3t"},
	} {
		for _, err := range []error{i.Check(), second(i.Client(nil))} {
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "s3cr3t")
			require.ErrorAs(t, err, new(*usageError))
		}
	}
	env, stderr := newEnv(nil)
	_, err := (&Instance{Token: "t"}).TestServer(env, nil, nil)
	require.ErrorContains(t, err, "no instance", "credentials are never ignored")
	assert.Empty(t, stderr.String())
	assert.NoError(t, new(Instance).Check())
}

func second[T any](_ T, err error) error { return err }

func TestClient(t *testing.T) {
	t.Parallel()
	for _, vars := range []map[string]string{
		{"TC_BASE_URL": "https://a.example/api", "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s"},
		{"TC_BASE_URL": "https://a.example/api", "TC_TOKEN": "t"},
	} {
		client, err := instance(t, vars).Client(nil, threatconnect.WithOwner("Example Source"))
		require.NoError(t, err)
		assert.Equal(t, "https://a.example/api", client.BaseURL())
		assert.Equal(t, "Example Source", client.Owner())
		assert.Contains(t, client.UserAgent(), "threatconnect-test/"+threatconnect.Version)
	}
}

func TestTestServer(t *testing.T) {
	t.Parallel()
	env, stderr := newEnv(nil)
	var log bytes.Buffer
	filled := false
	client, err := instance(t, nil).TestServer(env, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		func(srv *threatconnecttest.Server) error {
			filled = true
			return srv.Seed(&threatconnecttest.Owner{Name: "Mine", Type: "Source"})
		})
	require.NoError(t, err)
	assert.True(t, filled)
	assert.Equal(t, "TC_BASE_URL is not set: using a test server in this process. Nothing leaves this machine.\n", stderr.String())
	_, err = client.InOwner("Mine").Indicators.Hosts.Get(t.Context(), "secret.example", nil)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	assert.Contains(t, log.String(), "/v2/indicators/hosts/{}")
	assert.NotContains(t, log.String(), "secret.example")

	_, err = new(Instance).TestServer(env, nil, func(*threatconnecttest.Server) error { return errors.New("no room") })
	require.EqualError(t, err, "fill the test server: no room")
}

func TestCheckOwners(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	owners, err := CheckOwners(t.Context(), srv.Client(), "Example Source", "Example Community")
	require.NoError(t, err)
	assert.Len(t, owners, 3)
	_, err = CheckOwners(t.Context(), srv.Client(), "Example Source", "Nobody's")
	require.EqualError(t, err, `the API user sees no owner "Nobody's"; it sees "Example Organization", "Example Community", "Example Source"`)

	wrong := func(credentials threatconnect.Credentials) string {
		_, err := CheckOwners(t.Context(), srv.ClientAs(credentials))
		require.Error(t, err)
		return Explain(err)
	}
	assert.Contains(t, wrong(threatconnect.HMAC(srv.AccessID(), "s3cr3t")), "check TC_ACCESS_ID and TC_SECRET_KEY")
	assert.NotContains(t, wrong(threatconnect.HMAC(srv.AccessID(), "s3cr3t")), "s3cr3t")
	assert.Contains(t, wrong(threatconnect.Token("s3cr3t")), "get a new one for TC_TOKEN")

	require.NoError(t, srv.Inject(threatconnecttest.Fault{
		Kind: threatconnecttest.FaultStatus, Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}},
		Body: `{"status":"Failure","message":"The requested resource was not found"}`,
	}))
	_, err = CheckOwners(t.Context(), srv.Client())
	require.ErrorIs(t, err, errNoOwners)
}

// CheckOwners fails within 15 seconds if the instance cannot be reached, and says what to check.
func TestCheckOwnersOfUnreachableInstance(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		want   string
	}{
		"a closed port": {
			func(*http.Request) (*http.Response, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
			},
			"refused (after 5 attempts); check the host and the port of TC_BASE_URL, and the proxy",
		},
		"a host that does not answer": {
			func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, context.Cause(req.Context())
			},
			"the instance does not answer: check the host and the port of TC_BASE_URL, and the proxy",
		},
		"a host that does not answer, with a transport that hides the cause": {
			func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			},
			"the instance does not answer: check the host and the port of TC_BASE_URL, and the proxy",
		},
		"a page without an API": {
			func(req *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusNotFound, Status: "404 Not Found", Header: http.Header{"Content-Type": {"text/html"}},
					Body: io.NopCloser(strings.NewReader("<html>")), Request: req,
				}, nil
			},
			"there is no API at the base URL: is /api missing at its end?",
		},
		"an unavailable instance": {
			func(req *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusServiceUnavailable, Status: "503 Service Unavailable", Header: http.Header{"Retry-After": {"60"}},
					Body: io.NopCloser(strings.NewReader("")), Request: req,
				}, nil
			},
			"the instance is not available at the moment (503)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, err := instance(t, map[string]string{"TC_BASE_URL": "https://a.example/api", "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s"}).
					Client(nil, threatconnect.WithTransport(transport(tc.answer)))
				require.NoError(t, err)
				start := time.Now()
				_, err = CheckOwners(t.Context(), client)
				require.Error(t, err)
				assert.LessOrEqual(t, time.Since(start), 15*time.Second)
				assert.Contains(t, Explain(err), tc.want)
			})
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The client corrects a wrong clock if responses have a Date header.
func TestCheckOwnersWithAWrongClock(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	srv.SetClockOffset(10 * time.Minute)
	_, err := CheckOwners(t.Context(), srv.Client())
	require.NoError(t, err)
	_, err = CheckOwners(t.Context(), srv.Client(threatconnect.WithTransport(transport(func(req *http.Request) (*http.Response, error) {
		resp, err := srv.RoundTrip(req)
		if err == nil {
			resp.Header.Del("Date")
		}
		return resp, err
	}))))
	require.Error(t, err)
	assert.Equal(t, "the platform refuses the time of this machine: set its clock", Explain(err))
}

// The key and the token can be in files. If a flag gives the key, the file is not read.
func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	base := map[string]string{"TC_BASE_URL": "https://a.example/api", "TC_ACCESS_ID": "1", "TC_SECRET_KEY_FILE": file("secret", "s3cr3t\n")}
	i := instance(t, base)
	require.NoError(t, i.Check())
	assert.Equal(t, "s3cr3t", i.SecretKey)
	assert.Equal(t, "TC_SECRET_KEY_FILE", i.From)
	base["TC_SECRET_KEY_FILE"] = filepath.Join(dir, "none")
	i = instance(t, base, "--api_secret_key=z")
	require.NoError(t, i.Check())
	assert.Equal(t, "z", i.SecretKey)
	assert.Equal(t, "--api_secret_key", i.From)
	err := instance(t, base).Check()
	require.ErrorContains(t, err, "TC_SECRET_KEY_FILE names a file that cannot be read")
	assert.True(t, IsUsage(err))
	env, stderr := newEnv(base)
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	i = new(Instance)
	i.Register(env, flags, "test")
	require.NoError(t, flags.Parse([]string{"--api_secret_key=s3cr3t"}))
	for range 2 {
		require.NoError(t, i.Check())
	}
	assert.Equal(t, 1, strings.Count(stderr.String(), "The secret key is on the command line, where other users of this machine can see it"))
	assert.NotContains(t, stderr.String(), "s3cr3t")
	i = instance(t, map[string]string{"TC_BASE_URL": "https://a.example/api", "TC_TOKEN_FILE": file("token", "t0k3n\n")})
	require.NoError(t, i.Check())
	assert.Equal(t, "t0k3n", i.Token)
	assert.Equal(t, "TC_TOKEN_FILE", i.From)
	require.ErrorContains(t, instance(t, map[string]string{"TC_TOKEN_FILE": file("token", "t0k3n\n")}).Check(), "credentials but no instance")
}
