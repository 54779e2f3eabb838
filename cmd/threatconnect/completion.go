package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

const completionHelp = `
The script completes commands and flags when you press Tab. To load it in every new shell:
  bash         source <(threatconnect completion bash)    in ~/.bashrc, with the
               package bash-completion
  zsh          threatconnect completion zsh > "${fpath[1]}/_threatconnect"
  fish         threatconnect completion fish | source    in config.fish
  powershell   threatconnect completion powershell | Out-String |
               Invoke-Expression    in $PROFILE`

// completionCommand returns the command completion.
func completionCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes command lines in a shell",
		Long:  completionHelp,
		Example: `  source <(threatconnect completion bash)
  threatconnect completion zsh > "${fpath[1]}/_threatconnect"`,
		ValidArgs: []string{"bash", "fish", "powershell", "zsh"},
		RunE: func(cmd *cobra.Command, args []string) error {
			write := map[string]func(io.Writer) error{
				"bash":       func(w io.Writer) error { return cmd.Root().GenBashCompletionV2(w, true) },
				"fish":       func(w io.Writer) error { return cmd.Root().GenFishCompletion(w, true) },
				"powershell": cmd.Root().GenPowerShellCompletionWithDesc,
				"zsh":        cmd.Root().GenZshCompletion,
			}
			if len(args) != 1 || write[args[0]] == nil {
				return cli.UsageError("name one shell: bash, fish, powershell or zsh")
			}
			return write[args[0]](env.Stdout)
		},
	}
}
