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

// relatedOddities are the shapes of answers that everything that is read has to cope with.
var relatedOddities = map[string]threatconnecttest.Oddity{
	"as documented":        0,
	"empty is 404":         threatconnecttest.OddityEmptyAs404,
	"failures are 200":     threatconnecttest.OddityEmptyAs404 | threatconnecttest.OddityFailureWith200 | threatconnecttest.OddityErrorWord,
	"empty has no key":     threatconnecttest.OddityEmptyWithoutKey | threatconnecttest.OddityMissingResultCount,
	"one is no list":       threatconnecttest.OddityLoneObjects | threatconnecttest.OddityMissingResultCount,
	"strings and no zones": threatconnecttest.OddityStringIDs | threatconnecttest.OddityStringBools | threatconnecttest.OddityZonelessDates | threatconnecttest.OddityStringNumbers,
	"owners are objects":   threatconnecttest.OddityOwnerObjectInLists | threatconnecttest.OddityRealBools,
	"disputed rules":       disputedRules,
}

// forEveryOddity runs a test against a server of each kind.
func forEveryOddity(t *testing.T, run func(*testing.T, *threatconnecttest.Server, *threatconnect.Client)) {
	for name, odd := range relatedOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			run(t, srv, srv.Client())
		})
	}
}

// seedGroup puts a group into a server's first owner.
func seedGroup(t *testing.T, srv *threatconnecttest.Server, r threatconnecttest.GroupRecord) threatconnect.GroupRef {
	t.Helper()
	require.NoError(t, srv.Seed(&r))
	return threatconnect.GroupRef{Type: threatconnect.GroupType(r.Type), ID: r.ID, Owner: r.Owner}
}

// seedIndicators puts indicators into a server's first owner.
func seedIndicators(t *testing.T, srv *threatconnecttest.Server, records ...threatconnecttest.IndicatorRecord) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, srv.Seed(&r))
	}
}

// all reads a sequence that must not fail.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	items, err := threatconnect.Collect(seq)
	require.NoError(t, err)
	return items
}

func TestGroupsAndIndicatorsAreLinkedReadAndUnlinked(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		incident := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Incident", Name: "Phish", XID: "i", Fields: map[string]string{"eventDate": "2026-01-02"}})
		threat := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Threat", Name: "Gang", XID: "t"})
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"},
			threatconnecttest.IndicatorRecord{Type: "CIDR", Summary: "192.0.2.0/24"})
		a, ctx := c.Associations, t.Context()
		host, err := c.Indicators.Hosts.Get(ctx, "www.example.com", nil)
		require.NoError(t, err)

		assert.Empty(t, all(t, a.Groups(ctx, host, nil)))
		assert.Empty(t, all(t, a.Indicators(ctx, incident, nil)))
		require.NoError(t, a.Link(ctx, host, incident))
		require.NoError(t, a.Link(ctx, host, incident), "linking twice")
		require.NoError(t, a.Link(ctx, threat, host))
		require.NoError(t, a.Link(ctx, incident, threat))
		require.NoError(t, a.Link(ctx, incident, relatedCIDR))

		groups := all(t, a.Groups(ctx, host, nil))
		require.Len(t, groups, 2)
		assert.Equal(t, "Example Organization", groups[0].Meta().Owner.Name)
		incidents := all(t, c.Associations.Groups(ctx, host, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}))
		require.Len(t, incidents, 1)
		assert.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), incidents[0].(*threatconnect.Incident).EventDate.UTC())
		assert.Len(t, all(t, a.Groups(ctx, threat, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident})), 1)
		assert.Len(t, all(t, a.Indicators(ctx, incident, nil)), 2)
		cidrs := all(t, c.Associations.Indicators(ctx, incident, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeCIDR}))
		require.Len(t, cidrs, 1)
		assert.Equal(t, "192.0.2.0/24", cidrs[0].(*threatconnect.CIDR).Block)

		one, err := a.Group(ctx, host, threat)
		require.NoError(t, err)
		assert.Equal(t, "Gang", one.Meta().Name)
		require.NoError(t, a.Unlink(ctx, threat, host))
		_, err = a.Group(ctx, host, threat)
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		require.ErrorIs(t, a.Unlink(ctx, host, threat), threatconnect.ErrNotFound)
		record, ok := srv.Group("i")
		require.True(t, ok)
		assert.Equal(t, []string{"Host: www.example.com", "CIDR: 192.0.2.0/24"}, record.Indicators)
		assert.Equal(t, []string{"t"}, record.Groups)
	})
}

