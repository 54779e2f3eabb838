package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// TaskStatus is the status of a task.
type TaskStatus string

// The statuses of tasks. The platform gives a new task TaskNotStarted.
const (
	TaskNotStarted TaskStatus = "Not Started"
	TaskInProgress TaskStatus = "In Progress"
	TaskCompleted  TaskStatus = "Completed"
	TaskWaiting    TaskStatus = "Waiting on Someone"
	TaskDeferred   TaskStatus = "Deferred"
)

var taskStatuses = []TaskStatus{TaskNotStarted, TaskInProgress, TaskCompleted, TaskWaiting, TaskDeferred}

// Task is work that is assigned to users. It is a [Resource].
type Task struct {
	ID             int64      `json:"id,omitzero"`             // read only
	Name           string     `json:"name,omitzero"`           // required
	Owner          Owner      `json:"owner,omitzero"`          // the owner that it was read from; lists set only the name
	Status         TaskStatus `json:"status,omitzero"`         // empty means TaskNotStarted for a new task
	Description    string     `json:"description,omitzero"`    // write only: the platform does not return it
	DueDate        time.Time  `json:"dueDate,omitzero"`        // when it is due
	ReminderDate   time.Time  `json:"reminderDate,omitzero"`   // when the assignees are reminded
	EscalationDate time.Time  `json:"escalationDate,omitzero"` // when the platform notifies the escalatees that it is late
	Assignees      []User     `json:"assignee,omitzero"`       // users who do the task; only the user names are sent
	Escalatees     []User     `json:"escalatee,omitzero"`      // users who are notified if it is late; only the user names are sent

	// The platform updates the following three. They are nil if it did not send them. Only Create sends them, for
	// tasks from another system.
	Escalated *bool `json:"escalated,omitzero"` // whether the escalatees were notified
	Reminded  *bool `json:"reminded,omitzero"`  // whether the assignees were reminded
	Overdue   *bool `json:"overdue,omitzero"`   // whether the due date has passed

	DateAdded    time.Time   `json:"dateAdded,omitzero"`    // read only
	LastModified time.Time   `json:"lastModified,omitzero"` // read only; set only by Update
	WebLink      string      `json:"webLink,omitzero"`      // read only; never fetched
	Tags         []Tag       `json:"tag,omitzero"`          // read only, with Include.Tags
	Attributes   []Attribute `json:"attribute,omitzero"`    // read only, with Include.Attributes

	// Extra has the members that this package has no field for, and members whose value does not fit their
	// field, which is then zero. The key of a nested member has a dot, for example "attribute.dateAdded".
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// Ref returns the reference to the task. The reference to a task that was not read or created has no ID, and methods
// return a [*ValidationError] for it.
func (t *Task) Ref() TaskRef {
	if t == nil {
		return TaskRef{}
	}
	return TaskRef{ID: t.ID, Owner: t.Owner.Name}
}

func (t *Task) target(ctx context.Context, c *Client) (target, error) {
	if t == nil {
		return target{}, errNilTask
	}
	return t.Ref().target(ctx, c)
}

func (*Task) resource() {}

var errNilTask = &ValidationError{Field: "task", Rule: "is nil"}

// TaskRef refers to a task by its ID. It is comparable.
type TaskRef struct {
	ID    int64
	Owner string // empty means the client's default owner
}

func (TaskRef) resource() {}

func (r TaskRef) target(context.Context, *Client) (target, error) {
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: "task id", Rule: "must be a positive number", Fix: "create the task first, or read it to learn its id"}
	}
	return target{kind: kindTask, route: at("v2", "tasks", id(r.ID)), owner: r.Owner}, nil
}

// TasksService reads and writes the tasks of the client's owner: work that users must do by a date. The assignees do a
// task; the platform notifies the escalatees if it is late. A task is a [Resource]: tags, attributes and associations
// have services of their own. The service is safe for concurrent use.
type TasksService struct {
	service

	Assignees  TaskUsersService // users who do a task
	Escalatees TaskUsersService // users who are notified if a task is late
}

func newTasksService(s service) TasksService {
	return TasksService{
		service:    s,
		Assignees:  TaskUsersService{s, "assignees"},
		Escalatees: TaskUsersService{s, "escalatees"},
	}
}

