package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Import imports items into an owner and returns the counts. It creates a writer, adds the items and closes the writer.
// The cost is about six requests for a job of about 5,000 indicators, and more while the platform is busy.
//
// An item that breaks a rule is left out and the import continues; an error of the sequence ends the
// import after the items before it. If items failed or the import ended early, the error is a [*BatchError].
//
// With a spool, Import goes on with what is in it; see [BatchService.NewWriter]. The sequence is compared with the
// items that the earlier process has added, by a checksum, and those are not added again. If the sequence does not
// begin with them, because the feed has changed since, Import finishes what is in the spool and then imports the whole
// sequence, ranging over it a second time. The counts are then those of the second part. A sequence that can be
// ranged over only once returns an error that matches [ErrSpoolOther] in that case; the spool is finished
// then, and the next Import starts from the first item.
func (s BatchService) Import(ctx context.Context, config BatchConfig, items iter.Seq2[BatchItem, error]) (BatchStats, error) {
	w, err := s.NewWriter(ctx, config)
	if err != nil {
		return BatchStats{}, err
	}
	if w.closed { // the import has ended before
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
	errSingleUse   = fmt.Errorf("%w: the feed has changed since that import began, and its items cannot be read twice; what was in the spool is imported: import the feed again", ErrSpoolOther)
)

// importAll adds items and closes the writer. If they do not begin with those that an earlier process has added, the
// error is errFeedChanged, and the writer is not closed; read then tells which items were read. again is that of a
// first pass, after which the sequence must give the same items once more.
func (w *BatchWriter) importAll(ctx context.Context, items iter.Seq2[BatchItem, error], again *prefix) (read *prefix, err error) {
	returned := false
	defer func() {
		if !returned { // the sequence panicked: nothing goes on in the background
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
		if count++; count <= resumed.Added || again != nil && count <= again.count {
			read.add(in)
		}
		if again != nil && (count == 1 && read.first != again.first || count == again.count && read.sum != again.sum) {
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
		if err := w.Add(ctx, in); err != nil && !w.refuses(err) {
			break // Close says why
		}
	}
	returned = true
	if source == nil && again != nil && count < again.count {
		source = errSingleUse
	}
	if source == nil && resumed.Added > 0 && (count < resumed.Added || count == resumed.Added && read.sum != resumed.Sum) {
		return read, errFeedChanged
	}
	return read, w.close(ctx, source)
}

// prefix is a checksum of the first items of a sequence.
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

// refuses reports whether an error is about one item only; Import then reports it and continues.
func (w *BatchWriter) refuses(err error) bool {
	e, ok := errors.AsType[*BatchItemError](err)
	if !ok || errors.Is(err, ErrBatchHalted) {
		return false
	}
	w.engine.Note(item.Failure{Seq: e.Seq, Type: e.Type, Name: e.Ref, Err: e.Err})
	return true
}
