package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
)

// input is a feed that is being read.
type input struct {
	io.Reader
	io.Closer
	size int64        // bytes; 0 when it is not known
	read atomic.Int64 // bytes so far
}

// Read reads and counts.
func (in *input) Read(b []byte) (int, error) {
	n, err := in.Reader.Read(b)
	in.read.Add(int64(n))
	return n, err
}

// open opens the feed that the configuration names.
func (c *config) open(ctx context.Context, stdin io.Reader) (*input, error) {
	switch c.input {
	case "":
		return &input{Reader: strings.NewReader(sample), Closer: io.NopCloser(nil), size: int64(len(sample))}, nil
	case "-":
		return &input{Reader: newPipe(ctx, stdin), Closer: io.NopCloser(nil)}, nil
	}
	f, err := os.Open(c.input)
	if err != nil {
		return nil, fmt.Errorf("the feed cannot be opened: %w", withoutPath(err))
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("the feed cannot be opened: %w", withoutPath(err))
	case info.IsDir():
		f.Close()
		return nil, errors.New("the feed cannot be opened: it is a directory")
	case !info.Mode().IsRegular():
		return &input{Reader: newPipe(ctx, f), Closer: f}, nil
	}
	return &input{Reader: f, Closer: f, size: info.Size()}, nil
}

// withoutPath returns what is wrong with a file without saying again which one it is.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// pipe reads from something that may keep a reader waiting for ever, as a pipe or a terminal does,
// and gives up when its context ends. What reads for it in the background stays in its last Read
// until that returns or the process ends.
type pipe struct {
	ctx    context.Context
	filled chan chunk
	empty  chan []byte
	now    chunk
	buf    []byte // of now, to be handed back
}

type chunk struct {
	data []byte
	err  error
}

func newPipe(ctx context.Context, r io.Reader) *pipe {
	p := &pipe{ctx: ctx, filled: make(chan chunk), empty: make(chan []byte, 2)}
	for range 2 {
		p.empty <- make([]byte, 64<<10)
	}
	go func() {
		for {
			var buf []byte
			select {
			case buf = <-p.empty:
			case <-ctx.Done():
				return
			}
			n, err := r.Read(buf)
			select {
			case p.filled <- chunk{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

// Read returns what came last, or the cause of the end of the context.
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.now.data) == 0 {
		if p.now.err != nil {
			return 0, p.now.err
		}
		if p.buf != nil {
			p.empty <- p.buf
			p.buf = nil
		}
		select {
		case p.now = <-p.filled:
			p.buf = p.now.data[:cap(p.now.data)]
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		}
	}
	n := copy(b, p.now.data)
	p.now.data = p.now.data[n:]
	return n, nil
}
