package threatconnect_test

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// checkHeaders puts text into every header that the caller can set. The text must arrive unchanged on
// one line, or be refused before anything is sent.
func checkHeaders(t *testing.T, text string) (arrived bool) {
	t.Helper()
	srv := threatconnecttest.NewT(t)
	client := func(opts ...threatconnect.Option) (*threatconnect.Client, *rawTap, error) {
		tap := &rawTap{srv: srv}
		c, err := threatconnect.NewClient(srv.BaseURL(), threatconnect.HMAC(srv.AccessID(), srv.SecretKey()), append(opts, threatconnect.WithTransport(tap))...)
		return c, tap, err
	}
	ctx := t.Context()

	c, tap, err := client(threatconnect.WithUserAgent(text))
	if err != nil {
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	} else {
		_, err = c.Owners.Whoami(ctx)
		require.NoError(t, err, "%q", text)
		require.Equal(t, strings.TrimLeft(text, " ")+" threatconnect-go/"+threatconnect.Version, tap.sent[0].header["User-Agent"])
		arrived = true
	}
	c, tap, err = client(threatconnect.WithOwner(text))
	if err != nil {
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	} else {
		_, err = c.Indicators.Hosts.List(ctx, nil)
		require.ErrorIs(t, err, threatconnect.ErrOwnerRefused)
		require.Equal(t, text, tap.sent[0].query.Get("owner"))
	}
	c, tap, err = client()
	require.NoError(t, err)
	for name, send := range map[string]func() error{
		"X-Note": func() error {
			return closed(c.Do(ctx, threatconnect.Request{Method: http.MethodGet, Path: "/v2/owners", Header: http.Header{"X-Note": {text}}}))
		},
		"Content-Type": func() error {
			return closed(c.Do(ctx, threatconnect.Request{Method: http.MethodPost, Path: "/v2/tags", Header: http.Header{"content-type": {text}}, Body: []byte("{}")}))
		},
	} {
		tap.sent = nil
		err := send()
		if len(tap.sent) == 0 {
			require.ErrorIs(t, err, threatconnect.ErrValidation, "%s %q", name, text)
			continue
		}
		want := strings.Trim(text, " \t")
		if text == "" && name == "Content-Type" {
			want = "application/json; charset=utf-8"
		}
		require.Equal(t, want, strings.Trim(tap.sent[0].header[name], " \t"), name)
	}
	tap.sent = nil
	err = closed(c.Do(ctx, threatconnect.Request{Method: http.MethodGet, Path: "/v2/owners", Header: http.Header{text: {"x"}}}))
	if len(tap.sent) == 0 {
		require.ErrorIs(t, err, threatconnect.ErrValidation, "the header name %q", text)
	}
	checkTrigger(t, text)
	return arrived
}

// checkTrigger does the same as checkHeaders for the headers and the credentials of a trigger.
func checkTrigger(t *testing.T, text string) {
	t.Helper()
	for _, o := range []threatconnect.PlaybookTriggerOptions{
		{Header: http.Header{"X-Note": {text}}}, {Header: http.Header{text: {"x"}}}, {Header: http.Header{"User-Agent": {text}}}, {Username: "u", Password: text}, {Username: text},
	} {
		var sent bytes.Buffer
		o.HTTPClient = &http.Client{Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
			if err := r.Write(&sent); err != nil {
				return nil, err
			}
			return wiretest.Reply(200, ""), nil
		})}
		o.Retry = threatconnect.RetryPolicy{MaxAttempts: 1}
		trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/x", &o)
		if err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			continue
		}
		_, err = trigger.Fire(t.Context(), nil)
		require.NoError(t, err, "%q", text)
		_, err = readRaw(&sent)
		require.NoError(t, err, "%q", text)
	}
}

