package threatconnect

import (
	"context"
	"net/http"
	"reflect"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// TaskUsersService manages the assignees or the escalatees of tasks. Its methods take a [*Task] or a [TaskRef]. The
// service is safe for concurrent use.
type TaskUsersService struct {
	service
	branch string
}

// target returns the target of a task.
func (s TaskUsersService) target(ctx context.Context, task Resource) (target, error) {
	return s.c.targetOfKind(ctx, task, kindTask)
}

// On returns the users of a task. It costs one request per 500 users.
//
//	API: GET /v2/tasks/{id}/assignees
//	API: GET /v2/tasks/{id}/escalatees
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TaskUsersService) On(ctx context.Context, task Resource) ([]User, error) {
	t, err := s.target(ctx, task)
	if err != nil {
		return nil, err
	}
	return listBelow(ctx, s.c, t, s.branch, []string{"user"}, readUser)
}

// Get returns a user of a task by the user name. If the task does not have the user, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tasks/{id}/assignees/{userName}
//	API: GET /v2/tasks/{id}/escalatees/{userName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TaskUsersService) Get(ctx context.Context, task Resource, userName string) (User, error) {
	name, err := trimmedName("user name", userName, 0)
	if err != nil {
		return User{}, err
	}
	return s.get(ctx, task, value(name))
}

// GetByID returns a user of a task by the user's ID. The platform sends no user IDs, so the ID must come from another
// source. It costs one request.
//
//	API: GET /v2/tasks/{id}/assignees/{assigneeId}
//	API: GET /v2/tasks/{id}/escalatees/{escalateeId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TaskUsersService) GetByID(ctx context.Context, task Resource, userID int64) (User, error) {
	if userID <= 0 {
		return User{}, &ValidationError{Field: "user id", Rule: "must be a positive number"}
	}
	return s.get(ctx, task, id(userID))
}

func (s TaskUsersService) get(ctx context.Context, task Resource, segment any) (User, error) {
	t, err := s.target(ctx, task)
	if err != nil {
		return User{}, err
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route.under(s.branch, segment), query: ownerQuery(t.owner)}, []string{"user"}, readUser)
}

// Add adds users to a task by their user names. It checks all names before it sends the first, costs one
// request per name and stops at the first error. Add is idempotent and is retried.
//
//	API: POST /v2/tasks/{id}/assignees/{userName}
//	API: POST /v2/tasks/{id}/escalatees/{userName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TaskUsersService) Add(ctx context.Context, task Resource, userNames ...string) error {
	return s.each(ctx, http.MethodPost, task, userNames)
}

// Remove removes users from a task by their user names. It costs one request per name and stops at the
// first error.
//
//	API: DELETE /v2/tasks/{id}/assignees/{userName}
//	API: DELETE /v2/tasks/{id}/escalatees/{userName}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TaskUsersService) Remove(ctx context.Context, task Resource, userNames ...string) error {
	return s.each(ctx, http.MethodDelete, task, userNames)
}

func (s TaskUsersService) each(ctx context.Context, method string, task Resource, userNames []string) error {
	t, err := s.target(ctx, task)
	if err != nil {
		return err
	}
	return s.c.writeEach(ctx, method, t, s.branch, userNames, func(name string) (string, error) { return trimmedName("user name", name, 0) })
}

// writeTaskUsers writes the users of a task, unless there are none.
func writeTaskUsers(w *wire.Writer, key string, users []User) error {
	if len(users) == 0 {
		return nil
	}
	names := make([]string, len(users))
	for i := range users {
		names[i] = users[i].UserName
	}
	canonical, err := taskUserNames("task "+key, &names)
	if err != nil {
		return err
	}
	w.Key(key)
	writeUserNames(w, *canonical)
	return nil
}

// taskUserNames returns user names in canonical form, or nil if names is nil.
func taskUserNames(field string, names *[]string) (*[]string, error) {
	if names == nil {
		return nil, nil
	}
	canonical := make([]string, len(*names))
	for i, name := range *names {
		var err error
		if canonical[i], err = trimmedName(field, name, 0); err != nil {
			return nil, err
		}
	}
	return &canonical, nil
}

// writeUserNames writes user names as a list of users.
func writeUserNames(w *wire.Writer, names []string) {
	w.BeginArray()
	for _, name := range names {
		w.BeginObject()
		w.Key("userName")
		w.Text(name)
		w.EndObject()
	}
	w.EndArray()
}

// readTaskUsers reads the users of a task in every documented form: a list of users, one user, and one object with a
// list of user names.
func readTaskUsers(r *wire.Reader) []User {
	users := []User{}
	for r.Array(); r.NextElem(); {
		r.Spend(sizeOf[User]())
		if r.Kind() != wire.Object {
			if name := r.Text(); name != "" {
				users = append(users, User{UserName: name})
			}
			continue
		}
		var u User
		var more []string
		for r.Object(); r.NextKey(); {
			if string(r.Key()) != "userName" {
				u.readMember(r)
			} else if names := r.Strings(); len(names) > 0 {
				u.UserName, more = names[0], names[1:]
			}
		}
		if !reflect.ValueOf(u).IsZero() {
			users = append(users, u)
		}
		for _, name := range more {
			users = append(users, User{UserName: name})
		}
	}
	return users
}
