package threatconnect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/sentence"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// accept passes a successful response to consume and returns an [*APIError] for any other.
func (c *Client) accept(resp *http.Response, call *call, consume func(*http.Response) error) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return consume(resp)
	}
	const (
		most    = 64 << 10         // longer error messages are truncated
		longest = 15 * time.Second // as are slower ones
	)
	if b, ok := resp.Body.(*body); ok {
		defer time.AfterFunc(longest, func() { b.watch.cancel(errStalled) }).Stop()
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if errors.Is(err, context.Canceled) {
		return err
	}
	return newAPIError(call, resp, text) // the status counts, even if the message is truncated
}

// newAPIError returns the error of a response that is not a success.
func newAPIError(call *call, resp *http.Response, text []byte) *APIError {
	e := &APIError{Method: call.method, Route: call.route.template, StatusCode: resp.StatusCode}
	switch {
	case e.Is(ErrRedirect):
		e.Hint = "redirects are not followed, because a signature is good for one path only: put the address that the platform is really at into the base URL"
		if to, err := resp.Location(); err == nil {
			e.Foreign = call.foreign(to.Scheme + "://" + to.Host)
			e.Hint += " (APIError.Foreign names it)"
		}
	case isHTML(resp, text):
		e.HTML, e.Foreign = true, call.foreign(string(text))
		e.Hint = "an HTML page came instead of the API's answer: is /api missing from the base URL, or is a proxy or login page in between?"
	default:
		message, known := failureMessage(text)
		var s *sentence.Sentence
		whole := false
		if known {
			if s, e.Message, whole = sentence.Find(message, e.StatusCode); s != nil {
				e.Hint = s.Hint
			}
		}
		if !whole {
			e.Foreign = call.foreign(message)
		}
	}
	if e.StatusCode == http.StatusNotFound && e.Hint == "" && e.Message == "" {
		e.Hint = "is /api missing from the base URL, or did something else answer in the platform's place?"
	}
	return e
}

// failureMessage returns the message of an error response: a member of a JSON object, or the text itself.
// known reports whether the platform writes errors in this form: a text, or a JSON object with a textual
// status.
func failureMessage(text []byte) (message string, known bool) {
	var description, status string
	r := wire.NewReader(text)
	r.Limit(int64(2*len(text)) + 1<<10)
	if r.Kind() == wire.Object {
		for r.Object(); r.NextKey(); {
			switch string(r.Key()) {
			case "message":
				message = r.Text()
			case "description", "error", "error_description":
				description = r.Text()
			case "status":
				if r.Kind() == wire.String { // the platform does not write a number
					status = r.Text()
				} else {
					r.Skip()
				}
			default:
				r.Skip()
			}
		}
		switch {
		case message != "":
			return message, status != ""
		case description != "":
			return description, status != ""
		}
	}
	return strings.TrimSpace(string(text)), true
}

// knownSentence returns text in quotes if it is a known sentence, and otherwise a replacement.
func knownSentence(text string) string {
	if s, own, _ := sentence.Find(text, 0); s != nil {
		return strconv.Quote(own)
	}
	return "that the call failed, in an unrecognized message"
}

// isHTML reports whether a response is an HTML page.
func isHTML(resp *http.Response, text []byte) bool {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0 || text[0] == '{' || text[0] == '[':
		return false // JSON, regardless of the Content-Type
	case text[0] == '<':
		return true
	}
	return strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "text/html")
}

// contentType returns the content type of a response for an error text. It returns only known types, because
// the header is foreign text.
func contentType(resp *http.Response) string {
	header := resp.Header.Get("Content-Type")
	typ, _, err := mime.ParseMediaType(header)
	switch {
	case header == "":
		return "not given"
	case err != nil:
		return "not valid"
	case slices.Contains([]string{"application/json", "application/octet-stream", "application/pdf", "application/xml", "application/zip", "text/csv", "text/html", "text/plain", "text/xml"}, typ):
		return strconv.Quote(typ)
	}
	return "unknown"
}

// envelope is a response without its data.
type envelope struct {
	status, message string
	count           int64 // resultCount, or -1
	found           bool  // whether one of the keys was present and not null
	data            bool  // whether data was present, even if empty
}

// success reports whether the status means that the call succeeded.
func (e *envelope) success() bool {
	switch e.status {
	case "", "Success", "Queued", "Running", "Created", "Completed":
		return true
	}
	return false
}

// isAllowedEmpty reports whether a response is empty and may be.
func isAllowedEmpty(resp *http.Response, call *call, text []byte) bool {
	return (call.allowEmpty || resp.StatusCode == http.StatusNoContent) && len(bytes.TrimSpace(text)) == 0
}

// successWithComma matches the invalid JSON that the platform documents as the response to an upload.
var successWithComma = regexp.MustCompile(`^\s*\{\s*"status"\s*:\s*"Success"\s*,\s*\}\s*$`)

