package threatconnecttest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// constantsOf returns the constants of a file that start with a prefix, with their comments.
func constantsOf(t *testing.T, file, prefix string) (found []term) {
	t.Helper()
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ParseComments)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Comment == nil {
			return true
		}
		if name, ok := strings.CutPrefix(spec.Names[0].Name, prefix); ok {
			found = append(found, term{name, strings.TrimSpace(spec.Comment.Text())})
		}
		return true
	})
	require.NotEmpty(t, found)
	return found
}

func TestNamesMatchDeclarations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file, prefix string
		terms        []term
	}{
		{"faults.go", "Fault", faultTerms[:]},
		{"oddities.go", "Oddity", oddityTerms[:]},
		{"testing.go", "Lapse", lapseTerms[:]},
	} {
		declared := constantsOf(t, tc.file, tc.prefix)
		require.Len(t, tc.terms, len(declared), "the table of %s in names.go", tc.file)
		for i, d := range declared {
			assert.True(t, strings.EqualFold(d.name, tc.terms[i].name), "%s%s is called %q", tc.prefix, d.name, tc.terms[i].name)
			assert.Equal(t, d.about, tc.terms[i].about)
		}
	}
	assert.Equal(t, OddityAll, Oddity(1)<<len(oddityTerms)-1)
	assert.Equal(t, FaultSlowUpload, FaultKind(len(faultTerms)))
	assert.Equal(t, LapseUnusedFaults, Lapse(len(lapseTerms)))
}

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	type all struct {
		Fault  FaultKind
		Oddity Oddity
		Lapse  Lapse
	}
	for _, k := range FaultKinds() {
		for _, odd := range append(Oddities(), 0, OddityStringIDs|OddityZonelessDates, OddityAll) {
			in := all{k, odd, Lapse(int(k)%len(lapseTerms) + 1)}
			b, err := json.Marshal(in)
			require.NoError(t, err)
			var out all
			require.NoError(t, json.Unmarshal(b, &out))
			require.Equal(t, in, out)
			assert.NotEmpty(t, k.Description())
		}
	}
	for _, odd := range Oddities() {
		assert.NotEmpty(t, odd.Description())
	}
	assert.Equal(t, "lostReply", FaultLostReply.String())
	assert.Equal(t, "none", FaultKind(0).String())
	assert.Equal(t, "stringIDs|zonelessDates", (OddityStringIDs | OddityZonelessDates).String())
	assert.Equal(t, "none", Oddity(0).String())
	assert.Equal(t, "unverified", LapseUnverified.String())
	assert.Empty(t, OddityAll.Description())
	var odd Oddity
	require.NoError(t, odd.UnmarshalText([]byte("zonelessDates|stringIDs")))
	assert.Equal(t, OddityStringIDs|OddityZonelessDates, odd)
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	unknown := OddityAll + 1
	assert.Equal(t, "FaultKind(99)", FaultKind(99).String())
	assert.Equal(t, "Lapse(0)", Lapse(0).String())
	assert.Regexp(t, `^stringIDs\|Oddity\(0x[0-9a-f]+\)$`, (OddityStringIDs | unknown).String())
	assert.Empty(t, FaultKind(99).Description())
	assert.Empty(t, unknown.Description())
	for _, v := range []any{FaultKind(99), FaultKind(-1), unknown, Lapse(0), Lapse(99)} {
		_, err := json.Marshal(v)
		require.ErrorContains(t, err, "unknown", "%v", v)
	}
	require.ErrorContains(t, new(FaultKind).UnmarshalText([]byte("rest")), `unknown kind of fault "rest"; use one of status, reset, lostReply`)
	require.ErrorContains(t, new(Oddity).UnmarshalText([]byte("stringIDs|odd")), `unknown oddity "odd"; use one of stringIDs, `)
	require.ErrorContains(t, new(Lapse).UnmarshalText([]byte("all")), `unknown lapse "all"; use one of unverified, unknownRoutes, unusedFaults`)
}
