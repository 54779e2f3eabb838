package feed

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// childArgs is the environment variable that contains the command's arguments, in JSON, in processes that tests kill.
const childArgs = "FEED_TEST_ARGS"

func TestMain(m *testing.M) {
	var args []string
	if json.Unmarshal([]byte(os.Getenv(childArgs)), &args) == nil {
		env := &cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
		root := &cobra.Command{Use: "threatconnect"}
		root.AddCommand(Command(env))
		os.Exit(cli.Run(context.Background(), root, env, args))
	}
	goleak.VerifyTestMain(m)
}
