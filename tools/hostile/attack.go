package main

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kind is a kind of change of a response.
type kind int

const (
	kindJSON kind = iota
	kindBytes
	kindStatus
	kindHeaders
	kindEncoding
	kindTime
	kindBreak
	kindEcho
	kindSwap
	kindRedirect
	kindErrorFile
	kindEndless
	kindState
	kinds
)

// attack is the change of one response.
type attack struct {
	*platform
	random *rand.Rand
	req    *http.Request
	resp   *http.Response
	body   []byte
	wrap   func(io.Reader) io.Reader
	length int64 // claimed length of the response, if not 0
}

// oddHeaders are headers that the client may read, with values.
var oddHeaders = map[string][]string{
	"Retry-After":      {"0", "-1", "1", "120", "121", "99999999999999999999", "1.5", "x", "Fri, 31 Dec 1999 23:59:59 GMT", "Sun, 01 Jan 2300 00:00:00 GMT"},
	"Date":             {"", "x", "Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 23:59:59 GMT", "Sat, 01 Jan 2000 00:06:00 GMT", "Sun, 01 Jan 9999 00:00:00 GMT"},
	"Content-Type":     {"", "text/html", "application/json; charset=utf-16", "multipart/mixed", "\x00", "application/json;;;"},
	"Content-Encoding": {"gzip", "deflate", "br", "gzip, gzip", "identity", "x"},
	"Location":         {"https://evil.example/api/v2/owners", "//evil.example", "/api/v2/owners", "http://threatconnect.example/api/v2/owners", "https://threatconnect.example/other"},
	"Set-Cookie":       {"session=1; Domain=evil.example", strings.Repeat("a=b; ", 1000)},
	"Www-Authenticate": {"Basic realm=x", "TC"},
	"X-Odd":            {strings.Repeat("x", 100_000), "\x1b[2J", "\xff"},
}

// change changes the response, or fails the attempt.
func (a *attack) change(k kind) error {
	random := a.random
	switch k {
	case kindJSON:
		if n := parseJSON(a.body); n != nil {
			a.mu.Lock()
			seen := a.nodes
			a.mu.Unlock()
			for range pick(random, 1, 1, 2, 5) {
				n.mutate(random, seen)
			}
			var b bytes.Buffer
			n.write(&b, maxSent)
			a.body = b.Bytes()
			return nil
		}
		a.bytes()
	case kindBytes:
		a.bytes()
	case kindStatus:
		a.resp.StatusCode = pick(random, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 418, 421, 422, 425, 429, 431, 451, 500, 501, 502, 503, 504, 511, 599, 100, 199, 0, 999, -1)
		a.resp.Status = strconv.Itoa(a.resp.StatusCode) + " Odd"
		if random.IntN(2) == 0 {
			a.resp.Header.Set("Retry-After", pick(random, oddHeaders["Retry-After"]...))
		}
	case kindHeaders:
		for name, values := range oddHeaders {
			if random.IntN(3) == 0 {
				a.resp.Header.Set(name, pick(random, values...))
			}
		}
	case kindEncoding:
		return a.encoding()
	case kindTime:
		switch random.IntN(4) {
		case 0:
			return sleep(a.req.Context(), time.Duration(random.IntN(200))*time.Second)
		case 1: // hang
			<-a.req.Context().Done()
			return context.Cause(a.req.Context())
		case 2: // drip
			a.wrap = func(from io.Reader) io.Reader {
				return &reader{ctx: a.req.Context(), from: from, wait: pick(random, time.Millisecond, time.Second, time.Minute), most: 1 + len(a.body)/20}
			}
		case 3: // stop in the middle
			a.wrap = func(from io.Reader) io.Reader {
				return io.MultiReader(io.LimitReader(from, int64(len(a.body)/2)), &reader{ctx: a.req.Context(), from: from, wait: 1000 * time.Hour})
			}
		}
	case kindBreak:
		err := pick(random, io.ErrUnexpectedEOF, io.EOF, errors.New("connection reset by peer"), errors.New("malformed chunked encoding"), fmt.Errorf("proxy saw %s", spell(random, a.secrets.one(a.req.Context(), random))))
		if random.IntN(3) == 0 {
			return err
		}
		a.wrap = func(from io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(from, int64(random.IntN(len(a.body)+1))), failing{err})
		}
	case kindEcho:
		a.echo()
	case kindSwap:
		a.mu.Lock()
		a.body = bytes.Clone(pick(random, a.bodies...))
		a.mu.Unlock()
	case kindRedirect:
		a.resp.StatusCode = pick(random, 300, 301, 302, 303, 305, 307, 308)
		a.resp.Header.Set("Location", pick(random, append(oddHeaders["Location"], a.req.URL.String())...))
	case kindErrorFile:
		a.body = a.errors()
	case kindEndless: // the first page again and again
		a.mu.Lock()
		a.body = a.first[a.req.URL.Path]
		a.mu.Unlock()
		a.body = regexp.MustCompile(`"resultCount":\d+`).ReplaceAll(a.body, []byte(`"resultCount":1000000000`))
	case kindState: // nearly always the same
		state := statuses[a.seed%uint64(len(statuses))]
		if random.IntN(4) == 0 {
			state = pick(random, statuses...)
		}
		a.body = regexp.MustCompile(`"status":"(Created|Queued|Running|Completed?|Idle)"`).ReplaceAll(a.body, []byte(`"status":`+state))
	}
	return nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// bytes changes the body regardless of its content.
