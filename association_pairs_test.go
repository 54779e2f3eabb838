package threatconnect

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of pairs is what the endpoint table has: no link that is not documented, and none left out.
func TestThePairsThatCanBeLinkedAreThoseOfTheEndpoints(t *testing.T) {
	t.Parallel()
	kinds := map[string]kind{"groups": kindGroup, "indicators": kindIndicator, "tasks": kindTask, "victims": kindVictim}
	for _, method := range []string{"POST ", "DELETE "} {
		found := map[kindPair]bool{}
		for op := range endpoints(t) {
			path, ok := strings.CutPrefix(op, method+"/v2/")
			if !ok {
				continue
			}
			for _, p := range parents {
				rest, ok := strings.CutPrefix(path, p+"/")
				child, _, _ := strings.Cut(rest, "/")
				if parent := kinds[strings.SplitN(p, "/", 2)[0]]; ok && kinds[child] != "" {
					found[kindPair{parent, kinds[child]}] = true
				}
			}
		}
		if method == "DELETE " {
			require.True(t, found[kindPair{kindIndicator, kindIndicator}], "two indicators are unlinked at the plain path")
			delete(found, kindPair{kindIndicator, kindIndicator})
		}
		assert.Len(t, found, len(kindPairs), method)
		for pair := range found {
			assert.True(t, slices.Contains(kindPairs[:], pair), "%s%v", method, pair)
		}
	}
}

// Whatever is refused says what is possible.
func TestEveryRefusedPairSaysWhatIsPossible(t *testing.T) {
	t.Parallel()
	for _, a := range []kind{kindGroup, kindIndicator, kindTask, kindVictim, kindAttribute} {
		for _, b := range []kind{kindGroup, kindIndicator, kindTask, kindVictim, kindAttribute} {
			parent, child, err := documented(target{kind: a}, target{kind: b})
			if err == nil {
				assert.Contains(t, kindPairs, kindPair{parent.kind, child.kind})
				continue
			}
			var refused *ValidationError
			require.ErrorAs(t, err, &refused)
			assert.NotEmpty(t, refused.Fix)
			assert.Contains(t, refused.Rule, a.named())
			assert.Contains(t, refused.Rule, b.named())
		}
	}
}

func TestEveryWayBetweenIndicatorsIsOfferedAndTaken(t *testing.T) {
	t.Parallel()
	for _, e := range associationEnds {
		for _, ends := range [][2]IndicatorType{{e.a, e.b}, {e.b, e.a}} {
			require.NoError(t, checkAssociation(e.as, ends[0], ends[1]))
			assert.Contains(t, waysBetween(ends[0], ends[1]), "LinkIndicators with "+string(e.as))
		}
		require.ErrorIs(t, checkAssociation(e.as, TypeMutex, TypeUserAgent), ErrValidation)
	}
	for _, a := range actionTargets {
		require.NoError(t, checkAction(a.action, a.to))
		assert.Contains(t, waysBetween(a.to, TypeFile), "LinkFileAction with "+string(a.action))
		require.ErrorIs(t, checkAction(a.action, TypeASN), ErrValidation)
	}
}
