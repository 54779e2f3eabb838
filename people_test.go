package threatconnect_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const peopleAnalyst = "analyst@example.com" // a member of the server's organization

// peopleOddities are variants of the responses about tasks, victims and assets.
var peopleOddities = map[string]threatconnecttest.Oddity{
	"as most clients know it": 0,
	"with everything odd":     threatconnecttest.OddityAll &^ threatconnecttest.OddityEmptyAs404,
	"with empty lists as 404": threatconnecttest.OddityEmptyAs404,
}

// peopleRoutes returns the endpoints with the prefixes: those that srv was asked for, and all.
func peopleRoutes(srv *threatconnecttest.Server, prefixes ...string) (asked, all []string) {
	has := func(route string) bool {
		_, path, _ := strings.Cut(route, " ")
		return slices.ContainsFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	}
	for _, r := range srv.Requests() {
		if route := r.Method + " " + r.Route; has(route) {
			asked = append(asked, route)
		}
	}
	for _, r := range threatconnecttest.Routes() {
		if has(r) {
			all = append(all, r)
		}
	}
	slices.Sort(asked)
	slices.Sort(all)
	return slices.Compact(asked), all
}

func TestTaskLifecycle(t *testing.T) {
	t.Parallel()
	for name, odd := range peopleOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx := srv.Client(), t.Context()
			none, err := threatconnect.Collect(client.Tasks.All(ctx, nil))
			require.NoError(t, err)
			assert.Empty(t, none)

			due := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
			task, err := client.Tasks.Create(ctx, &threatconnect.Task{Name: "Call the bank", DueDate: due, Description: "d",
				Assignees: []threatconnect.User{{UserName: peopleAnalyst}}})
			require.NoError(t, err)
			assert.Equal(t, threatconnect.TaskNotStarted, task.Status)
			assert.Equal(t, "Example Organization", task.Owner.Name)
			assert.Equal(t, due, task.DueDate)
			require.NotNil(t, task.Overdue)
			assert.True(t, *task.Overdue)
			assert.Equal(t, "Alex", task.Assignees[0].FirstName)

			task, err = client.Tasks.Update(ctx, task.ID, threatconnect.TaskUpdate{Status: new(threatconnect.TaskCompleted), DueDate: new(due.Add(48 * time.Hour))})
			require.NoError(t, err)
			assert.False(t, *task.Overdue)
			assert.Len(t, task.Assignees, 1)

			users, err := client.Tasks.Escalatees.On(ctx, task)
			require.NoError(t, err)
			assert.Empty(t, users)
			require.NoError(t, client.Tasks.Escalatees.Add(ctx, task, srv.AccessID(), peopleAnalyst))
			require.NoError(t, client.Tasks.Escalatees.Add(ctx, task, peopleAnalyst))
			users, err = client.Tasks.Escalatees.On(ctx, task)
			require.NoError(t, err)
			assert.Len(t, users, 2)
			userID, _ := srv.UserID(peopleAnalyst)
			for _, s := range []threatconnect.TaskUsersService{client.Tasks.Assignees, client.Tasks.Escalatees} {
				require.NoError(t, s.Add(ctx, task, peopleAnalyst))
				all, err := s.On(ctx, task)
				require.NoError(t, err)
				assert.NotEmpty(t, all)
				byName, err := s.Get(ctx, task, peopleAnalyst)
				require.NoError(t, err)
				byID, err := s.GetByID(ctx, task, userID)
				require.NoError(t, err)
				assert.Equal(t, byName, byID)
				require.NoError(t, s.Remove(ctx, task, peopleAnalyst))
				_, err = s.Get(ctx, task, peopleAnalyst)
				require.ErrorIs(t, err, threatconnect.ErrNotFound)
			}
			require.ErrorIs(t, client.Tasks.Assignees.Add(ctx, task, "nobody"), threatconnect.ErrNotFound)

			require.NoError(t, client.Tags.Add(ctx, task, "Phishing"))
			_, err = client.Attributes.Add(ctx, task, threatconnect.Attribute{Type: "Description", Value: "v"})
			require.NoError(t, err)
			require.NoError(t, client.SecurityLabels.Add(ctx, task, "TLP:AMBER+STRICT"))
			got, err := client.Tasks.Get(ctx, task.ID, &threatconnect.TaskGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true}})
			require.NoError(t, err)
			assert.Equal(t, "Phishing", got.Tags[0].Name)
			assert.Equal(t, "v", got.Attributes[0].Value)
			labels, err := client.SecurityLabels.On(ctx, task)
			require.NoError(t, err)
			assert.Len(t, labels, 1)

			_, err = client.Tasks.Create(ctx, &threatconnect.Task{Name: "Other"})
			require.NoError(t, err)
			p, err := client.Tasks.List(ctx, &threatconnect.TaskListOptions{Filters: threatconnect.Filters{threatconnect.ByStatus.Is("Completed")}})
			require.NoError(t, err)
			assert.Len(t, p.Items, 1)

			require.NoError(t, client.Tasks.Delete(ctx, task.ID))
			_, err = client.Tasks.Get(ctx, task.ID, nil)
			require.ErrorIs(t, err, threatconnect.ErrNotFound)
			_, err = client.Tasks.Assignees.On(ctx, task)
			require.ErrorIs(t, err, threatconnect.ErrNotFound)
			assert.Len(t, srv.Tasks("Example Organization"), 1)

			asked, all := peopleRoutes(srv, "/v2/tasks", "/v2/tasks/{id}/assignees", "/v2/tasks/{id}/escalatees")
			for _, r := range all {
				if path := strings.TrimPrefix(r[strings.Index(r, " ")+1:], "/v2/tasks"); path == "" || path == "/{id}" || strings.Contains(path, "ees") {
					assert.Contains(t, asked, r)
				}
			}
		})
	}
}

