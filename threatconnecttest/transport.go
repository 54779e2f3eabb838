package threatconnecttest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// RoundTrip answers a request in the process, as [http.Transport] would over a connection: it
// reads and closes the body, checks the headers, minds the context, undoes compression that the
// caller did not ask for, and returns transport errors for injected faults. It never changes req.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	if err := checkRequest(req); err != nil {
		return nil, err
	}
	if req.URL.Host != inProcessHost {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: req.URL.Hostname(), IsNotFound: true}}
	}
	var a *answer
	if req.URL.Scheme != "https" {
		a = fail(http.StatusForbidden, msgHTTPS)
	} else if a, err = s.exchange(req.Context(), withMethod(req), req.URL.RequestURI(), body); err != nil {
		return nil, err
	}
	return a.response(req), nil
}

// withMethod returns a request whose method is set: none means GET, as for http.Transport.
func withMethod(req *http.Request) *http.Request {
	if req.Method != "" {
		return req
	}
	got := req.WithContext(req.Context())
	got.Method = http.MethodGet
	return got
}

// ServeHTTP answers a request that came over a port. Plain HTTP is taken: a test's port has no
// certificate.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the way to drop a connection: the client is gone
	}
	a, err := s.exchange(r.Context(), r, r.RequestURI, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	if a.stream == nil {
		_, _ = w.Write(a.body) // the client may have left
		return
	}
	if _, err := io.Copy(w, &contextReader{r.Context(), a.stream}); err != nil {
		_ = http.NewResponseController(w).Flush() // what was written arrives
		panic(http.ErrAbortHandler)
	}
}

// exchange runs a request through the faults and the handler.
func (s *Server) exchange(ctx context.Context, r *http.Request, target string, body []byte) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := s.faultFor(r.Method, target)
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-t.C:
		}
	}
	if f.before() {
		a, err := f.strike(nil)
		s.record(r, target, body, a, f)
		return a, err
	}
	a := s.handle(r, target, body, f)
	return f.strike(a)
}

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if req.ContentLength > 0 && req.ContentLength < 1<<30 {
		b.Grow(int(req.ContentLength) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(req.Body); err != nil {
		return nil, err
	}
	if n := req.ContentLength; n > 0 && n != int64(b.Len()) {
		return nil, fmt.Errorf("http: ContentLength=%d with Body length %d", n, b.Len())
	}
	return b.Bytes(), nil
}

// checkRequest refuses what http.Transport refuses.
func checkRequest(req *http.Request) error {
	switch {
	case req.URL == nil:
		return errors.New("http: nil Request.URL")
	case req.Header == nil:
		return errors.New("http: nil Request.Header")
	case req.URL.Host == "":
		return errors.New("http: no Host in request URL")
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return fmt.Errorf("unsupported protocol scheme %q", req.URL.Scheme)
	}
	for k, vv := range req.Header {
		if k == "" || strings.ContainsAny(k, " \t\r\n\x00:") {
			return fmt.Errorf("net/http: invalid header field name %q", k)
		}
		for _, v := range vv {
			if strings.ContainsAny(v, "\r\n\x00") {
				return fmt.Errorf("net/http: invalid header field value for %q", k)
			}
		}
	}
	return nil
}

// response makes what http.Transport would return.
func (a *answer) response(req *http.Request) *http.Response {
	resp := &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header.Clone(),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
	r := a.stream
	if r != nil {
		resp.ContentLength = -1
	} else {
		r = bytes.NewReader(a.body)
		resp.Header.Set("Content-Length", fmt.Sprint(len(a.body)))
	}
	r = &contextReader{req.Context(), r}
	if a.header.Get("Content-Encoding") == "gzip" && headerValue(req.Header, "Accept-Encoding") == "" {
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		resp.Uncompressed = true
		r = &gunzipReader{from: r}
	}
	resp.Body = io.NopCloser(r)
	return resp
}

// contextReader ends with the context's error when the context is done, as a connection does.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// gunzipReader starts with the first read, so that a bad stream is the reader's error.
type gunzipReader struct {
	from io.Reader
	z    *gzip.Reader
	err  error
}

func (r *gunzipReader) Read(p []byte) (int, error) {
	if r.z == nil && r.err == nil {
		r.z, r.err = gzip.NewReader(r.from)
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.z.Read(p)
}

// errReset is what a connection gives that the other side has reset.
func errReset(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
}
