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
	Owner          Owner      `json:"owner,omitzero"`          // where it was read from; lists fill in the name only
	Status         TaskStatus `json:"status,omitzero"`         // empty means TaskNotStarted for a new task
	Description    string     `json:"description,omitzero"`    // write only: the platform does not send it back
	DueDate        time.Time  `json:"dueDate,omitzero"`        // when it is due
	ReminderDate   time.Time  `json:"reminderDate,omitzero"`   // when the assignees are reminded
	EscalationDate time.Time  `json:"escalationDate,omitzero"` // when the escalatees are told that it is late
	Assignees      []User     `json:"assignee,omitzero"`       // users who do it; only the user names are sent
	Escalatees     []User     `json:"escalatee,omitzero"`      // users who are told when it is late; only the user names are sent

	// The platform keeps these three up to date. They are nil where it did not say, and sent only
	// by Create, for tasks that come from another system.
	Escalated *bool `json:"escalated,omitzero"` // whether the escalatees were told
	Reminded  *bool `json:"reminded,omitzero"`  // whether the assignees were reminded
	Overdue   *bool `json:"overdue,omitzero"`   // whether the due date is past

	DateAdded    time.Time   `json:"dateAdded,omitzero"`    // read only
	LastModified time.Time   `json:"lastModified,omitzero"` // read only; Update is the only call that fills it in
	WebLink      string      `json:"webLink,omitzero"`      // read only; never fetched
	Tags         []Tag       `json:"tag,omitzero"`          // read only, with Include.Tags
	Attributes   []Attribute `json:"attribute,omitzero"`    // read only, with Include.Attributes

	// Extra has the members that this package has no field for, and members whose value does not fit their
	// field, which is then zero. The key of a nested member has a dot, for example "attribute.dateAdded".
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// Ref returns the reference to the task. One that was not read or created has no id, and its reference
// is refused.
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

// TaskRef names a task by its id. It is comparable.
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

// TasksService reads and writes tasks, in the client's default owner: work that users have to do by a
// date. [TasksService.Assignees] do a task, and [TasksService.Escalatees] are told when it is late. A
// task is a [Resource]: tags, attributes and associations have services of their own. The service is
// safe for concurrent use.
type TasksService struct {
	service

	Assignees  TaskUsersService // users who do a task
	Escalatees TaskUsersService // users who are told when a task is late
}

func newTasksService(s service) TasksService {
	return TasksService{
		service:    s,
		Assignees:  TaskUsersService{s, "assignees"},
		Escalatees: TaskUsersService{s, "escalatees"},
	}
}

// TaskGetOptions selects what is read with a task. Nil and the zero value read neither tags nor attributes.
type TaskGetOptions struct {
	CallOptions
	Include Include `url:"-"` // Tags and Attributes; Labels is refused, and there are no additional fields
}

// TaskListOptions selects the tasks of a list. Nil and the zero value select all of the client's default owner.
type TaskListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions; see the By constants
	Any     bool    `url:"orParams,omitempty"` // select items that match any filter, not all of them
	Include Include `url:"-"`                  // Tags and Attributes; Labels is refused, and there are no additional fields
}

// TaskUpdate says which fields of a task change, and to what. A nil field stays as it is. A pointer to the
// zero value clears the field: text is sent as "", a date as null, users as an empty list. The platform does
// not document how a field of a task is cleared, so read the task if it matters. Name and Status cannot be
// cleared. An update without any field returns a [*ValidationError].
type TaskUpdate struct {
	Name           *string
	Status         *TaskStatus
	Description    *string // the platform does not send it back
	DueDate        *time.Time
	ReminderDate   *time.Time
	EscalationDate *time.Time
	Assignees      *[]string // user names, which replace all present ones; client.Tasks.Assignees adds and removes single ones
	Escalatees     *[]string // user names, which replace all present ones; client.Tasks.Escalatees adds and removes single ones
}

// Get returns one task, by its id, from the client's owner. If the owner does not have the task, the error
// matches [ErrNotFound]. It costs one request.
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

// All returns an iterator over all tasks of the client's owner and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
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

// Create creates a task in the client's owner and returns it as the platform stored it, with its id. It costs
// one request. It does not retry after an unknown outcome, because that could create the task twice.
//
// Tags and attributes are not part of this operation. A task that has some, or one that was read from another
// owner, returns a [*ValidationError].
//
//	API: POST /v2/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Create(ctx context.Context, task *Task) (*Task, error) {
	body, err := task.body()
	if err != nil {
		return nil, err
	}
	owner, err := s.c.createOwner(task.Owner)
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, &call{
		method: http.MethodPost,
		route:  at("v2", "tasks"),
		query:  ownerQuery(owner),
		body:   jsonBody(body),
	}, []string{"task"}, readTask)
}

// Update changes one task, by its id, in the client's default owner. It sends the fields that update sets and
// no other. It returns the task as the platform answers it, which may leave fields out, and costs one request.
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

// Delete deletes one task, by its id, from the client's owner. If the owner does not have the task, the error
// matches [ErrNotFound]. It costs one request.
//
//	API: DELETE /v2/tasks/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/tasks/tasks.html
func (s TasksService) Delete(ctx context.Context, taskID int64) error {
	t, err := s.c.targetOf(ctx, TaskRef{ID: taskID})
	if err != nil {
		return err
	}
	return s.c.write(ctx, http.MethodDelete, t.route, t.owner)
}

// body writes the body of a create.
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

// body returns the body of an update.
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

// flag writes a boolean that is set.
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
