package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxResponse = 1 << 20         // of the client under test
	maxSent     = 2 * maxResponse // by the platform, before compression
	maxRequests = 3000            // of a case; then its context is canceled
)

// platform changes the responses of its server.
type platform struct {
	inner   http.RoundTripper // returns correct responses
	secrets *secrets
	seed    uint64
	rate    float64 // share of responses to change
	kinds   []kind  // kinds of changes
	origin  string  // with the prefix of the path, to which all requests must go
	stop    context.CancelFunc

	mu       sync.Mutex
	counts   map[string]int // of requests by method and path
	requests int
	left     int               // requests until the context is canceled
	bodies   [][]byte          // of responses, to replace others
	first    map[string][]byte // answer to each path
	nodes    []*node           // the same as JSON
	broken   []string          // violated guarantees
}

// newPlatform returns a platform whose behavior is determined by the seed.
func newPlatform(inner http.RoundTripper, seed uint64, origin string, stop context.CancelFunc) *platform {
	p := &platform{inner: inner, secrets: &secrets{}, seed: seed, origin: origin, stop: stop, left: maxRequests, counts: map[string]int{}, first: map[string][]byte{}}
	random := rand.New(rand.NewPCG(seed, 2))
	p.rate = pick(random, 0.05, 0.2, 0.5, 1)
	if random.IntN(3) == 0 { // one kind only
		p.kinds = []kind{kind(random.IntN(int(kinds)))}
		return p
	}
	for k := range kinds {
		if random.IntN(2) == 0 {
			p.kinds = append(p.kinds, k)
		}
	}
	p.kinds = append(p.kinds, kindJSON, kindJSON, kindJSON)
	return p
}

// RoundTrip answers a request.
func (p *platform) RoundTrip(req *http.Request) (*http.Response, error) {
	random := p.begin(req)
	if err := sleep(req.Context(), 10*time.Millisecond); err != nil { // every request takes time, so contexts end
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := p.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSent))
	if err != nil {
		return nil, err
	}
	p.remember(req.URL.Path, body)
	if random.Float64() >= p.rate {
		return answer(resp, body), nil
	}
	a := &attack{platform: p, random: random, req: req, resp: resp, body: body}
	for range 1 + random.IntN(2) {
		if err := a.change(pick(random, p.kinds...)); err != nil {
			return nil, err
		}
	}
	resp = answer(resp, a.body)
	if a.wrap != nil {
		resp.Body = io.NopCloser(a.wrap(resp.Body))
		resp.ContentLength = -1
	}
	if a.length != 0 {
		resp.ContentLength = a.length
		resp.Header.Set("Content-Length", strconv.FormatInt(a.length, 10))
	}
	return resp, nil
}

// limit sets the context to cancel when there are too many requests, and restarts counting.
func (p *platform) limit(stop context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.stop = maxRequests, stop
}

// begin records a request and returns the source of randomness for its response. It depends on the number of earlier
// requests to the same path, so parallel requests do not depend on their order.
func (p *platform) begin(req *http.Request) *rand.Rand {
	if signature, ok := strings.CutPrefix(req.Header.Get("Authorization"), "TC "+accessID+":"); ok {
		p.secrets.add(req.Context(), signature)
	} else if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "TC-Token "); ok {
		p.secrets.add(req.Context(), token)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath(); !strings.HasPrefix(got, p.origin) {
		p.broken = append(p.broken, "a request went to "+got)
	}
	p.requests++
	if p.left--; p.left < 0 {
		p.stop()
	}
	h := fnv.New64a()
	key := req.Method + " " + req.URL.EscapedPath()
	p.counts[key]++
	fmt.Fprint(h, key, p.counts[key])
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

// remember keeps a response for later ones.
func (p *platform) remember(path string, body []byte) {
	n := parseJSON(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first[path] == nil {
		p.first[path] = body
	}
	if len(p.bodies) < 50 && len(body) < 50_000 {
		p.bodies = append(p.bodies, body)
		if n != nil {
			p.nodes = append(p.nodes, n)
		}
	}
}

// answer returns a response with another body.
func answer(resp *http.Response, body []byte) *http.Response {
	resp.Body = io.NopCloser(&reader{ctx: resp.Request.Context(), from: bytes.NewReader(body)})
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp
}

// reader reads until a context ends, as a connection does. It waits before each read.
type reader struct {
	ctx  context.Context
	from io.Reader
	wait time.Duration
	most int // maximum bytes per read; 0 for any number
}

func (r *reader) Read(b []byte) (int, error) {
	if err := sleep(r.ctx, r.wait); err != nil {
		return 0, err
	}
	if r.most > 0 && len(b) > r.most {
		b = b[:r.most]
	}
	return r.from.Read(b)
}

// sleep waits, or returns the reason why the context has ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	return context.Cause(ctx)
}
