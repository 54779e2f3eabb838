package threatconnect

import (
	"context"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// LogsService sends the log of an app to the platform, which shows it with the run of the app. Programs that log with
// [log/slog] use [LogsService.NewHandler]. The service is safe for concurrent use.
type LogsService struct{ service }

// LogLevel is the severity of a log entry.
type LogLevel string

// The levels of log entries.
const (
	LogTrace LogLevel = "TRACE"
	LogDebug LogLevel = "DEBUG"
	LogInfo  LogLevel = "INFO"
	LogWarn  LogLevel = "WARN"
	LogError LogLevel = "ERROR"
)

// LogEntry is one entry of an app's log.
type LogEntry struct {
	Time    time.Time // sent with millisecond precision; zero means the time of sending
	Level   LogLevel  // empty means LogInfo
	Message string    // must not be empty
}

// Send sends entries in order. It costs one request, or none without entries. It is not retried after an unknown
// outcome, because a retry could write the entries twice.
//
//	API: POST /v2/logs/app
//
// See https://docs.threatconnect.com/en/latest/tcex/tcex_docs/tcex.logger.html
func (s LogsService) Send(ctx context.Context, entries ...LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var w wire.Writer
	w.BeginArray()
	for i := range entries {
		if err := entries[i].write(&w, s.c); err != nil {
			return err
		}
	}
	w.EndArray()
	body, err := written(&w, "log entry")
	if err != nil {
		return err
	}
	_, err = s.c.exchange(ctx, &call{method: http.MethodPost, route: at("v2", "logs", "app"), body: jsonBody(body), allowEmpty: true}, nil, nil)
	return err
}

func (e *LogEntry) write(w *wire.Writer, c *Client) error {
	if e.Message == "" {
		return &ValidationError{Field: "log message", Rule: "is empty"}
	}
	level, at := e.Level, e.Time
	if level == "" {
		level = LogInfo
	}
	if at.IsZero() {
		at = c.cfg.now()
	}
	if err := oneOf("log level", level, []LogLevel{LogTrace, LogDebug, LogInfo, LogWarn, LogError}); err != nil {
		return err
	}
	w.BeginObject()
	w.Key("timestamp")
	w.Int64(at.UnixMilli())
	w.Key("message")
	w.Text(e.Message)
	w.Key("level")
	w.Text(string(level))
	w.EndObject()
	return nil
}
