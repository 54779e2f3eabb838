package threatconnect

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wireTap is a TCP server that passes on the lines of each request, before anything parses them, and
// responds with success.
type wireTap struct {
	addr string
	seen chan []string
}

func newWireTap(t testing.TB) *wireTap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tap := &wireTap{addr: l.Addr().String(), seen: make(chan []string, 16)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { tap.serve(conn) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		serving.Wait()
	})
	return tap
}

func (tap *wireTap) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		var lines []string
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimRight(line, "\r\n"); line == "" {
				break
			}
			lines = append(lines, line)
		}
		tap.seen <- lines
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nContent-Type: application/json\r\n\r\n{\"status\":\"Success\"}"); err != nil {
			return
		}
	}
}

// checkTarget checks the signature against the bytes of a request, as the platform does, and returns
// the request target.
func checkTarget(t testing.TB, lines []string, method, secret string) string {
	t.Helper()
	request := strings.Split(lines[0], " ")
	require.Len(t, request, 3, "the request line has three parts")
	require.Equal(t, method, request[0])
	require.Equal(t, "HTTP/1.1", request[2])
	header := map[string]string{}
	for _, line := range lines[1:] {
		name, v, ok := strings.Cut(line, ": ")
		require.True(t, ok, "a header line without a colon")
		header[strings.ToLower(name)] = v
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s:%s:%s", request[1], method, header["timestamp"])
	require.Equal(t, "TC access:"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), header["authorization"])
	for i := range len(request[1]) {
		c := request[1][i]
		require.True(t, c > ' ' && c < 0x7f, "an invalid byte in the request line")
	}
	return request[1]
}

func tapClient(t testing.TB, tap *wireTap) *Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := NewClient("http://"+tap.addr+"/api", HMAC("access", "Sup3rS3cret"), WithTransport(tr))
	require.NoError(t, err)
	return c
}

// hostile has values that other clients are known to get wrong.
var hostile = []string{
	"www.example.com", "http://example.com/a?b=c#d", "http://example.com/a%2Fb%252F", ".", "..", "...", "a..", "../../groups", "a//b", "/", "//", "?", "#", "%", "%%", "%2", "%zz", "%2e%2e", "+", "a+b c", " ", ";", "\\", "~!*'()",
	":@&=$,", "|^`{}[]<>\"", "\x00", "a\x00b", "\r\n", "a\r\nX-Evil: 1", "\xff\xfe", "\xc3\x28", "é", "日本語", "\U0001f600", "\u202e", "\u2028", "TLP:AMBER+STRICT", "192.0.2.0/24", "HKEY_LOCAL_MACHINE\\a : b : REG_SZ",
	"md5 : sha1 : sha256", strings.Repeat("a/%é?", 1366), "\x7f", "\t", "ſ", "İ",
}

func TestAnyValueArrivesAsItWasSigned(t *testing.T) {
	t.Parallel()
	tap := newWireTap(t)
	c := tapClient(t, tap)
	for _, v := range hostile {
		checkValueArrives(t, c, tap, v)
	}
}

func FuzzAnyValueArrivesAsItWasSigned(f *testing.F) {
	for _, v := range hostile {
		f.Add(v)
	}
	tap := newWireTap(f)
	c := tapClient(f, tap)
	f.Fuzz(func(t *testing.T, v string) { checkValueArrives(t, c, tap, v) })
}

