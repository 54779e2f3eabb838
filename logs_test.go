package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const logsPath = contentBase + "/v2/logs/app"

func TestLogsSend(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t, WithClock(func() time.Time { return time.UnixMilli(1_767_225_600_007) }))
	var got []sentContent
	mock.RegisterResponder("POST", logsPath, recording(&got, jsonReply(200, `{"status":"Success"}`)))
	require.NoError(t, c.Logs.Send(t.Context(),
		LogEntry{Time: time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.UTC), Level: LogDebug, Message: "a \"b\"\n"},
		LogEntry{Message: "now"}))
	require.Len(t, got, 1)
	assert.Equal(t, `[{"timestamp":1767323045678,"message":"a \"b\"\n","level":"DEBUG"},{"timestamp":1767225600007,"message":"now","level":"INFO"}]`, got[0].body)

	require.NoError(t, c.Logs.Send(t.Context()))
	require.ErrorIs(t, c.Logs.Send(t.Context(), LogEntry{}), ErrValidation)
	require.ErrorIs(t, c.Logs.Send(t.Context(), LogEntry{Message: "x", Level: "WARNING"}), ErrValidation)
	assert.Len(t, got, 1)
	mock.RegisterResponder("POST", logsPath, httpmock.NewStringResponder(502, ""))
	before := mock.GetTotalCallCount()
	require.ErrorIs(t, c.Logs.Send(t.Context(), LogEntry{Message: "x"}), ErrServer)
	assert.Equal(t, before+1, mock.GetTotalCallCount())
}

// logSink collects log entries.
type logSink struct {
	mu      sync.Mutex
	entries []map[string]any
	batches []int
	refuse  int // status of every response; 0 is success
}

func (s *logSink) answer(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != 0 {
		_, err := io.Copy(io.Discard, req.Body)
		return httpmock.NewStringResponse(s.refuse, ""), err
	}
	var entries []map[string]any
	if err := json.NewDecoder(req.Body).Decode(&entries); err != nil {
		return nil, err
	}
	s.entries = append(s.entries, entries...)
	s.batches = append(s.batches, len(entries))
	return httpmock.NewStringResponse(200, `{"status":"Success"}`), nil
}

func (s *logSink) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.entries {
		all = append(all, e["level"].(string)+" "+e["message"].(string))
	}
	return all
}

func logHandler(t *testing.T, opts *LogHandlerOptions, options ...Option) (*LogHandler, *logSink) {
	t.Helper()
	c, mock := contentClient(t, options...)
	sink := &logSink{}
	mock.RegisterResponder("POST", logsPath, sink.answer)
	h, err := c.Logs.NewHandler(opts)
	require.NoError(t, err)
	return h, sink
}

type loud struct{}

func (loud) LogValue() slog.Value { return slog.GroupValue(slog.Int("a", 1), slog.String("b", "x y")) }

func TestLogHandlerAppendsAttributesToMessage(t *testing.T) {
	t.Parallel()
	h, sink := logHandler(t, &LogHandlerOptions{Level: slog.LevelDebug - 4})
	l := slog.New(h)
	l.Log(t.Context(), slog.LevelDebug-4, "trace")
	l.Debug("debug", "n", 1, "f", 1.5, "d", time.Second, "ok", true)
	l.Info("info", "quoted", `a "b"`, "empty", "", "t", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "k=v", "\n")
	l.With("who", "me").WithGroup("req").With("id", 7).Warn("warn", slog.Any("loud", loud{}), slog.Group("", slog.Int("inline", 1)), slog.Attr{})
	l.WithGroup("g").Error("", slog.Group("empty"))
	require.NoError(t, h.Close(t.Context()))
	assert.Equal(t, []string{
		"TRACE trace",
		"DEBUG debug n=1 f=1.5 d=1s ok=true",
		`INFO info quoted="a \"b\"" empty="" t=2026-01-02T03:04:05Z "k=v"="\n"`,
		`WARN warn who=me req.id=7 req.loud.a=1 req.loud.b="x y" req.inline=1`,
		"ERROR -",
	}, sink.messages())
	assert.Zero(t, h.Dropped())
}

func TestLogHandlerReplacesInvalidUTF8(t *testing.T) {
	t.Parallel()
	h, sink := logHandler(t, nil)
	l := slog.New(h)
	l.Info("before")
	l.Info("read \xff\xfe", "k", "\xff")
	require.NoError(t, h.Close(t.Context()))
	assert.Equal(t, []string{"INFO before", "INFO read \ufffd k=\"\\xff\""}, sink.messages())
	assert.Zero(t, h.Dropped())
}

