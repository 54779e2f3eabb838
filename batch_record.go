package threatconnect

import (
	"errors"
)

// importRecord says what is imported, and how it has ended when it has.
type importRecord struct {
	run      string // the caller's name for it
	instance string // base URL
	config   string // as it is sent to the platform
	finished bool
	// The rest is there when it has ended.
	added, invalid, again int64
	taken                 [itemKinds]int64
	files                 int64 // contents that were added
	outcome               outcome
	exclusions            exclusions
}

func (rec *importRecord) encode() []byte {
	var w recordWriter
	w.text(rec.run)
	w.text(rec.instance)
	w.text(rec.config)
	w.bool(rec.finished)
	if rec.finished {
		for _, n := range append([]int64{rec.added, rec.invalid, rec.again, rec.files}, rec.taken[:]...) {
			w.int(n)
		}
		rec.outcome.encode(&w)
		rec.exclusions.encode(&w)
	}
	return w.b
}

func (rec *importRecord) decode(text []byte) bool {
	r := recordReader{b: text}
	rec.run, rec.instance, rec.config, rec.finished = r.text(), r.text(), r.text(), r.bool()
	if rec.finished {
		rec.added, rec.invalid, rec.again, rec.files = r.int(), r.int(), r.int(), r.int()
		for k := range rec.taken {
			rec.taken[k] = r.int()
		}
		rec.outcome.decode(&r)
		rec.exclusions.decode(&r)
	}
	return r.end()
}

// segment is what was added since the one before. Its counts are those of the whole import.
type segment struct {
	number int64
	job    bool  // whether there is a job, with the same number
	after  int64 // of the job

	added, invalid, again, waited, files int64
	taken                                [itemKinds]int64
	items                                [itemKinds]int64 // of the job
	sum                                  uint32           // of all items
	exclusions                           exclusions

	groups   []string  // xids
	held     [][]byte  // associations that were put aside
	released []int64   // those of them, by index, that are in a job now
	contents []jobFile // without what is in them
}

func (g *segment) encode() []byte {
	var w recordWriter
	w.bool(g.job)
	for _, n := range []int64{g.after, g.added, g.invalid, g.again, g.waited, g.files, int64(g.sum)} {
		w.int(n)
	}
	for k := range itemKinds {
		w.int(g.taken[k])
		w.int(g.items[k])
	}
	g.exclusions.encode(&w)
	w.int(int64(len(g.groups)))
	for _, xid := range g.groups {
		w.text(xid)
	}
	w.int(int64(len(g.held)))
	for _, e := range g.held {
		w.text(string(e))
	}
	w.int(int64(len(g.released)))
	last := int64(0)
	for _, n := range g.released {
		w.int(n - last)
		last = n
	}
	w.int(int64(len(g.contents)))
	for i := range g.contents {
		f := &g.contents[i]
		w.int(int64(f.pos))
		w.text(string(f.typ))
		w.text(f.xid)
		w.bool(f.malware)
	}
	return w.b
}

func (g *segment) decode(text []byte) bool {
	r := recordReader{b: text}
	g.job = r.bool()
	g.after, g.added, g.invalid, g.again, g.waited, g.files, g.sum = r.int(), r.int(), r.int(), r.int(), r.int(), r.int(), uint32(r.int())
	for k := range itemKinds {
		g.taken[k], g.items[k] = r.int(), r.int()
	}
	g.exclusions.decode(&r)
	for range r.size() {
		g.groups = append(g.groups, r.text())
	}
	for range r.size() {
		g.held = append(g.held, r.bytes())
	}
	last := int64(0)
	for range r.size() {
		last += r.int()
		g.released = append(g.released, last)
	}
	for range r.size() {
		g.contents = append(g.contents, jobFile{pos: int(r.int()), typ: GroupType(r.text()), xid: r.text(), malware: r.bool()})
	}
	return r.end()
}

// progress is how far a job is.
type progress struct {
	pieces  []piece
	files   bool    // whether its contents are still to be uploaded
	refused []int64 // positions of groups whose contents are not, because they did not go in
	outcome outcome
}

func (p *progress) done() bool { return len(p.pieces) == 0 && !p.files }

