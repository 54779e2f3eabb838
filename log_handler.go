package threatconnect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// LogHandlerOptions configures a [LogHandler]. Nil and the zero value select the defaults.
type LogHandlerOptions struct {
	Level  slog.Leveler // minimum level; nil means slog.LevelInfo
	Buffer int          // maximum number of unsent entries; 0 means 10,000
	Batch  int          // maximum number of entries per request; 0 means 500
}

// mostLogBytes is the maximum size of all unsent messages.
const mostLogBytes = 16 << 20

// LogHandler is a [slog.Handler] that sends records to the platform. Create one with [LogsService.NewHandler]. It is
// safe for concurrent use.
//
// Logging never blocks and never sends requests: the handler buffers records. If the buffer has its maximum number of
// records, or 16 MiB of messages, new records are dropped and counted. [LogHandler.Flush] and [LogHandler.Close] send
// the buffered records; after [LogHandler.Start], a goroutine also sends them in the background. Each entry has the
// message of the record, followed by its attributes in the form key=value.
type LogHandler struct {
	b      *logBuffer
	level  slog.Leveler
	attrs  string // attributes of WithAttrs, formatted
	prefix string // names of WithGroup, each followed by a dot
}

// logBuffer is the buffer that a handler shares with the handlers derived from it.
type logBuffer struct {
	logs  LogsService
	batch int
	most  int
	turn  chan struct{} // held by the goroutine that sends
	full  chan struct{} // signals a complete batch to the background goroutine

	mu      sync.Mutex
	waiting []LogEntry
	bytes   int // size of the unsent messages
	dropped int64
	closed  bool
	stop    context.CancelFunc // stops the background goroutine; nil if there is none
	done    chan struct{}      // closed when the background goroutine has returned
}

// NewHandler returns a handler that buffers records. It sends nothing and starts no goroutine. Close the handler at the
// end, or its buffered records are lost. Negative numbers in the options return a [*ValidationError].
func (s LogsService) NewHandler(opts *LogHandlerOptions) (*LogHandler, error) {
	o := copyOf(opts)
	if o.Buffer < 0 || o.Batch < 0 {
		return nil, &ValidationError{Field: "log handler", Rule: "has a negative buffer or batch", Fix: "leave it 0 for its default"}
	}
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Buffer == 0 {
		o.Buffer = 10_000
	}
	if o.Batch == 0 {
		o.Batch = 500
	}
	return &LogHandler{
		b:     &logBuffer{logs: s, batch: o.Batch, most: o.Buffer, turn: make(chan struct{}, 1), full: make(chan struct{}, 1)},
		level: o.Level,
	}, nil
}

// sendingLogs marks the context of requests with log entries, so records that the client logs about such requests are
// not sent in turn.
type sendingLogs struct{}

// Enabled reports whether the handler accepts records of a level.
func (h *LogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle adds a record to the buffer. If the buffer is full or the handler is closed, it drops and counts the record. It
// always returns nil.
func (h *LogHandler) Handle(ctx context.Context, r slog.Record) error {
	if ctx != nil && ctx.Value(sendingLogs{}) != nil {
		return nil
	}
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, h.prefix, a)
		return true
	})
	// A single message with invalid UTF-8 would make its whole batch invalid.
	message := strings.ToValidUTF8(strings.TrimPrefix(b.String(), " "), "\ufffd")
	if message == "" {
		message = "-" // the platform requires a message
	}
	h.b.keep(LogEntry{Time: r.Time, Level: logLevel(r.Level), Message: message})
	return nil
}

// WithAttrs returns a handler with the same buffer that adds attrs to every record.
func (h *LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.prefix, a)
	}
	with := *h
	with.attrs = b.String()
	return &with
}

