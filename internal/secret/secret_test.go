package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// variables returns a getenv for pairs of names and values.
func variables(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestThreatSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	longest := strings.Repeat("s", maxBytes)
	for content, want := range map[string]string{
		"s3cr3t": "s3cr3t", "s3cr3t\n": "s3cr3t", "s3cr3t\r\n": "s3cr3t", " s3cr3t \n\n": " s3cr3t \n", "\ns3cr3t": "\ns3cr3t", longest: longest,
	} {
		got, from, err := Lookup(variables("KEY_FILE", file("key", content)), "KEY")
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, "KEY_FILE", from)
	}
	for _, tc := range []struct {
		env  func(string) string
		want string
	}{
		{variables("KEY", "s3cr3t", "KEY_FILE", file("both", "s3cr3t")), "KEY_FILE is set together with KEY: unset one of them"},
		{variables("KEY_FILE", file("empty", "")), "KEY_FILE names an empty file: "},
		{variables("KEY_FILE", file("line", "\r\n")), "KEY_FILE names an empty file: "},
		{variables("KEY_FILE", file("large", strings.Repeat("s3cr3t\n", maxBytes/7+1))), "KEY_FILE names a file of more than 64 KiB: "},
		{variables("KEY_FILE", dir), "KEY_FILE names a file that cannot be read ("},
		{variables("KEY_FILE", "s3cr3t"), "KEY_FILE names a file that cannot be read ("}, // the secret instead of its file
	} {
		got, from, err := Lookup(tc.env, "KEY")
		require.ErrorContains(t, err, tc.want)
		assert.NotContains(t, err.Error(), "s3cr3t")
		assert.NotContains(t, err.Error(), dir)
		assert.Empty(t, got+from)
	}
	for name, want := range map[string]string{"KEY": "v4lu3", "OTHER": ""} {
		got, from, err := Lookup(variables("KEY", "v4lu3"), name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, want != "", from == name)
	}
}
