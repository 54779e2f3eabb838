package threatconnect_test

import (
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// relatedOddities are the response shapes that every read must support.
var relatedOddities = map[string]threatconnecttest.Oddity{
	"as documented":        0,
	"empty is 404":         threatconnecttest.OddityEmptyAs404,
	"failures are 200":     threatconnecttest.OddityEmptyAs404 | threatconnecttest.OddityFailureWith200 | threatconnecttest.OddityErrorWord,
	"empty has no key":     threatconnecttest.OddityEmptyWithoutKey | threatconnecttest.OddityMissingResultCount,
	"single objects":       threatconnecttest.OddityLoneObjects | threatconnecttest.OddityMissingResultCount,
	"strings and no zones": threatconnecttest.OddityStringIDs | threatconnecttest.OddityStringBools | threatconnecttest.OddityZonelessDates | threatconnecttest.OddityStringNumbers,
	"owners are objects":   threatconnecttest.OddityOwnerObjectInLists | threatconnecttest.OddityRealBools,
	"disputed rules":       disputedRules,
}

// forEveryOddity runs a test against a server with each of relatedOddities.
func forEveryOddity(t *testing.T, run func(*testing.T, *threatconnecttest.Server, *threatconnect.Client)) {
	for name, odd := range relatedOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			run(t, srv, srv.Client())
		})
	}
}

// seedGroup adds a group to its owner, by default the server's first.
func seedGroup(t *testing.T, srv *threatconnecttest.Server, r threatconnecttest.GroupRecord) threatconnect.GroupRef {
	t.Helper()
	require.NoError(t, srv.Seed(&r))
	return threatconnect.GroupRef{Type: threatconnect.GroupType(r.Type), ID: r.ID, Owner: r.Owner}
}

// seedIndicators adds indicators to their owners, by default the server's first.
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

		// Unlinking one of two actions between a file and a host keeps the other.
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

func TestAssociationsWithMissingObjectsFail(t *testing.T) {
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

		// Without owner names, only the platform can detect that the owners differ.
		other.Owner, incident.Owner = "", ""
		err = a.Link(ctx, incident, other)
		require.ErrorIs(t, err, threatconnect.ErrOwnerRefused)
		assert.ErrorContains(t, err, "things in different owners cannot be linked")
	})
}

const (
	relatedPage  = "?owner=Example%20Source&resultLimit=500"
	relatedOwner = "?owner=Example%20Source"
)

func TestLinkAndUnlinkPaths(t *testing.T) {
	t.Parallel()
	task, victim := threatconnect.TaskRef{ID: 11}, threatconnect.VictimRef{ID: 22}
	for name, test := range map[string]struct {
		a, b   threatconnect.Resource
		target string
	}{
		"group to group":         {relatedIncident, relatedThreat, "/v2/groups/incidents/54321/groups/threats/777"},
		"group to indicator":     {relatedIncident, relatedURL, "/v2/groups/incidents/54321/indicators/urls/http%3A%2F%2Fwww.example.com%2Fa%3Fb"},
		"group to victim":        {relatedIncident, victim, "/v2/groups/incidents/54321/victims/22"},
		"group and task, turned": {relatedIncident, task, "/v2/tasks/11/groups/incidents/54321"},
		"indicator to group":     {relatedHost, relatedIncident, "/v2/indicators/hosts/www.example.com/groups/incidents/54321"},
		"indicator to victim":    {relatedHost, victim, "/v2/indicators/hosts/www.example.com/victims/22"},
		"indicator and task":     {relatedHost, task, "/v2/tasks/11/indicators/hosts/www.example.com"},
		"task to group":          {task, relatedIncident, "/v2/tasks/11/groups/incidents/54321"},
		"task to indicator":      {task, relatedCIDR, "/v2/tasks/11/indicators/cidrBlocks/192.0.2.0%2F24"},
		"task to victim":         {task, victim, "/v2/tasks/11/victims/22"},
		"victim to group":        {victim, relatedIncident, "/v2/victims/22/groups/incidents/54321"},
		"victim and indicator":   {victim, relatedHost, "/v2/indicators/hosts/www.example.com/victims/22"},
		"victim and task":        {victim, task, "/v2/tasks/11/victims/22"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := owned(t,
				wiretest.Want{Method: "POST", Target: test.target + relatedOwner, Status: 201},
				wiretest.Want{Method: "DELETE", Target: test.target + relatedOwner})
			require.NoError(t, c.Associations.Link(t.Context(), test.a, test.b))
			require.NoError(t, c.Associations.Unlink(t.Context(), test.a, test.b))
		})
	}
}

