package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Resume makes a writer whose import survives the end of the process: it goes on with the import
// that is in config.Spool, or begins a new one when there is none. Add the items from
// [BatchWriter.Resumed] on, or none, and close it. [BatchService.Import] does that by itself.
//
// The jobs that an earlier process has left are sent first, and Resume returns when the last of
// them is under way; what they cost is what they would have cost then. A job that the platform has got is not sent
// again. Events and errors of items that were told shortly before the process ended can be told
// again.
//
// An import of another name ([BatchConfig].Run) that is in the spool is brought to its end first. One of
// another instance, or with other settings, is [ErrSpoolOther]; a spool that somebody else uses is
// [ErrSpoolLocked]; one that cannot be read matches [ErrSpool]. When the import ends before its end
// the error is a [*BatchError], and what is left stays in the spool.
func (s BatchService) Resume(ctx context.Context, config BatchConfig) (*BatchWriter, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	for {
		w, err := s.newWriter(config)
		if err != nil {
			return nil, err
		}
		if w.spool == nil {
			return nil, &ValidationError{Field: "batch spool", Rule: "is missing", Fix: "set Spool, or use NewWriter"}
		}
		other, err := w.resume(ctx)
		if err != nil {
			return nil, err
		}
		if other == nil {
			return w, nil
		}
		before := config
		before.Run = *other
		if err := s.finishOther(ctx, before); err != nil {
			return nil, err
		}
	}
}

// finishOther brings an import of another name to its end.
func (s BatchService) finishOther(ctx context.Context, config BatchConfig) error {
	w, err := s.Resume(ctx, config)
	if err != nil {
		return err
	}
	err = w.Close(ctx)
	if b, ok := errors.AsType[*BatchError](err); ok && !b.Kept {
		return nil // items that failed were told
	}
	return err
}

// Resumed returns how many items earlier processes have added to the import, those that were refused
// included. They are done, or in the spool, and must not be added again. It is 0 without a spool.
func (w *BatchWriter) Resumed() int64 {
	if w.spool == nil {
		return 0
	}
	return w.spool.from
}

// resume takes the spool and goes on with what is in it. other is the name of the import that is
// there when it is another one; the spool is given back then.
func (w *BatchWriter) resume(ctx context.Context) (other *string, err error) {
	s := w.spool
	if err := s.spool.Open(ctx); err != nil {
		if !errors.Is(err, ErrSpool) {
			err = fmt.Errorf("%w: open it: %w", ErrSpool, err)
		}
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rec, found, err := w.begun(ctx)
	switch {
	case err != nil:
	case found && rec.finished && rec.run == s.run && s.run != "":
		w.restoreOutcome(rec)
		w.closed, w.result = true, w.finalError()
		return nil, s.spool.Close()
	case found && !rec.finished && rec.run != s.run:
		return &rec.run, s.spool.Close()
	case found && !rec.finished:
		if err = w.restore(ctx); err == nil {
			return nil, nil
		}
	default:
		err = s.write(ctx, recordImport, (&importRecord{run: s.run, instance: s.instance, config: string(w.body)}).encode())
		if err == nil {
			return nil, nil
		}
	}
	w.halt(err)
	w.stop(err)
	w.running.Wait()
	w.held.discard()
	_ = s.spool.Close() // there is an error already
	w.closed, s.left = true, true
	if w.made > 0 {
		w.result = w.finalError()
		return nil, w.result
	}
	w.result = err
	return nil, err
}

// begun reads what is imported into the spool. What is left of an import that has ended, and whose
// outcome nobody asks for, is removed.
func (w *BatchWriter) begun(ctx context.Context) (rec importRecord, found bool, err error) {
	s := w.spool
	names, err := s.spool.Names(ctx)
	if err != nil {
		return rec, false, fmt.Errorf("%w: list the records: %w", ErrSpool, err)
	}
	if !slices.Contains(names, recordImport) {
		for _, name := range names {
			if _, _, ok := jobRecord(name); ok {
				return rec, false, fmt.Errorf("%w: the record %s is missing, and others are there: the spool was changed by somebody else", ErrSpoolRecord, recordImport)
			}
		}
		return rec, false, nil
	}
	text, err := s.read(ctx, recordImport)
	if err == nil && !rec.decode(text) {
		err = fmt.Errorf("%w: %s holds something else", ErrSpoolRecord, recordImport)
	}
	switch {
	case err != nil:
		return rec, false, err
	case rec.finished && (rec.run == "" || rec.run != s.run):
		return rec, false, s.clear(ctx, false)
	case rec.finished:
		return rec, true, s.clear(ctx, true)
	case rec.instance != s.instance:
		return rec, false, fmt.Errorf("%w: it is for another base URL: finish it there, or give another spool", ErrSpoolOther)
	case rec.config != string(w.body):
		return rec, false, fmt.Errorf("%w: its owner or write types are others: finish it with those, or give another spool", ErrSpoolOther)
	}
	return rec, true, nil
}

// restoreOutcome takes over how an import has ended.
func (w *BatchWriter) restoreOutcome(rec importRecord) {
	w.added, w.invalid, w.again, w.outcome, w.exclusions = rec.added, rec.invalid, rec.again, rec.outcome, rec.exclusions
	w.spool.from = rec.added
	w.contents.Store(rec.files)
	for k := range rec.taken {
		w.taken[k].Store(rec.taken[k])
	}
}
