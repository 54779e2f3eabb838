package alert

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// A web page cannot send alerts, neither from its own origin nor by DNS rebinding, and also with --no-auth.
func TestThreatListenerRejectsForeignOrigins(t *testing.T) {
	t.Parallel()
	const rebound = "attacker.example:8080"
	for name, tc := range map[string]struct {
		host   string
		header map[string]string
		status int
	}{
		"rebound name":                {rebound, nil, 403},
		"rebound name and its origin": {rebound, map[string]string{"Origin": "http://" + rebound, "Sec-Fetch-Site": "same-origin"}, 403},
		"name below a name":           {"a.siem.example:8080", nil, 403},
		"name above a name":           {"example:8080", nil, 403},
		"no name":                     {"", nil, 403},
		"page of another site":        {"127.0.0.1:8080", map[string]string{"Origin": "http://attacker.example"}, 403},
		"page on another port":        {"127.0.0.1:8080", map[string]string{"Origin": "http://127.0.0.1:3000"}, 403},
		"page over another scheme":    {"127.0.0.1:8080", map[string]string{"Origin": "https://127.0.0.1:8080"}, 403},
		"page without an origin":      {"127.0.0.1:8080", map[string]string{"Origin": "null"}, 403},
		"page by its site only":       {"127.0.0.1:8080", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"page of the same site":       {"127.0.0.1:8080", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"address":                     {"127.0.0.1:8080", nil, 200},
		"address and own origin":      {"127.0.0.1:8080", map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 200},
		"address of a container":      {"192.0.2.7:80", nil, 200},
		"IPv6":                        {"[::1]:8080", nil, 200},
		"localhost":                   {"localhost:8080", nil, 200},
		"host of --listen":            {"listener.example:8080", nil, 200},
		"--host":                      {"siem.example", nil, 200},
		"--host in capitals":          {"SIEM.example:443", nil, 200},
	} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, no-auth=%v", name, open), func(t *testing.T) {
				t.Parallel()
				h, srv := newTestWebhook(t, io.Discard, func(c *config) {
					c.listen, c.hosts, c.noAuth = "listener.example:8080", []string{"Siem.example"}, open
				})
				r := newRequest(t, sampleAlert)
				r.Host = tc.host
				for k, v := range tc.header {
					r.Header.Set(k, v)
				}
				w := send(h, r)
				assert.Equal(t, tc.status, w.Code, w.Body)
				assert.Equal(t, tc.status == 200, len(srv.Requests()) > 0)
				assert.Equal(t, tc.status == 200, len(srv.Notifications()) == 1)
			})
		}
	}
}

var madeUp = regexp.MustCompile(`Senders need the user name (\S+) and the password (\S+)\. `)

// A listener requires a password, also on loopback, unless --no-auth is set.
func TestThreatListenerRequiresPassword(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	status := func(l *listener, user, password string) int {
		r := newRequest(t, sampleAlert)
		r.RequestURI, r.Host = "", ""
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(l.url, "http://")
		r.SetBasicAuth(user, password)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	passwords := map[string]bool{}
	for range 2 {
		l := startListener(t, env)
		found := madeUp.FindAllStringSubmatch(l.stderr.String(), -1)
		require.Len(t, found, 1, l.stderr)
		user, password := found[0][1], found[0][2]
		passwords[password] = true
		assert.GreaterOrEqual(t, len(password), 26, "128 bits")
		assert.Equal(t, 401, status(l, user, "x"))
		assert.Equal(t, 401, status(l, "", ""))
		assert.Empty(t, srv.Notifications())
		assert.Equal(t, 200, status(l, user, password))
		l.stop()
		assert.Equal(t, cli.Success, <-l.ended)
		assert.Equal(t, 1, strings.Count(l.stderr.String(), password))
		srv.Reset()
		require.NoError(t, fillSample(srv))
	}
	assert.Len(t, passwords, 2)

	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("s3cr3t\n"), 0o600))
	env["ALERT_USER"], env["ALERT_PASSWORD_FILE"] = "siem", file
	l := startListener(t, env)
	assert.NotRegexp(t, madeUp, l.stderr.String())
	assert.Equal(t, 401, status(l, "siem", "s3cr3t\n"))
	assert.Equal(t, 200, status(l, "siem", "s3cr3t"))

	delete(env, "ALERT_USER")
	delete(env, "ALERT_PASSWORD_FILE")
	l = startListener(t, env, "--no-auth")
	assert.NotRegexp(t, madeUp, l.stderr.String())
	assert.NotContains(t, l.stderr.String(), "Anybody")
	assert.Equal(t, 200, status(l, "", ""))
	l = startListener(t, env, "--no-auth", "--listen", ":0")
	assert.Contains(t, l.stderr.String(), "Anybody who can reach ")
	l = startListener(t, env, "--listen", ":0")
	assert.Regexp(t, madeUp, l.stderr.String())
	assert.Contains(t, l.stderr.String(), "in clear text: set --tls-cert")
}

