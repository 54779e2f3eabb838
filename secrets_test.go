package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// Values that must not be printed.
const (
	secretKey     = "Sup3r$ecret'K3y"
	secretToken   = "APIV2:tok3n-of-s0mebody"
	secretIndic   = "very-evil.example"
	secretURL     = "http://very-evil.example/p4th?q=1"
	secretTrigger = "tr1gger-path-that-is-secret"
	secretRating  = "a description that n0body may see"
)

// spill collects printed text and finds secrets in it.
type spill struct {
	out     strings.Builder
	secrets []string
}

func (s *spill) show(v any) { s.out.WriteString(shown(v)) }

var aSignature = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`)

// check fails if a secret was printed, verbatim or encoded.
func (s *spill) check(t *testing.T) {
	t.Helper()
	out := s.out.String()
	lower := strings.ToLower(out)
	require.Greater(t, len(out), 10_000, "hardly anything was printed")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "=") {
			assert.Empty(t, aSignature.FindString(line), "a signature")
		}
	}
	for _, secret := range s.secrets {
		require.NotEmpty(t, secret)
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), fmt.Sprint([]byte(secret))} {
			if i := strings.Index(lower, strings.ToLower(form)); i >= 0 {
				t.Errorf("%q is in %q", secret, out[max(0, i-300):min(len(out), i+100)])
				break
			}
		}
	}
}

// indiscreet is a platform that echoes everything in a request, each time in another way.
type indiscreet struct{ n int }

// ways is the number of ways in which indiscreet echoes a request.
const ways = 24

func (p *indiscreet) RoundTrip(req *http.Request) (*http.Response, error) {
	auth := req.Header.Get("Authorization")
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		body = string(b)
		_ = req.Body.Close()
	}
	if !strings.HasPrefix(body, "{") {
		body = ""
	}
	all := strings.NewReplacer(`"`, "'", `\`, "").Replace(fmt.Sprintf("%s %s %s %s %s %s", req.URL, req.URL.Path, strings.ToUpper(req.URL.Path), req.URL.Query(), auth, body))
	said := func(status int, words string, header ...string) (*http.Response, error) {
		return wiretest.Reply(status, `{"status":"Failure","message":"`+words+" "+all+`"}`, header...), nil
	}
	defer func() { p.n++ }()
	switch p.n % ways {
	case 0:
		return said(400, "Please enter a valid Host")
	case 1:
		return said(401, "Signature data did not match expected result "+threatconnect.Sign(secretKey, "GET", req.URL.Path, time.Unix(1, 0)))
	case 2:
		return said(401, "Timestamp out of acceptable time range", "Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	case 3:
		return said(401, "The token has expired")
	case 4:
		return said(403, "The requested owner was not found")
	case 5:
		return said(404, "The requested resource was not found")
	case 6:
		return said(400, "already exists")
	case 7:
		return said(413, "File size greater than allowable limit of 2000000")
	case 8:
		return said(429, "slow down", "Retry-After", "100000")
	case 9:
		return said(500, "An unknown error occurred")
	case 10:
		return said(503, "API access has not been licensed for this system")
	case 11:
		return said(503, "Ensure that batchJobEnabled is true")
	case 12:
		return wiretest.Reply(302, all, "Location", "https://user:"+secretToken+"@other.example/"+url.PathEscape(all)), nil
	case 13:
		return wiretest.Reply(200, "<html>"+all, "Content-Type", "text/html"), nil
	case 14:
		return wiretest.Reply(200, `{"status":"Success","data":{"`+all), nil
	case 15:
		return said(200, "No")
	case 16:
		return wiretest.Reply(200, whoami+strings.Repeat(" ", 2<<20)), nil
	case 17:
		return wiretest.Reply(200, all, "Content-Encoding", "gzip"), nil
	case 18:
		return nil, fmt.Errorf("cannot send %s %v through http://user:%s@proxy.example", req.URL, req.Header, proxyPassword)
	case 19:
		return nil, &url.Error{Op: req.Method, URL: req.URL.String(), Err: errors.New(all)}
	case 20:
		return wiretest.Reply(401, all, "Content-Type", "text/plain"), nil
	case 21:
		return wiretest.Reply(302, "", "Location", "https://user:"+secretToken+"@other.example:"+all), nil
	case 22:
		return wiretest.Reply(200, `{"a":`, "Content-Type", "application/"+all), nil
	}
	resp := wiretest.Reply(200, "")
	resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingBody{errors.New(all)}))
	return resp, nil
}

