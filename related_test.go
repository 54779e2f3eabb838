package threatconnect_test

import (
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

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
	c := owned(t,
		wiretest.Want{Target: "/v2/indicators/hosts/www.example.com/groups?owner=Example%20Source&resultLimit=2",
			Answer: `{"status":"Success","data":{"resultCount":3,"group":[{"id":"1","name":"One","type":"Incident","ownerName":"Example Source"},{"id":2,"name":"Two","type":"Threat"}]}}`},
		wiretest.Want{Target: "/v2/indicators/hosts/www.example.com/groups?owner=Example%20Source&resultLimit=2&resultStart=2",
			Answer: `{"status":"Success","data":{"group":{"id":3,"name":"Three","type":"Mystery"}}}`},
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
	step := wiretest.Want{Target: "/v2/tags/Phishing/indicators?owner=Example%20Source&resultLimit=500",
		Answer: `{"status":"Success","data":{"resultCount":2,"indicator":[{"type":"Host","summary":"a.example"},{"type":"Host","summary":"b.example"}]}}`}
	c := owned(t, step, step)
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
	list := wiretest.Want{Target: "/v2/groups/incidents/54321/indicators?owner=Example%20Source&resultLimit=500", Status: 404, Answer: relatedMissing}
	for name, test := range map[string]struct {
		steps []wiretest.Want
		want  error
	}{
		"404 below a group that is there": {
			[]wiretest.Want{list, {Target: "/v2/groups/incidents/54321?owner=Example%20Source", Answer: `{"status":"Success","data":{"incident":{"id":1}}}`}}, nil},
		"404 below a group that is not there": {
			[]wiretest.Want{list, {Target: "/v2/groups/incidents/54321?owner=Example%20Source", Status: 404, Answer: relatedMissing}}, threatconnect.ErrNotFound},
		"no key":     {[]wiretest.Want{{Target: list.Target, Answer: `{"status":"Success","data":{"resultCount":0}}`}}, nil},
		"empty list": {[]wiretest.Want{{Target: list.Target, Answer: `{"status":"Success","data":{"indicator":[]}}`}}, nil},
		"an owner that is not there": {
			[]wiretest.Want{{Target: list.Target, Status: 403, Answer: `{"status":"Failure","message":"The requested owner was not found"}`}}, threatconnect.ErrOwnerRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := threatconnect.Collect(owned(t, test.steps...).Associations.Indicators(t.Context(), relatedIncident, nil))
			require.ErrorIs(t, err, test.want)
			assert.Empty(t, items)
		})
	}
}

func TestTheOwnerOfAResourceComesBeforeThatOfTheClient(t *testing.T) {
	t.Parallel()
	const empty = `{"status":"Success","data":{"resultCount":0,"incident":[]}}`
	c := owned(t,
		wiretest.Want{Target: "/v2/groups/incidents/7/groups/incidents?owner=Example%20Community&resultLimit=500", Answer: empty},
		wiretest.Want{Target: "/v2/groups/incidents/7/groups/incidents?owner=Other&resultLimit=500", Answer: empty},
	)
	incidents := &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}
	ref := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7, Owner: "Example Community"}
	require.NoError(t, relatedErr(c.Associations.Groups(t.Context(), ref, incidents)))
	ref.Owner = ""
	require.NoError(t, relatedErr(c.InOwner("Other").Associations.Groups(t.Context(), ref, incidents)))
}

func TestAListOfOneTypeHasTheTypesOwnFields(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/tags/Nation%20State/groups/incidents?owner=Example%20Source&resultLimit=500",
			Answer: `{"status":"Success","data":{"resultCount":1,"incident":[{"id":5,"name":"Phish","eventDate":"2026-01-02T03:04:05Z"}]}}`},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3AAMBER%2BSTRICT/indicators/files?owner=Example%20Source&resultLimit=500",
			Answer: `{"status":"Success","data":{"resultCount":1,"file":[{"id":6,"md5":"D41D8CD98F00B204E9800998ECF8427E","size":12}]}}`},
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
	c := owned(t)
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