func TestInvalidPasswordSettings(t *testing.T) {
	t.Parallel()
	_, instance := newInstance(t)
	dir := t.TempDir()
	empty, full := filepath.Join(dir, "empty"), filepath.Join(dir, "full")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	require.NoError(t, os.WriteFile(full, []byte("s3cr3t"), 0o600))
	unread := maps.Clone(instance)
	unread["ALERT_PASSWORD_FILE"] = empty
	assert.Equal(t, cli.Success, run(t, unread, sampleAlert, owner()...).code, "without --listen, the password is not read")
	for name, tc := range map[string]struct {
		env    map[string]string
		args   []string
		stderr string
	}{
		"password without user": {map[string]string{"ALERT_PASSWORD": "s3cr3t"}, nil, "ALERT_USER and ALERT_PASSWORD need each other"},
		"user without password": {map[string]string{"ALERT_USER": "siem"}, nil, "ALERT_USER and ALERT_PASSWORD need each other"},
		"password twice":        {map[string]string{"ALERT_USER": "siem", "ALERT_PASSWORD": "s3cr3t", "ALERT_PASSWORD_FILE": full}, nil, "ALERT_PASSWORD_FILE is set together with ALERT_PASSWORD"},
		"empty file":            {map[string]string{"ALERT_USER": "siem", "ALERT_PASSWORD_FILE": empty}, nil, "ALERT_PASSWORD_FILE names an empty file"},
		"no file":               {map[string]string{"ALERT_USER": "siem", "ALERT_PASSWORD_FILE": filepath.Join(dir, "none")}, nil, "ALERT_PASSWORD_FILE names a file that cannot be read"},
		"user with a colon":     {map[string]string{"ALERT_USER": "a:b", "ALERT_PASSWORD": "s3cr3t"}, nil, "ALERT_USER must not have a colon"},
		"password without need": {map[string]string{"ALERT_USER": "siem", "ALERT_PASSWORD": "s3cr3t"}, []string{"--no-auth"}, "--no-auth and ALERT_PASSWORD cannot be used together"},
		"address as a name":     {nil, []string{"--host", "siem.example:8080"}, "--host must be a name"},
		"URL as a name":         {nil, []string{"--host", "https://siem.example"}, "--host must be a name"},
		"no name":               {nil, []string{"--host", ""}, "--host must be a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(instance)
			maps.Copy(env, tc.env)
			r := run(t, env, "", append(owner("--listen", "127.0.0.1:0"), tc.args...)...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
			assert.NotContains(t, r.stderr, "s3cr3t")
		})
	}
}

// elsewhere is a listener whose connections seem to come from another machine.
type elsewhere struct {
	net.Listener
	address atomic.Pointer[string]
}

func (l *elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ip, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(*l.address.Load(), strconv.Itoa(c.RemoteAddr().(*net.TCPAddr).Port)))
	return &distant{c, ip}, err
}

type distant struct {
	net.Conn
	from net.Addr
}

func (c *distant) RemoteAddr() net.Addr { return c.from }

