package threatconnecttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signatureWindow is how far a timestamp may be from the server's clock.
const signatureWindow = 5 * time.Minute

// What the platform says when it does not take a request.
const (
	msgAccessDenied  = "Access Denied"
	msgUnauthorized  = "Unauthorized"
	msgSignature     = "Signature data did not match expected result"
	msgBadTimestamp  = "Invalid timestamp"
	msgTimestamp     = "Timestamp out of acceptable time range"
	msgNotLicensed   = "API access has not been licensed for this system, please contact your administrator"
	msgMalformed     = "The request was not properly formed"
	msgNotFound      = "The requested resource was not found"
	msgOwner         = "The requested owner was not found"
	msgPages         = "The resultStart and resultLimit query parameters must be integers and the maximum value for resultLimit is 10000"
	msgAttributeType = "The requested attribute type was not found"
	msgNoValue       = "This attribute requires a value"
	msgHTTPS         = "The request must be made over HTTPS"
)

// verify checks who is calling: it returns nil when the credentials are right.
func (c *call) verify(target string) *answer {
	if c.unlicensed {
		return fail(http.StatusServiceUnavailable, msgNotLicensed)
	}
	if c.route.pattern == renewalPattern {
		if !c.isToken(c.query.Get("expiredToken"), 0) {
			return fail(http.StatusUnauthorized, msgUnauthorized)
		}
		return nil
	}
	authorization := headerValue(c.req.Header, "Authorization")
	scheme, credential, _ := strings.Cut(authorization, " ")
	switch scheme {
	case "TC-Token":
		if !c.isToken(credential, c.renewals.expired) {
			return fail(http.StatusUnauthorized, msgUnauthorized)
		}
		return nil
	case "TC":
		return c.verifySignature(target, credential)
	}
	return fail(http.StatusUnauthorized, msgAccessDenied)
}

func (c *call) verifySignature(target, credential string) *answer {
	id, signature, ok := strings.Cut(credential, ":")
	if !ok || id != c.accessID {
		return fail(http.StatusUnauthorized, msgAccessDenied)
	}
	stamp := headerValue(c.req.Header, "Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fail(http.StatusUnauthorized, msgBadTimestamp)
	}
	if d := c.now.Sub(time.Unix(seconds, 0)); d > signatureWindow || d < -signatureWindow {
		return fail(http.StatusUnauthorized, msgTimestamp)
	}
	if !hmac.Equal([]byte(signature), []byte(sign(c.secretKey, target, c.req.Method, stamp))) {
		return text(http.StatusUnauthorized, msgSignature)
	}
	return nil
}

// sign computes what an honest client puts into the Authorization header. It is written from the
// documentation, not with the client's code, so that the two check each other.
func sign(secret, target, method, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(target + ":" + method + ":" + timestamp))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// headerValue reads a header whatever the case of its name: a request that does not come over a
// port may hold names that nobody made canonical.
func headerValue(h http.Header, name string) string {
	if v := h.Get(name); v != "" {
		return v
	}
	for k, v := range h {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
