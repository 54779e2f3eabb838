package importer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
	"pgregory.net/rapid"
)

// model is an import with random faults.
type model struct {
	*world
	feed   []step
	next   int      // index of the next item of the feed to add
	p      *process // nil after a crash
	groups []string // names of all groups in use
	hosts  []string
	rival  bool              // another process may have taken over and ended
	mark   journal.Watermark // last watermark of this process or the one before
}

func (m *model) fail(t *rapid.T, format string, args ...any) {
	t.Helper()
	t.Fatalf("%s\n\nfeed:\n%s\n\nplatform:\n%s", fmt.Sprintf(format, args...), m.show(), lines(m.platform.log))
}

func lines(list []string) (text string) {
	for _, l := range list {
		text += l + "\n"
	}
	return text
}

func (m *model) show() (text string) {
	for i := range m.feed {
		s := &m.feed[i]
		text += fmt.Sprintf("%s refs %v listed %v refused %t excluded %q flush %t\n", s.item.JSON, s.item.Refs, s.item.Listed, s.refuse, s.exclude, s.flush)
	}
	return text
}

// draw draws a new item. Names are new, but associations can be repeated.
func (m *model) draw(t *rapid.T) step {
	pick := func(list []string, label string) string { return rapid.SampledFrom(list).Draw(t, label) }
	refs := func() (xids []string) {
		for range rapid.IntRange(0, 2).Draw(t, "references") {
			if xid := pick(m.groups, "group"); !slices.Contains(xids, xid) {
				xids = append(xids, xid)
			}
		}
		return xids
	}
	name := fmt.Sprintf("%d.example", len(m.feed))
	switch rapid.SampledFrom([]string{"host", "host", "group", "group", "listing", "document", "link", "pair", "refused", "excluded", "bad", "poison", "wide"}).Draw(t, "kind") {
	case "group":
		if xid := m.waiting(); xid != "" { // a group that other items refer to
			return group(xid, slices.DeleteFunc(refs(), func(x string) bool { return x == xid })...)
		}
		return host(name)
	case "listing":
		if xid, h := m.waiting(), pick(m.hosts, "listed"); xid != "" {
			return listing(xid, h)
		}
		return host(name)
	case "document":
		return document("d" + name)
	case "link":
		return link(pick(m.hosts, "host"), pick(m.groups, "group"))
	case "pair":
		return pair(m.hosts[0], pick(m.hosts[1:], "host"))
	case "refused":
		return refuse()
	case "excluded":
		return exclude(host(name), "private")
	case "bad":
		return host("bad" + name)
	case "poison":
		return host("poison" + name)
	case "wide":
		return host(name, refs()...).wide(rapid.IntRange(1, 200).Draw(t, "bytes"))
	}
	return host(name, refs()...)
}

// waiting returns a group that items refer to but that was not added, or "".
func (m *model) waiting() string {
	for _, xid := range m.groups {
		if !slices.Contains(m.known, xid) && !slices.ContainsFunc(m.feed, func(s step) bool { return s.key == groupKey(xid) }) {
			return xid
		}
	}
	return ""
}

// open starts a process unless one is running. It returns false if the process has failed.
func (m *model) open(t *rapid.T) bool {
	if m.p != nil && m.p.dead.Load() {
		m.kill(t, rapid.Bool().Draw(t, "the machine fails"))
	}
	if m.p != nil {
		return true
	}
	p, finished, err := m.start(context.Background())
	switch {
	case finished:
		m.fail(t, "an import that was not closed has ended")
	case errors.Is(err, durable.ErrCrash):
		m.disk.Restart()
		return false
	case err != nil && p.Begun():
		if err := p.balance(); err != nil {
			m.fail(t, "open: %v", err)
		}
		return false // the process ended because of an outage
	case err != nil && !m.explained(err):
		m.fail(t, "open: %v", err)
	case err != nil:
		return false
	}
	m.p, m.next, m.rival = p, int(p.Resumed().Added), false
	return true
}