// TaskGetOptions selects the parts of a task to read. Nil and the zero value read neither tags nor attributes.
type TaskGetOptions struct {
	CallOptions
	Include Include `url:"-"` // Tags and Attributes only; Labels is an error
}

// TaskListOptions selects the tasks of a list. Nil and the zero value select all tasks of the client's owner.
type TaskListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions; see the By constants
	Any     bool    `url:"orParams,omitempty"` // select tasks that match any filter instead of all
	Include Include `url:"-"`                  // Tags and Attributes only; Labels is an error
}

// TaskUpdate has the fields of a task that Update changes. Nil fields do not change. A pointer to the zero value
// clears the field: Update sends "" for text, null for a date and an empty list for users. The platform does not
// document how to clear a field of a task, so read the task again if it matters. Name and Status cannot be cleared.
// Update returns a [*ValidationError] if no field is set.
type TaskUpdate struct {
	Name           *string
	Status         *TaskStatus
	Description    *string // the platform does not return it
	DueDate        *time.Time
	ReminderDate   *time.Time
	EscalationDate *time.Time
	Assignees      *[]string // user names that replace all current ones; client.Tasks.Assignees adds and removes single users
	Escalatees     *[]string // user names that replace all current ones; client.Tasks.Escalatees adds and removes single users
}

// Get returns one task of the client's owner by its ID. If the owner does not have the task, the error matches
// [ErrNotFound]. Get costs one request.
//
//	API: GET /v2/tasks/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Get(ctx context.Context, taskID int64, opts *TaskGetOptions) (*Task, error) {
	o := copyOf(opts)
	t, err := s.c.targetOf(ctx, TaskRef{ID: taskID})
	if err != nil {
		return nil, err
	}
	q, err := optionQuery(o, t.owner)
	if err != nil {
		return nil, err
	}
	if err := o.Include.attachedOnly("task", q); err != nil {
		return nil, err
	}
	return one(ctx, s.c.with(o.CallOptions), &call{method: http.MethodGet, route: t.route, query: q}, []string{"task"}, readTask)
}

// List returns one page of the tasks of the client's owner. It costs one request.
//
//	API: GET /v2/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) List(ctx context.Context, opts *TaskListOptions) (*Page[*Task], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over all tasks of the client's owner and requests a page only when the loop reaches it. If a
// request fails, the iterator yields the error and stops.
//
//	API: GET /v2/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) All(ctx context.Context, opts *TaskListOptions) iter.Seq2[*Task, error] {
	return s.lister(opts).all(ctx)
}

func (s TasksService) lister(opts *TaskListOptions) lister[*Task] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	err = cmp.Or(o.Filters.check("tasks", "name", "dateAdded", "status", "assignee", "escalatee", "overdue", "escalated", "dueDate", "reminded"), err)
	if err == nil {
		err = o.Include.attachedOnly("task", q)
	}
	return lister[*Task]{client: s.c, options: o.ListOptions, route: at("v2", "tasks"), query: q, keys: []string{"task"}, read: readTask, err: err}
}

// Create creates a task in the client's owner and returns it as the platform stored it, with its ID. It costs one
// request and is not retried after an unknown outcome, because a retry could create a second task.
//
// Create does not send tags or attributes. If the task has any, or if it was read from another owner, Create returns
// a [*ValidationError].
//
//	API: POST /v2/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Create(ctx context.Context, task *Task) (*Task, error) {
	body, err := task.body()
	if err != nil {
		return nil, err
	}
	return create(ctx, s.c, at("v2", "tasks"), task.Owner, body, []string{"task"}, readTask)
}

// Update changes one task of the client's owner by its ID and returns the task in the platform's response, which can
// omit fields. It sends only the fields that update sets. Update costs one request.
//
//	API: PUT /v2/tasks/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Update(ctx context.Context, taskID int64, update TaskUpdate) (*Task, error) {
	t, err := s.c.targetOf(ctx, TaskRef{ID: taskID})
	if err != nil {
		return nil, err
	}
	body, err := update.body()
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, t.call(http.MethodPut, body), []string{"task"}, readTask)
}

