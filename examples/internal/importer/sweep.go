package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
)

// errInvalidLines is why nothing is removed: a line that is invalid today may be what kept an
// indicator yesterday.
var errInvalidLines = errors.New("lines of the feed are invalid, and -lenient is not given")

// loadAndSweep imports a feed and removes from the owner what it does not hold. The feed is read
// once: what is imported is at the same time what the owner is compared with.
func (r *run) loadAndSweep(ctx context.Context, client *threatconnect.Client, feed *feeds.Feed, w writer) error {
	var loaded error
	report, err := client.Batch.Reconcile(ctx, threatconnect.ReconcileConfig{Owner: r.cfg.Owner, MaxShare: r.cfg.maxShare},
		func(yield func(threatconnect.BatchItem, error) bool) {
			wanted := true
			r.current = func(item threatconnect.BatchItem) { wanted = wanted && yield(item, nil) }
			loaded = r.load(ctx, feed, w) // to its end, whatever becomes of the comparison
			switch {
			case !wanted:
			case loaded != nil:
				yield(nil, loaded)
			case r.sum.Invalid > 0 && !r.cfg.lenient:
				yield(nil, errInvalidLines)
			}
		})
	if report != nil {
		r.sum.Stale, r.sum.Removed, r.sum.StaleShare = report.Total.Stale, report.Total.Removed, report.Share
	}
	switch {
	case loaded != nil || err == nil:
		return loaded
	case ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("what is stale was not removed, or not all of it: %s", plain(err))
}
