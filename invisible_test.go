package threatconnect_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// TestThreatInvisibleCharactersAreRefused gives names with characters that nobody sees to each call that takes a
// name.
func TestThreatInvisibleCharactersAreRefused(t *testing.T) {
	t.Parallel()
	group := tc.GroupRef{Type: tc.GroupIncident, ID: 1}
	doors := map[string]func(context.Context, *tc.Client, string) error{
		"a tag": func(ctx context.Context, c *tc.Client, s string) error { return c.Tags.Add(ctx, group, s) },
		"a created tag": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Tags.Create(ctx, tc.Tag{Name: s})
			return err
		},
		"the new name of a tag": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Tags.Update(ctx, "x", tc.TagUpdate{Name: &s})
			return err
		},
		"a group": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Groups.Create(ctx, tc.NewThreat(s))
			return err
		},
		"the new name of a group": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Groups.Update(ctx, group, tc.GroupUpdate{Name: &s})
			return err
		},
		"a URL": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Indicators.URLs.Create(ctx, tc.NewURL("http://a.example/"+s))
			return err
		},
		"a user agent": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Indicators.Create(ctx, tc.NewUserAgent(s))
			return err
		},
		"a mutex": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Indicators.Create(ctx, tc.NewMutex(s))
			return err
		},
		"a security label": func(ctx context.Context, c *tc.Client, s string) error { return c.SecurityLabels.Add(ctx, group, s) },
		"the type of an attribute": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Attributes.Add(ctx, group, tc.Attribute{Type: s, Value: "x"})
			return err
		},
		"an owner": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.InOwner(s).Owners.Whoami(ctx)
			return err
		},
		"a task": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Tasks.Create(ctx, &tc.Task{Name: s})
			return err
		},
		"a victim": func(ctx context.Context, c *tc.Client, s string) error {
			_, err := c.Victims.Create(ctx, &tc.Victim{Name: s})
			return err
		},
		"a tag of a batch item": func(ctx context.Context, c *tc.Client, s string) error {
			h := tc.NewHost("a.example")
			h.Tags = []tc.Tag{{Name: s}}
			return imported(ctx, c, h)
		},
		"a group of a batch": func(ctx context.Context, c *tc.Client, s string) error { return imported(ctx, c, tc.NewThreat(s)) },
		"the type of an attribute of a batch item": func(ctx context.Context, c *tc.Client, s string) error {
			h := tc.NewHost("a.example")
			h.Attributes = []tc.Attribute{{Type: s, Value: "x"}}
			return imported(ctx, c, h)
		},
		"a security label of a batch item": func(ctx context.Context, c *tc.Client, s string) error {
			h := tc.NewHost("a.example")
			h.SecurityLabels = []tc.SecurityLabel{{Name: s}}
			return imported(ctx, c, h)
		},
	}
	for name, door := range doors {
		for _, hidden := range []string{"gpj.\u202eexe", "a\u200bb", "a\u2028b", "a\u2066b", "a\ufeffb", "a\u00adb", "a\u2029b", "a\u200fb"} {
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
			err := door(t.Context(), clientOf(t, s), hidden)
			assert.ErrorIs(t, err, tc.ErrValidation, "%s %q", name, hidden)
			assert.Zero(t, s.Count(), "%s %q", name, hidden)
		}
	}
}

// imported returns the error of an item that a batch does not take.
func imported(ctx context.Context, c *tc.Client, item tc.BatchItem) error {
	w, err := c.Batch.NewWriter(ctx, appendConfig())
	if err != nil {
		return err
	}
	return w.Add(ctx, item)
}
