package threatconnect

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of pairs must match the endpoint table: no undocumented link, and none missing.
func TestLinkablePairsMatchEndpoints(t *testing.T) {
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
			require.True(t, found[kindPair{kindIndicator, kindIndicator}], "two indicators are unlinked without an association type")
			delete(found, kindPair{kindIndicator, kindIndicator})
		}
		assert.Len(t, found, len(kindPairs), method)
		for pair := range found {
			assert.True(t, slices.Contains(kindPairs[:], pair), "%s%v", method, pair)
		}
	}
}

func TestRejectedPairErrorNamesAlternatives(t *testing.T) {
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

func TestIndicatorAssociationTypesAreOfferedAndAccepted(t *testing.T) {
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

// Both ends of an association must be recoverable from its path, whatever their values, and the
// template must contain neither.
func FuzzAssociationPathEscaping(f *testing.F) {
	f.Add("www.example.com", "http://a/b?c#d")
	f.Add("..", "/")
	f.Add("...", ".")
	f.Add("%2F", "a b+c")
	f.Add("{}", "\x00\xff")
	f.Add("", "a")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := at("v2", "indicators", "mutexes", value(a)).join(at("v2", "indicators", "urls", value(b)))
		step := func(v string) bool { return v == "" || v == "." || v == ".." }
		if (step(a) || step(b)) != (r.err != nil) {
			t.Fatal(r.err)
		}
		if r.err != nil {
			return
		}
		segs := strings.Split(r.path, "/")
		if len(segs) != 8 {
			t.Fatalf("%d segments", len(segs))
		}
		for i, want := range map[int]string{1: "v2", 2: "indicators", 3: "mutexes", 4: a, 5: "indicators", 6: "urls", 7: b} {
			if got, err := url.PathUnescape(segs[i]); err != nil || got != want {
				t.Errorf("segment %d: %q, %v", i, got, err)
			}
		}
		if r.template != "/v2/indicators/mutexes/{}/indicators/urls/{}" {
			t.Error(r.template)
		}
	})
}

