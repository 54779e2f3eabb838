package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect/internal/redact"
)

func TestTextRedactsCredentials(t *testing.T) {
	t.Parallel()
	const secret = `s3cr3t+Key/"with"<marks>`
	secrets := []string{"12345678901234567890", secret}
	for name, text := range map[string]string{
		"plain":         "bad key " + secret,
		"a piece":       "bad key " + secret[3:11],
		"another case":  strings.ToUpper(secret),
		"folded":        secret[:5] + "\r\n " + secret[5:],
		"escaped twice": url.QueryEscape(url.QueryEscape(secret)),
		"JSON":          `s3cr3t+Key\/\"with\u0022`,
		"base64":        "x" + base64.StdEncoding.EncodeToString([]byte(secret)),
		"hexadecimal":   "x" + hex.EncodeToString([]byte(secret)),
		"an access ID":  "user 12345678901234567890",
		"a header":      "Authorization: TC 1",
	} {
		assert.Equal(t, redact.LeftOut, redact.Text(text, secrets), name)
	}
}

func TestTextKeepsOtherText(t *testing.T) {
	t.Parallel()
	signature := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for text, want := range map[string]string{
		"":                             "",
		"The requested resource":       "The requested resource",
		"seven bytes: s3cr3tK":         "seven bytes: s3cr3tK",
		"signed as " + signature + ".": "signed as {}.",
	} {
		assert.Equal(t, want, redact.Text(text, []string{"s3cr3tKey"}), text)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"id", "signature"}, redact.Secrets("TC id:signature"))
	assert.Equal(t, []string{"a:token"}, redact.Secrets("TC-Token a:token"))
}
