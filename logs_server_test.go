package threatconnect_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestLogsAgainstTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	h, err := srv.Client().Logs.NewHandler(&threatconnect.LogHandlerOptions{Batch: 2})
	require.NoError(t, err)
	l := slog.New(h)
	l.Info("imported", "items", 3)
	l.Warn("skipped", "reason", "no value")
	l.Error("gave up")
	require.NoError(t, h.Close(t.Context()))
	logs := srv.Logs()
	require.Len(t, logs, 3)
	assert.Equal(t, "imported items=3", logs[0].Message)
	assert.Equal(t, "WARN", logs[1].Level)
	assert.WithinDuration(t, time.Now(), logs[2].Time, time.Minute)
	assert.Len(t, srv.Requests(), 2)
}
