package threatconnect_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// randomText returns n pseudorandom characters of an alphabet, which depend only on seed.
func randomText(seed, alphabet string, n int) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for i := range n {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		b.WriteRune(runes[binary.BigEndian.Uint64(sum[:])%uint64(len(runes))])
	}
	return b.String()
}

// gossip is a platform that repeats a piece of the Authorization header in every response.
type gossip struct {
	say   func(authorization string) (piece, told string)
	place func(told string) (*http.Response, error)
	sent  []string
	piece string // of the header
	told  string // piece, respelled
}

func (g *gossip) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	g.sent = append(g.sent, req.Header.Get("Authorization"))
	g.piece, g.told = g.say(g.sent[0]) // the first credential is still secret in later attempts
	return g.place(g.told)
}

// valueError is an error that is not a pointer, so %#v shows its text inside other errors.
type valueError string

func (e valueError) Error() string { return string(e) }

// gossipPlaces are the places in a response, or in an error of the transport, that can contain text.
var gossipPlaces = []struct {
	name string
	say  func(status int, told string) (*http.Response, error)
}{
	{"body", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, "x"+told, "Content-Type", "text/plain"), nil
	}},
	{"JSON message", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, `{"status":"Failure","message":`+quotedJSON(told)+`}`), nil
	}},
	{"JSON after a sentence", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, `{"status":"Failure","message":`+quotedJSON("The confidence is invalid, please enter one of the following values: "+told)+`}`), nil
	}},
	{"JSON status", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, `{"status":`+quotedJSON(told)+`}`), nil
	}},
	{"JSON key", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, `{`+quotedJSON(told)+`:1}`), nil
	}},
	{"data", func(status int, told string) (*http.Response, error) {
		text := quotedJSON(told)
		return wiretest.Reply(status, `{"status":"Success","data":{"user":{"userName":`+text+`,"id":`+text+`},"batchId":`+text+`},"hits":{"total":1,"hits":[{"_id":`+text+`,"_source":{"At":`+text+`}}]}}`), nil
	}},
	{"fault", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, `{"error":{"type":`+quotedJSON(told)+`}}`), nil
	}},
	{"HTML", func(status int, told string) (*http.Response, error) {
		return wiretest.Reply(status, "<html>"+told, "Content-Type", "text/html"), nil
	}},
	{"Location", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(302, "", "Location", "https://"+told+".example/"+told), nil
	}},
	{"Location that is no URL", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(302, "", "Location", "https://other.example:"+told), nil
	}},
	{"WWW-Authenticate", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(401, "", "WWW-Authenticate", "Basic realm="+told), nil
	}},
	{"Content-Type", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(200, `{"a":`, "Content-Type", told), nil
	}},
	{"Content-Encoding", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(200, `{}`, "Content-Encoding", told), nil
	}},
	{"Retry-After", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(503, "", "Retry-After", told), nil
	}},
	{"Date", func(_ int, told string) (*http.Response, error) {
		return wiretest.Reply(401, `{"status":"Failure","message":"Timestamp out of acceptable time range"}`, "Date", told), nil
	}},
	{"status text", func(status int, told string) (*http.Response, error) {
		resp := wiretest.Reply(status, "")
		resp.Status = fmt.Sprint(status, " ", told)
		return resp, nil
	}},
	{"end of the body", func(_ int, told string) (*http.Response, error) {
		resp := wiretest.Reply(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingBody{valueError(told)}))
		return resp, nil
	}},
	{"error of the transport", func(_ int, told string) (*http.Response, error) { return nil, valueError(told) }},
}

func quotedJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// gossipRoutes are calls of a client. Those that accept only tokens come last.
var gossipRoutes = []func(context.Context, *threatconnect.Client) error{
	func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Owners.Whoami(ctx)
		return err
	},
	func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Batch.Create(ctx, appendJob())
		return err
	},
	func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Batch.Upload(ctx, 1, strings.NewReader(`{"indicator":[]}`))
		return err
	},
	func(ctx context.Context, c *threatconnect.Client) error {
		resp, err := c.Do(ctx, threatconnect.Request{Method: "PUT", Path: "/v2/owners", Body: []byte("{}")})
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		return err
	},
	func(ctx context.Context, c *threatconnect.Client) error {
		d, err := threatconnect.DataStoreOf[struct{ At time.Time }](c, threatconnect.DataStoreLocal, "x")
		if err == nil {
			_, err = d.List(ctx)
		}
		return err
	},
}

