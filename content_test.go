package threatconnect

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// zipOf writes a zip whose entries have the given names; a name that ends with ! is encrypted.
func zipOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		name, encrypted := strings.CutSuffix(name, "!")
		h := &zip.FileHeader{Name: name}
		if encrypted {
			h.Flags |= 1
		}
		body := []byte("not a sample")
		if strings.HasSuffix(name, "/") {
			body = nil
		}
		h.CompressedSize64, h.UncompressedSize64 = uint64(len(body)), uint64(len(body))
		f, err := w.CreateRaw(h)
		require.NoError(t, err)
		_, err = f.Write(body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestMalwareMustBeAZipWithAPassword(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content []byte
		ok      bool
	}{
		"an encrypted file":                 {zipOf(t, "sample.bin!"), true},
		"an encrypted file in a folder":     {zipOf(t, "malware/", "malware/deep/", "malware/deep/sample.bin!"), true},
		"a plain file":                      {zipOf(t, "sample.bin"), false},
		"a plain file before an encrypted":  {zipOf(t, "readme.txt", "sample.bin!"), false},
		"folders only":                      {zipOf(t, "malware/"), false},
		"an empty zip":                      {zipOf(t), false},
		"a zip that is cut in its header":   {zipOf(t, "sample.bin!")[:20], false},
		"something else":                    {[]byte("MZ\x90\x00 this is no zip at all, however long it may be"), false},
		"one byte":                          {[]byte("P"), false},
		"a name longer than can be true":    {[]byte("PK\x03\x04" + strings.Repeat("\x00", 22) + "\xff\xff\xff\xff"), false},
		"only the encryption of the second": {zipOf(t, "a/", "b.bin", "c.bin!"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newUploading(BytesContent(tc.content), true)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, errNotEncrypted)
			_, err = newUploading(BytesContent(tc.content), false)
			require.NoError(t, err, "what is not malware can be anything")
		})
	}
}

func TestContentIsSentWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		size int64
		err  error
	}{
		"size known":               {"0123456789", 10, nil},
		"size not known":           {"0123456789", -1, nil},
		"fewer bytes than promise": {"0123456789", 11, errContentShort},
		"more bytes than promised": {"0123456789", 9, errContentLong},
		"one byte":                 {"0", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, slow := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
				c := Content{Open: func() (io.ReadCloser, error) { return io.NopCloser(slow(strings.NewReader(tc.text))), nil }, Size: tc.size}
				u, err := newUploading(c, false)
				require.NoError(t, err)
				rc, err := u.open()
				require.NoError(t, err)
				got, err := io.ReadAll(rc)
				if tc.err == nil {
					require.NoError(t, err)
					assert.Equal(t, tc.text, string(got))
					continue
				}
				require.ErrorIs(t, err, tc.err)
				assert.Less(t, int64(len(got)), tc.size, "the platform must not see a request that looks complete")
			}
		})
	}
}

func TestWhatCannotBeUploadedIsRefused(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for name, tc := range map[string]struct {
		content Content
		err     error
	}{
		"nothing":                  {Content{}, errNoContent},
		"no bytes":                 {BytesContent(nil), errContentEmpty},
		"no bytes from a reader":   {ReaderContent(strings.NewReader(""), -1), errContentEmpty},
		"a size of 0":              {ReaderContent(strings.NewReader("x"), 0), errContentEmpty},
		"a negative size":          {ReaderContent(strings.NewReader("x"), -2), errContentSize},
		"what cannot be opened":    {Content{Open: func() (io.ReadCloser, error) { return nil, broken }, Size: -1}, broken},
		"an opener without result": {Content{Open: func() (io.ReadCloser, error) { return nil, nil }, Size: -1}, errNoContent},
		"what cannot be read":      {ReaderContent(iotest.ErrReader(broken), -1), broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newUploading(tc.content, false)
			require.ErrorIs(t, err, tc.err)
		})
	}
}

func TestAReaderThatIsNilIsNoContent(t *testing.T) {
	t.Parallel()
	var file *os.File
	for _, r := range []io.Reader{nil, file} {
		_, err := newUploading(ReaderContent(r, 0), false)
		require.ErrorIs(t, err, errNoContent)
	}
}

