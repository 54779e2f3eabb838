package cli

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parseLog returns the Log of these flags.
func parseLog(t *testing.T, args ...string) (*Log, error) {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	l := new(Log)
	l.Register(flags)
	return l, flags.Parse(args)
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	l, err := parseLog(t)
	require.NoError(t, err)
	assert.Equal(t, slog.LevelWarn, l.Level)
	for name, want := range map[string]slog.Level{
		"trace": slog.LevelDebug, "DEBUG": slog.LevelDebug, "Info": slog.LevelInfo, "warn": slog.LevelWarn,
		"WARNING": slog.LevelWarn, "error": slog.LevelError, "CRITICAL": slog.LevelError,
	} {
		for _, flag := range []string{"--log-level", "--tc_log_level"} {
			l, err := parseLog(t, flag, name)
			require.NoError(t, err)
			assert.Equal(t, want, l.Level, name)
		}
	}
	_, err = parseLog(t, "--log-level", "loud")
	require.ErrorContains(t, err, "must be debug, info, warn or error")
}

func TestLogFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o600))
	l, err := parseLog(t, "--tc_log_path", dir) // the level is INFO
	require.NoError(t, err)
	var stderr bytes.Buffer
	log, file, err := l.Open(&stderr)
	require.NoError(t, err)
	log.Debug("quiet")
	log.Info("loud", "at", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	require.NoError(t, file.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Regexp(t, `^before\ntime=\S+Z level=INFO msg=loud at=\S+Z\n$`, string(b), "records are appended, with times in UTC")
	assert.Empty(t, stderr.String())

	_, _, err = (&Log{Dir: filepath.Join(dir, "none")}).Open(io.Discard)
	require.ErrorContains(t, err, "--tc_log_path: ")
}

func TestLogTimesAreUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5*3600))
	assert.Equal(t, "2026-01-02T08:04:05Z", utc(nil, slog.Time(slog.TimeKey, at)).Value.Time().Format(time.RFC3339))
	assert.Equal(t, at, utc([]string{"group"}, slog.Time(slog.TimeKey, at)).Value.Time(), "an attribute named time is unchanged")
}

func TestLogWithoutFileGoesToStandardError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	log, file, err := new(Log).Open(&stderr)
	require.NoError(t, err)
	log.Info("here")
	assert.Contains(t, stderr.String(), "msg=here")
	require.NoError(t, file.Close())
}

func TestLogCloseReportsLostRecords(t *testing.T) {
	t.Parallel()
	l := &Log{Dir: t.TempDir()}
	log, file, err := l.Open(io.Discard)
	require.NoError(t, err)
	require.NoError(t, file.(*logWriter).file.Close()) // like a failing disk
	log.Info("lost")
	require.ErrorContains(t, file.Close(), "--tc_log_path: records of the log are lost")

	log, file, err = new(Log).Open(failing{})
	require.NoError(t, err)
	log.Info("lost")
	assert.NoError(t, file.Close(), "lost records on standard error cannot be reported")
}