func TestAttackTagsForFeeds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		matrix        AttackMatrix
		id, technique string
		tactics       []string
		want          []string // nil if the arguments are invalid
	}{
		"a sub-technique":                {AttackEnterprise, "T1546.011", "Event Triggered Execution", []string{"PER"}, []string{"T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK"}},
		"a technique with two tactics":   {AttackEnterprise, "T1546", "Event Triggered Execution", []string{"Persistence", "privilege-escalation"}, []string{"T1546 - Event Triggered Execution - PER - ENT - ATT&CK", "T1546 - Event Triggered Execution - PRI - ENT - ATT&CK"}},
		"no tactic":                      {AttackEnterprise, "T1003", " OS Credential Dumping ", nil, []string{"T1003 - OS Credential Dumping - NDT - ENT - ATT&CK"}},
		"command and control":            {AttackEnterprise, "T1071", "Application Layer Protocol", []string{"Command_and_Control"}, []string{"T1071 - Application Layer Protocol - C&C - ENT - ATT&CK"}},
		"a technique of PRE-ATT&CK":      {AttackPRE, "T1328", "Buy domain name", []string{"Establish & Maintain Infrastructure"}, []string{"T1328 - Buy domain name - EMI - PRE - ATT&CK"}},
		"a tactic of the other matrix":   {AttackEnterprise, "T1328", "Buy domain name", []string{"EMI"}, nil},
		"a tactic without abbreviation":  {AttackEnterprise, "T1583", "Acquire Infrastructure", []string{"Resource Development"}, nil},
		"an unknown tactic":              {AttackEnterprise, "T1583", "Acquire Infrastructure", []string{"Guessing"}, nil},
		"no matrix":                      {"", "T1003", "OS Credential Dumping", nil, nil},
		"an ID without T":                {AttackEnterprise, "1003", "OS Credential Dumping", nil, nil},
		"a sub-technique of two digits":  {AttackEnterprise, "T1546.11", "Event Triggered Execution", nil, nil},
		"a tactic's ID":                  {AttackEnterprise, "TA0003", "Persistence", nil, nil},
		"no name":                        {AttackEnterprise, "T1003", " ", nil, nil},
		"a name that makes the tag long": {AttackEnterprise, "T1003", strings.Repeat("x", 120), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := AttackTags(tc.matrix, tc.id, tc.technique, tc.tactics...)
			if tc.want == nil {
				require.ErrorIs(t, err, ErrValidation)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestParseAttackTag(t *testing.T) {
	t.Parallel()
	tactic := func(name string) AttackTactic {
		tactic, ok := AttackTacticOf(name)
		require.True(t, ok, name)
		return tactic
	}
	for tag, want := range map[string]AttackTag{
		"T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK":                 {"T1546.011", "Event Triggered Execution", tactic("Persistence"), AttackEnterprise},
		"T1003 - A - B - NDT - ENT - ATT&CK":                                         {"T1003", "A - B", AttackTactic{}, AttackEnterprise},
		"T1328 - Buy domain name - EMI - PRE - ATT&CK":                               {"T1328", "Buy domain name", tactic("EMI"), AttackPRE},
		"Privilege-Escalation":                                                       {Tactic: tactic("PRI")},
		"Reconnaissance":                                                             {Tactic: tactic("reconnaissance")},
		"T1499.004 - Endpoint Denial of Service: Application or System Exploitation": {"T1499.004", "Endpoint Denial of Service: Application or System Exploitation", AttackTactic{}, ""},
	} {
		got, ok := ParseAttackTag(" " + tag + " ")
		require.True(t, ok, tag)
		assert.Equal(t, want, got)
		assert.Equal(t, tag, got.String())
	}
	for _, tag := range []string{"", "Phishing", "APT - 1", "T1566", "T1566 - ", "T15 - Phishing", "T1003 - x - QQQ - ENT - ATT&CK", "T1003 - x - PER - PRE - ATT&CK",
		"T1003 - x - PER - MOB - ATT&CK", "Privilege Escalation", "NDT", "T1003 -  - PER - ENT - ATT&CK"} {
		_, ok := ParseAttackTag(tag)
		assert.False(t, ok, tag)
	}
	assert.Empty(t, AttackTag{}.String())
}

func TestAttackTacticLookup(t *testing.T) {
	t.Parallel()
	tactics := AttackTactics()
	seen := map[string]bool{"NDT": true}
	perMatrix := map[AttackMatrix]int{}
	for _, tactic := range tactics {
		got, ok := AttackTacticOf(strings.ToUpper(strings.ReplaceAll(tactic.Name, " ", "_")))
		require.True(t, ok)
		assert.Equal(t, tactic, got)
		if tactic.Abbreviation == "" {
			continue
		}
		perMatrix[tactic.Matrix]++
		assert.False(t, seen[tactic.Abbreviation], "%s abbreviates two tactics", tactic.Abbreviation)
		seen[tactic.Abbreviation] = true
		got, ok = AttackTacticOf(tactic.Abbreviation)
		require.True(t, ok)
		assert.Equal(t, tactic, got)
	}
	assert.Equal(t, map[AttackMatrix]int{AttackEnterprise: 12, AttackPRE: 17}, perMatrix)
	tactics[0].Name = "changed"
	assert.NotEqual(t, "changed", AttackTactics()[0].Name, "a caller changed the table")
	_, ok := AttackTacticOf(" - ")
	assert.False(t, ok)
}

func FuzzParseAttackTag(f *testing.F) {
	for _, s := range []string{"T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK", "T1499.004 - Endpoint Denial of Service: x", "Privilege-Escalation", "T1003 - a - NDT - PRE - ATT&CK",
		"T0000 - 0 -  - PER - ENT - ATT&CK", "T0000 -  - ENT - ATT&CK", "T0000 - x - ATT&CK"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		parsed, ok := ParseAttackTag(tag)
		if !ok {
			return
		}
		again, ok := ParseAttackTag(parsed.String())
		require.True(t, ok, "%q", parsed.String())
		assert.Equal(t, parsed, again)
	})
}
