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

// contentWindow is how much of an answer is looked at before it counts as content.
const contentWindow = 4 << 10

// anyType asks for content of any type.
func anyType() http.Header { return http.Header{"Accept": {"*/*"}} }

// download sends a call and writes the content that is answered to w. Nothing is tried again once w
// has got a byte, because what was written cannot be taken back.
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
			head, _ := src.Peek(contentWindow) // contentOf has looked that far, and broken bodies break again
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

// sink counts what is written and tells a writer's error from a reader's.
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

// open sends a call and returns the content that is answered, for the caller to close.
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

// contentOf returns the body of an answer that is content. A page for people and a failure in words
// that come in its place are errors.
func contentOf(call *call, resp *http.Response) (*bufio.Reader, error) {
	src := bufio.NewReaderSize(resp.Body, contentChunk)
	head, err := src.Peek(contentWindow)
	if err != nil && err != io.EOF {
		return nil, err
	}
	typ, _, _ := strings.Cut(strings.ToLower(resp.Header.Get("Content-Type")), ";")
	typ = strings.TrimSpace(typ)
	// A document can be HTML itself. An attachment is a document, a login page is not one.
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

// isFailure reports whether a status is one that the platform gives a failure. Others are content.
func isFailure(status string) bool {
	return status == "Failure" || status == "Error" || status == "Invalid"
}

func looksLikeHTML(head []byte) bool {
	head = bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// checkPDF refuses what is not a PDF file. Some bytes may stand before its mark.
func checkPDF(head []byte) error {
	if !bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")) {
		return fmt.Errorf("%w: it is not a PDF file", ErrBadResponse)
	}
	return nil
}
