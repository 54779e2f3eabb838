package threatconnecttest

import (
	"bufio"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wireClient writes requests byte by byte to a connection, as clients in other languages do. Go's
// client would normalize header names and targets.
type wireClient struct {
	*testing.T
	srv  *Server
	addr string
}

func newWireClient(t *testing.T, opts ...Option) wireClient {
	t.Helper()
	srv := New(opts...)
	port := httptest.NewServer(srv)
	t.Cleanup(port.Close)
	return wireClient{t, srv, port.Listener.Addr().String()}
}

// line is a request.
type line struct {
	method, target string
	headers        []string // in addition to Host, Authorization, Timestamp and the framing
	body           string
	lower          bool   // send header names in lower case, like the Java client
	chunked        bool   // send the body in chunks of 7 bytes, without Content-Length
	token          bool   // authenticate with the token
	bearer         string // token to send instead of the server's
	bare           bool   // send no credentials
	signed         string // text to sign instead of the target
}

const (
	asJSON   = "Content-Type: application/json"
	asStream = "Content-Type: application/octet-stream"
)

// fields returns the header fields of a line, except Host and Content-Length.
func (l line) fields(s *Server, now time.Time) []string {
	stamp := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.SecretKey()))
	fmt.Fprintf(mac, "%s:%s:%s", cmp.Or(l.signed, l.target), l.method, stamp)
	fields := []string{"Timestamp: " + stamp, "Authorization: TC " + s.AccessID() + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}
	switch {
	case l.token:
		fields = []string{"Authorization: TC-Token " + cmp.Or(l.bearer, s.Token())}
	case l.bare:
		fields = nil
	}
	if l.chunked {
		fields = append(fields, chunkedBody)
	}
	fields = append(fields, l.headers...)
	for i, f := range fields {
		if name, value, _ := strings.Cut(f, ": "); l.lower {
			fields[i] = strings.ToLower(name) + ": " + value
		}
	}
	return fields
}

const chunkedBody = "Transfer-Encoding: chunked"

// onWire returns the bytes of a request. The body is in chunks of 7 bytes if fields contain
// chunkedBody.
func onWire(host, method, target string, fields []string, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, host)
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.EqualFold(f, chunkedBody) }) {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return b.String()
	}
	b.WriteString("\r\n")
	for chunk := range slices.Chunk([]byte(body), 7) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	return b.String() + "0\r\n\r\n"
}

func (w wireClient) send(l line) reply {
	w.Helper()
	return w.sendBytes(l.method, onWire(w.addr, l.method, l.target, l.fields(w.srv, time.Now()), l.body))
}

