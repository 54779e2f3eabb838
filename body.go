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

// watch cancels an attempt that transfers no data. Its timer runs while the request is sent, while the
// client waits for the response, and during every read of the response, but not between reads.
//
// A watch is also the context of the request, so [RouteFrom] needs no allocation.
type watch struct {
	context.Context
	parent context.Context // of the attempt, before it was watched
	call   *call
	cancel context.CancelCauseFunc
	after  time.Duration

	mu     sync.Mutex
	timer  *time.Timer // nil without a timeout
	paused bool        // whether the timer is stopped between reads of the response
}

// newWatch returns the watch of an attempt, whose timer starts with start. 0 means no timeout; stop still
// ends the attempt.
func newWatch(ctx context.Context, call *call, after time.Duration) *watch {
	w := &watch{parent: ctx, call: call, after: after}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	return w
}

// start starts the timer.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.after > 0 {
		w.timer = time.AfterFunc(w.after, func() { w.cancel(errStalled) })
	}
}

// Value returns the call for [RouteFrom], and otherwise the value of the caller's context.
func (w *watch) Value(key any) any {
	if _, ok := key.(routeKey); ok {
		return w.call
	}
	return w.Context.Value(key)
}

// moved resets the timer because a byte of the request was sent.
func (w *watch) moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil && !w.paused {
		w.timer.Reset(w.after)
	}
}

// pause stops the timer, or restarts it.
func (w *watch) pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
	switch {
	case w.timer == nil:
	case paused:
		w.timer.Stop()
	default:
		w.timer.Reset(w.after)
	}
}

// stop ends the attempt and releases its resources.
func (w *watch) stop() {
	w.cancel(nil)
	w.pause(true)
}

// explain returns the cause of err if the attempt was canceled by its caller or by the stall timeout.
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

// withContextErr returns err, wrapped so that it matches the error of ctx if ctx has ended.
func withContextErr(ctx context.Context, err error) error {
	if why := ctx.Err(); why != nil && !errors.Is(err, why) {
		return fmt.Errorf("%w: %w", why, err)
	}
	return err
}

// contextErr returns the error of an ended context, including its cause.
func contextErr(ctx context.Context) error { return withContextErr(ctx, context.Cause(ctx)) }

// sending is a request body that reports its progress to a watch.
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

// body is a response body that is watched, decompressed and limited. Closing it ends the attempt.
type body struct {
	raw    io.ReadCloser
	from   io.Reader // raw, or its decompressor
	watch  *watch
	left   int64 // number of bytes that may still be read; negative means no limit
	closed sync.Once
}

// receive wraps the body of a response. A negative limit means no limit.
func receive(resp *http.Response, watch *watch, limit int64) {
	watch.pause(true)
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
	b.watch.pause(false)
	defer b.watch.pause(true)
	if b.left == 0 {
		// One more byte distinguishes a body of exactly the limit from a larger one.
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

// failed returns the error of a failed read: an invalid response, unless the caller's context has ended.
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

// knownEncoding returns the name of a content encoding for an error text. It returns only known names,
// because the header is foreign text.
func knownEncoding(encoding string) string {
	switch encoding {
	case "br", "compress", "deflate", "zstd":
		return strconv.Quote(encoding)
	}
	return "of an unknown name"
}

// unzip decompresses a gzip encoding that the transport did not.
type unzip struct {
	raw      io.Reader
	encoding string
	from     io.Reader // decompressed; nil before the first read
}

func (u *unzip) Read(p []byte) (int, error) {
	if u.from == nil {
		if u.encoding != "gzip" && u.encoding != "x-gzip" {
			return 0, ownError("content encoding " + knownEncoding(u.encoding) + " was not asked for")
		}
		br := bufio.NewReader(u.raw)
		if _, err := br.Peek(1); err != nil {
			return 0, err // an empty body is not compressed
		}
		z, err := gzip.NewReader(br)
		if err != nil {
			return 0, err
		}
		u.from = z
	}
	return u.from.Read(p)
}
