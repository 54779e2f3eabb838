package threatconnect

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

var errStalled = errors.New("no byte moved within the stall timeout")

// watch ends an attempt in which nothing moves. Its clock runs while the attempt is sent and waited
// for, and during every read of the answer; a caller that takes its time between reads stalls
// nothing.
//
// A watch is also the context of the attempt's request: so RouteFrom costs no allocation.
type watch struct {
	context.Context
	parent context.Context // of the attempt, before it was watched
	call   *call
	cancel context.CancelCauseFunc
	after  time.Duration

	mu     sync.Mutex
	timer  *time.Timer // nil when nothing is watched
	paused bool        // the clock is stopped: the answer is there and nobody reads it
}

// newWatch returns the watch of an attempt. Its clock runs from start on; 0 means that no clock ever
// does, but stop still ends the attempt.
func newWatch(ctx context.Context, call *call, after time.Duration) *watch {
	w := &watch{parent: ctx, call: call, after: after}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	return w
}

// start starts the clock.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.after > 0 {
		w.timer = time.AfterFunc(w.after, func() { w.cancel(errStalled) })
	}
}

// Value returns the attempt's call for [RouteFrom], and otherwise what the caller's context holds.
func (w *watch) Value(key any) any {
	if _, ok := key.(routeKey); ok {
		return w.call
	}
	return w.Context.Value(key)
}

// moved says that a byte of the request moved.
func (w *watch) moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil && !w.paused {
		w.timer.Reset(w.after)
	}
}

// rest stops the clock, or starts it again.
func (w *watch) rest(rests bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = rests
	switch {
	case w.timer == nil:
	case rests:
		w.timer.Stop()
	default:
		w.timer.Reset(w.after)
	}
}

// stop ends the attempt and frees what belongs to it.
func (w *watch) stop() {
	w.cancel(nil)
	w.rest(true)
}

// explain says why an attempt failed when it was ended from outside: by its caller or as stalled.
func (w *watch) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case w.parent.Err() != nil:
		return withContextErr(w.parent, err)
	case errors.Is(context.Cause(w.Context), errStalled) && !errors.Is(err, errUnsent):
		return fmt.Errorf("%w of %s", errStalled, w.after)
	}
	return err
}

// withContextErr makes sure that an error of something whose context has ended says so, whatever cause the
// context was given.
func withContextErr(ctx context.Context, err error) error {
	if why := ctx.Err(); why != nil && !errors.Is(err, why) {
		return fmt.Errorf("%w: %w", why, err)
	}
	return err
}

// contextErr says why a context has ended: by its error and, where it was given one, its cause.
func contextErr(ctx context.Context) error { return withContextErr(ctx, context.Cause(ctx)) }

// sending is a request body whose progress is watched.
type sending struct {
	io.ReadCloser
	watch *watch
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if n > 0 {
		s.watch.moved()
	}
	if err != nil && err != io.EOF {
		err = &contentError{err}
	}
	return n, err
}

// body is an answer's body: watched, decompressed and then capped. Closing it ends the attempt.
type body struct {
	raw    io.ReadCloser
	from   io.Reader // raw, or what decompresses it
	watch  *watch
	left   int64 // how many bytes may still come; below 0 for any number
	closed sync.Once
}

// receive puts a body around that of an answer. limit caps it; below 0 it is not capped.
func receive(resp *http.Response, watch *watch, limit int64) {
	watch.rest(true)
	b := &body{raw: resp.Body, from: resp.Body, watch: watch, left: limit}
	if enc := strings.ToLower(resp.Header.Get("Content-Encoding")); enc != "" && enc != "identity" && !resp.Uncompressed {
		b.from = &unzip{raw: b.raw, encoding: enc}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	}
	resp.Body = b
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.watch.rest(false)
	defer b.watch.rest(true)
	if b.left == 0 {
		// One byte more tells a body of just the allowed size from a larger one.
		var one [1]byte
		n, err := io.ReadFull(b.from, one[:])
		if n > 0 {
			return 0, ErrResponseTooLarge
		}
		return 0, b.failed(err)
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.from.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	return n, b.failed(err)
}

// failed marks a read error as what it is: a broken answer, unless the attempt was ended.
func (b *body) failed(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	err = b.watch.explain(b.watch.call.transportError(b.watch.Context, err))
	if b.watch.parent.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: the body broke off: %w", ErrBadResponse, err)
}

func (b *body) Close() error {
	var err error
	b.closed.Do(func() {
		b.watch.stop()
		err = b.raw.Close()
	})
	return err
}

// knownEncoding returns the name of a content encoding for an error text, if it is a known one.
func knownEncoding(encoding string) string {
	switch encoding {
	case "br", "compress", "deflate", "zstd":
		return strconv.Quote(encoding)
	}
	return "of an unknown name"
}

// unzip undoes a gzip encoding that the transport left in place.
type unzip struct {
	raw      io.Reader
	encoding string
	from     io.Reader // what is read; nil before the first read
}

func (u *unzip) Read(p []byte) (int, error) {
	if u.from == nil {
		if u.encoding != "gzip" && u.encoding != "x-gzip" {
			return 0, ownError("content encoding " + knownEncoding(u.encoding) + " was not asked for")
		}
		br := bufio.NewReader(u.raw)
		if _, err := br.Peek(1); err != nil {
			return 0, err // an empty body has nothing to undo
		}
		z, err := gzip.NewReader(br)
		if err != nil {
			return 0, err
		}
		u.from = z
	}
	return u.from.Read(p)
}
