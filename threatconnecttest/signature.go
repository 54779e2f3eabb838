package threatconnecttest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Refusal explains why the credentials of a request were refused. It contains no secrets.
type Refusal struct {
	Reason       string `json:"reason"`
	StringToSign string `json:"stringToSign,omitzero"` // the expected string, if a signature does not match
	Signed       string `json:"signed,omitzero"`       // the string that the client signed, if a known mistake explains the signature
	Mistake      string `json:"mistake,omitzero"`      // description of the mistake, or that no known mistake explains the signature

	expected bool // whether the test provoked it by expiring the token or moving the clock
}

// String returns the reason and the mistake.
func (r *Refusal) String() string {
	if r.Mistake == "" {
		return r.Reason
	}
	return r.Reason + ": " + r.Mistake
}

// unknownMistake is the explanation if no known mistake produces the signature.
const unknownMistake = "none of the known mistakes: the secret key is probably another one than the server's, or more was signed than was sent, such as the fragment of a URL"

// signing is the input of a signature.
type signing struct{ secret, target, method, stamp string }

// text returns the string to sign.
func (s signing) text() string { return s.target + ":" + s.method + ":" + s.stamp }

// signature computes the correct value of the Authorization header. It is written from the
// documentation and shares no code with the client, so each checks the other.
func (s signing) signature() string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(s.text()))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// mistake is a known mistake of clients in signing.
type mistake struct {
	words  string
	make   func(signing) signing
	paired bool // whether it is tried in combination with the others that have paired set
}

// explainSignature explains why got is not the signature of want. It tries the known mistakes, and
// combines those of the target with those of the secret key unless the target is very long. base is
// the path of the base URL.
func explainSignature(got string, want signing, base, host string) *Refusal {
	r := &Refusal{Reason: "the signature does not match", StringToSign: want.text(), Mistake: unknownMistake}
	sum, encoding := decodeSignature(got)
	if sum == nil {
		r.Mistake = "the signature is not base64 of the 32 bytes of an HMAC-SHA256"
		return r
	}
	macs := map[string]hash.Hash{}
	var buffer []byte
	tried := func(s signing, words ...string) bool {
		mac := macs[s.secret]
		if mac == nil {
			mac = hmac.New(sha256.New, []byte(s.secret))
			macs[s.secret] = mac
		}
		mac.Reset()
		buffer = append(buffer[:0], s.text()...)
		mac.Write(buffer)
		buffer = mac.Sum(buffer[:0])
		if !bytes.Equal(buffer, sum) {
			return false
		}
		words = slices.DeleteFunc(append(words, encoding), func(w string) bool { return w == "" })
		r.Signed, r.Mistake = s.text(), strings.Join(words, "; ")
		return true
	}
	if tried(want) {
		return r
	}
	all := mistakes(want, base, host)
	for _, m := range all {
		if tried(m.make(want), m.words) {
			return r
		}
	}
	if len(want.target) > maxHead { // avoids hundreds of HMACs while the server is locked
		return r
	}
	for i, m := range all {
		for _, n := range all[i+1:] {
			if m.paired && n.paired && tried(n.make(m.make(want)), m.words, n.words) {
				return r
			}
		}
	}
	return r
}

// decodeSignature returns the bytes of a signature, or nil if the encoding is unknown, and
// describes an incorrect encoding.
func decodeSignature(s string) (sum []byte, mistake string) {
	for _, e := range []struct {
		words  string
		decode func(string) ([]byte, error)
	}{
		{"", base64.StdEncoding.DecodeString},
		{"the signature is in hexadecimal digits, not base64", hex.DecodeString},
		{"the signature is base64 of hexadecimal digits, not of the bytes", hexInBase64},
		{"the signature is in the URL alphabet of base64, not the standard one", base64.URLEncoding.DecodeString},
		{"the signature lacks the = at the end of base64", base64.RawStdEncoding.DecodeString},
		{"the signature is in the URL alphabet of base64 and lacks the = at its end", base64.RawURLEncoding.DecodeString},
	} {
		if b, err := e.decode(s); err == nil && len(b) == sha256.Size {
			return b, e.words
		}
	}
	return nil, ""
}

func hexInBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(string(b))
}