func TestLinkIndicatorsByTypeAndAction(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Method: "POST", Target: "/v2/indicators/asns/ASN64500/associations/asnToCidr/indicators/cidrBlocks/192.0.2.0%2F24" + relatedOwner, Status: 201},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/addresses/192.0.2.7/associations/cidrToAddress/indicators/cidrBlocks/192.0.2.0%2F24" + relatedOwner},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/hosts/www.example.com/associations/hostToIndicators/indicators/mutexes/Global%5Cone" + relatedOwner},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/actions/mutex/indicators/mutexes/Global%5Cone" + relatedOwner},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/actions/teleport/indicators/hosts/www.example.com" + relatedOwner},
		wiretest.Want{Method: "DELETE", Target: "/v2/indicators/asns/ASN64500/indicators/cidrBlocks/192.0.2.0%2F24" + relatedOwner},
	)
	a, ctx := c.Associations, t.Context()
	require.NoError(t, a.LinkIndicators(ctx, relatedASN, relatedCIDR, threatconnect.AssociationASNToCIDR))
	require.NoError(t, a.LinkIndicators(ctx, relatedAddress, relatedCIDR, threatconnect.AssociationCIDRToAddress))
	require.NoError(t, a.LinkIndicators(ctx, relatedHost, relatedMutex, "hostToIndicators"))
	require.NoError(t, a.LinkFileAction(ctx, relatedFile, relatedMutex, threatconnect.FileActionMutex))
	require.NoError(t, a.LinkFileAction(ctx, relatedFile, relatedHost, "teleport"))
	require.NoError(t, a.Unlink(ctx, relatedASN, relatedCIDR))
}

