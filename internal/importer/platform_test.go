package importer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// platform is a platform in memory. It outlives the processes that call it and counts how often each
// item and reference arrives. Only jobs take time: a job completes some time after its upload.
type platform struct {
	mu       sync.Mutex
	limit    int64 // largest file in bytes; 0 means unlimited
	halts    bool  // a refused item ends its job
	results  bool  // lists of errors are available only as "results"
	most     int   // most items in a file
	bytes    int   // most bytes of a file with several items
	jobs     map[int64]*job
	arrived  map[string]int // number of arrivals of each item and reference
	refused  map[string]int // number of refusals of each item
	wrong    []string       // mistakes of the client
	calls    int
	faults   map[int]fault // by number of the call
	trap     func(op string) fault
	badUntil time.Time // end of an outage
	log      []string
}

type job struct {
	state   deliver.State
	due     time.Time
	file    []byte
	counts  attribute.Counts
	entries []attribute.Entry
}

// fault is the fault of one call.
type fault struct {
	kind    faultKind
	applied bool // the call takes effect despite the error
}

type faultKind int

const (
	death    faultKind = iota + 1 // the process dies
	lost                          // the request or the reply is lost
	outage                        // this call and all calls in the next ten minutes fail
	collapse                      // like outage, but for a day, which is longer than the client waits
	refusal                       // the platform reports that it rejected the request
)

// failAt makes the next calls of an operation fail.
func (p *platform) failAt(op string, kind faultKind, times int) {
	p.trap = func(at string) fault {
		if at != op || times == 0 {
			return fault{}
		}
		times--
		return fault{kind: kind}
	}
}

// callError is an error of a call.
type callError struct {
	deliver.Fault
	text string
}

func (e *callError) Error() string { return e.text }

var errDead = errors.New("the process has died")

func newPlatform() *platform {
	return &platform{jobs: map[int64]*job{}, arrived: map[string]int{}, refused: map[string]int{}, faults: map[int]fault{}}
}

// clone returns a copy for another sequence of events.
func (p *platform) clone() *platform {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &platform{limit: p.limit, halts: p.halts, most: p.most, bytes: p.bytes, jobs: map[int64]*job{}, arrived: maps.Clone(p.arrived), refused: maps.Clone(p.refused),
		wrong: slices.Clone(p.wrong), faults: map[int]fault{}, log: slices.Clone(p.log)}
	for id, j := range p.jobs {
		copied := *j
		c.jobs[id] = &copied
	}
	return c
}

// client is the connection of one process to the platform. After the death of the process, its calls
// have no effect.
type client struct {
	*platform
	dead *atomic.Bool
}

// call makes one request.
func (c *client) call(ctx context.Context, op string, apply func() error) error {
	if c.dead.Load() {
		return errDead
	}
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead.Load() {
		return errDead
	}
	c.work(time.Now())
	c.calls++
	f := c.faults[c.calls]
	if c.trap != nil {
		f = c.trap(op)
	}
	failing := f.kind != 0
	if failing {
		op = fmt.Sprintf("%s FAULT %v", op, f)
	}
	c.log = append(c.log, op)
	switch {
	case f.kind == outage:
		c.badUntil = time.Now().Add(10 * time.Minute)
	case f.kind == collapse:
		c.badUntil = time.Now().Add(24 * time.Hour)
	case f.kind == refusal:
		return &callError{deliver.Fault{Refused: true}, op + " was refused"}
	}
	if time.Now().Before(c.badUntil) && !failing {
		return &callError{deliver.Fault{Temporary: true}, "the platform is down"}
	}
	if failing && !f.applied {
		c.dead.Store(f.kind == death)
		return &callError{deliver.Fault{Temporary: true}, op + " did not arrive"}
	}
	err := apply()
	if failing {
		c.dead.Store(f.kind == death)
		return &callError{deliver.Fault{Temporary: true}, "the reply to " + op + " was lost"}
	}
	return err
}

func (c *client) Create(ctx context.Context) (id int64, err error) {
	err = c.call(ctx, "create", func() error {
		id = int64(len(c.jobs) + 1)
		c.jobs[id] = &job{state: deliver.Waiting}
		return nil
	})
	return id, err
}

func (c *client) Upload(ctx context.Context, id int64, file [][]byte) error {
	return c.call(ctx, fmt.Sprint("upload ", id), func() error {
		text := slices.Concat(file...)
		j := c.jobs[id]
		switch {
		case j == nil:
			return &callError{deliver.Fault{NotFound: true, Refused: true}, "no such job"}
		case c.limit > 0 && int64(len(text)) > c.limit:
			return &callError{deliver.Fault{TooLarge: true, Refused: true, Limit: c.limit}, "the file is too large"}
		case j.state != deliver.Waiting:
			return &callError{deliver.Fault{Refused: true}, "the job has a file"}
		}
		c.log = append(c.log, string(text))
		j.state, j.file = deliver.Working, text
		j.due = time.Now().Add(time.Duration(1+id*7%5) * 300 * time.Millisecond)
		return nil
	})
}

func (c *client) Status(ctx context.Context, id int64) (st deliver.Status, err error) {
	err = c.call(ctx, fmt.Sprint("status ", id), func() error {
		j := c.jobs[id]
		if j == nil {
			return &callError{deliver.Fault{NotFound: true}, "no such job"}
		}
		st = deliver.Status{State: j.state, Name: "state", Counts: j.counts}
		return nil
	})
	return st, err
}

