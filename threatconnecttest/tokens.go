package threatconnecttest

import (
	"crypto/hmac"
	"net/http"
	"strconv"
	"time"
)

// renewalPattern is the route that exchanges a token for a new one. It needs no credentials other
// than the old token.
const renewalPattern = "/appAuth"

// tokenLife is the stated validity of a new token.
const tokenLife = 4 * time.Hour

// renewals counts the API tokens issued after the initial one.
type renewals struct {
	made    int // number of the newest token; the initial one is 0
	expired int // number of the first valid token
}

// tokenOf returns the token with a number.
func (s *settings) tokenOf(n int) string {
	if n == 0 {
		return s.token
	}
	return s.token + ":" + strconv.Itoa(n)
}

// isToken reports whether a token is valid, given the number of the first valid one.
func (s *settings) isToken(token string, from int) bool {
	for n := from; n <= s.renewals.made; n++ {
		if hmac.Equal([]byte(token), []byte(s.tokenOf(n))) {
			return true
		}
	}
	return false
}

// Token returns the API token that the server accepts: the initial one or, after a renewal, the
// newest.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenOf(s.renewals.made)
}

// ExpireToken invalidates all tokens issued so far. Requests with them return status 401. A client
// obtains a new token with GET {base}/appAuth?expiredToken=…, which needs no signature;
// [Server.Token] then returns it. Tokens do not expire on their own.
func (s *Server) ExpireToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewals.expired = s.renewals.made + 1
}

func tokenRoutes() []route {
	return []route{{method: "GET", pattern: renewalPattern, handle: (*call).renewToken}}
}

// renewToken issues a new token. It does not change the validity of older ones.
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
