package threatconnect_test

import (
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// relatedStep is a request that has to come, and what is answered to it.
type relatedStep struct {
	method string // GET when empty
	target string // escaped path below the base URL, with the query
	body   string // exact
	status int    // 200 when 0
	answer string // {"status":"Success"} when empty
}

// relatedScript returns a client that has to send just these requests, in this order, in the owner
// "Example Source" unless a call says otherwise.
func relatedScript(t *testing.T, steps ...relatedStep) *threatconnect.Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	next := 0
	mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		if !assert.Less(t, next, len(steps), "%s %s: no further request was expected", req.Method, req.URL.RequestURI()) {
			return httpmock.NewStringResponse(http.StatusTeapot, ""), nil
		}
		s := steps[next]
		next++
		if s.method == "" {
			s.method = http.MethodGet
		}
		assert.Equal(t, s.method+" /api"+s.target, req.Method+" "+req.URL.RequestURI())
		assert.NotEmpty(t, req.Header.Get("Authorization"))
		body := ""
		if req.Body != nil {
			b, err := io.ReadAll(req.Body)
			assert.NoError(t, err)
			body = string(b)
		}
		assert.Equal(t, s.body, body)
		if s.body != "" {
			assert.Equal(t, "application/json; charset=utf-8", req.Header.Get("Content-Type"))
		}
		if s.status == 0 {
			s.status = http.StatusOK
		}
		if s.answer == "" {
			s.answer = `{"status":"Success"}`
		}
		resp := httpmock.NewStringResponse(s.status, s.answer)
		resp.Header.Set("Content-Type", "application/json")
		return resp, nil
	})
	t.Cleanup(func() { assert.Equal(t, len(steps), next, "requests that did not come") })
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("id", "key"),
		threatconnect.WithTransport(mock), threatconnect.WithOwner("Example Source"))
	require.NoError(t, err)
	return c
}

const relatedMissing = `{"status":"Failure","message":"The requested resource was not found"}`

// relatedErr reads a sequence to its end for the error that it ends with.
func relatedErr[T any](seq iter.Seq2[T, error]) error {
	_, err := threatconnect.Collect(seq)
	return err
}

var (
	relatedHost     = threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "www.example.com"}
	relatedURL      = threatconnect.IndicatorRef{Type: threatconnect.TypeURL, Value: "http://www.example.com/a?b"}
	relatedFile     = threatconnect.IndicatorRef{Type: threatconnect.TypeFile, Value: "d41d8cd98f00b204e9800998ecf8427e"}
	relatedMutex    = threatconnect.IndicatorRef{Type: threatconnect.TypeMutex, Value: `Global\one`}
	relatedCIDR     = threatconnect.IndicatorRef{Type: threatconnect.TypeCIDR, Value: "192.0.2.0/24"}
	relatedASN      = threatconnect.IndicatorRef{Type: threatconnect.TypeASN, Value: "ASN64500"}
	relatedAddress  = threatconnect.IndicatorRef{Type: threatconnect.TypeAddress, Value: "192.0.2.7"}
	relatedIncident = threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 54321}
	relatedThreat   = threatconnect.GroupRef{Type: threatconnect.GroupThreat, ID: 777}
)

