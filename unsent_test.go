package threatconnect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestIdentifiersThatAreNotSent(t *testing.T) {
	t.Parallel()
	s := &script{steps: steps{answer(200, whoami)}}
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
	assert.Zero(t, s.count())
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
	s := &script{steps: steps{answer(414, "<html><h1>Request-URI Too Long", "Content-Type", "text/html")}}
	_, err := clientOf(t, s).Indicators.URLs.Get(t.Context(), "http://example.com/"+strings.Repeat("x", 8<<10), nil)
	require.ErrorContains(t, err, "414 Request URI Too Long; an HTML page came")
	assert.Equal(t, 1, s.count())
}

// TestThreatLinksAreNeverFetched has a platform that puts addresses of another server wherever
// an answer can hold one.
func TestThreatLinksAreNeverFetched(t *testing.T) {
	t.Parallel()
	const link = "https://other.example/evil"
	thing := `{"id":1,"ownerName":"Example Source","webLink":"` + link + `","summary":"a.example","hostName":"a.example","type":"Host","href":"` + link + `","url":"` + link + `","link":"` + link + `","name":"x"}`
	s := &script{steps: steps{answer(200, `{"status":"Success","next":"`+link+`","data":{"next":"`+link+`","resultCount":3,"host":`+thing+`,"indicator":[`+thing+`],"incident":`+thing+`,"group":[`+thing+`],"tag":[`+thing+`],"attribute":[`+thing+`]}}`,
		"Location", link, "Content-Location", link, "Link", "<"+link+`>; rel="next"`, "Refresh", "0; url="+link)}}
	c := clientOf(t, s)
	h, err := c.Indicators.Hosts.Get(t.Context(), "a.example", nil)
	require.NoError(t, err)
	assert.Equal(t, link, h.WebLink)
	_, err = c.Indicators.Hosts.Create(t.Context(), threatconnect.NewHost("a.example"))
	require.NoError(t, err)
	_, _ = threatconnect.Collect(c.Indicators.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 1}}))
	_, _ = threatconnect.Collect(c.Groups.All(t.Context(), nil))
	_, err = c.Tags.On(t.Context(), h)
	require.True(t, err == nil || errors.Is(err, threatconnect.ErrBadResponse))
	_, _ = c.Attributes.On(t.Context(), h)
	require.Greater(t, s.count(), 5)
	for _, req := range s.sent {
		assert.Equal(t, "https://tc.example", fmt.Sprint(req.URL.Scheme, "://", req.URL.Host))
		assert.NotContains(t, req.URL.String(), "other.example")
	}
}
