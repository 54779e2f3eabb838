package command

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// newEnv returns an environment and what is written to its two outputs.
func newEnv(vars map[string]string, args ...string) (e *Env, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &Env{args, strings.NewReader(""), stdout, stderr, func(k string) string { return vars[k] }}, stdout, stderr
}

func TestFlagsStandAnywhere(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		rest []string
		flag string
	}{
		{"a b", []string{"a", "b"}, ""},
		{"-f x a b", []string{"a", "b"}, "x"},
		{"a -f x b", []string{"a", "b"}, "x"},
		{"a b --f=x", []string{"a", "b"}, "x"},
		{"a -- -f x", []string{"a", "-f", "x"}, ""},
		{"-f x -- -f", []string{"-f"}, "x"},
		{"- -f x", []string{"-"}, "x"},
		{"", nil, ""},
	} {
		t.Run(tc.args, func(t *testing.T) {
			t.Parallel()
			e, _, _ := newEnv(nil, strings.Fields(tc.args)...)
			fs := flag.NewFlagSet("x", flag.ContinueOnError)
			f := fs.String("f", "", "")
			rest, err := e.Parse(fs, "")
			require.NoError(t, err)
			assert.Equal(t, tc.rest, rest)
			assert.Equal(t, tc.flag, *f)
		})
	}
}

func TestHelpIsNoError(t *testing.T) {
	t.Parallel()
	e, stdout, stderr := newEnv(nil, "a", "-help")
	_, err := e.Parse(flag.NewFlagSet("x", flag.ContinueOnError), "how it is used")
	assert.Equal(t, OK, e.FailUsage("x", err))
	assert.Equal(t, "how it is used", stdout.String())
	assert.Empty(t, stderr.String())

	e, _, stderr = newEnv(nil, "-no-such-flag")
	_, err = e.Parse(flag.NewFlagSet("x", flag.ContinueOnError), "how it is used")
	assert.Equal(t, Error, e.FailUsage("x", err))
	assert.Equal(t, "x: flag provided but not defined: -no-such-flag\nRun x -help to see how it is used.\n", stderr.String())
}

func TestAFileIsNoTerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer f.Close()
	e, _, _ := newEnv(map[string]string{"COLUMNS": "80"})
	assert.Zero(t, e.Width(f))
	assert.Zero(t, e.Width(e.Stdout))
	assert.False(t, e.StdinIsTerminal())
	e.Stdin = f
	assert.False(t, e.StdinIsTerminal())
}

func TestTheBaseURLOnTheCommandLineWins(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"TC_BASE_URL": "https://env.example.com/api", "TC_TOKEN": "t0k3n"}
	for want, args := range map[string][]string{
		"https://env.example.com/api": nil,
		"https://arg.example.com/api": {"-base-url", "https://arg.example.com/api/"},
	} {
		e, _, stderr := newEnv(vars, args...)
		var i Instance
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		i.Register(e, fs)
		_, err := e.Parse(fs, "")
		require.NoError(t, err)
		assert.False(t, i.InProcess())
		client, err := i.Client(e, "x")
		require.NoError(t, err)
		assert.Equal(t, want, client.BaseURL())
		assert.Contains(t, client.UserAgent(), "threatconnect-go-x/")
		assert.Empty(t, stderr.String())
	}
}

func TestTheTestServerAnnouncesItself(t *testing.T) {
	t.Parallel()
	e, _, stderr := newEnv(nil)
	i := Instance{Verbose: true}
	filled := false
	client, srv, err := i.Demo(e, "x", func(*threatconnecttest.Server) error { filled = true; return nil })
	require.NoError(t, err)
	assert.True(t, filled)
	assert.Contains(t, stderr.String(), "x: TC_BASE_URL is not set: this is a test server in the process")
	_, err = client.Indicators.Hosts.Get(t.Context(), "secret.example", nil)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	assert.Len(t, srv.Requests(), 1)
	assert.Contains(t, stderr.String(), "/v2/indicators/hosts/{}")
	assert.NotContains(t, stderr.String(), "secret.example")

	_, _, err = i.Demo(e, "x", func(*threatconnecttest.Server) error { return errors.New("no room") })
	require.EqualError(t, err, "fill the test server: no room")
}

func TestTextsAreAFlagThatMayBeRepeated(t *testing.T) {
	t.Parallel()
	var v Texts
	require.NoError(t, v.Set(" a "))
	require.NoError(t, v.Set("b"))
	require.Error(t, v.Set(" "))
	assert.Equal(t, "a, b", v.String())
}