func TestVictimLifecycle(t *testing.T) {
	t.Parallel()
	for name, odd := range peopleOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx := srv.Client(threatconnect.WithOwner("Example Source")), t.Context()
			victim, err := client.Victims.Create(ctx, &threatconnect.Victim{Name: "Jo Example", Description: "d", Org: "Example Inc"})
			require.NoError(t, err)
			assert.Equal(t, "Example Source", victim.Owner.Name)
			victim, err = client.Victims.Update(ctx, victim.ID, threatconnect.VictimUpdate{Name: &victim.Name, Nationality: new("German"), Description: new("")})
			require.NoError(t, err)
			assert.Equal(t, []string{"German", "Example Inc", ""}, []string{victim.Nationality, victim.Org, victim.Description})

			none, err := client.VictimAssets.On(ctx, victim)
			require.NoError(t, err)
			assert.Empty(t, none)
			for _, k := range victimAssetKinds {
				made, err := client.VictimAssets.Add(ctx, victim, k.asset)
				require.NoError(t, err)
				require.NotZero(t, made.Meta().ID)
				again, err := client.VictimAssets.Update(ctx, victim, made.Type(), made.Meta().ID, assetUpdate(made))
				require.NoError(t, err)
				assert.Equal(t, made, again)
				got, err := client.VictimAssets.Get(ctx, victim, made.Type(), made.Meta().ID)
				require.NoError(t, err)
				assert.Equal(t, made, got)
				of, err := client.VictimAssets.OfType(ctx, victim, made.Type())
				require.NoError(t, err)
				require.Len(t, of, 1)
				assert.Equal(t, made.Summary(), of[0].Summary())
			}
			all, err := client.VictimAssets.On(ctx, victim)
			require.NoError(t, err)
			require.Len(t, all, len(victimAssetKinds))
			for i, k := range victimAssetKinds {
				assert.IsType(t, k.asset, all[i])
				require.NoError(t, client.VictimAssets.Remove(ctx, victim, all[i].Type(), all[i].Meta().ID))
			}
			require.NoError(t, client.Tags.Add(ctx, victim, "VIP"))
			assert.Equal(t, []string{"VIP"}, srv.Victims("Example Source")[0].Tags)

			got, err := client.Victims.Get(ctx, victim.ID, &threatconnect.VictimGetOptions{Include: threatconnect.Include{Tags: true}})
			require.NoError(t, err)
			assert.Equal(t, "VIP", got.Tags[0].Name)
			listed, err := threatconnect.Collect(client.Victims.All(ctx, &threatconnect.VictimListOptions{
				Filters: threatconnect.Filters{threatconnect.ByName.Is("Jo Example")}}))
			require.NoError(t, err)
			require.Len(t, listed, 1)
			require.NoError(t, client.Victims.Delete(ctx, listed[0].ID))
			_, err = client.VictimAssets.On(ctx, victim)
			require.ErrorIs(t, err, threatconnect.ErrNotFound)

			asked, routes := peopleRoutes(srv, "/v2/victims")
			for _, r := range routes {
				if path := strings.TrimPrefix(r[strings.Index(r, " ")+1:], "/v2/victims"); path == "" || path == "/{id}" || strings.HasPrefix(path, "/{id}/victimAssets") {
					assert.Contains(t, asked, r)
				}
			}
		})
	}
}

