package export

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestExportReadsInstancesOfAllKinds(t *testing.T) {
	t.Parallel()
	for odd := threatconnecttest.Oddity(1); odd < threatconnecttest.OddityAllOddities; odd <<= 1 {
		i := newInstance(t)
		i.SetOddities(odd)
		i.add(t, "Host", "one.example", 3, time.Hour)
		assert.Equal(t, []string{"changed one.example"}, i.export(t), "oddity %b", odd)
		assert.Empty(t, i.export(t), "oddity %b", odd)
		i.SetOddities(0)
		require.NoError(t, i.client.InOwner(owner).Indicators.Hosts.Delete(t.Context(), "one.example"))
		i.SetOddities(odd)
		assert.Equal(t, []string{"deleted one.example"}, i.export(t), "oddity %b", odd)
		assert.Empty(t, i.export(t), "oddity %b", odd)
	}
}
