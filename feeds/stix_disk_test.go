package feeds

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestThreatTemporaryFilesAreBounded(t *testing.T) {
	tool := `{"type":"tool","id":"#","name":"ab"}`
	mixed := new(strings.Builder)
	_, err := io.Copy(mixed, newBigBundle(fewer(8_000)))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"a mixed feed":            mixed.String(),
		"numbers":                 bundleOf(strings.TrimSuffix(strings.Repeat("7,", fewer(600_000)), ",")),
		"empty objects":           bundleOf(strings.TrimSuffix(strings.Repeat("{},", fewer(400_000)), ",")),
		"objects without IDs":     bundleOf(strings.TrimSuffix(strings.Repeat(`{"type":"tool"},`, fewer(80_000)), ",")),
		"refused objects":         bundleOf(numbered(fewer(50_000), `{"type":"tool","id":"#"}`, ",")),
		"tools":                   bundleOf(numbered(fewer(50_000), tool, ",")),
		"versions of one object":  bundleOf(strings.TrimSuffix(strings.Repeat(tool+",", fewer(50_000)), ",")),
		"references to nothing":   bundleOf(`{"type":"report","id":"r","name":"ab","object_refs":["a"` + strings.Repeat(`,"a"`, scaletest.N(1_500_000)) + "]}"),
		"short references":        bundleOf(numbered(scaletest.N(4_000), `{"type":"report","id":"#","name":"ab","object_refs":["b"`+strings.Repeat(`,"b"`, 200)+"]}", ","), `{"type":"tool","id":"b","name":"ab"}`),
		"references to each ID":   bundleOf(numbered(fewer(400), tool, ","), strings.ReplaceAll(numbered(fewer(300), `{"type":"report","id":"r#","name":"ab","object_refs":[REFS]}`, ","), "REFS", numbered(fewer(400), `"#"`, ","))),
		"relationships":           bundleOf(numbered(2, tool, ","), numbered(fewer(30_000), `{"type":"relationship","id":"r#","source_ref":"000000","target_ref":"000001"}`, ",")),
		"a long list that is cut": bundleOf(numbered(fewer(50_000), tool, ","))[:fewer(1_500_000)],
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var most int64
			n := 0
			sample := func() {
				_, size := tempFiles(t, dir)
				most = max(most, size)
			}
			in := strings.NewReader(text)
			f, err := Open(funcReader(func(p []byte) (int, error) {
				read, err := in.Read(p)
				if n++; n%16 == 0 || err == io.EOF {
					sample()
				}
				return read, err
			}), &Options{Format: FormatSTIX, Owner: testOwner, Feed: testFeed, Dir: dir})
			require.NoError(t, err)
			for _, err := range f.All() {
				if _, ok := errors.AsType[*LineError](err); !ok && !errors.Is(err, ErrFormat) {
					require.NoError(t, err)
				}
				if n++; n%5000 == 0 {
					sample()
				}
			}
			requireEmpty(t, dir)
			t.Logf("%d KiB: %d KiB of temporary files, %.1f times", len(text)>>10, most>>10, float64(most)/float64(len(text)))
			assert.LessOrEqual(t, most, int64(maxDisk*len(text)+freeDisk))
		})
	}
}

// In real feeds, objects are longer than the records written for them, so a feed that needs more space is refused.
func TestSTIXLimitsDiskSpace(t *testing.T) {
	t.Parallel()
	r := &stixReader{size: 1 << 20}
	r.bySeq.held = maxDisk*r.size/2 + freeDisk/2
	err := r.sort(&r.bySeq, []byte("key"), nil)
	require.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, "more objects and references than fit in its size")
}