func TestListsThatHangTogetherWithSomethingArePaged(t *testing.T) {
	t.Parallel()
	c := relatedScript(t,
		relatedStep{target: "/v2/indicators/hosts/www.example.com/groups?owner=Example%20Source&resultLimit=2",
			answer: `{"status":"Success","data":{"resultCount":3,"group":[{"id":"1","name":"One","type":"Incident","ownerName":"Example Source"},{"id":2,"name":"Two","type":"Threat"}]}}`},
		relatedStep{target: "/v2/indicators/hosts/www.example.com/groups?owner=Example%20Source&resultLimit=2&resultStart=2",
			answer: `{"status":"Success","data":{"group":{"id":3,"name":"Three","type":"Mystery"}}}`},
	)
	groups, err := threatconnect.Collect(c.Associations.Groups(t.Context(), relatedHost,
		&threatconnect.RelatedGroupOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
	require.NoError(t, err)
	require.Len(t, groups, 3)
	incident, ok := groups[0].(*threatconnect.Incident)
	require.True(t, ok)
	assert.Equal(t, int64(1), incident.ID)
	assert.Equal(t, "Example Source", incident.Owner.Name)
	assert.IsType(t, &threatconnect.Threat{}, groups[1])
	assert.IsType(t, &threatconnect.UnknownGroup{}, groups[2])
}

func TestASequenceCanBeRangedTwiceAndLeftEarly(t *testing.T) {
	t.Parallel()
	step := relatedStep{target: "/v2/tags/Phishing/indicators?owner=Example%20Source&resultLimit=500",
		answer: `{"status":"Success","data":{"resultCount":2,"indicator":[{"type":"Host","summary":"a.example"},{"type":"Host","summary":"b.example"}]}}`}
	c := relatedScript(t, step, step)
	seq := c.Tags.Indicators(t.Context(), "Phishing", nil)
	for range 2 {
		for ind, err := range seq {
			require.NoError(t, err)
			assert.Equal(t, "a.example", ind.Summary())
			break
		}
	}
}

// On some versions of the platform an empty list is a 404, as is a list below what is not there.
func TestNothingRelatedIsEmptyAndNothingToRelateToIsAnError(t *testing.T) {
	t.Parallel()
	list := relatedStep{target: "/v2/groups/incidents/54321/indicators?owner=Example%20Source&resultLimit=500", status: 404, answer: relatedMissing}
	for name, test := range map[string]struct {
		steps []relatedStep
		want  error
	}{
		"404 below a group that is there": {
			[]relatedStep{list, {target: "/v2/groups/incidents/54321?owner=Example%20Source", answer: `{"status":"Success","data":{"incident":{"id":1}}}`}}, nil},
		"404 below a group that is not there": {
			[]relatedStep{list, {target: "/v2/groups/incidents/54321?owner=Example%20Source", status: 404, answer: relatedMissing}}, threatconnect.ErrNotFound},
		"no key":     {[]relatedStep{{target: list.target, answer: `{"status":"Success","data":{"resultCount":0}}`}}, nil},
		"empty list": {[]relatedStep{{target: list.target, answer: `{"status":"Success","data":{"indicator":[]}}`}}, nil},
		"an owner that is not there": {
			[]relatedStep{{target: list.target, status: 403, answer: `{"status":"Failure","message":"The requested owner was not found"}`}}, threatconnect.ErrOwnerRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := threatconnect.Collect(relatedScript(t, test.steps...).Associations.Indicators(t.Context(), relatedIncident, nil))
			require.ErrorIs(t, err, test.want)
			assert.Empty(t, items)
		})
	}
}

func TestTheOwnerOfAResourceComesBeforeThatOfTheClient(t *testing.T) {
	t.Parallel()
	const empty = `{"status":"Success","data":{"resultCount":0,"incident":[]}}`
	c := relatedScript(t,
		relatedStep{target: "/v2/groups/incidents/7/groups/incidents?owner=Example%20Community&resultLimit=500", answer: empty},
		relatedStep{target: "/v2/groups/incidents/7/groups/incidents?owner=Other&resultLimit=500", answer: empty},
	)
	incidents := &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}
	ref := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7, Owner: "Example Community"}
	require.NoError(t, relatedErr(c.Associations.Groups(t.Context(), ref, incidents)))
	ref.Owner = ""
	require.NoError(t, relatedErr(c.InOwner("Other").Associations.Groups(t.Context(), ref, incidents)))
}

func TestAListOfOneTypeHasTheTypesOwnFields(t *testing.T) {
	t.Parallel()
	c := relatedScript(t,
		relatedStep{target: "/v2/tags/Nation%20State/groups/incidents?owner=Example%20Source&resultLimit=500",
			answer: `{"status":"Success","data":{"resultCount":1,"incident":[{"id":5,"name":"Phish","eventDate":"2026-01-02T03:04:05Z"}]}}`},
		relatedStep{target: "/v2/securityLabels/TLP%3AAMBER%2BSTRICT/indicators/files?owner=Example%20Source&resultLimit=500",
			answer: `{"status":"Success","data":{"resultCount":1,"file":[{"id":6,"md5":"D41D8CD98F00B204E9800998ECF8427E","size":12}]}}`},
	)
	incidents, err := threatconnect.Collect(c.Tags.Groups(t.Context(), " Nation State ", &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}))
	require.NoError(t, err)
	require.Len(t, incidents, 1)
	assert.Equal(t, 2026, incidents[0].(*threatconnect.Incident).EventDate.Year())
	files, err := threatconnect.Collect(c.SecurityLabels.Indicators(t.Context(), "TLP:AMBER+STRICT", &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeFile}))
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.Equal(t, new(int64(12)), files[0].(*threatconnect.File).Size)
}

func TestRelationsThatCannotBeReadAreRefusedUnsent(t *testing.T) {
	t.Parallel()
	c := relatedScript(t)
	ctx := t.Context()
	var noHost *threatconnect.Host
	var noRef *threatconnect.IndicatorRef
	for name, err := range map[string]error{
		"resource is nil":   relatedErr(c.Associations.Groups(ctx, nil, nil)),
		"resource is nil ":  relatedErr(c.Associations.Groups(ctx, noHost, nil)),
		"resource is nil  ": relatedErr(c.Associations.Groups(ctx, noRef, nil)),
		"host name ":        relatedErr(c.Associations.Groups(ctx, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "not a host"}, nil)),
		"group type ":       relatedErr(c.Associations.Groups(ctx, relatedHost, &threatconnect.RelatedGroupOptions{Type: "Rumor"})),
		"list limit ":       relatedErr(c.Associations.Tasks(ctx, threatconnect.TaskRef{ID: 1}, &threatconnect.ListOptions{Limit: 10_001})),
		"security label ":   relatedErr(c.SecurityLabels.Groups(ctx, " ", &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupThreat})),
		"tag ":              relatedErr(c.Tags.Indicators(ctx, "", &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeURL})),
	} {
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.ErrorContains(t, err, "threatconnect: "+strings.TrimRight(name, " "))
		assert.NotContains(t, err.Error(), "not a host")
	}
}