// mistakes returns the mistakes that would change the signature of want.
func mistakes(want signing, base, host string) (all []mistake) {
	target := func(words string, change func(string) string) {
		if change(want.target) != want.target {
			all = append(all, mistake{words, func(s signing) signing { s.target = change(s.target); return s }, true})
		}
	}
	target("the path was signed without "+base, func(t string) string { return strings.TrimPrefix(t, base) })
	target("the path was signed without the slash at its start", func(t string) string { return strings.TrimPrefix(t, "/") })
	target("the query was not signed", func(t string) string { path, _, _ := strings.Cut(t, "?"); return path })
	target("escapes were signed in lower case and sent in upper case (%2f, %2F)", func(t string) string { return mapEscapes(t, strings.ToLower) })
	target("escapes were signed in upper case and sent in lower case (%2F, %2f)", func(t string) string { return mapEscapes(t, strings.ToUpper) })
	target("the target was escaped once more after it was signed", func(t string) string { return strings.ReplaceAll(t, "%25", "%") })
	target("the decoded path was signed, not the path as it is sent", inPath(unescape))
	target("the decoded path and query were signed, not the target as it is sent", unescape)
	target("the path was signed with more characters escaped than were sent", inPath(escapeSegments))
	target("a space was signed as + and sent as %20", func(t string) string { return strings.ReplaceAll(t, "%20", "+") })
	target("a space was signed as %20 and sent as +", func(t string) string { return strings.ReplaceAll(t, "+", "%20") })
	target("the target was escaped once more before it was signed", func(t string) string { return strings.ReplaceAll(t, "%", "%25") })
	target("the query was signed with its parameters sorted", sortQuery)
	target("the path was signed with a slash at its end", inPath(func(p string) string { return strings.TrimSuffix(p, "/") + "/" }))
	target("the path was signed without the slash at its end", inPath(func(p string) string { return strings.TrimSuffix(p, "/") }))
	target("an empty fragment, #, was signed", func(t string) string { return t + "#" })
	for _, scheme := range []string{"https://", "http://"} {
		target("the whole URL was signed, with "+scheme+" and the host", func(t string) string { return scheme + host + t })
	}

	for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
		for _, signed := range []string{m, strings.ToLower(m)} {
			if signed != want.method {
				all = append(all, mistake{"the method was signed as " + signed, func(s signing) signing { s.method = signed; return s }, false})
			}
		}
	}

	if seconds, err := strconv.ParseInt(want.stamp, 10, 64); err == nil {
		for _, d := range []int64{-1, 1, -2, 2, -3, 3, -4, 4, -5, 5} {
			words := fmt.Sprintf("the signed timestamp and the Timestamp header differ by %+d s: the clock was read twice", -d)
			all = append(all, mistake{words, func(s signing) signing { s.stamp = strconv.FormatInt(seconds+d, 10); return s }, false})
		}
	}

	secret := func(words string, change func(string) string) {
		if change(want.secret) != want.secret {
			all = append(all, mistake{words, func(s signing) signing { s.secret = change(s.secret); return s }, true})
		}
	}
	secret("the secret key has a line break at its end", func(k string) string { return k + "\n" })
	secret("the secret key has a line break (CR LF) at its end", func(k string) string { return k + "\r\n" })
	secret("the secret key has a space at its end", func(k string) string { return k + " " })
	secret("the secret key lost the white space around it", strings.TrimSpace)
	secret("the secret key stands in quotation marks", func(k string) string { return `"` + k + `"` })
	secret("the secret key stands in apostrophes", func(k string) string { return "'" + k + "'" })
	secret("a shell replaced a $ and the name after it in the secret key: put it in apostrophes", func(k string) string {
		return os.Expand(k, func(string) string { return "" })
	})
	secret("a shell removed the backslashes from the secret key: put it in apostrophes", func(k string) string { return strings.ReplaceAll(k, `\`, "") })
	secret("a shell ended the secret key at its first special character: put it in apostrophes", func(k string) string {
		k = strings.TrimSpace(k)
		if i := strings.IndexAny(k, " \t&;|<>()"); i >= 0 {
			return k[:i]
		}
		return k
	})
	return all
}

// inPath restricts a change to the path of a target.
func inPath(change func(string) string) func(string) string {
	return func(t string) string {
		path, query, has := strings.Cut(t, "?")
		if path = change(path); has {
			return path + "?" + query
		}
		return path
	}
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// escapeSegments also escapes the characters that a segment may contain unescaped.
func escapeSegments(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(unescape(s)), "+", "%20")
	}
	return strings.Join(segments, "/")
}

// mapEscapes changes the case of the hexadecimal digits of escapes.
func mapEscapes(s string, change func(string) string) string {
	parts := strings.Split(s, "%")
	for i, p := range parts[1:] {
		if len(p) >= 2 {
			parts[i+1] = change(p[:2]) + p[2:]
		}
	}
	return strings.Join(parts, "%")
}

func sortQuery(t string) string {
	path, query, _ := strings.Cut(t, "?")
	if query == "" {
		return t
	}
	parameters := strings.Split(query, "&")
	slices.Sort(parameters)
	return path + "?" + strings.Join(parameters, "&")
}

// explainTimestamp describes the difference between a timestamp and the server's clock.
func explainTimestamp(seconds int64, now time.Time) string {
	if d := now.Sub(time.UnixMilli(seconds)); d.Abs() <= signatureWindow {
		return "the Timestamp header is in milliseconds; send whole seconds since 1970"
	}
	side := "behind"
	if seconds > now.Unix() {
		side = "ahead of"
	}
	return fmt.Sprintf("the Timestamp header is %v %s the server's clock, and %v are allowed; set the client's clock, or send the server's time",
		now.Sub(time.Unix(seconds, 0)).Abs().Truncate(time.Second), side, signatureWindow)
}
