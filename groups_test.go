package threatconnect_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestEveryGroupTypeOnTheWire(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -5*3600))
	const date = `"2026-01-02T08:04:05Z"`
	campaign := threatconnect.NewCampaign("A")
	campaign.FirstSeen = day
	document := threatconnect.NewDocument("A", "a.zip")
	document.Malware, document.Password = new(true), "infected"
	for _, tc := range []struct {
		group          threatconnect.Group
		branch, entity string
		body           string // of a create
	}{
		{threatconnect.NewAdversary("A"), "adversaries", "adversary", `{"name":"A"}`},
		{threatconnect.NewAttackPattern("A"), "attackPatterns", "attackPattern", `{"name":"A"}`},
		{campaign, "campaigns", "campaign", `{"name":"A","firstSeen":` + date + `}`},
		{threatconnect.NewCourseOfAction("A"), "coursesOfAction", "courseOfAction", `{"name":"A"}`},
		{document, "documents", "document", `{"name":"A","fileName":"a.zip","malware":true,"password":"infected"}`},
		{threatconnect.NewEmail("A", "s", "h", "b"), "emails", "email", `{"name":"A","subject":"s","header":"h","body":"b"}`},
		{threatconnect.NewEvent("A", day), "events", "event", `{"name":"A","eventDate":` + date + `}`},
		{threatconnect.NewIncident("A", day), "incidents", "incident", `{"name":"A","eventDate":` + date + `}`},
		{threatconnect.NewIntrusionSet("A"), "intrusionSets", "intrusionSet", `{"name":"A"}`},
		{threatconnect.NewMalware("A"), "malware", "malware", `{"name":"A"}`},
		{threatconnect.NewReport("A", "a.pdf"), "reports", "report", `{"name":"A","fileName":"a.pdf"}`},
		{threatconnect.NewSignature("A", "a.yar", threatconnect.SignatureYARA, "rule"), "signatures", "signature", `{"name":"A","fileName":"a.yar","fileType":"YARA","fileText":"rule"}`},
		{threatconnect.NewTactic("A"), "tactics", "tactic", `{"name":"A"}`},
		{threatconnect.NewThreat("A"), "threats", "threat", `{"name":"A"}`},
		{threatconnect.NewTool("A"), "tools", "tool", `{"name":"A"}`},
		{threatconnect.NewVulnerability("A"), "vulnerabilities", "vulnerability", `{"name":"A"}`},
	} {
		t.Run(tc.branch, func(t *testing.T) {
			t.Parallel()
			answer := `{"status":"Success","data":{"` + tc.entity + `":{"id":"7","type":"x","owner":{"id":0,"name":"Another Source"},"dateAdded":"2026-01-02T03:04:05",` +
				`"createdBy":"Ada","xid":"x-1","future":1,` + tc.body[1:] + `}}`
			at := "/v2/groups/" + tc.branch
			update, updated := threatconnect.GroupUpdate{Name: new("B")}, `{"name":"B"}`
			if tc.entity == "signature" {
				update.FileName, update.FileType = new("b.yar"), new(threatconnect.SignatureYARA)
				updated = `{"name":"B","fileName":"b.yar","fileType":"YARA"}`
			}
			c := owned(t,
				wiretest.Want{Method: "POST", Target: at + "?owner=Example%20Source", Body: tc.body, Status: 201, Answer: answer},
				wiretest.Want{Method: "PUT", Target: at + "/7?owner=Another%20Source", Body: updated, Answer: answer},
				wiretest.Want{Target: at + "/7?includeAdditional=true&owner=Third", Answer: answer},
				wiretest.Want{Target: at + "/7?includeAdditional=true&includeTags=true&owner=Fourth", Answer: answer},
				wiretest.Want{Method: "DELETE", Target: at + "/7?owner=Another%20Source"},
			)
			got, err := c.Groups.Create(t.Context(), tc.group)
			require.NoError(t, err)
			assert.IsType(t, tc.group, got)
			assert.Equal(t, tc.group.Type(), got.Type())
			m := got.Meta()
			assert.Equal(t, []any{int64(7), "A", "Another Source", "x-1", "1"}, []any{m.ID, m.Name, m.Owner.Name, m.XID, string(m.Extra["future"])})
			assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), m.DateAdded)
			require.NotNil(t, m.Additional)
			assert.Equal(t, "Ada", m.Additional.CreatedBy)
			_, err = c.Groups.Update(t.Context(), got, update)
			require.NoError(t, err)
			_, err = c.Groups.Get(t.Context(), threatconnect.GroupRef{Type: got.Type(), ID: 7, Owner: "Third"}, nil)
			require.NoError(t, err)
			_, err = c.Groups.Get(t.Context(), threatconnect.GroupRef{Type: got.Type(), ID: 7, Owner: "Fourth"}, &threatconnect.GroupGetOptions{Include: threatconnect.Include{Tags: true}})
			require.NoError(t, err)
			require.NoError(t, c.Groups.Delete(t.Context(), got))
		})
	}
}

