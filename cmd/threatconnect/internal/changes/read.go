package changes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// tally counts the rows of an owner.
type tally struct {
	owner                       string
	changed, deleted, withdrawn int64
	upTo                        time.Time // time of the latest change; zero if none was ever seen
}

func (t *tally) String() string {
	s := fmt.Sprintf("%q: %s changed, %s deleted, %s withdrawn", t.owner, cli.Number(t.changed), cli.Number(t.deleted), cli.Number(t.withdrawn))
	if !t.upTo.IsZero() {
		s += ", up to " + t.upTo.Format(time.RFC3339)
	}
	return s
}

// read writes the changes of the client's owner since the state, and moves the state.
func (c *config) read(ctx context.Context, env *cli.Env, client *threatconnect.Client, state *state, out sink) (*tally, error) {
	t := &tally{owner: client.Owner()}
	cursor := state.cursors[t.owner]
	progress := c.progress(env)
	defer progress.end()
	changes := client.Changes(ctx, cursor, &threatconnect.ChangeOptions{Include: threatconnect.Include{Tags: true}})
	for change, err := range changes.All() {
		if invalid, ok := errors.AsType[*threatconnect.ValidationError](err); ok && invalid.Field == "cursor" {
			return nil, errors.New("--state belongs to another instance: name another one, or run with --reset")
		}
		if err != nil {
			return nil, err
		}
		progress.add(t.owner)
		r := newRow(t.owner, change)
		switch {
		case !c.hasType(r.Type):
			continue
		case change.Deleted:
			r.Action = deleted
			t.deleted++
		case c.has(change.Indicator.Meta()):
			r.Action = changed
			t.changed++
		case cursor.Time.IsZero():
			continue // nothing was written that could be withdrawn
		default:
			r.Action = withdrawn
			t.withdrawn++
		}
		if err := out.write(r); err != nil {
			return nil, c.outputError(err)
		}
	}
	state.cursors[t.owner] = changes.Cursor()
	t.upTo = changes.Cursor().Time
	return t, nil
}

// progress counts changes on a terminal.
type progress struct {
	bar *progressbar.ProgressBar // nil shows nothing
	n   int64
}

// progress returns the progress of a run. It shows nothing if Stderr is not a terminal, or if rows are written
// to the same terminal.
func (c *config) progress(env *cli.Env) *progress {
	if !cli.IsTerminal(env.Stderr) || c.output == "-" && cli.IsTerminal(env.Stdout) {
		return &progress{}
	}
	return &progress{bar: progressbar.NewOptions(-1, progressbar.OptionSetWriter(env.Stderr), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond))}
}

func (p *progress) add(owner string) {
	p.n++
	if p.bar != nil && p.n%100 == 0 {
		p.bar.Describe(fmt.Sprintf("%s: %s", owner, cli.Count(p.n, "change")))
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish() // the terminal of the messages: there is no other place to report it
	}
}
