package feed

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"sync/atomic"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// sample is the feed that is imported if there is neither an instance nor a feed.
//
//go:embed sample.jsonl
var sample string

// input is a feed that is being read.
type input struct {
	io.ReadCloser
	size   int64                // bytes; -1 if unknown
	path   string               // of a regular file that can be opened again; otherwise empty
	cursor threatconnect.Cursor // of a download
	read   atomic.Int64         // bytes so far
}

// Read reads and counts.
func (in *input) Read(b []byte) (int, error) {
	n, err := in.ReadCloser.Read(b)
	in.read.Add(int64(n))
	return n, err
}

// inputKind returns the name of the input in the log and the summary. They do not contain the URL, which can contain a
// key.
func (c *config) inputKind() string {
	switch {
	case c.input == "":
		return "sample"
	case c.input == "-":
		return "stdin"
	case c.fromURL():
		return "url"
	}
	return "file"
}

// open opens the feed. A download that has not changed since the cursor returns [feeds.ErrNotModified].
func (im *importer) open(ctx context.Context, cursor threatconnect.Cursor) (*input, error) {
	switch im.cfg.inputKind() {
	case "sample":
		return &input{ReadCloser: io.NopCloser(strings.NewReader(sample)), size: int64(len(sample))}, nil
	case "stdin":
		return &input{ReadCloser: cli.Interruptible(ctx, im.env.Stdin), size: -1}, nil
	case "url":
		return im.download(ctx, cursor)
	}
	in, err := openFile(ctx, im.cfg.input)
	if err != nil {
		return nil, fmt.Errorf("--input: the feed cannot be opened: %w", cli.WithoutPath(err))
	}
	return in, nil
}

func openFile(ctx context.Context, path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = errors.New("it is a directory")
	case info.Mode().IsRegular():
		return &input{ReadCloser: f, size: info.Size(), path: path}, nil
	default: // a named pipe
		return &input{ReadCloser: cli.Interruptible(ctx, f), size: -1}, nil
	}
	f.Close()
	return nil, err
}

func (im *importer) download(ctx context.Context, cursor threatconnect.Cursor) (*input, error) {
	fetcher := feeds.Fetcher{Client: im.client, Transport: im.cfg.transport, MaxBytes: im.cfg.maxSize}
	if im.cfg.headerFile != "" {
		var err error
		if fetcher.Header, err = readHeader(im.cfg.headerFile); err != nil {
			return nil, err
		}
	}
	d, err := fetcher.Fetch(ctx, im.cfg.input, cursor)
	if err != nil {
		return nil, err
	}
	return &input{ReadCloser: d.Body, size: d.Size, cursor: d.Cursor}, nil
}

// readHeader reads the headers of --header-file. Errors do not contain them, because they are secret.
func readHeader(path string) (http.Header, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--header-file: %w", cli.WithoutPath(err))
	}
	in := bufio.NewReader(strings.NewReader(strings.TrimSpace(string(text)) + "\r\n\r\n"))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil || in.Buffered() > 0 { // after an empty line
		return nil, errors.New("--header-file: write a header per line, as in Authorization: Bearer KEY")
	}
	return http.Header(header), nil
}
