package threatconnecttest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// others returns the other ends of an item's links, in creation order.
func others(h holder) []holder {
	var all []holder
	for l := range links(h) {
		all = append(all, l.to(h))
	}
	return all
}

func TestLinksKeepTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld()
	o := w.owners[0]
	hub := w.newGroup(o, groupTypes[0], "hub", "", 0)
	var spokes []holder
	for range 5 {
		g := w.newGroup(o, groupTypes[0], "spoke", "", 0)
		if len(spokes)%2 == 0 {
			associate(hub, g, "")
		} else {
			associate(g, hub, "")
		}
		associate(g, hub, "") // adds no second link
		spokes = append(spokes, g)
	}
	associate(spokes[0], spokes[1], "")
	associate(hub, spokes[2], "another way")
	require.Equal(t, append(slices.Clone(spokes), spokes[2]), others(hub))
	require.Equal(t, spokes, associated(hub, nil), "each item must occur once")
	require.NotNil(t, associatedAs(spokes[2], hub, "another way"))
	require.Nil(t, associatedAs(spokes[1], hub, "another way"))

	for _, remove := range []int{2, 0, 4} { // the middle, first and last link
		assert.True(t, dissociate(spokes[remove], hub))
		assert.False(t, dissociate(hub, spokes[remove]))
		assert.False(t, areAssociated(hub, spokes[remove]))
		require.NoError(t, w.check())
	}
	assert.Equal(t, []holder{spokes[1], spokes[3]}, others(hub))
	assert.Equal(t, []holder{spokes[1]}, others(spokes[0]))
	dissociateAll(hub)
	assert.Empty(t, others(hub))
	assert.Empty(t, others(spokes[3]))
	assert.Equal(t, []holder{spokes[0]}, others(spokes[1]))
	require.NoError(t, w.check())
}
