package importer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// world is a platform, the disk of the client and its successive processes.
type world struct {
	setup
	platform *platform
	disk     *durable.Mem
	starts   int // number of processes so far
}

func newWorld(s setup) *world {
	p := newPlatform()
	p.limit, p.halts, p.most, p.bytes = s.limit, s.halt, s.maxItems, s.maxBytes
	for _, xid := range s.known {
		p.arrived[groupKey(xid)] = 1
	}
	return &world{s, p, durable.NewMem(), 0}
}

// newSmallWorld returns a world in which files have up to n items and are sent one at a time.
func newSmallWorld(n int) *world {
	return newWorld(setup{maxItems: n, maxBytes: 10_000, concurrency: 1})
}

// after returns a world that continues from a state of the disk.
func (w *world) after(disk *durable.Mem) *world {
	return &world{w.setup, w.platform.clone(), disk, w.starts}
}

// process is one process of an import. After its death, its calls have no effect.
type process struct {
	*importer.Engine
	dead    *atomic.Bool
	begin   journal.Start
	named   []item.Failure // reported failures
	refused int            // refused items
	trap    func(op string, after bool)
	damage  func(text []byte) []byte // applied to each record that is read
	store   journal.Store
	context context.Context
}

// Create, Names, Read and Remove make a process the journal.Store of its engine.
func (p *process) Create(ctx context.Context, name string, parts [][]byte) error {
	return p.keep("create", func() error { return p.store.Create(ctx, name, parts) })
}

func (p *process) Names(ctx context.Context) (names []string, err error) {
	err = p.keep("names", func() error { names, err = p.store.Names(ctx); return err })
	return names, err
}

func (p *process) Read(ctx context.Context, name string) (text []byte, err error) {
	err = p.keep("read", func() error { text, err = p.store.Read(ctx, name); return err })
	if p.damage != nil && err == nil {
		text = p.damage(text)
	}
	return text, err
}

func (p *process) Remove(ctx context.Context, name string) error {
	return p.keep("remove", func() error { return p.store.Remove(ctx, name) })
}

func (p *process) keep(op string, call func() error) error {
	if p.dead.Load() {
		return durable.ErrCrash
	}
	if p.trap != nil {
		p.trap(op, false)
	}
	err := call()
	if errors.Is(err, durable.ErrCrash) {
		p.dead.Store(true)
	}
	if p.trap != nil {
		p.trap(op, true)
	}
	return err
}

// start starts a process, which opens the import.
func (w *world) start(ctx context.Context, options ...func(*process)) (p *process, finished bool, err error) {
	w.starts++
	p = &process{dead: new(atomic.Bool), store: durable.NewDir(w.disk, "state/spool"), context: ctx,
		begin: journal.Start{Run: "run", Instance: "here", Settings: "these"}}
	for _, o := range options {
		o(p)
	}
	c := &client{w.platform, p.dead}
	mu := make(chan struct{}, 1)
	p.Engine = importer.New(importer.Options{
		Platform: c, Store: p, Errors: c, Start: p.begin,
		MaxItems: w.maxItems, MaxBytes: w.maxBytes, Concurrency: w.concurrency, RetryFor: time.Hour, WaitFor: 24 * time.Hour,
		HaltOnError: w.halt, Known: func(xid string) bool { return slices.Contains(w.known, xid) },
		Backoff: func(n int) time.Duration { return min(time.Second<<min(n, 6), time.Minute) },
		Event:   func(deliver.Event) {},
		Failed: func(f item.Failure) {
			mu <- struct{}{}
			p.named = append(p.named, f)
			<-mu
		},
	})
	if w.withoutStore {
		p.Begin()
		return p, false, nil
	}
	finished, err = p.Open(ctx)
	return p, finished, err
}

