package alert

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestAlertIsStoredInInstancesOfAllKinds(t *testing.T) {
	t.Parallel()
	for odd := threatconnecttest.Oddity(1); odd < threatconnecttest.OddityAllOddities; odd <<= 1 {
		srv, env := newInstance(t)
		srv.SetOddities(odd)
		assert.Equal(t, 3, decided(t, env, demoAlert).Event.Linked, "oddity %b", odd)
		assert.True(t, decided(t, env, demoAlert).Event.Existed, "oddity %b", odd)
		assert.Len(t, srv.Groups(demoOwner), 1, "oddity %b", odd)
		assert.Len(t, srv.Notifications(), 1, "oddity %b", odd)
	}
}
