package sandbox

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const (
	tick         = 250 * time.Millisecond
	mostInTick   = 200              // requests and jobs that an event lists
	mostAtFirst  = 1000             // requests that the first event lists
	stalledAfter = 10 * time.Second // timeout of a page that does not read
)

var errPages = errors.New("too many pages are connected: close one")

// update is an event: the changes since the previous one. Unchanged parts are nil.
type update struct {
	Boot        string                             `json:"boot,omitempty"` // in the first event
	Uptime      float64                            `json:"uptime"`         // seconds
	Cleared     bool                               `json:"cleared,omitempty"`
	JobsCleared bool                               `json:"jobsCleared,omitempty"`
	Requests    []requestRow                       `json:"requests,omitempty"`
	LeftOut     int64                              `json:"leftOut,omitempty"` // requests that Requests does not list
	Jobs        []jobRow                           `json:"jobs,omitempty"`
	Owners      []ownerRow                         `json:"owners,omitempty"`
	Faults      *[]threatconnecttest.InjectedFault `json:"faults,omitempty"`
	Snapshots   *[]snapshot                        `json:"snapshots,omitempty"`
	Settings    *state                             `json:"settings,omitempty"`
	Counts      counts                             `json:"counts"`
}

// counts contains totals since the previous event.
type counts struct {
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"` // requests that were refused or met a fault
	Items    int   `json:"items"`  // of batch jobs
}

// events sends an update four times a second until the client leaves or the sandbox ends.
func (c *control) events(w http.ResponseWriter, r *http.Request) {
	select {
	case c.pages <- struct{}{}:
		defer func() { <-c.pages }()
	default:
		reply(w, nil, refusal{http.StatusServiceUnavailable, errPages})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	defer out.SetWriteDeadline(time.Time{})
	clock := time.NewTicker(tick)
	defer clock.Stop()
	f := c.newFollower(cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after")))
	for {
		_ = out.SetWriteDeadline(time.Now().Add(stalledAfter)) // every server of net/http can
		var event bytes.Buffer
		fmt.Fprint(&event, "data: ")
		if err := encode(&event, f.next()); err != nil {
			return
		}
		fmt.Fprintf(&event, "id: %s\n\n", f.id())
		if _, err := w.Write(event.Bytes()); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-c.done:
			return
		case <-clock.C:
		}
	}
}

// follower remembers the data that a page has received.
type follower struct {
	c              *control
	first          bool
	after          int64 // the ID of the newest request
	clears, resets int64
	items          int
	jobs           map[int64]jobRow

	owners, faults, snapshots, state []byte // as they were sent
}

// newFollower returns the follower of a page. lastEvent is the ID of the last event that the page got,
// if it was connected before.
func (c *control) newFollower(lastEvent string) *follower {
	f := &follower{c: c, first: true, jobs: map[int64]jobRow{}}
	var clears, resets, after int64
	if id, ok := strings.CutPrefix(lastEvent, c.boot+"-"); ok {
		if n, err := fmt.Sscanf(id, "%d-%d-%d", &clears, &resets, &after); n == 3 && err == nil {
			f.clears, f.resets, f.after = clears, resets, after
			return f
		}
	}
	f.clears, f.resets = c.clears.Load(), c.resets.Load()
	return f
}

// id is the ID of the last event that the page received.
func (f *follower) id() string {
	return fmt.Sprintf("%s-%d-%d-%d", f.c.boot, f.clears, f.resets, f.after)
}

// next returns the changes since the previous call.
func (f *follower) next() update {
	u := update{Uptime: time.Since(f.c.started).Seconds()}
	if f.first {
		u.Boot = f.c.boot
	}
	if n := f.c.clears.Load(); n != f.clears {
		f.clears, u.Cleared = n, true
	}
	if n := f.c.resets.Load(); n != f.resets {
		f.resets, u.JobsCleared = n, true
		clear(f.jobs)
	}
	f.addRequests(&u)
	f.addJobs(&u)
	if owners := f.c.ownerRows(); changed(&f.owners, owners) {
		u.Owners = owners
	}
	if faults := f.c.srv.Faults(); changed(&f.faults, faults) {
		u.Faults = &faults
	}
	if snapshots := f.c.snapshots(); changed(&f.snapshots, snapshots) {
		u.Snapshots = &snapshots
	}
	if s := f.c.state(); changed(&f.state, s) {
		u.Settings = &s
	}
	if f.first {
		u.Counts = counts{} // what came before the page
		f.first = false
	}
	return u
}

func (f *follower) addRequests(u *update) {
	after, most := f.after, mostInTick
	if f.first {
		most = mostAtFirst
	}
	requests := f.c.srv.RequestsAfter(after)
	for _, r := range requests {
		if r.Fault != 0 || r.Status >= http.StatusBadRequest {
			u.Counts.Errors++
		}
	}
	listed := requests[max(len(requests)-most, 0):]
	if len(requests) > 0 {
		f.after = requests[len(requests)-1].ID
		u.Counts.Requests = int64(len(requests))
	}
	if after > 0 && len(requests) > 0 {
		u.Counts.Requests = f.after - after // the log may have lost some
		u.LeftOut = u.Counts.Requests - int64(len(listed))
	}
	for _, r := range listed {
		u.Requests = append(u.Requests, rowOf(r))
	}
}

func (f *follower) addJobs(u *update) {
	items := 0
	for _, j := range f.c.jobRows() {
		items += j.Success + j.Errors
		if f.jobs[j.ID] != j {
			f.jobs[j.ID] = j
			u.Jobs = append(u.Jobs, j)
		}
	}
	u.Jobs = u.Jobs[max(len(u.Jobs)-mostInTick, 0):]
	u.Counts.Items = max(items-f.items, 0)
	f.items = items
}

// changed reports whether a value differs from the one sent last, and records it as sent.
func changed(sent *[]byte, v any) bool {
	var b bytes.Buffer
	if err := encode(&b, v); err != nil || bytes.Equal(b.Bytes(), *sent) {
		return false
	}
	*sent = b.Bytes()
	return true
}
