package threatconnect_test

import (
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const relatedMissing = `{"status":"Failure","message":"The requested resource was not found"}`

// relatedErr returns the error that a sequence ends with.
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

func TestRelatedListsArePaged(t *testing.T) {
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

func TestRelatedSequenceIsReusable(t *testing.T) {
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

// Some versions of the platform return 404 for an empty list, as they do if the resource is missing.
func TestRelatedNotFoundDependsOnParent(t *testing.T) {
	t.Parallel()
	list := wiretest.Want{Target: "/v2/groups/incidents/54321/indicators?owner=Example%20Source&resultLimit=500", Status: 404, Answer: relatedMissing}
	for name, test := range map[string]struct {
		steps []wiretest.Want
		want  error
	}{
		"404 and the group exists": {
			[]wiretest.Want{list, {Target: "/v2/groups/incidents/54321?owner=Example%20Source", Answer: `{"status":"Success","data":{"incident":{"id":1}}}`}}, nil},
		"404 and the group is missing": {
			[]wiretest.Want{list, {Target: "/v2/groups/incidents/54321?owner=Example%20Source", Status: 404, Answer: relatedMissing}}, threatconnect.ErrNotFound},
		"no key":     {[]wiretest.Want{{Target: list.Target, Answer: `{"status":"Success","data":{"resultCount":0}}`}}, nil},
		"empty list": {[]wiretest.Want{{Target: list.Target, Answer: `{"status":"Success","data":{"indicator":[]}}`}}, nil},
		"a missing owner": {
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

func TestResourceOwnerOverridesClientOwner(t *testing.T) {
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

func TestTypedRelatedListHasTypeFields(t *testing.T) {
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

func TestInvalidRelationsAreRejectedUnsent(t *testing.T) {
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

func TestTasksAndVictimsAreLinkedReadAndUnlinked(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		a, ctx := c.Associations, t.Context()
		incident := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Incident", Name: "Phish", Fields: map[string]string{"eventDate": "2026-01-02"}})
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"},
			threatconnecttest.IndicatorRecord{Type: "Mutex", Summary: relatedMutex.Value})
		task, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: "Call"})
		require.NoError(t, err)
		victim, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Alex"})
		require.NoError(t, err)

		err = a.Link(ctx, incident, victim)
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
		assert.ErrorContains(t, err, "a victim needs at least one asset")
		_, err = c.VictimAssets.Add(ctx, victim, &threatconnect.VictimPhone{Number: "555-0100"})
		require.NoError(t, err)
		mail, err := c.VictimAssets.Add(ctx, victim, &threatconnect.VictimEmailAddress{Address: "alex@example.com"})
		require.NoError(t, err)

		other, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Kim"})
		require.NoError(t, err)
		_, err = c.VictimAssets.Add(ctx, other, &threatconnect.VictimWebSite{URL: "http://kim.example.com/"})
		require.NoError(t, err)

		for _, link := range [][2]threatconnect.Resource{
			{incident, victim}, {other, incident}, {relatedMutex, victim}, {victim, task}, {incident, task}, {relatedHost, task}, {incident, relatedHost},
		} {
			require.NoError(t, a.Link(ctx, link[0], link[1]))
		}
		assert.Len(t, all(t, a.Victims(ctx, incident, nil)), 2)
		assert.Len(t, all(t, a.Victims(ctx, relatedMutex, nil)), 1)
		assert.Len(t, all(t, a.Victims(ctx, task, nil)), 1)
		assert.Equal(t, "Kim", all(t, a.Victims(ctx, victim, nil))[0].Name, "they share a group")
		assert.Len(t, all(t, a.Tasks(ctx, victim, nil)), 1)
		assert.Empty(t, all(t, a.Tasks(ctx, task, nil)))
		assert.Len(t, all(t, a.Groups(ctx, task, nil)), 1)
		assert.Len(t, all(t, c.Associations.Groups(ctx, victim, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident})), 1)
		assert.Len(t, all(t, a.Indicators(ctx, task, nil)), 1)
		assert.Len(t, all(t, a.Indicators(ctx, victim, nil)), 2, "one of the victim, one of its group")
		assert.Len(t, all(t, c.Associations.Indicators(ctx, victim, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost})), 1)
		one, err := a.Victim(ctx, incident, other)
		require.NoError(t, err)
		assert.Equal(t, "Kim", one.Name)
		back, err := a.Task(ctx, victim, task)
		require.NoError(t, err)
		assert.Equal(t, "Call", back.Name)

		assert.Len(t, all(t, a.VictimAssets(ctx, incident, nil)), 3)
		mails := all(t, a.VictimAssets(ctx, task, &threatconnect.RelatedVictimAssetOptions{Type: threatconnect.VictimAssetEmailAddress}))
		require.Len(t, mails, 1)
		assert.Equal(t, "alex@example.com", mails[0].Summary())
		assert.Len(t, all(t, a.VictimAssets(ctx, victim, nil)), 2)
		asset, err := a.VictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID)
		require.NoError(t, err)
		assert.Equal(t, "alex@example.com", asset.Summary())
		require.NoError(t, a.UnlinkVictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID))
		require.ErrorIs(t, a.UnlinkVictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID), threatconnect.ErrNotFound)
		assert.Len(t, all(t, a.VictimAssets(ctx, incident, nil)), 2)
		assert.Len(t, all(t, a.VictimAssets(ctx, victim, nil)), 2, "the victim keeps its assets")

		require.NoError(t, a.Unlink(ctx, victim, task))
		assert.Empty(t, all(t, a.Tasks(ctx, victim, nil)))
		require.NoError(t, a.Unlink(ctx, victim, incident))
		assert.Empty(t, all(t, a.Victims(ctx, victim, nil)))
	})
}