func (w wireClient) sendBytes(method, request string) reply {
	w.Helper()
	conn, err := new(net.Dialer).DialContext(w.Context(), "tcp", w.addr)
	require.NoError(w, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(w, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(w, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(w, err)
	r := reply{status: resp.StatusCode, header: resp.Header, raw: string(b)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		require.NoError(w, json.Unmarshal(b, &r.json), r.raw)
	}
	return r
}

// want sends a line and checks the status.
func (w wireClient) want(status int, l line) reply {
	w.Helper()
	r := w.send(l)
	require.Equal(w, status, r.status, "%s %s: %s", l.method, l.target, r.raw)
	return r
}

// number returns the number at a path of a response.
func (w wireClient) number(r reply, path ...string) string {
	w.Helper()
	v := r.json
	for _, name := range path {
		m, ok := v.(map[string]any)
		require.True(w, ok, r.raw)
		v = m[name]
	}
	n, ok := v.(float64)
	require.True(w, ok, r.raw)
	return strconv.Itoa(int(n))
}

// stocked returns a server with the items that the exchanges need.
func stocked(t *testing.T) wireClient {
	t.Helper()
	w := newWireClient(t)
	for _, r := range []IndicatorRecord{
		{Type: "URL", Summary: "http://example.com/a b?x=1&y=%2F#frag"},
		{Type: "URL", Summary: "http://example.com/plain"},
		{Type: "Host", Summary: "www.example.com"},
		{Type: "EmailAddress", Summary: "a+b@example.com"},
		{Type: "File", Summary: "d41d8cd98f00b204e9800998ecf8427e"},
		{Type: "Address", Summary: "192.0.2.1"},
	} {
		r.Owner = "Example Community"
		require.NoError(t, w.srv.Seed(&r), r.Summary)
	}
	return w
}

// These clients send numbers and booleans also as strings, and booleans as 0 or 1.
func TestWritesOfOtherClients(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	const query = "?owner=Example+Community&createActivityLog=false"
	addresses := "/api/v2/indicators/addresses"
	w.want(201, line{method: "POST", target: addresses + query, headers: []string{asJSON}, body: `{"ip": "192.0.2.1", "rating": "3", "confidence": "50"}`})
	w.want(200, line{method: "PUT", target: addresses + "/192.0.2.1" + query, headers: []string{asJSON}, body: `{"active": "0", "activeLocked": 1}`})
	got, ok := w.srv.Indicator("Example Community", "Address", "192.0.2.1")
	require.True(t, ok)
	assert.InDelta(t, 3, *got.Rating, 0)
	assert.Equal(t, 50, *got.Confidence)
	w.want(201, line{method: "POST", target: "/api/v2/indicators/hosts" + query, headers: []string{asJSON}, body: `{"hostName": "www.example.com", "dnsActive": "true", "whoisActive": true}`})
	w.want(201, line{method: "POST", target: "/api/v2/indicators/files" + query, headers: []string{asJSON}, body: `{"md5": "D41D8CD98F00B204E9800998ECF8427E", "size": "13"}`})

	inc := w.number(w.want(201, line{method: "POST", target: "/api/v2/groups/incidents" + query, headers: []string{asJSON}, lower: true,
		body: `{"name": "Example", "eventDate": "2026-1-2T00:00:00-04:00"}`}), "data", "incident", "id")
	adv := w.number(w.want(201, line{method: "POST", target: "/api/v2/groups/adversaries/?createActivityLog=false&owner=Example+Community", headers: []string{asJSON},
		body: `{"name": "Example"}`}), "data", "adversary", "id")
	// Link, read and unlink, with paging parameters that have no effect.
	for _, pair := range []string{
		"/api/v2/groups/incidents/" + inc + "/groups/adversaries/" + adv,
		"/api/v2/groups/incidents/" + inc + "/indicators/addresses/192.0.2.1",
		addresses + "/192.0.2.1/groups/adversaries/" + adv,
	} {
		list := pair[:strings.LastIndexByte(pair, '/')]
		w.want(201, line{method: "POST", target: pair + "?resultLimit=10000&owner=Example+Community", headers: []string{asJSON}})
		r := w.want(200, line{method: "GET", target: list + "?resultLimit=500&resultStart=0&owner=Example+Community&createActivityLog=false"})
		assert.Equal(t, "1", w.number(r, "data", "resultCount"), list)
		w.want(200, line{method: "DELETE", target: pair + query})
		r = w.want(200, line{method: "GET", target: list + query})
		assert.Equal(t, "0", w.number(r, "data", "resultCount"), list)
	}
	w.want(201, line{method: "POST", target: addresses + "/192.0.2.1/securityLabels/TLP%3AAMBER" + query})
	attribute := w.number(w.want(201, line{method: "POST", target: addresses + "/192.0.2.1/attributes" + query, headers: []string{asJSON},
		body: `{"type": "Description", "value": "Seen", "displayed": "true"}`}), "data", "attribute", "id")
	w.want(200, line{method: "PUT", target: addresses + "/192.0.2.1/attributes/" + attribute + query, headers: []string{asJSON}, body: `{"value": "Seen twice"}`})
	w.want(200, line{method: "DELETE", target: addresses + "/192.0.2.1/attributes/" + attribute + query})
	w.want(200, line{method: "DELETE", target: addresses + "/192.0.2.1" + query})
	assert.False(t, w.srv.Has("Example Community", "Address", "192.0.2.1"))
}

// Some clients stop at a short page, others at the count.
func TestPagingOfOtherClients(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for i := range 25 {
		require.NoError(t, w.srv.Seed(&IndicatorRecord{Type: "Address", Summary: fmt.Sprintf("198.51.100.%d", i)}))
	}
	seen := map[string]bool{}
	for start := 0; ; start += 10 {
		r := w.want(200, line{method: "GET", target: fmt.Sprintf("/api/v2/indicators/addresses?resultLimit=10&resultStart=%d&createActivityLog=false", start)})
		data := r.json.(map[string]any)["data"].(map[string]any)
		assert.Equal(t, start == 0, data["resultCount"] != nil, "only the first page has the count")
		page, _ := data["address"].([]any)
		for _, v := range page {
			seen[v.(map[string]any)["ip"].(string)] = true
		}
		if len(page) < 10 {
			assert.Equal(t, 20, start)
			break
		}
	}
	assert.Len(t, seen, 25)
	w.want(200, line{method: "GET", target: "/api/v2/indicators/addresses?resultLimit=10&resultStart=500"})
	w.want(400, line{method: "GET", target: "/api/v2/indicators/addresses?resultLimit=10001"})
}

// TcEx sends POST with updateIfExists and, if that is refused, PUT.
func TestDocumentUploadsOfOtherClients(t *testing.T) {
	t.Parallel()
	w := newWireClient(t, WithoutUpdateIfExists())
	created := w.want(201, line{method: "POST", target: "/api/v2/groups/documents/", headers: []string{asJSON}, body: `{"name": "Example", "fileName": "example.txt"}`})
	id := w.number(created, "data", "document", "id")
	upload := "/api/v2/groups/documents/" + id + "/upload"
	w.want(200, line{method: "POST", target: upload + "?updateIfExists=true&createActivityLog=false", headers: []string{asStream}, body: "first"})
	w.want(401, line{method: "POST", target: upload + "?updateIfExists=true&createActivityLog=false", headers: []string{asStream}, body: "second"})
	w.want(200, line{method: "PUT", target: upload, headers: []string{asStream}, body: "second edition", chunked: true, lower: true})
	assert.Equal(t, "second edition", w.want(200, line{method: "GET", target: "/api/v2/groups/documents/" + id + "/download"}).raw)
	batched := &GroupRecord{Type: "Document", Name: "Example", XID: "example-1", Fields: map[string]string{"fileName": "example.txt"}}
	require.NoError(t, w.srv.Seed(batched))
	w.want(200, line{method: "POST", target: "/api/v2/groups/documents/example-1/upload", headers: []string{asStream}, body: "by xid"})
	assert.Equal(t, "by xid", w.want(200, line{method: "GET", target: fmt.Sprintf("/api/v2/groups/documents/%d/download", batched.ID)}).raw)
}