func (a *attack) bytes() {
	random := a.random
	at := random.IntN(len(a.body) + 1)
	switch random.IntN(7) {
	case 0:
		a.body = a.body[:at]
	case 1:
		for range 1 + random.IntN(5) {
			if len(a.body) > 0 {
				a.body = bytes.Clone(a.body)
				a.body[random.IntN(len(a.body))] ^= 1 << random.IntN(8)
			}
		}
	case 2:
		a.body = bytes.Repeat(a.body, 1+random.IntN(min(1000, maxSent/(len(a.body)+1)+1)))
	case 3:
		a.body = append(a.body[:at:at], append([]byte(pick(random, "\x00", "\xff", "{", "]", "\"", "\xef\xbb\xbf", "\u202e", "//")), a.body[at:]...)...)
	case 4:
		a.body = []byte(pick(random, "", " ", "null", "[]", "{}", "<html><body>login</body></html>", `{"status":"Success"}`, `{"status":"Failure","message":"no"}`, `{"status":"Success","data":null}`, "true", "1e999"))
	case 5:
		a.body = bytes.Repeat([]byte(pick(random, "[", " ", "{\"a\":", "0", "{},")), maxSent/5-random.IntN(1000))
	case 6:
		what := pick(random, "{}", "null", "0", `""`, "[]", `{"id":1}`)
		list := `[` + strings.Repeat(what+",", pick(random, 100, 10_000, 400_000)) + what + `]`
		if i := bytes.IndexByte(a.body, '['); i >= 0 {
			if j := bytes.LastIndexByte(a.body, ']'); j > i {
				a.body = append(append(a.body[:i:i], list...), a.body[j+1:]...)
				return
			}
		}
		a.body = []byte(list)
	}
}

// encoding compresses the body, or only sets the header.
func (a *attack) encoding() error {
	random := a.random
	if random.IntN(4) == 0 {
		a.length = pick(random, 1, int64(len(a.body))/2+1, int64(len(a.body))+10, 1<<40)
		return nil
	}
	claimed := pick(random, "gzip", "gzip", "gzip", "deflate", "br", "")
	a.resp.Header.Set("Content-Encoding", claimed)
	content, times := a.body, 1
	if random.IntN(4) == 0 { // a bomb
		content, times = bytes.Repeat([]byte(pick(random, " ", "[", "0", "{},")), 10_000), 4*maxSent/10_000
	}
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	switch random.IntN(4) {
	case 0:
		w, _ = flate.NewWriter(&b, flate.BestSpeed) // the level is valid
	case 1:
		return nil // as it is
	}
	for range times {
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if random.IntN(3) == 0 {
		b.Truncate(random.IntN(b.Len()))
	}
	a.body = b.Bytes()
	return nil
}

// echo repeats data of the request.
func (a *attack) echo() {
	random := a.random
	shown := spell(random, a.secrets.one(a.req.Context(), random))
	switch random.IntN(6) {
	case 0:
		a.body = fmt.Appendf(nil, `{"status":"Failure","message":%s}`, strconv.Quote("The value "+shown+" is not valid"))
	case 1:
		a.body = []byte("<html><pre>Authorization: " + shown + "</pre></html>")
	case 2:
		a.resp.Header.Set(pick(random, "Location", "Retry-After", "Content-Type", "Content-Encoding", "Www-Authenticate", "X-Request-Id"), shown)
	case 3:
		a.resp.Status = strconv.Itoa(a.resp.StatusCode) + " " + shown
	case 4:
		if n := parseJSON(a.body); n != nil {
			nodes := n.all(nil)
			nodes[random.IntN(len(nodes))].raw = strconv.Quote(shown)
			var b bytes.Buffer
			n.write(&b, maxSent)
			a.body = b.Bytes()
		}
	case 5:
		a.resp.Header = http.Header{"Content-Type": {"text/plain"}, http.CanonicalHeaderKey(shown): {shown}}
		a.body = []byte(shown)
	}
	if random.IntN(2) == 0 {
		a.resp.StatusCode = pick(random, 400, 401, 403, 404, 500, 502, 503)
	}
}

// errors returns an error file with items of the case and others.
func (a *attack) errors() []byte {
	random := a.random
	var b bytes.Buffer
	for range pick(random, 1, 3, 100) {
		name := pick(random, fmt.Sprintf("item%d.example", random.IntN(60)), fmt.Sprintf("item%d", random.IntN(60)), "nobody.example", "old.example", "")
		fmt.Fprintf(&b, `,{"errorCode":%s,"errorReason":%q,"errorMessage":%q,"itemIndex":%d}`, pick(random, `"0x1001"`, `"0x2001"`, "1", "null", `"?"`),
			pick(random, "Please enter a valid Host", "Error saving "+name, name, "Exception parsing: Last known JSON path '$.indicator["+strconv.Itoa(random.IntN(80)-5)+"].summary'"),
			"Error: "+name, random.IntN(100)-10)
	}
	list := bytes.Repeat(b.Bytes(), pick(random, 1, 1, 1, 50))
	list[0] = '['
	return append(list, ']')
}