// add performs one step.
func (p *process) add(ctx context.Context, s *step) error {
	switch {
	case s.flush:
		last, err := p.Flush(ctx)
		if err == nil {
			err = p.Wait(ctx, last)
		}
		if err == nil {
			err = p.Ended()
		}
		if st := p.Stats(); err == nil && p.Unsent() == (st.Watermark.Seq == st.Totals.Added) {
			err = fmt.Errorf("after a flush of %d items the watermark is %+v, unsent: %t", st.Totals.Added, st.Watermark, p.Unsent())
		}
		return err
	case p.Ended() != nil:
		return p.Ended()
	case s.refuse:
		seq := p.Added()
		p.Refuse()
		p.Note(item.Failure{Seq: seq, Type: "Host", Name: "refused", Err: errRule})
		p.refused++
	case s.exclude != "":
		p.Exclude(&s.item, s.exclude)
	default:
		return p.Add(ctx, &s.item)
	}
	return nil
}

var errRule = errors.New("the item breaks a rule")

// mustStart starts a process and adds the first steps of a feed.
func (w *world) mustStart(ctx context.Context, t *testing.T, steps ...step) *process {
	t.Helper()
	p, _, err := w.start(ctx)
	require.NoError(t, err)
	p.mustAdd(t, steps...)
	return p
}

// mustAdd adds the next steps of a feed with the context of the process.
func (p *process) mustAdd(t *testing.T, steps ...step) {
	t.Helper()
	for i := range steps {
		require.NoError(t, p.add(p.context, &steps[i]))
	}
}

// mustFinish runs a process that finishes the import, and checks the outcome.
func (w *world) mustFinish(t *testing.T, feed []step) {
	t.Helper()
	p, err := w.run(feed)
	require.NoError(t, err)
	require.NoError(t, w.check(p, feed))
}

// run runs one process from start to end: it adds the missing items of the feed and closes the import.
func (w *world) run(feed []step, options ...func(*process)) (*process, error) {
	ctx := context.Background()
	p, finished, err := w.start(ctx, options...)
	if err != nil || finished {
		return p, err
	}
	seq := int64(0)
	for i := range feed {
		s := &feed[i]
		if !s.flush {
			seq++
		}
		if seq <= p.Resumed().Added && !(s.flush && seq == p.Resumed().Added) {
			continue
		}
		for err = p.add(p.context, s); err != nil && p.context.Err() != nil && p.Ended() == nil; err = p.add(p.context, s) {
			p.context = context.Background() // the caller continues with a new context
			if s.flush {
				continue
			}
		}
		if err != nil {
			break
		}
	}
	p.Close(ctx, nil)
	return p, errors.Join(p.Cause(), p.balance())
}

// stores runs a feed and returns the number of calls of trap: two for each operation of the store.
func (w *world) stores(feed []step) (n int) {
	_, _ = w.run(feed, func(p *process) { p.trap = func(string, bool) { n++ } })
	return n
}

// contextEnds cancels the context of the caller at the nth call of trap.
func contextEnds(n int) func(*process) {
	return func(p *process) {
		ctx, cancel := context.WithCancelCause(context.Background())
		p.context = ctx
		at := 0
		p.trap = func(string, bool) {
			if at == n {
				cancel(errors.New("the caller does not wait"))
			}
			at++
		}
	}
}

// balance compares the counts of an ended process with the items that were added.
func (p *process) balance() error {
	if !p.Begun() {
		return nil
	}
	st := p.Stats()
	for k, n := range st.Totals.Kinds {
		if c := &st.Outcome.Kinds[k]; n != c.Total()+st.Totals.Excluded[k] {
			return fmt.Errorf("of kind %d, %d were added, %d are excluded, and %+v have an outcome", k, n, st.Totals.Excluded[k], *c)
		}
	}
	if c := &st.Outcome.Contents; st.Totals.Contents != c.Total() {
		return fmt.Errorf("the outcome of %d contents is %+v", st.Totals.Contents, *c)
	}
	return p.checkReports(&st.Outcome)
}