func closed(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestHeaderInjectionIsPrevented(t *testing.T) {
	t.Parallel()
	arrived := 0
	for _, v := range append(hostileValues(), "acme-feed/1.4.2 (build 7)", "x: y", "text/plain; charset=utf-8") {
		if checkHeaders(t, v) {
			arrived++
		}
	}
	assert.Greater(t, arrived, 20)
}

func FuzzHeaders(f *testing.F) {
	for _, v := range hostileValues() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) { checkHeaders(t, v) })
}

func TestTriggerRejectsInvalidHeaderNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "X-Evil: 1\r\nX", "X Y", "X:"} {
		_, err := threatconnect.NewPlaybookTrigger("https://tc.example/x", &threatconnect.PlaybookTriggerOptions{Header: http.Header{name: {"v"}}})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
}

// FuzzServerAddresses passes any text as the address of a server. It must be used as net/url parses it, or
// refused. Only loopback addresses may be used without TLS.
func FuzzServerAddresses(f *testing.F) {
	for _, s := range []string{
		"https://tc.example/api", "https://tc.example:8443/api/", "http://tc.example", "http://127.0.0.1:80/x", "http://[::1]/", "http://localhost", "http://localhost.evil.example/", "https://u:p@tc.example/", "HTTPS://TC.example",
		"https://tc.example/api?x=1", "https://tc.example/api#x", "https://tc.example/a/../b", "https://tc.example/%2e%2e/", "//tc.example", "tc.example", "https://", "https:///x", "https://a\r\nb/", "https://tc.example:0", "https://tc.example:99999",
		"http://127.1/", "http://0x7f000001/", "http://[::ffff:127.0.0.1]/", "socks5://proxy.example:1080", "http://user:pa%40ss@proxy.example:3128", "https://tc.example\\@evil.example/", "https://\u0131.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := threatconnect.NewClient("https://tc.example", threatconnect.Token("x"), threatconnect.WithProxy(s)); err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
		}
		if _, err := threatconnect.NewPlaybookTrigger(s, nil); err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
		}
		var sent *http.Request
		c, err := threatconnect.NewClient(s, threatconnect.Token("x"), threatconnect.WithTransport(wiretest.Func(func(r *http.Request) (*http.Response, error) {
			sent = r
			resp := wiretest.Reply(200, whoami)
			resp.Request = r
			return resp, nil
		})))
		if err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			return
		}
		_, err = c.Owners.Whoami(t.Context())
		require.NoError(t, err, "%q", s)
		u, err := url.Parse(strings.TrimSpace(s))
		require.NoError(t, err)
		require.Equal(t, strings.ToLower(u.Host), strings.ToLower(sent.URL.Host))
		require.Nil(t, sent.URL.User)
		require.True(t, strings.HasSuffix(sent.URL.Path, "/v2/whoami"))
		if sent.URL.Scheme != "https" {
			host := sent.URL.Hostname()
			addr, err := netip.ParseAddr(host)
			require.True(t, strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback(), "%q in the clear", s)
		}
	})
}

