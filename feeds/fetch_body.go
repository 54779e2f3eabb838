package feeds

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

var (
	errStalled = errors.New("no data came for 2 minutes")
	errClosed  = errors.New("feeds: the body of the feed is closed")
)

// transfer is the body of a response as it is transferred.
type transfer struct {
	fetch  *fetch
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer // runs while data is waited for
	body   io.ReadCloser
}

// cause returns the reason for which the request was canceled, if it was, and else err.
func (b *transfer) cause(err error) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	return err
}

func (b *transfer) Read(p []byte) (int, error) {
	b.timer.Reset(stallTimeout)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = b.cause(err)
	}
	return n, err
}

// end ends the request.
func (b *transfer) end() {
	b.timer.Stop()
	b.cancel(errClosed)
	if b.body != nil {
		_ = b.body.Close()
	}
}

// body is the body of a Download: decompressed, limited, and with errors that report the number of bytes read.
type body struct {
	in     io.Reader
	from   *transfer
	read   int64
	closed atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errClosed
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("feeds: the feed from %q broke off after %d bytes: %w", b.from.fetch.url.Host, b.read, b.from.fetch.broken(err))
	}
	return n, err
}

// Close ends the download, even while another goroutine reads. It may be called twice.
func (b *body) Close() error {
	b.closed.Store(true)
	b.from.end()
	b.from.fetch.release()
	return nil
}

// unpack returns the body to read, and whether the feed itself is a gzip file. It waits for the first bytes.
func (r *fetch) unpack(b *transfer, encoded bool) (io.ReadCloser, bool, error) {
	in := bufio.NewReader(&limited{in: b, left: r.max, fetch: r})
	if encoded {
		if _, err := in.Peek(1); err != io.EOF { // some servers send no encoding of an empty body
			unzipped, err := r.gunzip(in)
			if err != nil {
				return nil, false, err
			}
			in = bufio.NewReader(unzipped)
		}
	}
	start, err := in.Peek(2)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	if string(start) != "\x1f\x8b" {
		return &body{in: in, from: b}, false, nil
	}
	unzipped, err := r.gunzip(in)
	return &body{in: unzipped, from: b}, true, err
}

// gunzip decompresses up to the size limit.
func (r *fetch) gunzip(in io.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(in)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &limited{in: z, left: r.max, fetch: r}, err
}

// limited is a reader that returns an error instead of the byte after the limit.
type limited struct {
	in    io.Reader
	left  int64
	fetch *fetch
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p))-1 > l.left {
		p = p[:l.left+1]
	}
	n, err := l.in.Read(p)
	if int64(n) > l.left {
		n, err = int(l.left), l.fetch.tooLarge()
	}
	l.left -= int64(n)
	return n, err
}

func (r *fetch) tooLarge() error {
	return &fetchError{text: fmt.Sprintf("the feed has more than %d bytes: check the URL, or raise the size limit", r.max)}
}

// broken returns an error of the transport or of gzip with a text that shows no credential.
func (r *fetch) broken(err error) error {
	if e, ok := errors.AsType[*fetchError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*threatconnect.ValidationError](err); ok { // the proxy
		return &fetchError{text: strings.TrimPrefix(e.Error(), "threatconnect: "), err: e}
	}
	e := &fetchError{text: err.Error(), err: err, again: true}
	dns, _ := errors.AsType[*net.DNSError](err)
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted || dns != nil && dns.IsNotFound {
		e.again = false
	}
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		e.text = "its gzip data is damaged: " + err.Error()
	}
	for _, secret := range r.secrets() {
		if strings.Contains(e.text, secret) {
			return &fetchError{text: fmt.Sprintf("the transport returned an error of type %T", err), again: e.again}
		}
	}
	return e
}

// minSecret is the length of the shortest text that errors are searched for. Shorter texts, as in "?page=1", are too
// common.
const minSecret = 4

// secrets returns the parts of the request that must not be in an error.
func (r *fetch) secrets() []string {
	password, _ := r.user.Password()
	all := []string{r.user.Username(), password}
	for _, u := range slices.Concat(r.redirects, []*url.URL{r.url}) { // a signed URL is often the target of a redirect
		all = append(all, u.Path, u.EscapedPath(), u.RawQuery)
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	for _, values := range r.Header {
		all = append(all, values...)
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecret })
}
