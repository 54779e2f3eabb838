package threatconnect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestTasksAndVictimsAreLinkedReadAndUnlinked(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		a, ctx := c.Associations, t.Context()
		incident := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Incident", Name: "Phish", Fields: map[string]string{"eventDate": "2026-01-02"}})
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"},
			threatconnecttest.IndicatorRecord{Type: "Mutex", Summary: relatedMutex.Value})
		task, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: "Call"})
		require.NoError(t, err)
		victim, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Alex"})
		require.NoError(t, err)

		err = a.Link(ctx, incident, victim)
		require.ErrorIs(t, err, threatconnect.ErrBadRequest)
		assert.ErrorContains(t, err, "a victim needs at least one asset")
		_, err = c.VictimAssets.Add(ctx, victim, &threatconnect.VictimPhone{Number: "555-0100"})
		require.NoError(t, err)
		mail, err := c.VictimAssets.Add(ctx, victim, &threatconnect.VictimEmailAddress{Address: "alex@example.com"})
		require.NoError(t, err)

		other, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Kim"})
		require.NoError(t, err)
		_, err = c.VictimAssets.Add(ctx, other, &threatconnect.VictimWebSite{URL: "http://kim.example.com/"})
		require.NoError(t, err)

		for _, link := range [][2]threatconnect.Resource{
			{incident, victim}, {other, incident}, {relatedMutex, victim}, {victim, task}, {incident, task}, {relatedHost, task}, {incident, relatedHost},
		} {
			require.NoError(t, a.Link(ctx, link[0], link[1]))
		}
		assert.Len(t, all(t, a.Victims(ctx, incident, nil)), 2)
		assert.Len(t, all(t, a.Victims(ctx, relatedMutex, nil)), 1)
		assert.Len(t, all(t, a.Victims(ctx, task, nil)), 1)
		assert.Equal(t, "Kim", all(t, a.Victims(ctx, victim, nil))[0].Name, "they share a group")
		assert.Len(t, all(t, a.Tasks(ctx, victim, nil)), 1)
		assert.Empty(t, all(t, a.Tasks(ctx, task, nil)))
		assert.Len(t, all(t, a.Groups(ctx, task, nil)), 1)
		assert.Len(t, all(t, c.Associations.Groups(ctx, victim, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident})), 1)
		assert.Len(t, all(t, a.Indicators(ctx, task, nil)), 1)
		assert.Len(t, all(t, a.Indicators(ctx, victim, nil)), 2, "one of its own, one of its group")
		assert.Len(t, all(t, c.Associations.Indicators(ctx, victim, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost})), 1)
		one, err := a.Victim(ctx, incident, other)
		require.NoError(t, err)
		assert.Equal(t, "Kim", one.Name)
		back, err := a.Task(ctx, victim, task)
		require.NoError(t, err)
		assert.Equal(t, "Call", back.Name)

		assert.Len(t, all(t, a.VictimAssets(ctx, incident, nil)), 3)
		mails := all(t, a.VictimAssets(ctx, task, &threatconnect.RelatedVictimAssetOptions{Type: threatconnect.VictimAssetEmailAddress}))
		require.Len(t, mails, 1)
		assert.Equal(t, "alex@example.com", mails[0].Summary())
		assert.Len(t, all(t, a.VictimAssets(ctx, victim, nil)), 2)
		asset, err := a.VictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID)
		require.NoError(t, err)
		assert.Equal(t, "alex@example.com", asset.Summary())
		require.NoError(t, a.UnlinkVictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID))
		require.ErrorIs(t, a.UnlinkVictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, mail.Meta().ID), threatconnect.ErrNotFound)
		assert.Len(t, all(t, a.VictimAssets(ctx, incident, nil)), 2)
		assert.Len(t, all(t, a.VictimAssets(ctx, victim, nil)), 2, "the victim keeps its assets")

		require.NoError(t, a.Unlink(ctx, victim, task))
		assert.Empty(t, all(t, a.Tasks(ctx, victim, nil)))
		require.NoError(t, a.Unlink(ctx, victim, incident))
		assert.Empty(t, all(t, a.Victims(ctx, victim, nil)))
	})
}

func TestTasksAndVictimsCarryTagsAndLabels(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, _ *threatconnecttest.Server, c *threatconnect.Client) {
		ctx := t.Context()
		task, err := c.Tasks.Create(ctx, &threatconnect.Task{Name: "Call"})
		require.NoError(t, err)
		victim, err := c.Victims.Create(ctx, &threatconnect.Victim{Name: "Alex"})
		require.NoError(t, err)
		for _, r := range []threatconnect.Resource{task, victim} {
			require.NoError(t, c.Tags.Add(ctx, r, "A/B"))
			require.NoError(t, c.SecurityLabels.Add(ctx, r, "TLP:RED"))
		}
		for name, by := range map[string]carriers{"A/B": c.Tags, "TLP:RED": c.SecurityLabels} {
			assert.Len(t, all(t, by.Tasks(ctx, name, nil)), 1)
			assert.Len(t, all(t, by.Victims(ctx, name, nil)), 1)
			got, err := by.Task(ctx, name, task)
			require.NoError(t, err)
			assert.Equal(t, "Call", got.Name)
			who, err := by.Victim(ctx, name, victim)
			require.NoError(t, err)
			assert.Equal(t, "Alex", who.Name)
			require.ErrorIs(t, second(by.Task(ctx, name, threatconnect.TaskRef{ID: 1})), threatconnect.ErrNotFound)
		}
		require.NoError(t, c.Tags.Delete(ctx, "A/B"))
		require.NoError(t, c.SecurityLabels.Delete(ctx, "TLP:RED"))
		on, err := c.Tags.On(ctx, task)
		require.NoError(t, err)
		assert.Empty(t, on)
		labels, err := c.SecurityLabels.On(ctx, victim)
		require.NoError(t, err)
		assert.Empty(t, labels)
	})
}
