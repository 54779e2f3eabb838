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
