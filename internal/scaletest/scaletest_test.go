package scaletest

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Not parallel: it changes a flag and the environment.
func TestWorkFollowsEnvironmentAndShortFlag(t *testing.T) {
	short := flag.Lookup("test.short")
	t.Cleanup(func() { require.NoError(t, short.Value.Set(short.DefValue)) })
	for _, c := range []struct {
		name, full, short string
		hundred, three    int
		size              int
	}{
		{name: "default", short: "false", hundred: 25, three: 1, size: 100},
		{name: "short", short: "true", hundred: 5, three: 1, size: 25},
		{name: "full", full: "1", short: "false", hundred: 100, three: 3, size: 100},
		{name: "full before short", full: "1", short: "true", hundred: 100, three: 3, size: 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("FULL", c.full)
			require.NoError(t, short.Value.Set(c.short))
			assert.Equal(t, c.hundred, N(100))
			assert.Equal(t, c.three, N(3))
			assert.Equal(t, c.size, Size(100))
			assert.Equal(t, 100/c.hundred, Stride())
		})
	}
}
