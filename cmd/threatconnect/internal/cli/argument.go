package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// argumentsKey is the key of the command line in the context of a command.
type argumentsKey struct{}

func withArguments(ctx context.Context, args []string) context.Context {
	return context.WithValue(ctx, argumentsKey{}, args)
}

// wrongArgument returns the error for an argument that cmd does not take. It contains the position of the argument
// and the flag that is probably meant, but no part of the argument, which can be a secret, as in
// api_secret_key=SECRET. arg may lack the hyphens at its beginning, and a value after an equals sign.
func wrongArgument(cmd *cobra.Command, arg, rule string) error {
	all, _ := cmd.Context().Value(argumentsKey{}).([]string)
	arg = strings.TrimLeft(arg, "-")
	n := slices.IndexFunc(all, func(a string) bool {
		a = strings.TrimLeft(a, "-")
		return a == arg || strings.HasPrefix(a, arg+"=")
	})
	position := "an argument"
	if n >= 0 {
		position = fmt.Sprintf("argument %d", n+1)
	}
	if name := meantFlag(cmd, arg); name != "" {
		rule += fmt.Sprintf("; did you mean --%s?", name)
	}
	return UsageError("%s %s", position, rule)
}

// flagError returns the error of the command line for an error of pflag. It contains names of existing flags, and no
// values or other names.
func flagError(cmd *cobra.Command, err error) error {
	const notFlag = "is not a flag of this command"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return wrongArgument(cmd, cmp.Or(e.GetSpecifiedShortnames(), e.GetSpecifiedName()), notFlag)
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return wrongArgument(cmd, e.GetSpecifiedFlag(), notFlag)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return UsageError("--%s needs a value", e.GetFlag().Name)
	}
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return UsageError("the flags cannot be read") // an error that pflag does not have today
	}
	rule := map[string]string{
		"bool": "must be true or false", "int": "must be a whole number", "int64": "must be a whole number",
		"float64": "must be a number", "duration": "must be a time with a unit, as in 90s, 5m or 1h",
	}[invalid.GetFlag().Value.Type()]
	if rule == "" {
		rule = invalid.Unwrap().Error()
	}
	return UsageError("--%s %s", invalid.GetFlag().Name, rule)
}

func commandNames(root *cobra.Command) string {
	var names []string
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	return strings.Join(names, ", ")
}

// meantFlag returns the name of the flag that an argument probably means, or "".
func meantFlag(cmd *cobra.Command, arg string) (best string) {
	name, _, _ := strings.Cut(arg, "=")
	name = PlainName(name)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		known := PlainName(f.Name)
		near := len(known) > 3 && (strings.HasPrefix(name, known) || distance(name, known) < 3)
		if !f.Hidden && len(f.Name) > len(best) && (name == known || near) {
			best = f.Name
		}
	})
	return best
}

// distance returns the number of letters to insert, delete or replace to make b of a, up to about 3.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 3
	}
	row := make([]int, len(b)+1) // of the prefix of a so far, by the length of the prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// NoArgs refuses arguments that are not flags.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrongArgument(cmd, args[0], "is not a flag: this command takes flags only")
	}
	return nil
}

// credential matches names of credentials, such as tc_token and TC_SECRET_KEY.
var credential = regexp.MustCompile(`(?i)^(?:[a-z]+[_-])*(?:token|secret|key|password|id)$`)

// refuseFlagsWithoutHyphens refuses arguments such as owner=NAME and tc_token=TOKEN in commands that take values or
// files, because messages about values repeat them.
func refuseFlagsWithoutHyphens(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		name, _, isPair := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if isPair && (cmd.Flags().Lookup(name) != nil || credential.MatchString(name)) {
			return wrongArgument(cmd, arg, "is not a flag")
		}
	}
	return nil
}
