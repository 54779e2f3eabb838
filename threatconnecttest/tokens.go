package threatconnecttest

import (
	"crypto/hmac"
	"net/http"
	"strconv"
	"time"
)

// renewalPattern is the route at which a token is exchanged for a new one. It needs no credentials but
// the old token.
const renewalPattern = "/appAuth"

// tokenLife is how long a new token is said to be valid.
const tokenLife = 4 * time.Hour

// renewals counts the API tokens that were issued after the one that the server was set up with.
type renewals struct {
	made    int // the tokens are numbered: 0 is the first one
	expired int // the number of the first one that is valid
}

// tokenOf returns the token of a number.
func (s *settings) tokenOf(n int) string {
	if n == 0 {
		return s.token
	}
	return s.token + ":" + strconv.Itoa(n)
}

// isToken reports whether a token is one of those from a number on.
func (s *settings) isToken(token string, from int) bool {
	for n := from; n <= s.renewals.made; n++ {
		if hmac.Equal([]byte(token), []byte(s.tokenOf(n))) {
			return true
		}
	}
	return false
}

// Token returns the API token that the server accepts: the one that it was set up with, or the
// latest renewed one.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenOf(s.renewals.made)
}

// ExpireToken makes the server refuse every token that it has given out so far, with status 401.
// A client gets a new one, which [Server.Token] then returns, from GET {base}/appAuth?expiredToken=…;
// the request needs no signature. Tokens do not expire by themselves.
func (s *Server) ExpireToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewals.expired = s.renewals.made + 1
}

func tokenRoutes() []route {
	return []route{{method: "GET", pattern: renewalPattern, handle: (*call).renewToken}}
}

// renewToken gives out a new token. The tokens before it stay as valid as they are.
func (c *call) renewToken() *answer {
	c.renewals.made++
	w := c.writer()
	w.open()
	w.bool("success", true)
	w.str("apiToken", c.tokenOf(c.renewals.made))
	w.int("apiTokenExpires", c.now.Add(tokenLife).Unix())
	w.close()
	return jsonAnswer(http.StatusOK, w.b)
}
