package extraction

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// BenchmarkExtract measures the extraction from 10 MiB of Markdown. Prose is the documentation of this project. The
// labeled reports have an indicator or something similar in every line.
func BenchmarkExtract(b *testing.B) {
	for name, patterns := range map[string][]string{
		"prose":   {"../../*.md", "../../docs/*.md"},
		"reports": {"testdata/dev/*.md"},
	} {
		var text []byte
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			require.NoError(b, err)
			for _, file := range files {
				page, err := os.ReadFile(file)
				require.NoError(b, err)
				text = append(append(text, page...), '\n')
			}
		}
		text = bytes.Repeat(text, 1+10<<20/len(text))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				found = 0
				for _, err := range ioc.Extract(bytes.NewReader(text)) {
					require.NoError(b, err)
					found++
				}
			}
			b.ReportMetric(float64(found), "found")
			b.ReportMetric(float64(len(text))/(1<<20), "MiB")
		})
	}
}
