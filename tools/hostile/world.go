package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const (
	organization = "Example Organization"
	source       = "Example Source"

	accessID  = "20260101000000000042"
	secretKey = "kV9q/Zr+8wLx&Tn=4mJb'Hc!Ps2uYd 7gFa"
	token     = "APP:42:qM3xW7/tB+z9=:1999999999:0:Rk5vNc8JdLs2HgPyTf4"
)

// world is a correct platform, with one record of everything that methods are called with.
type world struct {
	server   *threatconnecttest.Server
	snapshot *threatconnecttest.Snapshot

	host, address, file, url threatconnect.IndicatorRef
	groups                   map[threatconnect.GroupType]threatconnect.GroupRef
	task, linked             *threatconnect.Task
	victim                   *threatconnect.Victim
	asset                    threatconnect.VictimAsset
	handle                   threatconnect.AdversaryAsset
	attribute                threatconnect.Attribute
	occurrence               threatconnect.FileOccurrence
	user                     string
	userID, owner            int64
	metric                   threatconnect.Metric
	playbook                 threatconnect.Playbook
	job, open                int64  // IDs of an imported job and of one without a file
	association              string // name of an association type
}

// ok returns the value of a call that must have succeeded.
func ok[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// newWorld returns a world. It must run in a bubble of testing/synctest, because records have its dates.
func newWorld(t *testing.T) *world {
	srv := threatconnecttest.New(threatconnecttest.WithCredentials(accessID, secretKey, token), threatconnecttest.WithRequestLog(0))
	w := &world{server: srv, groups: map[threatconnect.GroupType]threatconnect.GroupRef{}}
	ctx, c := t.Context(), srv.Client()
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Wallet"}}))
	for _, ind := range indicators("old") {
		ref := ok[threatconnect.Indicator](t)(c.Indicators.Create(ctx, ind))
		r := threatconnect.IndicatorRef{Type: ref.Type(), Value: ref.Summary()}
		switch ref.Type() {
		case threatconnect.TypeHost:
			w.host = r
		case threatconnect.TypeAddress:
			w.address = r
		case threatconnect.TypeFile:
			w.file = r
		case threatconnect.TypeURL:
			w.url = r
		}
	}
	for _, g := range groups("old") {
		made := ok[threatconnect.Group](t)(c.Groups.Create(ctx, g))
		w.groups[made.Type()] = threatconnect.GroupRef{Type: made.Type(), ID: made.Meta().ID}
	}
	w.task = ok[*threatconnect.Task](t)(c.Tasks.Create(ctx, &threatconnect.Task{Name: "old"}))
	linked := &threatconnecttest.TaskRecord{Name: "linked", Tasks: []int64{w.task.ID}}
	require.NoError(t, srv.Seed(linked))
	w.linked = ok[*threatconnect.Task](t)(c.Tasks.Get(ctx, linked.ID, nil))
	w.victim = ok[*threatconnect.Victim](t)(c.Victims.Create(ctx, &threatconnect.Victim{Name: "old"}))
	w.asset = ok[threatconnect.VictimAsset](t)(c.VictimAssets.Add(ctx, w.victim, &threatconnect.VictimEmailAddress{Address: "a@old.example"}))
	w.handle = ok[threatconnect.AdversaryAsset](t)(c.AdversaryAssets.Add(ctx, w.groups[threatconnect.GroupAdversary],
		threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetHandle, Value: "old"}))
	w.handle.Type = threatconnect.AdversaryAssetHandle
	w.attribute = ok[threatconnect.Attribute](t)(c.Attributes.Add(ctx, w.host, threatconnect.Attribute{Type: "Description", Value: "old"}))
	w.occurrence = ok[threatconnect.FileOccurrence](t)(c.FileOccurrences.Add(ctx, w.file, threatconnect.FileOccurrence{FileName: "old.bin"}))
	threat := w.groups[threatconnect.GroupThreat]
	for _, r := range []threatconnect.Resource{w.host, w.file, threat, w.task, w.victim} {
		require.NoError(t, c.Tags.Add(ctx, r, "old", "second"))
		require.NoError(t, c.SecurityLabels.Add(ctx, r, "TLP:AMBER"))
	}
	require.NoError(t, c.Associations.Link(ctx, w.host, threat))
	require.NoError(t, c.Associations.Link(ctx, w.host, w.victim))
	require.NoError(t, c.Associations.LinkIndicators(ctx, w.url, w.host, threatconnect.AssociationURLHost))
	require.NoError(t, c.Associations.LinkFileAction(ctx, w.file, w.host, threatconnect.FileActionDNSQuery))
	w.user = ok[threatconnect.User](t)(c.Owners.Whoami(ctx)).UserName
	w.userID, _ = srv.UserID(w.user)
	w.owner = ok[threatconnect.Owner](t)(c.Owners.Mine(ctx)).ID
	for _, users := range []threatconnect.TaskUsersService{c.Tasks.Assignees, c.Tasks.Escalatees} {
		require.NoError(t, users.Add(ctx, w.task, w.user))
	}
	old := threatconnect.BytesContent([]byte("old"))
	require.NoError(t, c.Groups.Documents.Upload(ctx, w.groups[threatconnect.GroupDocument].ID, old, nil))
	require.NoError(t, c.Groups.Reports.Upload(ctx, w.groups[threatconnect.GroupReport].ID, old, nil))
	require.NoError(t, srv.Seed(
		&threatconnecttest.GroupRecord{Type: string(threatconnect.GroupDocument), Name: "by xid", XID: "Groups.Documents."},
		&threatconnecttest.GroupRecord{Type: string(threatconnect.GroupReport), Name: "by xid", XID: "Groups.Reports."},
	))
	require.NoError(t, srv.SetBulkReports(organization, threatconnecttest.BulkReports{JSON: true, CSV: true}))
	w.metric = ok[threatconnect.Metric](t)(c.Metrics.Create(ctx, threatconnect.Metric{Name: "old", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily}))
	w.playbook = ok[threatconnect.Playbook](t)(c.Playbooks.Import(ctx, []byte(pbx)))
	w.job = ok[int64](t)(c.Batch.Create(ctx, batchJob))
	ok[*threatconnect.BatchStatus](t)(c.Batch.Upload(ctx, w.job, strings.NewReader(batchFile)))
	ok[*threatconnect.BatchStatus](t)(c.Batch.Wait(ctx, w.job))
	w.open = ok[int64](t)(c.Batch.Create(ctx, batchJob))
	w.association = ok[[]threatconnect.AssociationTypeInfo](t)(threatconnect.Collect(c.Types.Associations(ctx, nil)))[0].Name
	w.snapshot = srv.Snapshot()
	return w
}

