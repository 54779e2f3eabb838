package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Import imports items into an owner and returns the counts. It creates a [BatchWriter], adds the items, and
// closes the writer. It costs about six requests per job of about 5,000 indicators, and more while the
// platform is busy.
//
// An item that breaks a rule is reported and left out, and the import continues. An error of the sequence
// ends the import after the items before it. If an item failed or the import ended early, the error is a
// [*BatchError]. An invalid configuration returns a [*ValidationError] before anything is sent.
//
// With a spool, Import resumes the import in it; see [BatchService.NewWriter]. It compares the sequence with
// the items that the earlier process added, by a checksum, and does not add those again. If the sequence does
// not begin with them, the feed has changed. Import then finishes the import in the spool, ranges over the
// sequence a second time, and imports all of it; the counts are those of the second import. If the sequence
// can be ranged over only once, the error matches [ErrSpoolOther]; the spool is finished by then, and the
// next Import starts from the first item.
func (s BatchService) Import(ctx context.Context, config BatchConfig, items iter.Seq2[BatchItem, error]) (BatchStats, error) {
	w, err := s.NewWriter(ctx, config)
	if err != nil {
		return BatchStats{}, err
	}
	if w.closed { // the import has ended in an earlier process
		return w.Stats(), w.result
	}
	past, err := w.importAll(ctx, items, nil)
	if !errors.Is(err, errFeedChanged) {
		return w.Stats(), err
	}
	w.engine.Forget()
	if err := w.finish(ctx); err != nil {
		return w.Stats(), err
	}
	if w, err = s.NewWriter(ctx, config); err != nil {
		return BatchStats{}, err
	}
	_, err = w.importAll(ctx, items, past)
	return w.Stats(), err
}

var (
	errFeedChanged = errors.New("threatconnect: the feed has changed since the import in the spool began")
	errSingleUse   = fmt.Errorf("%w: the feed has changed since that import began, and its items cannot be read twice; the items in the spool are imported: import the feed again", ErrSpoolOther)
)

// importAll adds items and closes the writer. If the items do not begin with those that an earlier process
// added, it returns errFeedChanged and does not close the writer. read describes the items that were read. If
// previous is not nil, it describes the items of an earlier pass, which the sequence must repeat.
func (w *BatchWriter) importAll(ctx context.Context, items iter.Seq2[BatchItem, error], previous *prefix) (read *prefix, err error) {
	returned := false
	defer func() {
		if !returned { // the sequence panicked: stop the work in the background
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_ = w.Close(ended)
		}
	}()
	var source error
	read = &prefix{encoder: encoder{action: w.cfg.Action}}
	resumed := w.engine.Resumed()
	count := int64(0) // in this pass
	for in, err := range items {
		if err != nil {
			source = err
			break
		}
		if count++; count <= resumed.Added || previous != nil && count <= previous.count {
			read.add(in)
		}
		if previous != nil && (count == 1 && read.first != previous.first || count == previous.count && read.sum != previous.sum) {
			source = errSingleUse
			break
		}
		if count < resumed.Added {
			continue
		}
		if count == resumed.Added {
			if read.sum == resumed.Sum {
				continue
			}
			break
		}
		if err := w.Add(ctx, in); err != nil && !w.noteRefused(err) {
			break // Close returns the error
		}
	}
	returned = true
	if source == nil && previous != nil && count < previous.count {
		source = errSingleUse
	}
	if source == nil && resumed.Added > 0 && (count < resumed.Added || count == resumed.Added && read.sum != resumed.Sum) {
		return read, errFeedChanged
	}
	return read, w.close(ctx, source)
}

// prefix is the checksum of the first items of a sequence.
type prefix struct {
	encoder    encoder
	summer     item.Summer
	count      int64
	first, sum item.Sum
}

func (p *prefix) add(in BatchItem) {
	enc, err := p.encoder.encode(in)
	if err != nil {
		enc = nil
	}
	p.sum = p.summer.Next(p.sum, enc)
	if p.count++; p.count == 1 {
		p.first = p.sum
	}
}

// noteRefused reports an error about a single item, after which the import continues. It returns false for
// any other error.
func (w *BatchWriter) noteRefused(err error) bool {
	e, ok := errors.AsType[*BatchItemError](err)
	if !ok || errors.Is(err, ErrBatchHalted) {
		return false
	}
	w.engine.Note(item.Failure{Seq: e.Seq, Type: e.Type, Name: e.Ref, Err: e.Err})
	return true
}
