package changes

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// state holds the cursor of each owner. The position of a saved cursor is the settings of its run.
type state struct {
	settings string
	places   []place // empty if the state is not saved
	cursors  map[string]threatconnect.Cursor
}

// forgetTries is the number of attempts to reset a state that other runs save at the same time.
const forgetTries = 10

// place is where the cursor of an owner is saved.
type place struct {
	owner, name string
	store       feeds.Store
	saved       *feeds.SavedCursor
}

// openState returns the state that --state names. Nothing is read or sent yet.
func (c *config) openState(client *threatconnect.Client) (*state, error) {
	s := &state{settings: c.settings(), cursors: map[string]threatconnect.Cursor{}}
	if c.stateAt == "" || c.stateAt == "none" {
		return s, nil
	}
	for _, owner := range c.owners {
		name := c.stateAt + "." + url.QueryEscape(owner)
		store, err := cli.OpenStore(client, name)
		if err != nil {
			return nil, err
		}
		s.places = append(s.places, place{owner: owner, name: name, store: store})
	}
	return s, nil
}

// load reads the cursors. With reset, it ignores their values.
func (s *state) load(ctx context.Context, reset bool) error {
	for i := range s.places {
		p := &s.places[i]
		var err error
		if p.saved, err = feeds.LoadCursor(ctx, p.store); err != nil {
			return fmt.Errorf("--state %s: %w", p.name, err)
		}
		cursor := p.saved.Cursor()
		switch {
		case reset || cursor.IsZero():
			continue
		case cursor.Position != s.settings:
			return fmt.Errorf("--state %s: the last run selected other indicators (%s, now %s), and continuing would leave gaps: name another state, or run with --reset",
				p.name, flagsOr(cursor.Position), flagsOr(s.settings))
		}
		s.cursors[p.owner] = cursor
	}
	return nil
}

func flagsOr(settings string) string {
	if settings == "" {
		return "no flags"
	}
	return settings
}

// save saves the cursors. If another run has saved a cursor since, the output of this run may have replaced newer
// output, so the next run reads everything.
func (s *state) save(ctx context.Context) error {
	for _, p := range s.places {
		cursor := s.cursors[p.owner]
		cursor.Position = s.settings
		err := p.saved.Save(ctx, cursor)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, feeds.ErrConcurrentRun):
			return fmt.Errorf("--state %s: the output is complete, but the state was not saved; the next run writes the same changes again: %w", p.name, err)
		}
		if err := s.forget(ctx); err != nil {
			return fmt.Errorf("--state %s: another run has used it at the same time, and it cannot be reset: run with --reset: %w", p.name, err)
		}
		return fmt.Errorf("--state %s: another run has used it at the same time: the next run reads everything", p.name)
	}
	return nil
}

// forget makes the next run read everything, even if other runs save at the same time.
func (s *state) forget(ctx context.Context) error {
	for _, p := range s.places {
		err := feeds.ErrConcurrentRun
		for try := 0; try < forgetTries && errors.Is(err, feeds.ErrConcurrentRun); try++ {
			var saved *feeds.SavedCursor
			if saved, err = feeds.LoadCursor(ctx, p.store); err == nil {
				err = saved.Save(ctx, threatconnect.Cursor{})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
