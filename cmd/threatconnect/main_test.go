package main

import (
	"bytes"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// testEnv returns an environment without variables and input.
func testEnv(stdout, stderr io.Writer) *cli.Env {
	return &cli.Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Getenv: func(string) string { return "" }}
}

// run runs the command line and returns its exit code and output.
func run(t *testing.T, info *debug.BuildInfo, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	env := testEnv(&out, &errOut)
	code = cli.Run(t.Context(), root(env, info), env, args)
	return code, out.String(), errOut.String()
}

// runIn is run with environment variables.
func runIn(t *testing.T, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	env := testEnv(&out, &errOut)
	env.Getenv = func(name string) string { return vars[name] }
	code = cli.Run(t.Context(), root(env, nil), env, args)
	return code, out.String(), errOut.String()
}

func TestVersion(t *testing.T) {
	t.Parallel()
	const sdk = "SDK v" + threatconnect.Version + "\n"
	for name, tc := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"installed": {&debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.1.0"}}, "threatconnect v0.1.0\n" + sdk + "go1.26.8\n"},
		"clone": {&debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "7ca5930"}, {Key: "vcs.modified", Value: "false"},
		}}, "threatconnect (devel)\n" + sdk + "go1.26.8\nrevision 7ca5930\n"},
		"modified clone": {&debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "7ca5930"}, {Key: "vcs.modified", Value: "true"},
		}}, "threatconnect (devel)\n" + sdk + "go1.26.8\nrevision 7ca5930 (modified)\n"},
		"no build info": {nil, "threatconnect (devel)\n" + sdk + runtime.Version() + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, tc.info, "version")
			assert.Equal(t, cli.Success, code)
			assert.Equal(t, tc.want, stdout)
			assert.Empty(t, stderr)
		})
	}
}

func TestInvalidCommandLines(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":     {[]string{"serve"}, "threatconnect: argument 1 is not a command: use alert, changes, completion, doctor, extract, feed, lookup, sandbox, version\nRun \"threatconnect -h\" for the flags.\n"},
		"unknown flag":        {[]string{"version", "--loud"}, "threatconnect version: argument 2 is not a flag of this command\nRun \"threatconnect version -h\" for the flags.\n"},
		"no shell":            {[]string{"completion"}, "threatconnect completion: name one shell: bash, fish, powershell or zsh\nRun \"threatconnect completion -h\" for the flags.\n"},
		"unknown shell":       {[]string{"completion", "tcsh"}, "threatconnect completion: name one shell: bash, fish, powershell or zsh\nRun \"threatconnect completion -h\" for the flags.\n"},
		"unexpected argument": {[]string{"version", "now"}, "threatconnect version: argument 2 is not a flag: this command takes flags only\nRun \"threatconnect version -h\" for the flags.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, tc.args...)
			assert.Equal(t, cli.Failure, code)
			assert.Empty(t, stdout)
			assert.Equal(t, tc.want, stderr)
		})
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "fish", "powershell", "zsh"} {
		code, stdout, stderr := run(t, nil, "completion", shell)
		assert.Equal(t, cli.Success, code)
		assert.Contains(t, stdout, "threatconnect")
		assert.Empty(t, stderr)
	}
	code, stdout, _ := run(t, nil, "__complete", "look")
	assert.Equal(t, cli.Success, code)
	assert.Contains(t, stdout, "lookup\tLook up")
}

// Short help has at most 25 lines and, except for version, two examples. Short and long help fit 80 columns.
func TestHelp(t *testing.T) {
	t.Parallel()
	top := root(testEnv(io.Discard, io.Discard), nil)
	for _, cmd := range append(top.Commands(), top) {
		args := strings.Fields(cmd.CommandPath())[1:]
		code, short, stderr := run(t, nil, append(args, "-h")...)
		assert.Equal(t, cli.Success, code)
		assert.Empty(t, stderr)
		assert.LessOrEqual(t, strings.Count(short, "\n"), 25, "lines of %v -h", args)
		if cmd.Name() != "version" {
			_, examples, found := strings.Cut(short, "\nExamples:\n")
			assert.True(t, found, "examples of %v", args)
			examples, _, _ = strings.Cut(examples, "\n\n")
			count := 0
			for line := range strings.Lines(examples) {
				if strings.Contains(line, "threatconnect ") {
					count++
				}
			}
			assert.Equal(t, 2, count, "examples of %v", args)
		}
		code, long, stderr := run(t, nil, append(args, "--help")...)
		assert.Equal(t, cli.Success, code)
		assert.Empty(t, stderr)
		for line := range strings.Lines(short + long) {
			assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 80, "%v: %s", args, line)
		}
	}
}
