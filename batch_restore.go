package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// restoring brings a writer to where its spool ends.
type restoring struct {
	w     *BatchWriter
	there map[string]bool // names of records
	last  int64           // number of the last segment
	have  []int64         // numbers of the segments that can be read
	jobs  []restoredJob
	freed indexSet // associations that are in jobs
}

// restoredJob is a job that is in a spool.
type restoredJob struct {
	number, after int64
	items         [itemKinds]int64
	files         []jobFile
}

// restore brings the writer to where the spool ends, and sends the jobs that are left. A record that
// cannot be read is noted and set aside, and costs what is in it; the others go on.
func (w *BatchWriter) restore(ctx context.Context) error {
	names, err := w.spool.spool.Names(ctx)
	if err != nil {
		return fmt.Errorf("%w: list the records: %w", ErrSpool, err)
	}
	r := restoring{w: w, there: map[string]bool{}}
	for _, name := range names {
		if kind, number, ok := jobRecord(name); ok {
			r.there[name] = true
			if kind == recordSegment {
				r.last = max(r.last, number)
			}
		}
	}
	if err := r.segments(ctx); err != nil {
		return err
	}
	if err := r.held(ctx); err != nil {
		return err
	}
	w.spool.from, w.spool.fromSum = w.added, w.spool.sum // where the items of this process begin
	w.start()
	for _, j := range r.jobs {
		if err := r.job(ctx, j); err != nil {
			return err
		}
		if err := w.halted(); err != nil {
			return err
		}
	}
	return nil
}

// segments takes over what was added.
func (r *restoring) segments(ctx context.Context) error {
	w := r.w
	for n := int64(1); n <= r.last; n++ {
		g, ok, err := r.segment(ctx, n)
		switch {
		case err != nil:
			return err
		case ok:
			r.take(g)
		case n < r.last:
			// Nobody adds its items again, so that they are sent if they can be read.
			r.jobs = append(r.jobs, restoredJob{number: n, after: n - 1})
		default:
			r.dropJob(ctx, n)
		}
	}
	w.made = r.last
	return nil
}

// segment reads a segment. ok is false when it cannot be read, which is noted.
func (r *restoring) segment(ctx context.Context, n int64) (g segment, ok bool, err error) {
	name := recordName(recordSegment, n)
	g.number = n
	if !r.there[name] {
		r.note(fmt.Errorf("%w: %s is missing: what was added with it may be missing, or be there twice when it is added again", ErrSpoolRecord, name))
		return g, false, nil
	}
	ok, err = r.read(ctx, name, g.decode)
	return g, ok, err
}

// read reads a record. One that is damaged is noted and set aside.
func (r *restoring) read(ctx context.Context, name string, decode func([]byte) bool) (bool, error) {
	s := r.w.spool
	text, err := s.read(ctx, name)
	if err == nil && !decode(text) {
		err = fmt.Errorf("%w: %s holds something else than it should", ErrSpoolRecord, name)
	}
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, ErrSpoolRecord) {
		return false, err
	}
	r.note(fmt.Errorf("%w; it is kept as %s-%s", err, recordDamaged, name))
	return false, s.setAside(ctx, name)
}

// setAside gives a record a name under which nobody touches it.
func (s *spooling) setAside(ctx context.Context, name string) error {
	text, err := s.spool.Read(ctx, name)
	if err == nil {
		err = s.spool.Write(ctx, recordDamaged+"-"+name, [][]byte{text})
	}
	if err != nil {
		return fmt.Errorf("%w: set the record %s aside: %w", ErrSpool, name, err)
	}
	return s.remove(ctx, name)
}

func (r *restoring) note(err error) { r.w.note(nil, BatchItemError{Seq: -1, Err: err}) }

// take takes a segment over.
func (r *restoring) take(g segment) {
	w := r.w
	w.added, w.invalid, w.again, w.waited, w.exclusions = g.added, g.invalid, g.again, g.waited, g.exclusions
	w.spool.sum = g.sum
	w.contents.Store(g.files)
	for k := range g.taken {
		w.taken[k].Store(g.taken[k])
	}
	for _, xid := range g.groups {
		w.groups.jobs[w.groups.hash(xid)] = g.number
	}
	for _, n := range g.released {
		r.freed.add(n)
	}
	r.have = append(r.have, g.number)
	if g.job {
		r.jobs = append(r.jobs, restoredJob{number: g.number, after: g.after, items: g.items, files: g.contents})
	}
}