func TestAdversaryAssetLifecycle(t *testing.T) {
	t.Parallel()
	for name, odd := range peopleOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx := srv.Client(), t.Context()
			g := &threatconnecttest.GroupRecord{Owner: "Example Source", Type: "Adversary", Name: "Bad Guy"}
			require.NoError(t, srv.Seed(g))
			adversary := threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: g.ID, Owner: "Example Source"}
			none, err := client.AdversaryAssets.On(ctx, adversary)
			require.NoError(t, err)
			assert.Empty(t, none)
			for typ, v := range map[threatconnect.AdversaryAssetType]string{
				threatconnect.AdversaryAssetHandle:      "bad/guy",
				threatconnect.AdversaryAssetPhoneNumber: "555-0100",
				threatconnect.AdversaryAssetURL:         "http://example.com/?a=b",
			} {
				made, err := client.AdversaryAssets.Add(ctx, adversary, threatconnect.AdversaryAsset{Type: typ, Value: v + "x"})
				require.NoError(t, err)
				made, err = client.AdversaryAssets.Update(ctx, adversary, typ, made.ID, threatconnect.AdversaryAssetUpdate{Value: &v})
				require.NoError(t, err)
				assert.Equal(t, v, made.Value)
				got, err := client.AdversaryAssets.Get(ctx, adversary, typ, made.ID)
				require.NoError(t, err)
				assert.Equal(t, made, got)
				of, err := client.AdversaryAssets.OfType(ctx, adversary, typ)
				require.NoError(t, err)
				assert.Equal(t, []threatconnect.AdversaryAsset{made}, of)
			}
			all, err := client.AdversaryAssets.On(ctx, adversary)
			require.NoError(t, err)
			require.Len(t, all, 3)
			for _, a := range all {
				require.NoError(t, client.AdversaryAssets.Remove(ctx, adversary, a.Type, a.ID))
				_, err = client.AdversaryAssets.Get(ctx, adversary, a.Type, a.ID)
				require.ErrorIs(t, err, threatconnect.ErrNotFound)
			}
			asked, routes := peopleRoutes(srv, "/v2/groups/adversaries/{id}/adversaryAssets")
			assert.Equal(t, routes, asked)
			assert.Len(t, routes, 16)
		})
	}
}

// peopleRefused checks that err is a ValidationError for field that does not contain value.
func peopleRefused(t *testing.T, err error, field, value string) {
	t.Helper()
	var v *threatconnect.ValidationError
	require.ErrorAs(t, err, &v)
	assert.Equal(t, field, v.Field)
	if value != "" {
		assert.NotContains(t, err.Error(), value)
	}
}