// WithGroup returns a handler with the same buffer that adds name and a dot before the keys of attributes.
func (h *LogHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

// Dropped returns the number of records that were lost because the buffer was full, because a request failed with an
// unknown outcome, or because the handler was closed.
func (h *LogHandler) Dropped() int64 { return h.b.lost() }

func (b *logBuffer) lost() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Start starts a goroutine that sends the buffered records whenever a batch is complete and after every interval (0
// means 10 seconds), until ctx ends or the handler is closed. Its errors are visible only in [LogHandler.Dropped]. A
// second call returns a [*ValidationError], unless the context of the first has ended.
func (h *LogHandler) Start(ctx context.Context, interval time.Duration) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return h.b.start(ctx, interval)
}

func (b *logBuffer) start(ctx context.Context, interval time.Duration) error {
	if interval < 0 {
		return &ValidationError{Field: "log interval", Rule: "is negative"}
	}
	if interval == 0 {
		interval = 10 * time.Second
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done != nil {
		select {
		case <-b.done: // its context has ended
		default:
			return &ValidationError{Field: "log handler", Rule: "is started already"}
		}
	}
	if b.closed {
		return &ValidationError{Field: "log handler", Rule: "is closed"}
	}
	ctx, b.stop = context.WithCancel(ctx)
	b.done = make(chan struct{})
	go b.background(ctx, b.done, interval)
	return nil
}

func (b *logBuffer) background(ctx context.Context, done chan<- struct{}, interval time.Duration) {
	defer close(done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-b.full:
		}
		_ = b.flush(ctx) // lost records are counted
	}
}

// Flush sends the records that are in the buffer when it is called, with one request per batch. It stops at the first
// request that fails. The records of that request stay in the buffer if it certainly had no effect: it was not sent, or
// the platform rejected it with 401, 403, 429 or 503. Otherwise they are dropped and counted, because a retry could
// write them twice.
func (h *LogHandler) Flush(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return h.b.flush(ctx)
}

func (b *logBuffer) flush(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return contextErr(ctx)
	}
	defer func() { <-b.turn }()
	b.mu.Lock()
	left := len(b.waiting)
	b.mu.Unlock()
	for left > 0 {
		entries := b.take(left)
		if len(entries) == 0 {
			return nil // another goroutine has closed the handler
		}
		left -= len(entries)
		if err := ctx.Err(); err != nil {
			b.requeue(entries)
			return contextErr(ctx)
		}
		if err := b.logs.Send(context.WithValue(ctx, sendingLogs{}, true), entries...); err != nil {
			if notAccepted(err) {
				b.requeue(entries)
			} else {
				b.drop(len(entries))
			}
			return err
		}
	}
	return nil
}

// Close stops the goroutine of [LogHandler.Start] and sends the buffered records. If ctx ends first, it drops and counts
// the rest. The handler drops and counts later records. Close is idempotent.
func (h *LogHandler) Close(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return h.b.close(ctx)
}

func (b *logBuffer) close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	stop, done := b.stop, b.done
	b.mu.Unlock()
	if stop != nil {
		// Stop the background goroutine between two requests: canceling a request would lose its entries.
		select {
		case b.turn <- struct{}{}:
			stop()
			<-b.turn
		case <-ctx.Done():
			stop()
		}
		<-done
	}
	err := b.flush(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped += int64(len(b.waiting))
	b.waiting, b.bytes = nil, 0
	return err
}

// keep adds an entry to the buffer, or drops it if the buffer is full.
func (b *logBuffer) keep(e LogEntry) {
	b.mu.Lock()
	if b.closed || len(b.waiting) >= b.most || b.bytes+len(e.Message) > mostLogBytes {
		b.dropped++
		b.mu.Unlock()
		return
	}
	b.waiting = append(b.waiting, e)
	b.bytes += len(e.Message)
	complete := len(b.waiting) >= b.batch
	b.mu.Unlock()
	if complete {
		select {
		case b.full <- struct{}{}:
		default:
		}
	}
}

// take removes a batch of up to n entries from the buffer and returns it.
func (b *logBuffer) take(n int) []LogEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, b.batch, len(b.waiting))
	entries := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.bytes -= messageBytes(entries)
	return entries
}

func (b *logBuffer) requeue(entries []LogEntry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(entries, b.waiting...)
	b.bytes += messageBytes(entries)
}

func (b *logBuffer) drop(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped += int64(n)
}

func messageBytes(entries []LogEntry) (n int) {
	for i := range entries {
		n += len(entries[i].Message)
	}
	return n
}

// notAccepted reports whether err means that the platform has not accepted the entries but could accept them later.
func notAccepted(err error) bool {
	if api, ok := errors.AsType[*APIError](err); ok {
		switch api.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return true
		}
		return false
	}
	if request, ok := errors.AsType[*RequestError](err); ok && request.Attempts == 0 {
		return true // the context ended, or the limiter returned an error
	}
	return errors.Is(err, errUnsent) || neverConnected(err)
}

// logLevel returns the platform's level for a level of package slog.
func logLevel(l slog.Level) LogLevel {
	switch {
	case l < slog.LevelDebug:
		return LogTrace
	case l < slog.LevelInfo:
		return LogDebug
	case l < slog.LevelWarn:
		return LogInfo
	case l < slog.LevelError:
		return LogWarn
	}
	return LogError
}

// writeAttr writes " prefix.key=value", for a group once per member.
func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, m := range v.Group() {
			writeAttr(b, prefix, m)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().Format(time.RFC3339Nano)
	}
	b.WriteByte(' ')
	b.WriteString(quotedIfNeeded(prefix + a.Key))
	b.WriteByte('=')
	b.WriteString(quotedIfNeeded(text))
}

// quotedIfNeeded returns s, quoted unless it is a single word.
func quotedIfNeeded(s string) string {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '=' || !unicode.IsPrint(r)
	}) {
		return strconv.Quote(s)
	}
	return s
}