const (
	gossipDataStore = 4 + iota
	gossipTokenFunc
	gossipTrigger
	gossipRouteCount
)

// revealingForms returns the texts that reveal eight consecutive bytes of a secret: the bytes in lower
// case, and their hexadecimal and base64 encodings at every offset.
func revealingForms(secret string) (folded, exact []string) {
	for i := range len(secret) - 7 {
		piece := secret[i : i+8]
		folded = append(folded, strings.ToLower(piece), hex.EncodeToString([]byte(piece)))
	}
	for i := range 3 {
		b := base64.RawStdEncoding.EncodeToString([]byte(secret[i:]))
		for j := 0; j+11 <= len(b); j++ {
			exact = append(exact, b[j:j+11])
		}
	}
	return folded, exact
}

// holdsPiece reports whether text contains eight consecutive bytes of a secret.
func holdsPiece(text string, secrets []string) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool {
		for i := range len(secret) - 7 {
			if strings.Contains(text, secret[i:i+8]) {
				return true
			}
		}
		return false
	})
}

// mustBeFound reports whether the client must find a credential after these spellings, applied in
// order. The client decodes one encoding and three levels of escapes. A lossy spelling must come first,
// and a cut must be the only spelling.
func mustBeFound(names []string) bool {
	encodings, escapes := 0, 0
	for i, name := range names {
		lossy := name == "in capitals" || name == "folded" || strings.HasPrefix(name, "cut") || strings.HasPrefix(name, "as a header")
		encoded := strings.Contains(name, "base64") || strings.Contains(name, "hexadecimal")
		switch {
		case strings.HasPrefix(name, "as a header"):
			return len(names) == i+1 && i == 0 // it keeps less than a piece
		case strings.HasPrefix(name, "cut") && len(names) > i+1, lossy && encodings+escapes > 0:
			return false
		case encoded:
			encodings++
		case name == "escaped twice" || name == "as HTML in JSON":
			escapes += 2
		case name != "as it is":
			escapes++
		}
	}
	return encodings <= 1 && escapes <= 3
}

