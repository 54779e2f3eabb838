package threatconnecttest

import (
	"errors"
	"slices"
	"time"
)

// people is what the platform keeps of those who work and of those who were attacked.
type people struct {
	tasks   []*task
	victims []*victim
}

// task is one task of one owner.
type task struct {
	hung        metadata
	id          int64
	owner       *owner
	name        string
	description string
	status      string
	due         int64 // unix seconds; 0 is not set
	reminder    int64
	escalation  int64
	escalated   bool
	reminded    bool
	late        bool     // was said to be overdue, whatever the due date is
	assignees   []string // user names
	escalatees  []string
	added       int64
	modified    int64
}

var taskStatuses = []string{"Not Started", "In Progress", "Completed", "Waiting on Someone", "Deferred"}

// TaskRecord is a task as tests see and seed it.
type TaskRecord struct {
	ID             int64  // set by the server
	Owner          string // the API user's organization when empty
	Name           string
	Description    string
	Status         string // "Not Started" when empty
	DueDate        time.Time
	ReminderDate   time.Time
	EscalationDate time.Time
	Escalated      bool
	Reminded       bool
	Overdue        bool     // set by the server, too, when the due date is past
	Assignees      []string // user names of members of the API user's organization
	Escalatees     []string
	DateAdded      time.Time // set by the server
	LastModified   time.Time // set by the server
	Attributes     []AttributeRecord
	Tags           []string
	Labels         []string
	Tasks          []int64 // ids of associated tasks; no documented request makes such an association
}

func (t *task) number() int64       { return t.id }
func (t *task) belongs() *owner     { return t.owner }
func (t *task) typeName() string    { return "Task" }
func (t *task) hangers() *metadata  { return &t.hung }
func (t *task) metadata() *metadata { return &t.hung }
func (t *task) changed(now int64)   { t.modified = now }

// overdue reports whether a task should have been done by now.
func (t *task) overdue(now int64) bool {
	return t.late || t.due != 0 && t.due < now && t.status != "Completed"
}

func (w *world) taskByID(id int64) *task {
	for _, t := range w.tasks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// member returns the member of the API user's organization that has a user name.
func (w *world) member(userName string) *User {
	members := w.owners[0].Members
	i := slices.IndexFunc(members, func(u User) bool { return u.UserName == userName })
	if i < 0 {
		return nil
	}
	return &members[i]
}

// UserID returns the id by which the assignees and escalatees of tasks are found besides their user
// names, and whether there is such a member of the API user's organization.
func (s *Server) UserID(userName string) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.owners[0].Members, func(u User) bool { return u.UserName == userName })
	return int64(i + 1), i >= 0
}

// AddTask puts a task into an owner and returns it with its id. What the platform would refuse is an
// error.
func (s *Server) AddTask(r TaskRecord) (TaskRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Owner == "" {
		r.Owner = s.owners[0].Name
	}
	if r.Status == "" {
		r.Status = taskStatuses[0]
	}
	o := s.ownerByName(r.Owner)
	switch {
	case o == nil:
		return r, errors.New("threatconnecttest: there is no such owner")
	case r.Name == "":
		return r, errors.New("threatconnecttest: a task needs a name")
	case !slices.Contains(taskStatuses, r.Status):
		return r, errors.New("threatconnecttest: there is no such task status")
	}
	for _, name := range slices.Concat(r.Assignees, r.Escalatees) {
		if s.member(name) == nil {
			return r, errors.New("threatconnecttest: there is no such user")
		}
	}
	var others []*task
	for _, n := range r.Tasks {
		i := slices.IndexFunc(s.tasks, func(t *task) bool { return t.id == n && t.owner == o })
		if i < 0 {
			return r, errors.New("threatconnecttest: there is no such task to associate with")
		}
		others = append(others, s.tasks[i])
	}
	now := s.now().Unix()
	t := s.newTask(o, now)
	for _, other := range others {
		associate(t, other, "")
	}
	t.name, t.description, t.status = r.Name, r.Description, r.Status
	t.due, t.reminder, t.escalation = unix(r.DueDate), unix(r.ReminderDate), unix(r.EscalationDate)
	t.escalated, t.reminded, t.late = r.Escalated, r.Reminded, r.Overdue
	t.assignees, t.escalatees = slices.Clone(r.Assignees), slices.Clone(r.Escalatees)
	if err := s.seed(t, r.Attributes, r.Tags, r.Labels, now); err != nil {
		s.dropTask(t)
		return r, err
	}
	return t.record(now), nil
}

// Tasks returns the tasks of an owner in the order in which they came.
func (s *Server) Tasks(owner string) []TaskRecord {
	defer s.view()()
	var all []TaskRecord
	for _, t := range s.tasks {
		if t.owner.Name == owner {
			all = append(all, t.record(s.now().Unix()))
		}
	}
	return all
}

func (t *task) record(now int64) TaskRecord {
	r := TaskRecord{
		ID: t.id, Owner: t.owner.Name, Name: t.name, Description: t.description, Status: t.status,
		DueDate: fromUnix(t.due), ReminderDate: fromUnix(t.reminder), EscalationDate: fromUnix(t.escalation),
		Escalated: t.escalated, Reminded: t.reminded, Overdue: t.overdue(now),
		Assignees: slices.Clone(t.assignees), Escalatees: slices.Clone(t.escalatees),
		DateAdded: fromUnix(t.added), LastModified: fromUnix(t.modified),
	}
	r.Attributes, r.Tags, r.Labels = t.hung.records()
	for l := range links(t) {
		if other, ok := l.to(t).(*task); ok {
			r.Tasks = append(r.Tasks, other.id)
		}
	}
	return r
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
