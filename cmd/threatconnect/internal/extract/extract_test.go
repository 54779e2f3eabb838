package extract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const report = `Seen on 203.0.113.42:8080 and hxxps://evil[.]example.org/login, also from 10.1.2.3 and 8.8.8.8.
CVE-2021-44228 was used again. MD5: 44d88612fea8a8f36de82e1278abb02f. Again 8.8.8.8 in AS64496,
mail from bad@mail.example.org, block 198.51.0.0/16, host cdn[.]evil[.]com.
`

func run(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = runIn(t.Context(), &cli.Env{Stdin: stdin, Stdout: &out, Stderr: &errOut, Getenv: func(string) string { return "" }}, args...)
	return code, out.String(), errOut.String()
}

func runIn(ctx context.Context, env *cli.Env, args ...string) int {
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(Command(env))
	return cli.Run(ctx, root, env, append([]string{"extract"}, args...))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestExtract(t *testing.T) {
	t.Parallel()
	list := write(t, "list.txt", "evil.com # our own\n")
	for name, tc := range map[string]struct {
		args           []string
		stdout, stderr string
	}{
		"everything once": {
			nil,
			"203.0.113.42\nhttps://evil.example.org/login\n10.1.2.3\n8.8.8.8\n44D88612FEA8A8F36DE82E1278ABB02F\nASN64496\n" +
				"bad@mail.example.org\n198.51.0.0/16\ncdn.evil.com\n",
			"9 indicators found\n1 CVE ID left out; --type cve finds them\n",
		},
		"one type": {[]string{"--type", "IP"}, "203.0.113.42\n10.1.2.3\n8.8.8.8\n", "3 indicators found\n"},
		"two types": {
			[]string{"--type", "url,cve"},
			"https://evil.example.org/login\nCVE-2021-44228\n", "2 indicators found\n",
		},
		"every occurrence": {[]string{"--type", "ip", "--all"}, "203.0.113.42\n10.1.2.3\n8.8.8.8\n8.8.8.8\n", "4 indicators found\n"},
		"defanged": {
			[]string{"--type", "url", "--type", "email", "--defang"},
			"hxxps://evil[.]example[.]org/login\nbad[@]mail[.]example[.]org\n", "2 indicators found\n",
		},
		"public": {
			[]string{"--public", "--type", "ip", "--type", "asn"},
			"8.8.8.8\n",
			"1 indicator found\n1 left out: not a public AS number (documentation, RFC 5398)\n" +
				"1 left out: not a public address (documentation, RFC 5737)\n1 left out: not a public address (private, RFC 1918)\n",
		},
		"a list": {
			[]string{"--exclude", list, "--type", "host"},
			"", "0 indicators found\n1 left out: on list " + list + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, strings.NewReader(report), tc.args...)
			assert.Equal(t, cli.Success, code)
			assert.Equal(t, tc.stdout, stdout)
			assert.Equal(t, tc.stderr, stderr)
		})
	}
}

