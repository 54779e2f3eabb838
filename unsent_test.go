package threatconnect_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestIdentifiersThatAreNotSent(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c := clientOf(t, s)
	group := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1}
	for _, v := range []string{"", ".", "..", "\x00", "a\x00b", "a\r\nX-Evil: 1", "\r\n", "a\nb"} {
		for _, typ := range []threatconnect.IndicatorType{
			threatconnect.TypeAddress, threatconnect.TypeEmailAddress, threatconnect.TypeFile, threatconnect.TypeHost, threatconnect.TypeURL, threatconnect.TypeASN,
			threatconnect.TypeCIDR, threatconnect.TypeMutex, threatconnect.TypeRegistryKey, threatconnect.TypeUserAgent,
		} {
			require.ErrorIs(t, c.Indicators.Delete(t.Context(), threatconnect.IndicatorRef{Type: typ, Value: v}), threatconnect.ErrValidation, "%s %q", typ, v)
		}
		require.ErrorIs(t, c.Tags.Remove(t.Context(), group, v), threatconnect.ErrValidation, "tag %q", v)
		require.ErrorIs(t, c.Tags.Delete(t.Context(), v), threatconnect.ErrValidation, "tag %q", v)
		require.ErrorIs(t, c.SecurityLabels.Remove(t.Context(), group, v), threatconnect.ErrValidation, "label %q", v)
	}
	require.ErrorIs(t, c.Tasks.Assignees.Remove(t.Context(), threatconnect.TaskRef{ID: 1}, ".."), threatconnect.ErrValidation)
	assert.Zero(t, s.Count())
}

func TestAURLOf8KBIsSentAndFoundAgain(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	c := srv.Client(threatconnect.WithOwner(batchOwner))
	for _, v := range []string{"http://example.com/" + strings.Repeat("a/%é?", 1366), "http://example.com/" + strings.Repeat("x", 8<<10)} {
		made, err := c.Indicators.URLs.Create(t.Context(), threatconnect.NewURL(v))
		require.NoError(t, err)
		got, err := c.Indicators.URLs.Get(t.Context(), made.Text, nil)
		require.NoError(t, err)
		assert.Equal(t, v, got.Text)
	}
	// A front that refuses such a line is told from the platform.
	s := &wiretest.Steps{Do: steps{wiretest.Answer(414, "<html><h1>Request-URI Too Long", "Content-Type", "text/html")}}
	_, err := clientOf(t, s).Indicators.URLs.Get(t.Context(), "http://example.com/"+strings.Repeat("x", 8<<10), nil)
	require.ErrorContains(t, err, "414 Request URI Too Long; an HTML page came")
	assert.Equal(t, 1, s.Count())
}

// TestThreatLinksAreNeverFetched has a platform that puts addresses of another server wherever
// an answer can hold one.
// linking is a platform whose answers have links to other places wherever links can be.
type linking struct {
	srv   *threatconnecttest.Server
	sent  []string
	links int
}

var aLink = regexp.MustCompile(`("(?:webLink|href|link|next)":")https?://[^"]*"`)

func (l *linking) RoundTrip(req *http.Request) (*http.Response, error) {
	const evil = "https://other.example/evil"
	l.sent = append(l.sent, req.URL.Scheme+"://"+req.URL.Host+strings.Join(strings.SplitAfterN(req.URL.EscapedPath(), "/", 3)[:2], ""))
	resp, err := l.srv.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		l.links += len(aLink.FindAll(body, -1))
		body = aLink.ReplaceAll(body, []byte(`${1}`+evil+`"`))
		body = bytes.Replace(body, []byte(`{"status":"Success"`), []byte(`{"next":"`+evil+`","status":"Success"`), 1)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	for name, value := range map[string]string{"Location": evil, "Content-Location": evil, "Link": "<" + evil + `>; rel="next"`, "Refresh": "0; url=" + evil, "Alt-Svc": `h2="other.example:443"`} {
		resp.Header.Set(name, value)
	}
	return resp, nil
}

func TestThreatLinksAreNeverFetched(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithoutUpdateIfExists())
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Wallet"}}))
	l := &linking{srv: srv}
	w := &tour{T: t, ctx: t.Context(), srv: srv, c: srv.Client(threatconnect.WithTransport(l)), tokens: srv.ClientAs(threatconnect.Token(srv.Token()), threatconnect.WithTransport(l))}
	w.all()
	assert.Equal(t, "https://other.example/evil", got[*threatconnect.Host](w)(w.c.Indicators.Hosts.Create(w.ctx, threatconnect.NewHost("a.example"))).WebLink)
	assert.Greater(t, l.links, 100)
	assert.Greater(t, len(l.sent), 300)
	slices.Sort(l.sent)
	assert.Equal(t, []string{srv.BaseURL() + "/"}, slices.Compact(l.sent))
}