// 200 connections from one address that send headers or bodies slowly, with the right password, do not delay alerts
// from another address. Those above maxConnections are closed at once, and the others after readTimeout.
func TestThreatSlowSendersDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	srv := newSampleServer(t)
	h := newTestHandler(t, srv.Client())
	h.user, h.password = "siem", "s3cr3t"
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	from := &elsewhere{Listener: l}
	from.address.Store(new("192.0.2.1"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- h.serveOn(ctx, &cli.Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}, from)
	}()
	defer func() {
		stop()
		require.NoError(t, <-ended)
	}()

	const authorization = "Authorization: Basic c2llbTpzM2NyM3Q=\r\n" // siem:s3cr3t
	var slow []net.Conn
	for i := range 200 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		text := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + authorization + "Content-Length: 1000\r\n"
		if i%4 != 0 {
			text += "\r\n{"
		}
		_, _ = io.WriteString(c, text) // the connection may be closed already
		slow = append(slow, c)
	}
	start := time.Now()
	require.Eventually(t, func() bool { // the last one has been closed: all were accepted
		_ = slow[199].SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := slow[199].Read(make([]byte, 1))
		return err != nil && !os.IsTimeout(err)
	}, 5*time.Second, time.Millisecond)
	from.address.Store(new("192.0.2.2"))
	sender := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 5 {
		other := &listener{url: "http://" + l.Addr().String()}
		assert.Equal(t, 200, other.send(t, sender))
	}
	assert.Less(t, time.Since(start), readTimeout/2, "the slow connections are still open")
	var atOnce, late, answered atomic.Int32
	var all sync.WaitGroup
	for _, c := range slow {
		all.Go(func() {
			_ = c.SetReadDeadline(start.Add(2 * readTimeout))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			assert.False(t, os.IsTimeout(err), "it is closed")
			if time.Since(start) < readTimeout/2 {
				atOnce.Add(1)
			} else {
				late.Add(1)
			}
			if err == nil {
				assert.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
				assert.NoError(t, resp.Body.Close())
				answered.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, maxConnections, late.Load())
	assert.EqualValues(t, 200-maxConnections, atOnce.Load())
	assert.EqualValues(t, maxConnections*3/4, answered.Load(), "connections that sent their headers")
	assert.Len(t, srv.Notifications(), 1)
}

// A wrong password is refused at once, before the body has arrived.
func TestWrongPasswordIsRejectedBeforeBody(t *testing.T) {
	t.Parallel()
	h, _ := newTestWebhook(t, io.Discard, func(*config) {})
	r := newRequest(t, "")
	r.SetBasicAuth("siem", "x")
	unread, _ := io.Pipe()
	r.Body = unread
	w := send(h, r)
	assert.Equal(t, 401, w.Code)
	assert.Equal(t, "close", w.Header().Get("Connection"), "the server does not read it either")
}

var lineOfRefusals = regexp.MustCompile(`level=WARN msg="requests refused" address=(\S+) count=(\d+) wrongPasswords=(\d+) status=(\d+)`)

// logged returns the number of log lines about refused requests, and the sum of their counts.
func logged(log *buffer) (lines, requests int) {
	for _, line := range lineOfRefusals.FindAllStringSubmatch(log.String(), -1) {
		n, _ := strconv.Atoi(line[2])
		lines, requests = lines+1, requests+n
	}
	return lines, requests
}

// The log counts each refused request, in one line per address and minute. Repeated wrong passwords are delayed.
func TestThreatListenerLogsRejectedRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		h, _ := newTestWebhook(t, log, func(*config) {})
		from := func(address, password string) (time.Duration, int) {
			r := newRequest(t, sampleAlert)
			r.RemoteAddr = address
			r.Header.Del("Authorization")
			if password != "" {
				r.SetBasicAuth("siem", password)
			}
			start := time.Now()
			code := send(h, r).Code
			return time.Since(start), code
		}
		for range 25 { // like clients that send the password only after a 401
			took, code := from("192.0.2.4:4711", "")
			assert.Equal(t, 401, code)
			assert.Zero(t, took, "no password is no guess")
			took, code = from("192.0.2.4:4711", "s3cr3t")
			assert.Equal(t, 200, code)
			assert.Zero(t, took)
		}
		time.Sleep(2 * logEvery)
		assert.Contains(t, log.String(), "address=192.0.2.4 count=24 wrongPasswords=0 status=401")
		for n := range 25 {
			took, code := from("192.0.2.1:4711", fmt.Sprintf("guess-%d", n))
			assert.Equal(t, 401, code)
			assert.Equal(t, time.Duration(min(max(n+1-10, 0), 10))*time.Second, took, "guess %d", n+1)
		}
		took, code := from("192.0.2.1:4712", "s3cr3t")
		assert.Equal(t, 200, code)
		assert.Zero(t, took, "the right password is not delayed")
		took, _ = from("192.0.2.2:4711", "x")
		assert.Zero(t, took, "other addresses are not delayed")
		time.Sleep(2 * logEvery)
		took, _ = from("192.0.2.1:4711", "x")
		assert.Zero(t, took, "the guesses are forgotten")
		time.Sleep(2 * logEvery)
		before, requests := logged(log)
		assert.Equal(t, 25+27, requests)

		var all sync.WaitGroup
		for range 2000 {
			all.Go(func() { from("192.0.2.3:4711", "x") })
		}
		all.Wait()
		r := newRequest(t, sampleAlert) // another status does not hide the wrong passwords
		r.RemoteAddr, r.Method = "192.0.2.3:4711", "GET"
		send(h, r)
		time.Sleep(2 * logEvery)
		assert.Contains(t, log.String(), "address=192.0.2.3 count=2000 wrongPasswords=1999 status=405")
		lines, requests := logged(log)
		assert.Equal(t, 25+2028, requests)
		assert.Equal(t, before+2, lines, "one at once and one a minute later")

		for n := range 3000 {
			all.Go(func() { from(fmt.Sprintf("[2001:db8:0:%x::1]:4711", n), "x") })
		}
		all.Wait()
		time.Sleep(2 * logEvery)
		more, requests := logged(log)
		assert.Equal(t, 25+5028, requests)
		assert.LessOrEqual(t, more-lines, maxPeers+2, "addresses beyond maxPeers share lines")
		assert.Regexp(t, `address=2001:db8:0:[0-9a-f]+::/64 count=1 wrongPasswords=1 status=401`, log)
		assert.Contains(t, log.String(), "address=others")

		r = newRequest(t, "hello 203.0.113.99")
		r.Host = "attacker.example"
		send(h, r)
		send(h, newRequest(t, "hello 203.0.113.99"))
		assert.Contains(t, log.String(), "count=1 wrongPasswords=0 status=403")
		time.Sleep(logEvery)
		synctest.Wait()
		assert.Contains(t, log.String(), "count=1 wrongPasswords=0 status=400")
		for _, secret := range []string{"s3cr3t", "guess", "203.0.113", "attacker"} {
			assert.NotContains(t, log.String(), secret)
		}
	})
}

