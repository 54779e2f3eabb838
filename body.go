package threatconnect

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

var errStalled = errors.New("no byte moved within the stall timeout")

// watch ends an attempt in which nothing moves.
type watch struct {
	cancel context.CancelCauseFunc
	ctx    context.Context
	timer  *time.Timer
	after  time.Duration
}

// newWatch starts to watch an attempt; 0 watches nothing but still lets the attempt be ended.
func newWatch(ctx context.Context, after time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel, ctx: ctx, after: after}
	if after > 0 {
		w.timer = time.AfterFunc(after, func() { cancel(errStalled) })
	}
	return ctx, w
}

// moved says that a byte moved.
func (w *watch) moved() {
	if w.timer != nil && w.ctx.Err() == nil {
		w.timer.Reset(w.after)
	}
}

// stop ends the attempt and frees what belongs to it.
func (w *watch) stop(err error) {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(err)
}

// cause replaces the cancellation that a stalled attempt ends with by its reason.
func (w *watch) cause(err error) error {
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return fmt.Errorf("%w of %s", errStalled, w.after)
	}
	return err
}

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
	return n, err
}

// body is an answer's body: watched, and capped once it is decompressed. Closing it ends the
// attempt.
type body struct {
	raw    io.ReadCloser
	unzip  io.Reader // reads raw; nil when it is not compressed
	watch  *watch
	left   int64 // how many bytes may still come; below 0 for any number
	closed sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		// One byte more tells a body of just the allowed size from a larger one.
		var one [1]byte
		n, err := b.source().Read(one[:])
		if n > 0 {
			return 0, ErrBodyTooLarge
		}
		return 0, b.failed(err)
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.source().Read(p)
	if n > 0 {
		b.watch.moved()
		if b.left > 0 {
			b.left -= int64(n)
		}
	}
	return n, b.failed(err)
}

func (b *body) source() io.Reader {
	if b.unzip != nil {
		return b.unzip
	}
	return b.raw
}

// failed marks a read error as what it is: a broken answer, unless the caller's context ended.
func (b *body) failed(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	err = b.watch.cause(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: the body broke off: %w", ErrResponse, err)
}

func (b *body) Close() error {
	var err error
	b.closed.Do(func() {
		err = b.raw.Close()
		b.watch.stop(nil)
	})
	return err
}

// decompress undoes a gzip encoding that the transport left in place.
func decompress(resp *http.Response) error {
	b, ok := resp.Body.(*body)
	if !ok || resp.Uncompressed {
		return nil
	}
	switch enc := strings.ToLower(resp.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		br := bufio.NewReader(b.raw)
		if _, err := br.Peek(1); err == io.EOF {
			return nil // an empty body has nothing to undo
		}
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("%w: it says that it is gzip and is not: %w", ErrResponse, b.watch.cause(err))
		}
		b.unzip = z
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
		return nil
	default:
		return fmt.Errorf("%w: content encoding %s was not asked for", ErrResponse, quoteForeign(enc))
	}
}
