package threatconnect

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// contentWindow is the number of bytes by which a response is recognized as content.
const contentWindow = 4 << 10

// anyType returns a header that accepts content of any type.
func anyType() http.Header { return http.Header{"Accept": {"*/*"}} }

// download sends a call and writes the content of the response to w. It does not retry once a byte was
// written to w.
func (c *Client) download(ctx context.Context, call *call, w io.Writer, check func(head []byte) error) (int64, error) {
	if w == nil {
		return 0, &ValidationError{Field: "writer", Rule: "is nil"}
	}
	call.keepBody, call.header = true, anyType()
	to := &sink{w: w}
	err := c.do(ctx, call, func(resp *http.Response) error {
		defer resp.Body.Close()
		src, err := contentOf(call, resp)
		if err != nil {
			return err
		}
		if check != nil {
			head, _ := src.Peek(contentWindow) // contentOf has peeked as far; errors recur in Copy
			if err := check(head); err != nil {
				return err
			}
		}
		_, err = io.Copy(to, src)
		if to.n > 0 || to.err != nil {
			call.body.oneShot = true
		}
		switch {
		case to.err != nil:
			return fmt.Errorf("writing what is downloaded: %w", to.err)
		case err != nil:
			return err
		case resp.ContentLength >= 0 && to.n != resp.ContentLength:
			return fmt.Errorf("%w: %d of %d bytes came", ErrBadResponse, to.n, resp.ContentLength)
		case to.n == 0:
			return fmt.Errorf("%w: it is empty", ErrBadResponse)
		}
		return nil
	})
	return to.n, err
}

// sink counts the bytes that are written to w and keeps the error of w.
type sink struct {
	w   io.Writer
	n   int64
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.n += int64(max(n, 0))
	s.err = err
	return n, err
}

// open sends a call and returns the content of the response. The caller must close the body of the response.
func (c *Client) open(ctx context.Context, call *call) (*bufio.Reader, *http.Response, error) {
	var src *bufio.Reader
	var resp *http.Response
	call.keepBody, call.header = true, anyType()
	err := c.do(ctx, call, func(r *http.Response) error {
		var err error
		src, err = contentOf(call, r)
		resp = r
		return err
	})
	return src, resp, err
}

// contentOf returns the content of a response. It returns an error if the response is an HTML page or an
// error message instead.
func contentOf(call *call, resp *http.Response) (*bufio.Reader, error) {
	src := bufio.NewReaderSize(resp.Body, contentChunk)
	head, err := src.Peek(contentWindow)
	if err != nil && err != io.EOF {
		return nil, err
	}
	typ, _, _ := strings.Cut(strings.ToLower(resp.Header.Get("Content-Type")), ";")
	typ = strings.TrimSpace(typ)
	// A document can be an HTML file, but then the response is an attachment, unlike a login page.
	isFile := resp.Header.Get("Content-Disposition") != ""
	if !isFile && (typ == "text/html" || typ == "" && looksLikeHTML(head)) {
		e := newAPIError(call, resp, head)
		return nil, fmt.Errorf("%w: %s", ErrBadResponse, e.Hint)
	}
	if err == io.EOF && (typ == "" || strings.HasSuffix(typ, "json")) {
		if env, bad := readEnvelope(head, 0, nil, nil); bad == nil && isFailure(env.status) && env.message != "" {
			return nil, newAPIError(call, resp, head)
		}
	}
	return src, nil
}

// isFailure reports whether status is a status of error messages. JSON with another status is content.
func isFailure(status string) bool {
	return status == "Failure" || status == "Error" || status == "Invalid"
}

func looksLikeHTML(head []byte) bool {
	head = bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// checkPDF returns an error if head is not the beginning of a PDF file. The header of a PDF file may be
// anywhere in its first 1024 bytes.
func checkPDF(head []byte) error {
	if !bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")) {
		return fmt.Errorf("%w: it is not a PDF file", ErrBadResponse)
	}
	return nil
}