func (p *progress) encode() []byte {
	var w recordWriter
	w.int(int64(len(p.pieces)))
	for _, pc := range p.pieces {
		w.int(int64(pc.from))
		w.int(int64(pc.to))
		w.int(pc.jobID)
	}
	w.bool(p.files)
	w.int(int64(len(p.refused)))
	for _, pos := range p.refused {
		w.int(pos)
	}
	p.outcome.encode(&w)
	return w.b
}

func (p *progress) decode(text []byte) bool {
	r := recordReader{b: text}
	p.pieces = make([]piece, 0, 1)
	for range r.size() {
		p.pieces = append(p.pieces, piece{part{int(r.int()), int(r.int())}, r.int()})
	}
	p.files = r.bool()
	for range r.size() {
		p.refused = append(p.refused, r.int())
	}
	p.outcome.decode(&r)
	return r.end()
}

func (o *outcome) encode(w *recordWriter) {
	for k := range o.kinds {
		w.counts(&o.kinds[k])
	}
	w.counts(&o.files)
	w.int(o.jobs)
	w.int(o.bytes)
	w.int(int64(o.more))
	w.int(int64(len(o.items)))
	for i := range o.items {
		e := &o.items[i]
		w.int(e.Seq)
		for _, s := range []string{e.Type, e.Ref, string(e.Code), e.Severity, e.Reason, e.Cause} {
			w.text(s)
		}
		w.int(e.JobID)
		w.bool(e.Unprocessed)
		w.bool(e.Content)
		w.error(e.Err)
	}
	w.int(int64(len(o.lost)))
	for _, id := range o.lost {
		w.int(id)
	}
}

func (o *outcome) decode(r *recordReader) {
	for k := range o.kinds {
		r.counts(&o.kinds[k])
	}
	r.counts(&o.files)
	o.jobs, o.bytes, o.more = r.int(), r.int(), int(r.int())
	for range r.size() {
		e := BatchItemError{Seq: r.int(), Type: r.text(), Ref: r.text(), Code: BatchCode(r.text()), Severity: r.text(), Reason: r.text(), Cause: r.text(),
			JobID: r.int(), Unprocessed: r.bool(), Content: r.bool()}
		e.Err = r.error()
		o.items = append(o.items, e)
	}
	for range r.size() {
		o.lost = append(o.lost, r.int())
	}
}

// The kinds of errors in records.
const (
	noError = iota
	validationError
	otherError
)

// error writes an error: one of a rule as it is, any other as its text.
func (w *recordWriter) error(err error) {
	v, ok := errors.AsType[*ValidationError](err)
	switch {
	case err == nil:
		w.int(noError)
	case ok:
		w.int(validationError)
		w.text(v.Field)
		w.text(v.Rule)
		w.text(v.Fix)
	default:
		w.int(otherError)
		w.text(err.Error())
	}
}

func (r *recordReader) error() error {
	switch r.int() {
	case noError:
	case validationError:
		return &ValidationError{Field: r.text(), Rule: r.text(), Fix: r.text()}
	case otherError:
		return errors.New(r.text())
	default:
		r.bad = true
	}
	return nil
}

// payloadParts writes the items of a job, without copying their text.
func (c *content) payloadParts() [][]byte {
	var parts [][]byte
	for s := range sections {
		l := &c.lists[s]
		var w recordWriter
		w.int(int64(len(l.items)))
		last := placed{}
		for _, it := range l.items {
			w.int(it.seq - last.seq)
			w.int(int64(it.end - last.end))
			last = it
		}
		w.int(int64(len(l.text)))
		parts = append(parts, w.b, l.text)
	}
	return parts
}

// readPayload undoes payloadParts. It copies the text.
func (c *content) readPayload(text []byte) bool {
	c.reset()
	r := recordReader{b: text}
	for s := range sections {
		l := &c.lists[s]
		last := placed{}
		for range r.size() {
			n, size := r.int(), r.int()
			least := int64(1)
			if last.end > 0 {
				least++ // for the comma
			}
			if size < least || size > int64(len(text))-int64(last.end) {
				return false
			}
			last = placed{last.seq + n, last.end + uint32(size)}
			l.items = append(l.items, last)
		}
		l.text = append(l.text, r.bytes()...)
		if int(last.end) != len(l.text) {
			return false
		}
		c.size += len(l.text)
	}
	return r.end()
}