func TestLogEntriesThatAreNotUTF8AreRefused(t *testing.T) {
	t.Parallel()
	c, _ := contentClient(t)
	require.ErrorIs(t, c.Logs.Send(t.Context(), LogEntry{Message: "\xff"}), ErrValidation)
}

func TestLogHandlerDropsInsteadOfBlocking(t *testing.T) {
	t.Parallel()
	h, sink := logHandler(t, &LogHandlerOptions{Buffer: 5, Batch: 2})
	l := slog.New(h)
	for range 8 {
		l.Info("x")
	}
	assert.Equal(t, int64(3), h.Dropped())
	require.NoError(t, h.Flush(t.Context()))
	assert.Equal(t, []int{2, 2, 1}, sink.batches)
	l.Info("y")
	l.Debug("below the level")
	require.NoError(t, h.Close(t.Context()))
	require.NoError(t, h.Close(t.Context()))
	assert.Len(t, sink.messages(), 6)
	l.Info("too late")
	assert.Equal(t, int64(4), h.Dropped())
	require.ErrorIs(t, h.Start(t.Context(), 0), ErrValidation)

	h, sink = logHandler(t, &LogHandlerOptions{Batch: 2})
	sink.refuse = 500
	for range 3 {
		slog.New(h).Info("x")
	}
	require.ErrorIs(t, h.Flush(t.Context()), ErrServer)
	assert.Equal(t, int64(2), h.Dropped(), "the failed batch is dropped; the rest stays")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, h.Close(gone), context.Canceled)
	assert.Equal(t, int64(3), h.Dropped())

	c, _ := contentClient(t)
	_, err := c.Logs.NewHandler(&LogHandlerOptions{Buffer: -1})
	require.ErrorIs(t, err, ErrValidation)
}

func TestLogHandlerKeepsUndeliveredEntries(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		kept   bool
	}{{400, false}, {401, true}, {403, true}, {408, false}, {413, false}, {429, true}, {500, false}, {502, false}, {503, true}, {504, false}} {
		t.Run(strconv.Itoa(tc.status), func(t *testing.T) {
			t.Parallel()
			h, sink := logHandler(t, &LogHandlerOptions{Batch: 2})
			l := slog.New(h)
			l.Info("1")
			l.Info("2")
			l.Info("3")
			sink.refuse = tc.status
			require.Error(t, h.Flush(t.Context()))
			sink.refuse = 0
			l.Info("4")
			require.NoError(t, h.Flush(t.Context()))
			if tc.kept {
				assert.Equal(t, []string{"INFO 1", "INFO 2", "INFO 3", "INFO 4"}, sink.messages(), "in the original order")
				assert.Zero(t, h.Dropped())
			} else {
				assert.Equal(t, []string{"INFO 3", "INFO 4"}, sink.messages())
				assert.Equal(t, int64(2), h.Dropped())
			}
		})
	}
	for name, fail := range map[string]error{
		"no connection": &net.OpError{Op: "dial", Err: errors.New("refused")},
		"not sent":      errUnsent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t, WithRetry(RetryPolicy{MaxAttempts: 1}))
			mock.RegisterResponder("POST", logsPath, httpmock.NewErrorResponder(fail))
			h, err := c.Logs.NewHandler(nil)
			require.NoError(t, err)
			slog.New(h).Info("x")
			require.ErrorIs(t, h.Flush(t.Context()), fail)
			assert.Zero(t, h.Dropped())
			mock.RegisterResponder("POST", logsPath, httpmock.NewErrorResponder(io.ErrUnexpectedEOF))
			require.ErrorIs(t, h.Flush(t.Context()), io.ErrUnexpectedEOF)
			assert.Equal(t, int64(1), h.Dropped(), "it may have arrived")
		})
	}
	t.Run("a limiter", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		h, sink := logHandler(t, nil, WithLimiter(limitFunc(func(ctx context.Context) error {
			cancel()
			return ctx.Err()
		})))
		slog.New(h).Info("x")
		require.ErrorIs(t, h.Flush(ctx), context.Canceled)
		assert.Zero(t, h.Dropped())
		assert.Empty(t, sink.batches)
	})
}

// limitFunc is a Limiter.
type limitFunc func(context.Context) error

