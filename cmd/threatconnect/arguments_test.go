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

// Wrong arguments can be secrets whose flag is misspelled. Errors say where the argument is and name flags
// that exist, and neither they nor the log nor message.tc repeat anything else.
func TestThreatCommandLinesAreNotRepeated(t *testing.T) {
	t.Parallel()
	const secret = "Xq7VKJWZQPMz9"
	lines := [][]string{{secret}, {"-api_secret_key", secret, "feed"}, {"api_secret_key=" + secret}, {"--api_secret_key=" + secret}, {"feeds", secret}, {"help", secret}}
	for _, cmd := range root(testEnv(io.Discard, io.Discard), nil).Commands() {
		wrong := []string{secret, "--" + secret, "-" + secret, "--=" + secret, "-=" + secret, "-x" + secret, "-x=" + secret, "---" + secret, "--" + secret + "=", "--no=" + secret, "tc_token=" + secret, "TC_SECRET_KEY=" + secret}
		if cmd.Name() == "extract" {
			wrong = wrong[1:] // the name of a file
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			plain := strings.NewReplacer("-", "", "_", "").Replace(f.Name)
			wrong = append(wrong, f.Name+"="+secret, "-"+f.Name+"="+secret, "-"+f.Name+secret, "--"+f.Name+secret, "--"+f.Name+":"+secret, "---"+f.Name+"="+secret,
				"--"+strings.ToUpper(f.Name)+"="+secret, "--"+f.Name+"s="+secret, "--"+f.Name[1:]+"="+secret)
			if plain != f.Name {
				wrong = append(wrong, "--"+plain+"="+secret)
			}
			switch f.Value.Type() {
			case "string", "stringArray", "func": // a value that the command takes, or refuses itself
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
			b, _ := os.ReadFile(filepath.Join(out, name)) // most command lines write none
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
