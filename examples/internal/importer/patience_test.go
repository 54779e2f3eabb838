package importer

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAFailedRequestIsToldOnceInAWhile(t *testing.T) {
	t.Parallel()
	var said []string
	var log strings.Builder
	next := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})
	p := newPatience(next, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	record := func(after time.Duration, level slog.Level, attrs ...slog.Attr) {
		r := slog.NewRecord(start.Add(after), level, "threatconnect request", 0)
		r.AddAttrs(attrs...)
		assert.NoError(t, p.WithAttrs(nil).WithGroup("g").Handle(t.Context(), r))
	}
	record(0, slog.LevelDebug, slog.Int("status", 200))
	record(0, slog.LevelDebug, slog.Int("status", 404))
	record(0, slog.LevelDebug, slog.String("error", "context canceled"))
	assert.Empty(t, said)
	record(time.Second, slog.LevelDebug, slog.String("error", "connection refused"))
	record(2*time.Second, slog.LevelDebug, slog.Int("status", 503))
	record(9*time.Second, slog.LevelDebug, slog.Int("status", 429))
	record(12*time.Second, slog.LevelDebug, slog.Int("status", 502))
	assert.Equal(t, []string{
		"a request failed (connection refused); it is tried again where that does no harm",
		"a request failed (status 502); it is tried again where that does no harm",
	}, said)
	assert.Empty(t, log.String(), "debug records are not wanted by the next handler")
	record(0, slog.LevelWarn, slog.Int("offset", 1))
	assert.Contains(t, log.String(), "level=WARN")
	assert.True(t, p.Enabled(context.Background(), slog.LevelDebug))
}
