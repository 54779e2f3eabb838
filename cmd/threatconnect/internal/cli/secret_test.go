package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreatSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for content, want := range map[string]string{
		"s3cr3t": "s3cr3t", "s3cr3t\n": "s3cr3t", "s3cr3t\r\n": "s3cr3t", " s3cr3t \n\n": " s3cr3t \n", "\ns3cr3t": "\ns3cr3t",
		strings.Repeat("s", maxSecret): strings.Repeat("s", maxSecret),
	} {
		env, _ := newEnv(map[string]string{"KEY_FILE": file("key", content)})
		got, err := env.Secret("KEY")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, tc := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"KEY": "s3cr3t", "KEY_FILE": file("both", "s3cr3t")}, "KEY and KEY_FILE are both set"},
		{map[string]string{"KEY_FILE": file("empty", "")}, "KEY_FILE: the file is empty"},
		{map[string]string{"KEY_FILE": file("line", "\r\n")}, "KEY_FILE: the file is empty"},
		{map[string]string{"KEY_FILE": file("large", strings.Repeat("s3cr3t\n", maxSecret/7+1))}, "KEY_FILE: the file is larger"},
		{map[string]string{"KEY_FILE": dir}, "KEY_FILE: "},
		{map[string]string{"KEY_FILE": "s3cr3t"}, "KEY_FILE: "}, // the secret in place of its file
	} {
		env, _ := newEnv(tc.vars)
		_, err := env.Secret("KEY")
		require.ErrorContains(t, err, tc.want)
		assert.True(t, IsUsage(err))
		assert.NotContains(t, err.Error(), "s3cr3t")
	}
	env, _ := newEnv(map[string]string{"KEY": "v4lu3"})
	for name, want := range map[string]string{"KEY": "v4lu3", "OTHER": ""} {
		got, err := env.Secret(name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}

	// The key and the token of an instance are such secrets. A flag wins, and then the file is not read.
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
	require.ErrorContains(t, instance(t, base).Check(), "TC_SECRET_KEY_FILE: ")
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
