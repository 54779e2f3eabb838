package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

var errNothingToCompare = errors.New("nothing stale was removed, because the feed has no indicators to compare the owner with: check whether the feed is complete")

var errTooManyInvalid = errors.New("nothing stale was removed, because more entries of the feed are invalid than --max-invalid allows")

// reconcile imports the feed and removes stale indicators. The feed is read once: the owner is compared with the items
// that deliver sends.
func (l *load) reconcile(ctx context.Context, deliver func() error) error {
	var delivered error
	report, err := l.client.Batch.Reconcile(ctx, threatconnect.ReconcileConfig{
		Owner: l.cfg.owner, MaxShare: l.cfg.maxShare, RetryFor: l.cfg.retryFor, DryRun: l.cfg.dryRun,
	}, func(yield func(threatconnect.BatchItem, error) bool) {
		wanted := true
		l.current = func(item threatconnect.BatchItem) { wanted = wanted && yield(item, nil) }
		delivered = deliver() // to its end, whatever becomes of the comparison
		switch {
		case !wanted:
		case delivered != nil:
			yield(nil, delivered)
		case l.tooManyInvalid():
			yield(nil, errTooManyInvalid)
		}
	})
	if report != nil {
		l.sum.Stale += report.Total.Stale
		l.sum.Removed += report.Total.Removed
		l.sum.StaleShare = report.Share
	}
	switch {
	case delivered != nil || err == nil:
		return delivered
	case errors.Is(err, errTooManyInvalid):
		return errTooManyInvalid
	case ctx.Err() != nil:
		return err
	}
	if _, ok := errors.AsType[*threatconnect.ValidationError](err); ok { // the flags were checked
		return errNothingToCompare
	}
	return fmt.Errorf("stale indicators were not removed, or not all of them: %s", cli.Explain(err))
}