func TestUnsupportedLinksAreRejectedUnsent(t *testing.T) {
	t.Parallel()
	c := owned(t)
	a, ctx := c.Associations, t.Context()
	task, victim := threatconnect.TaskRef{ID: 11}, threatconnect.VictimRef{ID: 22}
	elsewhere := threatconnect.GroupRef{Type: threatconnect.GroupThreat, ID: 9, Owner: "Example Community"}
	here := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "www.example.com", Owner: "Example Source"}
	var noGroup *threatconnect.Incident
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"task and task": {a.Link(ctx, task, threatconnect.TaskRef{ID: 12}),
			"association cannot be made between a task and a task; a task can be linked with a group, an indicator or a victim"},
		"victim and victim": {a.Link(ctx, victim, threatconnect.VictimRef{ID: 23}),
			"association cannot be made between a victim and a victim; a victim can be linked with a group, an indicator or a task"},
		"undoing task and task": {a.Unlink(ctx, task, threatconnect.TaskRef{ID: 12}), "association cannot be made between a task and a task"},
		"two indicators": {a.Link(ctx, relatedURL, relatedHost),
			"association needs a type or a file action between two indicators; use LinkIndicators with urlHost"},
		"two indicators with several types": {a.Link(ctx, relatedFile, relatedURL), "use LinkIndicators with fileDownload or LinkFileAction with traffic"},
		"two indicators without a type":     {a.Link(ctx, relatedMutex, relatedHost), "client.Types.Associations lists those of the instance"},
		"a thing with itself":               {a.Link(ctx, relatedHost, here), "association cannot be made between a thing and itself"},
		"nil":                               {a.Link(ctx, nil, relatedHost), "resource is nil"},
		"a nil group":                       {a.Link(ctx, relatedHost, noGroup), "resource is nil"},
		"different owners":                  {a.Link(ctx, here, elsewhere), "association cannot be made between different owners"},
		"different owners, undone":          {a.Unlink(ctx, here, elsewhere), "association cannot be made between different owners"},
		"a group in place of an indicator": {a.LinkIndicators(ctx, relatedHost, relatedIncident, threatconnect.AssociationURLHost),
			"must be between two indicators, and one end is a group; use Link"},
		"no association type": {a.LinkIndicators(ctx, relatedURL, relatedHost, ""), "association type is empty; use LinkIndicators with urlHost"},
		"a wrong association type": {a.LinkIndicators(ctx, relatedURL, relatedHost, threatconnect.AssociationASNToCIDR),
			"association type must fit the ends: asnToCidr is between ASN and CIDR, not between URL and Host; use LinkIndicators with urlHost"},
		"linking an action of a host": {a.LinkFileAction(ctx, relatedHost, relatedURL, threatconnect.FileActionDrop),
			"must be an indicator of the type File, not an indicator of the type Host"},
		"no action": {a.LinkFileAction(ctx, relatedFile, relatedMutex, ""), "file action is empty; use LinkFileAction with mutex"},
		"a wrong action": {a.LinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionDrop),
			"file action must fit the indicator: drop is done to File, not to Host; use LinkFileAction with traffic or LinkFileAction with dnsQuery"},
		"tasks of a group":           {relatedErr(a.Tasks(ctx, relatedIncident, nil)), "resource is a group, and the platform does not document how to list the tasks of one"},
		"a task of a host":           {second(a.Task(ctx, relatedHost, task)), "resource is an indicator, and the platform does not document how to list the tasks of one"},
		"a group in place of a task": {second(a.Task(ctx, victim, relatedIncident)), "task must be a task, not a group"},
		"a task in place of a group": {second(a.Group(ctx, victim, task)), "group must be a group, not a task"},
		"a host in place of a victim": {second(a.Victim(ctx, relatedIncident, relatedHost)),
			"victim must be a victim, not an indicator"},
		"an asset of a strange kind": {second(a.VictimAsset(ctx, relatedIncident, "Pet", 1)), `must be one of the five types, not "Pet"`},
		"an asset without an ID":     {a.UnlinkVictimAsset(ctx, relatedIncident, threatconnect.VictimAssetPhone, 0), "victim asset id must be a positive number"},
		"an asset of a victim":       {a.UnlinkVictimAsset(ctx, victim, threatconnect.VictimAssetPhone, 1), "whose assets are its own"},
		"an association type without such an end": {relatedErr(a.IndicatorsBy(ctx, relatedHost, threatconnect.AssociationASNToCIDR, nil)),
			"association type must fit the ends: no end of asnToCidr is of the type Host"},
		"an association type of a group": {relatedErr(a.IndicatorsBy(ctx, relatedIncident, threatconnect.AssociationASNToCIDR, nil)), "must be an indicator, not a group"},
		"an empty association type":      {relatedErr(a.IndicatorsBy(ctx, relatedHost, "", nil)), "association type is empty"},
		"an action without a name":       {relatedErr(a.IndicatorsByAction(ctx, relatedFile, "", nil)), "file action is empty"},
		"assets of a strange kind": {relatedErr(a.VictimAssets(ctx, relatedIncident, &threatconnect.RelatedVictimAssetOptions{Type: "Pet"})),
			`must be one of the five types, not "Pet"`},
		"an asset of nil":                      {second(a.VictimAsset(ctx, nil, threatconnect.VictimAssetPhone, 1)), "resource is nil"},
		"a group of nil":                       {second(a.Group(ctx, nil, relatedIncident)), "resource is nil"},
		"a victim of nil":                      {second(a.Victim(ctx, nil, victim)), "resource is nil"},
		"a victim without an ID":               {second(a.Victim(ctx, relatedIncident, threatconnect.VictimRef{})), "victim id must be a positive number"},
		"a group without an ID":                {a.Link(ctx, threatconnect.GroupRef{Type: threatconnect.GroupThreat}, relatedHost), "Threat id must be a positive number"},
		"an association type and a nil end":    {a.LinkIndicators(ctx, relatedHost, nil, threatconnect.AssociationURLHost), "resource is nil"},
		"unlinking an action with no such end": {a.UnlinkFileAction(ctx, relatedFile, relatedHost, threatconnect.FileActionMutex), "file action must fit the indicator: mutex is done to Mutex, not to Host"},
		"unlinking an action of a host":        {a.UnlinkFileAction(ctx, relatedHost, relatedMutex, threatconnect.FileActionMutex), "must be an indicator of the type File"},
		"an action of a host":                  {relatedErr(a.IndicatorsByAction(ctx, relatedHost, threatconnect.FileActionDrop, nil)), "must be an indicator of the type File"},
	} {
		require.ErrorIs(t, test.err, threatconnect.ErrValidation, name)
		assert.ErrorContains(t, test.err, test.want, name)
		assert.NotContains(t, test.err.Error(), "www.example.com", name)
	}
}

