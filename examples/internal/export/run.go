package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

// sink takes changes and is then either committed or left as if it had never been.
type sink interface {
	write(c *change) error
	commit() error
	abort()
}

// counts are how many rows of a kind there were.
type counts struct{ changed, deleted, withdrawn, repeated int }

// run exports what has changed since the run that store remembers.
func (c *config) run(ctx context.Context, e *command.Env, client *threatconnect.Client, store stateStore) error {
	last := &state{}
	if !c.reset {
		var err error
		if last, err = store.load(ctx); err != nil {
			return err
		}
		if err := last.check(client.BaseURL(), c.selection()); err != nil {
			return err
		}
	}
	first := len(last.Owners) == 0
	out, err := c.sink(e, first)
	if err != nil {
		return err
	}
	next := &state{Version: stateVersion, Instance: client.BaseURL(), Selection: c.selection(), Owners: map[string]progress{}}
	for owner, p := range last.Owners {
		next.Owners[owner] = p // also those that this run does not ask for
	}
	reports := make([]string, 0, len(c.owners))
	for _, owner := range c.owners {
		p, n, err := c.exportOwner(ctx, client, owner, last.Owners[owner], out)
		if err != nil {
			out.abort()
			if errors.Is(err, threatconnect.ErrOwnerRefused) {
				err = fmt.Errorf("owner %q: %w", owner, err)
			}
			return err
		}
		next.Owners[owner] = p
		reports = append(reports, n.report(owner, p))
		if p.forgot {
			reports = append(reports, fmt.Sprintf("%q: more than %d indicators were changed within the overlap; the next run repeats some of them", owner, maxRemembered))
		}
	}
	if err := out.commit(); err != nil {
		return err
	}
	if err := store.save(ctx, next); err != nil {
		return fmt.Errorf("everything was exported, but the run could not be remembered, so that the next one repeats it: %w", err)
	}
	for _, r := range reports {
		e.Say(name, "%s", r)
	}
	return nil
}

func (n *counts) report(owner string, p progress) string {
	s := fmt.Sprintf("%q: %d changed, %d deleted, %d withdrawn", owner, n.changed, n.deleted, n.withdrawn)
	if n.repeated > 0 {
		s += fmt.Sprintf("; %d of the overlap were known", n.repeated)
	}
	if !p.Cursor.IsZero() {
		s += "; read up to " + p.Cursor.UTC().Format(time.RFC3339)
	}
	return s
}

// exportOwner writes what has changed in an owner and returns how far it came.
//
// Deletions come first: what was deleted and created anew then ends as changed. An indicator whose
// deletion was just written is written again even when the last run has already exported it, because
// its creation may lie in the overlap as well.
func (c *config) exportOwner(ctx context.Context, client *threatconnect.Client, owner string, last progress, out sink) (progress, counts, error) {
	client = client.InOwner(owner)
	var n counts
	first := last.Cursor.IsZero()
	since := time.Time{}
	if !first {
		since = last.Cursor.Add(-c.overlap)
	}
	known, err := last.known()
	if err != nil {
		return last, n, err
	}
	began := time.Now()
	w := newWindow(c.overlap)
	gone := map[uint64]bool{}
	for d, err := range client.Indicators.Deleted(ctx, &threatconnect.DeletedOptions{Since: since}) {
		if err != nil {
			return last, n, err
		}
		key := keyOf(deleted, owner, string(d.Type), d.Summary, d.DateAdded)
		w.keep(key)
		switch {
		case known[key]:
			n.repeated++
			continue
		case !c.filter.wantsType(d.Type):
			continue
		}
		gone[keyOf("", owner, string(d.Type), d.Summary, time.Time{})] = true
		n.deleted++
		if err := out.write(&change{Action: deleted, Owner: owner, Type: d.Type, Indicator: d.Summary, DateAdded: d.DateAdded}); err != nil {
			return last, n, err
		}
	}
	opts := &threatconnect.IndicatorListOptions{ModifiedSince: since, Include: threatconnect.Include{Tags: true}}
	if !first { // one that is inactive now must be withdrawn
		opts.Filters = threatconnect.Filters{threatconnect.ByActive.Is(true), threatconnect.ByActive.Is(false)}
		opts.Any = true
	}
	for ind, err := range client.Indicators.All(ctx, opts) {
		if err != nil {
			return last, n, err
		}
		row := changeOf(owner, ind)
		key := keyOf(changed, owner, string(row.Type), row.Indicator, row.LastModified)
		w.add(key, row.LastModified)
		back := len(gone) > 0 && gone[keyOf("", owner, string(row.Type), row.Indicator, time.Time{})]
		switch {
		case known[key] && !back:
			n.repeated++
			continue
		case !c.filter.wantsType(row.Type):
			continue
		case c.filter.wants(ind.Meta()):
			n.changed++
		case first:
			continue // there is nothing to withdraw it from
		default:
			row.Action = withdrawn
			n.withdrawn++
		}
		if err := out.write(row); err != nil {
			return last, n, err
		}
	}
	return w.progress(last.Cursor, began), n, nil
}
