package job

import (
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMessagesFitThePlatform(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "one line of text", Message(" one\nline\tof\x00  text "))
	assert.Equal(t, strings.Repeat("ä", 255), Message(strings.Repeat("ä", 255)), "characters are counted, not bytes")
	assert.Equal(t, strings.Repeat("ä", 254)+"…", Message(strings.Repeat("ä", 256)))
	assert.Empty(t, Message(""))
}

func FuzzMessage(f *testing.F) {
	f.Add("a\nb")
	f.Add(strings.Repeat("x ", 300))
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, s string) {
		m := Message(s)
		assert.True(t, utf8.ValidString(m))
		assert.LessOrEqual(t, utf8.RuneCountInString(m), 255)
		assert.NotContains(t, m, "\n")
		assert.Equal(t, m, Message(m))
	})
}

func TestTheMessageIsWrittenWhereThePlatformLooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, WriteMessage(dir, "done"))
	b, err := os.ReadFile(filepath.Join(dir, "message.tc"))
	require.NoError(t, err)
	assert.Equal(t, "done", string(b))
	require.NoError(t, WriteMessage("", "done"))
	require.Error(t, WriteMessage(filepath.Join(dir, "none"), "done"))
}

func parse(t *testing.T, env map[string]string, args ...string) Params {
	t.Helper()
	p := FromEnv(func(k string) string { return env[k] })
	fs := flag.NewFlagSet("x", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	p.Register(fs)
	require.NoError(t, fs.Parse(args))
	return p
}

func TestParametersComeFromEnvironmentAndFlags(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TC_BASE_URL": "https://a.example/api", "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s", "TC_OWNER": "A"}
	p := parse(t, env)
	assert.Equal(t, Params{BaseURL: "https://a.example/api", AccessID: "1", SecretKey: "s", Owner: "A", LogLevel: slog.LevelWarn}, p)

	p = parse(t, env, "--tc_api_path", "https://b.example/api", "-api_access_id=2", "--api_secret_key=z", "--tc_owner", "B",
		"--tc_log_level", "DEBUG", "-tc_log_path", ".", "--tc_out_path", "out")
	assert.Equal(t, Params{BaseURL: "https://b.example/api", AccessID: "2", SecretKey: "z", Owner: "B", LogLevel: slog.LevelDebug, LogPath: ".", OutPath: "out"}, p)

	for name, want := range map[string]slog.Level{"trace": slog.LevelDebug, "Info": slog.LevelInfo, "WARNING": slog.LevelWarn, "CRITICAL": slog.LevelError} {
		assert.Equal(t, want, parse(t, nil, "-log-level", name).LogLevel)
	}
	assert.Error(t, new(Params).setLevel("loud"))
}

func TestHalfAConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Params{
		"no instance":          {SecretKey: "s"},
		"one kind":             {BaseURL: "b", Token: "t", AccessID: "1"},
		"TC_ACCESS_ID is not":  {BaseURL: "b", SecretKey: "s"},
		"TC_SECRET_KEY is not": {BaseURL: "b", AccessID: "1"},
	} {
		require.ErrorContains(t, p.CheckInstance(), want)
		_, err := p.Client()
		require.ErrorContains(t, err, want)
	}
	assert.NoError(t, new(Params).CheckInstance())
	for _, p := range []Params{{BaseURL: "https://a.example/api", AccessID: "1", SecretKey: "s"}, {BaseURL: "https://a.example/api", Token: "t"}} {
		c, err := p.Client()
		require.NoError(t, err)
		assert.Equal(t, "https://a.example/api", c.BaseURL())
	}
}

func TestTheLogGoesToItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := Params{LogPath: dir, LogLevel: slog.LevelInfo}
	log, closer, err := p.Logger(io.Discard)
	require.NoError(t, err)
	log.Debug("quiet")
	log.Info("loud")
	require.NoError(t, closer.Close())
	b, err := os.ReadFile(filepath.Join(dir, "app.log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "msg=loud")
	assert.NotContains(t, string(b), "quiet")
	assert.Regexp(t, `^time=\S+Z `, string(b), "times are UTC")

	var out strings.Builder
	log, _, err = new(Params).Logger(&out)
	require.NoError(t, err)
	log.Info("here")
	assert.Contains(t, out.String(), "msg=here")
	_, _, err = (&Params{LogPath: filepath.Join(dir, "none")}).Logger(io.Discard)
	assert.Error(t, err)
}