// second returns the second of two results, an error.
func second[T any](_ T, err error) error { return err }

func TestLinkUsesOwnerOfEitherEnd(t *testing.T) {
	t.Parallel()
	const target = "/v2/groups/threats/9/victims/22?owner=Example%20Community"
	c := owned(t, wiretest.Want{Method: "POST", Target: target}, wiretest.Want{Method: "POST", Target: target})
	threat := &threatconnect.Threat{GroupMeta: threatconnect.GroupMeta{ID: 9, Owner: threatconnect.Owner{Name: "Example Community"}}}
	require.NoError(t, c.Associations.Link(t.Context(), threat, threatconnect.VictimRef{ID: 22}))
	require.NoError(t, c.Associations.Link(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupThreat, ID: 9},
		threatconnect.VictimRef{ID: 22, Owner: "Example Community"}))
}

func TestLinkRetriesAndExplainsRejectedVictim(t *testing.T) {
	t.Parallel()
	target := "/v2/groups/incidents/54321/victims/22" + relatedOwner
	c := owned(t, wiretest.Want{Method: "POST", Target: target, Status: 502, Answer: "bad gateway"},
		wiretest.Want{Method: "POST", Target: target, Status: 400, Answer: `{"status":"Failure","message":"This cannot be done"}`})
	err := c.Associations.Link(t.Context(), relatedIncident, threatconnect.VictimRef{ID: 22})
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.ErrorContains(t, err, "a victim needs at least one asset before it can be linked")

	c = owned(t, wiretest.Want{Method: "POST", Target: "/v2/groups/incidents/54321/groups/threats/777" + relatedOwner, Status: 400,
		Answer: `{"status":"Failure","message":"This cannot be done"}`})
	err = c.Associations.Link(t.Context(), relatedIncident, relatedThreat)
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.NotContains(t, err.Error(), "victim", "the association has no victim")
}

