package threatconnecttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// LogRecord is a log entry of an app.
type LogRecord struct {
	Time    time.Time
	Level   string
	Message string
}

// Logs returns the log entries that apps have sent, oldest first.
func (s *Server) Logs() []LogRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logs)
}

func logRoutes() []route {
	return []route{{method: "POST", pattern: "/v2/logs/app", handle: (*call).addLogs}}
}

// addLogs stores all entries of the request, or none if one is invalid.
func (c *call) addLogs() *answer {
	var entries []struct {
		Timestamp *int64  `json:"timestamp"`
		Message   *string `json:"message"`
		Level     string  `json:"level"`
	}
	if json.Unmarshal(c.body, &entries) != nil {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	records := make([]LogRecord, 0, len(entries))
	for _, e := range entries {
		if e.Timestamp == nil || e.Message == nil || !slices.Contains([]string{"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"}, e.Level) {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		records = append(records, LogRecord{Time: time.UnixMilli(*e.Timestamp).UTC(), Level: e.Level, Message: *e.Message})
	}
	c.logs = append(c.logs, records...)
	return success(http.StatusOK)
}
