package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
)

// spooling keeps a writer's import in a spool. All methods do nothing on nil.
//
// What was added is kept in segments, one after the other, each with the job that it ends in: the
// payload first, then the segment, before anything of the job is sent. How far a job is is kept
// beside it. So what is in the spool is, at any moment, an import up to some item.
type spooling struct {
	spool    Spool
	instance string
	run      string
	seg      segment // what has come since the last one that was kept
	heldSize int     // bytes of the associations in it
	sum      uint32  // of all items
	from     int64   // how many items an earlier process has added
	fromSum  uint32  // of those
	left     bool    // whether something was left in the spool
	broken   error   // why nothing more is kept: items were dropped, and a later segment would say that they were added
}

// mostHeldUnkept is how many bytes of associations may wait for the next segment.
const mostHeldUnkept = 1 << 20

// digest takes an item into the checksum of all items; nil stands for one that was refused.
func (s *spooling) digest(item []byte) {
	if s != nil {
		s.sum = nextSum(s.sum, item)
	}
}

func nextSum(sum uint32, item []byte) uint32 {
	return crc32.Update(crc32.Update(sum, castagnoli, item), castagnoli, []byte{0})
}

func (s *spooling) group(xid string) {
	if s != nil {
		s.seg.groups = append(s.seg.groups, xid)
	}
}

func (s *spooling) held(e waiting) {
	if s != nil {
		s.seg.held = append(s.seg.held, e.append(nil))
		s.heldSize += waitingHeader + len(e.item)
	}
}

func (s *spooling) released(index int64) {
	if s != nil {
		s.seg.released = append(s.seg.released, index)
	}
}

// stop ends the keeping, because items that were taken are not kept.
func (s *spooling) stop(err error) {
	if s != nil {
		s.broken = err
	}
}

// write keeps a record.
func (s *spooling) write(ctx context.Context, name string, parts ...[]byte) error {
	if err := s.spool.Write(ctx, name, sealRecord(name, parts)); err != nil {
		return fmt.Errorf("%w: keep the record %s: %w", ErrSpool, name, err)
	}
	return nil
}

// read returns what is in a record.
func (s *spooling) read(ctx context.Context, name string) ([]byte, error) {
	text, err := s.spool.Read(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%w: read the record %s: %w", ErrSpool, name, err)
	}
	return openRecord(name, text)
}

func (s *spooling) remove(ctx context.Context, name string) error {
	if err := s.spool.Remove(ctx, name); err != nil {
		return fmt.Errorf("%w: remove the record %s: %w", ErrSpool, name, err)
	}
	return nil
}

// keep keeps a job, and everything that was added before its end. A nil job keeps the rest.
func (w *BatchWriter) keep(ctx context.Context, j *batchJob) error {
	s := w.spool
	if s == nil {
		return nil
	}
	if s.broken != nil {
		return s.broken
	}
	g := s.seg // a copy: what is not kept leaves no trace in what is kept later
	g.added, g.waited, g.sum, g.files = w.added, w.waited, s.sum, w.contents.Load()
	for k := range g.taken {
		g.taken[k] = w.taken[k].Load()
	}
	w.mu.Lock()
	g.invalid, g.again, g.exclusions = w.invalid, w.again, w.exclusions
	w.mu.Unlock()
	if j == nil {
		g.number = w.made + 1
	} else {
		g.job, g.number, g.after, g.contents = true, j.number, j.after, j.files
		g.items = j.kinds(j.all())
		if err := s.write(ctx, recordName(recordPayload, g.number), j.payloadParts()...); err != nil {
			return err
		}
	}
	if err := s.write(ctx, recordName(recordSegment, g.number), g.encode()); err != nil {
		return err
	}
	if j == nil {
		w.made++
	}
	s.seg, s.heldSize = segment{}, 0
	return nil
}

// keepHeld keeps what was added when much of it is in no job. What cannot be kept now, because ctx
// has ended, is kept later.
func (w *BatchWriter) keepHeld(ctx context.Context) {
	if w.spool == nil || w.spool.heldSize < mostHeldUnkept {
		return
	}
	if w.current != nil {
		_ = w.send(ctx) // it says what else there is to say itself
		return
	}
	if err := w.keep(ctx, nil); err != nil && ctx.Err() == nil {
		w.jam(err)
	}
}

// keepRest keeps what is in no job at the end.
func (w *BatchWriter) keepRest(ctx context.Context) {
	s := w.spool
	if s == nil || s.broken != nil || len(s.seg.held) == 0 && len(s.seg.released) == 0 && len(s.seg.groups) == 0 {
		return
	}
	if err := w.keep(ctx, nil); err != nil && ctx.Err() == nil {
		w.jam(err)
	}
}

// keepProgress keeps how far a job is. The items of one that is done are not needed any more.
func (w *BatchWriter) keepProgress(j *batchJob) error {
	s := w.spool
	if s == nil {
		return nil
	}
	p := progress{pieces: j.pieces, files: len(j.files) > 0, outcome: j.outcome}
	for _, f := range j.files {
		if f.refused {
			p.refused = append(p.refused, int64(f.pos))
		}
	}
	err := s.write(w.work, recordName(recordProgress, j.number), p.encode())
	if err == nil && p.done() {
		err = s.remove(w.work, recordName(recordPayload, j.number))
	}
	return err
}

// leaveSpool gives the spool back: empty when all is done, and otherwise with what is left.
func (w *BatchWriter) leaveSpool(ctx context.Context) {
	s := w.spool
	if s == nil {
		return
	}
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	var err error
	if s.left = ended != nil && !errors.Is(ended, errHalted) && !errors.Is(ended, ErrSpoolOther); !s.left {
		err = w.clearSpool(ctx, ended == nil)
	}
	if cerr := s.spool.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("%w: give it back: %w", ErrSpool, cerr)
	}
	if err != nil {
		s.left = true
		w.jam(err)
	}
}

// clearSpool removes the records of an import that has ended. That it has is kept first, so that
// it is not done again when the process ends before the last record is gone; the outcome of an
// import with a name stays when it is to be remembered.
func (w *BatchWriter) clearSpool(ctx context.Context, remember bool) error {
	s := w.spool
	rec := importRecord{run: s.run, instance: s.instance, config: string(w.body), finished: true, added: w.added, files: w.contents.Load()}
	if !remember {
		rec.run = ""
	}
	for k := range rec.taken {
		rec.taken[k] = w.taken[k].Load()
	}
	w.mu.Lock()
	rec.invalid, rec.again, rec.outcome, rec.exclusions = w.invalid, w.again, w.outcome, w.exclusions
	w.mu.Unlock()
	if err := s.write(ctx, recordImport, rec.encode()); err != nil {
		return err
	}
	return s.clear(ctx, rec.run != "")
}

// clear removes all records, the one of the import last, if at all.
func (s *spooling) clear(ctx context.Context, named bool) error {
	names, err := s.spool.Names(ctx)
	if err != nil {
		return fmt.Errorf("%w: list the records: %w", ErrSpool, err)
	}
	for _, name := range names {
		if _, _, ok := jobRecord(name); ok {
			if err := s.remove(ctx, name); err != nil {
				return err
			}
		}
	}
	if named {
		return nil
	}
	return s.remove(ctx, recordImport)
}

// kept reports whether something was left in the spool.
func (s *spooling) kept() bool { return s != nil && s.left }
