package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// Log is where the log of a command goes.
type Log struct {
	Level slog.Level // --log-level, --tc_log_level
	Dir   string     // --tc_log_path: the directory of app.log; empty logs to Stderr
	isSet bool       // a flag sets Level
}

// Register adds the flags of a log. Without them, warnings and errors are logged, and to app.log also infos.
func (l *Log) Register(flags *pflag.FlagSet) {
	l.Level = slog.LevelWarn
	flags.Var(levelValue{l}, "log-level", "`LEVEL` of the log: debug (a record for each request), info, warn or error (default warn, and info for app.log)")
	flags.Var(levelValue{l}, "tc_log_level", "`LEVEL` of the log: TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL")
	markPlatform(flags, "tc_log_level")
	PlatformText(flags, &l.Dir, "tc_log_path", "`DIR` in which to append the log to app.log")
}

// levelValue is the value of a flag for a level.
type levelValue struct{ log *Log }

func (v levelValue) String() string { return "" }
func (v levelValue) Type() string   { return "level" }

func (v levelValue) Set(s string) error {
	switch strings.ToLower(s) {
	case "trace", "debug":
		v.log.Level = slog.LevelDebug
	case "info":
		v.log.Level = slog.LevelInfo
	case "warn", "warning":
		v.log.Level = slog.LevelWarn
	case "error", "critical":
		v.log.Level = slog.LevelError
	default:
		return fmt.Errorf("must be debug, info, warn or error")
	}
	v.log.isSet = true
	return nil
}

// Open opens the log. Without Dir, it goes to stderr. Times are in UTC. Close it, and report its error:
// records that could not be written are lost.
func (l *Log) Open(stderr io.Writer) (*slog.Logger, io.Closer, error) {
	out, level := &logWriter{w: stderr}, l.Level
	if l.Dir != "" {
		f, err := durable.OpenAppend(filepath.Join(l.Dir, "app.log"))
		if err != nil {
			return nil, nil, fmt.Errorf("--tc_log_path: %w", err)
		}
		out = &logWriter{w: f, file: f}
		if !l.isSet {
			level = min(level, slog.LevelInfo)
		}
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: utc})), out, nil
}

// utc writes the time of a record in UTC.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// logWriter is a writer that records its first error.
type logWriter struct {
	w    io.Writer
	file *os.File // nil for stderr, which is not closed
	mu   sync.Mutex
	err  error
}

func (l *logWriter) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	return n, err
}

// Close returns the first error of the log.
func (l *logWriter) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil // stderr: there is no other place to report its errors
	}
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return fmt.Errorf("--tc_log_path: records of the log are lost: %w", l.err)
	}
	return nil
}
