package threatconnecttest

import (
	"net/http"
	"slices"
	"strconv"
)

// taskUserRoutes returns the routes of the assignees or the escalatees of tasks.
func taskUserRoutes(branch, idParam string, users func(*task) *[]string) []route {
	const byName = "userName"
	all := "/v2/tasks/{id}/" + branch
	isID := func(p params) bool { _, err := strconv.ParseInt(p.get(idParam), 10, 64); return err == nil }
	on := func(handle func(c *call, names *[]string, name string) *answer) func(*call) *answer {
		return with((*call).task, func(c *call, t *task) *answer {
			a := handle(c, users(t), c.params.get(byName))
			if c.route.writes() && a.status == http.StatusOK {
				t.modified = c.seconds()
			}
			return a
		})
	}
	return []route{
		{method: "GET", pattern: all, handle: on((*call).listTaskUsers)},
		{method: "GET", pattern: all + "/{" + idParam + "}", when: isID, handle: on(func(c *call, names *[]string, _ string) *answer {
			return c.getTaskUser(names, c.memberByID(c.id(idParam)).UserName)
		})},
		{method: "GET", pattern: all + "/{userName}", handle: on((*call).getTaskUser)},
		{method: "POST", pattern: all + "/{userName}", handle: on((*call).addTaskUser)},
		{method: "DELETE", pattern: all + "/{userName}", handle: on((*call).removeTaskUser)},
	}
}

// memberByID returns the member with an ID from [Server.UserID], or the zero User.
func (c *call) memberByID(id int64) User {
	members := c.owners[0].Members
	if id < 1 || id > int64(len(members)) {
		return User{}
	}
	return members[id-1]
}

func (c *call) listTaskUsers(names *[]string, _ string) *answer {
	return pageOf(c, "user", slices.Values(*names), func(name string, w *jsonWriter) { c.userNamed(name).write(w) })
}

func (c *call) getTaskUser(names *[]string, name string) *answer {
	if !slices.Contains(*names, name) {
		return missing()
	}
	return c.one(http.StatusOK, "user", func(w *jsonWriter) { c.userNamed(name).write(w) })
}

func (c *call) addTaskUser(names *[]string, name string) *answer {
	if c.member(name) == nil {
		return missing()
	}
	if !slices.Contains(*names, name) {
		*names = append(slices.Clip(*names), name)
	}
	return success(http.StatusOK)
}

func (c *call) removeTaskUser(names *[]string, name string) *answer {
	if !slices.Contains(*names, name) {
		return missing()
	}
	*names = remove(slices.Clone(*names), name)
	return success(http.StatusOK)
}