type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }

// revealing has calls with values that must not be printed.
var revealing = map[string]func(context.Context, *threatconnect.Client) error{
	"a path": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.Hosts.Get(ctx, secretIndic, nil)
		return err
	},
	"a URL in a path": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.URLs.Get(ctx, secretURL, nil)
		return err
	},
	"a body": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.URLs.Create(ctx, threatconnect.NewURL(secretURL))
		return err
	},
	"a filter": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Indicators.Hosts.List(ctx, &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(secretIndic)}})
		return err
	},
	"a path of one's own": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Do(ctx, threatconnect.Request{Method: "GET", Path: "/v2/indicators/urls/" + threatconnect.PathSegment(secretURL), Query: url.Values{"summary": {secretIndic}}})
		return err
	},
	"an attribute": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Attributes.Add(ctx, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: secretIndic}, threatconnect.Attribute{Type: "Description", Value: secretRating})
		return err
	},
	"a download": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Groups.Documents.Download(ctx, 1, io.Discard)
		return err
	},
	"a job": func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Batch.Create(ctx, appendJob())
		return err
	},
}

func TestThreatValuesAreNotShown(t *testing.T) {
	t.Parallel()
	s := &spill{secrets: []string{secretKey, secretToken, proxyPassword, secretIndic, "p4th?q=1", secretRating, secretTrigger}}
	var text, js bytes.Buffer
	debugLevel := &slog.HandlerOptions{Level: slog.LevelDebug}
	loggers := []*slog.Logger{slog.New(slog.NewTextHandler(&text, debugLevel)), slog.New(slog.NewJSONHandler(&js, debugLevel))}
	failed := 0
	share := scaletest.Short(3, 1) // with -short, each way is used with one of the credentials
	for i, creds := range []threatconnect.Credentials{
		threatconnect.HMAC("access", secretKey), threatconnect.Token(secretToken),
		threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { return secretToken, time.Time{}, nil }),
	} {
		s.show(creds)
		for name, call := range revealing {
			for way := i % share; way < ways; way += share {
				p := &indiscreet{n: way}
				c, err := threatconnect.NewClient("https://tc.example/api", creds, threatconnect.WithTransport(p), threatconnect.WithLogger(loggers[(i+way)%2]), threatconnect.WithOwner("Example Source"),
					threatconnect.WithUserAgent("acme/1"), threatconnect.WithMaxResponseBytes(1<<20), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1 + way%2, BaseDelay: 1, MaxDelay: 1}))
				require.NoError(t, err)
				err = call(t.Context(), c)
				if err == nil {
					continue // an empty page, or a response body that is not parsed
				}
				failed++
				require.True(t, strings.HasPrefix(err.Error(), "threatconnect: "), "%s: %v", name, err)
				s.show(err)
				if r, ok := errors.AsType[*threatconnect.RequestError](err); ok {
					s.show(r.Err)
				}
			}
		}
	}
	assert.Greater(t, failed, 400/share)
	assert.Greater(t, text.Len(), 10_000)
	assert.Greater(t, js.Len(), 10_000)
	s.out.WriteString(text.String())
	s.out.WriteString(js.String())
	s.check(t)
}