func TestReadersAreReadAnewWhereTheyStand(t *testing.T) {
	t.Parallel()
	r := strings.NewReader("skip this, not that")
	_, err := io.CopyN(io.Discard, r, 11)
	require.NoError(t, err)
	c := ReaderContent(r, 8)
	assert.False(t, c.OneShot)
	for range 3 {
		rc, err := c.Open()
		require.NoError(t, err)
		got, err := io.ReadAll(rc)
		require.NoError(t, err)
		assert.Equal(t, "not that", string(got))
	}
	assert.True(t, ReaderContent(bufio.NewReader(r), -1).OneShot, "a stream can be read only once")
	in, out, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer out.Close()
	assert.True(t, ReaderContent(in, -1).OneShot, "a pipe is a file that can be read only once")
}

func TestFilesAreOpenedForEveryAttempt(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "report.txt")
	require.NoError(t, os.WriteFile(name, []byte("example"), 0o600))
	c, err := FileContent(name)
	require.NoError(t, err)
	assert.Equal(t, int64(7), c.Size)
	for range 2 {
		rc, err := c.Open()
		require.NoError(t, err)
		got, err := io.ReadAll(rc)
		require.NoError(t, err)
		require.NoError(t, rc.Close())
		assert.Equal(t, "example", string(got))
	}
	_, err = FileContent(filepath.Dir(name))
	require.ErrorIs(t, err, ErrValidation)
	_, err = FileContent(name + ".missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzEncryptedZip(f *testing.F) {
	f.Add(zipOf(f, "sample.bin!"))
	f.Add(zipOf(f, "malware/", "malware/sample.bin!"))
	f.Add(zipOf(f, "sample.bin"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkEncryptedZip(bufio.NewReaderSize(bytes.NewReader(b), zipWindow))
		slow := checkEncryptedZip(bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(b)), zipWindow))
		assert.Equal(t, err, slow, "the verdict depends on how the bytes come")
		if err == nil {
			assert.True(t, bytes.HasPrefix(b, []byte("PK\x03\x04")))
		}
	})
}

func TestAHugeBufferIsNotKept(t *testing.T) {
	t.Parallel()
	c, err := NewClient("https://tc.example", Token("token"))
	require.NoError(t, err)
	huge := bytes.NewBuffer(make([]byte, 0, 17<<20))
	c.release(huge)
	assert.NotSame(t, huge, c.buffer())
}

func TestASentByteDoesNotStartTheClockOfACallerThatRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t.Context(), &call{}, time.Minute)
		defer w.stop()
		w.start()
		w.pause(true)
		w.moved() // the rest of an upload, after an early answer
		time.Sleep(time.Hour)
		require.NoError(t, w.Err())
		w.pause(false)
		w.moved()
		time.Sleep(time.Hour)
		require.Error(t, w.Err())
	})
}

// A promised length costs no memory before the first bytes arrive, and none beyond the response cap.
func TestReadBodyAllocatesWhatMayArrive(t *testing.T) {
	t.Parallel()
	const first = 128 << 10
	for name, tc := range map[string]struct {
		promised      int64
		arrives, most int // bytes
	}{
		"nothing is promised":            {-1, 1 << 20, 4 << 20},
		"what is promised":               {1500 << 10, 1500 << 10, 1500<<10 + 64<<10},
		"a promise alone":                {50 << 20, 0, 256 << 10},
		"a promise after less than that": {50 << 20, first - 1, 256 << 10},
		"a promise beyond the cap":       {50 << 20, first + 1, 2<<20 + 64<<10},
		"more than promised":             {10, 1 << 20, 4 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := contentClient(t, WithMaxResponseBytes(2<<20))
			var buf bytes.Buffer
			body := io.NopCloser(io.LimitReader(zeros{}, int64(tc.arrives)))
			require.NoError(t, c.readBody(&http.Response{ContentLength: tc.promised, Body: body}, &buf))
			assert.Equal(t, tc.arrives, buf.Len())
			assert.LessOrEqual(t, buf.Cap(), tc.most)
		})
	}
}
