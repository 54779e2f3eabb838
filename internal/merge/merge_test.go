package merge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/filehash"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// newMerge returns a merge that joins the names of files with commas.
func newMerge(ctx context.Context, t *testing.T) *Merge {
	m := New(ctx, Options{
		Dir:       t.TempDir(),
		MaxBytes:  1 << 20,
		Defaults:  []byte(`{"rating":3}`),
		JoinFiles: func(a, b string) (string, error) { return a + ", " + b, nil },
	})
	t.Cleanup(m.Close)
	return m
}

func addMutex(t *testing.T, m *Merge, name, rest string) {
	t.Helper()
	e := &item.Encoded{Section: item.Indicators, Type: "Mutex", Name: name, JSON: []byte(`{"summary":"` + name + `"` + rest + `}`)}
	require.NoError(t, m.Add("Mutex", e, KeyOf(KeyIndicator, "Mutex", name), nil, false))
}

func addFile(t *testing.T, m *Merge, name string, hashes [3]string) {
	t.Helper()
	h := filehash.Of(hashes)
	e := &item.Encoded{Section: item.Indicators, Type: "File", Name: name, JSON: []byte(`{"summary":"` + name + `"}`)}
	require.NoError(t, m.Add("File", e, Key{}, &h, false))
}

// all finishes a merge and returns each item with its origin as one text.
func all(t *testing.T, m *Merge) (texts []string) {
	t.Helper()
	require.NoError(t, m.Finish())
	require.NoError(t, m.Plan())
	for batch, err := range m.Batches() {
		require.NoError(t, err)
		for i, text := range batch.Texts {
			shown := ""
			if IsRefused(text) {
				_, name, p, err := ReadRefused(text)
				require.NoError(t, err)
				shown = name + " " + p.Rule
			} else {
				_, json, err := ReadItem(text, new(item.Encoded))
				require.NoError(t, err)
				shown = json
			}
			texts = append(texts, fmt.Sprintf("%d+%d %s", batch.Origins[i].First, batch.Origins[i].Count, shown))
		}
	}
	return texts
}

func TestItemsWithSameKeyAreMerged(t *testing.T) {
	t.Parallel()
	m := newMerge(t.Context(), t)
	md5, sha1 := strings.Repeat("a", 32), strings.Repeat("b", 40)
	addMutex(t, m, "a", `,"rating":1`)
	addFile(t, m, "md5", [3]string{md5})
	addMutex(t, m, "b", ``)
	require.NoError(t, m.AddRefused(item.Indicators, "Mutex", "", item.Problem{Rule: "is empty"}))
	addMutex(t, m, "a", `,"rating":2`)
	addFile(t, m, "both", [3]string{md5, sha1})
	addFile(t, m, "sha1", [3]string{"", sha1})
	assert.Equal(t, []string{
		`0+2 {"summary":"a","rating":2}`,
		`1+3 {"summary":"md5, both, sha1","rating":3}`,
		`2+1 {"summary":"b","rating":3}`,
		`3+1  is empty`,
	}, all(t, m))
	assert.Equal(t, Stats{Items: 3}, m.Stats)
}

func TestMergeSpillsToDisk(t *testing.T) {
	t.Parallel()
	m := newMerge(t.Context(), t)
	n := scaletest.Size(20_000)
	for i := range 2 * n {
		addMutex(t, m, fmt.Sprint(i%n), `,"description":"`+strings.Repeat("x", 100)+`"`)
	}
	got := all(t, m)
	require.Len(t, got, n)
	for i, text := range got {
		require.True(t, strings.HasPrefix(text, fmt.Sprintf(`%d+2 {"summary":"%d"`, i, i)), text)
	}
}

func TestMergeLimitsItemSize(t *testing.T) {
	t.Parallel()
	m := newMerge(t.Context(), t)
	const n = 100
	for i := range n {
		addMutex(t, m, "a", fmt.Sprintf(`,"tag":[{"name":"%d%s"}]`, i, strings.Repeat("x", 2<<10)))
	}
	got := all(t, m)
	assert.Greater(t, len(got), 1)
	assert.EqualValues(t, len(got), m.Stats.Items)
	assert.EqualValues(t, len(got)-1, m.Stats.Full)
	for _, text := range got {
		assert.LessOrEqual(t, len(text), 1<<20/mergedPart+1<<10)
	}
	assert.Equal(t, n, strings.Count(strings.Join(got, ""), `"name"`))
}

func TestMergeReturnsContextAndFileErrors(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	m := newMerge(ctx, t)
	addMutex(t, m, "a", "")
	require.NoError(t, m.Finish())
	cancel(why)
	assert.ErrorIs(t, m.Plan(), why)

	m = New(t.Context(), Options{Dir: t.TempDir() + "/absent", MaxBytes: 1 << 20})
	defer m.Close()
	var err error
	for i := 0; err == nil && i < 100; i++ {
		e := &item.Encoded{Section: item.Indicators, Type: "Mutex", Name: "a", JSON: []byte(`"` + strings.Repeat("x", 64<<10) + `"`)}
		err = m.Add("Mutex", e, Key{byte(i)}, nil, false)
	}
	require.ErrorContains(t, err, "create a temporary file")
	assert.Equal(t, err, m.Finish())
}