// explained reports whether an injected fault explains an error.
func (m *model) explained(err error) bool {
	_, call := errors.AsType[*callError](err)
	return call || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, durable.ErrCrash) || errors.Is(err, errDead)
}

// rest adds the remaining items of the feed.
func (m *model) rest(t *rapid.T) {
	for ; m.p != nil && m.next < len(m.feed); m.next++ {
		if err := m.p.add(context.Background(), &m.feed[m.next]); err != nil {
			m.leave(t)
		}
	}
}

// leave closes a process whose import has ended.
func (m *model) leave(t *rapid.T) {
	m.p.Close(context.Background(), nil)
	if err := m.p.Cause(); !m.explained(err) && !(m.rival && errors.Is(err, journal.ErrLost)) {
		m.fail(t, "the import has ended: %v", err)
	}
	if err := m.p.balance(); err != nil {
		m.fail(t, "after %v: %v", m.p.Cause(), err)
	}
	if m.p.dead.Load() {
		m.disk.Restart()
	}
	m.p = nil
}

// kill ends the process. If machine is true, the disk loses a random part of the data that was not
// synced.
func (m *model) kill(t *rapid.T, machine bool) {
	m.p.dead.Store(true)
	m.p.Stop(errDead)
	m.p.Close(context.Background(), nil)
	m.p = nil
	m.disk.Restart()
	if machine {
		states := m.disk.Crashes(mostStates, 1)
		m.disk = states[rapid.IntRange(0, len(states)-1).Draw(t, "disk")]
	}
}

// takeOver lets a second process take over the import while the first one continues. The first one
// must notice.
func (m *model) takeOver(t *rapid.T) {
	first := m.p
	m.p = nil
	if !m.open(t) { // the failed process may have written
		m.p, m.rival = first, true
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		first.Close(context.Background(), nil)
	}()
	m.rest(t)
	<-done
	if err := first.Cause(); !errors.Is(err, journal.ErrLost) && (err == nil || !m.explained(err)) {
		m.fail(t, "the first process has ended with %v", err)
	}
	if err := first.balance(); err != nil {
		m.fail(t, "the first process: %v", err)
	}
}

// finish closes the import, despite any remaining faults, and checks everything.
func (m *model) finish(t *rapid.T) {
	m.platform.badUntil, m.platform.faults = time.Time{}, map[int]fault{}
	for xid := m.waiting(); xid != ""; xid = m.waiting() {
		m.feed = append(m.feed, group(xid))
	}
	if m.p != nil {
		m.kill(t, false)
	}
	for range 10 { // the disk may have more faults
		p, err := m.run(m.feed)
		if err == nil {
			if err := m.world.check(p, m.feed); err != nil {
				m.fail(t, "at the end: %v", err)
			}
			return
		}
		if !m.explained(err) {
			m.fail(t, "at the end: %v", err)
		}
		m.disk.Restart()
	}
	m.fail(t, "the import does not end")
}

