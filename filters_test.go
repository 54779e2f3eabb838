package threatconnect_test

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestFiltersOnTheWire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -5*3600))
	for want, f := range map[string]threatconnect.Filters{
		"": nil,
		"filters=rating%3E3,confidence%3C20,summary%5Eevil&": {threatconnect.ByRating.Above(3), threatconnect.ByConfidence.Below(20), threatconnect.BySummary.StartsWith("evil")},
		"filters=rating%3C2.5&":                              {threatconnect.ByRating.Below(2.5)},
		"filters=dateAdded%3E2026-01-02T08%3A04%3A05Z&":      {threatconnect.ByDateAdded.After(at)},
		"filters=dateAdded%3C2026-01-02T08%3A04%3A05Z&":      {threatconnect.ByDateAdded.Before(at)},
		"filters=active%3Dtrue,active%3Dfalse&":              {threatconnect.ByActive.Is(true), threatconnect.ByActive.Is(false)},
		"filters=summary%3DA%20%26%20B%2B%3D%23%25&":         {threatconnect.BySummary.Is("A & B+=#%")},
		"filters=confidence%3D-1,threatAssessScore%3E1000&":  {threatconnect.ByConfidence.Is(-1), threatconnect.ByThreatAssessScore.Above(1000)},
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
		_, err := clientOf(t, s).Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: f, Include: threatconnect.Include{}})
		require.NoError(t, err)
		assert.Equal(t, want+"includeAdditional=true&resultLimit=500", s.Sent[0].URL.RawQuery)
	}
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	_, err := clientOf(t, s).InOwner("Example Source").Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{threatconnect.ByActive.Is(true), threatconnect.ByActive.Is(false)}, Any: true, ModifiedSince: at,
		Include: threatconnect.Include{Tags: true, Attributes: true, Labels: true}, ListOptions: threatconnect.ListOptions{Start: 5, Limit: 7}})
	require.NoError(t, err)
	assert.Equal(t, "filters=active%3Dtrue,active%3Dfalse&includeAdditional=true&includeAttributes=true&includeTags=true&includes=labels&modifiedSince=2026-01-02T08%3A04%3A05Z&"+
		"orParams=true&owner=Example%20Source&resultLimit=7&resultStart=5", s.Sent[0].URL.RawQuery)
}

func TestFiltersThatAreRefused(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	for name, f := range map[string]threatconnect.Filter{
		"a comma":             threatconnect.BySummary.Is("s3cret,x"),
		"nothing":             threatconnect.BySummary.Is(""),
		"blank":               threatconnect.BySummary.StartsWith(" "),
		"a line break":        threatconnect.BySummary.Is("s3cret\n"),
		"not UTF-8":           threatconnect.BySummary.Is("s3cret\xff"),
		"the zero time":       threatconnect.ByDateAdded.After(time.Time{}),
		"not a number":        threatconnect.ByRating.Above(math.NaN()),
		"infinite":            threatconnect.ByRating.Below(math.Inf(1)),
		"the zero filter":     {},
		"a field of tasks":    threatconnect.ByAssignee.Is("s3cret"),
		"a field of hosts":    threatconnect.ByDNSActive.Is(true),
		"a field of groups":   threatconnect.ByName.Is("s3cret"),
		"a field of campaign": threatconnect.ByFirstSeen.After(time.Unix(1, 0)),
	} {
		_, err := c.Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1), f}})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	_, err := c.Groups.List(t.Context(), &threatconnect.GroupListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1)}})
	require.EqualError(t, err, "threatconnect: filter on rating is not known to the list of groups; use one of name, dateAdded")
	_, err = c.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{ModifiedSince: time.Unix(1, 0)})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Zero(t, s.Count())
}

func TestFiltersOfOneTypeOnly(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	_, err := c.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByDNSActive.Is(true), threatconnect.ByWhoisActive.Is(false)}})
	require.NoError(t, err)
	_, err = c.Indicators.Addresses.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByASN.Is(64500), threatconnect.ByCountryCode.Is("NL")}})
	require.NoError(t, err)
	_, err = c.Groups.Campaigns.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByFirstSeen.After(time.Unix(0, 0))}})
	require.NoError(t, err)
	_, err = c.Groups.Documents.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByFileType.Is("pdf"), threatconnect.ByName.StartsWith("A")}})
	require.NoError(t, err)
	_, err = c.Groups.Incidents.List(t.Context(), &threatconnect.GroupListOptions{Include: threatconnect.Include{OmitAdditional: true}, Filters: threatconnect.Filters{threatconnect.ByEventDate.Before(time.Unix(0, 0))}})
	require.NoError(t, err)
	for i, want := range []string{
		"/api/v2/indicators/hosts?filters=dnsActive%3Dtrue,whoisActive%3Dfalse", "/api/v2/indicators/addresses?filters=asn%3D64500,countryCode%3DNL",
		"/api/v2/groups/campaigns?filters=firstSeen%3E1970-01-01T00%3A00%3A00Z", "/api/v2/groups/documents?filters=fileType%3Dpdf,name%5EA",
		"/api/v2/groups/incidents?filters=eventDate%3C1970-01-01T00%3A00%3A00Z",
	} {
		assert.Equal(t, want+"&resultLimit=500", s.Sent[i].URL.RequestURI())
	}
}

func TestWhatIsIncluded(t *testing.T) {
	t.Parallel()
	for i, want := range map[threatconnect.Include]string{
		threatconnect.Include{}:                                               "includeAdditional=true",
		threatconnect.Include{Tags: true}:                                     "includeAdditional=true&includeTags=true",
		threatconnect.Include{OmitAdditional: true}:                           "",
		threatconnect.Include{OmitAdditional: true, Tags: true, Labels: true}: "includeTags=true&includes=labels",
		threatconnect.Include{Tags: true, Attributes: true, Labels: true}:     "includeAdditional=true&includeAttributes=true&includeTags=true&includes=labels",
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"host":{},"incident":{}}}`)}}
		c := clientOf(t, s)
		_, err := c.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{Include: i})
		require.NoError(t, err)
		_, err = c.Groups.Incidents.Get(t.Context(), 7, &threatconnect.GroupGetOptions{Include: i})
		require.NoError(t, err)
		assert.Equal(t, want, s.Sent[0].URL.RawQuery)
		assert.Equal(t, want, s.Sent[1].URL.RawQuery)
	}
}

func FuzzAFilterIsOneFilter(f *testing.F) {
	f.Add("evil.example")
	f.Add("a,b=c")
	f.Add("%2C&x=1")
	f.Fuzz(func(t *testing.T, v string) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
		_, err := clientOf(t, s).Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(v), threatconnect.ByRating.Above(1)}})
		if err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			return
		}
		_, raw, ok := strings.Cut("&"+s.Sent[0].URL.RawQuery, "&filters=")
		require.True(t, ok)
		raw, _, _ = strings.Cut(raw, "&")
		parts := strings.Split(raw, ",")
		require.Len(t, parts, 2)
		got, err := url.QueryUnescape(parts[0])
		require.NoError(t, err)
		require.Equal(t, "summary="+v, got)
	})
}
