package threatconnecttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func taskRoutes() []route {
	all := []route{
		{method: "GET", pattern: "/v2/tasks", handle: (*call).listTasks},
		{method: "POST", pattern: "/v2/tasks", handle: fromBody((*call).createTask)},
		{method: "GET", pattern: "/v2/tasks/{id}", handle: with((*call).task, (*call).getTask)},
		{method: "PUT", pattern: "/v2/tasks/{id}", handle: with((*call).task, withBody((*call).updateTask))},
		{method: "DELETE", pattern: "/v2/tasks/{id}", handle: with((*call).task, (*call).deleteTask)},
	}
	all = append(all, taskUserRoutes("assignees", "assigneeId", func(t *task) *[]string { return &t.assignees })...)
	all = append(all, taskUserRoutes("escalatees", "escalateeId", func(t *task) *[]string { return &t.escalatees })...)
	return append(all, metadataRoutes("/v2/tasks/{id}", (*call).task)...)
}

// task returns the task in the path, in the call's owner.
func (c *call) task() *task { return c.taskAt("id") }

func (c *call) taskAt(id string) *task {
	if t := c.taskByID(c.id(id)); t != nil && t.owner == c.owner {
		return t
	}
	return nil
}

var taskFilters = filterFields{
	"name": {filterText, "=^"}, "dateAdded": {filterDate, "<>"}, "status": {filterText, "=!"}, "assignee": {filterText, "="},
	"escalatee": {filterText, "="}, "overdue": {filterBool, "="}, "escalated": {filterBool, "="}, "dueDate": {filterDate, "<>"},
	"reminded": {filterBool, "="},
}

// property returns the value of a filter field.
func (t *task) property(name string, now int64) any {
	switch name {
	case "name":
		return t.name
	case "dateAdded":
		return time.Unix(t.added, 0)
	case "status":
		return t.status
	case "assignee":
		return t.assignees
	case "escalatee":
		return t.escalatees
	case "overdue":
		return t.overdue(now)
	case "escalated":
		return t.escalated
	case "reminded":
		return t.reminded
	case "dueDate":
		if t.due != 0 {
			return time.Unix(t.due, 0)
		}
	}
	return nil
}

func (c *call) listTasks() *answer {
	want, bad := c.filters(taskFilters)
	if bad != nil {
		return bad
	}
	all := where(c.tasks, func(t *task) bool {
		return t.owner == c.owner && want.match(func(name string) any { return t.property(name, c.seconds()) })
	})
	return pageOf(c, "task", all, func(t *task, w *jsonWriter) { c.writeTask(w, t, true) })
}

// writeTask writes a task. Responses do not include its description.
func (c *call) writeTask(w *jsonWriter, t *task, list bool) {
	w.id("id", t.id)
	w.str("name", t.name)
	t.owner.writeTo(w, list)
	w.date("dateAdded", t.added)
	if c.req.Method == "PUT" {
		w.date("lastModified", t.modified)
	}
	w.str("webLink", webRoot+"/auth/workflow/task.xhtml?task="+strconv.FormatInt(t.id, 10))
	w.str("status", t.status)
	w.bool("escalated", t.escalated)
	w.bool("reminded", t.reminded)
	w.bool("overdue", t.overdue(c.seconds()))
	for _, d := range []struct {
		name string
		at   int64
	}{{"dueDate", t.due}, {"reminderDate", t.reminder}, {"escalationDate", t.escalation}} {
		if d.at != 0 {
			w.date(d.name, d.at)
		}
	}
	c.writeTaskUsers(w, "assignee", t.assignees)
	c.writeTaskUsers(w, "escalatee", t.escalatees)
	t.meta.write(w, c.includes())
}

func (c *call) writeTaskUsers(w *jsonWriter, key string, names []string) {
	if len(names) == 0 {
		return
	}
	writeAll(w, key, names, func(name string, w *jsonWriter) { c.userNamed(name).write(w) })
}