func TestTasksAndVictimsCarryTagsAndLabels(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, _ *threatconnecttest.Server, c *threatconnect.Client) {
		ctx := t.Context()
		task, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: "Call"})
		require.NoError(t, err)
		victim, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Alex"})
		require.NoError(t, err)
		for _, r := range []threatconnect.Resource{task, victim} {
			require.NoError(t, c.Tags.Add(ctx, r, "A/B"))
			require.NoError(t, c.SecurityLabels.Add(ctx, r, "TLP:RED"))
		}
		for name, by := range map[string]carriers{"A/B": c.Tags, "TLP:RED": c.SecurityLabels} {
			assert.Len(t, all(t, by.Tasks(ctx, name, nil)), 1)
			assert.Len(t, all(t, by.Victims(ctx, name, nil)), 1)
			got, err := by.Task(ctx, name, task)
			require.NoError(t, err)
			assert.Equal(t, "Call", got.Name)
			who, err := by.Victim(ctx, name, victim)
			require.NoError(t, err)
			assert.Equal(t, "Alex", who.Name)
			require.ErrorIs(t, second(by.Task(ctx, name, threatconnect.TaskRef{ID: 1})), threatconnect.ErrNotFound)
		}
		require.NoError(t, c.Tags.Delete(ctx, "A/B"))
		require.NoError(t, c.SecurityLabels.Delete(ctx, "TLP:RED"))
		on, err := c.Tags.On(ctx, task)
		require.NoError(t, err)
		assert.Empty(t, on)
		labels, err := c.SecurityLabels.On(ctx, victim)
		require.NoError(t, err)
		assert.Empty(t, labels)
	})
}

func TestAcrossOwnersReadsEveryOwner(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		for i, owner := range []string{"Example Organization", "Example Community", "Example Source"} {
			seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Owner: owner, Type: "Host", Summary: "www.example.com", Rating: new(float64(i))})
		}
		ctx := t.Context()
		seq := c.Indicators.AcrossOwners(ctx, relatedHost, &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true}})
		before := len(srv.Requests())
		found := all(t, seq)
		require.Len(t, found, 3)
		assert.Len(t, srv.Requests(), before+4)
		for i, ind := range found {
			assert.InDelta(t, i, *ind.(*threatconnect.Host).Rating, 0)
			assert.NotNil(t, ind.Meta().Tags)
		}

		// The indicator in the community is deleted after the owners were listed.
		deleting := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
			resp, err := srv.RoundTrip(req)
			if strings.HasSuffix(req.URL.Path, "/owners") {
				assert.NoError(t, c.Indicators.Delete(ctx, found[1]))
			}
			return resp, err
		})))
		var owners []string
		for ind, err := range deleting.Indicators.AcrossOwners(ctx, found[0], nil) {
			require.NoError(t, err)
			owners = append(owners, ind.Meta().Owner.Name)
		}
		assert.Equal(t, []string{"Example Organization", "Example Source"}, owners)
		for range seq {
			break
		}
		assert.Empty(t, all(t, c.Indicators.AcrossOwners(ctx, relatedMutex, nil)))
		require.ErrorIs(t, relatedErr(c.Indicators.AcrossOwners(ctx, relatedIncident, nil)), threatconnect.ErrValidation)
		require.ErrorIs(t, relatedErr(c.Indicators.AcrossOwners(ctx, nil, nil)), threatconnect.ErrValidation)
	})
}

func TestAcrossOwnersStopsAtFirstError(t *testing.T) {
	t.Parallel()
	c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		switch owner := req.URL.Query().Get("owner"); owner {
		case "":
			return wiretest.Reply(200, `{"status":"Success","data":{"owner":[{"id":1,"name":"A"},{"id":2,"name":"B"},{"id":3,"name":"C"}]}}`), nil
		case "B":
			return wiretest.Reply(400, `{"status":"Failure","message":"no"}`), nil
		default:
			return wiretest.Reply(200, `{"status":"Success","data":{"host":{"id":1,"owner":{"name":"`+owner+`"},"hostName":"www.example.com"}}}`), nil
		}
	}))
	found, err := untilError(c.Indicators.AcrossOwners(t.Context(), relatedHost, nil))
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	require.Len(t, found, 1, "the items of earlier owners precede the error")
	assert.Equal(t, "A", found[0].Meta().Owner.Name)
}

// 40 owners at 50 ms per request take three rounds of 16 requests, and one request before them.
func TestOwnersAreReadInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var want []string
		srv := threatconnecttest.NewT(t)
		for i := range 40 {
			name := fmt.Sprintf("Source %02d", 39-i)
			want = append(want, name)
			require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: name, Type: "Source"}))
			seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Owner: name, Type: "Host", Summary: "www.example.com"})
		}
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 50 * time.Millisecond, Times: -1}))
		began := time.Now()
		var got []string
		for _, ind := range all(t, srv.Client().Indicators.AcrossOwners(t.Context(), relatedHost, nil)) {
			got = append(got, ind.Meta().Owner.Name)
		}
		assert.Equal(t, want, got)
		assert.Equal(t, 200*time.Millisecond, time.Since(began))
	})
}
