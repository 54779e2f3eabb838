package threatconnecttest

import (
	"cmp"
	"crypto/hmac"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signatureWindow is the maximum difference between a timestamp and the server's clock.
const signatureWindow = 5 * time.Minute

// The platform's messages for refused requests.
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

// verify checks the credentials. It returns nil if they are correct.
func (c *call) verify(target string) *answer {
	if c.unlicensed {
		return fail(http.StatusServiceUnavailable, msgNotLicensed)
	}
	if c.route.pattern == renewalPattern {
		if !c.isToken(c.query.Get("expiredToken"), 0) {
			c.refuseToken(c.query.Get("expiredToken"))
			return fail(http.StatusUnauthorized, msgUnauthorized)
		}
		return nil
	}
	authorization := headerValue(c.req.Header, "Authorization")
	scheme, credential, _ := strings.Cut(authorization, " ")
	switch scheme {
	case "TC-Token":
		if !c.isToken(credential, c.renewals.expired) {
			c.refuseToken(credential)
			return fail(http.StatusUnauthorized, msgUnauthorized)
		}
		return nil
	case "TC":
		return c.verifySignature(target, credential)
	case "":
		c.refusal = &Refusal{Reason: "the Authorization header is missing"}
	default:
		c.refusal = &Refusal{Reason: `the Authorization header begins with neither "TC " nor "TC-Token "`}
	}
	return fail(http.StatusUnauthorized, msgAccessDenied)
}

// refuseToken records why a token is refused.
func (c *call) refuseToken(token string) {
	c.refusal = &Refusal{Reason: "the token is another one than the server's"}
	if c.isToken(token, 0) {
		c.refusal = &Refusal{Reason: "the token has expired", expected: true}
	}
}

func (c *call) verifySignature(target, credential string) *answer {
	id, signature, ok := strings.Cut(credential, ":")
	if !ok || id != c.accessID {
		c.refusal = &Refusal{Reason: "the access id in the Authorization header is another one than the server's"}
		return fail(http.StatusUnauthorized, msgAccessDenied)
	}
	stamp := headerValue(c.req.Header, "Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		c.refusal = &Refusal{Reason: "the Timestamp header is missing or is not a whole number of seconds since 1970"}
		return fail(http.StatusUnauthorized, msgBadTimestamp)
	}
	if d := c.now.Sub(time.Unix(seconds, 0)); d > signatureWindow || d < -signatureWindow {
		c.refusal = &Refusal{Reason: explainTimestamp(seconds, c.now), expected: c.offset != 0}
		return fail(http.StatusUnauthorized, msgTimestamp)
	}
	want := signing{secret: c.secretKey, target: target, method: c.req.Method, stamp: stamp}
	if !hmac.Equal([]byte(signature), []byte(want.signature())) {
		c.refusal = explainSignature(signature, want, basePath, cmp.Or(c.req.Host, inProcessHost))
		return text(http.StatusUnauthorized, msgSignature)
	}
	return nil
}

// headerValue returns the value of a header field. It ignores the case of the name, because the
// header of an in-process request may contain non-canonical names.
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
