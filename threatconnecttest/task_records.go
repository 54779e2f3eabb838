package threatconnecttest

import (
	"cmp"
	"reflect"
	"slices"
	"time"
)

// TaskRecord is a task for seeding and assertions.
type TaskRecord struct {
	ID             int64             `json:"id,omitzero"`    // chosen by the server if 0
	Owner          string            `json:"owner,omitzero"` // the API user's organization if empty
	Name           string            `json:"name,omitzero"`
	Description    string            `json:"description,omitzero"`
	Status         string            `json:"status,omitzero"` // "Not Started" if empty
	DueDate        time.Time         `json:"dueDate,omitzero"`
	ReminderDate   time.Time         `json:"reminderDate,omitzero"`
	EscalationDate time.Time         `json:"escalationDate,omitzero"`
	Escalated      bool              `json:"escalated,omitzero"`
	Reminded       bool              `json:"reminded,omitzero"`
	Overdue        bool              `json:"overdue,omitzero"`   // also set by the server once the due date has passed
	Assignees      []string          `json:"assignees,omitzero"` // user names of members of the API user's organization
	Escalatees     []string          `json:"escalatees,omitzero"`
	DateAdded      time.Time         `json:"dateAdded,omitzero"`    // server time if zero
	LastModified   time.Time         `json:"lastModified,omitzero"` // DateAdded if zero
	Attributes     []AttributeRecord `json:"attributes,omitzero"`
	Tags           []string          `json:"tags,omitzero"`
	Labels         []string          `json:"labels,omitzero"`
	Tasks          []int64           `json:"tasks,omitzero"` // IDs of associated tasks; no documented request creates such an association
}

func (r *TaskRecord) title() string   { return r.Name }
func (r *TaskRecord) wantedID() int64 { return r.ID }

func (r *TaskRecord) seed(s *seeder) error {
	o, err := s.placeFor(r.Owner, r.ID)
	if err != nil {
		return err
	}
	t := &task{id: r.ID, owner: o, added: s.now.Unix()}
	tasks, err := s.fillTask(t, r, r.Overdue, nil)
	if err != nil {
		return err
	}
	s.addTask(t)
	relink(t, tasks)
	*r = t.record(s.now.Unix())
	return nil
}

// fillTask fills an empty task from a record, as a request would, and returns the tasks to
// associate it with. had contains the previous attributes.
func (s *seeder) fillTask(t *task, r *TaskRecord, late bool, had []*attribute) ([]*task, error) {
	body := map[string]any{
		"name": r.Name, "description": r.Description, "status": cmp.Or(r.Status, taskStatuses[0]),
		"escalated": r.Escalated, "reminded": r.Reminded, "overdue": late,
	}
	for name, at := range map[string]time.Time{"dueDate": r.DueDate, "reminderDate": r.ReminderDate, "escalationDate": r.EscalationDate} {
		if !at.IsZero() {
			body[name] = formatDate(at, 0)
		}
	}
	for name, users := range map[string][]string{"assignee": r.Assignees, "escalatee": r.Escalatees} {
		list := []map[string]string{}
		for _, u := range users {
			list = append(list, map[string]string{"userName": u})
		}
		body[name] = list
	}
	c, f := s.request(body)
	if bad := c.readTask(f, t); bad != nil {
		return nil, platformSays(bad.message, "")
	}
	t.added = stored(r.DateAdded, t.added)
	t.modified = stored(r.LastModified, t.added)
	tasks, err := findAll(t, "Tasks", "task", r.Tasks, s.taskByID)
	if err != nil {
		return nil, err
	}
	return tasks, s.attach(t, had, r.Attributes, r.Tags, r.Labels, func() error {
		return checkKept(r, t.record(s.now.Unix()), "Overdue", "Tasks")
	})
}

func (r *TaskRecord) task(s *seeder) (*task, error) {
	if r.ID != 0 {
		if t := s.taskByID(r.ID); t != nil {
			return t, nil
		}
		return nil, refuse("ID", "there is no such task")
	}
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, err
	}
	return only(s.tasks, func(t *task) bool { return t.owner == o && t.name == r.Name }, "task")
}

func (r *TaskRecord) update(s *seeder) error {
	t, err := r.task(s)
	if err != nil {
		return err
	}
	if r.Owner != "" && r.Owner != t.owner.Name {
		return refuse("Owner", "cannot be changed")
	}
	before, modified := t.record(s.now.Unix()), t.modified
	late := r.Overdue
	if late == before.Overdue { // the record does not change it, but may change the due date
		late = t.late
	}
	made := &task{id: t.id, owner: t.owner, added: t.added}
	tasks, err := s.fillTask(made, r, late, t.meta.attributes)
	if err != nil {
		return err
	}
	made.meta.replace(&t.meta)
	*t = *made
	relink(t, tasks)
	t.modified = modified
	counts := !reflect.DeepEqual(t.record(s.now.Unix()), before)
	t.modified = moved(modified, r.LastModified, counts, s.now.Unix())
	*r = t.record(s.now.Unix())
	return nil
}

func (r *TaskRecord) remove(s *seeder) error { return removeFound(s, r.task, s.dropTask) }

// Tasks returns the tasks of an owner in creation order.
func (s *Server) Tasks(owner string) []TaskRecord {
	defer s.view()()
	all := where(s.tasks, func(t *task) bool { return t.owner.Name == owner })
	return recordsOf(all, func(t *task) TaskRecord { return t.record(s.now().Unix()) })
}

func (t *task) record(now int64) TaskRecord {
	r := TaskRecord{
		ID: t.id, Owner: t.owner.Name, Name: t.name, Description: t.description, Status: t.status,
		DueDate: fromUnix(t.due), ReminderDate: fromUnix(t.reminder), EscalationDate: fromUnix(t.escalation),
		Escalated: t.escalated, Reminded: t.reminded, Overdue: t.overdue(now),
		Assignees: slices.Clone(t.assignees), Escalatees: slices.Clone(t.escalatees),
		DateAdded: time.Unix(t.added, 0).UTC(), LastModified: time.Unix(t.modified, 0).UTC(),
	}
	r.Attributes, r.Tags, r.Labels = t.meta.records()
	for l := range links(t) {
		if other, ok := l.to(t).(*task); ok {
			r.Tasks = append(r.Tasks, other.id)
		}
	}
	return r
}
