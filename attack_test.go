package threatconnect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttackTagsForFeeds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		matrix        AttackMatrix
		id, technique string
		tactics       []string
		want          []string // nil for a refusal
	}{
		"a sub-technique":                {AttackEnterprise, "T1546.011", "Event Triggered Execution", []string{"PER"}, []string{"T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK"}},
		"a technique with two tactics":   {AttackEnterprise, "T1546", "Event Triggered Execution", []string{"Persistence", "privilege-escalation"}, []string{"T1546 - Event Triggered Execution - PER - ENT - ATT&CK", "T1546 - Event Triggered Execution - PRI - ENT - ATT&CK"}},
		"a tactic that is not known":     {AttackEnterprise, "T1003", " OS Credential Dumping ", nil, []string{"T1003 - OS Credential Dumping - NDT - ENT - ATT&CK"}},
		"command and control":            {AttackEnterprise, "T1071", "Application Layer Protocol", []string{"Command_and_Control"}, []string{"T1071 - Application Layer Protocol - C&C - ENT - ATT&CK"}},
		"a technique of PRE-ATT&CK":      {AttackPRE, "T1328", "Buy domain name", []string{"Establish & Maintain Infrastructure"}, []string{"T1328 - Buy domain name - EMI - PRE - ATT&CK"}},
		"a tactic of the other matrix":   {AttackEnterprise, "T1328", "Buy domain name", []string{"EMI"}, nil},
		"a tactic without abbreviation":  {AttackEnterprise, "T1583", "Acquire Infrastructure", []string{"Resource Development"}, nil},
		"a tactic that nobody has":       {AttackEnterprise, "T1583", "Acquire Infrastructure", []string{"Guessing"}, nil},
		"no matrix":                      {"", "T1003", "OS Credential Dumping", nil, nil},
		"an id without T":                {AttackEnterprise, "1003", "OS Credential Dumping", nil, nil},
		"an id that is cut":              {AttackEnterprise, "T1546.11", "Event Triggered Execution", nil, nil},
		"a tactic's id":                  {AttackEnterprise, "TA0003", "Persistence", nil, nil},
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

func TestAttackTacticsBothWays(t *testing.T) {
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
		assert.False(t, seen[tactic.Abbreviation], "%s stands for two tactics", tactic.Abbreviation)
		seen[tactic.Abbreviation] = true
		got, ok = AttackTacticOf(tactic.Abbreviation)
		require.True(t, ok)
		assert.Equal(t, tactic, got)
	}
	assert.Equal(t, map[AttackMatrix]int{AttackEnterprise: 12, AttackPRE: 17}, perMatrix)
	tactics[0].Name = "changed"
	assert.NotEqual(t, "changed", AttackTactics()[0].Name, "the table can be changed from outside")
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