// When the listener ends, it logs the refused requests that are not in the log yet.
func TestRejectedRequestsAreLoggedAtShutdown(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	l := startListener(t, env)
	for range 3 {
		assert.Equal(t, 401, l.send(t, http.DefaultClient))
	}
	l.stop()
	<-l.ended
	assert.Contains(t, l.stderr.String(), `msg="requests refused" address=127.0.0.1 count=2 wrongPasswords=2 status=401`)
}

// With --no-auth, a response does not reveal what the instance knows.
func TestThreatOpenListenerHidesResults(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"known": `{"id":"1","src_ip":"203.0.113.42"}`, "unknown": `{"id":"2","src_ip":"198.51.100.1"}`,
		"nothing": `{"id":"3"}`, "false positive": `{"id":"4","domain":"www.example.com"}`, "private": `{"id":"5","src_ip":"10.0.0.1"}`,
	}
	for _, open := range []bool{false, true} {
		h, srv := newTestWebhook(t, io.Discard, func(c *config) { c.noAuth = open })
		answers := map[string]bool{}
		for name, body := range bodies {
			w := post(t, h, body)
			require.Equal(t, 200, w.Code)
			answers[fmt.Sprint(w.Body, w.Header())] = true
			if open {
				assert.JSONEq(t, `{"handled":true}`, w.Body.String(), name)
			}
		}
		assert.Len(t, srv.Notifications(), 1, "the users are notified of the known one")
		if !open {
			assert.Len(t, answers, len(bodies))
		} else {
			assert.Len(t, answers, 1)
		}

		const words = "Access Denied"
		require.NoError(t, srv.Inject(threatconnecttest.Fault{
			Kind: threatconnecttest.FaultStatus, Status: 403, Times: -1, Header: http.Header{"Content-Type": {"application/json"}},
			Body: `{"status":"Failure","message":"` + words + `"}`, Route: "/v2/indicators/{type}/{indicator}/owners",
		}))
		w := post(t, h, bodies["known"])
		require.Equal(t, 502, w.Code)
		var answer map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), w.Body)
		if open {
			assert.Equal(t, map[string]string{"error": errHidden.Error()}, answer)
		} else {
			assert.Contains(t, answer["error"], words)
		}
	}
}