// userNamed returns a user of a task. Users who have left the organization have only their names.
func (c *call) userNamed(name string) User {
	if u := c.member(name); u != nil {
		return *u
	}
	return User{UserName: name}
}

func (c *call) oneTask(status int, t *task) *answer {
	return c.one(status, "task", func(w *jsonWriter) { c.writeTask(w, t, false) })
}

func (c *call) getTask(t *task) *answer { return c.oneTask(http.StatusOK, t) }

func (c *call) createTask(f fields) *answer {
	t := &task{owner: c.owner, status: taskStatuses[0], added: c.seconds(), modified: c.seconds()}
	if bad := c.readTask(f, t); bad != nil {
		return bad
	}
	c.addTask(t)
	return c.oneTask(http.StatusCreated, t)
}

func (c *call) updateTask(t *task, f fields) *answer {
	read := *t
	if bad := c.readTask(f, &read); bad != nil {
		return bad
	}
	*t = read
	t.modified = c.seconds()
	return c.oneTask(http.StatusOK, t)
}

func (c *call) deleteTask(t *task) *answer {
	c.dropTask(t)
	return success(http.StatusOK)
}

// readTask parses the members of a create or update into t.
func (c *call) readTask(f fields, t *task) *answer {
	refuse := func(field, hint string) *answer {
		return fail(http.StatusBadRequest, "The "+field+" for this Task is invalid"+hint)
	}
	creates := c.req.Method == "POST"
	if name, named := f.text("name"); named || creates {
		if strings.TrimSpace(name) == "" {
			return refuse("name", ", please enter a name")
		}
		t.name = name
	}
	if s, ok := f.text("description"); ok {
		t.description = s
	}
	if s, ok := f.text("status"); ok {
		if !slices.Contains(taskStatuses, s) {
			return refuse("status", " , please enter one of the following values: "+strings.Join(taskStatuses, ", "))
		}
		t.status = s
	}
	for _, d := range []struct {
		name string
		to   *int64
	}{{"dueDate", &t.due}, {"reminderDate", &t.reminder}, {"escalationDate", &t.escalation}} {
		if s, ok := f.text(d.name); ok {
			at, ok := parseDate(s)
			if !ok {
				return refuse(d.name, ", please enter the "+d.name+" in ISO 8601 format")
			}
			*d.to = at.Unix()
		}
	}
	for _, b := range []struct {
		name string
		to   *bool
	}{{"escalated", &t.escalated}, {"reminded", &t.reminded}, {"overdue", &t.late}} {
		if !creates || !f.has(b.name) {
			continue
		}
		v, ok := f.flag(b.name)
		if !ok {
			return refuse(b.name, " , please enter one of the following values: true, false")
		}
		*b.to = v
	}
	for _, u := range []struct {
		name string
		to   *[]string
	}{{"assignee", &t.assignees}, {"escalatee", &t.escalatees}} {
		raw, ok := f.raw(u.name)
		if !ok {
			continue
		}
		names, ok := taskUsers(raw, creates)
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		for _, name := range names {
			if c.member(name) == nil {
				return refuse(u.name, ", please enter the user name of a user")
			}
		}
		*u.to = names
	}
	return nil
}

// taskUsers parses users: an array of objects or, in an update, a single object that contains the
// names.
func taskUsers(raw json.RawMessage, creates bool) ([]string, bool) {
	type user struct {
		UserName string `json:"userName"`
	}
	var list []user
	if json.Unmarshal(raw, &list) == nil {
		names := make([]string, 0, len(list))
		for _, u := range list {
			if !slices.Contains(names, u.UserName) {
				names = append(names, u.UserName)
			}
		}
		return names, true
	}
	var many struct {
		UserName []string `json:"userName"`
	}
	err := json.Unmarshal(raw, &many)
	return many.UserName, err == nil && !creates
}
