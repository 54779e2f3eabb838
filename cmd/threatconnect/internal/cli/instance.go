package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// platformFlag is the annotation of flags that the platform defines.
const platformFlag = "platform"

// Instance names an instance and the API user. Its fields come from the environment and from flags,
// which win.
type Instance struct {
	BaseURL   string // TC_BASE_URL, --base-url, --tc_api_path
	AccessID  string // TC_ACCESS_ID, --api_access_id
	SecretKey string // TC_SECRET_KEY, TC_SECRET_KEY_FILE, --api_secret_key
	Token     string // TC_TOKEN, TC_TOKEN_FILE
	From      string // the variable or flag of SecretKey or Token
	product   string
	env       *Env // where Check reads secrets from
}

// Register adds the flags of an instance. name is the name of the command in the User-Agent header. Secrets of
// the environment are read by Check, not by Register, because help must not read files.
func (i *Instance) Register(env *Env, flags *pflag.FlagSet, name string) {
	*i = Instance{
		BaseURL: env.Getenv("TC_BASE_URL"), AccessID: env.Getenv("TC_ACCESS_ID"),
		product: "threatconnect-" + name + "/" + threatconnect.Version, env: env,
	}
	Text(flags, &i.BaseURL, "base-url", "`URL` of the API, as in https://app.threatconnect.com/api; TC_BASE_URL")
	PlatformText(flags, &i.BaseURL, "tc_api_path", "`URL`, as --base-url")
	PlatformText(flags, &i.AccessID, "api_access_id", "access `ID` of the API user; TC_ACCESS_ID")
	PlatformText(flags, &i.SecretKey, "api_secret_key", "secret `KEY` of the API user. Prefer TC_SECRET_KEY_FILE: other users of the machine see flags")
}

// EnvironmentHelp describes the environment for the long help of a command that has an Instance.
const EnvironmentHelp = `
The environment names the instance and the API user:
  TC_BASE_URL      URL of the API, as in https://app.threatconnect.com/api
  TC_ACCESS_ID     access ID of the API user
  TC_SECRET_KEY    secret key; in a shell, in single quotes because of $ and !
  TC_TOKEN         API token, instead of ID and key
  TC_SECRET_KEY_FILE, TC_TOKEN_FILE
                   files that contain the key or the token, instead of variables`

// Text adds a flag whose default is the current value of into. Help does not show the default, because it can be
// a secret.
func Text(flags *pflag.FlagSet, into *string, name, usage string) {
	flags.Var((*textValue)(into), name, usage)
}

// PlatformText adds a flag as Text does, with a name of the platform.
func PlatformText(flags *pflag.FlagSet, into *string, name, usage string) {
	Text(flags, into, name, usage)
	markPlatform(flags, name)
}

func markPlatform(flags *pflag.FlagSet, name string) {
	if err := flags.SetAnnotation(name, platformFlag, []string{"true"}); err != nil {
		panic(err) // a flag that does not exist: a mistake in the program
	}
}

// textValue is the value of a flag without a visible default.
type textValue string

func (v *textValue) Set(s string) error { *v = textValue(s); return nil }
func (v *textValue) String() string     { return "" }
func (v *textValue) Type() string       { return "string" }

// InProcess reports whether no instance is named. A test server in the process then replaces it.
func (i *Instance) InProcess() bool { return i.BaseURL == "" }

// Check reads the secret key and the token of the environment, unless a flag sets the key. It refuses
// credentials without an instance, an instance without credentials, and two kinds of credentials.
func (i *Instance) Check() error {
	if err := i.readSecrets(); err != nil {
		return err
	}
	switch {
	case i.BaseURL == "" && (i.AccessID != "" || i.SecretKey != "" || i.Token != ""):
		return UsageError("there are credentials but no instance: set TC_BASE_URL or --base-url, as in https://app.threatconnect.com/api")
	case i.BaseURL == "":
		return nil
	case i.Token != "" && (i.AccessID != "" || i.SecretKey != ""):
		return UsageError("TC_TOKEN is set together with an access id or a secret key: unset one kind of credentials")
	case i.Token == "" && i.AccessID == "":
		return UsageError("TC_ACCESS_ID is not set: set TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN")
	case i.Token == "" && i.SecretKey == "":
		return UsageError("TC_SECRET_KEY is not set: set it in single quotes, so that the shell keeps $ and !")
	}
	return nil
}

