package threatconnecttest

import (
	"slices"
	"time"
)

// people contains tasks and victims.
type people struct {
	tasks   []*task
	victims []*victim
}

// task is a task of an owner.
type task struct {
	meta        metadata
	id          int64
	owner       *owner
	name        string
	description string
	status      string
	due         int64 // Unix seconds; 0 if not set
	reminder    int64
	escalation  int64
	escalated   bool
	reminded    bool
	late        bool     // explicitly overdue, whatever the due date is
	assignees   []string // user names
	escalatees  []string
	added       int64
	modified    int64
}

var taskStatuses = []string{"Not Started", "In Progress", "Completed", "Waiting on Someone", "Deferred"}

func (t *task) number() int64            { return t.id }
func (t *task) belongs() *owner          { return t.owner }
func (t *task) typeName() string         { return "Task" }
func (t *task) metadataOrNil() *metadata { return &t.meta }
func (t *task) metadata() *metadata      { return &t.meta }
func (t *task) changed(now int64)        { t.modified = now }

// overdue reports whether a task is explicitly overdue or its due date has passed.
func (t *task) overdue(now int64) bool {
	return t.late || t.due != 0 && t.due < now && t.status != "Completed"
}

func (w *world) taskByID(id int64) *task {
	return first(w.tasks, func(t *task) bool { return t.id == id })
}

// member returns the member of the API user's organization with a user name, or nil.
func (w *world) member(userName string) *User {
	members := w.owners[0].Members
	i := slices.IndexFunc(members, func(u User) bool { return u.UserName == userName })
	if i < 0 {
		return nil
	}
	return &members[i]
}

func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