func (f limitFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestLogHandlerBoundsTheBytesOfMessages(t *testing.T) {
	t.Parallel()
	h, sink := logHandler(t, &LogHandlerOptions{Batch: 1})
	l := slog.New(h)
	big := strings.Repeat("x", mostLogBytes/2)
	for range 3 {
		l.Info(big)
	}
	l.Info("y")
	assert.Equal(t, int64(2), h.Dropped())
	sink.refuse = 503
	require.Error(t, h.Flush(t.Context()))
	l.Info("y")
	assert.Equal(t, int64(3), h.Dropped(), "entries that are put back count")
	sink.refuse = 0
	require.NoError(t, h.Flush(t.Context()))
	l.Info("z")
	require.NoError(t, h.Flush(t.Context()))
	assert.Equal(t, []int{1, 1, 1}, sink.batches)
	assert.Equal(t, int64(3), h.Dropped(), "entries that were sent do not")
}

func TestLogHandlerSendsInTheBackgroundOnlyWhenStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, sink := logHandler(t, &LogHandlerOptions{Batch: 3})
		l := slog.New(h)
		for range 10 {
			l.Info("x")
		}
		time.Sleep(time.Hour)
		assert.Empty(t, sink.messages())

		require.NoError(t, h.Start(t.Context(), time.Minute))
		require.ErrorIs(t, h.Start(t.Context(), time.Minute), ErrValidation)
		synctest.Wait()
		assert.Len(t, sink.messages(), 10, "complete batches do not wait for the interval")
		l.Info("x")
		synctest.Wait()
		assert.Len(t, sink.messages(), 10)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, sink.messages(), 11)
		l.Info("last words")
		require.NoError(t, h.Close(t.Context()))
		assert.Len(t, sink.messages(), 12)
		assert.Zero(t, h.Dropped())
	})
}

func TestLogHandlerRestartsAfterContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, sink := logHandler(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, h.Start(ctx, time.Minute))
		cancel()
		synctest.Wait()
		require.NoError(t, h.Start(t.Context(), time.Minute))
		require.ErrorIs(t, h.Start(t.Context(), time.Minute), ErrValidation)
		slog.New(h).Info("x")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, sink.messages(), 1)
		require.NoError(t, h.Close(t.Context()))
	})
}

func TestFlushEndsUnderSteadyLoad(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t)
	h, err := c.Logs.NewHandler(&LogHandlerOptions{Batch: 2})
	require.NoError(t, err)
	l := slog.New(h)
	mock.RegisterResponder("POST", logsPath, func(*http.Request) (*http.Response, error) {
		l.Info("another one")
		if mock.GetTotalCallCount() > 10 {
			return nil, errors.New("without end")
		}
		return httpmock.NewStringResponse(200, `{"status":"Success"}`), nil
	})
	for range 3 {
		l.Info("x")
	}
	require.NoError(t, h.Flush(t.Context()))
	assert.Equal(t, 2, mock.GetTotalCallCount())
}

// A client that logs its own requests through the handler must not send logs about sending logs.
func TestLogHandlerDoesNotFeedItself(t *testing.T) {
	t.Parallel()
	var h *LogHandler
	later := &lateHandler{}
	h, sink := logHandler(t, &LogHandlerOptions{Level: slog.LevelDebug}, WithLogger(slog.New(later)))
	later.to = h
	slog.New(h).Info("x")
	require.NoError(t, h.Flush(t.Context()))
	require.NoError(t, h.Flush(t.Context()))
	assert.Len(t, sink.messages(), 1)
}

type lateHandler struct{ to slog.Handler }

func (h *lateHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.to != nil && h.to.Enabled(ctx, l)
}
func (h *lateHandler) Handle(ctx context.Context, r slog.Record) error { return h.to.Handle(ctx, r) }
func (h *lateHandler) WithAttrs([]slog.Attr) slog.Handler              { return h }
func (h *lateHandler) WithGroup(string) slog.Handler                   { return h }

func TestLogHandlerUnderLoad(t *testing.T) {
	t.Parallel()
	h, sink := logHandler(t, &LogHandlerOptions{Batch: 50, Buffer: 100_000})
	require.NoError(t, h.Start(t.Context(), time.Millisecond))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l := slog.New(h).With("worker", 1)
			for range 500 {
				l.Info("x")
			}
		})
	}
	wg.Wait()
	require.NoError(t, h.Close(t.Context()))
	assert.Equal(t, 4000, len(sink.entries)+int(h.Dropped()))
	assert.Zero(t, h.Dropped())
}