func (i *Instance) readSecrets() error {
	if i.env != nil && i.SecretKey != "" && i.From == "" {
		i.From = "--api_secret_key"
		i.env.Printf("The secret key is on the command line, where other users of this machine can see it: prefer TC_SECRET_KEY_FILE.")
	}
	for name, into := range map[string]*string{"TC_SECRET_KEY": &i.SecretKey, "TC_TOKEN": &i.Token} {
		if *into != "" || i.env == nil {
			continue
		}
		value, from, err := i.env.Secret(name)
		if err != nil {
			return err
		}
		if *into = value; value != "" {
			i.From = from
		}
	}
	return nil
}

// Client makes a client for the instance. log, if not nil, gets a record of each request at Debug.
func (i *Instance) Client(log *slog.Logger, options ...threatconnect.Option) (*threatconnect.Client, error) {
	if err := i.Check(); err != nil {
		return nil, err
	}
	credentials := threatconnect.HMAC(i.AccessID, i.SecretKey)
	if i.Token != "" {
		credentials = threatconnect.Token(i.Token)
	}
	options = append([]threatconnect.Option{threatconnect.WithUserAgent(i.product), threatconnect.WithLogger(log)}, options...)
	return threatconnect.NewClient(i.BaseURL, credentials, options...)
}

// TestServer returns a client of a test server in the process, and prints a message about it. Credentials
// without an instance are an error. fill, if not nil, adds the data of the server.
func (i *Instance) TestServer(env *Env, log *slog.Logger, fill func(*threatconnecttest.Server) error, options ...threatconnecttest.Option) (*threatconnect.Client, error) {
	if err := i.Check(); err != nil {
		return nil, err
	}
	srv := threatconnecttest.New(options...)
	if fill != nil {
		if err := fill(srv); err != nil {
			return nil, fmt.Errorf("fill the test server: %w", err)
		}
	}
	env.Printf("TC_BASE_URL is not set: using a test server in this process. Nothing leaves this machine.")
	return srv.Client(threatconnect.WithUserAgent(i.product), threatconnect.WithLogger(log)), nil
}

// connectTime limits the first request of a command, to report a wrong host or port soon.
const connectTime = 12 * time.Second

// errNoOwners is the answer of a server that reports a wrong path as an empty list.
var errNoOwners = errors.New("the instance lists no owners: is /api missing at the end of the base URL?")

// CheckOwners reads the owners that the API user sees, and returns an error if one of names is not among them. It
// is the first request of a command: it fails within 15 seconds if the instance cannot be reached, and detects a
// wrong URL, wrong credentials and a wrong clock.
func CheckOwners(ctx context.Context, client *threatconnect.Client, names ...string) ([]threatconnect.Owner, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTime, errNoAnswer)
	defer cancel()
	owners, err := threatconnect.Collect(client.Owners.All(ctx, nil))
	switch {
	case err != nil && context.Cause(ctx) == errNoAnswer:
		return nil, errNoAnswer
	case err != nil:
		return nil, err
	case len(owners) == 0: // every API user sees its organization
		return nil, errNoOwners
	}
	known := make(map[string]bool, len(owners))
	quoted := make([]string, len(owners))
	for n, o := range owners {
		known[o.Name] = true
		quoted[n] = fmt.Sprintf("%q", o.Name)
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("the API user sees no owner %q; it sees %s", name, strings.Join(quoted, ", "))
		}
	}
	return owners, nil
}
