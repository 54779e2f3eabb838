package feed

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// openState opens the state. Without --state, it returns nil.
func (im *importer) openState(ctx context.Context, run string, dryRun bool) (*feeds.State, error) {
	if im.cfg.state == "" {
		return nil, nil
	}
	store, err := cli.OpenStore(im.client, im.cfg.state)
	if err != nil {
		return nil, err
	}
	state, err := feeds.OpenState(ctx, store, feeds.StateOptions{
		Instance: im.client.BaseURL(), Owner: im.cfg.owner, Settings: "attributes " + string(im.cfg.attributes),
		Run: run, Full: im.cfg.full, DryRun: dryRun,
	})
	if err != nil {
		return nil, fmt.Errorf("--state: %s", cli.Plain(err))
	}
	return state, nil
}

// cursor returns the cursor of the last download. It is zero without --state, if everything is to be sent, and if
// the flags or the lists of --exclude have changed: the feed has to be read again then, modified or not.
func (im *importer) cursor(ctx context.Context) (threatconnect.Cursor, error) {
	if im.cfg.state == "" || !im.cfg.fromURL() {
		return threatconnect.Cursor{}, nil
	}
	state, err := im.openState(ctx, "", true)
	if err != nil {
		return threatconnect.Cursor{}, err
	}
	cursor := state.Cursor()
	sum, err := im.flagsSum(im.cfg.exclude)
	source, same := strings.CutSuffix(cursor.Source, " "+sum)
	if cursor.Source = source; !same {
		cursor = threatconnect.Cursor{}
	}
	return cursor, errors.Join(err, state.Close())
}

// setCursor makes the next run skip a download that has not been modified, as long as the flags stay the same.
func (l *load) setCursor() error {
	if l.cursor.IsZero() {
		return nil
	}
	sum, err := l.flagsSum(l.lists)
	cursor := l.cursor
	cursor.Source += " " + sum
	l.state.SetCursor(cursor)
	return err
}

// flagsSum returns a hash of everything except the feed that affects what is sent and removed.
func (im *importer) flagsSum(lists []string) (string, error) {
	settings := im.cfg.settings(im.client.BaseURL())
	delete(settings, "--full")
	settings["--remove-stale"] = fmt.Sprint(im.cfg.removeStale)
	settings["--format"] = string(im.cfg.format)
	for i, path := range lists {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("--exclude: %w", err)
		}
		settings[fmt.Sprintf("--exclude %d", i)] = fmt.Sprintf("%x", sha256.Sum256(text))
	}
	text, err := json.Marshal(settings) // in the order of the names
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}

// tellReason prints the reason for sending everything in spite of --state.
func (im *importer) tellReason(reason string) {
	switch im.sum.Full = reason; {
	case reason == "" || im.cfg.full:
	case strings.Contains(reason, "there is no state yet"):
		im.progress.line("This is the first run with --state: everything is sent.")
	default:
		im.progress.line("Everything is sent, because the saved state cannot be used: %s.", reason)
	}
}
