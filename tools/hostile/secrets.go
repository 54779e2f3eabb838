package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/threatconnect-go/threatconnect"
)

// secrets contains the tokens and signatures of requests.
type secrets struct {
	mu     sync.Mutex
	all    []string
	ofCall map[any][]string
}

// callKey is the context key of the call of a request.
type callKey struct{}

// observer numbers calls, so that responses repeat only credentials of their own call. The client does not protect the
// credentials of one call from the next.
func observer() threatconnect.Observer {
	return threatconnect.Observer{CallStart: func(ctx context.Context, _ threatconnect.Call) context.Context {
		return context.WithValue(ctx, callKey{}, new(int))
	}}
}

// add adds a secret of the call that a context belongs to.
func (s *secrets) add(ctx context.Context, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ofCall == nil {
		s.ofCall = map[any][]string{}
	}
	call := ctx.Value(callKey{})
	s.all = append(s.all, secret)
	s.ofCall[call] = append(s.ofCall[call], secret)
}

// one returns a secret of the call that a context belongs to.
func (s *secrets) one(ctx context.Context, random *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pick(random, append(s.ofCall[ctx.Value(callKey{})], "nothing secret")...)
}

// spell returns a secret, or half of it, in one of the spellings that servers and proxies use for headers.
func spell(random *rand.Rand, secret string) string {
	switch random.IntN(3) {
	case 0:
		secret = secret[:len(secret)/2]
	case 1:
		secret = secret[len(secret)/3:]
	}
	switch random.IntN(12) {
	case 0:
		return url.QueryEscape(secret)
	case 1:
		return url.PathEscape(secret)
	case 2:
		return html.EscapeString(secret)
	case 3:
		return strings.NewReplacer("/", `\/`, "+", `\u002b`, "=", `\u003D`).Replace(secret)
	case 4:
		return base64.StdEncoding.EncodeToString([]byte(pick(random, "", "x", "xy") + secret))
	case 5:
		return base64.URLEncoding.EncodeToString([]byte(secret))
	case 6:
		return pick(random, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))))
	case 7:
		return secret[:len(secret)/2] + pick(random, " ", "\t", "\r\n ", "\n") + secret[len(secret)/2:]
	case 8:
		var b strings.Builder
		format := pick(random, "%%%02x", "&#%d;", "\\u%04x", "&#x%X;")
		for _, c := range []byte(secret) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	case 9:
		return pick(random, strings.ToUpper(secret), strings.ToLower(secret))
	case 10:
		return fmt.Sprintf("%q", secret)
	}
	return secret
}

var jsonEscape = regexp.MustCompile(`\\u00[0-9A-Fa-f]{2}`)

// spellings contains pieces of eight bytes of secrets, plain, in hexadecimal and in base64, by their first eight bytes.
type spellings map[string][]string

// foundIn returns a piece of a secret that a text contains in any spelling, or "".
func (s spellings) foundIn(text string) string {
	forms := []string{text, html.UnescapeString(text), strings.ReplaceAll(jsonEscape.ReplaceAllStringFunc(text, func(e string) string {
		b, err := hex.DecodeString(e[4:])
		if err != nil {
			return e
		}
		return string(b)
	}), `\`, "")}
	if u, err := url.QueryUnescape(strings.ReplaceAll(text, "+", "%2B")); err == nil {
		forms = append(forms, u)
	}
	for _, form := range forms {
		form = squeeze(form)
		for i := 0; i+8 <= len(form); i++ {
			for _, spelled := range s[form[i:i+8]] {
				if strings.HasPrefix(form[i:], spelled) {
					return spelled
				}
			}
		}
	}
	return ""
}

// spellings returns all spellings, which use much more memory than the secrets.
func (s *secrets) spellings() spellings {
	s.mu.Lock()
	defer s.mu.Unlock()
	pieces := spellings{}
	for _, secret := range slices.Compact(slices.Sorted(slices.Values(append(s.all, squeeze(secretKey))))) {
		for i := 0; i+8 <= len(secret); i++ {
			piece := secret[i : i+8]
			for _, spelled := range []string{
				piece, hex.EncodeToString([]byte(piece)), base64.RawStdEncoding.EncodeToString([]byte(piece))[:10],
				base64.RawStdEncoding.EncodeToString([]byte("x" + piece))[2:12], base64.RawStdEncoding.EncodeToString([]byte("xy" + piece))[3:13],
			} {
				spelled = strings.ToLower(spelled)
				pieces[spelled[:8]] = append(pieces[spelled[:8]], spelled)
			}
		}
	}
	return pieces
}

// squeeze drops white space and makes letters lower case.
func squeeze(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text))
}