// spellings are encodings in which a response may echo a header.
var spellings = map[string]func(string) string{
	"as it is":          func(s string) string { return s },
	"in capitals":       strings.ToUpper,
	"for HTML":          strings.NewReplacer("+", "&#43;", "=", "&#x3d;", "/", "&sol;", ":", "&#58;", "-", "&#45;").Replace,
	"for JSON":          strings.NewReplacer("/", `\/`, "=", `\u003d`, "+", `\u002B`).Replace,
	"for HTML, in full": func(s string) string { return eachByte(s, "&#%d;") },
	"for JSON, in full": func(s string) string { return eachByte(s, `\u%04x`) },
	"for a URL":         url.QueryEscape,
	"for a URL, in full": func(s string) string {
		return regexp.MustCompile(`..`).ReplaceAllString(hex.EncodeToString([]byte(s)), "%$0")
	},
	"in base64":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"in base64 for URLs":      func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"in base64, after others": func(s string) string { return "abc" + base64.StdEncoding.EncodeToString([]byte(s)) },
	"in base64, folded": func(s string) string {
		b := base64.StdEncoding.EncodeToString([]byte(s))
		var lines []string
		for ; len(b) > 7; b = b[7:] {
			lines = append(lines, b[:7])
		}
		return strings.Join(append(lines, b), "\r\n ")
	},
	"in hexadecimal, after others": func(s string) string { return "a" + hex.EncodeToString([]byte(s)) },
	"in base64, with more":         func(s string) string { return "APIV" + base64.StdEncoding.EncodeToString([]byte("u:"+s)) },
	"in hexadecimal":               func(s string) string { return hex.EncodeToString([]byte(s)) },
	"cut at the end":               func(s string) string { return s[:len(s)-4] + "..." },
	"cut at the front":             func(s string) string { return "..." + s[max(0, len(s)-9):] },
	"folded":                       func(s string) string { return s[:len(s)/2] + "\r\n\t" + s[len(s)/2:] },
	"between other letters":        func(s string) string { return "x" + s + "y" },
	"escaped twice":                func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"as HTML in JSON":              func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "/", "&sol;"), "&", `\u0026`) },
	"as a header":                  func(s string) string { return "Authorization: TC-Token " + s[:7] + "..." },
	"as a header, in a page":       func(s string) string { return "<b>Authorization</b>" + `"authorization": "` + s[:7] + `"` },
}

// foreignIn returns the text of an error and its foreign message.
func foreignIn(err error) string {
	text := err.Error()
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		text += string(api.Foreign)
	}
	return text
}

func eachByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// TestCredentialPiecesAreRedacted checks that errors do not contain credentials that a response echoes.
func TestCredentialPiecesAreRedacted(t *testing.T) {
	t.Parallel()
	const token = "APP:12:abcDEF/ghi+jkl=:1700~~~??>:0:SECRETSECRET"
	hostile := func(say func(authorization string) string) *wiretest.Steps {
		return &wiretest.Steps{Do: steps{func(req *http.Request) (*http.Response, error) {
			_, credential, _ := strings.Cut(req.Header.Get("Authorization"), " ")
			return wiretest.Reply(400, "bad request; headers: "+say(credential), "Content-Type", "text/plain"), nil
		}}}
	}
	for name, spell := range spellings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token(token), threatconnect.WithTransport(hostile(spell)))
			require.NoError(t, err)
			_, err = c.Owners.Whoami(t.Context())
			require.ErrorIs(t, err, threatconnect.ErrBadRequest)
			assert.EqualError(t, err, `threatconnect: GET /v2/whoami: 400 Bad Request: message (left out, because it repeats a credential)`)
			var api *threatconnect.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, "(left out, because it repeats a credential)", string(api.Foreign))
		})
	}
	t.Run("a piece with blanks", func(t *testing.T) {
		t.Parallel()
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token("aB 1 cD 2 eF 3"), threatconnect.WithTransport(hostile(func(s string) string { return s[1:9] })))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		assert.NotContains(t, foreignIn(err), "B 1 cD 2")
	})
	t.Run("the access id", func(t *testing.T) {
		t.Parallel()
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("ACCESSID-12345", "s3cret"), threatconnect.WithTransport(hostile(func(s string) string { return s[:12] })))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		assert.NotContains(t, foreignIn(err), "ACCESSID")
	})
	t.Run("a piece of the signature", func(t *testing.T) {
		t.Parallel()
		var piece string
		_, err := clientOf(t, hostile(func(s string) string {
			_, signature, _ := strings.Cut(s, ":")
			piece = signature[10:20]
			return piece
		})).Owners.Whoami(t.Context())
		assert.NotContains(t, foreignIn(err), piece)
	})
	t.Run("the token of the attempt before", func(t *testing.T) {
		t.Parallel()
		s := &wiretest.Steps{Do: steps{
			wiretest.Answer(401, `{"status":"Failure","message":"token expired"}`),
			wiretest.Answer(400, `{"status":"Failure","message":"session of first~c0ffee~4711 replaced"}`),
		}}
		tokens := []string{"first~c0ffee~4711", "another.deadbeef.0"}
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			next := tokens[0]
			tokens = tokens[1:]
			return next, time.Time{}, nil
		}), threatconnect.WithTransport(s))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
		assert.NotContains(t, foreignIn(err), "c0ffee")
	})
	t.Run("a kind of error of the DataStore", func(t *testing.T) {
		t.Parallel()
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token(token), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, `{"error":{"type":"`+token+`"}}`)}}))
		require.NoError(t, err)
		d, err := threatconnect.DataStoreOf[struct{}](c, threatconnect.DataStoreLocal, "x")
		require.NoError(t, err)
		_, err = d.List(t.Context())
		require.ErrorIs(t, err, threatconnect.ErrBadResponse)
		assert.NotContains(t, err.Error(), "SECRET")
	})
	t.Run("a record that does not fit", func(t *testing.T) {
		t.Parallel()
		for value, want := range map[string]string{
			`{"At":"` + token + `"}`: "threatconnect: the record does not fit its type: an unrecognized error of type *time.ParseError (unwrap it to read it)",
			`{"N":1700000000000}`:    "threatconnect: the record does not fit its type: a JSON number cannot be a Go int8 in field \"N\"",
		} {
			c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token(token), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, `{"_id":"1","_source":`+value+`}`)}}))
			require.NoError(t, err)
			d, err := threatconnect.DataStoreOf[struct {
				At time.Time
				N  int8
			}](c, threatconnect.DataStoreLocal, "x")
			require.NoError(t, err)
			_, err = d.Get(t.Context(), "1")
			require.EqualError(t, err, want)
			assert.NotContains(t, shown(err), "SECRET")
			assert.NotContains(t, shown(err), "17000000")
		}
	})
	t.Run("the value of an error", func(t *testing.T) {
		t.Parallel()
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Fail(valueError(token))}}, quick).Batch.Create(t.Context(), appendJob())
		r, ok := errors.AsType[*threatconnect.RequestError](err)
		require.True(t, ok)
		assert.NotContains(t, shown(r.Err), "SECRET")
		assert.ErrorIs(t, r.Err, valueError(token), "the original error is wrapped")
	})
	t.Run("the seconds to wait", func(t *testing.T) {
		t.Parallel()
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(503, "", "Retry-After", "17654321")}}).Owners.Whoami(t.Context())
		api, ok := errors.AsType[*threatconnect.APIError](err)
		require.True(t, ok)
		assert.Equal(t, 90*24*time.Hour, api.RetryAfter)
	})
	t.Run("the password of a trigger", func(t *testing.T) {
		t.Parallel()
		for _, echo := range []string{"user:" + proxyPassword, base64.StdEncoding.EncodeToString([]byte("user:" + proxyPassword)), eachByte(proxyPassword, "&#%d;")} {
			trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/"+secretTrigger, &threatconnect.PlaybookTriggerOptions{
				Username: "user", Password: proxyPassword, Retry: threatconnect.RetryPolicy{MaxAttempts: 1},
				HTTPClient: &http.Client{Transport: wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, errors.New("gateway: " + echo) })},
			})
			require.NoError(t, err)
			_, err = trigger.Fire(t.Context(), nil)
			assert.EqualError(t, err, "threatconnect: POST (playbook trigger): an unrecognized error of type *errors.errorString (unwrap RequestError.Err to read it); it may have taken effect: check before you repeat it")
		}
	})
	t.Run("the words of a token source", func(t *testing.T) {
		t.Parallel()
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			return "", time.Time{}, errors.New("oauth2: 400\x1b[31m\nAuthorization: Basic c2VjcmV0")
		}), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		assert.NotContains(t, err.Error(), "\x1b")
		assert.NotContains(t, err.Error(), "c2Vj")
	})
	t.Run("other words stay", func(t *testing.T) {
		t.Parallel()
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token(token), threatconnect.WithTransport(hostile(func(string) string { return "Unauthorized: the token has expired %zz &amp; \\u12" })))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(t.Context())
		assert.Contains(t, foreignIn(err), "the token has expired")
	})
}
