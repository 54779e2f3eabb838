package threatconnect_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestUsersOfATaskAreReadAndChanged(t *testing.T) {
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

func TestNoUsersIsToldFromNoTask(t *testing.T) {
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

func TestUsersOfATaskAreCheckedBeforeTheFirstIsSent(t *testing.T) {
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
