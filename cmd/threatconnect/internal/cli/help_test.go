package cli

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
)

func TestFlagGroup(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{Use: "test", Short: "Test", Run: func(*cobra.Command, []string) {}}
	for _, name := range []string{"alpha", "beta", "gamma", "delta"} {
		cmd.Flags().Bool(name, false, "flag "+name)
	}
	FlagGroup(cmd, "Second letters", "gamma", "beta")
	FlagGroup(cmd, "First letter", "alpha")
	assert.Panics(t, func() { FlagGroup(cmd, "Nothing", "epsilon") })
	var out bytes.Buffer
	assert.Equal(t, Success, Run(t.Context(), cmd, &Env{Stdout: &out, Stderr: &out}, []string{"--help"}))
	assert.Equal(t, `Test.

Usage:
  test [flags]

Second letters:
      --gamma   flag gamma
      --beta    flag beta

First letter:
      --alpha   flag alpha

Other flags:
      --delta   flag delta
`, out.String())
}

func TestInvalidValues(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"--on=maybe":   "--on must be true or false",
		"--count=x":    "--count must be a whole number",
		"--bytes=1.5":  "--bytes must be a whole number",
		"--rating=x":   "--rating must be a number",
		"--wait=5":     "--wait must be a time with a unit, as in 90s, 5m or 1h",
		"--log-level=": "--log-level must be debug, info, warn or error",
		"--none":       "argument 1 is not a flag of this command",
	} {
		cmd := &cobra.Command{Use: "test", Run: func(*cobra.Command, []string) {}}
		cmd.Flags().Bool("on", false, "")
		cmd.Flags().Int("count", 0, "")
		cmd.Flags().Int64("bytes", 0, "")
		cmd.Flags().Float64("rating", 0, "")
		cmd.Flags().Duration("wait", 0, "")
		new(Log).Register(cmd.Flags())
		var out bytes.Buffer
		assert.Equal(t, Failure, Run(t.Context(), cmd, &Env{Stdout: &out, Stderr: &out}, []string{arg}))
		assert.Equal(t, "test: "+want+"\nRun \"test -h\" for the flags.\n", out.String())
	}
}

func TestWrapText(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `A paragraph that is written in two lines of source code is one paragraph, and
wraps at 80 columns.

Another one:
  NAME     stays
  OTHER    as it is
The end.
`, wrapText(`
A paragraph that is written in two lines of source code
is one paragraph, and wraps at 80 columns.

Another
one:
  NAME     stays
  OTHER    as it is
The end.
`))
}
