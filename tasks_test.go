package threatconnect_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestTaskReadsEveryFieldFormat(t *testing.T) {
	t.Parallel()
	const owner = `"owner":{"id":7,"name":"Example Organization","type":"Organization"}`
	want := threatconnect.Task{
		ID: 31, Name: "Call the bank", Status: threatconnect.TaskWaiting,
		Owner:     threatconnect.Owner{ID: 7, Name: "Example Organization", Type: threatconnect.OwnerOrganization},
		DueDate:   time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC),
		Overdue:   new(true),
		Escalated: new(false),
		Reminded:  new(false),
		Assignees: []threatconnect.User{{UserName: "analyst@example.com", FirstName: "Alex"}, {UserName: "second@example.com"}},
	}
	for name, answer := range map[string]string{
		"a list of users": `{"id":31,"name":"Call the bank",` + owner + `,"status":"Waiting on Someone","dueDate":"2026-03-04T10:00:00Z",
			"overdue":true,"escalated":false,"reminded":false,
			"assignee":[{"userName":"analyst@example.com","firstName":"Alex"},{"userName":"second@example.com"}]}`,
		"one object with a list of user names, text for numbers and booleans": `{"id":"31","name":"Call the bank",` + owner + `,"status":"Waiting on Someone",
			"dueDate":"2026-03-04T05:00:00-05:00","overdue":"true","escalated":"false","reminded":0,
			"assignee":{"userName":["analyst@example.com","second@example.com"],"firstName":"Alex"}}`,
		"a list of one, with users as bare names": `[{"id":31,"name":"Call the bank",` + owner + `,"status":"Waiting on Someone","dueDate":"2026-03-04T10:00:00",
			"overdue":true,"escalated":false,"reminded":false,
			"assignee":[{"userName":"analyst@example.com","firstName":"Alex"},null,"second@example.com",{}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := scripted(t, wiretest.Want{Method: "GET", Target: "/v2/tasks/31", Answer: `{"status":"Success","data":{"task":` + answer + `}}`})
			got, err := client.Tasks.Get(t.Context(), 31, nil)
			require.NoError(t, err)
			assert.Equal(t, want, *got)
		})
	}
}

func TestTaskKeepsUnknownMembers(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{
		Method: "GET", Target: "/v2/tasks/31?includeAttributes=true&includeTags=true&owner=Example%20Organization",
		Answer: `{"status":"Success","data":{"task":{"id":31,"name":"a","ownerName":"Example Organization","xid":"x-1","escalatee":null,
			"tag":[{"name":"Phishing"}],"attribute":{"id":"5","type":"Description","value":"v"},"lastModified":"2026-03-04T10:00:00",
			"reminderDate":"2026-03-03T10:00:00Z","escalationDate":"2026-03-05T10:00:00Z","description":"d","webLink":"w","dateAdded":"2026-03-01"}}}`,
	})
	got, err := client.InOwner("Example Organization").Tasks.Get(t.Context(), 31, &threatconnect.TaskGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true}})
	require.NoError(t, err)
	assert.Equal(t, `"x-1"`, string(got.Extra["xid"]))
	assert.Equal(t, "Phishing", got.Tags[0].Name)
	assert.Equal(t, "v", got.Attributes[0].Value)
	assert.Empty(t, got.Escalatees)
	assert.Nil(t, got.Overdue, "an absent member is not false")
	assert.Equal(t, time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC), got.ReminderDate)
	assert.Equal(t, time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC), got.EscalationDate)
	assert.Equal(t, "Example Organization", got.Owner.Name)
}

func TestTasksAreListedWithEveryFilter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	client := scripted(t, wiretest.Want{
		Method: "GET",
		Target: "/v2/tasks?filters=name%5ECall,status%21Not%20Started,assignee%3Djohn%40example.com,escalatee%3Dx,overdue%3Dtrue,escalated%3Dfalse," +
			"reminded%3Dtrue,dueDate%3C2026-01-02T03%3A04%3A05Z,dateAdded%3E2026-01-02T03%3A04%3A05Z&orParams=true&owner=Example&resultLimit=2&resultStart=4",
		Answer: `{"status":"Success","data":{"resultCount":9,"task":[{"id":"1","name":"a","ownerName":"Example"},{"id":2,"name":"b"}]}}`,
	})
	p, err := client.InOwner("Example").Tasks.List(t.Context(), &threatconnect.TaskListOptions{
		ListOptions: threatconnect.ListOptions{Start: 4, Limit: 2}, Any: true,
		Filters: threatconnect.Filters{
			threatconnect.ByName.StartsWith("Call"), threatconnect.ByStatus.IsNot(string(threatconnect.TaskNotStarted)),
			threatconnect.ByAssignee.Is("john@example.com"), threatconnect.ByEscalatee.Is("x"), threatconnect.ByOverdue.Is(true),
			threatconnect.ByEscalated.Is(false), threatconnect.ByReminded.Is(true), threatconnect.ByDueDate.Before(at), threatconnect.ByDateAdded.After(at),
		},
	})
	require.NoError(t, err)
	assert.Equal(t, int64(9), p.Total)
	assert.True(t, p.More)
	assert.Equal(t, "Example", p.Items[0].Owner.Name)

	_, err = scripted(t).Tasks.List(t.Context(), &threatconnect.TaskListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(3)}})
	peopleRefused(t, err, "filter on rating", "")
	_, err = scripted(t).Tasks.List(t.Context(), &threatconnect.TaskListOptions{ListOptions: threatconnect.ListOptions{Limit: -1}})
	peopleRefused(t, err, "list limit", "")
}

func TestAllTasksAreReadPageByPage(t *testing.T) {
	t.Parallel()
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/tasks?resultLimit=2", Answer: `{"status":"Success","data":{"resultCount":3,"task":[{"id":1},{"id":2}]}}`},
		wiretest.Want{Method: "GET", Target: "/v2/tasks?resultLimit=2&resultStart=2", Answer: `{"status":"Success","data":{"task":{"id":3}}}`},
	)
	all, err := threatconnect.Collect(client.Tasks.All(t.Context(), &threatconnect.TaskListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}))
	require.NoError(t, err)
	require.Len(t, all, 3)
	assert.Equal(t, int64(3), all[2].ID)
}

func TestTaskCreateAndUpdateSendSetFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("", 2*60*60))
	full := threatconnect.Task{
		Name: " Call \"the bank\" ", Owner: threatconnect.Owner{Name: "Example Organization"}, Description: "line\nline", Status: threatconnect.TaskInProgress,
		DueDate: at, ReminderDate: at, EscalationDate: at, Escalated: new(false), Reminded: new(true), Overdue: new(false),
		Assignees: []threatconnect.User{{UserName: "analyst@example.com", FirstName: "Alex"}, {UserName: "b"}}, Escalatees: []threatconnect.User{{UserName: "c"}},
	}
	const shared = `"name":"Call \"the bank\"","description":"line\nline","status":"In Progress","dueDate":"2026-03-04T10:00:00Z",` +
		`"reminderDate":"2026-03-04T10:00:00Z","escalationDate":"2026-03-04T10:00:00Z"`
	const users = `,"assignee":[{"userName":"analyst@example.com"},{"userName":"b"}],"escalatee":[{"userName":"c"}]`
	const answer = `{"status":"Success","data":{"task":{"id":"31","name":"Call"}}}`
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: "/v2/tasks?owner=Example%20Organization", Status: http.StatusCreated, Answer: answer,
			Body: `{` + shared + `,"escalated":false,"reminded":true,"overdue":false` + users + `}`},
		wiretest.Want{Method: "PUT", Target: "/v2/tasks/31?owner=Example%20Organization", Answer: answer, Body: `{` + shared + users + `}`},
		wiretest.Want{Method: "PUT", Target: "/v2/tasks/31", Answer: answer, Body: `{"description":"","dueDate":null,"reminderDate":null,"escalationDate":null,"assignee":[],"escalatee":[]}`},
		wiretest.Want{Method: "PUT", Target: "/v2/tasks/31", Answer: answer, Body: `{"status":"Completed"}`},
		wiretest.Want{Method: "POST", Target: "/v2/tasks", Answer: answer, Body: `{"name":"x"}`},
		wiretest.Want{Method: "DELETE", Target: "/v2/tasks/31?owner=Example"},
	)
	got, err := client.InOwner("Example Organization").Tasks.Create(t.Context(), &full)
	require.NoError(t, err)
	assert.Equal(t, int64(31), got.ID)
	_, err = client.InOwner("Example Organization").Tasks.Update(t.Context(), 31, threatconnect.TaskUpdate{
		Name: &full.Name, Description: &full.Description, Status: &full.Status, DueDate: &at, ReminderDate: &at, EscalationDate: &at,
		Assignees: &[]string{"analyst@example.com", " b "}, Escalatees: &[]string{"c"},
	})
	require.NoError(t, err)
	_, err = client.Tasks.Update(t.Context(), 31, threatconnect.TaskUpdate{
		Description: new(""), DueDate: new(time.Time{}), ReminderDate: new(time.Time{}), EscalationDate: new(time.Time{}), Assignees: &[]string{}, Escalatees: &[]string{},
	})
	require.NoError(t, err)
	_, err = client.Tasks.Update(t.Context(), 31, threatconnect.TaskUpdate{Status: new(threatconnect.TaskCompleted)})
	require.NoError(t, err)
	_, err = client.Tasks.Create(t.Context(), &threatconnect.Task{Name: "x"})
	require.NoError(t, err)
	require.NoError(t, client.InOwner("Example").Tasks.Delete(t.Context(), 31))
}

func TestInvalidTaskIsRejected(t *testing.T) {
	t.Parallel()
	tasks := scripted(t).Tasks
	for name, c := range map[string]struct {
		task         *threatconnect.Task
		field, value string
	}{
		"nil":                     {nil, "task", ""},
		"no name":                 {&threatconnect.Task{Name: " "}, "task name", ""},
		"a control character":     {&threatconnect.Task{Name: "se\x00cret"}, "task name", "se"},
		"an unknown status":       {&threatconnect.Task{Name: "n", Status: "Asleep"}, "task status", "Asleep"},
		"a user without name":     {&threatconnect.Task{Name: "n", Assignees: []threatconnect.User{{FirstName: "Alex"}}}, "task assignee", "Alex"},
		"a description not UTF-8": {&threatconnect.Task{Name: "n", Description: "\xff"}, "task", ""},
		"a year of five digits":   {&threatconnect.Task{Name: "n", DueDate: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "task", ""},
		"tags":                    {&threatconnect.Task{Name: "n", Tags: []threatconnect.Tag{{Name: "t"}}}, "task", ""},
		"attributes":              {&threatconnect.Task{Name: "n", Attributes: []threatconnect.Attribute{{}}}, "task", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tasks.Create(t.Context(), c.task)
			peopleRefused(t, err, c.field, c.value)
		})
	}
	for name, c := range map[string]struct {
		update       threatconnect.TaskUpdate
		field, value string
	}{
		"no field":          {threatconnect.TaskUpdate{}, "TaskUpdate", ""},
		"a blank name":      {threatconnect.TaskUpdate{Name: new(" ")}, "task name", ""},
		"an unknown status": {threatconnect.TaskUpdate{Status: new(threatconnect.TaskStatus("Asleep"))}, "task status", "Asleep"},
		"no status":         {threatconnect.TaskUpdate{Status: new(threatconnect.TaskStatus(""))}, "TaskUpdate.Status", ""},
		"a blank assignee":  {threatconnect.TaskUpdate{Assignees: &[]string{"secret", " "}}, "task assignee", "secret"},
		"a blank escalatee": {threatconnect.TaskUpdate{Escalatees: &[]string{""}}, "task escalatee", ""},
		"text not UTF-8":    {threatconnect.TaskUpdate{Description: new("\xff")}, "TaskUpdate", ""},
	} {
		t.Run("an update with "+name, func(t *testing.T) {
			t.Parallel()
			_, err := tasks.Update(t.Context(), 1, c.update)
			peopleRefused(t, err, c.field, c.value)
		})
	}
	_, err := tasks.Update(t.Context(), 0, threatconnect.TaskUpdate{Name: new("n")})
	peopleRefused(t, err, "task id", "")
	_, err = tasks.Get(t.Context(), 0, nil)
	peopleRefused(t, err, "task id", "")
	peopleRefused(t, tasks.Delete(t.Context(), -1), "task id", "")
}

func TestTaskIsAResource(t *testing.T) {
	t.Parallel()
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: "/v2/tasks/31/tags/a%2Fb?owner=Example", Status: http.StatusCreated},
		wiretest.Want{Method: "GET", Target: "/v2/tasks/31/attributes?resultLimit=500", Answer: `{"status":"Success","data":{"attribute":[]}}`},
		wiretest.Want{Method: "DELETE", Target: "/v2/tasks/31/securityLabels/TLP%3AAMBER%2BSTRICT"},
	)
	require.NoError(t, client.Tags.Add(t.Context(), &threatconnect.Task{ID: 31, Owner: threatconnect.Owner{Name: "Example"}}, "a/b"))
	_, err := client.Attributes.On(t.Context(), threatconnect.TaskRef{ID: 31})
	require.NoError(t, err)
	require.NoError(t, client.SecurityLabels.Remove(t.Context(), threatconnect.TaskRef{ID: 31}, "TLP:AMBER+STRICT"))
	var none *threatconnect.Task
	peopleRefused(t, client.Tags.Add(t.Context(), none, "x"), "resource", "")
}