func TestTwoIndicatorsAreLinkedReadAndUnlinked(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "ASN", Summary: "ASN64500"},
			threatconnecttest.IndicatorRecord{Type: "CIDR", Summary: "192.0.2.0/24"},
			threatconnecttest.IndicatorRecord{Type: "Address", Summary: "192.0.2.7"},
			threatconnecttest.IndicatorRecord{Type: "File", Summary: relatedFile.Value},
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: relatedHost.Value},
			threatconnecttest.IndicatorRecord{Type: "Mutex", Summary: relatedMutex.Value})
		a, ctx := c.Associations, t.Context()
		require.NoError(t, a.LinkIndicators(ctx, relatedASN, relatedCIDR, threatconnect.AssociationASNToCIDR))
		require.NoError(t, a.LinkIndicators(ctx, relatedAddress, relatedCIDR, threatconnect.AssociationCIDRToAddress), "from the other side")
		require.NoError(t, a.LinkFileAction(ctx, relatedFile, relatedMutex, threatconnect.FileActionMutex))

		assert.Len(t, all(t, a.Indicators(ctx, relatedCIDR, nil)), 2)
		by := all(t, a.IndicatorsBy(ctx, relatedCIDR, threatconnect.AssociationCIDRToAddress, nil))
		require.Len(t, by, 1)
		assert.Equal(t, "192.0.2.7", by[0].Summary())
		assert.Len(t, all(t, a.IndicatorsBy(ctx, relatedCIDR, threatconnect.AssociationASNToCIDR,
			&threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeASN})), 1)
		assert.Empty(t, all(t, a.IndicatorsBy(ctx, relatedAddress, threatconnect.AssociationDNSPTRRecord, nil)))
		mutexes := all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionMutex, nil))
		require.Len(t, mutexes, 1)
		assert.Equal(t, relatedMutex.Value, mutexes[0].(*threatconnect.Mutex).Name)
		assert.Empty(t, all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionDrop, nil)))

		require.NoError(t, a.Unlink(ctx, relatedCIDR, relatedASN))
		assert.Len(t, all(t, a.Indicators(ctx, relatedCIDR, nil)), 1)

		// Of two actions between a file and a host, one ends.
		require.NoError(t, a.LinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionTraffic))
		require.NoError(t, a.LinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionDNSQuery))
		hosts := &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}
		require.Len(t, all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionTraffic, hosts)), 1)
		assert.Empty(t, all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionMutex, hosts)))
		require.NoError(t, a.UnlinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionTraffic))
		assert.Empty(t, all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionTraffic, hosts)))
		assert.Len(t, all(t, a.IndicatorsByAction(ctx, relatedFile, threatconnect.FileActionDNSQuery, nil)), 1)
		assert.Len(t, all(t, a.Indicators(ctx, relatedHost, nil)), 1)
		require.ErrorIs(t, a.UnlinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionTraffic), threatconnect.ErrNotFound)
	})
}

func TestAssociationsWithWhatIsNotThereAreErrors(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		incident := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Incident", Name: "Phish", Fields: map[string]string{"eventDate": "2026-01-02"}})
		other := seedGroup(t, srv, threatconnecttest.GroupRecord{Owner: "Example Source", Type: "Threat", Name: "Gang"})
		a, ctx := c.Associations, t.Context()
		require.ErrorIs(t, a.Link(ctx, incident, relatedHost), threatconnect.ErrNotFound)
		require.ErrorIs(t, a.Link(ctx, relatedThreat, incident), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(a.Groups(ctx, relatedHost, nil)), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(a.Indicators(ctx, relatedThreat, nil)), threatconnect.ErrNotFound)
		require.ErrorIs(t, a.Link(ctx, incident, other), threatconnect.ErrValidation)

		nobody := incident
		nobody.Owner = "Nobody"
		err := a.Link(ctx, nobody, relatedHost)
		require.ErrorIs(t, err, threatconnect.ErrOwnerRefused)
		assert.ErrorContains(t, err, "client.Owners")
		require.ErrorIs(t, relatedErr(a.Indicators(ctx, nobody, nil)), threatconnect.ErrOwnerRefused)

		// Neither names an owner, so that only the platform can see that they are in different ones.
		other.Owner, incident.Owner = "", ""
		err = a.Link(ctx, incident, other)
		require.ErrorIs(t, err, threatconnect.ErrOwnerRefused)
		assert.ErrorContains(t, err, "things in different owners cannot be linked")
	})
}

func TestAnIndicatorIsReadInEveryOwnerThatHasIt(t *testing.T) {
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

		// The one in the community goes away after the owners were listed.
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

func TestAnErrorInOneOwnerEndsTheReadOfAll(t *testing.T) {
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
	require.Len(t, found, 1, "an error comes in the turn of its owner")
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