// FuzzCreateAndUpload parses the two parts of each request with mime/multipart.
func FuzzCreateAndUpload(f *testing.F) {
	f.Add("Example Source", []byte(`{"indicator":[]}`))
	f.Add("a\r\n--b--", []byte("\r\n--x--\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n{}"))
	f.Add("x", []byte("\r\n--threatconnect-go-batch-part\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n{}"))
	f.Add("\"", []byte{0, 255, '\r', '\n', '-', '-'})
	f.Fuzz(func(t *testing.T, owner string, content []byte) {
		var parts [][]byte
		c := clientOf(t, wiretest.Func(func(r *http.Request) (*http.Response, error) {
			_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			require.EqualValues(t, len(body), r.ContentLength)
			in := multipart.NewReader(bytes.NewReader(body), params["boundary"])
			for {
				p, err := in.NextRawPart()
				if err == io.EOF {
					break
				}
				if err != nil {
					return nil, err
				}
				b, err := io.ReadAll(p)
				if err != nil {
					return nil, err
				}
				parts = append(parts, b)
			}
			return wiretest.Reply(200, `{"status":"Success","data":{"batchStatus":{"id":1,"status":"Completed"}}}`), nil
		}), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
		_, err := c.Batch.CreateAndUpload(context.WithoutCancel(t.Context()), threatconnect.BatchJob{Owner: owner, Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteAppend}, bytes.NewReader(content))
		if len(parts) == 0 {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			return
		}
		require.NoError(t, err)
		require.Len(t, parts, 2)
		require.True(t, utf8.Valid(parts[0]))
		require.Equal(t, content, parts[1])
	})
}

// TestThreatInvisibleCharactersAreRefused passes names with invisible characters to each call that takes a
// name.
func TestThreatInvisibleCharactersAreRefused(t *testing.T) {
	t.Parallel()
	group := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1}
	doors := map[string]func(context.Context, *threatconnect.Client, string) error{
		"a tag": func(ctx context.Context, c *threatconnect.Client, s string) error { return c.Tags.Add(ctx, group, s) },
		"a created tag": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Tags.Create(ctx, threatconnect.Tag{Name: s})
			return err
		},
		"the new name of a tag": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Tags.Update(ctx, "x", threatconnect.TagUpdate{Name: &s})
			return err
		},
		"a group": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Groups.Create(ctx, threatconnect.NewThreat(s))
			return err
		},
		"the new name of a group": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Groups.Update(ctx, group, threatconnect.GroupUpdate{Name: &s})
			return err
		},
		"a URL": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Indicators.URLs.Create(ctx, threatconnect.NewURL("http://a.example/"+s))
			return err
		},
		"a user agent": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Indicators.Create(ctx, threatconnect.NewUserAgent(s))
			return err
		},
		"a mutex": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Indicators.Create(ctx, threatconnect.NewMutex(s))
			return err
		},
		"a security label": func(ctx context.Context, c *threatconnect.Client, s string) error {
			return c.SecurityLabels.Add(ctx, group, s)
		},
		"the type of an attribute": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Attributes.Add(ctx, group, threatconnect.Attribute{Type: s, Value: "x"})
			return err
		},
		"an owner": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.InOwner(s).Owners.Whoami(ctx)
			return err
		},
		"a task": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: s})
			return err
		},
		"a victim": func(ctx context.Context, c *threatconnect.Client, s string) error {
			_, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: s})
			return err
		},
		"a tag of a batch item": func(ctx context.Context, c *threatconnect.Client, s string) error {
			h := threatconnect.NewHost("a.example")
			h.Tags = []threatconnect.Tag{{Name: s}}
			return imported(ctx, c, h)
		},
		"a group of a batch": func(ctx context.Context, c *threatconnect.Client, s string) error {
			return imported(ctx, c, threatconnect.NewThreat(s))
		},
		"the type of an attribute of a batch item": func(ctx context.Context, c *threatconnect.Client, s string) error {
			h := threatconnect.NewHost("a.example")
			h.Attributes = []threatconnect.Attribute{{Type: s, Value: "x"}}
			return imported(ctx, c, h)
		},
		"a security label of a batch item": func(ctx context.Context, c *threatconnect.Client, s string) error {
			h := threatconnect.NewHost("a.example")
			h.SecurityLabels = []threatconnect.SecurityLabel{{Name: s}}
			return imported(ctx, c, h)
		},
	}
	for name, door := range doors {
		for _, hidden := range []string{"gpj.\u202eexe", "a\u200bb", "a\u2028b", "a\u2066b", "a\ufeffb", "a\u00adb", "a\u2029b", "a\u200fb"} {
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
			err := door(t.Context(), clientOf(t, s), hidden)
			assert.ErrorIs(t, err, threatconnect.ErrValidation, "%s %q", name, hidden)
			assert.Zero(t, s.Count(), "%s %q", name, hidden)
		}
	}
}

// imported returns the error of adding item to a batch.
func imported(ctx context.Context, c *threatconnect.Client, item threatconnect.BatchItem) error {
	w, err := c.Batch.NewWriter(ctx, appendConfig())
	if err != nil {
		return err
	}
	return w.Add(ctx, item)
}
