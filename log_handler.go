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

// LogHandlerOptions says how a [LogHandler] works. Nil and the zero value stand for the defaults
// given at the fields.
type LogHandlerOptions struct {
	Level  slog.Leveler // the least level that is kept; nil means slog.LevelInfo
	Buffer int          // how many entries wait to be sent at most; 0 means 10,000
	Batch  int          // how many entries a request carries at most; 0 means 500
}

// mostLogBytes bounds the messages that wait, whatever their number.
const mostLogBytes = 16 << 20

// LogHandler is a [slog.Handler] that sends records to the platform. It is made by
// [LogsService.NewHandler] and is safe for concurrent use.
//
// Logging never waits and never sends: records go into a buffer. When it is full, because of their
// number or because their messages take 16 MiB, new records are dropped and counted. What is in the buffer is sent by [LogHandler.Flush] and [LogHandler.Close],
// and in the background only after [LogHandler.Start]. A message is sent with the record's
// attributes behind it, as key=value.
type LogHandler struct {
	b      *logBuffer
	level  slog.Leveler
	attrs  string // of WithAttrs, written out
	prefix string // of WithGroup, with a dot at the end of every name
}

// logBuffer is what a handler and those derived from it share.
type logBuffer struct {
	logs  LogsService
	batch int
	most  int
	turn  chan struct{} // held by the one who sends
	full  chan struct{} // tells the background that a batch is complete

	mu      sync.Mutex
	waiting []LogEntry
	bytes   int // of the messages that wait
	dropped int64
	closed  bool
	stop    context.CancelFunc // ends the background; nil when there is none
	done    chan struct{}      // closed when the background has ended
}

// NewHandler returns a handler that keeps records until they are sent. It sends nothing and starts
// nothing. Close it in the end, or what it holds is lost.
//
// A negative number in the options is a [*ValidationError].
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

// sendingLogs marks the context of requests that carry log entries: what the client itself logs
// about them must not become log entries to send.
type sendingLogs struct{}

// Enabled reports whether records of a level are kept.
func (h *LogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle puts a record into the buffer, or drops and counts it when there is no room or the handler
// is closed. It never fails.
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
	// One message that is not UTF-8 would keep its whole batch from being sent.
	message := strings.ToValidUTF8(strings.TrimPrefix(b.String(), " "), "\ufffd")
	if message == "" {
		message = "-" // the platform wants one
	}
	h.b.keep(LogEntry{Time: r.Time, Level: logLevel(r.Level), Message: message})
	return nil
}

// WithAttrs returns a handler with the same buffer whose records have attrs too.
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

// WithGroup returns a handler with the same buffer whose records have the names of their attributes
// begin with name and a dot.
func (h *LogHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

// Dropped returns how many records were lost: because the buffer was full, because a request failed
// that may have arrived, or because the handler was closed.
func (h *LogHandler) Dropped() int64 { return h.b.lost() }

func (b *logBuffer) lost() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Start begins to send in the background: whenever a batch is complete, and the records in the buffer
// every interval (0 means 10 seconds), until ctx ends or the handler is closed. Errors are visible in
// [LogHandler.Dropped] only. A second Start returns a [*ValidationError], unless the context of the first
// has ended.
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
		_ = b.flush(ctx) // what is lost is counted
	}
}

// Flush sends the records that are in the buffer when it is called, with a request per batch. It stops
// at the first request that fails. The records of that request stay in the buffer if they are known not
// to have arrived: the request was not sent, or the platform refused it with 401, 403, 429 or 503.
// Otherwise they are dropped and counted, because sending them again could write them twice.
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
			return nil // somebody else has closed the handler
		}
		left -= len(entries)
		if err := ctx.Err(); err != nil {
			b.putBack(entries)
			return contextErr(ctx)
		}
		if err := b.logs.Send(context.WithValue(ctx, sendingLogs{}, true), entries...); err != nil {
			if notArrived(err) {
				b.putBack(entries)
			} else {
				b.drop(len(entries))
			}
			return err
		}
	}
	return nil
}

// Close stops the background sending of [LogHandler.Start] and sends the records in the buffer. Later
// records are dropped and counted. If ctx ends first, the rest is dropped and counted. Close is
// idempotent.
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
		// The background is told to end between two requests: ending one would lose its entries.
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

// keep puts an entry into the buffer if there is room.
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

// take takes a batch of at most n entries out of the buffer.
func (b *logBuffer) take(n int) []LogEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, b.batch, len(b.waiting))
	entries := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.bytes -= messageBytes(entries)
	return entries
}

func (b *logBuffer) putBack(entries []LogEntry) {
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

// notArrived reports whether err says that the platform has taken nothing, and would perhaps take it
// later.
func notArrived(err error) bool {
	if api, ok := errors.AsType[*APIError](err); ok {
		switch api.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return true
		}
		return false
	}
	if request, ok := errors.AsType[*RequestError](err); ok && request.Attempts == 0 {
		return true // its context ended, or the limiter refused it
	}
	return errors.Is(err, errUnsent) || neverConnected(err)
}

// logLevel is the platform's level for one of slog's.
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

// writeAttr writes " prefix.key=value", and the members of a group one by one.
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

// quotedIfNeeded quotes a text that would not be one word.
func quotedIfNeeded(s string) string {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '=' || !unicode.IsPrint(r)
	}) {
		return strconv.Quote(s)
	}
	return s
}
