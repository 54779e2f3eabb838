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

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// accept gives a success to consume and turns everything else into an [*APIError].
func (c *Client) accept(resp *http.Response, call *call, consume func(*http.Response) error) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return consume(resp)
	}
	const (
		most    = 64 << 10         // an error message that is longer says nothing more
		longest = 15 * time.Second // nor does one that takes longer
	)
	if b, ok := resp.Body.(*body); ok {
		defer time.AfterFunc(longest, func() { b.watch.cancel(errStalled) }).Stop()
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if errors.Is(err, context.Canceled) {
		return err
	}
	return newAPIError(call, resp, text) // the status counts, even when the words broke off
}

// newAPIError describes an answer that is not a success.
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
		var s *sentence
		whole := false
		if known {
			if s, e.Message, whole = sentenceOf(message, e.StatusCode); s != nil {
				e.Hint = s.hint
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

// failureMessage finds the message of an error answer: that of a JSON object, or the text itself. known
// says whether it has a form that the platform gives to its errors: a JSON object with a status in
// words, or a text.
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
				if r.Kind() == wire.String { // a number is not the platform's
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

// isHTML reports whether an answer is a page for people.
func isHTML(resp *http.Response, text []byte) bool {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0 || text[0] == '{' || text[0] == '[':
		return false // JSON is JSON, whatever its label says
	case text[0] == '<':
		return true
	}
	return strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "text/html")
}

// contentType returns the content type of an answer for an error text: a known one, because the header
// is foreign text.
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

// envelope is what an answer says beside its data.
type envelope struct {
	status, message string
	count           int64 // resultCount, or -1
	found           bool  // whether one of the keys was there, and not null
	data            bool  // whether there was data, be it nothing
}

// success reports whether the platform says that the call did what it was asked to.
func (e *envelope) success() bool {
	switch e.status {
	case "", "Success", "Queued", "Running", "Created", "Completed":
		return true
	}
	return false
}

// silence reports whether an answer is empty where it may be.
func silence(resp *http.Response, call *call, text []byte) bool {
	return (call.allowEmpty || resp.StatusCode == http.StatusNoContent) && len(bytes.TrimSpace(text)) == 0
}

// misprint is a success as the documentation prints it for uploads, with a comma too many.
var misprint = regexp.MustCompile(`^\s*\{\s*"status"\s*:\s*"Success"\s*,\s*\}\s*$`)

// exchange sends a call and reads the JSON answer. read is called at the value under data (or at
// the top level, as some answers have it) whose key is one of keys; see [readEnvelope].
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
			read(failedReader()) // what was read of a refused answer is not kept until the next one
		}
		if err != nil && len(keys) == 0 && misprint.Match(text) {
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
			what := keys[len(keys)-1] // of several, the one that is not a name of the instance's own
			return fmt.Errorf("%w: it holds no %s", ErrBadResponse, what)
		case env.status == "" && !env.found && !env.data && !silence(resp, call, text):
			// Something between here and the platform answered. Taken for a success, it would end a list
			// in its middle, or pass off as done what the platform has never seen.
			return fmt.Errorf("%w: it holds neither a status nor data", ErrBadResponse)
		}
		return nil
	})
	return env, err
}

// formError is an answer of the platform, complete, that this package cannot read. Another attempt would
// get the same.
type formError struct{ error }

func (e *formError) Unwrap() error { return e.error }

// unreadable marks an error of reading an answer as what it is for the caller.
func unreadable(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return fmt.Errorf("%w: its values take more than three times the cap in memory: ask for fewer items, or raise WithMaxResponseBytes", ErrResponseTooLarge)
	}
	return fmt.Errorf("%w: %w", ErrBadResponse, err)
}

// valueLimit caps the memory of the values of an answer. With the answer itself, they take at most four times
// what [WithMaxResponseBytes] allows.
func (c *Client) valueLimit() int64 { return 3 * min(c.cfg.maxBody, math.MaxInt64/3) }

// failedReader returns a reader of which nothing can be read.
func failedReader() *wire.Reader {
	r := new(wire.Reader)
	r.Fail("nothing is read")
	return r
}

// readEnvelope reads an answer: an envelope around the data, or the data bare. Where several of the
// keys are there, the one that stands first in keys counts, and read may be called for the others
// before it: it has to start over each time. limit caps the memory of what is read; 0 is the default.
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
	// at reads the value of key if it is one of keys and stands before the best so far.
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
			if status := r.Text(); env.success() { // of two that contradict each other, the failure counts
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

// buffer returns a buffer to read an answer into; give it back with release.
func (c *Client) buffer() *bytes.Buffer {
	if b, ok := c.buffers.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func (c *Client) release(b *bytes.Buffer) {
	const most = 16 << 20 // one huge answer must not keep its memory for good
	if b.Cap() <= most {
		c.buffers.Put(b)
	}
}

// readBody reads a response into buf. It allocates for Content-Length only after the first 128 KiB have
// arrived, so that a header alone costs no memory.
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
				return nil // shorter than promised, which its reader notices
			}
			return err
		}
		buf.Grow(int(n-first) + bytes.MinRead)
	}
	// A buffer doubles its size. The last time, it grows to the size of the largest answer instead.
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