// exchange sends a call and reads the JSON response. It calls read at the value whose key is one of keys,
// in data or at the top level; see [readEnvelope].
func (c *Client) exchange(ctx context.Context, call *call, keys []string, read func(*wire.Reader)) (envelope, error) {
	var env envelope
	err := c.do(ctx, call, func(resp *http.Response) error {
		env = envelope{}
		buf := c.buffer()
		defer c.release(buf)
		if err := c.readBody(resp, buf); err != nil {
			return err
		}
		text := buf.Bytes()
		var err error
		env, err = readEnvelope(text, c.valueLimit(), keys, read)
		if read != nil && (err != nil || !env.success()) {
			read(failedReader()) // drop what was read of the invalid response
		}
		if err != nil && len(keys) == 0 && successWithComma.Match(text) {
			return nil
		}
		if err != nil {
			if isHTML(resp, text) {
				e := newAPIError(call, resp, text)
				return fmt.Errorf("%w: %s", ErrBadResponse, e.Hint)
			}
			err = fmt.Errorf("%w (content type %s)", unreadable(err), contentType(resp))
			if (env.data || env.found) && json.Valid(text) {
				err = &formError{err}
			}
			return err
		}
		if !env.success() {
			env = envelope{}
			return newAPIError(call, resp, text)
		}
		switch {
		case call.requireItem && !env.found:
			what := keys[len(keys)-1] // the other keys can be names of a custom type
			return fmt.Errorf("%w: it holds no %s", ErrBadResponse, what)
		case env.status == "" && !env.found && !env.data && !isAllowedEmpty(resp, call, text):
			// The response is not the platform's. As a success, it would truncate a list or confirm a write
			// that never reached the platform.
			return fmt.Errorf("%w: it holds neither a status nor data", ErrBadResponse)
		}
		return nil
	})
	return env, err
}

// formError is the error of a complete response that this package cannot read. A retry would get the same
// response.
type formError struct{ error }

func (e *formError) Unwrap() error { return e.error }

// unreadable returns the error of a call whose response could not be decoded because of err.
func unreadable(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return fmt.Errorf("%w: its values take more than three times the cap in memory: ask for fewer items, or raise WithMaxResponseBytes", ErrResponseTooLarge)
	}
	return fmt.Errorf("%w: %w", ErrBadResponse, err)
}

// valueLimit returns the memory limit for the decoded values of a response. Together with the response, they
// use at most four times the limit of [WithMaxResponseBytes].
func (c *Client) valueLimit() int64 { return 3 * min(c.cfg.maxBody, math.MaxInt64/3) }

// failedReader returns a reader that reads nothing.
func failedReader() *wire.Reader {
	r := new(wire.Reader)
	r.Fail("nothing is read")
	return r
}

// readEnvelope reads a response: an envelope with data, or the data alone. If several keys are present, the
// first in keys wins; read may be called for others before it, so it must start over each time. limit is
// the memory limit for values; 0 means the default.
func readEnvelope(text []byte, limit int64, keys []string, read func(*wire.Reader)) (envelope, error) {
	env := envelope{count: -1}
	if len(bytes.TrimSpace(text)) == 0 {
		return env, nil
	}
	r := wire.NewReader(text)
	r.Limit(limit)
	if r.Kind() != wire.Object {
		r.Fail("want an object")
		return env, r.Err()
	}
	rank := len(keys)
	// at reads the value of key if it is one of keys and precedes the best one so far.
	at := func(key string) {
		i := slices.Index(keys, key)
		if i < 0 || i >= rank || r.Kind() == wire.Null {
			r.Skip()
			return
		}
		env.found, rank = true, i
		read(r)
	}
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); {
		case key == "status":
			if status := r.Text(); env.success() { // of two contradicting statuses, the failure counts
				env.status = status
			}
		case key == "message" || key == "description":
			env.message = r.Text()
		case key == "resultCount":
			env.count = r.Int64()
		case key == "data" && r.Kind() == wire.Object:
			env.data = true
			for r.Object(); r.NextKey(); {
				switch key := string(r.Key()); {
				case key == "resultCount":
					env.count = r.Int64()
				case slices.Contains(keys, anyKey):
					at(anyKey)
				default:
					at(key)
				}
			}
		default:
			env.data = env.data || key == "data" // null, or an empty list
			at(key)
		}
	}
	r.End()
	return env, r.Err()
}

// buffer returns a buffer for a response. The caller must release it.
func (c *Client) buffer() *bytes.Buffer {
	if b, ok := c.buffers.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func (c *Client) release(b *bytes.Buffer) {
	const most = 16 << 20 // do not keep the memory of a huge response
	if b.Cap() <= most {
		c.buffers.Put(b)
	}
}

// readBody reads a response into buf. It allocates memory for Content-Length only after the first 128 KiB
// have arrived, so a header alone cannot exhaust memory.
func (c *Client) readBody(resp *http.Response, buf *bytes.Buffer) error {
	const (
		first = 128 << 10
		most  = 64 << 20
	)
	n := min(resp.ContentLength, most, c.cfg.maxBody)
	if n > 0 {
		buf.Grow(int(min(n, first)) + bytes.MinRead)
	}
	if n > first {
		if _, err := io.CopyN(buf, resp.Body, first); err != nil {
			if err == io.EOF {
				return nil // shorter than Content-Length: decoding fails
			}
			return err
		}
		buf.Grow(int(n-first) + bytes.MinRead)
	}
	// The buffer doubles its size, but grows to at most the size of the largest response.
	largest := int(min(c.cfg.maxBody, math.MaxInt-bytes.MinRead)) + bytes.MinRead
	for {
		switch {
		case buf.Available() >= bytes.MinRead:
		case buf.Cap() > largest/2 && buf.Cap() < largest:
			*buf = *bytes.NewBuffer(append(make([]byte, 0, largest), buf.Bytes()...))
		default:
			buf.Grow(bytes.MinRead)
		}
		free := buf.AvailableBuffer()[:buf.Available()]
		came, err := resp.Body.Read(free)
		buf.Write(free[:came])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
