package job

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// Params are the parameters that all jobs have.
type Params struct {
	BaseURL   string     // TC_BASE_URL, -tc_api_path
	AccessID  string     // TC_ACCESS_ID, -api_access_id
	SecretKey string     // TC_SECRET_KEY, -api_secret_key
	Token     string     // TC_TOKEN
	Owner     string     // TC_OWNER, -owner, -tc_owner
	LogLevel  slog.Level // -log-level, -tc_log_level
	LogPath   string     // -tc_log_path: a directory; empty logs to the error output
	OutPath   string     // -tc_out_path: where message.tc goes; empty for nowhere
}

// FromEnv returns the parameters that the environment sets.
func FromEnv(getenv func(string) string) Params {
	return Params{
		BaseURL:   getenv("TC_BASE_URL"),
		AccessID:  getenv("TC_ACCESS_ID"),
		SecretKey: getenv("TC_SECRET_KEY"),
		Token:     getenv("TC_TOKEN"),
		Owner:     getenv("TC_OWNER"),
		LogLevel:  slog.LevelWarn,
	}
}

// Register defines the flags. The values that p has are their defaults, which no help shows: they
// may be secrets.
func (p *Params) Register(fs *flag.FlagSet) {
	text := func(into *string, names ...string) {
		for _, name := range names {
			fs.Func(name, "", func(s string) error { *into = s; return nil })
		}
	}
	text(&p.BaseURL, "tc_api_path")
	text(&p.AccessID, "api_access_id")
	text(&p.SecretKey, "api_secret_key")
	text(&p.Owner, "owner", "tc_owner")
	text(&p.LogPath, "tc_log_path")
	text(&p.OutPath, "tc_out_path")
	for _, name := range []string{"log-level", "tc_log_level"} {
		fs.Func(name, "", p.setLevel)
	}
}

// Usage describes the flags of Register and the environment.
const Usage = `
The instance and the API user come from the environment:
  TC_BASE_URL      the instance's API, as in https://app.threatconnect.com/api
  TC_ACCESS_ID     access id of the API user
  TC_SECRET_KEY    its secret key; in single quotes, so that the shell leaves $ and ! alone
  TC_TOKEN         an API token, in place of the two
  TC_OWNER         the owner that is written to

The parameters that the platform gives its jobs are flags too, and win over the environment:
  --tc_api_path URL        as TC_BASE_URL
  --api_access_id ID       as TC_ACCESS_ID
  --api_secret_key KEY     as TC_SECRET_KEY
  --tc_owner NAME          as -owner
  --tc_log_level LEVEL     as -log-level; DEBUG, INFO, WARNING and so on
  --tc_log_path DIR        write the log to app.log in DIR
  --tc_out_path DIR        write the exit message to message.tc in DIR too
Prefer the environment for the secret key: what stands on a command line can be read by every user
of the machine while the command runs, and stays in the history of the shell.

Exit codes are those of a ThreatConnect job: 0 all in, 3 partly, 1 failed.
`

func (p *Params) setLevel(s string) error {
	switch strings.ToLower(s) {
	case "trace", "debug":
		p.LogLevel = slog.LevelDebug
	case "info":
		p.LogLevel = slog.LevelInfo
	case "warn", "warning":
		p.LogLevel = slog.LevelWarn
	case "error", "critical":
		p.LogLevel = slog.LevelError
	default:
		return errors.New("want debug, info, warn or error")
	}
	return nil
}

// InProcess reports whether nothing says which instance to use.
func (p *Params) InProcess() bool { return p.BaseURL == "" }

// CheckInstance refuses credentials without the instance that they are for, and the other way
// round. What the credentials look like is checked when the client is made.
func (p *Params) CheckInstance() error {
	switch {
	case p.BaseURL == "" && (p.AccessID != "" || p.SecretKey != "" || p.Token != ""):
		return errors.New("there are credentials but no instance: set TC_BASE_URL, as in https://app.threatconnect.com/api")
	case p.BaseURL == "":
		return nil
	case p.Token != "" && (p.AccessID != "" || p.SecretKey != ""):
		return errors.New("TC_TOKEN is set together with an access id or a secret key: unset one kind of credentials")
	case p.Token == "" && p.AccessID == "":
		return errors.New("TC_ACCESS_ID is not set: set TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN")
	case p.Token == "" && p.SecretKey == "":
		return errors.New("TC_SECRET_KEY is not set: set it in single quotes, so that the shell leaves $ and ! alone")
	}
	return nil
}

// Client makes a client for the instance that the parameters name.
func (p *Params) Client(options ...threatconnect.Option) (*threatconnect.Client, error) {
	if err := p.CheckInstance(); err != nil {
		return nil, err
	}
	credentials := threatconnect.Credentials(threatconnect.HMAC(p.AccessID, p.SecretKey))
	if p.Token != "" {
		credentials = threatconnect.Token(p.Token)
	}
	return threatconnect.NewClient(p.BaseURL, credentials, options...)
}

// Logger makes the log of a job, which goes to errorOutput unless LogPath says otherwise. The
// caller closes it.
func (p *Params) Logger(errorOutput io.Writer) (*slog.Logger, io.Closer, error) {
	var closer io.Closer = io.NopCloser(nil)
	out := errorOutput
	if p.LogPath != "" {
		f, err := os.OpenFile(filepath.Join(p.LogPath, "app.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("open the log: %w", err)
		}
		out, closer = f, f
	}
	handler := slog.NewTextHandler(out, &slog.HandlerOptions{Level: p.LogLevel, ReplaceAttr: utc})
	return slog.New(handler), closer, nil
}

// utc writes the time of a record in UTC.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