// The values of --type are exactly the types that ioc.Extract finds.
func TestTypes(t *testing.T) {
	t.Parallel()
	found := map[ioc.Type]bool{}
	for m, err := range ioc.Extract(strings.NewReader(report)) {
		require.NoError(t, err)
		found[m.Type] = true
	}
	assert.Len(t, found, len(extracted()))
	for _, typ := range extracted() {
		assert.True(t, found[typ], typ)
		code, stdout, _ := run(t, strings.NewReader(report), "--type", string(typ))
		assert.Equal(t, cli.Success, code)
		assert.NotEmpty(t, stdout, typ)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	file := write(t, "report.txt", report)
	code, stdout, stderr := run(t, strings.NewReader("a text without any"), "--json", "--all", file, "-", file)
	assert.Equal(t, cli.Success, code, stderr)
	var all []element
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	require.Len(t, all, 20, "all occurrences, in both files")
	assert.Equal(t, element{Value: "203.0.113.42", Type: ioc.TypeAddress, File: file, Line: 1, Offset: 8, Length: 12, Port: 8080}, all[0])
	assert.Equal(t, element{Value: "https://evil.example.org/login", Type: ioc.TypeURL, File: file, Line: 1, Offset: 30, Length: 32, Defanged: true}, all[1])
	for _, e := range all {
		given := report[e.Offset : e.Offset+int64(e.Length)]
		canonical, err := ioc.Canonical(e.Type, ioc.Refang(given))
		require.NoError(t, err)
		assert.Equal(t, e.Value, canonical)
	}
	assert.Equal(t, 20+2, strings.Count(stdout, "\n"), "an element per line")

	_, stdout, _ = run(t, strings.NewReader("a text without any"), "--json")
	assert.Equal(t, "[]\n", stdout)
	_, stdout, _ = run(t, strings.NewReader("8.8.8.8"), "--json")
	assert.NotContains(t, stdout, "file", "standard input has no name")
}

func TestUnreadableInputs(t *testing.T) {
	t.Parallel()
	good := write(t, "good.txt", report)
	utf16 := write(t, "utf16.txt", "\xff\xfea\x00")
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		files  []string
		code   int
		stderr string
	}{
		"one of two files is missing":   {[]string{"no-such-file", good}, cli.Partial, "extract: no-such-file: no such file or directory"},
		"the only file is missing":      {[]string{"no-such-file"}, cli.Failure, "extract: no-such-file: no such file or directory"},
		"a folder and a text in UTF-16": {[]string{dir, utf16}, cli.Failure, "utf16.txt: text is in UTF-16; convert it to UTF-8"},
		"standard input fails midway":   {[]string{"-", good}, cli.Partial, "extract: standard input: disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdin := io.MultiReader(strings.NewReader("1.1.1.1 "), iotest.ErrReader(errors.New("disk on fire")))
			code, stdout, stderr := run(t, stdin, tc.files...)
			assert.Equal(t, tc.code, code)
			assert.Contains(t, stderr, tc.stderr)
			assert.Equal(t, slices.Contains(tc.files, good), strings.Contains(stdout, "cdn.evil.com"))
			assert.Equal(t, slices.Contains(tc.files, "-"), strings.Contains(stdout, "1.1.1.1\n"), "what was found before the error")
		})
	}
}

func TestInvalidCommandLines(t *testing.T) {
	t.Parallel()
	bad := write(t, "bad.txt", "evil.com\nnot an indicator\n")
	for name, tc := range map[string]struct {
		args   []string
		stderr string
	}{
		"a type that is not found in text": {[]string{"--type", "mutex"}, `--type must be address,`},
		"a list that is missing":           {[]string{"--exclude", "no-such-list"}, "--exclude no-such-list: no such file or directory"},
		"a list with a bad line":           {[]string{"--exclude", bad}, "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, strings.NewReader(report), tc.args...)
			assert.Equal(t, cli.Failure, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, tc.stderr)
			assert.NotContains(t, stderr, "not an indicator")
		})
	}
}

func TestCancelWhileReadingText(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	defer typed.Close()
	go func() {
		_, _ = io.WriteString(typed, "8.8.8.8")
		cancel()
	}()
	var stderr bytes.Buffer
	env := &cli.Env{Stdin: stdin, Stdout: io.Discard, Stderr: &stderr, Getenv: func(string) string { return "" }}
	assert.Equal(t, cli.Failure, runIn(ctx, env))
	assert.Equal(t, "threatconnect extract: stopped: context canceled\n", stderr.String())
}

// full is a writer to a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFullDiskEndsExtract(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--all"}, {"--all", "--json"}} {
		var stderr bytes.Buffer
		env := &cli.Env{Stdin: strings.NewReader(strings.Repeat(report, 1000)), Stdout: full{}, Stderr: &stderr, Getenv: func(string) string { return "" }}
		assert.Equal(t, cli.Failure, runIn(t.Context(), env, args...))
		assert.Equal(t, "threatconnect extract: no space left on device\n", stderr.String())
	}
}

func TestAllDoesNotTrackSeenValues(t *testing.T) {
	t.Parallel()
	c := &command{all: true, seen: map[indicator]bool{}, out: bufio.NewWriter(io.Discard)}
	require.NoError(t, c.add("", ioc.Match{Indicator: ioc.Indicator{Type: ioc.TypeHost, Value: "a.com"}}))
	assert.Empty(t, c.seen)
}
