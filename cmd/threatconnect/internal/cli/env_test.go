package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFilesAndPipesAreNotTerminals(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer f.Close()
	env, stderr := newEnv(map[string]string{"COLUMNS": "80"})
	assert.Zero(t, env.Width(f))
	assert.Zero(t, env.Width(env.Stdout))
	assert.False(t, env.Color(f))
	assert.False(t, IsTerminal(env.Stdin))
	assert.False(t, IsTerminal(f))
	env.Printf("%s", string(bytes.Repeat([]byte("word "), 100)))
	assert.Equal(t, string(bytes.Repeat([]byte("word "), 100))+"\n", stderr.String(), "messages wrap on terminals only")
}

// runCommand runs a subcommand that returns err.
func runCommand(t *testing.T, ctx context.Context, err error) (code int, stderr string) {
	t.Helper()
	env, b := newEnv(nil)
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(&cobra.Command{Use: "work", RunE: func(*cobra.Command, []string) error { return err }})
	return Run(ctx, root, env, []string{"work"}), b.String()
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	for name, tc := range map[string]struct {
		ctx    context.Context
		err    error
		code   int
		stderr string
	}{
		"done":                               {t.Context(), nil, Success, ""},
		"a code":                             {t.Context(), errors.Join(ExitCode(Partial)), Partial, ""},
		"an error":                           {t.Context(), errors.New("threatconnect: no"), Failure, "threatconnect work: no\n"},
		"wrong flags":                        {t.Context(), UsageError("--n must be %d", 1), Failure, "threatconnect work: --n must be 1\nRun \"threatconnect work -h\" for the flags.\n"},
		"an interrupt":                       {interrupted, context.Cause(interrupted), Failure, "threatconnect work: stopped: interrupt signal received\n"},
		"an error that is not the interrupt": {interrupted, errors.New("no"), Failure, "threatconnect work: no\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stderr := runCommand(t, tc.ctx, tc.err)
			assert.Equal(t, tc.code, code)
			assert.Equal(t, tc.stderr, stderr)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (code int, stdout string) {
		var out bytes.Buffer
		env, _ := newEnv(nil)
		env.Stdout = &out
		root := &cobra.Command{Use: "threatconnect"}
		cmd := &cobra.Command{Use: "work [flags]", Short: "Work hard", Example: "  threatconnect work", Long: "Long text.", Args: NoArgs, RunE: func(*cobra.Command, []string) error { return errors.New("ran") }}
		root.AddCommand(cmd)
		cmd.Flags().Bool("usual", false, "a usual flag")
		cmd.Flags().Bool("rare", false, "a rare flag")
		new(Log).Register(cmd.Flags())
		MainFlags(cmd, "usual")
		assert.Panics(t, func() { MainFlags(cmd, "no-such-flag") })
		return Run(t.Context(), root, env, args), out.String()
	}
	code, short := run("work", "-h")
	assert.Equal(t, Success, code)
	assert.Equal(t, "Work hard.\n\nUsage:\n  threatconnect work [flags]\n\nExamples:\n  threatconnect work\n\nFlags:\n      --usual   a usual flag\n\n"+
		"All flags and details: threatconnect work --help\n", short)
	for _, args := range [][]string{{"work", "--help"}, {"help", "work"}} {
		code, long := run(args...)
		assert.Equal(t, Success, code)
		assert.Regexp(t, `(?s)Long text\..*Flags:.*--log-level.*--rare.*--usual.*Flags for jobs of the platform:.*--tc_log_level.*--tc_log_path`, long)
	}
	code, _ = run("work", "hard")
	assert.Equal(t, Failure, code, "arguments that are not flags")
	code, top := run("-h")
	assert.Equal(t, Success, code)
	assert.Contains(t, top, "Help of a command: threatconnect COMMAND -h")
}
