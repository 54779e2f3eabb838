package threatconnecttest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RoundTrip responds to a request in process, as [http.Transport] would over a connection: it reads
// and closes the body, validates the header, respects the context, undoes compression that the
// caller did not request, and returns transport errors for injected faults. It does not modify req.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := checkRequest(req); err != nil {
		return nil, err
	}
	if req.URL.Host != inProcessHost {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: req.URL.Hostname(), IsNotFound: true}}
	}
	a, err := s.exchange(&arrival{req: withMethod(req), target: req.URL.RequestURI(), plain: req.URL.Scheme != "https"})
	if err != nil {
		return nil, err
	}
	return a.response(req), nil
}

// withMethod returns a request with a method. An empty method means GET, as in http.Transport.
func withMethod(req *http.Request) *http.Request {
	if req.Method != "" {
		return req
	}
	got := req.WithContext(req.Context())
	got.Method = http.MethodGet
	return got
}

// ServeHTTP responds to a request from a port. It accepts plain HTTP because test ports have no
// certificates.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.exchange(&arrival{req: r, target: r.RequestURI})
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge { // from a handler that wraps this one
		http.Error(w, "The request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		reset(w)
		return
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone
	if a.rest == nil {
		return
	}
	if _, err := io.Copy(w, &contextReader{r.Context(), a.rest}); err != nil {
		_ = http.NewResponseController(w).Flush() // deliver the part written so far
		panic(http.ErrAbortHandler)               // aborts the response
	}
}

// reset resets the connection of a request without a response.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // drops a connection that is not HTTP/1
	}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // reset the connection instead of closing it
	}
	_ = conn.Close()
}

// arrival is a request during its processing.
type arrival struct {
	req       *http.Request
	target    string // as received
	plain     bool   // whether it lacks the TLS that the platform requires
	start     time.Time
	fault     strike
	discarded bool // the body is discarded because it is long and the request will be refused
	body      []byte
	size      int64 // bytes read from the body
}

// exchange reads and answers a request.
func (s *Server) exchange(in *arrival) (*answer, error) {
	if err := context.Cause(in.req.Context()); err != nil {
		return nil, err
	}
	in.start = time.Now()
	if !in.plain {
		in.fault = s.faultFor(in.req.Method, in.target)
	}
	in.discarded = (in.req.ContentLength < 0 || in.req.ContentLength > longBody) && !s.accepts(in)
	if err := in.read(); err != nil {
		s.recordUnread(in)
		return nil, err
	}
	return s.answer(in)
}

// longBody is the size in bytes above which a body is kept only with correct credentials.
// Otherwise, any client that can reach the port could exhaust the memory.
const longBody = 64 << 10

// accepts reports whether a request has an endpoint and correct credentials.
func (s *Server) accepts(in *arrival) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newCall(in.req, nil)
	return c.parse(in.target) == nil && c.verify(in.target) == nil
}

// read reads the body, as far and as fast as the fault permits.
func (in *arrival) read() error {
	var b bytes.Buffer
	var err error
	switch in.fault.Kind {
	case FaultEarlyStatus:
	case FaultCutUpload, FaultSlowUpload:
		most := int64(halfUnknown)
		if in.req.ContentLength > 0 {
			most = in.req.ContentLength / 2
		}
		err = in.readUpTo(&b, most)
	default:
		err = in.readUpTo(&b, math.MaxInt64)
	}
	if err == nil && in.fault.Delay > 0 {
		err = wait(in.req.Context(), in.fault.Delay)
	}
	if err == nil && in.fault.Kind == FaultSlowUpload {
		err = in.readUpTo(&b, math.MaxInt64)
	}
	in.body = b.Bytes()
	return err
}

// halfUnknown is the size of half of a body with unknown length.
const halfUnknown = 32 << 10

// maxPrealloc is the maximum size of the buffer, in bytes, that an announced length allocates.
const maxPrealloc = 16 << 20

// readUpTo reads at most n more bytes of the body.
func (in *arrival) readUpTo(b *bytes.Buffer, n int64) error {
	if in.req.Body == nil {
		return nil
	}
	announced := in.req.ContentLength
	if room := min(announced-in.size, n, maxPrealloc); room > 0 && !in.discarded {
		b.Grow(int(room) + bytes.MinRead)
	}
	from := io.LimitReader(in.req.Body, n)
	var read int64
	var err error
	if in.discarded {
		read, err = io.Copy(io.Discard, from)
	} else {
		read, err = b.ReadFrom(from)
	}
	in.size += read
	if err != nil {
		return err
	}
	if n == math.MaxInt64 && announced > 0 && announced != in.size {
		return fmt.Errorf("http: ContentLength=%d with Body length %d", announced, in.size)
	}
	return nil
}

// wait waits for d, or returns the cause of the context's end.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// checkRequest refuses the requests that http.Transport refuses.
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

// response returns the answer in the form of http.Transport.
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
	var r io.Reader = bytes.NewReader(a.body)
	if a.rest != nil {
		resp.ContentLength = -1
		r = io.MultiReader(r, a.rest)
	} else {
		resp.Header.Set("Content-Length", strconv.Itoa(len(a.body)))
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

// contextReader returns the cause of the context once the context is done, as a connection does.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// gunzipReader starts at the first read, so an invalid stream is an error of the reader.
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

// errReset is the error of a connection that the peer has reset.
func errReset(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
}