func TestAssociationReadPaths(t *testing.T) {
	t.Parallel()
	victim, task := threatconnect.VictimRef{ID: 22}, threatconnect.TaskRef{ID: 11}
	type client = *threatconnect.Client
	for target, read := range map[string]func(client) error{
		"/v2/tasks/11/groups" + relatedPage: func(c client) error { return relatedErr(c.Associations.Groups(t.Context(), task, nil)) },
		"/v2/victims/22/groups/incidents" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.Groups(t.Context(), victim, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}))
		},
		"/v2/groups/incidents/54321/indicators/cidrBlocks" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.Indicators(t.Context(), relatedIncident, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeCIDR}))
		},
		"/v2/indicators/hosts/www.example.com/indicators/urls" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.Indicators(t.Context(), relatedHost, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeURL}))
		},
		"/v2/indicators/urls/http%3A%2F%2Fwww.example.com%2Fa%3Fb/associations/urlHost/indicators" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.IndicatorsBy(t.Context(), relatedURL, threatconnect.AssociationURLHost, nil))
		},
		"/v2/indicators/urls/http%3A%2F%2Fwww.example.com%2Fa%3Fb/associations/urlHost/indicators/hosts" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.IndicatorsBy(t.Context(), relatedURL, threatconnect.AssociationURLHost,
				&threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
		},
		"/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/actions/drop/indicators" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.IndicatorsByAction(t.Context(), relatedFile, threatconnect.FileActionDrop, nil))
		},
		"/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/actions/traffic/indicators/hosts" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.IndicatorsByAction(t.Context(), relatedFile, threatconnect.FileActionTraffic,
				&threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost}))
		},
		"/v2/tasks/11/tasks" + relatedPage:                 func(c client) error { return relatedErr(c.Associations.Tasks(t.Context(), task, nil)) },
		"/v2/victims/22/tasks" + relatedPage:               func(c client) error { return relatedErr(c.Associations.Tasks(t.Context(), victim, nil)) },
		"/v2/victims/22/victims" + relatedPage:             func(c client) error { return relatedErr(c.Associations.Victims(t.Context(), victim, nil)) },
		"/v2/groups/incidents/54321/victims" + relatedPage: func(c client) error { return relatedErr(c.Associations.Victims(t.Context(), relatedIncident, nil)) },
		"/v2/tasks/11/victimAssets" + relatedPage:          func(c client) error { return relatedErr(c.Associations.VictimAssets(t.Context(), task, nil)) },
		"/v2/indicators/hosts/www.example.com/victimAssets/phoneNumbers" + relatedPage: func(c client) error {
			return relatedErr(c.Associations.VictimAssets(t.Context(), relatedHost, &threatconnect.RelatedVictimAssetOptions{Type: threatconnect.VictimAssetPhone}))
		},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			c := owned(t, wiretest.Want{Target: target, Answer: `{"status":"Success","data":{"resultCount":0}}`})
			require.NoError(t, read(c))
		})
	}
}

func TestGetOneAssociatedObject(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/victims/22/groups/incidents/54321" + relatedOwner, Answer: `{"status":"Success","data":{"incident":{"id":"54321","name":"Phish"}}}`},
		wiretest.Want{Target: "/v2/tasks/11/tasks/12" + relatedOwner, Answer: `{"status":"Success","data":{"task":{"id":"12","name":"Call","status":"In Progress"}}}`},
		wiretest.Want{Target: "/v2/indicators/hosts/www.example.com/victims/22" + relatedOwner, Answer: `{"status":"Success","data":{"victim":{"id":"22","name":"Alex"}}}`},
		wiretest.Want{Target: "/v2/groups/incidents/54321/victimAssets/phoneNumbers/5" + relatedOwner, Answer: `{"status":"Success","data":{"victimPhone":{"id":5,"phoneType":"555-0100"}}}`},
		wiretest.Want{Method: "DELETE", Target: "/v2/groups/incidents/54321/victimAssets/phoneNumbers/5" + relatedOwner},
		wiretest.Want{Target: "/v2/groups/threats/777/groups/incidents/54321" + relatedOwner, Status: 404, Answer: relatedMissing},
	)
	ctx, a := t.Context(), c.Associations
	group, err := a.Group(ctx, threatconnect.VictimRef{ID: 22}, relatedIncident)
	require.NoError(t, err)
	assert.Equal(t, "Phish", group.(*threatconnect.Incident).Name)
	task, err := a.Task(ctx, threatconnect.TaskRef{ID: 11}, threatconnect.TaskRef{ID: 12})
	require.NoError(t, err)
	assert.Equal(t, threatconnect.TaskInProgress, task.Status)
	victim, err := a.Victim(ctx, relatedHost, threatconnect.VictimRef{ID: 22})
	require.NoError(t, err)
	assert.Equal(t, "Alex", victim.Name)
	assert.Equal(t, "Example Source", victim.Owner.Name)
	asset, err := a.VictimAsset(ctx, relatedIncident, threatconnect.VictimAssetPhone, 5)
	require.NoError(t, err)
	assert.Equal(t, "555-0100", asset.Summary())
	require.NoError(t, a.UnlinkVictimAsset(ctx, relatedIncident, threatconnect.VictimAssetPhone, 5))
	_, err = a.Group(ctx, relatedThreat, relatedIncident)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

