package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// stateStore returns the store that --state names.
func (im *importer) stateStore() (feeds.Store, error) {
	name, found := strings.CutPrefix(im.cfg.state, "datastore:")
	if !found {
		return feeds.NewFileStore(name), nil
	}
	domain, rest, _ := strings.Cut(name, "/")
	typ, id, found := strings.Cut(rest, "/")
	if !found {
		return nil, errors.New("write the DataStore as datastore:DOMAIN/TYPE/ID, as in datastore:local/feed/state")
	}
	return feeds.NewDataStore(im.client, threatconnect.DataStoreDomain(domain), typ, id)
}

// openState opens the state. Without --state, it returns nil.
func (im *importer) openState(ctx context.Context, run string, dryRun bool) (*feeds.State, error) {
	if im.cfg.state == "" {
		return nil, nil
	}
	store, err := im.stateStore()
	if err == nil {
		var state *feeds.State
		state, err = feeds.OpenState(ctx, store, feeds.StateOptions{
			Instance: im.client.BaseURL(), Owner: im.cfg.owner, Settings: "attributes " + string(im.cfg.attributes),
			Run: run, Full: im.cfg.full, DryRun: dryRun,
		})
		if err == nil {
			return state, nil
		}
	}
	return nil, fmt.Errorf("--state: %s", cli.Plain(err))
}

// cursor returns the cursor of the last download. It is zero without --state, and if everything is to be sent.
func (im *importer) cursor(ctx context.Context) (threatconnect.Cursor, error) {
	if im.cfg.state == "" || !im.cfg.fromURL() {
		return threatconnect.Cursor{}, nil
	}
	state, err := im.openState(ctx, "", true)
	if err != nil {
		return threatconnect.Cursor{}, err
	}
	return state.Cursor(), state.Close()
}

// tellReason says why everything is sent in spite of --state.
func (im *importer) tellReason(reason string) {
	switch im.sum.Full = reason; {
	case reason == "" || im.cfg.full:
	case strings.Contains(reason, "there is no state yet"):
		im.progress.line("This is the first run with --state: everything is sent.")
	default:
		im.progress.line("Everything is sent, because the state of --state cannot be used: %s.", reason)
	}
}
