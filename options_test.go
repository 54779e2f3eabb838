package threatconnect_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestOptionsThatAreRefused(t *testing.T) {
	t.Parallel()
	h, rt := &http.Client{}, wiretest.Func(nil)
	for name, opts := range map[string][]threatconnect.Option{
		"an empty owner":                 {threatconnect.WithOwner("")},
		"an owner with a line break":     {threatconnect.WithOwner("Example\r\nX-Evil: 1")},
		"an owner that is not UTF-8":     {threatconnect.WithOwner("\xff")},
		"a user agent with a break":      {threatconnect.WithUserAgent("acme/1\nX-Evil: 1")},
		"a user agent with a delete":     {threatconnect.WithUserAgent("acme\x7f")},
		"a blank user agent":             {threatconnect.WithUserAgent(" ")},
		"a user agent that is not UTF-8": {threatconnect.WithUserAgent("acme\xff")},
		"an invisible user agent":        {threatconnect.WithUserAgent("acme\u202e")},
		"a nil HTTP client":              {threatconnect.WithHTTPClient(nil)},
		"a nil transport":                {threatconnect.WithTransport(nil)},
		"a nil TLS config":               {threatconnect.WithTLSConfig(nil)},
		"TLS without verification":       {threatconnect.WithTLSConfig(&tls.Config{InsecureSkipVerify: true})},
		"TLS 1.1 at most":                {threatconnect.WithTLSConfig(&tls.Config{MaxVersion: tls.VersionTLS11})},
		"a nil clock":                    {threatconnect.WithClock(nil)},
		"a proxy without a scheme":       {threatconnect.WithProxy("proxy.example:3128")},
		"a proxy without a host":         {threatconnect.WithProxy("http://")},
		"a proxy of another kind":        {threatconnect.WithProxy("ftp://proxy.example")},
		"a proxy with a raw password":    {threatconnect.WithProxy("http://user:pa%ss@proxy.example")},
		"negative attempts":              {threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: -1})},
		"a negative wait":                {threatconnect.WithRetry(threatconnect.RetryPolicy{MaxWait: -1})},
		"a cap of nothing":               {threatconnect.WithMaxResponseBytes(0)},
		"a negative stall timeout":       {threatconnect.WithStallTimeout(-1)},
		"a negative attempt timeout":     {threatconnect.WithAttemptTimeout(-1)},
		"an HTTP client and a timeout":   {threatconnect.WithHTTPClient(h), threatconnect.WithAttemptTimeout(1)},
		"an HTTP client and transport":   {threatconnect.WithHTTPClient(h), threatconnect.WithTransport(rt)},
		"an HTTP client and a proxy":     {threatconnect.WithHTTPClient(h), threatconnect.WithProxy("http://proxy.example")},
		"an HTTP client and TLS config":  {threatconnect.WithHTTPClient(h), threatconnect.WithTLSConfig(&tls.Config{})},
		"a transport and a proxy":        {threatconnect.WithTransport(rt), threatconnect.WithProxy("http://proxy.example")},
		"a transport and a TLS config":   {threatconnect.WithTransport(rt), threatconnect.WithTLSConfig(&tls.Config{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), opts...)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.NotContains(t, err.Error(), "X-Evil")
			assert.NotContains(t, err.Error(), "pa%ss")
		})
	}
}

func TestTheCallersHTTPClientIsNotTouched(t *testing.T) {
	t.Parallel()
	redirects := errors.New("mine")
	s := &wiretest.Steps{Do: steps{wiretest.Answer(302, "", "Location", "https://other.example/")}}
	h := &http.Client{Transport: s, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return redirects }}
	c, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), threatconnect.WithHTTPClient(h))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrRedirect)
	require.NotErrorIs(t, err, redirects)
	assert.Equal(t, redirects, h.CheckRedirect(nil, nil))
	assert.Equal(t, time.Minute, h.Timeout)
	_, hasDeadline := s.Sent[0].Context().Deadline()
	assert.True(t, hasDeadline, "the caller's timeout is kept")

	config := &tls.Config{MinVersion: tls.VersionTLS10, ServerName: "tc.example"}
	_, err = threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), threatconnect.WithTLSConfig(config))
	require.NoError(t, err)
	assert.Equal(t, uint16(tls.VersionTLS10), config.MinVersion)
}

func TestAnHTTPClientWithoutATransportSends(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whoami) }))
	defer srv.Close()
	h := &http.Client{}
	c, err := threatconnect.NewClient(srv.URL, threatconnect.HMAC("id", "key"), threatconnect.WithHTTPClient(h))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, http.Client{}, *h, "it is as it was")
}

func TestWhatOptionsSend(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c := clientOf(t, s, threatconnect.WithUserAgent("acme-feed/1.4.2"), threatconnect.WithActivityLog(false), threatconnect.WithOwner("Example Source"))
	_, err := c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "acme-feed/1.4.2 threatconnect-go/"+threatconnect.Version, s.Sent[0].Header.Get("User-Agent"))
	assert.Equal(t, c.UserAgent(), s.Sent[0].Header.Get("User-Agent"))
	assert.Equal(t, "createActivityLog=false", s.Sent[0].URL.RawQuery)
	assert.Equal(t, "application/json", s.Sent[0].Header.Get("Accept"))

	// An owner is a query value like any other.
	_, err = c.InOwner("A & owner=B").Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}})
	require.NoError(t, err)
	assert.Equal(t, "createActivityLog=false&owner=A%20%26%20owner%3DB&resultLimit=500", s.Sent[1].URL.RawQuery)
	q, err := url.ParseQuery(s.Sent[1].URL.RawQuery)
	require.NoError(t, err)
	assert.Equal(t, []string{"A & owner=B"}, q["owner"])
}