// checkValueArrives sends v as a path segment and in the query, and decodes it from the bytes on the
// wire as a server does.
func checkValueArrives(t *testing.T, c *Client, tap *wireTap, v string) {
	t.Helper()
	r := at("v2", "indicators", "hosts", value(v), "tags", value("x"+v))
	if v == "" || v == "." || v == ".." {
		require.ErrorIs(t, r.err, ErrValidation)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := c.exchange(ctx, &call{method: http.MethodDelete, route: r, query: url.Values{"owner": {v}, filtersKey: {"name=" + strings.ReplaceAll(v, ",", "")}}}, nil, nil)
	require.NoError(t, err)
	target := checkTarget(t, <-tap.seen, "DELETE", "Sup3rS3cret") // sent before the response
	path, query, ok := strings.Cut(target, "?")
	require.True(t, ok)
	segs := strings.Split(path, "/")
	require.Len(t, segs, 8, "the value is one segment")
	require.Equal(t, []string{"", "api", "v2", "indicators", "hosts"}, segs[:5])
	got, err := url.PathUnescape(segs[5])
	require.NoError(t, err)
	require.Equal(t, v, got)
	require.NotEmpty(t, strings.Trim(segs[5], "."), "a server would resolve a segment of dots")
	got, err = url.PathUnescape(segs[7])
	require.NoError(t, err)
	require.Equal(t, "x"+v, got)
	q, err := url.ParseQuery(query)
	require.NoError(t, err)
	require.Equal(t, v, q.Get("owner"))
	require.Equal(t, "name="+strings.ReplaceAll(v, ",", ""), q.Get(filtersKey))
	require.NotContains(t, query, "+")
}

func TestPathSegment(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                    "",
		"abc-._~XYZ019":       "abc-._~XYZ019",
		".":                   "%2E",
		"..":                  "%2E%2E",
		"..a":                 "..a",
		"http://example.com/": "http%3A%2F%2Fexample.com%2F",
		"192.0.2.0/24":        "192.0.2.0%2F24",
		"TLP:AMBER+STRICT":    "TLP%3AAMBER%2BSTRICT",
		"Nation State":        "Nation%20State",
		"100%":                "100%25",
		"%2F":                 "%252F",
		"é\x00":               "%C3%A9%00",
		"bad@example.com":     "bad%40example.com",
		"!'()*":               "%21%27%28%29%2A",
	} {
		assert.Equal(t, want, PathSegment(in))
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	r := at("v2", "indicators", "hosts", value("a/b")).under("tags", value("x"), id(7))
	assert.Equal(t, "/v2/indicators/hosts/a%2Fb/tags/x/7", r.path)
	assert.Equal(t, "/v2/indicators/hosts/{}/tags/{}/{}", r.template)
	require.NoError(t, r.err)
	require.ErrorIs(t, at("v2", value("")).under("tags").err, ErrValidation)
	require.ErrorIs(t, at("v2").under(value("")).err, ErrValidation)
}

func TestEncodeQuery(t *testing.T) {
	t.Parallel()
	for want, q := range map[string]url.Values{
		"":                              nil,
		"a=1&b=2&c=3":                   {"c": {"3"}, "a": {"1"}, "b": {"2"}},
		"owner=A%20B%2BC":               {"owner": {"A B+C"}},
		"x=1%2C2":                       {"x": {"1,2"}},
		"filters=a%3D1,b%5Ec%20d&x=%2C": {"filters": {"a=1,b^c d"}, "x": {","}},
	} {
		assert.Equal(t, want, encodeQuery(q))
	}
}

func BenchmarkAuthorize(b *testing.B) {
	creds := HMAC("access", "Sup3rS3cret")
	u, err := url.Parse("https://tc.example/api/v2/indicators/urls/http%3A%2F%2Fexample.com?owner=Example%20Source")
	require.NoError(b, err)
	req := &http.Request{Method: "GET", URL: u, Header: http.Header{}}
	now := time.Unix(1700000000, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := creds.authorize(b.Context(), req, now); err != nil {
			b.Fatal(err)
		}
	}
}

// The dialed address must be a loopback address, whatever a name resolves to.
func TestThreatOnlyLoopbackIsDialedInClear(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("http://localhost:9/api")
	require.NoError(t, err)
	cfg := config{base: base}
	tr := cfg.newTransport()
	for address, other := range map[string]bool{
		"127.0.0.1:9": false, "[::1]:9": false, "localhost:9": false,
		"192.0.2.1:9": true, "0.0.0.0:9": true, "255.255.255.255:9": true,
	} {
		_, err := tr.DialContext(t.Context(), "tcp", address)
		require.Error(t, err, "no server is listening")
		assert.Equal(t, other, errors.Is(err, errNotLoopback), "%s: %v", address, err)
	}
	for address, other := range map[string]bool{"[::ffff:127.0.0.1]:80": false, "[2001:db8::1]:80": true, "[fe80::1%eth0]:80": true, "": true} {
		assert.Equal(t, other, dialLoopback("tcp", address, nil) != nil, address)
	}
}
