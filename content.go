package threatconnect

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
)

// Content is content to upload. Uploads stream it and never keep all of it in memory.
//
// [BytesContent], [FileContent] and [ReaderContent] return one.
type Content struct {
	// Open returns the content from its start. It is called for every attempt, and its result is closed.
	Open func() (io.ReadCloser, error)
	// Size is the number of bytes, or -1 if unknown. If the content has more or fewer bytes, the upload fails and
	// the platform does not receive a complete request. A size of 0 is an error, because the platform does not store
	// empty content.
	Size int64
	// OneShot reports whether Open can be called only once. The upload is then not retried.
	OneShot bool
}

// BytesContent returns b as content.
func BytesContent(b []byte) Content {
	return Content{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }, Size: int64(len(b))}
}

// FileContent returns the content of a file. Every attempt opens the file, which must not change in between. An error
// of [os.Stat] is returned unchanged. A file that is not regular returns a [*ValidationError].
func FileContent(name string) (Content, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Content{}, err
	}
	if !info.Mode().IsRegular() {
		return Content{}, &ValidationError{Field: "content", Rule: "is not a regular file", Fix: "use ReaderContent for pipes and devices"}
	}
	return Content{Open: func() (io.ReadCloser, error) { return os.Open(name) }, Size: info.Size()}, nil
}

// ReaderContent returns the content of r from its current offset. size is the number of bytes, or -1 if unknown.
//
// Every attempt reads again from the same offset if r is an [io.ReaderAt] and an [io.Seeker], for example an
// [os.File], [bytes.Reader] or [strings.Reader]. The content of any other reader is OneShot, so the upload is not
// retried. The upload does not close r.
func ReaderContent(r io.Reader, size int64) Content {
	if isNil(r) {
		return Content{} // Upload returns an error for it
	}
	if at, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		if start, err := at.Seek(0, io.SeekCurrent); err == nil {
			return Content{Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.NewSectionReader(at, start, math.MaxInt64-start)), nil
			}, Size: size}
		}
	}
	return Content{Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }, Size: size, OneShot: true}
}

var (
	errNoContent    = &ValidationError{Field: "content", Rule: "is missing", Fix: "make it with BytesContent, FileContent or ReaderContent"}
	errContentEmpty = &ValidationError{Field: "content", Rule: "is empty", Fix: "the platform keeps no empty files: leave the upload out, or set the size to -1 if it is not known"}
	errContentSize  = &ValidationError{Field: "content size", Rule: "must be 0 or more, or -1 if it is not known"}
	errContentShort = &ValidationError{Field: "content", Rule: "holds fewer bytes than its size says"}
	errContentLong  = &ValidationError{Field: "content", Rule: "holds more bytes than its size says"}
	errNotEncrypted = &ValidationError{Field: "content", Rule: "is malware and not a zip that is protected with a password", Fix: "zip it with the password that the document has"}
)

// uploading is a content that is being uploaded.
type uploading struct {
	content Content
	malware bool
	ready   io.ReadCloser // opened and checked before the first attempt, and used by it
}

// newUploading opens a content and checks its first bytes.
func newUploading(content Content, malware bool) (*uploading, error) {
	switch {
	case content.Open == nil:
		return nil, errNoContent
	case content.Size == 0:
		return nil, errContentEmpty
	case content.Size < -1:
		return nil, errContentSize
	}
	u := &uploading{content: content, malware: malware}
	var err error
	u.ready, err = u.begin()
	return u, err
}

// payload returns the body of a request with the content.
func (u *uploading) payload() payload {
	return payload{contentType: "application/octet-stream", open: u.open, size: u.content.Size, oneShot: u.content.OneShot}
}

func (u *uploading) open() (io.ReadCloser, error) {
	if rc := u.ready; rc != nil {
		u.ready = nil
		return rc, nil
	}
	return u.begin()
}

// close closes content that was opened but not sent.
func (u *uploading) close() {
	if u.ready != nil {
		_ = u.ready.Close()
		u.ready = nil
	}
}

const (
	contentChunk = 32 << 10
	zipWindow    = 64 << 10 // bytes at the start of a zip in which its first file must begin
)

func (u *uploading) begin() (io.ReadCloser, error) {
	rc, err := u.content.Open()
	if err != nil {
		return nil, err
	}
	if rc == nil {
		return nil, errNoContent
	}
	b := &contentBody{closer: rc, left: u.content.Size, sized: u.content.Size > 0}
	if u.malware {
		b.src = bufio.NewReaderSize(rc, zipWindow)
	} else {
		b.src = bufio.NewReaderSize(rc, contentChunk)
	}
	_, err = b.src.Peek(1)
	switch {
	case err == io.EOF:
		err = errContentEmpty
	case err == nil && u.malware:
		err = checkEncryptedZip(b.src)
	}
	if err != nil {
		_ = rc.Close()
		return nil, err
	}
	return b, nil
}

// contentBody is the content of a request body. If the size is known and wrong, Read returns an error before the last
// byte, so the platform never receives a request that looks complete.
type contentBody struct {
	src    *bufio.Reader
	closer io.Closer
	sized  bool
	left   int64
}

func (b *contentBody) Read(p []byte) (int, error) {
	if !b.sized {
		return b.src.Read(p)
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		return 0, errContentShort
	case err != nil || b.left > 0:
		return n, err
	}
	switch _, err := b.src.Peek(1); err {
	case io.EOF:
		return n, nil
	case nil:
		return 0, errContentLong
	default:
		return 0, err
	}
}

func (b *contentBody) Close() error { return b.closer.Close() }

// checkEncryptedZip returns an error unless src is a zip whose first file is encrypted. It skips folders before the
// file, which are never encrypted, within the window. Later files can be beyond the window and are not checked.
func checkEncryptedZip(src *bufio.Reader) error {
	const (
		header    = 30 // bytes of a local file header before the name
		flags     = 6
		packed    = 18
		nameLen   = 26
		extraLen  = 28
		encrypted = 1
	)
	for at := 0; ; {
		b, err := src.Peek(at + header)
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		if len(b) < at+header || string(b[at:at+4]) != "PK\x03\x04" {
			return errNotEncrypted
		}
		b = b[at:]
		if binary.LittleEndian.Uint16(b[flags:])&encrypted != 0 {
			return nil
		}
		names, extra := int(binary.LittleEndian.Uint16(b[nameLen:])), int(binary.LittleEndian.Uint16(b[extraLen:]))
		if binary.LittleEndian.Uint32(b[packed:]) != 0 {
			return errNotEncrypted
		}
		next := at + header + names + extra
		if b, err = src.Peek(next); err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		if len(b) < next || names == 0 || b[at+header+names-1] != '/' {
			return errNotEncrypted
		}
		at = next
	}
}
