package feed

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOriginsAt(t *testing.T) {
	t.Parallel()
	kinds := []string{"Host", "Address", groupKind}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		var x origins
		var all []origin
		o := origin{1, "Host"}
		for range 5000 {
			all = append(all, o)
			x.add(o)
			o.line++
			if random.IntN(int(seed)+1) == 0 {
				o = origin{random.IntN(1 << 20), kinds[random.IntN(len(kinds))]}
			}
		}
		for seq, want := range all {
			require.Equal(t, want, x.at(int64(seq)), "seed %d item %d", seed, seq)
		}
		assert.Zero(t, x.at(-1))
		assert.Zero(t, x.at(5000))
	}
	var none origins
	assert.Zero(t, none.at(0))
}

func TestOriginsAreCompact(t *testing.T) {
	t.Parallel()
	var lines, objects origins
	for i := range 1_000_000 {
		lines.add(origin{i + 1, "Host"})
		objects.add(origin{12 + i*24, "URL"})
	}
	assert.Len(t, lines.marks, 1)
	assert.Empty(t, lines.runs)
	assert.Less(t, len(objects.runs), 4_000_000)
	assert.Less(t, len(objects.marks), 5_000)
}