// held puts the associations aside that are in no job yet.
func (r *restoring) held(ctx context.Context) error {
	for _, n := range r.have {
		g, ok, err := r.segment(ctx, n)
		if err != nil {
			return err
		}
		if !ok {
			continue // it was readable a moment ago, and has been noted
		}
		for _, b := range g.held {
			e, ok := readWaiting(b)
			if !ok || r.freed.has(e.index) {
				continue
			}
			if e.wait != 0 {
				e.wait = r.w.waitOf(e.item)
			}
			if err := r.w.held.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitOf returns what stands for the group that a link waits for, in this process.
func (w *BatchWriter) waitOf(item []byte) uint64 {
	if n := nameOf(item); len(n.hashes) > 0 {
		return w.groups.hash(n.hashes[0])
	}
	return 0
}

// job goes on with a job, unless it is done.
func (r *restoring) job(ctx context.Context, from restoredJob) error {
	w := r.w
	var p progress
	if name := recordName(recordProgress, from.number); r.there[name] {
		ok, err := r.read(ctx, name, p.decode)
		switch {
		case err != nil:
			return err
		case !ok:
			r.lose(from, nil) // whether it was uploaded is not known any more
			return r.aside(ctx, from.number)
		}
	} else {
		p.pieces, p.files = nil, len(from.files) > 0
	}
	name := recordName(recordPayload, from.number)
	w.mu.Lock()
	w.outcome.plus(&p.outcome)
	for _, k := range []itemKind{kindOfIndicator, kindOfGroup, kindOfAssociation} {
		w.before += p.outcome.kinds[k].done()
	}
	w.mu.Unlock()
	if r.there[recordName(recordProgress, from.number)] && p.done() || !r.there[name] && from.items == [itemKinds]int64{} {
		return nil
	}
	j, err := w.memory(ctx)
	if err != nil {
		return err
	}
	j.begin(from.number)
	ok := false
	if r.there[name] {
		ok, err = r.read(ctx, name, func(text []byte) bool { return j.readPayload(text) && fits(p.pieces, j.count()) })
	} else {
		r.note(fmt.Errorf("%w: %s is missing", ErrSpoolRecord, name))
	}
	if err != nil || !ok {
		j.reset()
		w.free <- j
		r.lose(from, p.pieces)
		return err
	}
	if j.pieces = p.pieces; j.pieces == nil {
		j.pieces = []piece{{part: j.all()}}
	}
	j.after, j.outcome = from.after, p.outcome
	if p.files {
		j.files = from.files
	}
	for _, pos := range p.refused {
		j.refuse(int(pos))
	}
	w.enqueue(j)
	return nil
}

// fits reports whether pieces are within n items.
func fits(pieces []piece, n int) bool {
	return !slices.ContainsFunc(pieces, func(p piece) bool { return p.from < 0 || p.from > p.to || p.to > n || p.jobID < 0 })
}

// lose counts the items of a job that cannot be gone on with.
func (r *restoring) lose(from restoredJob, pieces []piece) {
	w := r.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, n := range from.items {
		w.outcome.kinds[k].Unknown += n
	}
	for _, p := range pieces {
		if p.jobID > 0 {
			w.outcome.lost = append(w.outcome.lost, p.jobID)
		}
	}
}

// dropJob forgets the job of the last segment, whose items are added again.
func (r *restoring) dropJob(ctx context.Context, n int64) {
	var p progress
	if name := recordName(recordProgress, n); r.there[name] {
		if ok, err := r.read(ctx, name, p.decode); err == nil && ok {
			r.lose(restoredJob{}, p.pieces)
		}
	}
}

// aside sets the payload of a job aside.
func (r *restoring) aside(ctx context.Context, n int64) error {
	if name := recordName(recordPayload, n); r.there[name] {
		return r.w.spool.setAside(ctx, name)
	}
	return nil
}

// indexSet is a set of numbers from 0 on, in a bit each.
type indexSet []uint64

func (s *indexSet) add(n int64) {
	const most = 1 << 32 // half a gigabyte; more cannot have been added
	if n < 0 || n >= most {
		return
	}
	for int(n/64) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

func (s indexSet) has(n int64) bool {
	return n >= 0 && n/64 < int64(len(s)) && s[n/64]&(1<<(n%64)) != 0
}
