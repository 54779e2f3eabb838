package lookup

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestLookupReadsInstancesOfAllKinds(t *testing.T) {
	t.Parallel()
	want := ""
	for odd := threatconnecttest.Oddity(0); odd < threatconnecttest.OddityAllOddities; odd = max(1, odd<<1) {
		srv := threatconnecttest.New(threatconnecttest.WithOddities(odd))
		require.NoError(t, fillDemo(srv))
		env := served(t, srv)
		r := run(t, env, "", append([]string{"-json"}, demoValues...)...)
		assert.Equal(t, someNotFound, r.code, "oddity %b: %s", odd, r.stderr)
		if odd == 0 {
			want = r.stdout
		}
		assert.Equal(t, want, r.stdout, "oddity %b", odd)
		r = run(t, env, "", append([]string{"-json", "-owner", "Example Organization"}, demoValues...)...)
		assert.Equal(t, someNotFound, r.code, "oddity %b: %s", odd, r.stderr)
	}
}