const (
	pbx       = `{"name":"old","definitionVersion":"1.0.0"}`
	batchFile = `{"indicator":[{"type":"Host","summary":"batch.example"},{"type":"Host","summary":"not a host"}]}`
)

var batchJob = threatconnect.BatchJob{Owner: source, Attributes: threatconnect.WriteReplace}

// indicators returns an indicator of each type. Their values contain name.
func indicators(name string) []threatconnect.Indicator {
	n := 0
	for _, r := range name {
		n = (n*31 + int(r)) % 200
	}
	return []threatconnect.Indicator{
		threatconnect.NewHost(name + ".example"), threatconnect.NewAddress(fmt.Sprintf("192.0.2.%d", n+1)),
		threatconnect.NewFile(fmt.Sprintf("%064x", n+1)), threatconnect.NewURL("http://" + name + ".example/a"),
		threatconnect.NewASN(fmt.Sprintf("ASN%d", n+1)), threatconnect.NewCIDR(fmt.Sprintf("198.51.%d.0/24", n)),
		threatconnect.NewEmailAddress(name + "@mail.example"), threatconnect.NewEmailSubject(name),
		threatconnect.NewHashtag("#" + name), threatconnect.NewMutex(name),
		threatconnect.NewRegistryKey(`HKEY_LOCAL_MACHINE\`+name, name, "REG_SZ"), threatconnect.NewUserAgent(name),
		threatconnect.NewCustomIndicator("Wallet", name),
	}
}

// groups returns a group of each type.
func groups(name string) []threatconnect.Group {
	date := time.Date(2000, 1, 2, 3, 4, 5, 0, time.UTC)
	return []threatconnect.Group{
		threatconnect.NewAdversary(name), threatconnect.NewAttackPattern(name), threatconnect.NewCampaign(name),
		threatconnect.NewCourseOfAction(name), threatconnect.NewDocument(name, name+".txt"),
		threatconnect.NewEmail(name, name, name, name), threatconnect.NewEvent(name, date),
		threatconnect.NewIncident(name, date), threatconnect.NewIntrusionSet(name), threatconnect.NewMalware(name),
		threatconnect.NewReport(name, name+".pdf"),
		threatconnect.NewSignature(name, name+".yar", threatconnect.SignatureYARA, "rule old {}"),
		threatconnect.NewTactic(name), threatconnect.NewThreat(name), threatconnect.NewTool(name),
		threatconnect.NewVulnerability(name),
	}
}
