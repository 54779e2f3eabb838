package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"0", "999", "1,000", "-1,234,567"}, []string{Number(0), Number(999), Number(1000), Number(-1234567)})
	assert.Equal(t, []string{"0 items", "1 item", "1,000 items"}, []string{Count(0, "item"), Count(1, "item"), Count(1000, "item")})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x1b[31mred":  "a\uFFFD[31mred",
		" a\nb\tc\r":    "a b c",
		"exe.\u202egpj": "exe.\uFFFDgpj",
		"a\u200bb":      "a\uFFFDb",
		"a\xffb":        "a\uFFFDb",
		"Bücher 日本":     "Bücher 日本",
		" \t ":          "",
	} {
		assert.Equal(t, want, Clean(in))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b]8;;https://a.example\x07b")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		require.True(t, utf8.ValidString(got))
		require.Equal(t, -1, strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", got)
		require.Equal(t, got, Clean(got))
	})
}

func TestWrap(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "one two\nthree", Wrap("one two three", 9))
	assert.Equal(t, "aaaaa\naaaaa\na b", Wrap("aaaaaaaaaaa b", 5))
	words := "some words of a text that is rather long, and https://www.example.com/a/long/path"
	for width := 1; width < 40; width++ {
		got := Wrap(words, width)
		for line := range strings.SplitSeq(got, "\n") {
			require.LessOrEqual(t, text.StringWidth(line), width)
			require.Equal(t, strings.TrimRight(line, " "), line)
		}
		require.Equal(t, strings.ReplaceAll(words, " ", ""), strings.NewReplacer(" ", "", "\n", "").Replace(got), "at %d columns", width)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table := NewTable("NAME", "VALUE")
	table.AppendRow([]any{"a", 1})
	table.AppendRow([]any{"longer", ""})
	require.NoError(t, WriteTable(&b, table))
	assert.Equal(t, "NAME    VALUE\na       1\nlonger\n", b.String())
	require.Error(t, WriteTable(failing{}, table))
}

// failing is a writer that always fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestJSONArray(t *testing.T) {
	t.Parallel()
	for want, elements := range map[string][]any{
		"[]\n":                        nil,
		"[\n1\n]\n":                   {1},
		"[\n{\"a\":\"<&>\"}\n,2\n]\n": {map[string]string{"a": "<&>"}, 2},
	} {
		var b bytes.Buffer
		array := NewJSONArray(&b)
		for n, e := range elements {
			require.NoError(t, array.Add(e))
			assert.Equal(t, n+2, strings.Count(b.String(), "\n"), "each element is written immediately")
		}
		require.NoError(t, array.End())
		assert.Equal(t, want, b.String())
		assert.True(t, json.Valid(b.Bytes()))
	}
	require.Error(t, NewJSONArray(failing{}).Add(1))
	require.Error(t, NewJSONArray(failing{}).End())
	require.Error(t, NewJSONArray(&bytes.Buffer{}).Add(func() {}))
}

func FuzzJSONIsPrintable(f *testing.F) {
	f.Add("a\x1b]0;b\a \u009b31m \u202egpj.exe \u200b\u2028\ufeff\x7f \U000E0041 \xff é日")
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		require.NoError(t, WriteJSON(&b, map[string]string{s: s}))
		require.NoError(t, WriteJSONLine(&b, s))
		require.Equal(t, -1, strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }))
		d := json.NewDecoder(&b)
		var object map[string]string
		require.NoError(t, d.Decode(&object))
		valid := strings.ToValidUTF8(s, "\uFFFD")
		var want bytes.Buffer
		require.NoError(t, json.NewEncoder(&want).Encode(s))
		require.NoError(t, json.Unmarshal(want.Bytes(), &valid))
		require.Equal(t, map[string]string{valid: valid}, object)
	})
}

func TestIndicatorType(t *testing.T) {
	t.Parallel()
	for _, typ := range []ioc.Type{
		ioc.TypeAddress, ioc.TypeASN, ioc.TypeCIDR, ioc.TypeEmailAddress, ioc.TypeEmailSubject, ioc.TypeFile, ioc.TypeHashtag,
		ioc.TypeHost, ioc.TypeMutex, ioc.TypeRegistryKey, ioc.TypeURL, ioc.TypeUserAgent, ioc.TypeVulnerability,
	} {
		for _, name := range []string{string(typ), strings.ToUpper(string(typ)), strings.ReplaceAll(string(typ), " ", "-")} {
			got, ok := IndicatorType(name)
			assert.True(t, ok, name)
			assert.Equal(t, typ, got)
		}
	}
	for name, want := range map[string]ioc.Type{"ip": ioc.TypeAddress, "Domain": ioc.TypeHost, "sha256": ioc.TypeFile, "user_agent": ioc.TypeUserAgent, "cve": ioc.TypeVulnerability} {
		got, _ := IndicatorType(name)
		assert.Equal(t, want, got)
	}
	for name := range strings.SplitSeq(IndicatorTypeNames, ", ") {
		_, ok := IndicatorType(name)
		assert.True(t, ok, name)
	}
	_, ok := IndicatorType("color")
	assert.False(t, ok)
}

func TestMessage(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "one line of text", Message(" one\nline\tof\x00  text "))
	assert.Equal(t, strings.Repeat("ä", 255), Message(strings.Repeat("ä", 255)), "characters are counted, not bytes")
	assert.Equal(t, strings.Repeat("ä", 254)+"…", Message(strings.Repeat("ä", 256)))
	assert.Empty(t, Message(""))
}

func FuzzMessage(f *testing.F) {
	f.Add("a\nb")
	f.Add(strings.Repeat("x ", 300))
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, s string) {
		m := Message(s)
		require.True(t, utf8.ValidString(m))
		require.LessOrEqual(t, utf8.RuneCountInString(m), maxMessage)
		require.Equal(t, -1, strings.IndexFunc(m, unicode.IsControl))
		require.Equal(t, m, Message(m))
	})
}

func TestWriteMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, WriteMessage(dir, "done"))
	b, err := os.ReadFile(filepath.Join(dir, "message.tc"))
	require.NoError(t, err)
	assert.Equal(t, "done", string(b))
	require.NoError(t, WriteMessage("", "done"))
	err = WriteMessage(filepath.Join(dir, "none"), "done")
	require.ErrorContains(t, err, "--tc_out_path: ")
	assert.NotContains(t, err.Error(), dir)
}
