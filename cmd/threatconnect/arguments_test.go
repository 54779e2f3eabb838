package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// A wrong argument can be a secret after a misspelled flag. Errors give its position and suggest existing flags.
// Neither the output nor the log nor message.tc repeats it.
func TestThreatArgumentErrorsDoNotEchoArguments(t *testing.T) {
	t.Parallel()
	const secret = "Xq7VKJWZQPMz9"
	lines := [][]string{{secret}, {"-api_secret_key", secret, "feed"}, {"api_secret_key=" + secret}, {"--api_secret_key=" + secret}, {"feeds", secret}, {"help", secret}}
	for _, cmd := range root(testEnv(io.Discard, io.Discard), nil).Commands() {
		wrong := []string{secret, "--" + secret, "-" + secret, "--=" + secret, "-=" + secret, "-x" + secret, "-x=" + secret, "---" + secret, "--" + secret + "=", "--no=" + secret, "tc_token=" + secret, "TC_SECRET_KEY=" + secret}
		if cmd.Name() == "extract" {
			wrong = wrong[1:] // extract takes file names
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			plain := strings.NewReplacer("-", "", "_", "").Replace(f.Name)
			wrong = append(wrong, f.Name+"="+secret, "-"+f.Name+"="+secret, "-"+f.Name+secret, "--"+f.Name+secret, "--"+f.Name+":"+secret, "---"+f.Name+"="+secret,
				"--"+strings.ToUpper(f.Name)+"="+secret, "--"+f.Name+"s="+secret, "--"+f.Name[1:]+"="+secret)
			if plain != f.Name {
				wrong = append(wrong, "--"+plain+"="+secret)
			}
			switch f.Value.Type() {
			case "string", "stringArray", "func": // takes any value; the command itself may refuse it
			default:
				wrong = append(wrong, "--"+f.Name+"="+secret)
			}
		})
		for _, arg := range wrong {
			lines = append(lines, []string{cmd.Name(), arg})
		}
	}
	dir := t.TempDir()
	for n, args := range lines {
		out := filepath.Join(dir, fmt.Sprint(n))
		require.NoError(t, os.Mkdir(out, 0o700))
		if args[0] == "feed" {
			args = append([]string{"feed", "--tc_out_path", out, "--tc_log_path", out}, args[1:]...)
		}
		code, stdout, stderr := run(t, nil, args...)
		text := stdout + stderr
		for _, name := range []string{"message.tc", "app.log"} {
			b, _ := os.ReadFile(filepath.Join(out, name)) // most command lines do not write it
			text += string(b)
		}
		if args[0] != "help" && !strings.HasPrefix(args[len(args)-1], "-h") {
			assert.Equal(t, cli.Failure, code, args)
		}
		for i := range len(secret) - 4 {
			require.NotContains(t, strings.ToLower(text), strings.ToLower(secret[i:i+4]), args)
		}
	}
	for want, args := range map[string][]string{
		"argument 2 is not a flag: this command takes flags only; did you mean --api_secret_key?": {"feed", "api_secret_key=" + secret},
		"argument 3 is not a flag of this command; did you mean --api_secret_key?":                {"feed", "--dry-run", "--api_secret-key=" + secret},
		"argument 2 is not a flag of this command; did you mean --owner?":                         {"feed", "--onwer"},
		"argument 2 is not a flag; did you mean --api_secret_key?":                                {"lookup", "api_secret_key=" + secret},
		"argument 1 is not a command: use alert, changes,":                                        {"feeds", secret},
		"--owner needs a value": {"feed", "--owner"},
	} {
		_, _, stderr := run(t, nil, args...)
		assert.Contains(t, stderr, want)
	}
}
