package threatconnecttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExplainSignature(t *testing.T) {
	t.Parallel()
	const (
		odd    = "/api/v2/indicators/urls/http%3A%2F%2Fexample.com%2Fa%20b?owner=Common+Community&createActivityLog=false"
		stamp  = "1700000000"
		secret = ` $ecret\n;"x" `
	)
	mac := func(secret, text string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	std := base64.StdEncoding
	long := strings.Repeat("x", maxHead)
	for _, tc := range []struct {
		target string // as sent
		signed string // string that the client signs; empty for the correct one
		secret string // key with which the client signs; empty for the correct one
		encode func([]byte) string
		says   string
	}{
		{target: odd, signed: strings.TrimPrefix(odd, "/api") + ":GET:" + stamp, says: "the path was signed without /api"},
		{target: odd, signed: odd[1:] + ":GET:" + stamp, says: "the path was signed without the slash at its start"},
		{target: odd, signed: strings.Split(odd, "?")[0] + ":GET:" + stamp, says: "the query was not signed"},
		{
			target: odd,
			signed: "/api/v2/indicators/urls/http://example.com/a b?owner=Common+Community&createActivityLog=false:GET:" + stamp,
			says:   "the decoded path was signed",
		},
		{target: "/api/v2/hosts/h%c3%b4st.example", signed: "/api/v2/hosts/hôst.example:GET:" + stamp, says: "the decoded path was signed"},
		{
			target: "/api/v2/owners?filters=name%3Dx",
			signed: "/api/v2/owners?filters=name=x:GET:" + stamp,
			says:   "the decoded path and query were signed",
		},
		{
			target: "/api/v2/indicators/emailAddresses/a+b@example.com",
			signed: "/api/v2/indicators/emailAddresses/a%2Bb%40example.com:GET:" + stamp,
			says:   "with more characters escaped than were sent",
		},
		{target: odd, signed: strings.ReplaceAll(odd, "%20", "+") + ":GET:" + stamp, says: "a space was signed as + and sent as %20"},
		{target: odd, signed: strings.ReplaceAll(odd, "+", "%20") + ":GET:" + stamp, says: "a space was signed as %20 and sent as +"},
		{
			target: odd,
			signed: strings.NewReplacer("%3A", "%3a", "%2F", "%2f").Replace(odd) + ":GET:" + stamp,
			says:   "escapes were signed in lower case",
		},
		{
			target: "/api/v2/hosts/h%c3%b4st.example",
			signed: "/api/v2/hosts/h%C3%B4st.example:GET:" + stamp,
			says:   "escapes were signed in upper case",
		},
		{target: odd, signed: strings.ReplaceAll(odd, "%", "%25") + ":GET:" + stamp, says: "escaped once more before it was signed"},
		{target: strings.ReplaceAll(odd, "%", "%25"), signed: odd + ":GET:" + stamp, says: "escaped once more after it was signed"},
		{
			target: odd,
			signed: strings.Split(odd, "?")[0] + "?createActivityLog=false&owner=Common+Community:GET:" + stamp,
			says:   "with its parameters sorted",
		},
		{target: "/api/v2/owners", signed: "/api/v2/owners/:GET:" + stamp, says: "with a slash at its end"},
		{target: "/api/v2/owners/", signed: "/api/v2/owners:GET:" + stamp, says: "without the slash at its end"},
		{target: "/api/v2/owners", signed: "/api/v2/owners#:GET:" + stamp, says: "an empty fragment"},
		{target: odd, signed: "https://tc.example" + odd + ":GET:" + stamp, says: "the whole URL was signed, with https://"},
		{target: odd, signed: "http://tc.example" + odd + ":GET:" + stamp, says: "the whole URL was signed, with http://"},
		{target: odd, signed: odd + ":get:" + stamp, says: "the method was signed as get"},
		{target: odd, signed: odd + ":POST:" + stamp, says: "the method was signed as POST"},
		{
			target: odd,
			signed: odd + ":GET:1699999999",
			says:   "the signed timestamp and the Timestamp header differ by +1 s: the clock was read twice",
		},
		{target: odd, signed: odd + ":GET:1700000005", says: "differ by -5 s"},
		{target: odd, secret: secret + "\n", says: "line break at its end"},
		{target: odd, secret: secret + "\r\n", says: "line break (CR LF) at its end"},
		{target: odd, secret: secret + " ", says: "has a space at its end"},
		{target: odd, secret: strings.TrimSpace(secret), says: "lost the white space around it"},
		{target: odd, secret: `"` + secret + `"`, says: "stands in quotation marks"},
		{target: odd, secret: `'` + secret + `'`, says: "stands in apostrophes"},
		{target: odd, secret: ` \n;"x" `, says: "a shell replaced a $"},
		{target: odd, secret: ` $ecretn;"x" `, says: "a shell removed the backslashes"},
		{target: odd, secret: `$ecret\n`, says: "a shell ended the secret key"},
		{target: odd, encode: hex.EncodeToString, says: "hexadecimal digits, not base64"},
		{
			target: odd,
			encode: func(b []byte) string { return std.EncodeToString([]byte(hex.EncodeToString(b))) },
			says:   "base64 of hexadecimal digits",
		},
		{target: odd, encode: base64.RawStdEncoding.EncodeToString, says: "lacks the ="},
		{target: "/api/v2/owners?x=14", encode: base64.URLEncoding.EncodeToString, says: "the URL alphabet of base64, not"},
		{target: "/api/v2/owners?x=14", encode: base64.RawURLEncoding.EncodeToString, says: "the URL alphabet of base64 and lacks the ="},
		{
			target: odd,
			signed: strings.Split(strings.TrimPrefix(odd, "/api"), "?")[0] + ":GET:" + stamp,
			says:   "the path was signed without /api; the query was not signed",
		},
		{
			target: odd,
			signed: strings.TrimPrefix(odd, "/api") + ":GET:" + stamp,
			secret: secret + "\n",
			says:   "the path was signed without /api; the secret key has a line break",
		},
		{target: odd, secret: "another", says: unknownMistake},
		{target: "/api/" + long, signed: "/" + long + ":GET:" + stamp, says: "the path was signed without /api"},
		{target: "/api/" + long, signed: "/" + long + ":GET:" + stamp, secret: secret + "\n", says: unknownMistake}, // combinations would take too long
	} {
		want := signing{secret: secret, target: tc.target, method: "GET", stamp: stamp}
		signed := tc.signed
		if signed == "" {
			signed = want.text()
		}
		key := tc.secret
		if key == "" {
			key = secret
		}
		encode := tc.encode
		if encode == nil {
			encode = std.EncodeToString
		}
		got := explainSignature(encode(mac(key, signed)), want, "/api", "tc.example")
		assert.Equal(t, "the signature does not match", got.Reason)
		assert.Equal(t, tc.target+":GET:"+stamp, got.StringToSign)
		assert.Contains(t, got.Mistake, tc.says)
		if tc.says != unknownMistake {
			assert.Equal(t, signed, got.Signed, tc.says)
		} else {
			assert.Empty(t, got.Signed)
		}
	}
}

func TestExplainTimestamp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for seconds, says := range map[int64]string{
		now.Add(-6 * time.Minute).Unix(): "is 6m0s behind the server's clock, and 5m0s are allowed",
		now.Add(2 * time.Hour).Unix():    "is 2h0m0s ahead of the server's clock",
		now.UnixMilli():                  "in milliseconds",
		-1 << 63:                         "behind",
		1<<63 - 1:                        "ahead of",
	} {
		assert.Contains(t, explainTimestamp(seconds, now), says)
	}
}