func (c *client) Errors(ctx context.Context, id int64, list string, skip int, use func(attribute.Entry)) error {
	return c.call(ctx, fmt.Sprint(list, " ", id), func() error {
		j := c.jobs[id]
		if j == nil || j.state != deliver.Completed || (list == "results") != c.results {
			return &callError{deliver.Fault{NotFound: true, NotReady: true}, "no such list"}
		}
		for _, e := range j.entries[min(skip, len(j.entries)):] {
			use(e)
		}
		return nil
	})
}

func (c *client) Attach(ctx context.Context, content item.Content) (again bool, err error) {
	return true, c.call(ctx, "attach "+content.XID, func() error {
		if c.arrived["group "+content.XID] == 0 {
			c.wrong = append(c.wrong, "content before its group: "+content.XID)
		}
		c.arrived["content "+content.XID]++
		return nil
	})
}

func (c *client) Classify(err error) deliver.Fault {
	if e, ok := errors.AsType[*callError](err); ok {
		return e.Fault
	}
	return deliver.Fault{}
}

// Problem and Error keep the text of an error.
func (c *client) Problem(err error) item.Problem { return item.Problem{Text: err.Error()} }
func (c *client) Error(p item.Problem) error     { return errors.New(p.Text) }

// work completes the jobs that are due, in order.
func (p *platform) work(now time.Time) {
	var due []int64
	for id, j := range p.jobs {
		if j.state == deliver.Working && !j.due.After(now) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b int64) int {
		if c := p.jobs[a].due.Compare(p.jobs[b].due); c != 0 {
			return c
		}
		return int(a - b)
	})
	for _, id := range due {
		p.process(p.jobs[id])
	}
}

// entry is an item of a batch file as read by the platform.
type entry struct {
	XID, Type, Summary string
	Groups             []struct{ GroupXID string } `json:"associatedGroups"`
	XIDs               []string                    `json:"associatedGroupXid"`
	From               string                      `json:"ref_1"`
	FromType           string                      `json:"type_1"`
	To                 string                      `json:"ref_2"`
	ToType             string                      `json:"type_2"`
}

func groupKey(xid string) string { return "group " + xid }
func hostKey(name string) string { return "Host " + name }
func linkKey(a, b string) string { return min(a, b) + " - " + max(a, b) }
func endKey(typ, name string) string {
	if typ == "" {
		return groupKey(name)
	}
	return typ + " " + name
}

// process processes the items of one job in order.
func (p *platform) process(j *job) {
	j.state = deliver.Completed
	var file struct{ Group, Indicator, Association []json.RawMessage }
	d := json.NewDecoder(bytes.NewReader(j.file))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		p.wrong = append(p.wrong, fmt.Sprintf("a file that is not JSON: %v: %s", err, j.file))
		return
	}
	n := len(file.Group) + len(file.Indicator) + len(file.Association)
	if n == 0 || n > p.most || n > 1 && len(j.file) > p.bytes {
		p.wrong = append(p.wrong, fmt.Sprintf("a file of %d items and %d bytes", n, len(j.file)))
	}
	refuse := func(key string, e attribute.Entry) {
		p.refused[key]++
		j.counts.Errors++
		j.entries = append(j.entries, e)
	}
	for s, list := range [][]json.RawMessage{file.Group, file.Indicator, file.Association} {
		for i, text := range list {
			var e entry
			if err := json.Unmarshal(text, &e); err != nil || bytes.Count(text, []byte(`"associatedGroup`)) > 1 {
				p.wrong = append(p.wrong, fmt.Sprintf("an item that cannot be read: %v: %s", err, text))
			}
			switch section := item.Section(s); {
			case strings.Contains(string(text), "poison"):
				reason := "Encountered an unexpected Exception while processing batch job."
				if strings.Contains(string(text), "poisonpath") {
					reason += fmt.Sprintf(" Last known JSON path: '$.%s[%d]'", item.Keys[section], i)
				}
				j.counts.Errors++
				j.entries = append(j.entries, attribute.Entry{Reason: reason})
				j.counts.Unprocessed = n - j.counts.Success - j.counts.Errors
				return
			case section == item.Groups && strings.Contains(e.XID, "bad"):
				refuse(groupKey(e.XID), attribute.Entry{Code: attribute.CodeGroup, Reason: "the group is refused", Source: attribute.Source{XID: e.XID}})
			case section == item.Indicators && strings.Contains(e.Summary, "bad"):
				refuse(hostKey(e.Summary), attribute.Entry{Code: attribute.CodeIndicator, Reason: "the host is refused",
					Source: attribute.Source{Type: e.Type, Refs: []string{e.Summary}}})
			case section == item.Associations:
				from, to := endKey(e.FromType, e.From), endKey(e.ToType, e.To)
				if strings.Contains(e.From+e.To, "bad") {
					refuse(linkKey(from, to), attribute.Entry{Code: attribute.CodeAssociation, Reason: "one end is missing",
						Source: attribute.Source{Refs: []string{e.From, e.To}}})
					break
				}
				j.counts.Success++
				p.refer(from, to)
			default:
				j.counts.Success++
				key := groupKey(e.XID)
				if section == item.Indicators {
					key = hostKey(e.Summary)
				}
				p.arrived[key]++
				for _, g := range e.Groups {
					p.refer(key, groupKey(g.GroupXID))
				}
				for _, xid := range e.XIDs {
					p.refer(key, groupKey(xid))
				}
			}
			if p.halts && j.counts.Errors > 0 {
				j.counts.Unprocessed = n - j.counts.Success - j.counts.Errors
				return
			}
		}
	}
}

// refer creates a reference, whose ends must exist.
func (p *platform) refer(from, to string) {
	for _, end := range []string{from, to} {
		if p.arrived[end] == 0 {
			p.wrong = append(p.wrong, fmt.Sprintf("a reference %s - %s before %s", from, to, end))
		}
	}
	p.arrived[linkKey(from, to)]++
}
