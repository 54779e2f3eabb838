package changes

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

func TestBlockListStaysComplete(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	list := func(args ...string) string {
		r := run(t, i.env, append([]string{"--format", "blocklist", "--output", i.path("list"), "--state", i.path("state")}, args...)...)
		require.Equal(t, cli.Success, r.code, r.stderr)
		b, err := os.ReadFile(i.path("list"))
		require.NoError(t, err)
		return string(b)
	}
	const md5, sha1 = "00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF00112233"
	i.add(t, "Host", "b.example", 3, time.Hour)
	i.add(t, "Host", "d.example", 3, time.Hour)
	i.add(t, "File", md5+" : "+sha1, 3, time.Hour)
	i.add(t, "Mutex", `Global\no-line`, 3, time.Hour)
	assert.Equal(t, md5+"\n"+sha1+"\nb.example\nd.example\n", list())

	for _, name := range []string{"a.example", "c.example", "e.example"} {
		i.add(t, "Host", name, 3, 0)
	}
	i.deleteHost(t, "b.example")
	want := md5 + "\n" + sha1 + "\na.example\nc.example\nd.example\ne.example\n"
	assert.Equal(t, want, list())
	assert.Equal(t, want, list(), "without changes")

	b, err := os.ReadFile(i.path("list"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(i.path("list"), append(b, "\n# by hand\nby-hand.example\n"...), 0o600))
	assert.Equal(t, "# by hand\n"+strings.Replace(want, "c.example", "by-hand.example\nc.example", 1), list(), "lines of others stay")
	assert.Equal(t, want, list("--reset"))
}

func TestBlockListOnStandardOutputHasChanges(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	args := []string{"--format", "blocklist", "--state", i.path("state")}
	i.add(t, "Host", "a.example", 3, time.Hour)
	assert.Equal(t, "a.example\n", run(t, i.env, args...).stdout)
	i.deleteHost(t, "a.example")
	i.add(t, "Host", "b.example", 3, 0)
	assert.Equal(t, "# removed: a.example\nb.example\n", run(t, i.env, args...).stdout)
}

func TestOldBlockListThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"gone":      {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "is gone, and --state remembers only"},
		"long line": {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 1<<17)) }, "token too long"},
		"directory": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "m.example", 3, time.Hour)
			args := []string{"--format", "blocklist", "--output", i.path("list"), "--state", i.path("state")}
			require.Equal(t, cli.Success, run(t, i.env, args...).code)
			tc.change(t, i.path("list"))
			r := run(t, i.env, args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.want)
		})
	}
}

func TestLinesOfABlockList(t *testing.T) {
	t.Parallel()
	const md5 = "00112233445566778899AABBCCDDEEFF"
	for _, tc := range []struct {
		typ   threatconnect.IndicatorType
		value string
		want  []string
	}{
		{threatconnect.TypeAddress, "203.0.113.9", []string{"203.0.113.9"}},
		{threatconnect.TypeFile, md5, []string{md5}},
		{threatconnect.TypeFile, "no hash", nil},
		{threatconnect.TypeMutex, "Global", nil},
		{threatconnect.TypeHost, "", nil},
		{threatconnect.TypeHost, "# comment", nil},
		{threatconnect.TypeURL, "https://example.com/\nhttps://example.org/", nil},
		{threatconnect.TypeURL, "https://example.com/" + strings.Repeat("a", maxLine), nil},
	} {
		assert.Equal(t, tc.want, listValues(&row{Type: tc.typ, Indicator: tc.value}), "%s %.40q", tc.typ, tc.value)
	}
}

// FuzzBlockList compares a list after random changes with the same changes in memory.
func FuzzBlockList(f *testing.F) {
	f.Add("d a", "a b -a c -c c")
	f.Add("", "-z z -z")
	f.Fuzz(func(t *testing.T, old, text string) {
		want := map[string]bool{}
		path := t.TempDir() + "/list"
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(strings.Fields(old), "\n")), 0o600))
		for _, line := range strings.Fields(old) {
			want[line] = true
		}
		b, err := openBlocklist(path, false)
		require.NoError(t, err)
		defer b.abort()
		for _, word := range strings.Fields(text) {
			v, removed := strings.CutPrefix(word, "-")
			r := &row{Action: changed, Type: threatconnect.TypeHost, Indicator: v}
			if removed {
				r.Action = withdrawn
			}
			require.NoError(t, b.write(r))
			for _, v := range listValues(r) {
				want[v] = !removed
			}
		}
		require.NoError(t, b.commit())
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		maps.DeleteFunc(want, func(_ string, listed bool) bool { return !listed })
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Collect(strings.FieldsFuncSeq(string(got), func(r rune) bool { return r == '\n' })))
	})
}

func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":               "",
		"evil.example":   "evil.example",
		"=1+1":           "'=1+1",
		"+1":             "'+1",
		"-1":             "'-1",
		"@SUM(A1)":       "'@SUM(A1)",
		"\t=1":           "'\t=1",
		"＝1":             "'＝1",
		"a=b":            "a=b",
		"'=already safe": "'=already safe",
	} {
		assert.Equal(t, want, withoutFormula(in))
	}
}