// Every refusal has a reason, and none contains a secret.
func TestAuthenticationFailuresAreRecorded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		authorization, timestamp string
		says                     string
	}{
		"no credentials":    {"", "1", "the Authorization header is missing"},
		"another scheme":    {"Basic eDp5", "1", `begins with neither "TC " nor "TC-Token "`},
		"another token":     {"TC-Token old", "1", "the token is another one"},
		"another access id": {"TC 1:x", "1", "the access id"},
		"no timestamp":      {"TC " + accessID + ":x", "", "the Timestamp header is missing"},
		"an old timestamp":  {"TC " + accessID + ":x", "1", "behind the server's clock"},
		"another signature": {"TC " + accessID + ":x", "now", "the signature does not match: the signature is not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			req := r.request("GET", "/v2/owners", "")
			req.Header.Set("Authorization", tc.authorization)
			if tc.timestamp != "now" {
				req.Header.Set("Timestamp", tc.timestamp)
			}
			require.Equal(t, 401, r.send(req).status)
			got := r.srv.Requests()[0]
			assert.False(t, got.Verified)
			require.NotNil(t, got.Refusal)
			assert.Contains(t, got.Refusal.String(), tc.says)
			assert.NotContains(t, got.Refusal.String(), r.srv.SecretKey())
			got.Refusal.Reason = "changed"
			assert.NotEqual(t, "changed", r.srv.Requests()[0].Refusal.Reason, "Requests must return copies")
		})
	}
}

func BenchmarkExplainSignature(b *testing.B) {
	want := signing{secret: secretKey, target: "/api/v2/indicators/hosts/www.example.com?owner=Common%20Community", method: "GET", stamp: "1700000000"}
	for b.Loop() {
		if r := explainSignature("rCx/SqFmemoBn8U8BbjRF3/W6Sg6QIiuTt1Z4lsBdbk=", want, "/api", "tc.example"); r.Mistake != unknownMistake {
			b.Fatal(r)
		}
	}
}
