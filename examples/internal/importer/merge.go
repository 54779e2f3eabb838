package importer

import (
	"context"
	"errors"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
)

var errEnough = errors.New("no more entries are wanted")

// addMerged adds the entries of a feed after those that are the same thing were merged. What is
// said about one of these is said about the line of the first.
func (r *run) addMerged(ctx context.Context, feed *feeds.Feed, w writer) error {
	var lines lineIndex // of the entries
	entries := func(yield func(threatconnect.BatchItem, error) bool) {
		err := r.each(ctx, feed, func(e feeds.Entry) error {
			lines.add(e.Line)
			if !yield(r.itemOf(e), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
	line := 0
	merged := threatconnect.MergeItems(ctx, entries, &threatconnect.MergeOptions{
		Rating: &r.cfg.rating, Confidence: &r.cfg.confidence,
		OnMerged: func(s threatconnect.MergeStats) { r.merged(s.Read - s.Items) },
		OnItem:   func(o threatconnect.MergeOrigin) { line = lines.line(o.First) },
	})
	for item, err := range merged {
		if err == nil {
			err = r.add(ctx, item, line, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// merged counts entries that became a part of an earlier one.
func (r *run) merged(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Merged = n
	r.sum.Read += n
}
