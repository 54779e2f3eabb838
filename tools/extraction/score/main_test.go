package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/tools/extraction"
)

// The scores are at most slightly below those in docs/extraction.md.
func TestScoresAreNotBelowDocumented(t *testing.T) {
	for _, tc := range []struct {
		set, part string
		f1        float64
		byType    map[string]float64
	}{
		{"dev", "sentences", .99, map[string]float64{"Host": .99, "URL": .99}},
		{"dev", "documents", .985, map[string]float64{"Host": .975, "URL": .99}},
		{"heldout", "sentences", .98, map[string]float64{"Host": .97, "URL": .99}},
		{"names", "documents", .83, map[string]float64{"Host": .80}},
		{"heldout", "documents", .975, map[string]float64{"Host": .94, "URL": .99}},
	} {
		t.Run(tc.set+" "+tc.part, func(t *testing.T) {
			set, err := extraction.Load(os.DirFS(filepath.Join("..", "testdata", tc.set)))
			require.NoError(t, err)
			texts := set.Sentences
			if tc.part == "documents" {
				texts = set.Documents
			}
			result, err := extraction.Score(texts, extract)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, result.Total().F1(), tc.f1)
			for name, f1 := range tc.byType {
				assert.GreaterOrEqual(t, result.Types[name].F1(), f1, name)
			}
		})
	}
}

func TestRunPrintsBothParts(t *testing.T) {
	var b strings.Builder
	require.NoError(t, run(&b, filepath.Join("..", "testdata", "dev"), false))
	assert.Contains(t, b.String(), "100 sentences")
	assert.Contains(t, b.String(), " documents")
	assert.NotContains(t, b.String(), ": missing ")
	require.NoError(t, run(&b, filepath.Join("..", "testdata", "names"), true))
	assert.Contains(t, b.String(), ": missing Host ")
	require.ErrorContains(t, run(&b, "nowhere", true), "load the labeled set")
}