// check checks the invariants after every action.
func (m *model) check(t *rapid.T) {
	synctest.Wait()
	m.platform.mu.Lock()
	defer m.platform.mu.Unlock()
	if len(m.platform.wrong) > 0 {
		m.fail(t, "%v", m.platform.wrong)
	}
	if m.p == nil {
		return
	}
	st := m.p.Stats()
	var there [item.Kinds]int64
	for i := range m.feed {
		s := &m.feed[i]
		switch n := m.platform.arrived[s.key]; {
		case s.key == "":
		case n > 1:
			m.fail(t, "%s arrived %d times", s.key, n)
		case n == 1:
			there[s.kind()]++
		}
	}
	for _, k := range []item.Kind{item.Indicator, item.Group} {
		if st.Outcome.Kinds[k].Succeeded > there[k] {
			m.fail(t, "of kind %d, %d succeeded and %d are on the platform", k, st.Outcome.Kinds[k].Succeeded, there[k])
		}
	}
	for k, n := range st.Totals.Kinds {
		if c := &st.Outcome.Kinds[k]; c.Total()+st.Totals.Excluded[k] > n {
			m.fail(t, "of kind %d, %d were added and %+v have an outcome", k, n, *c)
		}
	}
	if st.Watermark.Seq < m.mark.Seq || st.Watermark.Failed < m.mark.Failed {
		m.fail(t, "the watermark went from %+v back to %+v", m.mark, st.Watermark)
	}
	m.mark = st.Watermark
	for i := range m.feed[:m.mark.Seq] {
		s := &m.feed[i]
		if s.refuse || s.exclude != "" || s.rejected() {
			continue
		}
		for _, key := range append([]string{s.key}, s.refs...) {
			if key != "" && m.platform.arrived[key] == 0 {
				m.fail(t, "the watermark %+v is past %s, which is not on the platform", m.mark, key)
			}
		}
	}
}

func TestImportMatchesModelUnderFaults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, disturb) })
}

func disturb(t *rapid.T) {
	w := newWorld(setup{
		maxItems: rapid.IntRange(1, 5).Draw(t, "items per file"), maxBytes: rapid.SampledFrom([]int{500, 100_000}).Draw(t, "bytes per file"),
		concurrency: rapid.IntRange(1, 3).Draw(t, "files at a time"), limit: rapid.SampledFrom([]int64{0, 450}).Draw(t, "limit"), known: []string{"old"},
	})
	m := &model{world: w, groups: []string{"old", "g1", "g2", "g3", "g4"}, hosts: []string{"x.example", "y.example", "z.example"}}
	for _, name := range m.hosts {
		m.feed = append(m.feed, host(name))
	}
	defer func() {
		if m.p != nil { // the model has found an error
			m.p.dead.Store(true)
			m.p.Stop(errDead)
			m.p.Close(context.Background(), nil)
		}
	}()
	with := func(action func(*rapid.T)) func(*rapid.T) {
		return func(t *rapid.T) {
			if m.open(t) {
				action(t)
			}
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"": m.check,
		"add": with(func(t *rapid.T) {
			for range rapid.IntRange(1, 6).Draw(t, "items") {
				m.feed = append(m.feed, m.draw(t))
			}
			m.rest(t)
		}),
		"flush": with(func(t *rapid.T) {
			ctx, cancel := context.WithTimeout(context.Background(), rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond, 30 * time.Hour}).Draw(t, "patience"))
			defer cancel()
			if err := m.p.add(ctx, &step{flush: true}); err != nil && ctx.Err() == nil {
				m.leave(t)
			}
		}),
		"crash":     with(func(t *rapid.T) { m.kill(t, rapid.Bool().Draw(t, "the machine fails")) }),
		"take over": with(m.takeOver),
		"outage": func(t *rapid.T) {
			m.platform.badUntil = time.Now().Add(rapid.SampledFrom([]time.Duration{0, time.Minute, 30 * time.Minute, 3 * time.Hour}).Draw(t, "outage"))
		},
		"fault of a call": func(t *rapid.T) {
			n := m.platform.calls + rapid.IntRange(1, 8).Draw(t, "call")
			m.platform.faults[n] = fault{rapid.SampledFrom([]faultKind{death, lost, lost, outage}).Draw(t, "fault"), rapid.Bool().Draw(t, "applied")}
		},
		"fault of the disk": func(t *rapid.T) {
			n := len(m.disk.Ops()) + rapid.IntRange(1, 60).Draw(t, "operation")
			m.disk.FailAt(n, rapid.SampledFrom([]error{syscall.EIO, syscall.ENOSPC, durable.ErrCrash}).Draw(t, "error"), rapid.Bool().Draw(t, "applied"))
		},
		"time": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, 3 * time.Hour}).Draw(t, "time"))
		},
	})
	m.finish(t)
}