func TestMixedListsOfGroups(t *testing.T) {
	t.Parallel()
	c := owned(t, wiretest.Want{Target: "/v2/groups?includeAdditional=true&owner=Example%20Source&resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":4,"group":[
		{"id":1,"ownerName":"Example Source","type":"Incident","name":"a","eventDate":"2026-01-02T03:04:05Z","status":"New"},
		{"eventDate":"2026-01-02T03:04:05Z","name":"b","id":"2","ownerName":"Example Source","type":"Incident"},
		{"id":3,"type":"Case File","name":"c","shelf":{"row":7}},
		{"id":4,"name":"d"}]}}`})
	got, err := threatconnect.Collect(c.Groups.All(t.Context(), nil))
	require.NoError(t, err)
	require.Len(t, got, 4)
	for i := range 2 {
		assert.False(t, got[i].(*threatconnect.Incident).EventDate.IsZero(), "the type may come before or after the other members")
		assert.Equal(t, "Example Source", got[i].Meta().Owner.Name)
	}
	assert.Equal(t, threatconnect.IncidentNew, got[0].(*threatconnect.Incident).Status)
	u := got[2].(*threatconnect.UnknownGroup)
	assert.Equal(t, threatconnect.GroupType("Case File"), u.Type())
	assert.Equal(t, "c", u.Name)
	assert.JSONEq(t, `{"id":3,"type":"Case File","name":"c","shelf":{"row":7}}`, string(u.Raw))
	assert.Equal(t, `{"row":7}`, string(u.Extra["shelf"]))
	assert.Equal(t, threatconnect.GroupType(""), got[3].Type())
	_, err = c.Groups.Update(t.Context(), u, threatconnect.GroupUpdate{Name: new("B")})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	require.ErrorIs(t, c.Groups.Delete(t.Context(), u), threatconnect.ErrValidation)
}

// The platform writes "None" for an event or incident without a status.
func TestStatusNoneIsEmpty(t *testing.T) {
	t.Parallel()
	const date = `"eventDate":"2026-01-02T03:04:05Z"`
	answer := func(entity string) string {
		return `{"data":{"` + entity + `":{"name":"A",` + date + `,"status":"None"}}}`
	}
	at := "/v2/groups/%s?owner=Example%%20Source"
	c := owned(t,
		wiretest.Want{Method: "POST", Target: fmt.Sprintf(at, "events"), Body: `{"name":"A",` + date + `}`, Answer: answer("event")},
		wiretest.Want{Method: "POST", Target: fmt.Sprintf(at, "incidents"), Body: `{"name":"A",` + date + `}`, Answer: answer("incident")},
	)
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event, err := c.Groups.Events.Create(t.Context(), &threatconnect.Event{GroupMeta: threatconnect.GroupMeta{Name: "A"}, EventDate: day, Status: "None"})
	require.NoError(t, err)
	assert.Empty(t, event.Status)
	incident, err := c.Groups.Incidents.Create(t.Context(), &threatconnect.Incident{GroupMeta: threatconnect.GroupMeta{Name: "A"}, EventDate: day, Status: "None"})
	require.NoError(t, err)
	assert.Empty(t, incident.Status)
}

func TestInvalidGroupsAreRejected(t *testing.T) {
	t.Parallel()
	c := owned(t)
	now := time.Unix(1700000000, 0)
	threat := func(f func(*threatconnect.Threat)) threatconnect.Group {
		g := threatconnect.NewThreat("A")
		f(g)
		return g
	}
	event, incident, malware, report := threatconnect.NewEvent("A", now), threatconnect.NewIncident("A", now), threatconnect.NewDocument("A", "a"), threatconnect.NewReport("A", "a")
	event.Status, incident.Status, malware.Malware, report.PublishDate = threatconnect.EventReopened, "Lost", new(true), now
	far := threatconnect.NewIncident("A", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, g := range map[string]threatconnect.Group{
		"nothing": nil, "a nil pointer": (*threatconnect.Threat)(nil), "no name": threatconnect.NewThreat(" "),
		"a name of 101 characters": threatconnect.NewThreat("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x"),
		"no file name":             threatconnect.NewDocument("A", ""), "no report file name": threatconnect.NewReport("A", ""),
		"no subject": threatconnect.NewEmail("A", "", "h", "b"), "no header": threatconnect.NewEmail("A", "s", "", "b"), "no body": threatconnect.NewEmail("A", "s", "h", ""),
		"no signature text": threatconnect.NewSignature("A", "f", threatconnect.SignatureYARA, ""), "no signature type": threatconnect.NewSignature("A", "f", "", "x"),
		"a status of batch files": event, "an unknown status": incident, "malware without a password": malware, "a publish date": report,
		"a year that does not fit": far, "text that is not UTF-8": threatconnect.NewEmail("A", "s", "h", "\xff"),
		"tags":      threat(func(g *threatconnect.Threat) { g.Tags = []threatconnect.Tag{{Name: "x"}} }),
		"an xid":    threat(func(g *threatconnect.Threat) { g.XID = "x" }),
		"firstSeen": threat(func(g *threatconnect.Threat) { g.FirstSeen = now }),
	} {
		_, err := c.Groups.Create(t.Context(), g)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
	for _, id := range []int64{0, -1} {
		_, err := c.Groups.Threats.Get(t.Context(), id, nil)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		require.ErrorIs(t, c.Groups.Threats.Delete(t.Context(), id), threatconnect.ErrValidation)
	}
	_, err := c.Groups.Get(t.Context(), threatconnect.GroupRef{Type: "Case File", ID: 7}, nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	require.ErrorIs(t, c.Groups.Delete(t.Context(), relatedHost), threatconnect.ErrValidation)
}

func TestGroupUpdateSendsOnlySetFields(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	const date = `"2026-01-02T03:04:05Z"`
	for name, tc := range map[string]struct {
		typ    threatconnect.GroupType
		branch string
		update threatconnect.GroupUpdate
		body   string
	}{
		"a document": {threatconnect.GroupDocument, "documents", threatconnect.GroupUpdate{FileName: new("a.zip"), Malware: new(true), Password: new("infected")},
			`{"fileName":"a.zip","malware":true,"password":"infected"}`},
		"a document that is cleared": {threatconnect.GroupDocument, "documents", threatconnect.GroupUpdate{Malware: new(false), Password: new("")}, `{"malware":false,"password":""}`},
		"an email": {threatconnect.GroupEmail, "emails", threatconnect.GroupUpdate{Subject: new("s"), Header: new("h"), Body: new("b"), From: new("f"), To: new("")},
			`{"subject":"s","header":"h","body":"b","from":"f","to":""}`},
		"an event":             {threatconnect.GroupEvent, "events", threatconnect.GroupUpdate{EventDate: &day, EventStatus: new(threatconnect.EventEscalated)}, `{"eventDate":` + date + `,"status":"Escalated"}`},
		"an event's status":    {threatconnect.GroupEvent, "events", threatconnect.GroupUpdate{EventStatus: new(threatconnect.EventStatus(""))}, `{"status":null}`},
		"an incident":          {threatconnect.GroupIncident, "incidents", threatconnect.GroupUpdate{EventDate: &day, IncidentStatus: new(threatconnect.IncidentClosed)}, `{"eventDate":` + date + `,"status":"Closed"}`},
		"an incident's status": {threatconnect.GroupIncident, "incidents", threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentStatus(""))}, `{"status":null}`},
		"a campaign":           {threatconnect.GroupCampaign, "campaigns", threatconnect.GroupUpdate{FirstSeen: &day}, `{"firstSeen":` + date + `}`},
		"a campaign's date":    {threatconnect.GroupCampaign, "campaigns", threatconnect.GroupUpdate{FirstSeen: new(time.Time{})}, `{"firstSeen":null}`},
		"a report":             {threatconnect.GroupReport, "reports", threatconnect.GroupUpdate{Name: new(" B "), FileName: new("b.pdf"), PublishDate: &day}, `{"name":"B","fileName":"b.pdf","publishDate":` + date + `}`},
		"a signature":          {threatconnect.GroupSignature, "signatures", threatconnect.GroupUpdate{Name: new("B"), FileName: new("b.yar"), FileType: new(threatconnect.SignatureYARA), FileText: new("rule")}, `{"name":"B","fileName":"b.yar","fileType":"YARA","fileText":"rule"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := owned(t, wiretest.Want{Method: "PUT", Target: "/v2/groups/" + tc.branch + "/7?owner=Another%20Source", Body: tc.body,
				Answer: `{"data":{"group":{"id":7}}}`})
			_, err := c.Groups.Update(t.Context(), threatconnect.GroupRef{Type: tc.typ, ID: 7, Owner: "Another Source"}, tc.update)
			require.NoError(t, err)
		})
	}
}