// FuzzThreatCredentialsAreNotShown has a platform that repeats the Authorization header, or a piece of it, in up
// to three successive spellings, in any place of its response.
func FuzzThreatCredentialsAreNotShown(f *testing.F) {
	names := slices.Sorted(maps.Keys(spellings))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	alphabets := []string{letters + "+/=:-_~.", "0123456789abcdef", letters + "!#$%&()*,;<>?@[]^{|}\\\" ", "äöüßàéîñøčďěŠŽ漢字かなкириллицаABCDEFGH"}
	plain := uint8(slices.Index(names, "as it is"))
	n := max(len(names), len(gossipPlaces)*gossipRouteCount)
	step := scaletest.Short(11, 1) // 11 is coprime to the numbers below
	for i := 0; i < n; i += step {
		spelled := []uint8{plain, plain, plain}
		if i%2 == 0 {
			spelled[0] = uint8(i / 2)
		}
		if i%5 == 0 {
			spelled[1] = uint8(i / 5)
		}
		for j, status := range []uint8{uint8(i), 10} { // 10 is a success
			f.Add(fmt.Sprint("seed ", i), alphabets[(i+j)%len(alphabets)], i%3 == 0, uint8(i/gossipRouteCount), uint8(i%gossipRouteCount), status,
				spelled[0], spelled[1], spelled[2], uint8(i%4*3), uint8(i%3*20))
		}
	}
	f.Fuzz(func(t *testing.T, seed, alphabet string, hmac bool, place, route, status, first, second, third, from, size uint8) {
		letters := []rune(strings.ToLower(strings.ToValidUTF8(alphabet, "")))
		slices.Sort(letters)
		if len(slices.Compact(letters)) < 16 || len(alphabet) > 256 {
			return // a piece could be in any text by chance
		}
		secret := func(what string, n int) string { return randomText(seed+what, alphabet, n) }
		statuses := []int{400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 200}
		where := gossipPlaces[int(place)%len(gossipPlaces)]
		how := int(route) % gossipRouteCount
		var spelled []string
		for _, s := range []uint8{first, second, third} {
			if name := names[int(s)%len(names)]; name != "as it is" {
				spelled = append(spelled, name)
			}
		}
		g := &gossip{
			say: func(piece string) (_, told string) {
				if size > 0 {
					piece = piece[min(int(from), len(piece)-8):]
					piece = piece[:min(8+int(size), len(piece))]
				}
				told = piece
				for _, name := range spelled {
					told = spellings[name](told)
				}
				return piece, told
			},
			place: func(told string) (*http.Response, error) { return where.say(statuses[int(status)%len(statuses)], told) },
		}

		id, key := strings.ReplaceAll(secret("id", 20), ":", "."), secret("key", 40)
		secrets := []string{secret("token", 48), secret("another token", 48)}
		tokens := 0
		var creds threatconnect.Credentials
		switch {
		case how == gossipTokenFunc:
			creds = threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
				tokens++
				return secrets[(tokens-1)%2], time.Time{}, nil
			})
		case hmac && how < gossipDataStore:
			creds = threatconnect.HMAC(id, key)
			secrets = []string{id, key}
		default:
			creds = threatconnect.Token(secrets[0])
		}
		var out, log bytes.Buffer
		debugLevel := &slog.HandlerOptions{Level: slog.LevelDebug}
		logger := slog.New(slog.NewMultiHandler(slog.NewTextHandler(&log, debugLevel), slog.NewJSONHandler(&log, debugLevel)))
		policy := threatconnect.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1, MaxWait: 1}
		c, err := threatconnect.NewClient("https://tc.example/api", creds, threatconnect.WithTransport(g), threatconnect.WithLogger(logger), threatconnect.WithRetry(policy))
		if err != nil {
			return // the credential begins with a blank or is quoted
		}
		switch how {
		case gossipTrigger:
			secrets = []string{key, secret("path", 30)}
			trigger, invalid := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/"+threatconnect.PathSegment(secrets[1]), &threatconnect.PlaybookTriggerOptions{
				Username: "user", Password: key, Retry: policy, HTTPClient: &http.Client{Transport: g},
			})
			if invalid != nil {
				return
			}
			out.WriteString(shown(trigger))
			_, err = trigger.Fire(t.Context(), nil)
		case gossipTokenFunc:
			err = gossipRoutes[0](t.Context(), c)
		default:
			err = gossipRoutes[how](t.Context(), c)
		}
		for _, sent := range g.sent {
			if _, signature, ok := strings.Cut(strings.TrimPrefix(sent, "TC "), ":"); ok && strings.HasPrefix(sent, "TC ") {
				secrets = append(secrets, signature)
			}
			if basic, ok := strings.CutPrefix(sent, "Basic "); ok {
				secrets = append(secrets, basic)
			}
		}

		for _, v := range []any{err, c, creds, []any{err, c, creds}} {
			out.WriteString(shown(v))
		}
		if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
			out.WriteString(shown(api) + shown(*api) + shown(api.Foreign) + string(api.Foreign))
			ascii := len([]rune(g.piece)) == len(g.piece) // the spellings escape bytes, not characters
			if ascii && len(g.told) < 4<<10 && mustBeFound(spelled) && holdsPiece(g.piece, secrets) && strings.Contains(string(api.Foreign), g.told) {
				t.Errorf("%s: the foreign text %q repeats a credential %q", spelled, api.Foreign, g.sent)
			}
		}
		if r, ok := errors.AsType[*threatconnect.RequestError](err); ok {
			out.WriteString(shown(r) + shown(*r) + shown(r.Err) + shown(r.Last))
		}
		out.Write(log.Bytes())

		text := out.String()
		lower := strings.ToLower(text)
		for _, secret := range secrets {
			folded, exact := revealingForms(secret)
			for _, form := range folded {
				if i := strings.Index(lower, form); i >= 0 {
					t.Fatalf("%s: %q of %q is in %q", where.name, form, secret, lower[max(0, i-200):min(len(lower), i+100)])
				}
			}
			for _, form := range exact {
				if i := strings.Index(text, form); i >= 0 {
					t.Fatalf("%s: %q of %q is in %q", where.name, form, secret, text[max(0, i-200):min(len(text), i+100)])
				}
			}
		}
	})
}
