package importer

import (
	"context"
	"fmt"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/delta"
)

// changes tells what of the feed has changed since the last run. Nil is an import without -state:
// everything is sent and nothing is remembered.
type changes struct{ run *delta.Run }

// startChanges opens the state that -state names. known reports whether a group was in the owner before the import.
func (r *run) startChanges(ctx context.Context, client *threatconnect.Client) (known func(xid string) bool, err error) {
	if r.cfg.state == "" {
		return nil, nil
	}
	store, err := delta.Open(client, r.cfg.state)
	if err != nil {
		return nil, fmt.Errorf("-state: %w", err)
	}
	d, err := delta.Start(ctx, store, delta.Header{
		Instance: client.BaseURL(), Owner: r.cfg.Owner, Settings: "attributes " + string(r.cfg.attributes),
	}, r.cfg.full, "")
	if err != nil {
		return nil, fmt.Errorf("-state: %w", err)
	}
	if r.sum.Full = d.Why(); r.sum.Full != "" {
		r.report.line("Sending everything, for the state cannot be gone on from: %s", r.sum.Full)
	}
	groups, err := d.Groups()
	if err == nil {
		err = d.Begin(ctx)
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("-state: %w", err)
	}
	r.changes = &changes{d}
	return func(xid string) bool { return groups[xid] }, nil
}

func (c *changes) unchanged(item threatconnect.BatchItem) bool {
	return c != nil && c.run.Unchanged(item)
}

func (c *changes) sent(seq int64) {
	if c != nil {
		c.run.Sent(seq)
	}
}

func (c *changes) failed(seq int64) {
	if c != nil {
		c.run.Failed(seq)
	}
}

// save remembers what is in the owner, as far as that is known.
func (c *changes) save(ctx context.Context, whole bool, st threatconnect.BatchStats, s *summary) error {
	if c == nil {
		return nil
	}
	if whole {
		_, s.Vanished = c.run.Counts()
	}
	sure := st.Total().Unknown+st.Links.Unknown+st.Links.Unprocessed == 0
	if err := c.run.Save(ctx, whole, sure); err != nil {
		return fmt.Errorf("-state: %w", err)
	}
	return nil
}

func (c *changes) close() {
	if c != nil {
		c.run.Close()
	}
}