// checkReports requires that each refused item was reported, and that the outcome of an ended process contains each
// reported failure, and counts each reported item of a job as failed.
func (p *process) checkReports(o *item.Outcome) error {
	type key struct {
		seq    int64
		typ    string
		job    int64
		reason string
	}
	keyOf := func(f *item.Failure) key { return key{f.Seq, f.Type, f.Job, f.Reason} }
	listed := map[key]bool{}
	for i := range o.Failures {
		listed[keyOf(&o.Failures[i])] = true
	}
	refused, rules := map[key]bool{}, 0
	for i := range p.named {
		f := &p.named[i]
		if f.Err == errRule {
			rules++
		}
		if !listed[keyOf(f)] && o.More == 0 {
			return fmt.Errorf("a reported failure is not in the outcome: %+v", *f)
		}
		if f.Seq >= 0 && f.Job > 0 && !f.Unprocessed && !f.Content {
			refused[key{seq: f.Seq, typ: f.Type}] = true
		}
	}
	if rules != p.refused {
		return fmt.Errorf("%d items were refused, and %d of them reported", p.refused, rules)
	}
	failed := int64(0)
	for _, c := range o.Kinds {
		failed += c.Failed
	}
	if n := int64(len(refused)); failed < n {
		return fmt.Errorf("%d failed items were reported, and %d are counted", n, failed)
	}
	return nil
}

