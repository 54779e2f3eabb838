package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
)

// wire is a platform at the other end of a connection, so its responses are read by package net/http.
type wire struct {
	*http.Transport
	platform *platform
	ctx      context.Context // of all connections

	mu    sync.Mutex
	calls []any // by the number in the header callHeader
}

// callHeader is the header that identifies the call of a request to the platform.
const callHeader = "X-Hostile-Call"

func newWire(ctx context.Context, p *platform) *wire {
	w := &wire{platform: p, ctx: ctx}
	w.Transport = &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go w.serve(server)
		return client, nil
	}}
	return w
}

// RoundTrip sends a request through a connection.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls = append(w.calls, req.Context().Value(callKey{}))
	number := len(w.calls) - 1
	w.mu.Unlock()
	sent := req.Clone(req.Context())
	sent.Header.Set(callHeader, strconv.Itoa(number))
	return w.Transport.RoundTrip(sent)
}

// serve answers one request.
func (w *wire) serve(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	from := bufio.NewReader(conn)
	req, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	go func() { // until the client closes the connection
		_, _ = io.Copy(io.Discard, from)
		cancel()
	}()
	number, err := strconv.Atoi(req.Header.Get(callHeader))
	if err != nil {
		return
	}
	w.mu.Lock()
	ctx = context.WithValue(ctx, callKey{}, w.calls[number])
	w.mu.Unlock()
	req.Header.Del(callHeader)
	resp, err := w.platform.RoundTrip(w.request(ctx, req, body))
	if err != nil {
		return // the connection breaks
	}
	defer resp.Body.Close()
	_ = w.write(conn, resp, rand.New(rand.NewPCG(w.platform.seed, uint64(number))))
}

// request returns a received request in the form in which its sender made it.
func (w *wire) request(ctx context.Context, req *http.Request, body []byte) *http.Request {
	target := &url.URL{Scheme: "https", Host: req.Host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	again := &http.Request{Method: req.Method, URL: target, Host: req.Host, Header: req.Header, ContentLength: int64(len(body))}
	if len(body) > 0 {
		again.Body = io.NopCloser(bytes.NewReader(body))
	}
	return again.WithContext(ctx)
}

// write writes a response, sometimes with errors in the framing of the body.
func (w *wire) write(to io.Writer, resp *http.Response, random *rand.Rand) error {
	odd := func(rightly string, wrongly ...string) string {
		if random.Float64() < w.platform.rate/10 {
			return pick(random, wrongly...)
		}
		return rightly
	}
	if _, err := fmt.Fprintf(to, "%s %s\r\n", odd("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "TTP", ""), resp.Status); err != nil {
		return err
	}
	resp.Header.Del("Content-Length")
	for name, values := range resp.Header {
		for _, value := range values {
			if _, err := fmt.Fprintf(to, "%s: %s\r\n", name, value); err != nil {
				return err
			}
		}
	}
	if resp.ContentLength >= 0 && random.IntN(2) == 0 {
		length := strconv.FormatInt(resp.ContentLength, 10)
		if _, err := fmt.Fprintf(to, "Content-Length: %s\r\n\r\n", odd(length, "0", "1", "-1", "x", length+"0", "99999999999999999999", length+"\r\nContent-Length: 7")); err != nil {
			return err
		}
		_, err := io.Copy(to, resp.Body)
		return err
	}
	if _, err := fmt.Fprintf(to, "Transfer-Encoding: %s\r\n\r\n", odd("chunked", "gzip", "chunked, chunked", "identity", "x")); err != nil {
		return err
	}
	chunks := httputil.NewChunkedWriter(to)
	if _, err := io.Copy(chunks, resp.Body); err != nil {
		return err
	}
	_, err := io.WriteString(to, odd("0\r\n\r\n", "", "0", "-1\r\n\r\n", "ffffffffffffffffff\r\n", "5;x=y\r\nab", "0\r\nTrailer: x\r\n\r\n", "0\r\n"+odd("\x00", "\r")))
	return err
}