// typesPage is the request for the indicator types of the instance.
const typesPage = "/v2/types/indicatorTypes?includeAdditional=true&resultLimit=500"

func TestCustomIndicatorFieldsInRelatedLists(t *testing.T) {
	t.Parallel()
	list := `{"status":"Success","data":{"resultCount":1,"beacon":[{"id":9,"Net":"a b","Port":"443"}]}}`
	c := owned(t,
		wiretest.Want{Target: typesPage, Answer: `{"data":{"indicatorType":[{"name":"Beacon","custom":"true","apiBranch":"beacons","apiEntity":"beacon","value1Label":"Net","value2Label":"Port"}]}}`},
		wiretest.Want{Target: "/v2/groups/incidents/54321/indicators/beacons" + relatedPage, Answer: list},
		wiretest.Want{Target: "/v2/tags/C2/indicators/beacons" + relatedPage, Answer: list},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/indicators/beacons" + relatedPage, Answer: list},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/indicators/beacons/a%20b%20%3A%20443" + relatedOwner,
			Answer: `{"status":"Success","data":{"beacon":{"id":9,"Net":"a b","Port":"443"}}}`},
	)
	ctx := t.Context()
	beacons := &threatconnect.RelatedIndicatorOptions{Type: "Beacon"}
	for _, seq := range []iter.Seq2[threatconnect.Indicator, error]{
		c.Associations.Indicators(ctx, relatedIncident, beacons), c.Tags.Indicators(ctx, "C2", beacons), c.SecurityLabels.Indicators(ctx, "TLP:RED", beacons),
	} {
		found := all(t, seq)
		require.Len(t, found, 1)
		assert.Equal(t, [3]string{"a b", "443"}, found[0].(*threatconnect.CustomIndicator).Values)
	}
	one, err := c.SecurityLabels.Indicator(ctx, "TLP:RED", threatconnect.IndicatorRef{Type: "Beacon", Value: "a b : 443"})
	require.NoError(t, err)
	assert.Equal(t, int64(9), one.Meta().ID)
}

// The documentation shows the groups of a task under "task".
func TestTaskGroupsUnderTaskKey(t *testing.T) {
	t.Parallel()
	c := owned(t, wiretest.Want{Target: "/v2/tasks/11/groups" + relatedPage,
		Answer: `{"status":"Success","data":{"resultCount":1,"task":[{"id":"1","name":"Phish","type":"Incident"}]}}`})
	groups, err := threatconnect.Collect(c.Associations.Groups(t.Context(), threatconnect.TaskRef{ID: 11}, nil))
	require.NoError(t, err)
	require.Len(t, groups, 1)
	assert.IsType(t, &threatconnect.Incident{}, groups[0])
}

// The instance may not have a custom association type or action, so a 404 does not mean an empty list.
func TestUnknownAssociationTypeReturnsErrNotFound(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/indicators/hosts/www.example.com/associations/seenWith/indicators" + relatedPage, Status: 404, Answer: relatedMissing},
		wiretest.Want{Target: "/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/actions/teleport/indicators" + relatedPage, Status: 404, Answer: relatedMissing})
	require.ErrorIs(t, relatedErr(c.Associations.IndicatorsBy(t.Context(), relatedHost, "seenWith", nil)), threatconnect.ErrNotFound)
	require.ErrorIs(t, relatedErr(c.Associations.IndicatorsByAction(t.Context(), relatedFile, "teleport", nil)), threatconnect.ErrNotFound)
}