func TestInvalidGroupUpdatesAreRejected(t *testing.T) {
	t.Parallel()
	c := owned(t)
	for name, tc := range map[string]struct {
		typ    threatconnect.GroupType
		update threatconnect.GroupUpdate
		want   string
	}{
		"no field":                        {threatconnect.GroupThreat, threatconnect.GroupUpdate{}, "GroupUpdate has no field set"},
		"a blank name":                    {threatconnect.GroupThreat, threatconnect.GroupUpdate{Name: new(" ")}, "group name"},
		"a status of incidents":           {threatconnect.GroupEvent, threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentNew)}, "GroupUpdate.IncidentStatus is not a field of the type Event; leave it out, it is for Incident only"},
		"a status of batch files":         {threatconnect.GroupEvent, threatconnect.GroupUpdate{EventStatus: new(threatconnect.EventReopened)}, "event status must be one of"},
		"an unknown status":               {threatconnect.GroupIncident, threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentStatus("Lost"))}, "incident status must be one of"},
		"the date of a threat":            {threatconnect.GroupThreat, threatconnect.GroupUpdate{Name: new("A"), EventDate: new(time.Now())}, "GroupUpdate.EventDate is not a field of the type Threat; leave it out, it is for Event or Incident only"},
		"the publish date of a document":  {threatconnect.GroupDocument, threatconnect.GroupUpdate{PublishDate: new(time.Now())}, "GroupUpdate.PublishDate is not a field of the type Document"},
		"a required date that is cleared": {threatconnect.GroupIncident, threatconnect.GroupUpdate{EventDate: new(time.Time{})}, "GroupUpdate.EventDate is empty, and the platform requires a value"},
		"a required text that is cleared": {threatconnect.GroupEmail, threatconnect.GroupUpdate{Subject: new("")}, "GroupUpdate.Subject is empty, and the platform requires a value"},
		"a signature without a name":      {threatconnect.GroupSignature, threatconnect.GroupUpdate{FileText: new("rule")}, "GroupUpdate.Name is missing, and the platform requires it in every update of the type Signature; set it too"},
		"a signature without a type":      {threatconnect.GroupSignature, threatconnect.GroupUpdate{Name: new("A"), FileName: new("a.yar")}, "GroupUpdate.FileType is missing"},
		"text that is not UTF-8":          {threatconnect.GroupEmail, threatconnect.GroupUpdate{From: new("\xff")}, "GroupUpdate has a field that cannot be sent"},
		"a year that does not fit":        {threatconnect.GroupCampaign, threatconnect.GroupUpdate{FirstSeen: new(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))}, "GroupUpdate has a field that cannot be sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Groups.Update(t.Context(), threatconnect.GroupRef{Type: tc.typ, ID: 7}, tc.update)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.ErrorContains(t, err, tc.want)
		})
	}
	for name, r := range map[string]threatconnect.Resource{"nothing": nil, "a host": relatedHost, "a group without an id": threatconnect.NewThreat("A")} {
		_, err := c.Groups.Update(t.Context(), r, threatconnect.GroupUpdate{Name: new("B")})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
	_, err := c.Groups.Threats.Update(t.Context(), 0, threatconnect.GroupUpdate{Name: new("B")})
	require.ErrorContains(t, err, "Threat id must be a positive number")
}
