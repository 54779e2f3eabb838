package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// errHelpShown ends a command that has printed its short help.
var errHelpShown = errors.New("help shown")

// mainFlag is the annotation of flags that the short help lists.
const mainFlag = "main"

// MainFlags marks the flags that -h lists. --help lists all of them.
func MainFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.Flags().SetAnnotation(name, mainFlag, []string{"true"}); err != nil {
			panic(err) // a flag that does not exist: a mistake in the program
		}
	}
}

// flagGroups is the annotation of a command with the groups of its flags: a line for each group, with
// its heading and the names of its flags.
const flagGroups = "flag groups"

// FlagGroup lists flags under a heading of their own in --help, in the order of names. Groups come in
// the order of the calls, and before the flags that are in none.
func FlagGroup(cmd *cobra.Command, heading string, names ...string) {
	for _, name := range names {
		if cmd.Flags().Lookup(name) == nil {
			panic("no flag --" + name) // a mistake in the program
		}
	}
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[flagGroups] += heading + "\t" + strings.Join(names, "\t") + "\n"
}

// setHelp gives a command and its subcommands two helps: -h is short, within 25 lines, and --help and the
// command help are complete.
func setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { cmd.Print(longHelp(cmd)) })
	flags := root.PersistentFlags()
	flags.Bool("help", false, "complete help")
	flags.VarPF(shortHelpFlag{}, "short-help", "h", "short help").NoOptDefVal = "true"
	_ = flags.MarkHidden("short-help") // the flag exists
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if errors.Is(err, errHelpShown) {
			cmd.Print(shortHelp(cmd))
			return err
		}
		return flagError(cmd, err)
	})
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return wrongArgument(cmd, args[0], "is not a command: use "+commandNames(cmd))
		}
		return nil
	}
	root.PersistentPreRunE = refuseFlagsWithoutHyphens
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// shortHelpFlag is the value of -h. Setting it ends the parsing of the command line.
type shortHelpFlag struct{}

func (shortHelpFlag) Set(string) error { return errHelpShown }
func (shortHelpFlag) String() string   { return "false" }
func (shortHelpFlag) Type() string     { return "bool" }

// shortHelp returns usage, examples and the main flags.
func shortHelp(cmd *cobra.Command) string {
	main := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[mainFlag] != nil {
			main.AddFlag(f)
		}
	})
	more := fmt.Sprintf("\nAll flags and details: %s --help\n", cmd.CommandPath())
	if cmd.HasSubCommands() {
		more = fmt.Sprintf("\nHelp of a command: %s COMMAND -h\n", cmd.CommandPath())
	}
	return head(cmd) + section("Flags", flagUsages(main)) + more
}

// longHelp returns the complete help.
func longHelp(cmd *cobra.Command) string {
	grouped, inGroup := "", map[string]bool{}
	for line := range strings.Lines(cmd.Annotations[flagGroups]) {
		names := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		group := pflag.NewFlagSet("", pflag.ContinueOnError)
		group.SortFlags = false
		for _, name := range names[1:] {
			group.AddFlag(cmd.Flags().Lookup(name))
			inGroup[name] = true
		}
		grouped += section(names[0], flagUsages(group))
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	platform := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Name == "help" || f.Hidden || inGroup[f.Name]:
		case f.Annotations[platformFlag] != nil:
			platform.AddFlag(f)
		default:
			own.AddFlag(f)
		}
	})
	b := head(cmd)
	if cmd.Long != "" {
		b += "\n" + wrapText(cmd.Long)
	}
	heading := "Flags"
	if grouped != "" {
		heading = "Other flags"
	}
	return b + grouped + section(heading, flagUsages(own)) +
		section("Flags for jobs of the platform", flagUsages(platform))
}

// head returns the common beginning of both helps.
func head(cmd *cobra.Command) string {
	var b strings.Builder
	usage := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		usage = cmd.CommandPath() + " COMMAND [flags]"
	}
	fmt.Fprintf(&b, "%s.\n\nUsage:\n  %s\n", cmd.Short, usage)
	b.WriteString(section("Examples", cmd.Example))
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	return b.String()
}

func section(title, body string) string {
	body = strings.Trim(body, "\n")
	if body == "" {
		return ""
	}
	return "\n" + title + ":\n" + body + "\n"
}

func flagUsages(flags *pflag.FlagSet) string { return flags.FlagUsagesWrapped(helpWidth) }

// wrapText wraps the paragraphs of a text at words. A paragraph ends with an empty line, or with an
// indented one, which stays as it is.
func wrapText(s string) string {
	var b, paragraph strings.Builder
	flush := func() {
		if paragraph.Len() > 0 {
			b.WriteString(Wrap(paragraph.String(), helpWidth) + "\n")
		}
		paragraph.Reset()
	}
	for line := range strings.Lines(strings.TrimSpace(s)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, " ") {
			flush()
			b.WriteString(line + "\n")
			continue
		}
		if paragraph.Len() > 0 {
			paragraph.WriteByte(' ')
		}
		paragraph.WriteString(line)
	}
	flush()
	return b.String()
}