// Delete deletes one task of the client's owner by its ID. If the owner does not have the task, the error matches
// [ErrNotFound]. Delete costs one request.
//
//	API: DELETE /v2/tasks/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Delete(ctx context.Context, taskID int64) error {
	t, err := s.c.targetOf(ctx, TaskRef{ID: taskID})
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

// body returns the body of a request to create a task.
func (t *Task) body() ([]byte, error) {
	if t == nil {
		return nil, errNilTask
	}
	name, err := canonicalTaskName(t.Name)
	if err != nil {
		return nil, err
	}
	if len(t.Tags) > 0 || len(t.Attributes) > 0 {
		return nil, &ValidationError{Field: "task", Rule: "carries tags or attributes, which a task cannot be created with", Fix: "add them afterwards with client.Tags and client.Attributes"}
	}
	if err := oneOf("task status", t.Status, taskStatuses); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	text(&w, "name", name)
	text(&w, "description", t.Description)
	text(&w, "status", string(t.Status))
	when(&w, "dueDate", t.DueDate)
	when(&w, "reminderDate", t.ReminderDate)
	when(&w, "escalationDate", t.EscalationDate)
	flag(&w, "escalated", t.Escalated)
	flag(&w, "reminded", t.Reminded)
	flag(&w, "overdue", t.Overdue)
	if err := firstError(writeTaskUsers(&w, "assignee", t.Assignees), writeTaskUsers(&w, "escalatee", t.Escalatees)); err != nil {
		return nil, err
	}
	w.EndObject()
	return written(&w, "task")
}

func canonicalTaskName(name string) (string, error) { return trimmedName("task name", name, 0) }

// body returns the body of a request to update a task.
func (u TaskUpdate) body() ([]byte, error) {
	name, err := canonicalUpdate(u.Name, canonicalTaskName)
	if err == nil && u.Status != nil {
		err = oneOf("task status", *u.Status, taskStatuses)
	}
	assignees, err1 := taskUserNames("task assignee", u.Assignees)
	escalatees, err2 := taskUserNames("task escalatee", u.Escalatees)
	if err := firstError(err, err1, err2); err != nil {
		return nil, err
	}
	return updateBody("TaskUpdate", "Task", []updateField{
		{name: "Name", key: "name", value: name, filled: true},
		{name: "Description", key: "description", value: u.Description},
		{name: "Status", key: "status", value: (*string)(u.Status), filled: true},
		{name: "DueDate", key: "dueDate", value: u.DueDate},
		{name: "ReminderDate", key: "reminderDate", value: u.ReminderDate},
		{name: "EscalationDate", key: "escalationDate", value: u.EscalationDate},
		{name: "Assignees", key: "assignee", value: assignees},
		{name: "Escalatees", key: "escalatee", value: escalatees},
	})
}

// flag writes a member unless v is nil.
func flag(w *wire.Writer, key string, v *bool) {
	if v != nil {
		w.Key(key)
		w.Bool(*v)
	}
}

func readTask(r *wire.Reader) *Task {
	t := new(Task)
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			t.ID = r.ID()
		case "name":
			t.Name = r.Text()
		case "owner":
			t.Owner = readOwner(r)
		case "ownerName":
			t.Owner.Name = r.Text()
		case "status":
			t.Status = TaskStatus(r.Text())
		case "description":
			t.Description = r.Text()
		case "dueDate":
			t.DueDate = r.Time()
		case "reminderDate":
			t.ReminderDate = r.Time()
		case "escalationDate":
			t.EscalationDate = r.Time()
		case "assignee":
			t.Assignees = readTaskUsers(r)
		case "escalatee":
			t.Escalatees = readTaskUsers(r)
		case "escalated":
			t.Escalated = r.BoolPtr()
		case "reminded":
			t.Reminded = r.BoolPtr()
		case "overdue":
			t.Overdue = r.BoolPtr()
		case "dateAdded":
			t.DateAdded = r.Time()
		case "lastModified":
			t.LastModified = r.Time()
		case "webLink":
			t.WebLink = r.Text()
		case "tag":
			t.Tags = readList(r, readTag)
		case "attribute":
			t.Attributes = readList(r, readAttribute)
		default:
			keepExtra(&t.Extra, r)
		}
	}
	keepMisfits(&t.Extra, r.Kept(before))
	return t
}