// check returns an error for each difference between an import and the expected one. The import must
// be complete unless a refused item halted it.
func (w *world) check(p *process, feed []step) error {
	wrong := []error{p.balance()}
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	w.platform.mu.Lock()
	w.platform.work(time.Now().Add(time.Hour))
	w.platform.mu.Unlock()
	for _, text := range w.platform.wrong {
		say("%s", text)
	}
	st := p.Stats()
	halted := w.halt // a halted import need not be complete
	if p.Cause() != nil && !(halted && errors.Is(p.Cause(), deliver.ErrHalted)) {
		say("the import has ended: %w", p.Cause())
	}
	// A halted import is not remembered. If a crash at its very end removes its records, this process
	// has begun a new import.
	anew := w.halt && p.Resumed().Added == 0 && w.starts > 1

	// Items on the platform.
	want, most := map[string]int{}, map[string]int{}
	rejected := map[int64]string{} // by sequence number
	var kinds [item.Kinds]int64
	var excluded [item.Kinds]int64
	reasons := map[string]int64{}
	seq, invalid, contents := int64(0), int64(0), int64(0)
	for i := range feed {
		s := &feed[i]
		if s.flush {
			continue
		}
		if seq++; seq > st.Totals.Added {
			if anew && s.key != "" {
				most[s.key] = 1 // the previous import may have sent it
			}
			continue
		}
		switch {
		case s.refuse:
			invalid++
			rejected[seq-1] = "refused"
			continue
		case s.exclude != "":
			excluded[s.kind()]++
			kinds[s.kind()]++
			reasons[s.exclude]++
			continue
		case s.without != "":
			excluded[item.Link]++
			reasons[s.without]++
		}
		kinds[s.kind()]++
		if s.rejected() {
			rejected[seq-1] = s.key
		} else if s.key != "" {
			want[s.key], most[s.key] = 1, most[s.key]+1
		}
		if s.item.Content != nil {
			contents++
			if !s.rejected() {
				key := "content " + s.item.Name
				want[key], most[key] = 1, 1000 // content may be uploaded again
			}
		}
		for _, key := range s.refs {
			if !s.rejected() {
				want[key], most[key] = 1, most[key]+1
			}
		}
	}
	for _, xid := range w.known {
		want[groupKey(xid)], most[groupKey(xid)] = 1, 1
	}
	runs := 1
	if anew {
		runs = 2
	}
	for key := range want {
		most[key] *= runs
		if n := w.platform.arrived[key]; n < 1 && !halted || n > most[key] {
			say("%s arrived %d times", key, n)
		}
	}
	for key := range w.platform.arrived {
		if most[key] == 0 {
			say("%s arrived and was not sent", key)
		}
	}
	for key, n := range w.platform.refused {
		if n > runs {
			say("%s was sent and refused %d times", key, n)
		}
	}

	// Counts.
	o := &st.Outcome
	if st.Totals.Invalid != invalid || st.Totals.Excluded != excluded || st.Totals.Contents != contents {
		say("%d items are invalid and %v excluded, %d contents, not %d, %v and %d", st.Totals.Invalid, st.Totals.Excluded, st.Totals.Contents, invalid, excluded, contents)
	}
	if got := p.Reasons(); len(got)+len(reasons) > 0 && !maps.Equal(got, reasons) {
		say("items are excluded for %v, not %v", got, reasons)
	}
	kinds[item.Link] = st.Totals.Kinds[item.Link]
	if again := kinds[item.Association] - st.Totals.Kinds[item.Association]; again > 0 && again <= st.Totals.Duplicates {
		kinds[item.Association] -= again // duplicates are sent once
	}
	var failed int64
	for k := range kinds {
		c := &o.Kinds[k]
		if kinds[k] != st.Totals.Kinds[k] {
			say("of kind %d, %d were added and %d are counted", k, kinds[k], st.Totals.Kinds[k])
		}
		if (c.Unknown > 0 || c.Unprocessed > 0) && !halted {
			say("of kind %d, the outcome is %+v", k, *c)
		}
		failed += c.Failed
	}
	there, sent := [item.Kinds]int64{}, [item.Kinds]int64{}
	seq = 0
	for i := range feed {
		s := &feed[i]
		if s.flush {
			continue
		}
		if seq++; seq > st.Totals.Added {
			break
		}
		if s.refuse || s.exclude != "" || s.key == "" {
			continue
		}
		if sent[s.kind()]++; w.platform.arrived[s.key] > 0 {
			there[s.kind()]++
		}
	}
	for _, k := range []item.Kind{item.Group, item.Indicator} {
		if n := o.Kinds[k].Succeeded; n > there[k] || n+o.Kinds[k].Unknown < there[k] && !anew {
			say("of kind %d, %d succeeded and %d are on the platform", k, o.Kinds[k].Succeeded, there[k])
		}
	}

	// Items named in failures.
	named := map[int64]int{}
	for _, f := range o.Failures {
		if f.Unprocessed && halted {
			continue
		}
		if f.Content {
			f.Seq = -1 - f.Seq // distinct from the group itself
		}
		if f.Content && rejected[-1-f.Seq] != "" {
			continue
		}
		named[f.Seq]++
		if _, guilty := rejected[f.Seq]; !guilty || f.Seq < 0 {
			say("a valid item is named: %+v", f)
		}
	}
	for _, f := range p.named {
		if _, guilty := rejected[f.Seq]; !guilty && !(f.Unprocessed && halted) {
			say("a valid item was reported: %+v", f)
		}
	}
	for seq, key := range rejected {
		if named[seq] != 1 && !(halted && named[seq] == 0) {
			say("%s, item %d, is named %d times", key, seq, named[seq])
		}
	}
	if failed+invalid != int64(len(rejected)) && !halted {
		say("%d failed, not %d", failed, int64(len(rejected))-invalid)
	}

	// Remaining records.
	if mark := st.Watermark; !halted && mark != (journal.Watermark{Seq: st.Totals.Added, Failed: failed}) {
		say("the watermark is %+v at the end of %d items", mark, st.Totals.Added)
	}
	records := 1
	if w.withoutStore {
		records = 0
	}
	if names, err := p.store.Names(context.Background()); (len(names) != records || err != nil) && !halted {
		say("the spool contains %v %w", names, err)
	}
	if p.Cause() == nil && p.Ended() != nil {
		say("an import that has no error has ended with %w", p.Ended())
	}
	if p.Kept() {
		say("the import can still be resumed")
	}
	return errors.Join(wrong...)
}