func TestTaskUsers(t *testing.T) {
	t.Parallel()
	for branch, users := range map[string]func(*threatconnect.Client) threatconnect.TaskUsersService{
		"assignees":  func(c *threatconnect.Client) threatconnect.TaskUsersService { return c.Tasks.Assignees },
		"escalatees": func(c *threatconnect.Client) threatconnect.TaskUsersService { return c.Tasks.Escalatees },
	} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			at := "/v2/tasks/31/" + branch
			s := users(scripted(t,
				wiretest.Want{Method: "GET", Target: at + "?resultLimit=500", Answer: `{"status":"Success","data":{"user":[{"userName":"a"},{"userName":"b"}]}}`},
				wiretest.Want{Method: "GET", Target: at + "/j%2Fd%40example.com", Answer: `{"status":"Success","data":{"user":{"userName":"j/d@example.com","firstName":"J"}}}`},
				wiretest.Want{Method: "GET", Target: at + "/12?owner=Example", Answer: `{"status":"Success","data":{"user":[{"userName":"a"}]}}`},
				wiretest.Want{Method: "POST", Target: at + "/a%20b"},
				wiretest.Want{Method: "POST", Target: at + "/20260101000000000001"},
				wiretest.Want{Method: "DELETE", Target: at + "/%2E%2E%2E"},
			))
			task := threatconnect.TaskRef{ID: 31}
			all, err := s.On(t.Context(), task)
			require.NoError(t, err)
			assert.Equal(t, []threatconnect.User{{UserName: "a"}, {UserName: "b"}}, all)
			u, err := s.Get(t.Context(), task, "j/d@example.com")
			require.NoError(t, err)
			assert.Equal(t, "J", u.FirstName)
			u, err = s.GetByID(t.Context(), threatconnect.TaskRef{ID: 31, Owner: "Example"}, 12)
			require.NoError(t, err)
			assert.Equal(t, "a", u.UserName)
			require.NoError(t, s.Add(t.Context(), task, " a b ", "20260101000000000001"))
			require.NoError(t, s.Remove(t.Context(), task, "..."))
			require.ErrorIs(t, s.Remove(t.Context(), task, ".."), threatconnect.ErrValidation)
		})
	}
}

func TestTaskWithoutUsersIsNotErrNotFound(t *testing.T) {
	t.Parallel()
	const missing = `{"status":"Failure","message":"The requested resource was not found"}`
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/tasks/31/assignees?resultLimit=500", Status: http.StatusNotFound, Answer: missing},
		wiretest.Want{Method: "GET", Target: "/v2/tasks/31", Answer: `{"status":"Success","data":{"task":{"id":31}}}`},
		wiretest.Want{Method: "GET", Target: "/v2/tasks/32/assignees?resultLimit=500", Status: http.StatusNotFound, Answer: missing},
		wiretest.Want{Method: "GET", Target: "/v2/tasks/32", Status: http.StatusNotFound, Answer: missing},
	)
	users, err := client.Tasks.Assignees.On(t.Context(), threatconnect.TaskRef{ID: 31})
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.User{}, users)
	_, err = client.Tasks.Assignees.On(t.Context(), threatconnect.TaskRef{ID: 32})
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

func TestTaskUsersAreValidatedBeforeSending(t *testing.T) {
	t.Parallel()
	s := scripted(t).Tasks.Escalatees
	peopleRefused(t, s.Add(t.Context(), threatconnect.TaskRef{ID: 1}, "fine", " "), "user name", "fine")
	for _, step := range []string{".", ".."} {
		peopleRefused(t, s.Add(t.Context(), threatconnect.TaskRef{ID: 1}, "fine", step), "path value", "fine")
		peopleRefused(t, s.Remove(t.Context(), threatconnect.TaskRef{ID: 1}, "fine", step), "path value", "fine")
	}
	peopleRefused(t, s.Remove(t.Context(), threatconnect.TaskRef{}, "fine"), "task id", "fine")
	peopleRefused(t, s.Add(t.Context(), nil, "fine"), "resource", "fine")
	peopleRefused(t, s.Add(t.Context(), threatconnect.VictimRef{ID: 1}, "fine"), "resource", "fine")
	_, err := s.Get(t.Context(), threatconnect.TaskRef{ID: 1}, "")
	peopleRefused(t, err, "user name", "")
	_, err = s.GetByID(t.Context(), threatconnect.TaskRef{ID: 1}, 0)
	peopleRefused(t, err, "user id", "")
	_, err = s.GetByID(t.Context(), nil, 1)
	peopleRefused(t, err, "resource", "")
	_, err = s.On(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1})
	peopleRefused(t, err, "resource", "")
}
